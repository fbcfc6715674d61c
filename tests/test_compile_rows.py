"""Fusion of kernels over rows with elementwise rules: the same bits as without, at every size of rows and blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiling import assert_same, values

import minigrad as mg
from minigrad import nn

F = nn.functional

SIZES = [(700, 400), (1031, 257), (60, 5000), (40000, 8)]


def scaled_softmax(x: Any, w: Any) -> Any:
    return F.softmax(x * 0.5 + w, -1) * x


def masked_softmax(x: Any, w: Any) -> Any:
    return F.softmax(mg.where(x > 0.3, x, w), -1, temperature=2.0) + 1


def log_probabilities(x: Any, w: Any) -> Any:
    return F.log_softmax(F.tanh(x + w), -1) * w


def normalized(x: Any, w: Any) -> Any:
    return F.gelu(F.layer_norm(x * 2 + 1, w.shape, w, w * 3))


def residual(x: Any, w: Any) -> Any:
    return x + F.relu(F.rms_norm(x - w, w.shape, w))


def averages(x: Any, w: Any) -> Any:
    return (x.sigmoid() * w).mean(-1)


def stack(x: Any, w: Any) -> Any:
    h = F.relu(F.layer_norm(x + w, w.shape))
    h = h * F.softmax(h, -1)
    return h - F.log_softmax(F.rms_norm(h + x, w.shape), -1)


CASES = {
    scaled_softmax: ("softmax", "softmax_backward"),
    masked_softmax: ("softmax", "softmax_backward"),
    log_probabilities: ("log_softmax", "log_softmax_backward"),
    normalized: ("layer_norm", "layer_norm_backward"),
    residual: ("rms_norm", "rms_norm_backward"),
    averages: ("mean",),
    stack: ("layer_norm", "softmax", "rms_norm", "log_softmax"),
}


def step(function: Callable[..., Any], rows: int, columns: int, dtype: Any) -> Callable[..., Any]:
    """A function that gives a result, and gradients by both arguments."""
    w = mg.tensor(np.random.default_rng(1).standard_normal(columns), dtype=dtype, requires_grad=True)

    shape = function(mg.zeros(rows, columns, dtype=dtype), w).shape
    weight = mg.tensor(np.random.default_rng(2).standard_normal(shape), dtype=dtype)

    def run(x: Any) -> Any:
        y = function(x, w)
        return [y.detach(), *mg.grad((y * weight).sum(), [x, w])]

    return run


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_rows_with_their_neighbours(function: Any, dtype: Any, rows: int, columns: int) -> None:
    fast = mg.compile(step(function, rows, columns, dtype), fuse=True)
    eager = step(function, rows, columns, dtype)
    random = np.random.default_rng(0)
    for _ in range(4):
        x = mg.tensor(random.standard_normal((rows, columns)), dtype=dtype, requires_grad=True)
        assert_same(values(eager(x)), values(fast(x)))
    assert fast.stats()["replayed"] == 2
    fused = [line for line in str(fast.program()).splitlines() if "fused" in line]
    for name in CASES[function] if dtype == np.float32 else ():  # sums of float64 gradients lie between, which Python adds up
        assert any(re.search(rf"\b{name}\(", line) for line in fused), (name, str(fast.program()))


def test_stages_share_one_pass() -> None:
    """All of a stack is one line of the program, and what only its stages take is not kept."""
    w = mg.ones(400)
    fast, plain = (mg.compile(lambda x: stack(x, w), fuse=fuse) for fuse in (True, False))
    x = mg.tensor(np.random.default_rng(0).standard_normal((700, 400)), dtype=np.float32)
    for function in (fast, plain):
        for _ in range(3):
            function(x)
    assert "1 step, 1 of them run by the machine" in str(fast.program())
    assert fast.stats()["planned_bytes"] < plain.stats()["planned_bytes"]


def test_small_matrices_are_left_alone() -> None:
    w = mg.ones(40)
    fast = mg.compile(lambda x: scaled_softmax(x, w), fuse=True)
    for _ in range(3):
        fast(mg.ones(70, 40))
    assert not any("softmax(" in line and "fused" in line for line in str(fast.program()).splitlines())


def test_what_others_take_is_kept() -> None:
    """Values between the stages that are returned or taken by a product, and a product that is changed in place."""
    weight, bias = (
        mg.tensor(np.random.default_rng(n).standard_normal(s), dtype=np.float32) for n, s in enumerate([(400, 30), 400])
    )

    def function(x: Any) -> Any:
        h = F.linear(x, weight, bias)
        s = F.softmax(F.tanh(h), -1)
        return [h @ weight, F.relu(s * h), s, h + 1]

    fast = mg.compile(function, fuse=True)
    for n in range(4):
        x = mg.tensor(np.random.default_rng(n).standard_normal((800, 30)), dtype=np.float32)
        assert_same(values(function(x)), values(fast(x)))

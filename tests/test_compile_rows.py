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


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    return [mg.tensor(np.random.default_rng(n).standard_normal(s) * 0.1, dtype=np.float32) for n, s in enumerate(shapes)]


def follow(function: Any, *shape: int, fuse: bool = True) -> Any:
    """Compare four calls with eager ones."""
    fast = mg.compile(function, fuse=fuse)
    for n in range(4):
        x = mg.tensor(np.random.default_rng(n).standard_normal(shape), dtype=np.float32)
        assert_same(values(function(x)), values(fast(x)), f"call {n}")
    assert fast.stats()["replayed"] == 2
    return fast


def test_a_product_waits_for_the_stage_that_makes_its_operand() -> None:
    """Layers of one width: the second product takes what the first layer's activation is, and cannot go ahead of it."""
    w, v, b = arrays((512, 512), (512, 512), (512,))
    follow(lambda x: F.softmax(F.linear(F.relu(F.linear(x, w, b)), v, b), -1), 512, 512)
    follow(lambda x: F.layer_norm(F.relu(F.linear(F.softmax(F.linear(x, w, b), -1), v, b)), (512,)), 512, 512)


def test_products_of_more_axes() -> None:
    w, b = arrays((40, 40), (40,))
    follow(lambda x: F.relu(F.linear(x, w, b)), 6, 7, 40)
    follow(lambda x: F.softmax(F.relu(F.linear(x, w, b)), -1), 64, 128, 40)


def test_numbers_that_are_tensors() -> None:
    scale = mg.tensor(2.0)
    follow(lambda x: F.softmax(x * scale, -1) / scale, 512, 512)


@pytest.mark.parametrize(("rows", "columns"), [(9, 255), (600, 600), (40, 300)])
def test_products_with_the_own_transpose(rows: int, columns: int) -> None:
    """NumPy has a routine of its own for these."""
    follow(lambda x: [x @ x.T, x.T @ x, F.linear(x, x)], rows, columns, fuse=False)


@pytest.mark.parametrize(("rows", "columns", "out"), [(8, 1, 17), (5, 3, 2), (300, 300, 500)])
def test_gradients_that_repeat_one_number(rows: int, columns: int, out: int) -> None:
    w, b, m = (t.requires_grad_() for t in arrays((out, columns), (out,), (columns, out)))
    follow(lambda x: [*mg.grad(F.linear(x, w, b).sum(), [w, b]), *mg.grad((x @ m).sum(), [m])], rows, columns, fuse=False)


STAGES: list[Callable[..., Any]] = [
    lambda a, q, w, m: F.softmax(a, -1),
    lambda a, q, w, m: F.log_softmax(a, -1) * 0.1,
    lambda a, q, w, m: F.layer_norm(a, w.shape, w, w),
    lambda a, q, w, m: F.rms_norm(a, w.shape, w),
    lambda a, q, w, m: F.relu(a + w),
    lambda a, q, w, m: F.gelu(a) * q,
    lambda a, q, w, m: mg.where(a > 0.3, a, q),
    lambda a, q, w, m: a - q.mean(-1, keepdim=True),
    lambda a, q, w, m: F.tanh(F.linear(a, m, w)),
    lambda a, q, w, m: F.linear(a, m, w) + q,
    lambda a, q, w, m: a * w.sum() + q.sum(-1, keepdim=True),
    lambda a, q, w, m: F.softmax(q, -1) * a.sigmoid(),
]


@pytest.mark.parametrize("seed", range(10))
def test_random_stacks(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training step over random stages, of matrices of any size joined by rows."""
    monkeypatch.setattr("minigrad.compiler.fuse_rows._FAR", 0)
    random = np.random.default_rng(seed)
    rows, columns = int(random.choice([2, 7, 33, 130])), int(random.choice([1, 8, 17, 65, 300]))
    dtype = random.choice([np.float32, np.float64])
    plan = [(STAGES[random.integers(len(STAGES))], int(random.integers(4))) for _ in range(6)]

    def make() -> tuple[Callable[..., Any], list[Any]]:
        start = np.random.default_rng(seed)
        w, m = (
            mg.tensor(start.standard_normal(s) * 0.3, dtype=dtype, requires_grad=True) for s in ((columns,), (columns, columns))
        )
        optimizer = mg.optim.Adam([w, m], lr=0.01)

        def run(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            made = [x, y]
            for stage, other in plan:
                made.append(stage(made[-1], made[other % len(made)], w, m))
            loss = (made[-1] * made[-2]).mean() + (w * m).sum() * 1e-3
            loss.backward()
            optimizer.step()
            return [loss.detach(), *(part.detach() for part in made[2::2])]

        return run, [w, m]

    (eager, mine), (function, others) = make(), make()
    fast = mg.compile(function, fuse=True)
    for n in range(4):
        x, y = (
            mg.tensor(np.random.default_rng(10 * seed + 2 * n + i).standard_normal((rows, columns)), dtype=dtype) for i in range(2)
        )
        assert_same([values(eager(x, y)), values(mine)], [values(fast(x, y)), values(others)], f"call {n}")
    assert fast.stats()["replayed"] == 2

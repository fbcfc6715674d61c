"""Drawn networks and programs, compiled with and without fusion, against the eager ones: bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiling import assert_same, values
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, optim

F = nn.functional
SEEDS = st.integers(0, 2**32 - 1)
drawn = settings(max_examples=40, derandomize=True, database=None, deadline=None)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module):
        self.inner = inner

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x + self.inner(x)


def block(random: np.random.Generator, width: int, depth: int = 2) -> nn.Module:
    """A module that keeps the shape (rows, width)."""
    kinds: list[Any] = [
        lambda: nn.Linear(width, width, bias=bool(random.integers(2))),
        nn.ReLU,
        nn.Tanh,
        nn.Sigmoid,
        nn.GELU,
        nn.SiLU,
        lambda: nn.LeakyReLU(float(random.random())),
        nn.Softplus,
        nn.ELU,
        lambda: nn.PReLU(),
        lambda: nn.LayerNorm(width),
        lambda: nn.BatchNorm1d(width),
        lambda: nn.Dropout(0.3),
        lambda: nn.Softmax(dim=1),
        lambda: nn.RMSNorm(width),
    ]
    if depth and random.random() < 0.4:
        parts = [block(random, width, depth - 1) for _ in range(random.integers(1, 4))]
        return Residual(nn.Sequential(*parts))
    return kinds[random.integers(len(kinds))]()  # type: ignore[no-any-return]


LOSSES: list[Any] = [
    lambda scores, y: F.cross_entropy(scores, y),
    lambda scores, y: F.cross_entropy(scores, y, label_smoothing=0.1, reduction="sum") * 0.1,
    lambda scores, y: F.nll_loss(F.log_softmax(scores, 1), y),
    lambda scores, y: F.mse_loss(scores, F.one_hot(y, 3).to(scores.dtype)),
    lambda scores, y: F.binary_cross_entropy_with_logits(scores[:, 0], (y > 0).to(scores.dtype)),
    lambda scores, y: F.huber_loss(mg.softmax(scores, 1)[:, 1], (y == 1).to(scores.dtype)),
]
OPTIMIZERS: list[Any] = [
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    lambda p: optim.Adam(p, lr=0.01),
    lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5),
]


def network(seed: int) -> Any:
    """A step over a drawn network, and what it changes."""
    random = np.random.default_rng(seed)
    mg.manual_seed(seed % 1000)
    width = int(random.integers(1, 9))
    dtype = [mg.float32, mg.float64][random.integers(2)]
    body = [block(random, width) for _ in range(random.integers(1, 6))]
    model = nn.Sequential(nn.Linear(4, width), *body, nn.Linear(width, 3)).to(dtype)
    optimizer, loss = OPTIMIZERS[random.integers(4)](model.parameters()), LOSSES[random.integers(len(LOSSES))]
    clipped = random.random() < 0.3

    def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        if clipped:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return value  # type: ignore[no-any-return]

    return step, [model, optimizer], dtype


@pytest.mark.parametrize("fuse", [False, True])
@drawn
@given(SEEDS)
def test_networks(fuse: bool, seed: int) -> None:
    plain, things, dtype = network(seed)
    function, others, _ = network(seed)
    fast = mg.compile(function, fuse=fuse)
    random = np.random.default_rng(seed + 1)
    rows = int(random.integers(2, 40))
    for i in range(5):
        x, y = mg.tensor(random.standard_normal((rows, 4)), dtype=dtype), mg.tensor(random.integers(0, 3, rows))
        found = []
        for run, state in ((plain, things), (fast, others)):
            mg.manual_seed(i)
            found.append([values(run(x, y)), values(state)])
        assert_same(found[0], found[1], f"call {i}")
    assert fast.stats()["replayed"] == 3


UNARY: list[Any] = [
    mg.tanh, mg.sigmoid, mg.exp, mg.sin, mg.relu, mg.neg,
    lambda x: x * 0.5, lambda x: 1 - x, lambda x: x**2, lambda x: mg.abs(x) + 0.1, lambda x: mg.log1p(x * x),
    lambda x: x.clamp(-0.5, 0.5), lambda x: x.detach() * 2, lambda x: x.reshape(-1), lambda x: x.T if x.ndim == 2 else x,
    lambda x: x.sum(-1, keepdim=True) if x.ndim else x, lambda x: x.mean(0) if x.ndim else x,
    lambda x: mg.softmax(x, -1) if x.ndim else x, lambda x: x[..., :1] if x.ndim else x,
    lambda x: mg.cumsum(x, -1) if x.ndim else x, lambda x: mg.cat([x, x * 2], 0) if x.ndim else x,
]  # fmt: skip
BINARY: list[Any] = [mg.add, mg.sub, mg.mul, mg.maximum, lambda a, b: a / (b * b + 1), lambda a, b: mg.where(a > b, a, b * 0.5)]


def program(seed: int) -> Any:
    """A function of drawn operations over Tensors of shapes that broadcast, some of them written in place, and its backward pass."""
    random = np.random.default_rng(seed)
    n, m = random.integers(1, 6, 2)
    shapes = [(n, m), (m,), (n, 1), (), (n, m)]
    weights = [mg.tensor(random.standard_normal(shape), requires_grad=True) for shape in shapes]
    steps = random.integers(0, 2**31, (int(random.integers(3, 15)), 3))

    def run(x: mg.Tensor) -> Any:
        for w in weights:
            w.grad = None
        pool = [x, *weights]
        for kind, i, j in steps:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            if kind % 3 == 0:
                try:
                    np.broadcast_shapes(a.shape, b.shape)
                except ValueError:
                    continue
                pool.append(BINARY[kind // 3 % len(BINARY)](a, b))
            elif kind % 31 == 1:
                pool.append(a.clone().mul_(2).add_(1))
            else:
                pool.append(UNARY[kind // 3 % len(UNARY)](a))
        total = sum(((part * (k + 1)).mean() for k, part in enumerate(pool)), mg.zeros(()))
        total.backward()
        return [total.detach(), *(part.detach() for part in pool[6:])]

    return run, weights, (int(n), int(m))


@pytest.mark.parametrize("fuse", [False, True])
@drawn
@given(SEEDS)
def test_programs(fuse: bool, seed: int) -> None:
    plain, weights, shape = program(seed)
    function, others, _ = program(seed)
    fast = mg.compile(function, fuse=fuse)
    random = np.random.default_rng(seed + 1)
    for i in range(5):
        x = mg.tensor(random.standard_normal(shape))
        found = [[values(run(x)), values(state)] for run, state in ((plain, weights), (fast, others))]
        assert_same(found[0], found[1], f"call {i}")
    assert fast.stats()["replayed"] == 3

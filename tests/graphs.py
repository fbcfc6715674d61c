"""What the tests of graphs share."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg
from minigrad import nn


def leaf(*values: float, dtype: Any = np.float64) -> mg.Tensor:
    return mg.tensor(values[0] if len(values) == 1 else values, dtype=dtype, requires_grad=True)


def values(tensor: mg.Tensor | None) -> Any:
    assert tensor is not None
    return tensor.tolist()


def shared(a: mg.Tensor, b: mg.Tensor) -> bool:
    return np.shares_memory(a.array, b.array)


def train(steps: int, seed: int = 0, optimizer: str = "Adam") -> list[float]:
    """A small classifier on random numbers; its losses."""
    rng = np.random.default_rng(seed)

    def parameter(*shape: int) -> mg.Tensor:
        return mg.tensor(rng.normal(size=shape) * 0.3, dtype=np.float32, requires_grad=True)

    params = [parameter(16, 8), parameter(16), parameter(4, 16), parameter(4)]
    opt = getattr(mg.optim, optimizer)(params, lr=0.01)
    losses = []
    for _ in range(steps):
        x = mg.tensor(rng.normal(size=(12, 8)).astype(np.float32))
        t = mg.tensor(rng.integers(0, 4, 12))
        h = nn.functional.relu(nn.functional.linear(x, params[0], params[1]))
        loss = nn.functional.cross_entropy(nn.functional.linear(h, params[2], params[3]), t)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses

"""Networks, healthy and sick, for the doctor."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.inspect.health.diagnosis import Diagnosis
from minigrad.train import History

CE = nn.CrossEntropyLoss()


def problem(samples: int = 256, features: int = 12, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Standardized inputs, and the class of the largest of a few of them."""
    x = np.random.default_rng(0).standard_normal((samples, features)).astype(np.float32)
    return mg.tensor(x), mg.tensor(x[:, :classes].argmax(1))


X, Y = problem()
YES = (Y < 2).float()


def net(activation: Any = nn.ReLU, last: int = 4, width: int = 32, depth: int = 2, head: nn.Module | None = None) -> nn.Sequential:
    mg.manual_seed(0)
    layers: list[nn.Module] = []
    for n in range(depth):
        layers += [nn.Linear(X.shape[1] if n == 0 else width, width), activation()]
    layers.append(nn.Linear(width, last))
    if last == 1:
        layers.append(nn.Flatten(0))
    return nn.Sequential(*layers, *([head] if head is not None else []))


def trained(model: nn.Module, loss: Any = CE, target: Tensor = Y, epochs: int = 15) -> Any:
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for x, t in DataLoader(TensorDataset(X, target), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss(model(x), t).backward()
            optimizer.step()
    return optimizer


def scaled(model: nn.Module, factor: float) -> nn.Module:
    for p in model.parameters():
        p.array[...] *= factor
    return model


def codes(diagnosis: Diagnosis) -> set[str]:
    return {finding.code for finding in diagnosis.findings}


def told(losses: list[float], **rows: Any) -> History:
    """A history of losses, step by step, and of epochs."""
    history = History(rows.get("rows", ()))
    history.step_losses = losses
    return history

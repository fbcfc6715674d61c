"""Compiled training: every optimizer and every schedule, fifty steps beside eager ones, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from compiling import batches, classifier, follow, training
from optim_rules import CASES

import minigrad as mg
from minigrad import nn, optim
from minigrad.optim import lr_scheduler as schedules
from minigrad.optim.swa_utils import SWALR

F = nn.functional
STEPS = 50


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "settings"), CASES, ids=[f"{kind.__name__}{n}" for n, (kind, _) in enumerate(CASES)])
def test_every_optimizer(kind: Any, settings: Any, dtype: str) -> None:
    def make() -> Any:
        model = classifier().to(getattr(mg, dtype))
        optimizer = kind(model.parameters(), **settings)
        return training(model, optimizer), [model, optimizer]

    fast = follow(make, batches(5, dtype=np.dtype(dtype)) * (STEPS // 5))
    assert fast.stats()["replayed"] == STEPS - 2


def by_closure(model: Any, optimizer: Any) -> Any:
    """A step whose forward and backward are a closure of the optimizer's."""

    def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
        def closure() -> mg.Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)  # type: ignore[no-any-return]

    return step


def test_an_optimizer_that_needs_values_is_refused() -> None:
    model = classifier()
    optimizer = optim.LBFGS(model.parameters())

    fast = mg.compile(by_closure(model, optimizer))
    arguments = batches(1)[0]()
    fast(*arguments)
    with pytest.raises(mg.errors.CompileError, match="looks at the values of a Tensor"):
        fast(*arguments)


def test_a_closure() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        return by_closure(model, optimizer), [model, optimizer]

    assert follow(make, batches(6)).stats()["replayed"] == 4


class Halving(optim.Optimizer):
    """An optimizer of one's own, with a step in Tensor operations."""

    def __init__(self, params: Any, lr: float):
        super().__init__(params, {"lr": lr})

    @mg.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(0.999).sub_(p.grad.sign() * group["lr"])


class Lion(optim.Optimizer):
    """An optimizer of one's own, whose update runs over flat arrays."""

    def __init__(self, params: Any, lr: float):
        super().__init__(params, {"lr": lr})

    def state_names(self, group: Any) -> Any:
        return ("momentum",)

    def update(self, group: Any, step: int, p: Any, g: Any, state: Any) -> None:
        m = state["momentum"]
        p -= group["lr"] * np.sign(0.9 * m + 0.1 * g).astype(p.dtype)
        m *= 0.99
        m += 0.01 * g


@pytest.mark.parametrize("kind", [Halving, Lion])
def test_optimizers_of_ones_own(kind: Any) -> None:
    def make() -> Any:
        model = classifier()
        optimizer = kind(model.parameters(), 0.01)
        return training(model, optimizer), [model, optimizer]

    assert follow(make, batches(8)).stats()["replayed"] == 6


def test_hooks_of_a_step_run_in_every_replay_of_what_they_compute() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        scaled = list(model.parameters())

        def hook(optimizer: Any, args: Any, kwargs: Any) -> None:
            with mg.no_grad():
                for p in scaled:
                    p.grad.mul_(0.5)

        optimizer.register_step_pre_hook(hook)
        return training(model, optimizer), [model, optimizer]

    assert follow(make, batches(6)).stats()["replayed"] == 4


SCHEDULES: dict[str, Any] = {
    "StepLR": lambda o: schedules.StepLR(o, 7, 0.5),
    "MultiStepLR": lambda o: schedules.MultiStepLR(o, [4, 20], 0.3),
    "ConstantLR": lambda o: schedules.ConstantLR(o, 0.5, 9),
    "LinearLR": lambda o: schedules.LinearLR(o, 0.1, 1.0, 20),
    "ExponentialLR": lambda o: schedules.ExponentialLR(o, 0.95),
    "PolynomialLR": lambda o: schedules.PolynomialLR(o, 40, 2.0),
    "CosineAnnealingLR": lambda o: schedules.CosineAnnealingLR(o, 30, 1e-4),
    "CosineAnnealingWarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 6, 2),
    "CyclicLR": lambda o: schedules.CyclicLR(o, 1e-3, 1e-1, 5, mode="triangular2"),
    "OneCycleLR": lambda o: schedules.OneCycleLR(o, 0.1, total_steps=STEPS + 1),
    "LambdaLR": lambda o: schedules.LambdaLR(o, lambda t: 1 / math.sqrt(t + 1)),
    "MultiplicativeLR": lambda o: schedules.MultiplicativeLR(o, lambda t: 0.97),
    "SequentialLR": lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(o, 0.1, 5), schedules.ExponentialLR(o, 0.9)], [5]),
    "ChainedScheduler": lambda o: schedules.ChainedScheduler([schedules.LinearLR(o, 0.1, 1.0, 5), schedules.ExponentialLR(o, 0.9)]),
    "SWALR": lambda o: SWALR(o, 0.05, 10),
}


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str, inside: bool) -> None:
    """Stepped inside of the compiled function, or outside."""

    def make() -> Any:
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedule = SCHEDULES[name](optimizer)
        step = training(model, optimizer)

        def both(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = step(x, y)
            schedule.step()
            return loss

        return (both if inside else step), [model, optimizer, schedule]

    def meanwhile(i: int, things: Any) -> None:
        if i and not inside:
            things[2].step()

    fast = follow(make, batches(5) * (STEPS // 5), meanwhile)
    assert fast.stats()["replayed"] == STEPS - 2


def test_a_schedule_that_looks_at_the_loss() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        schedule = schedules.ReduceLROnPlateau(optimizer, patience=1)
        step = training(model, optimizer)

        def both(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = step(x, y)
            schedule.step(loss)
            return loss

        return both, [model, optimizer]

    assert follow(make, batches(5) * 4).stats()["replayed"] == 18

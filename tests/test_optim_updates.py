"""Optimizers' `updates`: the kernels of a step, for whoever runs them; and the ways an optimizer of one's own is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optim_rules import CASES, gradient, start_values

import minigrad as mg
from minigrad import nn, optim
from minigrad.kernels import update


class Unread:
    """A state array whose values cannot be looked at."""

    def __init__(self, array: np.ndarray):
        self.fill = array.fill


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("kind", "settings"), CASES, ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in CASES])
def test_another_reader_runs_the_same_kernels(kind, settings, dtype):
    value = start_values(dtype)[0]
    p = nn.Parameter(value.copy())
    optimizer = kind([p], **settings)
    group = optimizer.param_groups[0]
    arrays = {"p": value.ravel(), "work": np.full(value.size, np.nan, dtype)}
    states = {name: np.zeros(value.size, dtype) for name in optimizer.state_names(group)}
    numbers_of = {name: np.zeros(1, np.float32) for name in optimizer.number_names}
    for step in range(1, 11):
        g = gradient(step, 0, value.shape).astype(dtype)
        p.grad = mg.tensor(g)
        optimizer.step()
        arrays["g"] = -g.ravel() if group["maximize"] else g.ravel()
        unread: Any = {name: Unread(array) for name, array in states.items()}
        for rule, names, numbers in optimizer.updates(group, step, {**unread, **numbers_of}):
            assert len(rule.arrays) == len(names)
            rule[value.dtype](*[{**arrays, **states}[name] for name in names], *numbers)
        assert value.tobytes() == p.array.tobytes()
        for name, array in {**states, **numbers_of}.items():
            assert array.tobytes() == optimizer.state[p][name].array.tobytes()


MOMENTS = (optim.Adam, optim.AdamW, optim.NAdam, optim.RAdam, optim.Adamax)
NUMBERS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {"weight_decay": 1}),
    (optim.SGD, {"momentum": 1, "dampening": 1, "weight_decay": 1}),
    (optim.SGD, {"momentum": 1, "nesterov": True}),
    (optim.ASGD, {"lambd": 1, "alpha": 1, "t0": 1, "weight_decay": 1}),
    *((kind, {"betas": (0.5, 0.5), "eps": 1, "weight_decay": 1}) for kind in MOMENTS),
    *((kind, {"betas": (0, 0), "eps": 1}) for kind in MOMENTS),
    (optim.Adam, {"amsgrad": True, "decoupled_weight_decay": True}),
    (optim.NAdam, {"momentum_decay": 1}),
    (optim.Adagrad, {"lr_decay": 1, "weight_decay": 1, "eps": 1}),
    (optim.RMSprop, {"alpha": 1, "eps": 1, "weight_decay": 1}),
    (optim.RMSprop, {"alpha": 1, "eps": 1, "momentum": 1, "centered": True}),
    (optim.Adadelta, {"rho": 1, "eps": 1, "weight_decay": 1}),
    (optim.Rprop, {"etas": (0.5, 2), "step_sizes": (0, 50)}),
]


@pytest.mark.parametrize("number", [int, np.float32, np.float64, np.int64], ids=lambda number: number.__name__)
@pytest.mark.parametrize(("kind", "settings"), NUMBERS, ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in NUMBERS])
def test_numbers_are_plain_floats_whatever_the_settings_are(kind, settings, number):
    def given(value: Any) -> Any:
        return tuple(map(given, value)) if isinstance(value, tuple) else number(value) if type(value) is int else value

    p = nn.Parameter(np.ones(2))
    optimizer = kind([p], lr=given(1), **{name: given(value) for name, value in settings.items()})
    group = optimizer.param_groups[0]
    for step in (1, 2, 9):
        state: Any = {name: np.zeros(2) for name in optimizer.state_names(group)}
        state |= {name: np.zeros(1, np.float32) for name in optimizer.number_names}
        for rule, names, numbers in optimizer.updates(group, step, state):
            assert [float] * len(numbers) == [type(n) for n in numbers]
            assert len(rule.text.parameters) == len(names) + len(numbers)


# ---- optimizers of one's own


def moved(optimizer: optim.Optimizer, p: nn.Parameter, times: int = 2) -> list[float]:
    for _ in range(times):
        p.grad = mg.tensor(np.array([2.0, -4.0]))
        optimizer.step()
    return p.tolist()


def test_an_optimizer_of_ones_own_says_its_kernels():
    class Scaled(optim.Optimizer):
        """Along g / (√g² + 1), by way of scratch, with momentum."""

        def __init__(self, params: Any, lr: float = 0.5):
            super().__init__(params, {"lr": lr})

        def state_names(self, group):
            return ("square", "speed")

        def updates(self, group, step, state):
            scale = (update.rmsprop, ("work", "square", "p", "g"), (0.0, 0.0, 1.0, 1.0))
            return [scale, (update.sgd_momentum, ("p", "speed", "work"), (group["lr"], 0.0, 0.5, 1.0, 0.0))]

    p = nn.Parameter(np.zeros(2))
    optimizer = Scaled([p])
    np.testing.assert_allclose(moved(optimizer, p), [-1.25 * 2 / 3, 1.25 * 4 / 5], rtol=1e-12)
    assert {"step", "square", "speed"} == set(optimizer.state_dict()["state"][0])
    assert [4.0, 16.0] == optimizer.state[p]["square"].tolist()


def test_an_update_of_ones_own_may_call_the_one_below():
    class Clipped(optim.SGD):
        def update(self, group, step, p, g, state):
            super().update(group, step, p, np.clip(g, -1, 1), state)
            state["momentum_buffer"] *= 0.0

    p = nn.Parameter(np.zeros(2))
    optimizer = Clipped([p], lr=0.5, momentum=0.9)
    assert [-1.0, 1.0] == moved(optimizer, p)
    assert [0.0, 0.0] == optimizer.state[p]["momentum_buffer"].tolist()


def test_an_optimizer_that_defines_nothing_says_so_at_its_step():
    p = nn.Parameter(np.zeros(2))
    with pytest.raises(NotImplementedError, match="Empty does not define updates"):
        moved(type("Empty", (optim.Optimizer,), {})([p], {}), p)

"""Schedules against the closed forms of their curves; what they share: state, resuming, changes from outside, warnings, errors."""

from __future__ import annotations

import gc
import math
import pickle
import weakref
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, InputTypeError, StateDictError
from minigrad.optim import lr_scheduler as schedules
from minigrad.optim.lr_scheduler import LRScheduler
from minigrad.optim.swa_utils import SWALR

BASE = (0.5, 0.03)


def optimizer(kind: Any = optim.SGD, **settings: Any) -> Any:
    """Two groups with learning rates of their own."""
    settings = settings or ({"momentum": 0.9} if kind is optim.SGD else {})
    return kind(
        [{"params": [nn.Parameter(np.ones(2))]}, {"params": [nn.Parameter(np.ones(1))], "lr": BASE[1]}], lr=BASE[0], **settings
    )


def rates(o: Any) -> list[float]:
    return [group["lr"] for group in o.param_groups]


def course(o: Any, schedule: Any, epochs: int) -> list[list[float]]:
    """The learning rates of so many epochs."""
    found = [rates(o)]
    for _ in range(epochs - 1):
        o.step()
        schedule.step()
        found.append(rates(o))
        assert found[-1] == schedule.get_last_lr()
    return found


def cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


def line(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


def one_cycle(t: int, total: int, top: float, up: float, between: Callable[..., float], three: bool = False) -> float:
    """From top / 25 up, down, and on down to a ten-thousandth of where it began."""
    start, end = top / 25, top / 25 / 1e4
    peak = up * total - 1
    if t <= peak:
        return between(start, top, t / peak)
    if three and t <= 2 * up * total - 2:
        return between(top, start, (t - peak) / (peak))
    if three:
        peak, top = 2 * up * total - 2, start
    return between(top, end, (t - peak) / (total - 1 - peak))


def triangle(t: int, low: float, high: float, up: int, down: int, scale: Callable[[int], float]) -> float:
    within = t % (up + down)
    height = within / up if within <= up else 1 - (within - up) / down
    return low + (high - low) * height * scale(t // (up + down))


def restarts(t: int, first: int, factor: int) -> float:
    """Which part of the present period is behind."""
    period = first
    while t >= period:
        t, period = t - period, period * factor
    return t / period


Curve = Callable[[int, float], float]
CURVES: list[tuple[str, Callable[[Any], LRScheduler], Curve]] = [
    ("StepLR", lambda o: schedules.StepLR(o, 4), lambda t, lr: lr * 0.1 ** (t // 4)),
    ("StepLR gamma", lambda o: schedules.StepLR(o, step_size=3, gamma=0.7), lambda t, lr: lr * 0.7 ** (t // 3)),
    (
        "MultiStepLR",
        lambda o: schedules.MultiStepLR(o, [3, 8, 8, 21], gamma=0.3),
        lambda t, lr: lr * 0.3 ** sum(t >= m for m in (3, 8, 8, 21)),
    ),
    ("ConstantLR", lambda o: schedules.ConstantLR(o), lambda t, lr: lr / 3 if t < 5 else lr),
    ("ConstantLR 0.7", lambda o: schedules.ConstantLR(o, 0.7, 9), lambda t, lr: lr * 0.7 if t < 9 else lr),
    ("LinearLR", lambda o: schedules.LinearLR(o), lambda t, lr: lr * line(1 / 3, 1, min(t, 5) / 5)),
    ("LinearLR down", lambda o: schedules.LinearLR(o, 0.8, 0.1, 11), lambda t, lr: lr * line(0.8, 0.1, min(t, 11) / 11)),
    ("ExponentialLR", lambda o: schedules.ExponentialLR(o, 0.9), lambda t, lr: lr * 0.9**t),
    ("PolynomialLR", lambda o: schedules.PolynomialLR(o), lambda t, lr: lr * (1 - min(t, 5) / 5)),
    ("PolynomialLR 2.5", lambda o: schedules.PolynomialLR(o, 13, 2.5), lambda t, lr: lr * (1 - min(t, 13) / 13) ** 2.5),
    ("CosineAnnealingLR", lambda o: schedules.CosineAnnealingLR(o, 6), lambda t, lr: cosine(lr, 0, t / 6)),
    ("CosineAnnealingLR to 0.01", lambda o: schedules.CosineAnnealingLR(o, 7, 0.01), lambda t, lr: cosine(lr, 0.01, t / 7)),
    ("CosineAnnealingLR of 1", lambda o: schedules.CosineAnnealingLR(o, 1, 0.01), lambda t, lr: cosine(lr, 0.01, t)),
    (
        "CosineAnnealingWarmRestarts",
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 6),
        lambda t, lr: cosine(lr, 0, restarts(t, 6, 1)),
    ),
    (
        "CosineAnnealingWarmRestarts twice as long",
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
        lambda t, lr: cosine(lr, 0.01, restarts(t, 3, 2)),
    ),
    ("LambdaLR", lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t, lr: lr / (1 + t)),
    (
        "LambdaLR by group",
        lambda o: schedules.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 0.9**t]),
        lambda t, lr: lr / (1 + t) if lr == BASE[0] else lr * 0.9**t,
    ),
    (
        "MultiplicativeLR",
        lambda o: schedules.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 3)),
        lambda t, lr: lr * math.prod(1 - 1 / (e + 3) for e in range(1, t + 1)),
    ),
    ("OneCycleLR", lambda o: schedules.OneCycleLR(o, 0.4, total_steps=40), lambda t, lr: one_cycle(t, 40, 0.4, 0.3, cosine)),
    (
        "OneCycleLR linear by group",
        lambda o: schedules.OneCycleLR(
            o, list(BASE), epochs=8, steps_per_epoch=5, pct_start=0.4, anneal_strategy="linear", cycle_momentum=False
        ),
        lambda t, lr: one_cycle(t, 40, lr, 0.4, line),
    ),
    (
        "OneCycleLR three phases",
        lambda o: schedules.OneCycleLR(o, 0.4, total_steps=40, three_phase=True),
        lambda t, lr: one_cycle(t, 40, 0.4, 0.3, cosine, three=True),
    ),
    ("CyclicLR", lambda o: schedules.CyclicLR(o, 0.01, 0.3, 5), lambda t, lr: triangle(t, 0.01, 0.3, 5, 5, lambda n: 1.0)),
    (
        "CyclicLR triangular2",
        lambda o: schedules.CyclicLR(o, [0.01, 0.02], 0.3, 5, 8, mode="triangular2"),
        lambda t, lr: triangle(t, 0.01 if lr == BASE[0] else 0.02, 0.3, 5, 8, lambda n: 0.5**n),
    ),
    (
        "CyclicLR exp_range",
        lambda o: schedules.CyclicLR(o, 0.01, 0.3, 6, mode="exp_range", gamma=0.97),
        lambda t, lr: triangle(t, 0.01, 0.3, 6, 6, lambda n: 0.97**t),
    ),
    (
        "CyclicLR of one's own",
        lambda o: schedules.CyclicLR(o, 0.01, 0.3, 6, scale_fn=lambda cycle: 1 / cycle, cycle_momentum=False),
        lambda t, lr: triangle(t, 0.01, 0.3, 6, 6, lambda n: 1 / (n + 1)),
    ),
    (
        "SequentialLR",
        lambda o: schedules.SequentialLR(
            o, [schedules.LinearLR(o), schedules.ExponentialLR(o, 0.9), schedules.StepLR(o, 3)], [5, 12]
        ),
        lambda t, lr: lr * line(1 / 3, 1, t / 5) if t < 5 else lr * 0.9 ** (t - 5) if t < 12 else lr * 0.1 ** ((t - 12) // 3),
    ),
    (
        "SequentialLR of a cosine",
        lambda o: schedules.SequentialLR(
            o,
            [schedules.ConstantLR(o, 0.1, 100), schedules.CosineAnnealingLR(o, 9), schedules.CosineAnnealingWarmRestarts(o, 4)],
            [3, 12],
        ),
        lambda t, lr: lr * 0.1 if t < 3 else cosine(lr, 0, (t - 3) / 9 if t < 12 else (t - 12) % 4 / 4),
    ),
    (
        "ChainedScheduler",
        lambda o: schedules.ChainedScheduler([schedules.LinearLR(o), schedules.ExponentialLR(o, 0.9)]),
        lambda t, lr: lr * line(1 / 3, 1, min(t, 5) / 5) * 0.9**t,
    ),
    ("SWALR", lambda o: SWALR(o, 0.05), lambda t, lr: cosine(lr, 0.05, min(t, 10) / 10)),
    (
        "SWALR linear by group",
        lambda o: SWALR(o, [0.05, 0.1], anneal_epochs=7, anneal_strategy="linear"),
        lambda t, lr: line(lr, 0.05 if lr == BASE[0] else 0.1, min(t, 7) / 7),
    ),
    ("SWALR at once", lambda o: SWALR(o, 0.05, anneal_epochs=0), lambda t, lr: 0.05),
]
curves = pytest.mark.parametrize(("make", "curve"), [row[1:] for row in CURVES], ids=[row[0] for row in CURVES])


# ---- curves


@curves
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam], ids=["SGD", "Adam"])
def test_the_learning_rates_follow_the_curve(make, curve, kind):
    o = optimizer(kind)
    found = course(o, make(o), 40)
    np.testing.assert_allclose(found, [[curve(t, lr) for lr in BASE] for t in range(40)], rtol=1e-12, atol=1e-15)


def test_every_schedule_is_here():
    names = {name.partition(" ")[0] for name, *_ in CURVES}
    assert {*schedules.__all__, "SWALR"} == names | {"LRScheduler", "ReduceLROnPlateau"}


@curves
def test_saved_and_restored_in_mid_run(make, curve):
    o = optimizer()
    schedule = make(o)
    course(o, schedule, 8)
    saved, groups = deepcopy(schedule.state_dict()), o.state_dict()
    course(o, schedule, 5)
    other = optimizer()
    copy = make(other)
    other.load_state_dict(groups)
    copy.load_state_dict(saved)
    found = course(other, copy, 30)
    np.testing.assert_allclose(found, [[curve(t, lr) for lr in BASE] for t in range(7, 37)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam], ids=["SGD", "Adam"])
def test_one_cycle_moves_momentum_against_the_rate(kind):
    o = optimizer(kind)
    schedule = schedules.OneCycleLR(o, 0.4, total_steps=40, base_momentum=[0.8, 0.7], max_momentum=0.95)
    for t in range(40):
        peak = 0.3 * 40 - 1
        for group, low in zip(o.param_groups, (0.8, 0.7), strict=True):
            expected = cosine(0.95, low, t / peak) if t <= peak else cosine(low, 0.95, (t - peak) / (39 - peak))
            assert expected == pytest.approx(group["betas"][0] if kind is optim.Adam else group["momentum"], rel=1e-13)
            assert kind is optim.SGD or group["betas"][1] == 0.999
        o.step()
        schedule.step()


def test_cyclic_moves_momentum_against_the_rate():
    o = optimizer()
    schedule = schedules.CyclicLR(o, 0.01, 0.3, 5, 8, mode="triangular2", base_momentum=0.7, max_momentum=[0.9, 0.95])
    for t in range(40):
        expected = [high - triangle(t, 0.0, high - 0.7, 5, 8, lambda n: 0.5**n) for high in (0.9, 0.95)]
        np.testing.assert_allclose([group["momentum"] for group in o.param_groups], expected, rtol=1e-13)
        o.step()
        schedule.step()


def test_warm_restarts_take_fractions_of_an_epoch():
    o = optimizer()
    schedule = schedules.CosineAnnealingWarmRestarts(o, 3, 2, 0.01)
    for epoch in (0.5, 1.75, 2.9, 3.0, 8.5, 9.0, 20.25):
        schedule.step(epoch)
        before = next(e for e in (9, 3, 0) if epoch >= e)
        part = (epoch - before) / {0: 3, 3: 6, 9: 12}[before]
        np.testing.assert_allclose(rates(o), [cosine(lr, 0.01, part) for lr in BASE], rtol=1e-12)
        assert math.floor(epoch) == schedule.last_epoch
    with pytest.raises(ArgumentError, match=r"CosineAnnealingWarmRestarts.step: epoch must be at least 0, got -1"):
        schedule.step(-1)


# ---- plateaus


def plateau(metrics: list[float], **settings: Any) -> list[float]:
    """The first group's rate after each metric."""
    o = optimizer()
    schedule = schedules.ReduceLROnPlateau(o, **settings)
    found = []
    for metric in metrics:
        o.step()
        schedule.step(metric)
        found.append(rates(o)[0])
        assert rates(o) == schedule.get_last_lr()
    return found


@pytest.mark.parametrize(
    ("metrics", "settings", "expected"),
    [
        ([1.0, 0.9, 0.9, 0.9, 0.9, 0.8], {"patience": 2}, [0.5, 0.5, 0.5, 0.5, 0.05, 0.05]),
        ([1.0, 1.0, 1.0, 1.0, 1.0], {"patience": 1, "factor": 0.5}, [0.5, 0.5, 0.25, 0.25, 0.125]),
        ([1.0, 1.1, 1.1, 1.2, 1.2], {"patience": 0, "mode": "max"}, [0.5, 0.5, 0.05, 0.05, 0.005]),
        ([1.0, 0.95, 0.85, 0.8], {"patience": 0, "threshold": 0.1}, [0.5, 0.05, 0.05, 0.005]),
        ([1.0, 0.95, 0.85, 0.8], {"patience": 0, "threshold": 0.1, "threshold_mode": "abs"}, [0.5, 0.05, 0.05, 0.005]),
        ([-1.0, -0.95, -0.85], {"patience": 0, "threshold": 0.1, "threshold_mode": "abs", "mode": "max"}, [0.5, 0.05, 0.05]),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], {"patience": 0, "cooldown": 2}, [0.5, 0.05, 0.05, 0.05, 0.005, 0.005]),
        ([1.0, 1.0, 1.0, 1.0], {"patience": 0, "min_lr": 0.02}, [0.5, 0.05, 0.02, 0.02]),
        ([1.0, 1.0, 1.0, 1.0], {"patience": 0, "min_lr": [0.01, 0.1], "eps": 0.1}, [0.5, 0.05, 0.05, 0.05]),
        ([1.0, math.nan, math.nan], {"patience": 1}, [0.5, 0.5, 0.05]),
    ],
)
def test_plateaus(metrics, settings, expected):
    np.testing.assert_allclose(plateau(metrics, **settings), expected, rtol=1e-12)


def test_a_plateau_takes_tensors_and_is_restored():
    o = optimizer()
    schedule = schedules.ReduceLROnPlateau(o, patience=1)
    for metric in (1.0, 1.0):
        o.step()
        schedule.step(mg.tensor(metric, requires_grad=True))
    assert (1.0, 1, 2) == (schedule.best, schedule.num_bad_epochs, schedule.last_epoch)
    copy = schedules.ReduceLROnPlateau(o, mode="max", patience=9)
    copy.load_state_dict(schedule.state_dict())
    copy.step(2.0)
    np.testing.assert_allclose(rates(o), [0.05, 0.003])


def test_groups_added_after_the_plateau_schedule():
    for min_lr, refused in ((0.0, False), ([0.0, 0.0], True)):
        o = optimizer()
        schedule = schedules.ReduceLROnPlateau(o, patience=0, min_lr=min_lr)
        o.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 0.2})
        schedule.step(1.0)
        if refused:
            with pytest.raises(ArgumentError, match="min_lrs has 2 values, but the optimizer has 3 parameter groups"):
                schedule.step(1.0)
        else:
            schedule.step(1.0)
            np.testing.assert_allclose(rates(o), [0.05, 0.003, 0.02])


# ---- what they share


def test_changes_from_outside_stay():
    for make in (
        lambda o: schedules.StepLR(o, 3),
        lambda o: schedules.ExponentialLR(o, 0.9),
        lambda o: schedules.CosineAnnealingLR(o, 20),
    ):
        plain, edited = optimizer(), optimizer()
        one, other = make(plain), make(edited)
        course(plain, one, 4)
        course(edited, other, 4)
        for group in edited.param_groups:
            group["lr"] *= 0.5
        assert np.allclose(np.array(course(plain, one, 10)) * 0.5, course(edited, other, 10), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "curve"),
    [
        (lambda o, last: schedules.StepLR(o, 4, last_epoch=last), lambda t, lr: lr * 0.1 ** (t // 4)),
        (lambda o, last: schedules.ExponentialLR(o, 0.9, last_epoch=last), lambda t, lr: lr * 0.9**t),
        (lambda o, last: schedules.CosineAnnealingLR(o, 7, 0.01, last_epoch=last), lambda t, lr: cosine(lr, 0.01, t / 7)),
        (lambda o, last: schedules.LambdaLR(o, lambda t: 1 / (1 + t), last_epoch=last), lambda t, lr: lr / (1 + t)),
        (lambda o, last: schedules.CosineAnnealingWarmRestarts(o, 20, last_epoch=last), lambda t, lr: cosine(lr, 0, t / 20)),
    ],
    ids=["StepLR", "ExponentialLR", "CosineAnnealingLR", "LambdaLR", "CosineAnnealingWarmRestarts"],
)
def test_resumed_after_an_epoch(make, curve):
    """The groups hold the rates of the epoch that `last_epoch` leads to, as a loaded optimizer does."""
    o = optimizer()
    for group, lr in zip(o.param_groups, BASE, strict=True):
        group["initial_lr"], group["lr"] = lr, curve(5, lr)
    np.testing.assert_allclose(course(o, make(o, 4), 10), [[curve(t, lr) for lr in BASE] for t in range(5, 15)], rtol=1e-12)


JUMPS = (
    "Step",
    "MultiStep",
    "Constant",
    "Linear",
    "Exponential",
    "Polynomial",
    "CosineAnnealingLR",
    "Lambda",
    "Cyclic",
    "OneCycle",
)
JUMPING = [row for row in CURVES if row[0].startswith(JUMPS)]


@pytest.mark.parametrize(("make", "curve"), [row[1:] for row in JUMPING], ids=[row[0] for row in JUMPING])
def test_a_jump_to_an_epoch_is_deprecated_and_lands_on_the_curve(make, curve):
    o = optimizer()
    schedule = make(o)
    o.step()
    for epoch in (3, 11, 0, 7):
        with pytest.warns(UserWarning, match=f"{schedule.name}.step: the argument epoch is deprecated") as caught:
            schedule.step(epoch)
        assert __file__ == caught[0].filename
        np.testing.assert_allclose(rates(o), [curve(epoch, lr) for lr in BASE], rtol=1e-12, atol=1e-15)


def test_a_schedule_that_runs_ahead_of_the_optimizer_warns_once():
    o = optimizer()
    schedule = schedules.StepLR(o, 3)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`") as caught:
        schedule.step()
    assert __file__ == caught[0].filename
    schedule.step()
    fresh = optimizer()
    fresh.step()
    schedules.StepLR(fresh, 3).step()


def test_get_lr_is_for_step():
    schedule = schedules.StepLR(optimizer(), 3)
    with pytest.warns(UserWarning, match=r"StepLR.get_lr: ask for the learning rates in force with `get_last_lr\(\)`"):
        schedule.get_lr()


def test_a_schedule_of_ones_own():
    class Halving(LRScheduler):
        def get_lr(self) -> list[float]:
            return [lr / 2**self.last_epoch for lr in self.base_lrs]

    o = optimizer()
    assert [[lr / 2**t for lr in BASE] for t in range(4)] == course(o, Halving(o), 4)
    with pytest.raises(NotImplementedError, match="LRScheduler does not define get_lr"):
        LRScheduler(optimizer())


class Decay:
    """A function that holds something."""

    def __init__(self, base: float):
        self.base = base

    def __call__(self, t: float) -> float:
        return self.base**t


def test_what_callable_objects_hold_is_saved():
    o = optimizer()
    schedule = schedules.LambdaLR(o, [Decay(0.5), lambda t: 1.0])
    state = pickle.loads(pickle.dumps(schedule.state_dict()))
    assert [{"base": 0.5}, None] == state["lr_lambdas"]
    other = schedules.LambdaLR(o, [Decay(0.1), lambda t: 1.0])
    other.load_state_dict(state)
    o.step()
    other.step()
    assert [0.25, 0.03] == rates(o)
    cyclic = schedules.CyclicLR(o, 0.1, 0.2, scale_fn=Decay(0.5))
    copy = schedules.CyclicLR(o, 0.1, 0.2, scale_fn=Decay(0.1))
    copy.load_state_dict(cyclic.state_dict())
    assert 0.25 == copy.scale_fn(2)


def test_a_schedule_makes_no_reference_cycle():
    gc.disable()
    try:
        o = optimizer()
        schedule = schedules.OneCycleLR(o, 0.1, total_steps=10)
        seen = weakref.ref(schedule), weakref.ref(o)
        del schedule, o
        assert [None, None] == [ref() for ref in seen]
    finally:
        gc.enable()


def test_a_schedule_beyond_its_end():
    o = optimizer()
    schedule = schedules.OneCycleLR(o, 0.1, total_steps=3)
    course(o, schedule, 4)
    with pytest.raises(ArgumentError, match=r"OneCycleLR.step: called 4 times, but the schedule has 3 steps"):
        schedule.step()


S = schedules
REFUSED: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no optimizer", lambda: S.StepLR([1], 3), InputTypeError, "StepLR: optimizer must be an Optimizer, got list"),
    (
        "no optimizer for OneCycleLR",
        lambda: S.OneCycleLR(None, 0.1, 3),
        InputTypeError,
        "OneCycleLR: optimizer must be an Optimizer",
    ),
    (
        "no optimizer for a plateau",
        lambda: S.ReduceLROnPlateau(3),
        InputTypeError,
        "ReduceLROnPlateau: optimizer must be an Optimizer",
    ),
    ("no initial_lr", lambda: S.StepLR(optimizer(), 3, last_epoch=2), KeyError, r"'initial_lr' is missing in param_groups\[0\]"),
    ("step_size", lambda: S.StepLR(optimizer(), 0), ArgumentError, "StepLR: step_size must be above 0, got 0"),
    ("gamma", lambda: S.ExponentialLR(optimizer(), "a"), InputTypeError, "ExponentialLR: gamma must be a number, got 'a'"),
    ("T_max", lambda: S.CosineAnnealingLR(optimizer(), 0), ArgumentError, "CosineAnnealingLR: T_max must be above 0, got 0"),
    ("factor", lambda: S.ConstantLR(optimizer(), 1.5), ArgumentError, r"ConstantLR: factor must be in \[0, 1\], got 1.5"),
    ("start_factor", lambda: S.LinearLR(optimizer(), 0), ArgumentError, r"LinearLR: start_factor must be in \(0, 1\], got 0"),
    ("end_factor", lambda: S.LinearLR(optimizer(), 1, 2), ArgumentError, r"LinearLR: end_factor must be in \[0, 1\], got 2"),
    ("T_0", lambda: S.CosineAnnealingWarmRestarts(optimizer(), 0), ArgumentError, "T_0 must be a positive int, got 0"),
    ("T_mult", lambda: S.CosineAnnealingWarmRestarts(optimizer(), 3, 1.5), ArgumentError, "T_mult must be a positive int, got 1.5"),
    (
        "eta_min",
        lambda: S.CosineAnnealingWarmRestarts(optimizer(), 3, 1, None),
        ArgumentError,
        "eta_min must be a number, got None",
    ),
    ("lambdas", lambda: S.LambdaLR(optimizer(), [len]), ArgumentError, "LambdaLR: lr_lambda has 1 values, but the optimizer has 2"),
    ("no function", lambda: S.MultiplicativeLR(optimizer(), 0.9), InputTypeError, "lr_lambda must be a function, got float"),
    (
        "no total",
        lambda: S.OneCycleLR(optimizer(), 0.1, epochs=3),
        ArgumentError,
        "give total_steps, or both epochs and steps_per_epoch",
    ),
    ("total_steps", lambda: S.OneCycleLR(optimizer(), 0.1, 0), ArgumentError, "total_steps must be a positive int, got 0"),
    ("epochs", lambda: S.OneCycleLR(optimizer(), 0.1, None, 1.5, 3), ArgumentError, "epochs must be a positive int, got 1.5"),
    (
        "pct_start",
        lambda: S.OneCycleLR(optimizer(), 0.1, 9, pct_start=2.0),
        ArgumentError,
        r"pct_start must be a float in \[0, 1\], got 2.0",
    ),
    (
        "anneal_strategy",
        lambda: S.OneCycleLR(optimizer(), 0.1, 9, anneal_strategy="cosine"),
        ArgumentError,
        "OneCycleLR: anneal_strategy must be 'cos' or 'linear', got 'cosine'",
    ),
    (
        "no momentum",
        lambda: S.OneCycleLR(optimizer(optim.Adagrad), 0.1, 9),
        ArgumentError,
        "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas, got Adagrad",
    ),
    (
        "max_lr",
        lambda: S.OneCycleLR(optimizer(), [0.1], 9),
        ArgumentError,
        "OneCycleLR: max_lr has 1 values, but the optimizer has 2",
    ),
    ("mode", lambda: S.CyclicLR(optimizer(), 0.1, 0.2, mode="square"), ArgumentError, "CyclicLR: mode must be one of 'triangular'"),
    ("plateau factor", lambda: S.ReduceLROnPlateau(optimizer(), factor=1.0), ArgumentError, "factor must be below 1, got 1.0"),
    ("plateau mode", lambda: S.ReduceLROnPlateau(optimizer(), "least"), ArgumentError, "mode must be 'min' or 'max', got 'least'"),
    (
        "threshold_mode",
        lambda: S.ReduceLROnPlateau(optimizer(), threshold_mode="x"),
        ArgumentError,
        "must be 'rel' or 'abs', got 'x'",
    ),
    ("min_lr", lambda: S.ReduceLROnPlateau(optimizer(), min_lr=[0.1]), ArgumentError, "ReduceLROnPlateau: min_lr has 1 values"),
    ("no schedules", lambda: S.SequentialLR(optimizer(), [], []), ArgumentError, "SequentialLR: expected at least one schedule"),
    (
        "milestones",
        lambda: S.SequentialLR(o := optimizer(), [S.StepLR(o, 3)], [3]),
        ArgumentError,
        "SequentialLR: 1 schedules need 0 milestones between them, got 1",
    ),
    (
        "a plateau in sequence",
        lambda: S.SequentialLR(o := optimizer(), [S.ReduceLROnPlateau(o)], []),
        ArgumentError,
        r"schedulers\[0\] is a ReduceLROnPlateau, whose step needs a metric",
    ),
    (
        "another optimizer",
        lambda: S.SequentialLR(optimizer(), [S.StepLR(optimizer(), 3)], []),
        ArgumentError,
        r"schedulers\[0\], a StepLR, belongs to another optimizer",
    ),
    (
        "two optimizers",
        lambda: S.ChainedScheduler([S.StepLR(optimizer(), 3), S.StepLR(optimizer(), 3)]),
        ArgumentError,
        r"ChainedScheduler: schedulers\[1\], a StepLR, belongs to another optimizer",
    ),
    (
        "no schedule",
        lambda: S.ChainedScheduler([3]),
        InputTypeError,
        r"ChainedScheduler: schedulers\[0\] must be a schedule, got int",
    ),
    (
        "state",
        lambda: S.StepLR(optimizer(), 3).load_state_dict([1]),
        StateDictError,
        "StepLR.load_state_dict: expected a dictionary",
    ),
    ("swa_lr", lambda: SWALR(optimizer(), [0.1]), ArgumentError, "SWALR: swa_lr has 1 values"),
    (
        "anneal_epochs",
        lambda: SWALR(optimizer(), 0.1, -1),
        ArgumentError,
        "SWALR: anneal_epochs must be an int, at least 0, got -1",
    ),
    (
        "SWALR strategy",
        lambda: SWALR(optimizer(), 0.1, 3, "x"),
        ArgumentError,
        "anneal_strategy must be 'cos' or 'linear', got 'x'",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()

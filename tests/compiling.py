"""What the tests of `mg.compile` share: the same program, run twice from the same start, eagerly and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import nn, optim

Array = np.ndarray[Any, Any]


def values(thing: Any) -> Any:
    """All values in nested results, modules, optimizers and Tensors, with their gradients."""
    if isinstance(thing, mg.Tensor):
        gradient = thing.grad
        return [thing.array.copy(), None if gradient is None else gradient.array.copy(), thing.requires_grad and thing.is_leaf]
    if isinstance(thing, nn.Module):
        return [values(dict(thing.named_parameters())), values(dict(thing.named_buffers()))]
    if isinstance(thing, (optim.Optimizer, optim.lr_scheduler.LRScheduler)):
        return values(thing.state_dict())
    if isinstance(thing, dict):
        return {key: values(part) for key, part in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [values(part) for part in thing]
    return thing


def assert_same(expected: Any, actual: Any, place: str = "result") -> None:
    """Equal bit for bit."""
    assert type(expected) is type(actual), f"{place}: {expected!r} and {actual!r}"
    if isinstance(expected, dict):
        assert list(expected) == list(actual), place
        for key, part in expected.items():
            assert_same(part, actual[key], f"{place}[{key!r}]")
    elif isinstance(expected, list):
        assert len(expected) == len(actual), place
        for i, (one, other) in enumerate(zip(expected, actual, strict=True)):
            assert_same(one, other, f"{place}[{i}]")
    elif isinstance(expected, np.ndarray):
        assert (expected.shape, expected.dtype) == (actual.shape, actual.dtype), place
        np.testing.assert_array_equal(actual, expected, err_msg=place)
    else:
        assert expected == actual, place


Made = tuple[Callable[..., Any], Sequence[Any]]


def follow(make: Callable[[], Made], calls: Iterable[Callable[[], tuple[Any, ...]]], meanwhile: Any = None, **settings: Any) -> Any:
    """Make a function and the things that it changes twice; run one eagerly and one compiled with the same arguments, and compare, after
    every call, results and things. `calls` make the arguments; `meanwhile(i, things)` changes things before call i. The compiled one."""
    sides = []
    for compiled in (False, True):
        mg.manual_seed(0)
        function, things = make()
        sides.append((mg.compile(function, **settings) if compiled else function, things, mg.Generator(7)))
    kept = []
    for i, arguments in enumerate(calls):
        found = []
        for function, things, generator in sides:
            if meanwhile is not None:
                meanwhile(i, things)
            mg.default_generator.set_state(generator.get_state())
            result = function(*arguments())
            generator.set_state(mg.default_generator.get_state())
            found.append([values(result), values(list(things))])
            kept.append((result, values(result)))
        assert_same(found[0], found[1], f"call {i}")
    for result, before in kept:  # what was returned is the caller's
        assert_same([part for part in before if not isinstance(part, bool)], [p for p in values(result) if not isinstance(p, bool)])
    return sides[1][0]


def batches(count: int = 6, rows: int = 8, features: int = 4, classes: int = 3, dtype: Any = np.float32) -> list[Any]:
    """Makers of batches with random inputs and labels."""
    random = np.random.default_rng(1)
    drawn = [(random.standard_normal((rows, features)).astype(dtype), random.integers(0, classes, rows)) for _ in range(count)]
    return [lambda x=x, y=y: (mg.tensor(x), mg.tensor(y)) for x, y in drawn]


def classifier(*extra: nn.Module, features: int = 4, width: int = 5, classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, width), *extra, nn.ReLU(), nn.Linear(width, classes))


def training(model: nn.Module, optimizer: optim.Optimizer, loss: Any = nn.functional.cross_entropy) -> Callable[..., mg.Tensor]:
    """A training step as most programs have it."""

    def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value  # type: ignore[no-any-return]

    return step


def replays(function: Any) -> int:
    """How many calls of a compiled function were replayed."""
    return int(function.stats()["replayed"])

"""mg.compile: what a function, and all that it calls, takes from outside by name is looked at before each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiling import replays

import minigrad as mg
from minigrad import nn
from minigrad.errors import CompileError

scale = 1.0
config = SimpleNamespace(scale=1.0)
settings = ModuleType("settings")


class Space:
    scale = 1.0


class Below(Space):
    pass


class Defaulted:
    scale = 1.0


class Slotted:
    __slots__ = ("scale",)


defaulted, slotted = Defaulted(), Slotted()


@pytest.fixture(autouse=True)
def _ones() -> None:
    _set(1.0)


def _set(value: float) -> None:
    """All numbers from outside."""
    global scale
    scale = config.scale = settings.scale = Space.scale = slotted.scale = value  # type: ignore[attr-defined]
    vars(defaulted).clear()
    if value != Defaulted.scale:
        defaulted.scale = value


class Global(nn.Module):
    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * scale  # type: ignore[no-any-return]


class Inherited(Global):
    pass


class Super(Global):
    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return super().forward(x)


class Helping(nn.Module):
    def helper(self, x: mg.Tensor) -> mg.Tensor:
        return x * scale  # type: ignore[no-any-return]

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.helper(x)


class Static(nn.Module):
    @staticmethod
    def helper(x: mg.Tensor) -> mg.Tensor:
        return x * scale  # type: ignore[no-any-return]

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.helper(x)


class Property(nn.Module):
    @property
    def scale(self) -> float:
        return scale

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * self.scale  # type: ignore[no-any-return]


class Configured(nn.Module):
    def __init__(self) -> None:
        self.config = config

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * self.config.scale  # type: ignore[no-any-return]


class OfPython(nn.Module):
    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * settings.scale  # type: ignore[no-any-return]


class OfItsClass(nn.Module, Below):
    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * self.scale  # type: ignore[no-any-return]


class InItself(nn.Module):
    """Holds its own method, and a list of modules that are none of its members."""

    def __init__(self) -> None:
        self.all = [Global()]
        self.chosen = self.one

    def one(self, x: mg.Tensor) -> mg.Tensor:
        return self.all[0](x)  # type: ignore[no-any-return]

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.chosen(x)


def hooked() -> nn.Module:
    module = nn.Identity()
    module.register_forward_hook(lambda module, args, output: output * scale)
    return module


MODULES = [Global, Inherited, Super, Helping, Static, Property, Configured, OfPython, OfItsClass, InItself, hooked]


def follows(function: Callable[[mg.Tensor], mg.Tensor]) -> bool:
    """Whether the compiled function does what the function does when numbers change, with programs of its own."""
    fast, x, found = mg.compile(function), mg.ones(1), []
    with mg.no_grad():
        for value in (1.0, 3.0, 1.0):
            _set(value)
            found += [fast(x).item() for _ in range(4)]
    return found == 4 * [1.0] + 4 * [3.0] + 4 * [1.0] and replays(fast) == 2 + 2 + 4 and fast.stats()["programs"] == 2


@pytest.mark.parametrize("make", MODULES)
def test_what_modules_take_from_outside_is_looked_at(make: Callable[[], nn.Module]) -> None:
    module = make()
    assert follows(lambda x: module(x))
    assert follows(lambda x, module=module: module(x))


@pytest.mark.parametrize("make", MODULES)
def test_so_it_is_where_the_module_is_compiled_itself_or_called_by_others(make: Callable[[], nn.Module]) -> None:
    assert follows(make())
    assert make is hooked or follows(make().forward)
    assert follows(nn.Sequential(nn.Identity(), make()))
    assert follows(mg.compile(make()))


class Caller:
    def __init__(self) -> None:
        self.scale = 1.0
        self.other = config

    def __call__(self, x: mg.Tensor) -> mg.Tensor:
        return self.scaled(x)

    def scaled(self, x: mg.Tensor) -> mg.Tensor:
        return x * self.other.scale  # type: ignore[no-any-return]


def of_object(x: mg.Tensor, thing: Any) -> mg.Tensor:
    return x * thing.scale  # type: ignore[no-any-return]


def before_its_helper(x: mg.Tensor) -> mg.Tensor:
    thing = config  # found before `of_object`, which alone takes an attribute of it
    return of_object(x, thing)


caller = Caller()
compiled = mg.compile(lambda x: x * scale)
part = partial(of_object, thing=config)


@pytest.mark.parametrize(
    "function",
    [
        caller,
        caller.scaled,
        part,
        compiled,
        before_its_helper,
        lambda x: caller(x),
        lambda x: caller.scaled(x),
        lambda x: part(x),
        lambda x: compiled(x),
        lambda x: x * Below.scale,
        lambda x: x * defaulted.scale,
        lambda x: x * slotted.scale,
        lambda x, thing=config: x * thing.scale,
    ],
)
def test_objects_that_are_called_are_looked_at(function: Any) -> None:
    assert follows(function)


def test_functions_of_one_text_are_told_apart() -> None:
    def made() -> tuple[Any, Any]:
        number = 1.0

        def change(value: float) -> None:
            nonlocal number
            number = value

        return lambda x: x * number, change

    (first, _), (second, change) = made(), made()
    fast = mg.compile(lambda x: first(x) + second(x))
    for value in (1.0, 5.0):
        change(value)
        assert [1 + value] * 4 == [fast(mg.ones(1)).item() for _ in range(4)]


def test_ever_new_numbers_of_a_module_record_no_programs() -> None:
    module = Global()
    fast = mg.compile(lambda x: module(x))
    for value in range(20):
        _set(float(value))
        assert value == fast(mg.ones(1)).item()
    assert (20, 0) == (fast.stats()["eager"], fast.stats()["programs"])


def test_the_library_s_own_layers_cost_no_checks() -> None:
    class Users(nn.Module):
        def __init__(self) -> None:
            self.first, self.second = nn.Linear(2, 3), nn.LayerNorm(3)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return nn.functional.relu(self.second(self.first(x)))  # type: ignore[no-any-return]

    counts = []
    for model in (nn.Identity(), nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.LayerNorm(3)), Users()):
        fast = mg.compile(mg.no_grad()(lambda x, model=model: model(x)))
        for _ in range(3):
            fast(mg.ones(1, 2))
        counts.append(len(fast._replays[0].signature.checks))
    assert counts[:1] * 3 == counts


def test_a_module_s_attributes_are_not_taken_for_the_compiled_function_s() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            self.verify, self.fuse, self.function = nn.Linear(2, 2), "no", 3

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.verify(x)  # type: ignore[no-any-return]

    model = Named()
    fast, x = mg.compile(model), mg.ones(1, 2)
    with mg.no_grad():
        for _ in range(3):
            np.testing.assert_array_equal(model(x).array, fast(x).array)
    assert 1 == replays(fast)
    model.eval()
    assert fast.training is False


def test_plain_values_from_outside_are_looked_at() -> None:
    scale = 2.0

    def function(x: mg.Tensor) -> mg.Tensor:
        return x * scale  # type: ignore[no-any-return]

    fast = mg.compile(function)
    for value in (2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 2.0):
        scale = value
        assert fast(mg.tensor([1.0])).item() == value
    assert fast.stats()["programs"] == 2


def test_other_tensors_under_a_name() -> None:
    weight = mg.tensor([2.0])

    def function(x: mg.Tensor) -> mg.Tensor:
        return x * weight  # type: ignore[no-any-return]

    fast = mg.compile(function)
    found = []
    for value in (2.0, 2.0, 3.0, 3.0, 3.0, 4.0):
        if value != weight.item():
            weight = mg.tensor([value])
        found.append(fast(mg.tensor([1.0])).item())
    assert found == [2, 2, 3, 3, 3, 4]


def test_what_helpers_objects_and_lists_hold_is_looked_at() -> None:
    settings = {"scale": 2.0}
    weights = [mg.tensor([1.0])]

    class Holder:
        shift = 0.0

    holder = Holder()
    holder.shift = 1.0

    def helper(x: mg.Tensor) -> mg.Tensor:
        return x * settings["scale"]  # type: ignore[no-any-return]

    def function(x: mg.Tensor) -> mg.Tensor:
        return helper(x) * weights[0] + holder.shift

    fast = mg.compile(function)
    for change in (None, None, None, "scale", "shift", "weight", "sign"):
        if change == "scale":
            settings["scale"] = 3.0
        if change == "shift":
            holder.shift = 5.0
        if change == "weight":
            weights[0] = mg.tensor([10.0])
        if change == "sign":
            settings["scale"], holder.shift = -0.0, -0.0
        for _ in range(3):
            x = mg.tensor([1.0])
            np.testing.assert_array_equal(np.signbit(function(x).array), np.signbit(fast(x).array))
            assert fast(x).item() == function(x).item()


def test_a_function_that_changes_a_list_runs_as_it_is() -> None:
    seen: list[Any] = []
    counts = {"calls": 0}

    def appends(x: mg.Tensor) -> mg.Tensor:
        seen.append(x.shape)
        return x * 2  # type: ignore[no-any-return]

    def counting(x: mg.Tensor) -> mg.Tensor:
        counts["calls"] += 1
        return x * counts["calls"]  # type: ignore[no-any-return]

    first, second = mg.compile(appends), mg.compile(counting)
    x = mg.ones(1)
    with pytest.warns(UserWarning, match="appends runs as it is, as it changes seen, a list or dictionary from outside"):
        assert [2] * 150 == [first(x).item() for _ in range(150)]
    with pytest.warns(UserWarning, match="counting runs as it is, as it changes counts, a list or dictionary from outside"):
        assert [*range(1, 151)] == [second(x).item() for _ in range(150)]
    assert len(seen) == counts["calls"] == 150
    with pytest.raises(
        CompileError, match="it runs as it is, as it changes seen, a list or dictionary from outside, and a replay would not"
    ):
        first.program()

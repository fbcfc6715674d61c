"""mg.compile: things from outside of every kind: what has no attributes of its own, turns into something else, or holds itself."""

from __future__ import annotations

import sys
import weakref
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from functools import partial, wraps
from sysconfig import get_path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import MagicMock

import numpy as np
import pytest
from compiling import replays

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

held: Any = None
place = ModuleType("place")


def sees(function: Callable[[mg.Tensor], mg.Tensor], change: Callable[[], Any]) -> None:
    """The compiled function replays, and does what the function does after the change as well."""
    fast, x = mg.compile(function), mg.tensor([1.0])
    with mg.no_grad():
        first = function(x).item()
        assert [first] * 4 == [fast(x).item() for _ in range(4)]
        assert 2 == replays(fast)
        change()
        then = function(x).item()
        assert first != then
        assert [then] * 4 == [fast(x).item() for _ in range(4)]
        assert 4 == replays(fast)


class MakesUp:
    def __dir__(self) -> list[str]:
        return ["scale", "other"]

    def __getattr__(self, name: str) -> float:
        if name == "scale":
            return 2.0
        raise AttributeError(name)


def test_attributes_that_an_object_makes_up_are_no_error() -> None:
    holder = Hook()
    for thing in (MakesUp(), MagicMock(scale=2.0), weakref.proxy(holder)):
        fast = mg.compile(lambda x, thing=thing: x * thing.scale)
        assert [2.0] * 4 == [fast(mg.tensor([1.0])).item() for _ in range(4)]
        assert 2 == replays(fast)


def nothing_else() -> None:
    global held
    held = None


def a_list() -> None:
    global held
    held = [9.0]


@pytest.mark.parametrize("change", [nothing_else, a_list])
def test_a_dictionary_may_become_something_else(change: Callable[[], None]) -> None:
    global held
    held = {0: 2.0}
    sees(lambda x: x * (held[0] if held else 5.0), change)


def test_an_attribute_may_go() -> None:
    holder = SimpleNamespace(scale=2.0)

    def function(x: mg.Tensor) -> mg.Tensor:
        try:
            return x * holder.scale  # type: ignore[no-any-return]
        except AttributeError:
            return x

    sees(function, lambda: delattr(holder, "scale"))


def test_a_name_in_a_module_of_python_may_go() -> None:
    place.scale = 2.0  # type: ignore[attr-defined]

    def function(x: mg.Tensor) -> mg.Tensor:
        return x * (place.scale if hasattr(place, "scale") else 5.0)

    sees(function, lambda: delattr(place, "scale"))


@pytest.mark.parametrize(
    "value", [np.datetime64("NaT"), np.timedelta64("NaT"), float("nan"), complex("nan"), np.complex64("nan"), np.float32("nan")]
)
def test_what_does_not_equal_itself_is_recorded_once(value: Any) -> None:
    fast = mg.compile(lambda x: (value, x * 2)[1])
    for _ in range(5):
        fast(mg.ones(1))
    assert (1, 3) == (fast.stats()["recorded"], replays(fast))


def test_signs_of_zeros_in_complex_numbers_are_told_apart() -> None:
    number = complex(1.0, 0.0)

    def change() -> None:
        nonlocal number
        number = complex(1.0, -0.0)

    sees(lambda x: x * float(np.copysign(2.0, number.imag)), change)


class Hook:
    scale = 2.0

    def __call__(self, module: nn.Module, input: Any, output: mg.Tensor) -> mg.Tensor:
        return output * self.scale  # type: ignore[no-any-return]


def of_settings(settings: dict[str, float], module: nn.Module, input: Any, output: mg.Tensor) -> mg.Tensor:
    return output * settings["scale"]  # type: ignore[no-any-return]


def test_hooks_may_be_objects_and_partial_functions() -> None:
    hook, settings = Hook(), {"scale": 2.0}
    for function, change in (
        (hook, lambda: setattr(hook, "scale", 5.0)),
        (partial(of_settings, settings), lambda: settings.update(scale=5.0)),
    ):
        module = nn.Identity()
        module.register_forward_hook(function)
        sees(module, change)


def test_a_function_that_says_it_is_the_library_s_is_the_user_s() -> None:
    settings = {"scale": 2.0}

    @wraps(F.softmax)
    def softmax(x: mg.Tensor) -> mg.Tensor:
        return x * settings["scale"]  # type: ignore[no-any-return]

    sees(lambda x: softmax(x), lambda: settings.update(scale=5.0))


def test_a_function_in_a_wrapper_of_the_library_s_is_looked_at() -> None:
    settings = {"scale": 2.0}

    @mg.no_grad()
    def scaled(x: mg.Tensor) -> mg.Tensor:
        return x * settings["scale"]  # type: ignore[no-any-return]

    sees(lambda x: scaled(x), lambda: settings.update(scale=5.0))


def installed(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of Python as if it lay where packages are installed."""
    module = ModuleType(name)
    module.__file__ = f"{get_path('purelib')}/{name}.py"
    monkeypatch.setitem(sys.modules, name, module)
    exec(text, vars(module))
    return module


LAYERS = """
from minigrad import nn

options = {"scale": 2.0}

class Scaled(nn.Module):
    def forward(self, x):
        return scaled(x)

def scaled(x):
    return x * options["scale"]
"""
OTHERS = """
from functools import wraps

options = {"scale": 2.0}

def decorated(function):
    @wraps(function)
    def wrapper(*args):
        options["calls"] = options.get("calls", 0) + 1
        return function(*args)
    return wrapper

def figure():
    options["calls"] = options.get("calls", 0) + 1
"""


def test_an_installed_package_of_layers_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = installed("layers_of_others", LAYERS, monkeypatch)
    sees(layers.Scaled(), lambda: layers.options.update(scale=5.0))


def test_one_that_has_nothing_of_minigrad_is_not_but_its_decorators_are(monkeypatch: pytest.MonkeyPatch) -> None:
    others, settings = installed("tools_of_others", OTHERS, monkeypatch), {"scale": 2.0}

    def function(x: mg.Tensor) -> mg.Tensor:
        others.figure()
        return x * settings["scale"]  # type: ignore[no-any-return]

    sees(function, lambda: settings.update(scale=5.0))
    fast = mg.compile(others.decorated(lambda x: x * settings["scale"]))
    settings["scale"] = 2.0
    assert 2 == fast(mg.ones(1)).item()
    settings["scale"] = 5.0
    assert [5.0] * 3 == [fast(mg.ones(1)).item() for _ in range(3)]


class OfItsClass(nn.Module):
    options: ClassVar = {"scale": 2.0}
    numbers: ClassVar = [2.0]
    hook = Hook()

    class Settings:
        scale = 2.0

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x * self.options["scale"] * self.numbers[0] * self.hook.scale * self.Settings.scale  # type: ignore[no-any-return]


CHANGES = [
    lambda: OfItsClass.options.update(scale=5.0),
    lambda: OfItsClass.numbers.append(OfItsClass.numbers.pop() + 1),
    lambda: setattr(OfItsClass.hook, "scale", 5.0),
    lambda: setattr(OfItsClass, "hook", Hook()) or setattr(OfItsClass.hook, "scale", 7.0),
    lambda: setattr(OfItsClass.Settings, "scale", 5.0),
]


@pytest.mark.parametrize("change", CHANGES)
def test_lists_dictionaries_and_objects_of_classes_are_looked_at(change: Callable[[], Any]) -> None:
    OfItsClass.options["scale"], OfItsClass.numbers[0], OfItsClass.hook.scale, OfItsClass.Settings.scale = 2.0, 2.0, 2.0, 2.0
    sees(OfItsClass(), change)


def test_and_so_are_those_of_python_s_modules() -> None:
    inner, layer = ModuleType("inner"), nn.Linear(1, 1, bias=False)
    vars(inner).update(scale=2.0)
    vars(place).update(config=SimpleNamespace(scale=2.0), numbers={"k": 2.0}, inner=inner, layer=layer)
    nn.init.ones_(layer.weight)

    def function(x: mg.Tensor) -> mg.Tensor:
        return place.layer(x) * place.config.scale * place.numbers["k"] * place.inner.scale  # type: ignore[no-any-return]

    sees(function, lambda: setattr(place.config, "scale", 5.0))
    sees(function, lambda: place.numbers.update(k=5.0))
    sees(function, lambda: setattr(inner, "scale", 5.0))
    other = nn.Linear(1, 1, bias=False)
    nn.init.constant_(other.weight, 3.0)
    sees(function, lambda: setattr(place, "layer", other))


class Attributes(dict[str, Any]):
    shift = 0.0

    def __getattr__(self, name: str) -> Any:
        return self[name]


@pytest.mark.parametrize("kind", [OrderedDict, lambda **items: defaultdict(float, items), Attributes])
def test_dictionaries_of_other_classes_are_looked_at(kind: Callable[..., dict[str, Any]]) -> None:
    settings = kind(scale=2.0)
    sees(lambda x: x * settings["scale"], lambda: settings.update(scale=5.0))
    sees(lambda x: x * settings["scale"] * len(settings), lambda: settings.update(other=1.0))


def test_dictionaries_with_attributes_are_objects_too() -> None:
    settings = Attributes(scale=2.0)
    sees(lambda x: x * settings.scale, lambda: settings.update(scale=5.0))
    sees(lambda x: x + settings.shift, lambda: setattr(settings, "shift", 5.0))


def test_tuples_with_names_are_tuples() -> None:
    Pair = namedtuple("Pair", "scale shift")
    pair = Pair([2.0], 1.0)
    sees(lambda x: x * pair.scale[0] + pair.shift, lambda: pair.scale.append(pair.scale.pop() + 1))


def test_lists_and_dictionaries_may_hold_themselves() -> None:
    tree: dict[str, Any] = {"scale": 2.0, "children": []}
    tree["children"].append({"parent": tree})
    sees(lambda x: x * tree["scale"], lambda: tree.update(scale=5.0))
    ring: list[Any] = [2.0]
    ring.append(ring)
    sees(lambda x: x * ring[0], lambda: ring.__setitem__(0, 5.0))

"""Loading the state of modules: what fits is put in, what does not is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core import Tensor, no_grad
from ..errors import InputTypeError, StateDictError

if TYPE_CHECKING:
    from .module import Module

__all__ = ["IncompatibleKeys", "load"]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` could not place."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not (self.missing_keys or self.unexpected_keys):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    def problems(self, strict: bool) -> list[str]:
        """In words, if names must match."""
        named = {"missing keys": self.missing_keys, "unexpected keys": self.unexpected_keys}
        return [f"{what}: {', '.join(names)}" for what, names in named.items() if names and strict]


Held = Mapping[str, tuple["Module", str, Tensor]]
"""What is saved, by dotted name: the module that holds it, under which name, and the tensor."""


def load(model: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Put a state_dict into a module and those below it, between the hooks that want to see it."""
    name = f"{type(model).__name__}.load_state_dict"
    if not isinstance(state_dict, Mapping):
        raise InputTypeError(f"{name}: expected a dictionary, got {type(state_dict).__name__}")
    modules = dict(model.named_modules(remove_duplicate=False))
    values, problems, found = dict(state_dict), list[str](), IncompatibleKeys([], [])
    for path, module in modules.items():
        for hook in module._hooks_of("load_pre"):
            hook.function(module, values, f"{path}." if path else "", {}, strict, *found, problems)
    own = {
        f"{path}.{key}" if path else key: (module, key, tensor)
        for path, module in modules.items()
        for key, tensor in module._own_state()
    }
    found.missing_keys.extend(key for key in own if key not in values)
    found.unexpected_keys.extend(key for key in values if key not in own)
    after = [(module, hook) for module in reversed(modules.values()) for hook in module._hooks_of("load")]
    problems += ([] if after else found.problems(strict)) + _misfits(own, values)
    if not problems:
        for key, (module, attribute, tensor) in own.items():
            if key in values:
                _put(module, attribute, tensor, values[key], assign)
        for module, hook in after:  # they may forgive what did not match
            hook.function(module, found)
        problems = found.problems(strict)
    if problems:
        raise StateDictError(f"{name}: " + "; ".join(problems))
    return found


def _misfits(own: Held, values: Mapping[str, Any]) -> list[str]:
    """Which values are not of the shape of what they are loaded into."""
    problems = []
    for key, value in values.items():
        if key in own:
            module, attribute, tensor = own[key]
            given = np.shape(value)
            expected = module._loadable(attribute, tensor, given)
            if expected != given:
                problems.append(f"{key}: expected shape {expected}, got {given}")
    return problems


def _put(module: Module, attribute: str, tensor: Tensor, value: Any, assign: bool) -> None:
    """Copy a value into a tensor, or put it in its place."""
    module._make_room(attribute, np.shape(value))
    if not assign:
        with no_grad():
            tensor.copy_(value)
        return
    kind: Any = type(tensor)
    given = value if isinstance(value, Tensor) else Tensor(np.asarray(value))
    setattr(module, attribute, (given if isinstance(given, kind) else kind(given)).requires_grad_(tensor.requires_grad))

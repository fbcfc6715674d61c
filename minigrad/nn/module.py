"""Module: parameters, buffers and submodules under names, and what is done to all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from ..core import Handle, Tensor, checked_dtype, no_grad, stamp_of
from ..core.tensor import tick, touch
from ..errors import InputTypeError, StateDictError

__all__ = ["Module", "Parameter"]


class Parameter(Tensor):
    """A Tensor that a Module counts among its parameters; it requires grad unless told otherwise."""

    __slots__ = ()

    def __init__(self, data: Tensor | np.ndarray[Any, Any], requires_grad: bool = True):
        if not isinstance(data, (Tensor, np.ndarray)):
            raise InputTypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}")
        super().__init__(data.array if isinstance(data, Tensor) else data, requires_grad)
        if isinstance(data, Tensor):
            self.stamp = stamp_of(data)  # the memory is shared, and so is the note of writes to it

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` could not place."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of networks and layers: assign Parameters and Modules to attributes in `__init__`, define `forward`.

    Attributes that hold a Parameter or a Module are found by looking, in the order of assignment; `register_buffer` adds tensors that
    are saved but not trained.
    """

    training = True
    _buffer_names: tuple[str, ...] = ()
    _transient: tuple[str, ...] = ()
    _hooks: Mapping[int, tuple[bool, Callable[..., Any]]] = {}  # whether to run before forward, and the hook

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. To be defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter) and isinstance(vars(self).get(name), Parameter):
            raise InputTypeError(
                f"{type(self).__name__}: {name} is a Parameter and a Tensor in its place would not be trained; assign a Parameter, or "
                f"write its values: {name}.data = …"
            )
        super().__setattr__(name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call_with_hooks(args, kwargs) if self._hooks else self.forward(*args, **kwargs)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in [hook for before, hook in self._hooks.values() if before]:
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*args, **kwargs)
        for hook in [hook for before, hook in self._hooks.values() if not before]:
            changed = hook(self, args, output)
            output = output if changed is None else changed
        return output

    # ---- what it holds

    def _members(self, kind: type) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in list(vars(self).items()) if isinstance(value, kind))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The submodules assigned to this module itself, each once, with their names."""
        seen: set[int] = set()
        for name, child in self._members(Module):
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "", memo: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name, memo)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names; one that is shared comes once."""
        seen: set[int] = set()
        for module_name, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, parameter in module._members(Parameter):
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{module_name}.{name}" if module_name else name, parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not trained; one that is not persistent is not saved."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise InputTypeError(f"register_buffer: {name} must be a Tensor or None, got {type(tensor).__name__}")
        setattr(self, name, tensor)
        self._buffer_names = (*(known for known in self._buffer_names if known != name), name)
        self._transient = (*(known for known in self._transient if known != name), *(() if persistent else (name,)))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names; one that is shared comes once."""
        seen: set[int] = set()
        for module_name, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in module._buffer_names:
                buffer = getattr(module, name)
                if buffer is not None and id(buffer) not in seen:
                    seen.add(id(buffer))
                    yield f"{module_name}.{name}" if module_name else name, buffer

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    # ---- what is done to all

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training (dropout draws), or with False to evaluation."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients (or set them to zero)."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = Tensor(np.zeros_like(parameter.grad.array))

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, dtype: Any) -> Self:
        """Convert parameters and floating-point buffers to another float dtype, in place. The one device, "cpu", changes nothing."""
        if isinstance(dtype, str) and dtype == "cpu":
            return self
        kind = checked_dtype("Module.to", dtype)
        if kind.kind != "f":
            raise InputTypeError(f"Module.to: expected a floating-point dtype, got {kind}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.kind == "f" and tensor.dtype != kind:
                touch(tensor)
                tensor.array = tensor.array.astype(kind)
                tensor.stamp = None
                if tensor.grad is not None:
                    tensor.grad = Tensor(tensor.grad.array.astype(kind))
        return self

    def float(self) -> Self:
        return self.to(np.float32)

    def double(self) -> Self:
        return self.to(np.float64)

    # ---- state

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._members(Parameter)
        for name in self._buffer_names:
            if name not in self._transient and getattr(self, name) is not None:
                yield name, getattr(self, name)

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self._own_state():
            yield prefix + name, tensor
        for name, child in self._members(Module):
            yield from child._state(f"{prefix}{name}.")

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name; the tensors share the module's memory."""
        return {name: tensor.detach() for name, tensor in self._state()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into parameters and buffers. Returns the names that did not match.

        Errors: StateDictError, before anything is changed, if shapes differ or, when strict, names are missing or unexpected.
        """
        if not isinstance(state_dict, Mapping):
            raise InputTypeError(f"{type(self).__name__}.load_state_dict: expected a dictionary, got {type(state_dict).__name__}")
        own = dict(self._state())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = []
        if strict and missing:
            problems.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected keys: {', '.join(unexpected)}")
        shapes = {name: np.shape(value) for name, value in state_dict.items() if name in own}
        problems += [f"{name}: expected shape {own[name].shape}, got {s}" for name, s in shapes.items() if s != own[name].shape]
        if problems:
            raise StateDictError(f"{type(self).__name__}.load_state_dict: " + "; ".join(problems))
        with no_grad():
            for name, tensor in own.items():
                if name in state_dict:
                    tensor.copy_(state_dict[name])
        return IncompatibleKeys(missing, unexpected)

    # ---- hooks

    def _add_hook(self, before: bool, hook: Callable[..., Any]) -> Handle:
        hooks = vars(self).setdefault("_hooks", {})
        key = tick()
        hooks[key] = before, hook
        return Handle(lambda: hooks.pop(key, None) and None)

    def register_forward_hook(self, hook: Callable[[Any, Any, Any], Any]) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns, if not None, takes the output's place."""
        return self._add_hook(False, hook)

    def register_forward_pre_hook(self, hook: Callable[[Any, Any], Any]) -> Handle:
        """Call `hook(module, args)` before forward; what it returns, if not None, takes the arguments' place."""
        return self._add_hook(True, hook)

    # ---- showing itself

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr."""
        return ""

    def _lines(self) -> list[str]:
        count = sum(p.numel() for p in self.parameters())
        note = f"  # {count:,} parameters" if count else ""
        children = list(self._members(Module))
        if not children:
            return [f"{type(self).__name__}({self.extra_repr()}){note}"]
        lines = [f"{type(self).__name__}({self.extra_repr()}{note}"]
        for name, child in children:
            first, *rest = child._lines()
            lines += [f"  ({name}): {first}", *(f"  {line}" for line in rest)]
        return [*lines, ")"]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

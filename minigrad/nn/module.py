"""Module: parameters, buffers and submodules under names, and what is done to all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Self

import numpy as np

from ..core import Tensor, check_device, checked_dtype, get_default_dtype, stamp_of
from ..core.mode import RECORD, get_mode
from ..core.recorder import recorder
from ..core.tensor import changes, touch
from ..errors import ArgumentError, InputTypeError, RegistrationError
from ..ops.create import zeros_like
from .hooks import BackwardWatch, Hooked
from .members import Members
from .state import IncompatibleKeys, load

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


def made(name: str, device: Any, dtype: Any) -> np.dtype[Any]:
    """The dtype of a layer's parameters: as asked, else the default. There is one device, "cpu"."""
    check_device(name, device)
    return get_default_dtype() if dtype is None else checked_dtype(name, dtype)


def check_sizes(name: str, **sizes: Any) -> None:
    """Refuse what is no size."""
    for argument, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ArgumentError(f"{name}: {argument} must be a non-negative int, got {value!r}")


class Module(Hooked):
    """Base of networks and layers: assign Parameters and Modules to attributes in `__init__`, define `forward`.

    Attributes that hold a Parameter or a Module are found by looking, in the order of assignment; `register_buffer` adds tensors that
    are saved but not trained.
    """

    training = True
    _absent: Mapping[str, type] = {}  # what names stand for, Parameter or Module, that may be None
    _buffer_names: tuple[str, ...] = ()
    _transient: tuple[str, ...] = ()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. To be defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter) and isinstance(vars(self).get(name), Parameter):
            raise InputTypeError(
                f"{type(self).__name__}: {name} is a Parameter and a Tensor in its place would not be trained; assign a Parameter, or "
                f"write its values: {name}.data = …"
            )
        if name in self._buffer_names and value is not None and not isinstance(value, Tensor):
            raise InputTypeError(
                f"{type(self).__name__}: {name} is a buffer, a Tensor or None, and cannot be {type(value).__name__}"
            )
        if get_mode() & RECORD and isinstance(value, Tensor) and value is not (held := vars(self).get(name)) and held is not None:
            recorder.get().keep(held, f"replaced as {type(self).__name__}.{name}")
        if value is None and (before := vars(self).get(name)) is not None:
            self._note_absent(name, next((kind for kind in (Parameter, Module) if isinstance(before, kind)), None))
        if vars(self).get(name, self) is not value:
            changes[0] += 1
        super().__setattr__(name, value)

    def _note_absent(self, name: str, kind: type | None) -> None:
        """Count a name that is None among the members of a kind."""
        if kind is not None:
            self._absent = {**self._absent, name: kind}

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        """Count a name among the buffers no longer."""
        if name in self._buffer_names:
            self._buffer_names = tuple(known for known in self._buffer_names if known != name)
            self._transient = tuple(known for known in self._transient if known != name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if get_mode() & RECORD:
            recorder.get().called(self)
        return self._call_with_hooks(args, kwargs) if self._hooks else self.forward(*args, **kwargs)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in self._hooks_of("forward_pre"):
            if hook.with_kwargs:
                changed = hook.function(self, args, kwargs)
                args, kwargs = (args, kwargs) if changed is None else changed
            else:
                changed = hook.function(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        watch = BackwardWatch(self, self._hooks_of("backward_pre"), self._hooks_of("backward"))
        watched = watch.inputs(args)
        output = self.forward(*watched, **kwargs)
        for hook in self._hooks_of("forward"):
            changed = hook.function(self, args, kwargs, output) if hook.with_kwargs else hook.function(self, args, output)
            output = output if changed is None else changed
        return watch.outputs(output)

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
        """The submodules assigned to this module itself, each once."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once unless told otherwise, with dotted names."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, child in self._members(Module):
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, each once unless told otherwise."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names; one that is shared comes once, unless told otherwise."""
        return self._named(lambda module: module._members(Parameter), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The Parameters of this module and, unless told otherwise, of all below it, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names; one that is shared comes once, unless told otherwise."""
        return self._named(Module._own_buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and, unless told otherwise, of all below it, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        held = ((name, getattr(self, name)) for name in self._buffer_names)
        return ((name, buffer) for name, buffer in held if buffer is not None)

    def _named(
        self, own: Callable[[Module], Iterator[tuple[str, Any]]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else iter([(prefix, self)])
        for module_name, module in modules:
            for name, tensor in own(module):
                if id(tensor) not in seen:
                    if remove_duplicate:
                        seen.add(id(tensor))
                    yield f"{module_name}.{name}" if module_name else name, tensor

    def _holds(self, kind: type, name: str, value: Any) -> bool:
        return isinstance(value, kind) or (value is None and self._absent.get(name) is kind)

    @property
    def _modules(self) -> Members:
        return Members(self, partial(self._holds, Module), self.add_module)

    @property
    def _parameters(self) -> Members:
        return Members(self, partial(self._holds, Parameter), self.register_parameter)

    @property
    def _buffers(self) -> Members:
        return Members(self, lambda name, value: name in self._buffer_names, self.register_buffer)

    def _get_name(self) -> str:
        return type(self).__name__

    # ---- what is given to it under a name

    def _check_name(self, name: Any, what: str) -> None:
        if not isinstance(name, str):
            raise InputTypeError(f"{type(self).__name__}: the name of a {what} must be a str, got {type(name).__name__}")
        if not name or "." in name:
            raise RegistrationError(f"{type(self).__name__}: {name!r} cannot name a {what}: it must not be empty or hold a dot")
        if hasattr(self, name):
            raise RegistrationError(f"{type(self).__name__}: {name!r} cannot name a {what}: it is an attribute already")

    def add_module(self, name: str, module: Module | None) -> None:
        """Hold a module, or None, under a name; in the place of the module that has it."""
        if module is not None and not isinstance(module, Module):
            raise InputTypeError(f"{type(self).__name__}: {name} must be a Module, got {type(module).__name__}")
        if not isinstance(name, str) or name not in self._modules:
            self._check_name(name, "module")
        setattr(self, name, module)
        if module is None:
            self._note_absent(name, Module)

    register_module = add_module

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Hold a Parameter, or None, under a name; in the place of the parameter that has it."""
        if not isinstance(name, str) or name not in self._parameters:
            self._check_name(name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise InputTypeError(f"{type(self).__name__}: {name} must be a Parameter or None, got {type(param).__name__}")
        setattr(self, name, param)
        if param is None:
            self._note_absent(name, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not trained; one that is not persistent is not saved."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise InputTypeError(f"register_buffer: {name} must be a Tensor or None, got {type(tensor).__name__}")
        if name not in self._buffer_names:
            self._check_name(name, "buffer")
        self._forget(name)
        setattr(self, name, tensor)
        self._buffer_names += (name,)
        self._transient += () if persistent else (name,)

    def get_submodule(self, target: str) -> Module:
        """The module under a dotted name; "" is this one."""
        found: Any = self
        for part in target.split(".") if target else ():
            found = vars(found).get(part)
            if not isinstance(found, Module):
                raise RegistrationError(f"{type(self).__name__}: there is no module {target!r} ({part!r} is none)")
        return found  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module under a dotted name; with `strict` only in the place of one."""
        path, _, name = target.rpartition(".")
        if strict:
            self.get_submodule(target)
        self.get_submodule(path).add_module(name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter under a dotted name."""
        module, _, name = target.rpartition(".")
        found = vars(self.get_submodule(module)).get(name)
        if not isinstance(found, Parameter):
            raise RegistrationError(f"{type(self).__name__}: there is no Parameter {target!r}")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer under a dotted name."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module._buffer_names:
            raise RegistrationError(f"{type(self).__name__}: there is no buffer {target!r}")
        return getattr(module, name)  # type: ignore[no-any-return]

    # ---- what is done to all

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training (dropout draws), or with False to evaluation."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"{type(self).__name__}.train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to evaluation: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say of all parameters, here and below, whether they require grad (are trained)."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients (or set them to zero)."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = zeros_like(parameter.grad)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert parameters and floating-point buffers to another float dtype, in place: `to(dtype)`, or that of a Tensor.

        The one device, "cpu", is accepted as well and changes nothing.
        """
        wanted = [x for x in (*args, kwargs.pop("device", None), kwargs.pop("dtype", None)) if x is not None and str(x) != "cpu"]
        if kwargs or len(wanted) > 1:
            raise InputTypeError(f"Module.to: expected a dtype, a Tensor or the device 'cpu', got {(*args, *kwargs)}")
        if not wanted:
            return self
        kind = checked_dtype("Module.to", wanted[0].dtype if isinstance(wanted[0], Tensor) else wanted[0])
        if kind.kind != "f":
            raise InputTypeError(f"Module.to: expected a floating-point dtype, got {kind}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.kind == "f" and tensor.dtype != kind:
                if get_mode() & RECORD:
                    recorder.get().keep(tensor, f"given dtype {kind}")
                touch(tensor)
                tensor.array = tensor.array.astype(kind)
                tensor.stamp = None
                changes[0] += 1
                if tensor.grad is not None:
                    tensor.grad = Tensor(tensor.grad.array.astype(kind))
        return self

    type = to

    def cpu(self) -> Self:
        """The module itself: all tensors are on the CPU."""
        return self

    def float(self) -> Self:
        """Convert parameters and floating-point buffers to float32, in place."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert parameters and floating-point buffers to float64, in place."""
        return self.to(np.float64)

    # ---- state

    def _loadable(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a value, which has `shape`, must have to be loaded into a tensor of this module."""
        return tensor.shape

    def _make_room(self, name: str, shape: tuple[int, ...]) -> None:
        """Be ready for a value of a shape that is loadable."""

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._members(Parameter)
        yield from ((name, buffer) for name, buffer in self._own_buffers() if name not in self._transient)

    def state_dict(
        self, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name; the tensors share the module's memory, and with `keep_vars` are its own.

        They are added to the dictionary `destination`, if that is given.
        """
        found = {} if destination is None else destination
        for hook in self._hooks_of("save_pre"):
            hook.function(self, prefix, keep_vars)
        for name, tensor in self._own_state():
            found[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, child in self._members(Module):
            child.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("save"):
            hook.function(self, found, prefix, {})
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy values into parameters and buffers; with `assign` put the tensors themselves in their places. Returns the names that did
        not match.

        Errors: StateDictError, before anything is changed, if shapes differ or, when strict, names are missing or unexpected.
        """
        return load(self, state_dict, strict, assign)

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

"""A model's run, operation by operation, with the layer that each stands in: what traces and the doctor look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import getclosurevars, isfunction
from typing import Any

import numpy as np

from ..compiler.compiled import Compiled
from ..core import Op, Tensor, Watcher, enable_grad, register_hook, watching
from ..core.plan import Plan
from ..core.tensor import Array
from ..nn import Module
from ..ops.random import default_generator

__all__ = ["Capture", "Layer", "Ran", "capturing", "modules_of", "preserving", "uncompiled"]


@dataclass
class Ran:
    """An operation that ran: in which layer (its dotted name in the model, "" for the model itself), on what, and what it made.

    `values` is a copy of the output, as it was then, and `shapes` are those that its Tensors had. `gradient` is dL/doutput, once a
    backward pass has come by. `call` counts the calls of the layer from 1.
    """

    layer: str
    module: Module | None
    op: Op[Any]
    attrs: dict[str, Any]
    inputs: tuple[Any, ...]
    values: Array
    shapes: tuple[tuple[int, ...], ...]
    gradient: Array | None = None
    call: int = 1


@dataclass
class Layer:
    """A call of a module: its dotted name, the how many-th, and how many operations had run when it began and ended (None: it did not
    end). If it handed on what it was given without an operation, `values` is a copy of that, and `gradient` as for operations."""

    name: str
    module: Module
    inputs: tuple[Any, ...]
    begin: int
    output: Any = None
    end: int | None = None
    call: int = 1
    values: Array | None = None
    gradient: Array | None = None


class Capture(Watcher):
    """What ran while it looked on: `operations` in order, and `layers`, the calls of modules in the order in which they began."""

    def __init__(self) -> None:
        self.operations: list[Ran] = []
        self.layers: list[Layer] = []
        self._open: list[Layer] = []
        self._calls: Counter[str] = Counter()

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        name, module, call = (self._open[-1].name, self._open[-1].module, self._open[-1].call) if self._open else ("", None, 1)
        attrs = dict(zip(plan.op.attributes, plan.attrs, strict=True))
        shapes = tuple(spec[0] for spec in plan.specs if spec is not None)
        ran = Ran(name, module, plan.op, attrs, tuple(inputs), np.array(y.array), shapes, call=call)
        self.operations.append(ran)
        if y.requires_grad:
            _keep_gradient(ran, y)

    def begin(self, name: str, module: Module, inputs: tuple[Any, ...]) -> None:
        """A module is called."""
        self._calls[name] += 1
        layer = Layer(name, module, inputs, len(self.operations), call=self._calls[name])
        self.layers.append(layer)
        self._open.append(layer)

    def end(self, module: Module, output: Any) -> None:
        """A module returns; those called within it that did not return have failed."""
        layer = self._open.pop()
        while layer.module is not module:
            layer = self._open.pop()
        layer.output, layer.end = output, len(self.operations)
        if layer.begin == layer.end and isinstance(output, Tensor):
            layer.values = np.array(output.array)
            if output.step is not None:
                _keep_gradient(layer, output)

    @property
    def failed(self) -> Layer | None:
        """The innermost module that was called and has not returned."""
        return self._open[-1] if self._open else None


def _keep_gradient(seen: Ran | Layer, y: Tensor) -> None:
    register_hook(y, lambda g: setattr(seen, "gradient", g.array))


def uncompiled(model: Any) -> Any:
    """The model itself, of one that `mg.compile` made."""
    return model.function if isinstance(model, Compiled) else model


def modules_of(model: Any) -> list[tuple[str, Module]]:
    """The modules of a model with their dotted names; of a function, those that its code sees, under the names that it has for them."""
    inner = uncompiled(model)
    if isinstance(inner, Module):
        return list(inner.named_modules())
    if not isfunction(inner):
        return []
    seen, met = getclosurevars(inner), set[int]()
    variables = {name: uncompiled(value) for name, value in (*seen.nonlocals.items(), *seen.globals.items())}
    held = [(name, value) for name, value in variables.items() if isinstance(value, Module)]
    return [named for name, module in held for named in module.named_modules(met, name)]


@contextmanager
def capturing(model: Callable[..., Any], *, within: bool = False) -> Iterator[Capture]:
    """Within it, what the thread runs is captured, with gradients recorded; `model` gives the layers their names. `within`: those that a
    function sees are layers too."""
    capture, modules = Capture(), modules_of(model) if within or isinstance(uncompiled(model), Module) else []
    try:
        with ExitStack() as stack:
            for name, module in modules:
                stack.enter_context(module.register_forward_pre_hook(_beginning(capture, name), prepend=True, with_kwargs=True))
                stack.enter_context(module.register_forward_hook(lambda module, args, output: capture.end(module, output)))
            stack.enter_context(enable_grad())
            stack.enter_context(watching(capture))
            yield capture
    finally:
        for _, module in modules:
            if not module._hooks:  # no trace stays: compiled programs look at what modules hold
                vars(module).pop("_hooks", None)


def _beginning(capture: Capture, name: str) -> Callable[..., None]:
    return lambda module, args, kwargs: capture.begin(name, module, (*args, *kwargs.values()))


@contextmanager
def preserving(model: Callable[..., Any]) -> Iterator[None]:
    """Within it the model may be run: its buffers (running statistics) are written in copies, and they and the default generator are
    afterwards what they were."""
    named = [(module, name, buffer) for _, module in modules_of(model) for name, buffer in module.named_buffers(recurse=False)]
    before = [(buffer, buffer.array, buffer.stamp) for _, _, buffer in named]
    random = default_generator.get_state()
    for buffer, array, _ in before:
        buffer.array, buffer.stamp = array.copy(), None
    try:
        yield
    finally:
        for buffer, array, stamp in before:
            buffer.array, buffer.stamp = array, stamp
        for module, name, buffer in named:
            setattr(module, name, buffer)
        default_generator.set_state(random)

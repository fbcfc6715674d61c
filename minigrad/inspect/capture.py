"""A model's run, operation by operation, with the layer that each stands in: what traces and the doctor look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Op, Tensor, Watcher, enable_grad, register_hook, watching
from ..core.plan import Plan
from ..core.tensor import Array
from ..nn import Module

__all__ = ["Capture", "Ran", "capturing"]


@dataclass
class Ran:
    """An operation that ran: in which layer (its dotted name in the model, "" for the model itself), on what, and what it made.

    `values` is a copy of the output, as it was then. `gradient` is dL/doutput, once a backward pass has come by.
    """

    layer: str
    module: Module | None
    op: Op[Any]
    attrs: dict[str, Any]
    inputs: tuple[Any, ...]
    values: Array
    gradient: Array | None = None

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the inputs that are Tensors."""
        return tuple(x.shape for x in self.inputs if isinstance(x, Tensor))


@dataclass
class Layer:
    """A call of a module: its dotted name, and how many operations had run when it began and ended (None: it did not end)."""

    name: str
    module: Module
    inputs: tuple[Any, ...]
    begin: int
    output: Any = None
    end: int | None = None


class Capture(Watcher):
    """What ran while it looked on: `operations` in order, and `layers`, the calls of modules in the order in which they began."""

    def __init__(self) -> None:
        self.operations: list[Ran] = []
        self.layers: list[Layer] = []
        self._open: list[Layer] = []

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        layer = self._open[-1] if self._open else None
        attrs = dict(zip(plan.op.attributes, plan.attrs, strict=True))
        ran = Ran(layer.name if layer else "", layer.module if layer else None, plan.op, attrs, tuple(inputs), np.array(y.array))
        self.operations.append(ran)
        if y.requires_grad:
            register_hook(y, lambda g: setattr(ran, "gradient", g.array))

    def begin(self, name: str, module: Module, inputs: tuple[Any, ...]) -> None:
        """A module is called."""
        layer = Layer(name, module, inputs, len(self.operations))
        self.layers.append(layer)
        self._open.append(layer)

    def end(self, output: Any) -> None:
        """The module that was called last, of those that did not end, ends."""
        layer = self._open.pop()
        layer.output, layer.end = output, len(self.operations)


@contextmanager
def capturing(model: Callable[..., Any]) -> Iterator[Capture]:
    """Within it, what the thread runs is captured, with gradients recorded; `model` gives the layers their names."""
    capture = Capture()
    with ExitStack() as stack:
        for name, module in model.named_modules() if isinstance(model, Module) else ():
            stack.enter_context(module.register_forward_pre_hook(_beginning(capture, name), prepend=True))
            stack.enter_context(module.register_forward_hook(lambda module, args, output: capture.end(output)))
        stack.enter_context(enable_grad())
        stack.enter_context(watching(capture))
        yield capture


def _beginning(capture: Capture, name: str) -> Callable[..., None]:
    return lambda module, args: capture.begin(name, module, args)

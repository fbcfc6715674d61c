"""Operations in PyTorch's way: a class with a forward and a backward over Tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, no_grad, op, stamp_of
from ..core.tensor import tick
from ..errors import GraphError, InputTypeError

__all__ = ["Function", "FunctionCtx"]


class FunctionCtx:
    """What `Function.forward` leaves for `backward`: saved tensors, and attributes of any name."""

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Tensor | None, ...] = ()
    _saved_at = 0
    _output: tuple[Any, Any] = (None, None)  # what forward returned, and in backward the same in the graph

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or the output (or None); a later change in place is noticed. What lies between has no second derivative."""
        for i, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise InputTypeError(f"save_for_backward: tensors[{i}] must be a Tensor or None, got {type(tensor).__name__}")
        self._saved, self._saved_at = tensors, tick()

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved."""
        for i, tensor in enumerate(self._saved):
            if tensor is not None and stamp_of(tensor).written > self._saved_at:
                raise GraphError(f"saved_tensors: tensor {i} was changed in place after it was saved; clone() it before the change")
        returned, in_graph = self._output
        return tuple(in_graph if tensor is not None and tensor is returned else tensor for tensor in self._saved)


class Function:
    """Base of operations of one's own in PyTorch's way; `mg.elementwise` and `mg.op` need less and make kernels.

    A subclass defines two static methods: `forward(ctx, *args)`, which returns a Tensor computed without recording, and
    `backward(ctx, grad)`, which returns a gradient (or None) for each of the arguments, in Tensor operations, so that it can be
    differentiated again. With a static `setup_context(ctx, inputs, output)` forward has no ctx. Run it with `apply`.
    Deviation: forward returns one Tensor, not several.

        class Square(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                return 2 * x * grad
    """

    setup_context: Any = None

    @staticmethod
    def forward(*args: Any) -> Tensor:
        raise NotImplementedError("Function: a subclass must define forward")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise NotImplementedError("Function: a subclass must define backward")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run forward, and record it for backward."""
        call = _Call(cls, args)
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        y = run_function(tensors, call) if tensors else Tensor(call.forward())
        return y if y.dtype.kind == "f" else y.detach()


class _Call:
    """One call of a Function."""

    def __init__(self, function: type[Function], args: tuple[Any, ...]):
        self.function, self.args, self.ctx = function, args, FunctionCtx()
        self.ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        self.places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        self.seen: Any = None
        self.found: tuple[Any, ...] = ()

    def forward(self) -> Any:
        function, ctx, args = self.function, self.ctx, self.args
        with no_grad():
            if function.setup_context is None:
                y = function.forward(ctx, *args)
            else:
                y = function.forward(*args)
                function.setup_context(ctx, args, y)
        if not isinstance(y, Tensor):
            raise InputTypeError(f"{function.__name__}.forward: must return one Tensor, got {type(y).__name__}")
        ctx._output = (y, None)
        shared = any(np.may_share_memory(y.array, self.args[i].array) for i in self.places)
        return y.array.copy() if shared else y.array

    def gradient(self, g: Any, y: Any, position: int) -> Any:
        """The gradient of one Tensor argument; backward runs once for all of them."""
        recorded = isinstance(g, Tensor)
        if g is not self.seen:
            self.ctx._output = (self.ctx._output[0], y if recorded else Tensor(y))
            with enable_grad() if recorded else no_grad():
                found = self.function.backward(self.ctx, g if recorded else Tensor(g))
            self.found = found if isinstance(found, tuple) else (found,)
            if len(self.found) != len(self.args):
                name, count = self.function.__name__, len(self.found)
                raise GraphError(f"{name}.backward: returned {count} gradients for the {len(self.args)} arguments of forward")
            self.seen = g
            self.ctx._output = (self.ctx._output[0], None)
        place = self.places[position]
        value, x = self.found[place], self.args[place]
        if value is None:
            value = Tensor(np.zeros(x.shape, x.dtype))
        return value if recorded else value.array


@op(live=("call",))
def run_function(inputs: Sequence[Tensor], call: Any) -> Tensor:
    """What `Function.apply` records. Backward: what the Function's own backward returns for each input."""
    return call.forward()  # type: ignore[no-any-return]


@run_function.backward("inputs")
def _(g: Any, y: Any, position: int, call: _Call) -> Any:
    return call.gradient(g, y, position)

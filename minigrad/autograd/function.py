"""Operations in PyTorch's way: a class with a forward and a backward over Tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..core import Op, Tensor, broadcasts_to, derived, enable_grad, no_grad, stamp_of
from ..core.tensor import tick
from ..errors import ArgumentError, GraphError, InputTypeError

__all__ = ["Call", "Function", "FunctionCtx"]


class FunctionCtx:
    """What `Function.forward` leaves for `backward`: saved tensors, and attributes of any name."""

    needs_input_grad: tuple[bool, ...] = ()
    """For each argument of forward, whether it is a Tensor that requires grad."""

    _saved: tuple[Tensor | None, ...] = ()
    _saved_at = 0
    _constant: tuple[Tensor, ...] = ()
    _output: tuple[Any, Any] = (None, None)  # what forward returned, and in backward the same in the graph

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or the output (or None); a later change in place is noticed. What lies between has no second derivative."""
        for i, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise InputTypeError(f"save_for_backward: tensors[{i}] must be a Tensor or None, got {type(tensor).__name__}")
        self._saved, self._saved_at = tensors, tick()

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say that the output carries no gradient: `apply` returns it outside the graph."""
        self._constant = args

    def set_materialize_grads(self, value: bool) -> None:
        """Taken for PyTorch's sake, and changes nothing: with one output, backward always gets a gradient."""
        if not isinstance(value, bool):
            raise ArgumentError(f"set_materialize_grads: value must be True or False, got {value!r}")

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

    A subclass defines two static methods, `forward` and `backward`. With a static `setup_context(ctx, inputs, output)` forward has no
    ctx. Run it with `apply`; in graphs and messages it has the name of its class.
    Deviation: forward returns one Tensor, not several. There is no `mark_dirty` (forward must not write into its arguments), no
    `save_for_forward`, `jvp` or `vmap` (gradients come by the backward pass alone), no `once_differentiable`.

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
    _operation: ClassVar[Op[Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._operation = _operation_of(cls)

    @staticmethod
    def forward(*args: Any) -> Tensor:
        """`forward(ctx, *args)`: the one Tensor that the arguments of `apply` give, computed without recording."""
        raise NotImplementedError("Function: a subclass must define forward")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """`backward(ctx, grad)`: a gradient for each argument of forward, or None, from that of the output. In Tensor operations, so
        that it can be differentiated again. A gradient may be broadcast (it is summed) and of another dtype (it is cast).

        Errors: in the backward pass, GraphError for another number of gradients (Nones at the end are left out of account), for what is
        neither Tensor nor None, for another shape, for a gradient of what is no Tensor.
        """
        raise NotImplementedError("Function: a subclass must define backward")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Run forward, and record it for backward."""
        call = Call(cls, args)
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        y = cls._operation(tensors, call) if tensors else Tensor(call.forward())
        return y if y.dtype.kind == "f" and not call.constant else y.detach()


class Call:
    """One call of a Function: what its backward needs. Of the arguments it keeps no more than forward saved."""

    def __init__(self, function: type[Function], args: tuple[Any, ...]):
        self.function, self.ctx = function, FunctionCtx()
        self.ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        self.args: tuple[Any, ...] = args  # until forward has run
        self.specs = [(arg.shape, arg.dtype) if isinstance(arg, Tensor) else None for arg in args]
        self.constant = False
        self.seen: Any = None  # the gradient that backward ran for
        self.waiting: dict[int, Tensor] = {}  # what it returned, by place among the Tensors, until it is asked for

    def forward(self) -> Any:
        function, ctx, args, self.args = self.function, self.ctx, self.args, ()
        with no_grad():
            if function.setup_context is None:
                y = function.forward(ctx, *args)
            else:
                y = function.forward(*args)
                function.setup_context(ctx, args, y)
        if not isinstance(y, Tensor):
            raise InputTypeError(f"{function.__name__}.forward: must return one Tensor, got {type(y).__name__}")
        self.constant = any(tensor is y for tensor in ctx._constant)
        ctx._constant = ()
        if any(tensor is y for tensor in ctx._saved):
            ctx._output = (y, None)
        shared = any(np.may_share_memory(y.array, arg.array) for arg in args if isinstance(arg, Tensor))
        return derived("copy", np.copy, y.array) if shared else y.array

    def gradient(self, g: Any, y: Any, position: int) -> Any:
        """The gradient of one Tensor argument; in each pass, backward runs once for all of them."""
        if g is not self.seen or position not in self.waiting:
            self.waiting, self.seen = self._run_backward(g, y), g
        value = self.waiting.pop(position)
        return value if isinstance(g, Tensor) else value.array

    def forget(self) -> None:
        """End a pass. The next may bring the same gradient again, but what was saved may have changed; and gradients that are recorded
        lead back to the step that holds this."""
        self.waiting, self.seen = {}, None

    def _run_backward(self, g: Any, y: Any) -> dict[int, Tensor]:
        ctx, recorded = self.ctx, isinstance(g, Tensor)
        output = ctx._output[0]
        ctx._output = (output, y if recorded else Tensor(y))
        try:
            with enable_grad() if recorded else no_grad():
                found = self.function.backward(ctx, g if recorded else Tensor(g))
        finally:
            ctx._output = (output, None)
        return dict(enumerate(self._checked(found if isinstance(found, tuple) else (found,))))

    def _checked(self, found: tuple[Any, ...]) -> list[Tensor]:
        """What backward returned for the Tensors among the arguments; zeros for None."""
        name, count = f"{self.function.__name__}.backward", len(self.specs)
        if len(found) < count or any(value is not None for value in found[count:]):
            raise GraphError(f"{name}: returned {len(found)} gradients for the {count} arguments of forward")
        gradients = []
        for i, (value, spec) in enumerate(zip(found[:count], self.specs, strict=True)):
            if value is not None and not isinstance(value, Tensor):
                raise GraphError(f"{name}: the gradient of argument {i} must be a Tensor or None, got {type(value).__name__}")
            if spec is None:
                if value is not None:
                    raise GraphError(f"{name}: the gradient of argument {i}, which is no Tensor, must be None")
                continue
            shape, dtype = spec
            value = Tensor(np.zeros(shape, dtype)) if value is None else value
            if not broadcasts_to(shape, value.shape):
                raise GraphError(f"{name}: the gradient of argument {i} has shape {value.shape}, the argument itself {shape}")
            gradients.append(value)
        return gradients

    def kept(self) -> list[Any]:
        """What stays in memory for backward."""
        return list(vars(self.ctx).values())


def _operation_of(function: type[Function]) -> Op[Any]:
    """What `Function.apply` records. Backward: what the Function's own backward returns for each input."""

    def run(inputs: Sequence[Tensor], call: Any) -> Tensor:
        return call.forward()  # type: ignore[no-any-return]

    run.__name__ = run.__qualname__ = function.__name__
    operation: Op[Any] = Op(run, live=("call",), broadcasts=True)  # type: ignore[arg-type]

    @operation.backward("inputs")
    def _(g: Any, y: Any, position: int, call: Call) -> Any:
        return call.gradient(g, y, position)

    operation.finished(Call.forget)
    return operation


Function._operation = _operation_of(Function)

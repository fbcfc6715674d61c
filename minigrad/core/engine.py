"""The engine's forward half: `apply` runs operations and records steps.

The graph is made of steps. A step knows its operation, the steps (or leaf tensors) its gradients go to, and the arrays its rules
need; it never knows its output tensor, so nothing forms a cycle and a graph dies with its last reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from ..errors import GraphError, InputTypeError
from .mode import GRAD, get_mode
from .tensor import Stamp, Tensor, stamp_of, tick
from .watch import watch_forward

if TYPE_CHECKING:
    from .op import Op
    from .plan import Record

__all__ = ["Step", "apply"]

_new = object.__new__


class Step:
    """One recorded application of an operation."""

    __slots__ = ("__weakref__", "edges", "hooks", "live", "recompute", "record", "saved", "seq", "stamps")

    record: Record
    edges: tuple[Step | Tensor, ...]
    saved: tuple[Any, ...] | None  # None once freed
    stamps: tuple[Stamp, ...]
    live: tuple[Any, ...]
    seq: int
    hooks: list[Callable[[Tensor], Tensor | None]] | None
    recompute: Any  # set by a checkpoint only: what brings back the saved values that it let go, or None

    @property
    def op(self) -> Op[Any]:
        return self.record.plan.op

    @property
    def name(self) -> str:
        return str(self.op.name)

    @property
    def next_functions(self) -> tuple[tuple[Step | Tensor, int], ...]:
        """Where the gradients go: the producing steps, or leaves, of the inputs that require them; as in PyTorch in pairs with the
        number of the output, which is 0."""
        return tuple((edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<step {self.seq}: {self.op.name}>"


def apply(op: Op[Any], inputs: Sequence[Any], attrs: tuple[Any, ...] = (), live: tuple[Any, ...] = ()) -> Tensor:
    """Run an operation: the only place where arrays become Tensors and steps are recorded.

    `inputs` are Tensors and Python numbers (or None where an input may be absent), `attrs` the hashable settings, `live` settings
    that are not part of the signature (an index). What depends on shapes, dtypes and attrs alone is planned once per signature.
    """
    seen = op.read(inputs, attrs)
    if seen is None:
        inputs = op.accept(inputs)
        seen = op.reader(inputs)(inputs, attrs)
    arrays, key, tracked = seen
    try:
        plan = op.plans.get(key) or op.make_plan(key, arrays, attrs)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        raise InputTypeError(f"{op.name}: settings must be plain values, got {op.attributes} = {attrs}") from None
    mode = get_mode()
    if op.guard is not None:
        op.guard(*inputs)
    made = out = plan.forward(arrays, live)
    y = _new(Tensor)
    y._grad = y.stamp = y.hooks = None
    if tracked and mode & GRAD and plan.differentiable:
        record = plan.records.get(tracked) or plan.record(tracked)
        step = _new(Step)
        step.record = record
        step.live = live
        step.hooks = None
        if plan.residual:
            arrays.extend(out)
            out = out[0]
        else:
            arrays.append(out)
        step.edges, step.saved, step.stamps = record.capture(inputs, arrays)
        step.seq = tick()
        y.step = step
        y._requires_grad = True
    else:
        if plan.residual:
            out = out[0]
        if tracked and mode & GRAD and not op.rules and out.dtype.kind == "f":
            raise GraphError(
                f"{op.name}: declares no backward rule, but an input requires grad; add the rules, or detach() the input"
            )
        y.step = None
        y._requires_grad = False
    y.array = out
    if plan.view:
        _share_stamp(y, inputs[0])
    if mode > GRAD:
        watch_forward(mode, plan, inputs, arrays, live, made, y)
    return y


def _share_stamp(y: Tensor, x: Tensor) -> None:
    """A view shares the stamp of what it views; the living views are known, so that none is silently left behind."""
    if y.array.base is None or not np.may_share_memory(y.array, x.array):
        return
    stamp = stamp_of(x)
    if stamp.views is None:
        stamp.views = WeakValueDictionary({id(x): x})
    stamp.views[id(y)] = y
    y.stamp = stamp

"""The engine: `apply` records steps, `backward` walks them back.

The graph is made of steps. A step knows its operation, the steps (or leaf tensors) its gradients go to, and the arrays its rules
need; it never knows its output tensor, so nothing forms a cycle and a graph dies with its last reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary, ref

import numpy as np

from ..errors import AnomalyError, ArgumentError, GraphError, InputTypeError, ShapeError
from ..kernels import notation
from .tensor import Array, Stamp, Tensor, stamp_of, tick

if TYPE_CHECKING:
    from .op import Op, Plan, Record

__all__ = [
    "Step",
    "apply",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "register_hook",
    "retain_grad",
    "set_grad_enabled",
]

_GRAD, _ANOMALY = 1, 2
_mode: ContextVar[int] = ContextVar("minigrad_mode", default=_GRAD)
_get_mode = _mode.get
_new = object.__new__

Node = "Step | Tensor"


class Step:
    """One recorded application of an operation."""

    __slots__ = ("edges", "hooks", "line", "live", "op", "record", "saved", "seq", "stamps")

    op: Op
    record: Record
    edges: tuple[Step | Tensor, ...]
    saved: tuple[Any, ...] | None  # None once freed
    stamps: tuple[Stamp, ...]
    live: tuple[Any, ...]
    seq: int
    hooks: list[Callable[[Tensor], Tensor | None]] | None
    line: str | None

    @property
    def name(self) -> str:
        return self.op.name

    @property
    def next_functions(self) -> tuple[Step | Tensor, ...]:
        """Where the gradients go: the producing steps, or leaves, of the inputs that require them."""
        return self.edges

    def __repr__(self) -> str:
        return f"<step {self.seq}: {self.op.name}>"


def apply(op: Op, inputs: Sequence[Any], attrs: tuple[Any, ...] = (), live: tuple[Any, ...] = ()) -> Tensor:
    """Run an operation: the only place where arrays become Tensors and steps are recorded.

    `inputs` are Tensors and Python numbers (or None where an input may be absent), `attrs` the hashable settings, `live` settings
    that are not part of the signature (an index). What depends on shapes, dtypes and attrs alone is planned once per signature.
    """
    arrays: list[Any] = []
    signature: list[Any] = [attrs]
    tracked = 0
    bit = 1
    for x in inputs:
        if isinstance(x, Tensor):
            array = x.array
            arrays.append(array)
            signature.append(array.shape)
            signature.append(array.dtype)
            if x._requires_grad:
                tracked |= bit
        else:
            arrays.append(x)
            signature.append(x.__class__)
        bit <<= 1
    key = tuple(signature)
    plan = op.plans.get(key)
    if plan is None:
        accepted = op.accept(inputs)
        if accepted is not None:
            return apply(op, accepted, attrs, live)
        plan = op.make_plan(key, arrays, attrs, live)
    mode = _get_mode()
    if not (mode & _GRAD and plan.differentiable):
        tracked = 0
    if op.guard is not None:
        op.guard(*inputs)
    out = plan.forward(arrays, live)
    if plan.residual:
        out, residual = out
    y = _new(Tensor)
    y.array = out
    y.grad = y.stamp = y.hooks = y.step = None
    y._requires_grad = False
    if tracked:
        record = plan.records.get(tracked) or plan.record(tracked)
        step = _new(Step)
        step.op = op
        step.record = record
        step.live = live
        step.hooks = step.line = None
        step.edges = tuple([inputs[i].step or inputs[i] for i in record.tracked])
        arrays.append(out)
        if plan.residual:
            arrays.append(residual)
        step.saved = tuple([arrays[i] for i in record.keep])
        step.stamps = tuple([inputs[i].stamp or stamp_of(inputs[i]) for i in record.guarded])
        step.seq = tick()
        y.step = step
        y._requires_grad = True
    if plan.view:
        _share_stamp(y, inputs[0])
    if mode & _ANOMALY:
        _check_forward(op, inputs, y)
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


# ---- backward


def backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensor` to the `.grad` of the leaves it depends on.

    `gradient` is dL/dtensor, of the tensor's shape; it may be left out for a one-element tensor (then 1). The graph is freed unless
    `retain_graph` (default: `create_graph`). With `create_graph` the gradients are themselves recorded. With `inputs`, only those
    tensors' `.grad` is touched.
    Errors: GraphError without a graph, on a second pass over a freed graph, or when a saved value was changed in place.
    """
    results = _run([tensor], [gradient], retain_graph, create_graph, None if inputs is None else list(inputs), "backward")
    for target, value in results:
        target.grad = value if target.grad is None else _sum_grads(target.grad, value, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` (weighted by `grad_outputs`) at `inputs`, without touching any `.grad`.

    Returns one gradient an input; None for an input that the outputs do not depend on if `allow_unused`, else GraphError.
    """
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    seeds: list[Tensor | None]
    if grad_outputs is None:
        seeds = [None] * len(roots)
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(seeds) != len(roots):
        raise ArgumentError(f"grad: grad_outputs has {len(seeds)} entries for {len(roots)} outputs")
    found = {id(target): value for target, value in _run(roots, seeds, retain_graph, create_graph, wanted, "grad")}
    for position, target in enumerate(wanted):
        if id(target) not in found and not allow_unused:
            raise GraphError(f"grad: the outputs do not depend on inputs[{position}]; pass allow_unused=True to get None for it")
    return tuple(found.get(id(target)) for target in wanted)


def _run(
    roots: list[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool | None,
    create_graph: bool,
    inputs: list[Tensor] | None,
    caller: str,
) -> list[tuple[Tensor, Tensor]]:
    """Run backward from the roots; the gradients of the inputs (default: of all leaves), as (tensor, gradient) pairs."""
    retain = create_graph if retain_graph is None else retain_graph
    starts: list[tuple[Step | Tensor, Any]] = []
    for tensor, seed in zip(roots, seeds, strict=True):
        starts.append((tensor.step or tensor, _seed(tensor, seed, create_graph, caller)))
    if inputs is None:
        wanted = needed = None
    else:
        for position, target in enumerate(inputs):
            if not isinstance(target, Tensor) or not target._requires_grad:
                raise GraphError(f"{caller}: inputs[{position}] does not require grad")
        wanted = {target.step or target for target in inputs}
        needed = _leading_to([node for node, _ in starts], wanted)
    token = _mode.set(_get_mode() | _GRAD if create_graph else _get_mode() & ~_GRAD)
    try:
        reached = _walk(starts, retain, create_graph, wanted, needed)
        if inputs is None:
            targets = [(node, node) for node in reached if isinstance(node, Tensor)]
        else:
            targets = [(target, target.step or target) for target in inputs if (target.step or target) in reached]
        return [(target, _own(_hooked(target, reached[node]))) for target, node in targets]
    finally:
        _mode.reset(token)


def _walk(
    starts: list[tuple[Any, Any]], retain: bool, create_graph: bool, wanted: set[Any] | None, needed: set[Any] | None
) -> dict[Any, Any]:
    """Each step once, youngest first: all that use a step are younger than it, so its gradient is complete when it is met."""
    pending: dict[Any, Any] = {}
    reached: dict[Any, Any] = {}
    heap: list[tuple[int, Step]] = []

    def add(node: Any, g: Any) -> None:
        if node in pending:
            pending[node] = _plus(pending[node], g)
        else:
            pending[node] = g
            if isinstance(node, Step):
                heappush(heap, (-node.seq, node))

    anomaly = _get_mode() & _ANOMALY
    for node, g in starts:
        add(node, g)
    while heap:
        step = heappop(heap)[1]
        g = pending.pop(step)
        if step.hooks:
            g = _run_hooks(step.hooks, g)
        if wanted is not None and step in wanted:
            reached[step] = g
        if needed is not None and step not in needed:
            continue
        saved = step.saved
        if saved is None:
            raise GraphError(
                f"backward: the graph was freed by an earlier backward pass (at {step.op.name}); pass retain_graph=True to the first one"
            )
        for stamp in step.stamps:
            if stamp.written > step.seq:
                _raise_stale(step)
        rules = step.record.rules
        for k, edge in enumerate(step.edges):
            if needed is not None and edge not in needed:
                continue
            gi = _tensor_rule(step, k, g) if create_graph else rules[k](g, saved, step.live)
            if anomaly:
                _check_backward(step, k, gi)
            if edge in pending:
                pending[edge] = _plus(pending[edge], gi)
            else:
                pending[edge] = gi
                if type(edge) is Step:
                    heappush(heap, (-edge.seq, edge))
        if not retain and saved:
            step.saved = None
    reached.update(pending)
    return reached


def _leading_to(starts: Iterable[Any], wanted: set[Any]) -> set[Any]:
    """The steps and leaves, among those reachable from `starts`, that are wanted or lead to a wanted one."""
    todo = [node for node in starts if isinstance(node, Step)]
    seen = set(todo)
    while todo:
        for edge in todo.pop().edges:
            if isinstance(edge, Step) and edge not in seen:
                seen.add(edge)
                todo.append(edge)
    needed = {node for node in wanted if isinstance(node, Tensor)}
    for step in sorted(seen, key=lambda step: step.seq):
        if any(edge in needed or edge in wanted for edge in step.edges):
            needed.add(step)
    return needed | wanted


def _seed(tensor: Tensor, seed: Tensor | None, create_graph: bool, caller: str) -> Any:
    if not isinstance(tensor, Tensor):
        raise InputTypeError(f"{caller}: expected a Tensor, got {type(tensor).__name__}")
    if not tensor._requires_grad:
        raise GraphError(f"{caller}: the tensor does not require grad and has no graph behind it")
    if seed is None:
        if tensor.array.size != 1:
            raise GraphError(
                f"{caller}: a gradient can be left out only for a tensor with one element; this one has shape {tensor.shape}: "
                "reduce it (.sum(), .mean()) or pass gradient="
            )
        seed = Tensor(np.ones(tensor.array.shape, tensor.array.dtype))
    elif not isinstance(seed, Tensor):
        seed = Tensor(np.asarray(seed, tensor.array.dtype))
    if seed.array.shape != tensor.array.shape:
        raise ShapeError(f"{caller}: gradient has shape {seed.shape} but the tensor has shape {tensor.shape}")
    if seed.array.dtype != tensor.array.dtype:
        seed = Tensor(seed.array.astype(tensor.array.dtype))
    return seed if create_graph else seed.array


def _plus(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor):
        return a + b
    with np.errstate(all="ignore"):
        return np.asarray(a + b)


def _sum_grads(old: Tensor, new: Tensor, create_graph: bool) -> Tensor:
    return old + new if create_graph else Tensor(_plus(old.array, new.array))


def _own(g: Any) -> Tensor:
    """A gradient as a Tensor of its own: an array that something else still holds (a rule handed it on) is copied."""
    if isinstance(g, Tensor):
        return g
    # Three references are this call's: the dictionary of results, the argument, and getrefcount's own.
    return Tensor(g if g.base is None and sys.getrefcount(g) <= 3 else g.copy())


def _tensor_rule(step: Step, k: int, g: Tensor) -> Tensor:
    """The same rule read by Tensors: its gradient is recorded in turn."""
    record = step.record
    saved = step.saved or ()
    values = [_as_tensor(step, index, value) for index, value in zip(record.keep, saved, strict=True)]
    gi: Tensor = record.formula(k)(g, values, step.live)
    shape, dtype = record.targets[k]
    if gi.array.shape != shape:
        gi = notation.sum_to(gi, shape)
    return gi if gi.array.dtype == dtype else gi.to(dtype)


def _as_tensor(step: Step, index: int, value: Any) -> Any:
    """A saved array as the Tensor it was, tied to the graph again. What carries no gradient (indices, masks, numbers) stays as it is."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    record = step.record
    if index in record.tracked:
        edge = step.edges[record.tracked.index(index)]
        if isinstance(edge, Tensor) and edge.array is value:
            return edge
    elif index == record.output:
        edge = step
    else:
        return Tensor(value)
    out = Tensor(value)
    out.step = edge if isinstance(edge, Step) else None
    out._requires_grad = True
    return out


def _raise_stale(step: Step) -> None:
    kept = " or ".join(step.record.keep_names)
    raise GraphError(
        f"backward: {step.op.name} needs {kept} as it was in the forward pass, but it was changed in place afterwards; "
        "clone() it before the change"
    )


# ---- hooks


class _Handle:
    """What `register_hook` returns; `remove()` takes the hook away."""

    def __init__(self, remove: Callable[[], None]):
        self.remove = remove

    def __enter__(self) -> _Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> _Handle:
    """Call `hook(grad)` when the gradient at this tensor is complete; what it returns, if not None, takes the gradient's place."""
    if not tensor._requires_grad:
        raise GraphError("register_hook: the tensor does not require grad")
    if tensor.step is not None:
        hooks = tensor.step.hooks = tensor.step.hooks or []
        hooks.append(hook)
        return _Handle(lambda: hooks.remove(hook) if hook in hooks else None)
    table = tensor.hooks = tensor.hooks or {}
    key = tick()
    table[key] = hook
    return _Handle(lambda: table.pop(key, None) and None)


def retain_grad(tensor: Tensor) -> None:
    """Keep the gradient of a tensor that is no leaf in its `.grad`."""
    if tensor.step is None:
        return
    holder = ref(tensor)

    def keep(g: Tensor) -> None:
        target = holder()
        if target is not None:
            target.grad = g if target.grad is None else target.grad + g

    tensor.step.hooks = [*(tensor.step.hooks or []), keep]


def _run_hooks(hooks: Iterable[Callable[[Tensor], Tensor | None]], g: Any) -> Any:
    value = g if isinstance(g, Tensor) else Tensor(g)
    for hook in list(hooks):
        result = hook(value)
        if result is None:
            continue
        if not isinstance(result, Tensor) or result.array.shape != value.array.shape:
            raise ShapeError(f"hook: must return None or a Tensor of shape {value.shape}, got {getattr(result, 'shape', result)}")
        value = result
    return value if isinstance(g, Tensor) else value.array


def _hooked(target: Tensor, g: Any) -> Any:
    return _run_hooks(target.hooks.values(), g) if target.hooks else g


# ---- modes


class _Mode(ContextDecorator):
    """A context manager and decorator that sets or clears one bit of this thread's mode."""

    bit = _GRAD
    value = True

    def __init__(self) -> None:
        self._tokens: list[Any] = []

    def __enter__(self) -> _Mode:
        mode = _get_mode()
        self._tokens.append(_mode.set(mode | self.bit if self.value else mode & ~self.bit))
        return self

    def __exit__(self, *exc: object) -> None:
        _mode.reset(self._tokens.pop())

    def _recreate_cm(self) -> _Mode:
        fresh = type(self).__new__(type(self))
        fresh.bit, fresh.value, fresh._tokens = self.bit, self.value, []
        return fresh


class no_grad(_Mode):
    """Within it (or a function decorated with it) nothing is recorded."""

    value = False


class enable_grad(_Mode):
    """Within it recording is on, also inside `no_grad`."""


class set_grad_enabled(_Mode):
    """Switch recording on or off: at once, and until the end of the block if used as a context manager."""

    def __init__(self, mode: bool):
        super().__init__()
        self.value = bool(mode)
        self._tokens.append(_mode.set(_get_mode() | _GRAD if mode else _get_mode() & ~_GRAD))

    def __enter__(self) -> set_grad_enabled:
        return self


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return bool(_get_mode() & _GRAD)


class detect_anomaly(_Mode):
    """Within it every forward and backward result is checked; the first operation that made a NaN or an infinity is named, with the
    line of code that called it (AnomalyError)."""

    bit = _ANOMALY


_PACKAGE = str(Path(__file__).parent.parent)


def _user_line() -> str:
    """The innermost line of code outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _bad(array: Array) -> str | None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    return "NaN" if np.isnan(array).any() else "Inf"


def _check_forward(op: Op, inputs: Sequence[Any], y: Tensor) -> None:
    line = _user_line()
    if y.step is not None:
        y.step.line = line
    what = _bad(y.array)
    if what is None:
        return
    already = [op.input_name(i) for i, x in enumerate(inputs) if isinstance(x, Tensor) and _bad(x.array)]
    source = f"its input {already[0]} already held one" if already else "its inputs were finite"
    raise AnomalyError(f"anomaly: the forward pass of {op.name} made {what} (shape {y.shape}; {source}), called at {line}")


def _check_backward(step: Step, k: int, gi: Any) -> None:
    what = _bad(gi.array if isinstance(gi, Tensor) else gi)
    if what is not None:
        name = step.op.input_name(step.record.tracked[k])
        raise AnomalyError(
            f"anomaly: the backward pass of {step.op.name} made {what} in the gradient of {name}; the operation was called at "
            f"{step.line or 'a line that was recorded outside detect_anomaly()'}"
        )

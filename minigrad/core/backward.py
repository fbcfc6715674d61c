"""The engine's backward half: from outputs back to leaves, each step once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from ..errors import ArgumentError, GraphError, InputTypeError, ShapeError
from ..kernels.quiet import quiet
from .engine import Step
from .hooks import run_after_accumulation, run_hooks
from .mode import ANOMALY, GRAD, RECORD, WATCH, enable_grad, get_mode
from .plan import Record
from .recorder import array_of, derived, recorder
from .tensor import Tensor, output_stamp
from .watch import watch_rule

__all__ = ["backward", "grad", "is_one"]

_new = object.__new__


def backward(
    tensor: Tensor | Sequence[Tensor],
    gradient: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensor` to the `.grad` of the leaves it depends on.

    `gradient` is dL/dtensor, of the tensor's shape; it may be left out for a one-element tensor (then 1). The graph is freed unless
    `retain_graph` (default: `create_graph`). With `create_graph` the gradients are themselves recorded. With `inputs`, only those
    tensors' `.grad` is touched. Several tensors with their gradients, in two lists, are gone through in one pass.
    Errors: GraphError without a graph, on a second pass over a freed graph, or when a saved value was changed in place.
    """
    if create_graph and not get_mode() & GRAD:
        with enable_grad():
            backward(tensor, gradient, retain_graph, create_graph, inputs)
        return
    retain = create_graph if retain_graph is None else retain_graph
    if isinstance(tensor, Tensor):
        starts = [(tensor, _seed(tensor, gradient, "backward"))]
    else:
        starts = [(root, _seed(root, seed, "backward")) for root, seed in zip(tensor, gradient, strict=True)]  # type: ignore[arg-type]
    if inputs is None:
        reached = _walk(starts, retain, create_graph)
        told = get_mode() & RECORD
        while reached:
            leaf, g = reached.popitem()
            if told or leaf._grad is not None or leaf.hooks or g.dtype is not (array := leaf.array).dtype or g.shape != array.shape:
                _deposit(leaf, g, create_graph)
            else:
                leaf._grad = _own(g, 1)
    else:
        wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        for target, g in _gradients(starts, retain, create_graph, wanted, "backward"):
            _deposit(target, g, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` (weighted by `grad_outputs`) at `inputs`, without touching any `.grad`.

    Returns one gradient an input. For an input that the outputs do not depend on: zeros with `materialize_grads`, None with
    `allow_unused`, else GraphError. `only_inputs` is taken for PyTorch's sake, and can only be True.
    """
    if not only_inputs:
        raise ArgumentError("grad: only_inputs=False is not supported; backward() adds to the .grad of all leaves")
    if allow_unused is False and materialize_grads:
        raise ArgumentError("grad: materialize_grads=True fills in unused inputs, which allow_unused=False forbids")
    if create_graph and not get_mode() & GRAD:
        with enable_grad():
            return grad(
                outputs, inputs, grad_outputs, retain_graph, create_graph, True, allow_unused, materialize_grads=materialize_grads
            )
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    seeds: list[Tensor | None]
    if grad_outputs is None:
        seeds = [None] * len(roots)
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(seeds) != len(roots):
        raise ArgumentError(f"grad: grad_outputs has {len(seeds)} entries for {len(roots)} outputs")
    retain = create_graph if retain_graph is None else retain_graph
    starts = [(root, _seed(root, seed, "grad")) for root, seed in zip(roots, seeds, strict=True)]
    found = {}
    for target, g in _gradients(starts, retain, create_graph, wanted, "grad"):
        found[id(target)] = _own_told(run_hooks(target.hooks.values(), g, create_graph) if target.hooks else g)
    for position, target in enumerate(wanted):
        if id(target) in found:
            continue
        if materialize_grads:
            found[id(target)] = Tensor(np.zeros(target.shape, target.dtype))
        elif not allow_unused:
            raise GraphError(f"grad: the outputs do not depend on inputs[{position}]; pass allow_unused=True to get None for it")
    return tuple(found.get(id(target)) for target in wanted)


def _gradients(
    starts: list[tuple[Tensor, Tensor]],
    retain: bool,
    create_graph: bool,
    inputs: Sequence[Tensor],
    caller: str,
) -> Iterator[tuple[Tensor, Any]]:
    """Run backward from the starts no further than the inputs need; those that were reached, with their gradients."""
    if not inputs:
        raise ArgumentError(f"{caller}: inputs must hold at least one Tensor, got none")
    for position, target in enumerate(inputs):
        if not isinstance(target, Tensor) or not target._requires_grad:
            raise GraphError(f"{caller}: inputs[{position}] does not require grad")
    wanted = {target.step or target for target in inputs}
    reached = _walk(starts, retain, create_graph, wanted, _leading_to([root for root, _ in starts], wanted))
    nodes = {target: target.step or target for target in inputs}
    return ((target, reached[node]) for target, node in nodes.items() if node in reached)


def _deposit(target: Tensor, g: Any, create_graph: bool) -> None:
    """Add a gradient to `.grad`."""
    if g.shape != target.array.shape or g.dtype != target.array.dtype:
        raise GraphError(
            f"backward: a gradient of shape {g.shape} and dtype {g.dtype} came to a tensor that has {target.shape} and {target.dtype} "
            "by now; do not change it between the forward and the backward pass"
        )
    if target.hooks:
        g = run_hooks(target.hooks.values(), g, create_graph)
    before = target.grad
    target.grad = _own_told(g) if before is None else _plus(before, g if create_graph else Tensor(g), create_graph)
    if target.hooks:
        run_after_accumulation(target, create_graph)


def _walk(
    starts: list[tuple[Tensor, Tensor]],
    retain: bool,
    create_graph: bool,
    wanted: Collection[Any] = (),
    needed: Collection[Any] | None = None,
) -> dict[Any, Any]:
    """Each step once, youngest first: all that use a step are younger than it, so its gradient is complete when it is met.

    Returns the gradients that arrived at leaves; where `needed` restricts the pass to steps that lead to `wanted` nodes, at these.
    Gradients are arrays, or with `create_graph` Tensors.
    """
    pending: dict[Any, Any] = {}
    reached: dict[Any, Any] = {}
    heap: list[tuple[int, Step]] = []
    mode = get_mode()
    for tensor, seed in starts:
        node = tensor.step or tensor
        g = seed if create_graph else seed.array
        if node in pending:
            g = _plus(pending[node], g, create_graph)
        elif type(node) is Step:
            heappush(heap, (-node.seq, node))
        pending[node] = g
    while heap:
        step = heappop(heap)[1]
        g = pending.pop(step)
        if step.hooks:
            g = run_hooks(step.hooks, g, create_graph)
        if needed is not None:
            if step in wanted:
                reached[step] = g
            if step not in needed:
                continue
        saved = step.saved
        if saved is None:
            saved = _computed_again(step)
        for stamp in step.stamps:
            if stamp.written > step.seq:
                _raise_stale(step)
        rules: Sequence[Callable[..., Any]] = _tensor_rules(step) if create_graph else step.record.rules
        for rule, edge in zip(rules, step.edges):  # noqa: B905  (strict costs time here; a record makes both)
            if needed is not None and edge not in needed and edge not in wanted:
                continue
            if edge not in pending:
                pending[edge] = gi = rule(g, saved, step.live)
                if type(edge) is Step:
                    heappush(heap, (-edge.seq, edge))
                if mode > GRAD:
                    watch_rule(mode, step, rules.index(rule), g, saved, gi)
            elif mode <= GRAD and not create_graph:
                _add_to(pending, edge, step.record, rule, g, saved, step.live)
            else:
                pending[edge] = _sum_watched(pending[edge], step, rules.index(rule), rule, g, saved, create_graph)
        if mode > GRAD and mode & RECORD:
            recorder.get().stepped(step)
        if step.live and step.op.finish is not None:
            step.op.finish(*step.live)
        if not retain and step.record.needs_saved:
            step.saved, step.live = None, ()
    if needed is None:
        return pending
    reached.update((node, g) for node, g in pending.items() if node in wanted)
    return reached


def _leading_to(roots: Iterable[Tensor], wanted: set[Any]) -> set[Step]:
    """The steps, among those behind the roots, that lead to a wanted node."""
    todo = [root.step for root in roots if root.step is not None]
    seen = set(todo)
    while todo:
        for edge in todo.pop().edges:
            if isinstance(edge, Step) and edge not in seen:
                seen.add(edge)
                todo.append(edge)
    needed: set[Step] = set()
    for step in sorted(seen, key=lambda step: step.seq):
        if any(edge in needed or edge in wanted for edge in step.edges):
            needed.add(step)
    return needed


@lru_cache(maxsize=64)
def _one(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
    """The gradient of a result at itself. Shared, hence read-only."""
    ones = np.ones(shape, dtype)
    ones.flags.writeable = False
    return Tensor(ones)


def is_one(g: Any) -> bool:
    """Whether a gradient is that of a number at itself, which is 1 without a look at it."""
    return g.size == 1 and not g.flags.writeable and g is _one(g.shape, g.dtype).array


def _seed(tensor: Tensor, seed: Any, caller: str) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise InputTypeError(f"{caller}: expected a Tensor, got {type(tensor).__name__}")
    if not tensor._requires_grad:
        raise GraphError(f"{caller}: the tensor does not require grad and has no graph behind it")
    array = tensor.array
    if seed is None:
        if array.size != 1:
            raise GraphError(
                f"{caller}: a gradient can be left out only for a tensor with one element; this one has shape {tensor.shape}: "
                "reduce it (.sum(), .mean()) or pass gradient="
            )
        return _one(array.shape, array.dtype)
    if not isinstance(seed, Tensor):
        seed = Tensor(np.asarray(seed))
    array_of(seed, caller)
    if seed.array.shape != array.shape:
        raise ShapeError(f"{caller}: gradient has shape {seed.shape} but the tensor has shape {tensor.shape}")
    return seed if seed.array.dtype == array.dtype else seed.to(array.dtype)  # type: ignore[no-any-return]


def _plus(a: Any, b: Any, create_graph: bool) -> Any:
    """The sum of two gradients, in a new array."""
    if create_graph:
        return a + b
    if isinstance(a, Tensor):
        return Tensor(_plus(a.array, b.array, False))
    return derived("add", _sum, a, b)


def _sum(a: Any, b: Any) -> Any:
    return np.asarray(quiet.run(np.add, a, b))


def _add_to(
    pending: dict[Any, Any], edge: Any, record: Record, rule: Callable[..., Any], g: Any, saved: Sequence[Any], live: Sequence[Any]
) -> None:
    """Add what a rule gives to the gradient that waits at an edge: in place, if that array is held nowhere else; of a rule that says
    how (`Op.adds`), without making the whole of it, and then to row-major memory."""
    total = pending[edge]
    # Three hold it: the dictionary, this name and getrefcount's own argument.
    mine = total.base is None and total.flags.writeable and getrefcount(total) <= 3
    adder = record.adders.get(rule)
    if adder is None:
        gi = rule(g, saved, live)
        pending[edge] = np.asarray(quiet.run(np.add, total, gi, total) if mine else quiet.run(np.add, total, gi))
        return
    if not (mine and total.flags.carray):
        pending[edge] = total = total.copy()
    quiet.run(adder, total, g, saved, live)


def _sum_watched(total: Any, step: Step, k: int, rule: Callable[..., Any], g: Any, saved: Sequence[Any], create_graph: bool) -> Any:
    """A gradient that waits at an edge plus what a rule gives, where someone looks on, or where the sum is recorded in turn."""
    mode = get_mode()
    adder = None if create_graph or mode & (ANOMALY | WATCH) else step.record.adders.get(rule)
    if adder is not None:
        return derived("add_in", _added, adder, total, g, saved, step.live)
    gi = rule(g, saved, step.live)
    if mode > GRAD:
        watch_rule(mode, step, k, g, saved, gi)
    return _plus(total, gi, create_graph)


def _added(adder: Callable[..., None], total: Any, g: Any, saved: Sequence[Any], live: Sequence[Any]) -> Any:
    """The sum of gradients with one more in it, in a new array."""
    total = total.copy()
    quiet.run(adder, total, g, saved, live)
    return total


def _own(g: Any, held: int) -> Tensor:
    """A gradient as a Tensor of its own. An array that is held elsewhere than by `held` names of the engine (a rule handed it on) is
    copied."""
    if isinstance(g, Tensor):
        return g.clone()  # type: ignore[no-any-return]
    y = _new(Tensor)  # as `wrapped` makes it, without the call
    # Two more references are this argument and getrefcount's own.
    y.array = g if g.base is None and getrefcount(g) <= held + 2 else g.copy()
    y._grad = y.step = y.stamp = y.hooks = None
    y._requires_grad = False
    return y


def _own_told(g: Any) -> Tensor:
    """The same, made known to a recorder."""
    if get_mode() & RECORD and not isinstance(g, Tensor):
        return Tensor(derived("copy", np.copy, g))
    return _own(g, 3)


def _tensor_rules(step: Step) -> list[Callable[..., Tensor]]:
    """The same rules read by Tensors: the gradients are recorded in turn."""
    record = step.record
    values = [_as_tensor(step, index, value) for index, value in zip(record.keep, step.saved or (), strict=True)]

    def tensor_rule(k: int) -> Callable[..., Tensor]:
        formula = record.formula(k)
        return lambda g, saved, live: record.fit(k, formula(g, values, live))

    return [tensor_rule(k) for k in range(len(step.edges))]


def _as_tensor(step: Step, index: int, value: Any) -> Any:
    """A saved array as the Tensor it was, tied to the graph again. What carries no gradient (indices, masks, numbers) stays as it is."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    record = step.record
    out = Tensor(value)
    if index == record.output:
        out.step, out._requires_grad, out.stamp = step, True, output_stamp(step)
        return out
    if index in record.guarded:
        out.stamp = step.stamps[record.guarded.index(index)]
    if index in record.tracked:
        edge = step.edges[record.tracked.index(index)]
        if isinstance(edge, Tensor) and edge.array is value:
            return edge
        out.step, out._requires_grad = edge if isinstance(edge, Step) else None, True
    return out


def _computed_again(step: Step) -> tuple[Any, ...]:
    """The saved values of a step that a checkpoint let go; of any other, they were freed."""
    recompute = getattr(step, "recompute", None)
    if recompute is not None:
        recompute()
        return step.saved or ()
    raise GraphError(
        f"backward: the graph was freed by an earlier backward pass (at {step.name}); pass retain_graph=True to the first one"
    )


def _raise_stale(step: Step) -> None:
    record = step.record
    kept = " or ".join(step.op.input_name(i) for i in record.keep if i in record.guarded or i == record.output)
    raise GraphError(
        f"backward: {step.name} needs {kept} as it was in the forward pass, but it was changed in place afterwards; "
        "clone() it before the change"
    )

"""Hooks: functions that see a gradient when it is complete, and may put another in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref

import numpy as np

from ..errors import DtypeError, GraphError, ShapeError
from .engine import Step
from .mode import GRAD, RECORD, get_mode, mode, switched
from .recorder import derived, recorder
from .tensor import Tensor, changes, tick

__all__ = [
    "Handle",
    "register_hook",
    "register_post_accumulate_grad_hook",
    "replace",
    "retain_grad",
    "retaining",
    "run_after_accumulation",
    "run_hooks",
]


class Handle:
    """What `register_hook` returns; `remove()` takes the hook away."""

    def __init__(self, remove: Callable[[], None]):
        self._remove = remove
        changes[0] += 1

    def remove(self) -> None:
        """Take the hook away."""
        self._remove()
        changes[0] += 1

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Handle:
    """Call `hook(grad)` when the gradient at this tensor is complete; what it returns, if not None, takes the gradient's place."""
    if not tensor._requires_grad:
        raise GraphError("register_hook: the tensor does not require grad")
    if tensor.step is not None:
        hooks = tensor.step.hooks = tensor.step.hooks or []
        hooks.append(hook)
        return Handle(lambda: hooks.remove(hook) if hook in hooks else None)
    table = tensor.hooks = tensor.hooks or {}
    key = tick()
    table[key] = hook
    return Handle(lambda: table.pop(key, None) and None)


class AfterAccumulation:
    """A hook that wants the tensor once its `.grad` is complete; `run_hooks` passes over it."""

    def __init__(self, function: Callable[[Tensor], None]):
        self.function = function

    def __call__(self, g: Tensor) -> None:
        return None


def register_post_accumulate_grad_hook(tensor: Tensor, hook: Callable[[Tensor], None]) -> Handle:
    """Call `hook(tensor)` each time a backward pass has added to the `.grad` of this leaf."""
    if not tensor._requires_grad or tensor.step is not None:
        raise GraphError("register_post_accumulate_grad_hook: the tensor must be a leaf that requires grad")
    return register_hook(tensor, AfterAccumulation(hook))


def run_after_accumulation(tensor: Tensor, create_graph: bool) -> None:
    """Call the hooks that waited for a leaf's gradient."""
    token = mode.set(switched(GRAD, create_graph))
    try:
        for hook in list((tensor.hooks or {}).values()):
            if isinstance(hook, AfterAccumulation):
                hook.function(tensor)
    finally:
        mode.reset(token)


class _Keep:
    """The hook of `retain_grad`: it knows its tensor weakly, so that the step does not keep it alive."""

    def __init__(self, tensor: Tensor):
        self.tensor = ref(tensor)

    def __call__(self, g: Tensor) -> None:
        tensor = self.tensor()
        if tensor is not None:
            tensor.grad = g.clone() if tensor.grad is None else tensor.grad + g


def retain_grad(tensor: Tensor) -> None:
    """Keep the gradient of a tensor that is no leaf in its `.grad`."""
    if not tensor._requires_grad:
        raise GraphError("retain_grad: the tensor does not require grad")
    step = tensor.step
    if step is not None and not _retains(tensor, step):
        step.hooks = [*(step.hooks or []), _Keep(tensor)]


def retaining(step: Step) -> list[Tensor]:
    """The tensors that keep the gradient that comes to a step, by `retain_grad`."""
    kept = [hook.tensor() for hook in step.hooks or () if isinstance(hook, _Keep)]
    return [tensor for tensor in kept if tensor is not None]


def _retains(tensor: Tensor, step: Step) -> bool:
    return any(kept is tensor for kept in retaining(step))


def replace(tensor: Tensor, other: Tensor) -> Tensor:
    """`tensor` takes the value, and the place in the graph, that `other` has: a recorded write. What was asked of it stays asked."""
    before = tensor.step
    if get_mode() & RECORD:
        recorder.get().keep(tensor, "made another one by a recorded write")
    tensor.array, tensor.step, tensor.stamp = other.array, other.step, other.stamp
    tensor._requires_grad = other._requires_grad
    changes[0] += 1
    if before is not None and _retains(tensor, before):
        before.hooks = [hook for hook in before.hooks or () if not (isinstance(hook, _Keep) and hook.tensor() is tensor)]
        retain_grad(tensor)
    return tensor


def run_hooks(hooks: Iterable[Callable[[Tensor], Tensor | None]], g: Any, create_graph: bool) -> Any:
    """Hand a gradient through hooks; what they compute is recorded with `create_graph` only."""
    value = g if create_graph else Tensor(derived("copy", np.copy, g))
    token = mode.set(switched(GRAD, create_graph))
    try:
        for hook in list(hooks):
            result = hook(value)
            if result is None:
                continue
            if not isinstance(result, Tensor) or result.array.shape != value.array.shape:
                raise ShapeError(
                    f"hook: must return None or a Tensor of shape {value.shape}, got {getattr(result, 'shape', result)}"
                )
            if result.array.dtype != value.array.dtype:
                raise DtypeError(f"hook: must return a gradient of dtype {value.dtype}, got {result.dtype}")
            value = result
    finally:
        mode.reset(token)
    return value if create_graph else derived("copy", np.copy, value.array)

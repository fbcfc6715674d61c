"""What looks on while operations run: the checks of anomaly mode, a recorder, and watchers of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import AnomalyError
from .mode import ANOMALY, RECORD, WATCH, defect, mode, switched, user_line
from .recorder import recorder
from .tensor import Tensor

if TYPE_CHECKING:
    from .engine import Step
    from .plan import Plan

__all__ = ["Watcher", "lines", "watch_forward", "watch_rule", "watching"]

lines: WeakKeyDictionary[Step, str] = WeakKeyDictionary()
"""Where the operations recorded in anomaly mode were called."""


class Watcher:
    """Base of those who look on: what they are told of each operation and of each rule that a backward pass runs. Arrays are the
    engine's own, for reading, while the call lasts."""

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        """The operation of a plan made y of inputs: Tensors, numbers, None."""

    def rule(self, step: Step, k: int, g: Any, saved: Sequence[Any], gradient: Any) -> None:
        """Rule k of a step made a gradient, for edge k, from the incoming one, g, and the saved values."""


_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("minigrad_watchers", default=())


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Within it the watcher is told what this thread runs. Compiled functions run operation by operation."""
    before = mode.set(switched(WATCH, True)), _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        mode.reset(before[0])
        _watchers.reset(before[1])


def watch_forward(mode: int, plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], live: Any, made: Any, y: Tensor) -> None:
    """Tell who looks on what an operation made."""
    if mode & RECORD:
        recorder.get().forward(plan, inputs, arrays, live, made, y)
    if mode & WATCH:
        for watcher in _watchers.get():
            watcher.forward(plan, inputs, y)
    if mode & ANOMALY:
        _check_forward(plan, inputs, y)


def watch_rule(mode: int, step: Step, k: int, g: Any, saved: Any, gradient: Any) -> None:
    """Tell who looks on what a rule made."""
    if mode & RECORD and not isinstance(gradient, Tensor):
        recorder.get().rule(step, k, g, saved, gradient)
    if mode & WATCH:
        for watcher in _watchers.get():
            watcher.rule(step, k, g, saved, gradient)
    if mode & ANOMALY:
        _check_rule(step, k, gradient)


def _check_forward(plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
    line, op = user_line(), plan.op
    if y.step is not None:
        lines[y.step] = line
    what = defect(y.array)
    if what is None:
        return
    already = [op.input_name(i) for i, x in enumerate(inputs) if isinstance(x, Tensor) and defect(x.array)]
    source = f"its input {already[0]} already held one" if already else "its inputs were finite"
    raise AnomalyError(f"anomaly: the forward pass of {op.name} made {what} (shape {y.shape}; {source}), called at {line}")


def _check_rule(step: Step, k: int, gradient: Any) -> None:
    what = defect(gradient.array if isinstance(gradient, Tensor) else gradient)
    if what is not None:
        name = step.op.input_name(step.record.tracked[k])
        raise AnomalyError(
            f"anomaly: the backward pass of {step.name} made {what} in the gradient of {name}; the operation was called at "
            f"{lines.get(step, 'a line outside detect_anomaly()')}"
        )

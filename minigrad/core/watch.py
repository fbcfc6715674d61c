"""What looks on while operations run: the checks of anomaly mode, and a recorder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import AnomalyError
from .mode import ANOMALY, RECORD, defect, user_line
from .recorder import recorder
from .tensor import Tensor

if TYPE_CHECKING:
    from .engine import Step
    from .plan import Plan

__all__ = ["lines", "watch_forward", "watch_rule"]

lines: WeakKeyDictionary[Step, str] = WeakKeyDictionary()
"""Where the operations recorded in anomaly mode were called."""


def watch_forward(mode: int, plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], live: Any, made: Any, y: Tensor) -> None:
    """Tell who looks on what an operation made."""
    if mode & RECORD:
        recorder.get().forward(plan, inputs, arrays, live, made, y)
    if mode & ANOMALY:
        _check_forward(plan, inputs, y)


def watch_rule(mode: int, step: Step, k: int, g: Any, saved: Any, gradient: Any) -> None:
    """Tell who looks on what a rule made."""
    if mode & RECORD and not isinstance(gradient, Tensor):
        recorder.get().rule(step, k, g, saved, gradient)
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

"""Where NaN and infinities were born: in the data, in a parameter, or in the first operation that made them of finite values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Step, Tensor, Watcher
from ...core.mode import defect, user_line
from ...core.plan import Plan
from ...data import Batch
from ..capture import Capture, Ran
from .places import Places
from .statistics import Birth, Weight

__all__ = ["Births", "finite"]


def finite(value: Any) -> bool:
    """Whether a Tensor, an array or a number (or None) holds no NaN and no infinity."""
    return defect(value.array if isinstance(value, Tensor) else np.asarray(0 if value is None else value)) is None


class Births(Watcher):
    """Looks on beside a capture, and notes the first rule of the backward pass that makes a NaN or an infinity of finite values, and the
    line of code outside this package that each operation was called at; `outside` is the line that called the doctor."""

    def __init__(self, capture: Capture, outside: str):
        self.capture, self.outside = capture, outside
        self.steps: dict[Step, Ran] = {}
        self.lines: dict[int, str] = {}  # by the id of what ran
        self.rule_of: tuple[Ran, str] | None = None  # the operation, and the input whose gradient it is

    def forward(self, plan: Plan, inputs: Sequence[Any], y: Tensor) -> None:
        ran = self.capture.operations[-1]
        self.lines[id(ran)] = user_line()
        if y.step is not None:
            self.steps[y.step] = ran

    def rule(self, step: Step, k: int, g: Any, saved: Sequence[Any], gradient: Any) -> None:
        if self.rule_of is None and step in self.steps and not finite(gradient) and finite(g):
            self.rule_of = self.steps[step], step.op.input_name(step.record.tracked[k])

    def told(self, batch: Batch, parameters: Iterable[tuple[Tensor, Weight]], places: Places) -> Birth | None:
        """Where they came up, and how; None if they came up nowhere."""
        names = ["the input", *(f"input {n}" for n in range(2, len(batch.inputs) + 1)), "the target"]
        data = [name for name, x in zip(names, (*batch.inputs, batch.target), strict=True) if not finite(x)]
        if data:
            return Birth("data", "data", f"the data hold them already: {' and '.join(data)}")
        held = [weight for x, weight in parameters if not finite(x)]
        if held:
            more = f", and {len(held) - 1} more" if len(held) > 1 else ""
            return Birth("parameters", held[0].place, f"they stand in the parameters already: {held[0].name}{more}")
        for ran in self.capture.operations:
            if not finite(ran.values) and all(map(finite, ran.inputs)):
                told = f"the operation {ran.op.name} made {defect(ran.values)} of finite inputs{self._line(ran)}"
                return Birth("operation", _where(ran, places), told)
        if self.rule_of is None:
            return None
        ran, argument = self.rule_of
        told = f"in the backward pass, the operation {ran.op.name} made them of finite values, as the gradient of its {argument}"
        told += self._line(ran)
        return Birth("operation", _where(ran, places), told)

    def _line(self, ran: Ran) -> str:
        """Where it was called, if that says more than where the doctor was."""
        file, _, line = self.lines[id(ran)].rpartition(":")
        return "" if f"{file}:{line}" == self.outside else f" ({Path(file).name}, line {line})"


def _where(ran: Ran, places: Places) -> str:
    return places.layer(ran.layer) if ran.layer else "Loss" if ran.module is None and places.modules else "Model"

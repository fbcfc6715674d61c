"""How long each step of a program takes."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from ..core import Tensor
from .lines import Bind, Line
from .plan import Run
from .program import Program
from .update import Update

__all__ = ["timed"]

_TIMES = 20


def timed(program: Program, tensors: Sequence[Tensor]) -> list[float]:
    """The seconds of each step (statements one by one), the shortest of several runs."""
    run = _function(program)
    given = {f"t{n}": tensor for n, tensor in enumerate(tensors)}
    runs = [run(**given) for _ in range(_TIMES)]
    return [min(times) for times in zip(*runs, strict=True)]


def _function(program: Program) -> Any:
    """The program with a look at the clock around every step."""
    lines = ["times = []"]
    stretches = iter(program.stretches)
    for item, text in program.items:
        if isinstance(item, Run):
            stretch = next(stretches)
            lines += [line for line in text if line.startswith(("words[", "stop =", "wake("))]
            lines.append(f"machine(table, {stretch.start}, {stretch.begins[0]})")
            for begin, end in zip(stretch.begins, [*stretch.begins[1:], stretch.stop], strict=True):
                lines += _around([f"machine(table, {begin}, {end})"])
        elif isinstance(item, Line):
            lines += _around(text)
        elif isinstance(item, (Bind, Update)):
            lines += text
    names = ", ".join(f"t{n}" for n in range(len(program.schedule.record.arguments)))
    body = "".join(f"    {line}\n" for line in [*lines, "return times"])
    scope = {**program.scope, "clock": perf_counter}
    exec(compile(f"def run({names}):\n{body}", "<timeline>", "exec"), scope)
    return scope["run"]


def _around(lines: Sequence[str]) -> list[str]:
    return ["begin = clock()", *lines, "times.append(clock() - begin)"]

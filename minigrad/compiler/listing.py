"""Programs as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core import Tensor
from ..core.plan import Plan
from ..optim import Optimizer
from .lines import Argument, Bind, Line, OfTensor, Value, values_in
from .lower import Statement
from .plan import Run
from .program import Program

__all__ = ["Listing", "Names", "listing", "steps_of"]


class Listing(str):
    """A text that shows itself as it is, also at the prompt."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Names:
    """Names for the values of a program: what arguments and parameters are called, else the operation that makes them, with a number
    where it is not the first; of a gradient, a d before the name of what it is the gradient of; what a kernel makes beside its result,
    for the kernels of its rules, is a residual."""

    def __init__(self, program: Program, arguments: Sequence[str], tensors: Mapping[int, str]):
        self._arguments, self._tensors = arguments, dict(tensors)
        self._names: dict[int, str] = {}
        self._used: Counter[str] = Counter()
        for line in [line for line in program.schedule.lines if isinstance(line, Line)]:
            for n, value in enumerate(line.makes()):
                self._names[id(value)] = self._fresh("residual" if n and _residual(line) else self._hint(line))
        for bind in [item for item, _ in program.items if isinstance(item, Bind)]:
            if bind.value is not None and isinstance(bind.value.source, Line):
                self._names[id(bind.value)] = f"d {self.place(bind.leaf)}"

    def _hint(self, line: Line) -> str:
        return f"d {self.of(line.where)}" if line.where is not None else line.name.removesuffix("_backward").strip("_")

    def _fresh(self, hint: str) -> str:
        self._used[hint] += 1
        return hint if self._used[hint] == 1 else f"{hint}_{self._used[hint]}"

    def place(self, place: Any) -> str:
        """The name of a Tensor that was there before the call."""
        if isinstance(place, Argument):
            return self._arguments[place.number]
        if id(place) not in self._tensors:
            self._tensors[id(place)] = self._fresh("tensor")
        return self._tensors[id(place)]

    def of(self, value: Value) -> str:
        if id(value) in self._names:
            return self._names[id(value)]
        if isinstance(value.source, (Argument, Tensor)):
            return self.place(value.source) + ".grad" * value.gradient
        if value.array is not None and value.size == 1:
            return f"{value.array.item():.6g}"
        return "constant" if value.source is None else "work"

    def made(self, line: Line) -> str:
        return ", ".join(self.of(value) for value in line.makes())

    def taken(self, given: Any) -> Iterator[str]:
        """What goes into a call."""
        if isinstance(given, (Value, OfTensor)):
            yield self.of(next(values_in(given)))
        elif isinstance(given, (list, tuple)):
            for part in given:
                yield from self.taken(part)
        elif isinstance(given, dict):
            yield from self.taken(list(given.values()))
        elif isinstance(given, slice):
            ends = (given.start, given.stop, given.step)[: 2 + (given.step is not None)]
            yield ":".join("" if end is None else ", ".join(self.taken(end)) for end in ends)
        elif isinstance(given, (int, float, str)):
            yield str(given)

    def inputs(self, line: Line) -> Iterator[str]:
        """What a line makes use of: of a rule what it names, of a forward the settings too that are not the default."""
        if isinstance(line.about, Plan):
            yield from self.taken(line.inputs)
            op = line.about.op
            given = zip(op.attributes, line.about.attrs, strict=True)
            yield from (f"{name}={value}" for name, value in given if value != op.default(name))
        elif line.about is not None:
            record, k = line.about
            g, saved, live = line.inputs
            rule = record.rule(k)
            needs = rule.kernel_needs if rule.kernel is not None and record.plan.by_kernel else rule.needs
            named = record.named(k, needs, g, saved)
            yield from self.taken([value for value in named.values() if isinstance(value, (Value, list))])
            yield from self.taken(live)
        else:
            yield from self.taken((line.inputs, line.settings))


def _residual(line: Line) -> bool:
    return isinstance(line.about, Plan) and line.about.residual


def _call(line: Line, names: Names) -> str:
    """A call, as a method of what it belongs to."""
    owner = getattr(line.call, "__self__", line.inputs[0] if line.inputs else None)
    if isinstance(owner, Optimizer):
        return f"{owner.name}.step()"
    method = line.kind == "barrier" and hasattr(type(owner), line.name)
    return f"{f'{type(owner).__name__}.' * method}{line.name.strip('_')}({', '.join(names.inputs(line))})"


def steps_of(program: Program) -> Iterator[tuple[Any, str]]:
    """The steps of a program in their order, statements one by one, and who runs each."""
    for item, _ in program.items:
        if isinstance(item, Run):
            yield from ((s, "machine, fused" if s.fused else "machine") for s in item.statements)
        elif isinstance(item, Line):
            yield item, "Python"


def _text(step: Any, names: Names) -> tuple[str, str, str]:
    """A step, the shape of what it makes, and the bytes."""
    if isinstance(step, Line):
        text, made = _call(step, names), list(step.makes())
        return f"{names.made(step)} = {text}" if made else text, *_size(made)
    if step.fused:
        return "; ".join(_part(s, names) for s in step.fused), *_size(step.made)
    if isinstance(owner := getattr(step.line.call, "__self__", None), Optimizer):
        return f"{owner.name}.step()", f"({step.calls[0][1][0].value.size},)", ""
    if step.product:
        return f"{names.made(step.line)} = product({', '.join(list(names.taken(step.line.inputs))[:2])})", *_size(
            list(step.line.makes())
        )
    return _text(step.line, names)


def _part(statement: Statement, names: Names) -> str:
    """A rule in a loop with others."""
    part = statement.part
    if part is not None and part.in_place:
        return f"{names.of(part.made)} += {', '.join(names.of(value) for value in part.reads())}"
    return _text(statement.line, names)[0]


def _size(made: Sequence[Value]) -> tuple[str, str]:
    """The shape of what is made, and the bytes of all of it."""
    return (str(made[0].shape), _bytes(sum(value.nbytes for value in made))) if made else ("", "")


def _bytes(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.4g} GiB"


def listing(function: str, program: Program, names: Names, times: Sequence[float] | None = None) -> Listing:
    """The program as text, a line a step; with times, in seconds by number of the step, these too."""
    steps = list(steps_of(program))
    rows = [[str(n), *_text(step, names), who] for n, (step, who) in enumerate(steps, 1)]
    if times is not None:
        rows.append(["", "all steps", "", "", ""])
        for row, seconds in zip(rows, [*times, sum(times)], strict=True):
            row.append(f"{1e6 * seconds:.2f} µs")
    by_machine = sum(who != "Python" for _, who in steps)
    schedule = program.schedule
    head = (
        f"{function}: {len(steps)} step{'s' * (len(steps) != 1)}, {by_machine} of them run by the machine; "
        f"{_bytes(schedule.arena.size)} kept for what they make, where the recorded call allocated {_bytes(schedule.record.allocated)}"
    )
    binds = [
        f"{names.place(i.leaf)}.grad ← {names.of(i.value) if i.value else 'None'}" for i, _ in program.items if isinstance(i, Bind)
    ]
    foot = [f"      {bind}" for bind in binds] + [f"      return {', '.join(names.taken(schedule.result)) or None}"]
    return Listing("\n".join([head, *_columns(rows), *foot]))


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        number, text, *rest = row
        cells = [number.rjust(4), text.ljust(widths[1]), *(cell.rjust(width) for cell, width in zip(rest, widths[2:], strict=True))]
        yield "  ".join(cells).rstrip()

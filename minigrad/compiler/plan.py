"""What of a record has to be done, in what order, and where its arrays lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ..core import Tensor
from ..kernels import moves
from ..kernels.machine import Built
from . import lower_rows  # noqa: F401  (declares statements)
from .fuse import fuse
from .lines import COPIES, Argument, Array, Bind, Line, OfTensor, Place, Value, mapped, values_in
from .lower import Statement, flat, lower
from .record import Record
from .update import Update, lower_update, places_of

__all__ = ["Arena", "Run", "Schedule"]

_ALIGNED = 64  # bytes: a cache line


class Run(NamedTuple):
    """Statements that the machine runs one after the other, the last of them those of an update."""

    statements: Sequence[Statement]
    update: Update | None = None


Item = Line | Bind | Run | Update


class Schedule:
    """The lines that count, as calls of Python and as runs of statements, and what has a home: a place in memory that it keeps.

    Values that are not needed at the same time share a stretch of the arena. Gradients lie where optimizers want them.
    """

    def __init__(self, record: Record, result: Any):
        self.record = record
        lines, renamed = _once(record.lines)
        lines, copies = _without_copies(_needed(lines, _renamed(result, renamed)), _renamed(result, renamed))
        self.lines, self.result = lines, _renamed(_renamed(result, renamed), copies)
        self.lent = _lent(lines, self.result)
        self.items: list[Item] = list(self._runs())
        self.arena = Arena()
        self.homes = self._settled()

    def cleared(self) -> list[Place]:
        """The leaves whose gradients are forgotten first of all."""
        first: dict[int, Bind] = {}
        for line in self.record.lines:
            if isinstance(line, Bind):
                first.setdefault(id(line.leaf), line)
        return [bind.leaf for bind in first.values() if bind.value is None]

    def fused(self) -> Schedule:
        """The same with neighbouring rules in one loop."""
        needed = Counter(id(value) for step in self._steps() for value in _taken(step))
        needed.update(id(value) for value in values_in(self.result))
        other = copy(self)
        movable = self.homes.keys() - self._kept()
        other.items = [i._replace(statements=fuse(i.statements, needed, movable)) if isinstance(i, Run) else i for i in self.items]
        other.arena = Arena()
        other.homes = other._settled()
        return other

    def built(self) -> list[Built]:
        """The kernels that are there for this schedule alone."""
        runs = [item for item in self.items if isinstance(item, Run)]
        return [entry for run in runs for s in run.statements for entry, _ in s.calls if isinstance(entry, Built)]

    def _steps(self) -> list[Any]:
        return [step for item in self.items for step in (item.statements if isinstance(item, Run) else [item])]

    def _runs(self) -> Iterator[Item]:
        """Statements gathered into runs. A call that takes nothing of the run before it goes ahead of it; binds wait for the next call
        that may look at gradients, or for the end."""
        run: list[Statement] = []
        binds: dict[int, Bind] = {}
        bound: dict[int, Value | None] = {}
        ahead: list[Line] = []
        moved: dict[int, Value] = {}
        for line in self.lines:
            line = _with(line, moved)
            if isinstance(line, Bind):
                binds[id(line.leaf)], bound[id(line.leaf)] = line, line.value
                continue
            statement = lower(line)
            if statement is not None:
                run.append(statement)
                continue
            if run and line.kind in ("pure", "free"):
                made = {id(value) for s in run for value in s.made}
                settled = not any(id(value) in self.lent for value in line.makes())
                if settled and not any(id(value.root) in made for value in line.reads()):
                    ahead.append(line)
                    continue
            update = lower_update(line, bound, self.lent)
            yield from ahead
            if run or update:
                yield Run([*run, *(update.statements if update else ())], update)
            run, ahead = [], []
            if line.kind == "barrier":
                yield from binds.values()
                binds = {}
            yield update or line
            for value in line.makes():
                if id(value) in self.lent:
                    run.append(self._moved(value))
                    moved[id(value)] = run[-1].made[0]
        yield from ahead
        if run:
            yield Run(run)
        yield from binds.values()

    def _moved(self, value: Value) -> Statement:
        """The copy of a gradient that Python makes to where an optimizer wants it."""
        line = Line("copy", np.copy, (value,))
        line.made = Value.room(value.shape, value.dtype, line)
        self.lent[id(line.made)] = self.lent.pop(id(value))
        return Statement(line, [(moves.copy[value.dtype], [flat(line.made), flat(value)])], [line.made])

    def _kept(self) -> set[int]:
        """By id: the gradients that outlive the call."""
        return {id(step.value.root) for step in self._steps() if isinstance(step, Bind) and step.value is not None}

    def _settled(self) -> dict[int, int]:
        """The place in the arena of every value that statements make, by id; a gradient that outlives the call has it for itself."""
        steps = self._steps()
        statements = [step for step in steps if isinstance(step, Statement)]
        heirs = {key: place for statement in statements for key, place in statement.heirs.items()}

        def owner(value: Value) -> int:
            value = value.root
            while id(value) in heirs:
                value = heirs[id(value)]
            return id(value)

        last = {owner(value): number for number, step in enumerate(steps) for value in _touched(step)}
        last |= {owner(value): len(steps) for value in values_in(self.result)}
        kept = self._kept()
        made = [value for statement in statements for value in statement.made]
        self._made = {id(value) for value in made}
        homes = {id(value): self.arena.take(value) for value in made if id(value) in kept and id(value) not in self.lent}
        ends: dict[int, list[Value]] = {}
        for number, step in enumerate(steps):
            for value in step.made if isinstance(step, Statement) else ():
                if id(value) not in homes and id(value) not in self.lent and id(value) not in heirs:
                    homes[id(value)] = self.arena.take(value)
                    ends.setdefault(last.get(id(value), number), []).append(value)
            for value in ends.pop(number, ()):
                self.arena.give(homes[id(value)], value)
        return homes | {id(value): homes[owner(value)] for value in made if id(value) in heirs}

    def view(self, value: Value) -> Array | None:
        """The array of a value that a statement makes; None for any other."""
        if id(value) in self.homes:
            return self.arena.view(self.homes[id(value)], value)
        return self.lent.get(id(value)) if id(value) in self._made else None


class Arena:
    """One stretch of memory, in which values lie side by side while they are needed, and in each other's place when they are not."""

    def __init__(self) -> None:
        self.size = 0
        self._gaps: list[tuple[int, int]] = []
        self._memory: Array | None = None

    def take(self, value: Value) -> int:
        """Room for a value: the smallest gap that will do, else new room at the end."""
        size = _whole(value)
        fitting = [gap for gap in self._gaps if gap[1] >= size]
        if fitting:
            offset, length = gap = min(fitting, key=lambda gap: gap[1])
            self._gaps.remove(gap)
            if length > size:
                self._gaps.append((offset + size, length - size))
            return offset
        self.size += size
        return self.size - size

    def give(self, offset: int, value: Value) -> None:
        """Take the room of a value back, joined with its neighbours."""
        size = _whole(value)
        for gap in list(self._gaps):
            if gap[0] + gap[1] == offset or offset + size == gap[0]:
                self._gaps.remove(gap)
                offset, size = min(offset, gap[0]), size + gap[1]
        self._gaps.append((offset, size))

    def view(self, offset: int, value: Value) -> Array:
        """The array at a place."""
        if self._memory is None:
            memory = np.zeros(self.size + _ALIGNED, np.uint8)
            self._memory = memory[-memory.ctypes.data % _ALIGNED :]
        return self._memory[offset : offset + value.nbytes].view(value.dtype).reshape(value.shape)


def _whole(value: Value) -> int:
    return -(-max(value.nbytes, 1) // _ALIGNED) * _ALIGNED


def _read(line: Line | Bind) -> Iterable[Value]:
    if isinstance(line, Bind):
        return () if line.value is None else (line.value,)
    return line.reads()


def _taken(step: Any) -> Iterable[Value]:
    """The values that a step takes, as often as it does."""
    if isinstance(step, Statement):
        return step.reads()
    return () if isinstance(step, Update) else _read(step)


def _touched(step: Any) -> Iterable[Value]:
    """The values that a step takes or makes."""
    if isinstance(step, Statement):
        return step.touches()
    return values_in((step.inputs, step.settings, step.made)) if isinstance(step, Line) else _taken(step)


# ---- what has to be done


def _without_copies(lines: Sequence[Line | Bind], result: Any) -> tuple[list[Line | Bind], dict[int, Value]]:
    """Without copies of what nobody else uses: copy and original are one. By id of the copy, the original."""
    uses = Counter(id(value) for line in lines for value in _read(line))
    uses.update(id(value) for value in values_in(result))
    viewed = {id(value.views) for line in lines if isinstance(line, Line) for value in line.makes()}
    originals: dict[int, Value] = {}
    kept: list[Line | Bind] = []
    for line in lines:
        if isinstance(line, Line) and line.name in COPIES and line.call is np.copy:
            source = line.inputs[0]
            made = source.source
            own = isinstance(made, Line) and made.kind == "pure" and (source.own or lower(made) is not None)
            if own and uses[id(source)] == 1 and id(source) not in viewed:
                originals[id(line.made)] = originals.get(id(source), source)
                continue
        kept.append(_with(line, originals))
    return kept, originals


def _with(line: Line | Bind, names: Mapping[int, Value]) -> Line | Bind:
    """The line with other Values in the place of some."""
    if isinstance(line, Bind):
        return Bind(line.leaf, None if line.value is None else names.get(id(line.value), line.value))
    line.inputs, line.settings = _renamed(line.inputs, names), _renamed(line.settings, names)
    for value in line.makes():
        value.views = value.views and names.get(id(value.views), value.views)
    return line


def _lent(lines: Sequence[Line | Bind], result: Any) -> dict[int, Array]:
    """The places where optimizers want gradients, by id of the value that is one."""
    places = {id(p): place for line in lines for p, place in places_of(line)}
    lent: dict[int, Array] = {}
    before: dict[int, Value] = {}
    read = {id(value): n for n, line in enumerate(lines) for value in _read(line)}
    read |= {id(value): len(lines) for value in values_in(result)}
    made = {id(value): n for n, line in enumerate(lines) if isinstance(line, Line) for value in line.makes()}
    for line in lines:
        value = line.value if isinstance(line, Bind) else None
        if value is None or id(line.leaf) not in places or id(value) not in made or not value.contiguous:  # type: ignore[union-attr]
            continue
        earlier = before.get(id(line.leaf))  # type: ignore[union-attr]
        if earlier is None or max(read[id(earlier)], made[id(earlier)]) <= made[id(value)] or earlier is value:
            lent[id(value)] = places[id(line.leaf)]  # type: ignore[union-attr]
            before[id(line.leaf)] = value  # type: ignore[union-attr]
        else:  # the earlier one is still needed: neither lies there
            lent.pop(id(earlier), None)
    return lent


def _once(lines: Sequence[Line | Bind]) -> tuple[list[Line | Bind], dict[int, Value]]:
    """Without lines that do what a line before did. Those are known by id of what they made, with what was made before.

    What is written somewhere is nobody's twin, and a line of it no constant truth.
    """
    written = {id(line.target) for line in lines if isinstance(line, Line) and line.kind == "write"}
    renamed: dict[int, Value] = {}
    done: dict[Any, Line] = {}
    kept: list[Line | Bind] = []
    for line in lines:
        line = _with(line, renamed)
        if isinstance(line, Bind):
            kept.append(line)
            continue
        if line.kind != "pure":
            kept.append(line)
            outside = line.kind == "write" and isinstance(line.target.source, (Argument, Tensor))
            if outside or line.kind == "barrier":  # it may write anywhere outside: there a Tensor may look into another's memory
                done.clear()
            continue
        touched = [*line.reads(), *line.makes()]
        key = None if line.name in COPIES or any(id(v.root) in written for v in touched) else _key(line)
        before = done.setdefault(key, line) if key is not None else line
        if before is line:
            kept.append(line)
            continue
        for mine, first in zip(values_in(line.made), values_in(before.made), strict=True):
            renamed[id(mine)] = first
    return kept, renamed


def _key(line: Line) -> Any:
    """Equal for lines that make the same."""
    return line.call, _plain(line.inputs)


def _plain(given: Any) -> Any:
    if isinstance(given, slice):
        return slice, _plain((given.start, given.stop, given.step))
    if type(given) in (list, tuple):
        return type(given), tuple(map(_plain, given))
    if isinstance(given, (int, float, str, type(None), type(...))):
        return type(given), repr(given)
    return id(given)


def _renamed(given: Any, names: Mapping[int, Value]) -> Any:
    """Nested arguments with other Values in the place of some."""

    def put(known: Value | OfTensor) -> Value | OfTensor:
        if isinstance(known, OfTensor):
            return OfTensor(names.get(id(known.value), known.value), known.place)
        return names.get(id(known), known)

    return mapped(given, (Value, OfTensor), put) if names else given


def _needed(lines: Sequence[Line | Bind], result: Any) -> list[Line | Bind]:
    """Without what nobody looks at: pure lines whose results are not used, and binds that are bound again before anyone could look."""
    needed = {id(value) for value in values_in(result)}
    bound: set[int] = set()
    kept: list[Line | Bind] = []
    for line in reversed(lines):
        if isinstance(line, Bind):
            if id(line.leaf) in bound:
                continue
            bound.add(id(line.leaf))
        elif line.kind == "pure":
            if not any(id(value) in needed for value in line.makes()):
                continue
        elif line.kind == "barrier":
            bound.clear()
        needed |= {id(value) for value in _read(line)}
        kept.append(line)
    return kept[::-1]

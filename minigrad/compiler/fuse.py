"""Neighbouring elementwise rules in one loop.

A rule moves up to an earlier one of equal shape, if they share a value and all that it takes exists by then; what only rules of the same
loop take is never stored. Every element is computed as before, so results stay the same bit for bit. Rules that add up (a loss with its
mean) stay alone: another loop would add in another order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..kernels import rows
from ..kernels.lift import fused_source
from ..kernels.machine import Area, Built
from .lines import Value
from .lower import Part, Statement, flat

__all__ = ["fuse"]

# So many pairs of a written and another array does LLVM check for overlaps; with more it gives up vector instructions.
_PAIRS = 8

# From so many bytes on, a rule that stands alone gets a loop of its own if that writes in the place of what it takes.
_LARGE = 1 << 20

# From so many bytes on, a matrix is summed faster while it is made: it does not stay in the nearest cache until then. Below, the loop
# over its rows costs more than the second look at it (moons 0.4 µs of 12.5, digits with batch 32 0.5 of 22.6).
_FAR = 1 << 16


class _Group:
    """Parts that become one loop."""

    def __init__(self, statement: Statement, part: Part):
        self.statements, self.parts = [statement], [part]
        self.sizes = part.sizes
        self.sums: Statement | None = None  # column sums of what it stores

    def made(self) -> set[int]:
        return {id(part.made) for part in self.parts}

    def taken(self) -> dict[int, Value]:
        """The values that come from outside of the loop, by id; what a part changes in place is among them."""
        made: set[int] = set()
        found: dict[int, Value] = {}
        for part in self.parts:
            bases = [part.made] if part.in_place else []
            found.update({id(value): value for value in (*bases, *part.arrays()) if id(value) not in made})
            made.add(id(part.made))
        return found

    def fits(self, part: Part) -> bool:
        """Whether a part runs over the same elements, and shares a value."""
        first = self.parts[0]
        if part.made.size != first.made.size or part.made.dtype != first.made.dtype:
            return False
        if self.sizes and part.sizes and self.sizes != part.sizes:
            return False
        shared = {id(value) for value in part.arrays()}
        return bool(shared & (self.made() | set(self.taken())))

    def stored(self, needed: Mapping[int, int]) -> list[Value]:
        """The values that others than these parts take."""
        inside = Counter(id(value) for part in self.parts for value in part.reads())
        return [part.made for part in self.parts if needed[id(part.made)] > inside[id(part.made)]]

    def add(self, statement: Statement, part: Part, needed: Mapping[int, int]) -> bool:
        """Take a part in, if LLVM can still tell all arrays apart."""
        self.statements.append(statement)
        self.parts.append(part)
        before, self.sizes = self.sizes, self.sizes or part.sizes
        stored = {id(value) for value in self.stored(needed)}
        read = [value for key, value in self.taken().items() if key not in stored]
        if len(stored) * len(read) + len(stored) * (len(stored) - 1) // 2 <= _PAIRS:
            return True
        self.statements.pop()
        self.parts.pop()
        self.sizes = before
        return False


def fuse(statements: Sequence[Statement], needed: Mapping[int, int], movable: Collection[int]) -> list[Statement]:
    """The statements with neighbours in one loop. `needed` counts, by id of a value, the places where it is taken; `movable` are the ids
    of those that may lie anywhere."""
    order: list[Statement | _Group] = []
    made_at: dict[int, int] = {}
    for statement in statements:
        part = statement.part
        if part is None:
            if not _sums(statement, order, made_at, needed):
                made_at.update((id(value), len(order)) for value in statement.made)
                order.append(statement)
            continue
        earliest = max((made_at.get(id(value), 0) for value in part.reads()), default=0)
        at = (
            None
            if part.in_place
            else next((n for n in range(earliest, len(order)) if _takes(order[n], statement, part, needed)), None)
        )
        if at is None:
            at = len(order)
            order.append(_Group(statement, part))
        made_at[id(part.made)] = at
    return [s for item in order for s in ([item] if isinstance(item, Statement) else _joined(item, needed, movable))]


def _sums(statement: Statement, order: Sequence[Any], made_at: dict[int, int], needed: Mapping[int, int]) -> bool:
    """Whether the loop that makes a matrix takes on its column sums."""
    kernel, given = statement.calls[0]
    if len(statement.calls) > 1 or not statement.made or kernel is not rows.column_sums.get(statement.made[0].dtype):
        return False
    matrix = given[1]
    if matrix.value.nbytes < _FAR:
        return False
    at = made_at.get(id(matrix.value), -1)
    group = order[at] if at >= 0 else None
    if not isinstance(group, _Group) or group.sums is not None or group.sizes not in ((), matrix.sizes):
        return False
    if id(matrix.value) not in {id(value) for value in group.stored(needed)} or needed[id(matrix.value)] < 2:
        return False
    group.sums, group.sizes = statement, matrix.sizes
    made_at[id(statement.made[0])] = at
    return True


def _takes(group: Statement | _Group, statement: Statement, part: Part, needed: Mapping[int, int]) -> bool:
    return isinstance(group, _Group) and group.fits(part) and group.add(statement, part, needed)


def _joined(group: _Group, needed: Mapping[int, int], movable: Collection[int]) -> list[Statement]:
    """The statement of a group, after that of the product which its first part changes; of one part, as it was, unless it is large."""
    first = group.statements[0]
    stored = {id(value): value for value in group.stored(needed)}
    heirs = _heirs(group, stored, needed, movable)
    large = bool(heirs) and group.parts[0].made.nbytes >= _LARGE
    if len(group.parts) == 1 and group.sums is None and not large:
        return [first]
    product = group.parts[0].made if group.parts[0].in_place else None
    arrays = {key: value for key, value in (stored | group.taken()).items() if key not in heirs}
    names = {key: f"b{n}" for n, key in enumerate(arrays)}
    names |= {key: names[id(place)] for key, place in heirs.items()}
    sums = [] if group.sums is None else [group.sums]
    summed = next((("sums", names[id(statement.calls[0][1][1].value)]) for statement in sums), None)
    masks = {
        id(given.value) for part in group.parts for operand, given in part.operands if operand.mask and isinstance(given, Area)
    }
    rules, results, scalars = _rules(group, names)
    dtype = first.made[0].dtype.name
    written = {names[key]: results[key] for key in stored}
    arrays |= {id(statement.made[0]): statement.made[0] for statement in sums}
    names |= {id(statement.made[0]): "sums" for statement in sums}
    source = fused_source(rules, [names[key] for key in arrays], written, list(scalars), bool(group.sizes), dtype, summed)
    kinds = ["boolean[::1]" if key in masks else f"{dtype}[::1]" for key in arrays]
    kinds += ["float64"] * len(scalars) + ["int64"] * len(group.sizes)
    call = Built(source, "fused", tuple(kinds)), [*map(flat, arrays.values()), *scalars.values(), *group.sizes]
    made = [*(value for value in stored.values() if value is not product), *(statement.made[0] for statement in sums)]
    fused = Statement(first.line, [call], made, fused=[*group.statements, *sums], heirs=heirs)
    return [fused] if product is None else [first._replace(calls=first.calls[:-1], part=None, product=True), fused]


def _heirs(group: _Group, stored: Mapping[int, Value], needed: Mapping[int, int], movable: Collection[int]) -> dict[int, Value]:
    """What is stored in the place of a value that nobody takes any more, by id: that value."""
    inside = Counter(id(value) for part in group.parts for value in part.reads())
    whole = {id(given.value) for part in group.parts for operand, given in part.operands if operand.layout == "f"}
    taken = group.taken()
    free = [key for key in taken if key in whole & set(movable) - set(stored) and needed[key] == inside[key]]
    made = {key for key, value in stored.items() if key in movable and key not in taken}
    dtype = group.parts[0].made.dtype
    return {key: taken[place] for key, place in zip(made, [key for key in free if taken[key].dtype == dtype], strict=False)}


def _rules(group: _Group, names: Mapping[int, str]) -> tuple[list[Any], dict[int, str], dict[str, Any]]:
    """The rules of the parts, each with what to write for its parameters, the names of their results by id of the value, and the numbers
    that they take."""
    index = {"f": "[n, j]" if group.sizes else "[i]", "r": "[j]", "c": "[n]"}
    results: dict[int, str] = {}
    scalars: dict[str, Any] = {}
    rules = []
    for n, part in enumerate(group.parts):
        words: dict[str, Any] = dict(part.constants)
        for operand, given in part.operands:
            if operand.layout == "s":
                words[operand.name] = f"s{len(scalars)}"
                scalars[f"s{len(scalars)}"] = given
            elif id(given.value) in results:  # of equal size, so that a row of it is all of it
                words[operand.name] = results[id(given.value)]
            else:
                matrix = "_" if operand.layout == "f" and group.sizes else ""
                words[operand.name] = f"{names[id(given.value)]}{matrix}{index[operand.layout]}"
        rules.append((part.text, words, f"v{n}"))
        results[id(part.made)] = f"v{n}"
    return rules, results, scalars

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
from ..kernels.kernel import kernel_of
from ..kernels.lift import fused_source
from ..kernels.machine import Built
from .fuse_rows import Rows, with_rows
from .lines import Value
from .loops import Group, Rules, kinds_of
from .lower import Part, Statement, flat

__all__ = ["fuse"]

# From so many bytes on, a rule that stands alone gets a loop of its own if that writes in the place of what it takes.
_LARGE = 1 << 20

# From so many bytes on, a matrix is summed faster while it is made: it does not stay in the nearest cache until then. Below, the loop
# over its rows costs more than the second look at it (moons 0.4 µs of 12.5, digits with batch 32 0.5 of 22.6).
_FAR = 1 << 16


def fuse(statements: Sequence[Statement], needed: Mapping[int, int], movable: Collection[int]) -> list[Statement]:
    """The statements with neighbours in one loop. `needed` counts, by id of a value, the places where it is taken; `movable` are the ids
    of those that may lie anywhere."""
    order: list[Statement | Group] = []
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
            order.append(Group(statement, part))
        made_at[id(part.made)] = at
    fused = []
    for item in with_rows(order):
        if isinstance(item, Statement):
            fused.append(item)
        else:
            fused += item.joined(needed) if isinstance(item, Rows) else _joined(item, needed, movable)
    return fused


def _sums(statement: Statement, order: Sequence[Any], made_at: dict[int, int], needed: Mapping[int, int]) -> bool:
    """Whether the loop that makes a matrix takes on its column sums."""
    kernel, given = statement.calls[0]
    if len(statement.calls) > 1 or kernel_of(kernel) is not rows.column_sums:
        return False
    matrix = given[1]
    if matrix.value.nbytes < _FAR:
        return False
    at = made_at.get(id(matrix.value), -1)
    group = order[at] if at >= 0 else None
    if not isinstance(group, Group) or group.sums is not None or group.sizes not in ((), matrix.sizes):
        return False
    if id(matrix.value) not in {id(value) for value in group.stored(needed)} or needed[id(matrix.value)] < 2:
        return False
    group.sums, group.sizes = statement, matrix.sizes
    made_at[id(statement.made[0])] = at
    return True


def _takes(group: Statement | Group, statement: Statement, part: Part, needed: Mapping[int, int]) -> bool:
    return isinstance(group, Group) and group.fits(part) and group.add(statement, part, needed)


def _joined(group: Group, needed: Mapping[int, int], movable: Collection[int]) -> list[Statement]:
    """The statement of a group, after that of the product which its first part changes; of one part, as it was, unless it is large."""
    first = group.statements[0]
    stored = {id(value): value for value in group.stored(needed)}
    heirs = _heirs(group, stored, needed, movable)
    large = bool(heirs) and group.parts[0].made.nbytes >= _LARGE
    if len(group.parts) == 1 and group.sums is None and not large:
        return [first]
    product = group.product
    arrays = {key: value for key, value in (stored | group.taken()).items() if key not in heirs}
    names = {key: f"b{n}" for n, key in enumerate(arrays)}
    names |= {key: names[id(place)] for key, place in heirs.items()}
    sums = [] if group.sums is None else [group.sums]
    summed = next((("sums", names[id(statement.calls[0][1][1].value)]) for statement in sums), None)
    index = {"f": "_[n, j]", "r": "[j]", "c": "[n]"} if group.sizes else {"f": "[i]"}
    written_out = Rules(names, index)
    rules, scalars = written_out.loop(group.parts), written_out.scalars
    dtype = first.made[0].dtype.name
    written = {names[key]: written_out.results[key] for key in stored}
    arrays |= {id(statement.made[0]): statement.made[0] for statement in sums}
    names |= {id(statement.made[0]): "sums" for statement in sums}
    source = fused_source(rules, [names[key] for key in arrays], written, list(scalars), bool(group.sizes), dtype, summed)
    kinds = [*kinds_of(group.parts, arrays, dtype), *["float64"] * len(scalars), *["int64"] * len(group.sizes)]
    call = Built(source, "fused", tuple(kinds)), [*map(flat, arrays.values()), *scalars.values(), *group.sizes]
    changed = product.made if product is not None else ()
    made = [*(value for value in stored.values() if value not in changed), *(statement.made[0] for statement in sums)]
    fused = Statement(first.line, [call], made, fused=[*group.statements, *sums], heirs=heirs)
    return [fused] if product is None else [product, fused]


def _heirs(group: Group, stored: Mapping[int, Value], needed: Mapping[int, int], movable: Collection[int]) -> dict[int, Value]:
    """What is stored in the place of a value that nobody takes any more, by id: that value."""
    inside = Counter(id(value) for part in group.parts for value in part.reads())
    whole = {id(given.value) for part in group.parts for operand, given in part.operands if operand.layout == "f"}
    taken = group.taken()
    free = [key for key in taken if key in whole & set(movable) - set(stored) and needed[key] == inside[key]]
    made = {key for key, value in stored.items() if key in movable and key not in taken}
    dtype = group.parts[0].made.dtype
    return {key: taken[place] for key, place in zip(made, [key for key in free if taken[key].dtype == dtype], strict=False)}

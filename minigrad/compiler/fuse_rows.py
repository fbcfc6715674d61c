"""Kernels over rows together with the loops of elementwise rules beside them, some rows at a time.

Each row is worked on by itself, by the text of the kernel that stands alone, so nothing changes a bit (LLVM turns sums into vectors in the
same way, which tests hold it to); what only these stages take is there for those rows alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import Any, NamedTuple

from ..kernels.kernel import NOTATION, Kernel, kernel_of
from ..kernels.lift import Rule, rows_source
from ..kernels.machine import Area, Built
from .lines import Value
from .loops import Group, Rules, kinds_of
from .lower import Statement, flat

__all__ = ["Rows", "with_rows"]

# From so many bytes on a matrix does not stay in the nearer caches until the next loop. A step with six of them loses up to 4 % by this
# below 256 KiB, and gains 2 % with 512 KiB, 25 % with 2 MiB, 38 % with 16 MiB.
_FAR = 1 << 20

# So many elements are worked on together: they, and what is made of them, stay in the nearest cache.
_NEAR = 4096

Stage = Statement | Group


class Rows(NamedTuple):
    """Stages, in their order, that work on the rows of matrices with these sizes: statements over rows, and groups."""

    stages: Sequence[Stage]
    sizes: tuple[int, ...]

    def statements(self) -> list[Statement]:
        """The statements that these stages are made of."""
        return [statement for stage in self.stages for statement in _statements(stage)]

    def made(self) -> dict[int, Value]:
        """What the stages make, by id."""
        return {id(value): value for stage in self.stages for value in _makes(stage)}

    def groups(self) -> list[Group]:
        return [stage for stage in self.stages if isinstance(stage, Group)]

    def joined(self, needed: Mapping[int, int]) -> list[Statement]:
        """The one statement for all of it, after those of the products that the first parts of groups change."""
        groups, parts = self.groups(), [part for group in self.groups() for part in group.parts]
        products = [group.product for group in groups if group.product is not None]
        forms = _forms(self) or {}
        whole = self._whole(needed, forms)
        near = self._near(whole)
        made = self.made()
        touched = [value for stage in self.stages for value in (*_makes(stage), *_arrays(stage))]
        arrays = {id(v): near.get(id(v), v) for v in touched if id(v) not in made or id(v) in whole or id(v) in near}
        names = {key: f"b{n}" for n, key in enumerate(arrays)}
        cuts = {names[key]: "w" if key in near else forms[key] for key in arrays}
        rules = Rules(names, {"f": "_[n, j]", "r": "[j]", "c": "_[n]"})
        kernels = [_kernel(stage) for stage in self.stages if isinstance(stage, Statement)]
        dtype = next(iter(made.values())).dtype.name
        source = rows_source(
            [_loop(stage, rules, names) if isinstance(stage, Group) else _call(stage, names, cuts) for stage in self.stages],
            {kernel.function.__name__: kernel.text for kernel in kernels},
            cuts,
            list(rules.scalars),
            dtype,
            NOTATION.union(*(part.text.notation for part in parts)),
        )
        kinds = [*kinds_of(parts, arrays, dtype), *["float64"] * len(rules.scalars), *["int64"] * 3]
        call = (
            Built(source, "fused", tuple(kinds)),
            [*map(flat, arrays.values()), *rules.scalars.values(), *self.sizes, self._step()],
        )
        changed = {id(value) for product in products for value in product.made}
        new = [value for key, value in made.items() if key in whole - changed]
        line = next(stage.line for stage in self.stages if isinstance(stage, Statement))
        last_first = [*new[::-1], *near.values()]  # listings show the shape of the first
        return [*products, Statement(line, [call], last_first, fused=self.statements())]

    def _step(self) -> int:
        """How many rows are worked on together."""
        return min(self.sizes[0], max(1, _NEAR // self.sizes[1]))

    def _whole(self, needed: Mapping[int, int], forms: Mapping[int, str]) -> set[int]:
        """By id, what must be there as a whole afterwards: it is taken elsewhere, is changed in place, or is no matrix of these rows."""
        inside = Counter(id(value) for stage in self.stages for value in _reads(stage))
        changed = {id(part.made) for group in self.groups() for part in group.parts if part.in_place}
        return {key for key in self.made() if needed[key] > inside[key] or forms[key] != "f"} | changed

    def _near(self, whole: Collection[int]) -> dict[int, Value]:
        """Room for some rows of what is handed on from one stage to the next and taken nowhere else, by id of the value."""
        handed: dict[int, Value] = {}
        for n, stage in enumerate(self.stages):
            later = {id(value) for other in self.stages[n + 1 :] for value in _reads(other)}
            handed |= {id(v): v for v in _makes(stage) if isinstance(stage, Statement) or id(v) in later}
        size, line = (self._step() * self.sizes[1],), self.statements()[0].line
        return {key: Value.room(size, v.dtype, line) for key, v in handed.items() if key not in whole}

    def possible(self) -> bool:
        """Whether every array is cut in one way, and no product, which goes ahead of all stages, takes what a stage makes."""
        made = self.made().keys()
        products = [group.product for group in self.groups() if group.product is not None]
        ahead = all(made.isdisjoint(id(value) for value in product.reads()) for product in products)
        return ahead and _forms(self) is not None


def with_rows(order: Sequence[Stage]) -> list[Stage | Rows]:
    """The order with statements over large matrices joined with their neighbours."""
    items: list[Any] = list(order)
    for n, item in enumerate(items):
        sizes = _sizes(item)
        if sizes is None:
            continue
        rows = Rows([item], sizes)
        while (found := _neighbour(items, n, rows)) is not None:
            i, rows = found
            items[i], items[n] = None, rows
    return [item for item in items if item is not None]


def _neighbour(items: Sequence[Any], n: int, rows: Rows) -> tuple[int, Rows] | None:
    """An item that may be a stage of the rows that stand at n: its number, and the rows with it."""
    dtype = _makes(rows.stages[0])[0].dtype
    for i, item in enumerate(items):
        fits = _sizes(item) == rows.sizes or (isinstance(item, Group) and _fits(item, rows.sizes))
        fits = fits and _makes(item)[0].dtype == dtype
        if i == n or not fits or not (_precedes(items, i, n, rows) if i < n else _follows(items, i, n, rows)):
            continue
        joined = Rows([item, *rows.stages] if i < n else [*rows.stages, item], rows.sizes)
        if joined.possible():
            return i, joined
    return None


def _fits(group: Group, sizes: tuple[int, ...]) -> bool:
    return group.sums is None and group.sizes in ((), sizes) and group.parts[0].made.size == prod(sizes)


def _sizes(item: Any) -> tuple[int, ...] | None:
    """The sizes of the matrix that a statement works on row by row, if it is one kernel that does, on a large one."""
    kernel = kernel_of(item.calls[0][0]) if isinstance(item, Statement) and len(item.calls) == 1 else None
    if kernel is None or not kernel.cuts:
        return None
    arguments = item.calls[0][1]
    matrix = next(a for a, cut in zip(arguments, kernel.cuts, strict=True) if cut == "r" and len(a.sizes) == 2)
    plain = all(isinstance(a, (Area, int)) or (isinstance(a, float) and isfinite(a)) for a in arguments)
    return matrix.sizes if plain and matrix.value.nbytes >= _FAR and matrix.sizes[0] > 1 else None


def _precedes(items: Sequence[Any], i: int, n: int, rows: Rows) -> bool:
    """Whether the item i makes what the rows at n take, and may wait for them."""
    made = _made(items[i])
    return bool(made & _taken(rows)) and not any(made & _taken(items[k]) for k in range(i + 1, n))


def _follows(items: Sequence[Any], i: int, n: int, rows: Rows) -> bool:
    """Whether the item i takes what the rows at n make, and nothing that comes after them."""
    taken = _taken(items[i])
    if isinstance(items[i], Group) and items[i].parts[0].in_place:
        return False
    return bool(taken & _made(rows)) and not any(_made(items[k]) & taken for k in range(n + 1, i))


def _statements(item: Any) -> list[Statement]:
    if isinstance(item, Rows):
        return item.statements()
    if isinstance(item, Group):
        return [*item.statements, *([item.sums] if item.sums else [])]
    return [] if item is None else [item]


def _taken(item: Any) -> set[int]:
    """What an item takes, by id of the value."""
    return {id(value) for statement in _statements(item) for value in statement.reads()}


def _made(item: Any) -> set[int]:
    return {id(value) for statement in _statements(item) for value in statement.made}


def _makes(stage: Stage) -> list[Value]:
    return [part.made for part in stage.parts] if isinstance(stage, Group) else list(stage.made)


def _reads(stage: Stage) -> list[Value]:
    """What the loop or the kernel of a stage takes, as often as it does."""
    return [value for part in stage.parts for value in part.reads()] if isinstance(stage, Group) else stage.reads()


def _arrays(stage: Stage) -> list[Value]:
    """Those of them that are no single numbers."""
    return [value for part in stage.parts for value in part.arrays()] if isinstance(stage, Group) else stage.reads()


def _forms(rows: Rows) -> dict[int, str] | None:
    """How the arrays are cut for some rows, by id of the value, in the letters of `rows_source`; None where one would have to be cut in two
    ways."""
    forms: dict[int, str] = {}
    for value, form in (found for stage in rows.stages for found in _cut(stage)):
        if forms.setdefault(id(value), form) != form:
            return None
    return forms


def _cut(stage: Stage) -> Iterator[tuple[Value, str]]:
    if isinstance(stage, Group):
        yield from ((part.made, "f") for part in stage.parts)
        given = [(o, a) for part in stage.parts for o, a in part.operands if isinstance(a, Area)]
        yield from ((a.value, {"f": "f", "r": "-", "c": "r"}[o.layout]) for o, a in given)
    else:
        for a, cut in zip(stage.calls[0][1], _kernel(stage).cuts, strict=True):
            if isinstance(a, Area):
                yield a.value, {"r": "f" if len(a.sizes) == 2 else "r", "w": "v"}.get(cut, cut)


def _kernel(stage: Statement) -> Kernel:
    kernel = kernel_of(stage.calls[0][0])
    assert kernel is not None
    return kernel


def _loop(group: Group, rules: Rules, names: Mapping[int, str]) -> tuple[Sequence[Rule], Mapping[str, str]]:
    """The rules of a group, and which array gets which result."""
    written = rules.loop(group.parts)
    return written, {names[id(p.made)]: rules.results[id(p.made)] for p in group.parts if id(p.made) in names}


def _call(stage: Statement, names: Mapping[int, str], cuts: Mapping[str, str]) -> str:
    """The call of a kernel over rows."""
    given = [names[id(a.value)] if isinstance(a, Area) else repr(a) for a in stage.calls[0][1]]
    return f"{_kernel(stage).function.__name__}({', '.join(name + '_' * (cuts.get(name, '-') != '-') for name in given)})"

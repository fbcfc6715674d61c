"""Elementwise rules that go into one loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..kernels.lift import Rule
from ..kernels.machine import Area
from .lines import Value
from .lower import Part, Statement

__all__ = ["Group", "Rules", "kinds_of"]

# So many pairs of a written and another array does LLVM check for overlaps; with more it gives up vector instructions.
_PAIRS = 8


class Group:
    """Parts that become one loop."""

    def __init__(self, statement: Statement, part: Part):
        self.statements, self.parts = [statement], [part]
        self.sizes = part.sizes
        self.sums: Statement | None = None  # column sums of what it stores

    @property
    def product(self) -> Statement | None:
        """What is to be done before, where the first part changes the result of a product: the product."""
        first = self.statements[0]
        return first._replace(calls=first.calls[:-1], part=None, product=True) if self.parts[0].in_place else None

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


def kinds_of(parts: Sequence[Part], arrays: Iterable[int], dtype: str) -> list[str]:
    """Numba's names for the types of flat arrays, by id of the value, that loops of these parts take: masks are booleans."""
    masks = {id(given.value) for part in parts for operand, given in part.operands if operand.mask and isinstance(given, Area)}
    return ["boolean[::1]" if key in masks else f"{dtype}[::1]" for key in arrays]


class Rules:
    """Writes the rules of parts out for loops: with `names` for arrays, by id of the value, and `index` for an element of one, by layout."""

    def __init__(self, names: Mapping[int, str], index: Mapping[str, str]):
        self._names, self._index = names, index
        self._count = 0
        self.scalars: dict[str, Any] = {}  # the numbers that they take
        self.results: dict[int, str] = {}  # the names of the results, by id of the value

    def loop(self, parts: Sequence[Part]) -> list[Rule]:
        """The rules of one loop."""
        self.results = {}
        return [self._rule(part) for part in parts]

    def _rule(self, part: Part) -> Rule:
        words: dict[str, Any] = dict(part.constants)
        for operand, given in part.operands:
            if operand.layout == "s":
                words[operand.name] = f"s{len(self.scalars)}"
                self.scalars[words[operand.name]] = given
            else:  # a result of this loop is of equal size, so that a row of it is all of it
                element = self._names[id(given.value)] + self._index[operand.layout] if id(given.value) not in self.results else ""
                words[operand.name] = self.results.get(id(given.value), element)
        self.results[id(part.made)] = name = f"v{self._count}"
        self._count += 1
        return part.text, words, name

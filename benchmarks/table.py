"""Tables of results: as aligned text for a terminal, as Markdown for a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isinf

MISSED = "✗"
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def ratio(theirs: float | None, ours: float | None) -> float | None:
    """Their time over ours; None where either is missing."""
    return None if theirs is None or not ours else theirs / ours


def number(value: float | None) -> str:
    """About three digits: 0.83, 4.12, 57.3, 1240."""
    if value is None:
        return "–"
    if isinf(value):
        return "∞" if value > 0 else "−∞"
    if value >= 1e5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them: 1.13 ms."""
    factor, unit = next((unit for unit in UNITS if seconds >= unit[0]), UNITS[-1])
    return f"{number(seconds / factor)} {unit}"


@dataclass
class Table:
    """Rows of text cells under a title; the first column is a name, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    note: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    picture: str = ""  # a file beside RESULTS.md

    def add(self, *cells: str) -> None:
        if len(cells) != len(self.columns):
            raise ValueError(f"{self.title}: a row needs {len(self.columns)} cells, got {len(cells)}")
        self.rows.append(cells)

    def at_least(self, what: str, value: float | None, target: float | None) -> str:
        """The value as a cell, marked and noted where it misses its target. (A value that rounds to its target reaches it.)"""
        return self._judged(what, value, target, "at least", value is not None and target is not None and value < target - 0.005)

    def at_most(self, what: str, value: float | None, target: float | None) -> str:
        return self._judged(what, value, target, "at most", value is not None and target is not None and value > target + 0.005)

    def _judged(self, what: str, value: float | None, target: float | None, bound: str, missed: bool) -> str:
        if not missed:
            return number(value)
        self.missed.append(f"{what}: {number(value)}, {bound} {target:g}")
        return f"{number(value)} {MISSED}"

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]

        def line(cells: tuple[str, ...]) -> str:
            aligned = (c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
            return "  ".join(aligned).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, *filter(None, [self.note]), "", line(self.columns), rule, *map(line, self.rows)])

    def markdown(self) -> str:
        def line(cells: tuple[str, ...]) -> str:
            return "| " + " | ".join(cells) + " |"

        rule = "|---|" + "---:|" * (len(self.columns) - 1)
        above = filter(None, (self.note, self.picture and f"![{self.title}]({self.picture})"))
        head = [f"## {self.title}", "", *(part for text in above for part in (text, ""))]
        return "\n".join([*head, line(self.columns), rule, *map(line, self.rows)])

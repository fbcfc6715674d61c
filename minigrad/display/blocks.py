"""What documents are made of. Each block has two readers: a terminal takes its text, a page its HTML."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from ..errors import ArgumentError
from . import figures

__all__ = ["Block", "Cell", "Details", "Markup", "Picture", "Pre", "Table", "Text", "number"]

WIDTH = 100  # columns of running text
LONG = 30  # characters from which a page breaks a table's entry into lines


class Block(Protocol):
    """A piece of a document."""

    def text(self) -> str:
        """For a terminal; empty if there is nothing to say in text."""

    def html(self) -> str:
        """For a page: self-contained HTML, styled by `style.css`."""


def number(value: Any, decimals: int = 4) -> str:
    """A number as a table shows it: whole ones in full, others with some decimals, or with three figures where these would say little."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    value = float(value)
    if value == 0 or 10 ** (1 - decimals) <= abs(value) < 1e6:
        return f"{value:,.{decimals}f}"
    return f"{value:.2e}" if math.isfinite(value) else str(value)


@dataclass(frozen=True)
class Cell:
    """A table's entry with a look of its own: `shade` from 0 to 1 colours its ground, `strong` makes it bold; in text, neither shows.

    `figures`: how many significant ones of a number are shown, whatever the others of its column need.
    """

    value: Any
    shade: float = 0.0
    strong: bool = False
    figures: int = 0


_NUMBERS = (int, float, np.number, np.bool_)


@dataclass
class Table:
    """Rows under a head. Numbers are formatted by `number`, and columns of numbers stand on the right.

    `row_heads`: whether the first column names the rows.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    row_heads: bool = True
    note: str = ""
    _cells: list[list[Cell]] = field(init=False, repr=False)
    _right: list[bool] = field(init=False, repr=False)
    _decimals: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for n, row in enumerate(self.rows):
            if len(row) != len(self.head):
                raise ArgumentError(f"Table: row {n} has {len(row)} cells, the head {len(self.head)}")
        self._cells = [[value if isinstance(value, Cell) else Cell(value) for value in row] for row in self.rows]
        columns = zip(*self._cells, strict=True) if self._cells else [()] * len(self.head)
        self._right = [any(isinstance(cell.value, _NUMBERS) for cell in column) for column in columns]
        self._decimals = [_decimals([row[n].value for row in self._cells]) for n in range(len(self.head))]

    def text(self) -> str:
        lines = [list(self.head), *([self._shown(n, cell) for n, cell in enumerate(row)] for row in self._cells)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        form = [
            "  ".join(
                f"{word:{'>' if right else '<'}{width}}" for word, width, right in zip(line, widths, self._right, strict=True)
            )
            for line in lines
        ]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        body = [line.rstrip() for line in [form[0], rule, *form[1:]]]
        return "\n".join([*filter(None, [self.title]), *body, *filter(None, [self.note])])

    def html(self) -> str:
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        side = [' class="n"' if right else "" for right in self._right]
        head = "".join(f'<th scope="col"{at}>{escape(word)}</th>' for word, at in zip(self.head, side, strict=True))
        rows = "".join(f"<tr>{''.join(self._html_cell(n, cell) for n, cell in enumerate(row))}</tr>" for row in self._cells)
        note = f'<p class="note">{escape(self.note)}</p>' if self.note else ""
        table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(self.title or self.head[0])}">{table}</div>{note}'

    def _html_cell(self, column: int, cell: Cell) -> str:
        kind = 'th scope="row"' if column == 0 and self.row_heads else "td"
        shown = self._shown(column, cell)
        looks = {"n": self._right[column], "long": len(shown) > LONG, "strong": cell.strong, "shaded": cell.shade > 0}
        names = [name for name, on in looks.items() if on]
        look = f' class="{" ".join(names)}"' if names else ""
        look += f' style="--shade:{cell.shade:.3f}"' if cell.shade > 0 else ""
        return f"<{kind}{look}>{escape(shown)}</{kind.split()[0]}>"

    def _shown(self, column: int, cell: Cell) -> str:
        if not isinstance(cell.value, _NUMBERS):
            return str(cell.value)
        return f"{cell.value:.{cell.figures}g}" if cell.figures else number(cell.value, self._decimals[column])


def _decimals(values: Sequence[Any]) -> int:
    """How many decimals a column of numbers takes to show three figures of the smallest: from 4 to 6."""
    sizes = [abs(float(value)) for value in values if isinstance(value, (float, np.floating)) and math.isfinite(value) and value]
    return min(max(4, 2 - math.floor(math.log10(min(sizes)))), 6) if sizes else 4


@dataclass(frozen=True)
class Text:
    """A paragraph, or with a level (1 to 3) a heading."""

    value: str
    level: int = 0

    def text(self) -> str:
        if not self.level:
            return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False) for line in self.value.splitlines())
        return f"{self.value}\n{'═' * len(self.value)}" if self.level == 1 else self.value

    def html(self) -> str:
        tag = f"h{self.level}" if self.level else "p"
        return f"<{tag}>{escape(self.value)}</{tag}>"


@dataclass(frozen=True)
class Pre:
    """Lines that stay as they are: a chart of characters, a tree."""

    value: str

    def text(self) -> str:
        return self.value

    def html(self) -> str:
        return f'<pre tabindex="0" role="region" aria-label="text">{escape(self.value)}</pre>'


@dataclass(frozen=True)
class Markup:
    """HTML of one's own, and what a terminal shows in its place."""

    markup: str
    plain: str = ""

    def text(self) -> str:
        return self.plain

    def html(self) -> str:
        return self.markup


@dataclass(frozen=True)
class Details:
    """Blocks that a page folds away under a line; a terminal shows what text they have."""

    summary: str
    blocks: Sequence[Block]

    def text(self) -> str:
        inner = "\n\n".join(filter(None, (block.text() for block in self.blocks)))
        return f"{self.summary}\n\n{inner}" if inner else ""

    def html(self) -> str:
        return f"<details><summary>{escape(self.summary)}</summary>{''.join(block.html() for block in self.blocks)}</details>"


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when it is asked for: `draw` puts axes into the figure (or part of one) that it is handed.

    `alt` says in words what is to be seen. Sizes are in inches; at five wide a picture fits a phone.
    """

    draw: Callable[[Any], None]
    alt: str
    size: tuple[float, float] = (5.0, 3.6)

    def text(self) -> str:
        return ""

    def html(self) -> str:
        """The picture as an SVG image; without matplotlib, a note in its place."""
        if find_spec("matplotlib") is None:
            return f"<p class=\"note\">(no picture without matplotlib, pip install '.[plots]': {escape(self.alt)})</p>"
        address, width = figures.data_address(self.draw, self.size), f"{self.size[0] * 96:.0f}px"
        return f'<img class="picture" src="{address}" alt="{escape(self.alt)}" style="width:{width}">'

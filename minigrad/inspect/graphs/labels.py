"""What is written on the boxes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from ...core import get_default_dtype
from ..values import short, written
from .folding import Box, Link
from .nodes import Input, Node

__all__ = ["Label", "constant", "kind", "label", "shape", "times"]

_LONG = 36  # characters of a line on a box
_ARGUMENTS = 12  # that are told one by one


@dataclass(frozen=True)
class Label:
    """The words on a box. `size` has no shape where a number is shown; `constants` are arguments without gradient; `whole` is all that is
    known, line by line."""

    title: str
    size: str
    settings: str
    constants: tuple[str, ...]
    known: tuple[str, ...]
    whole: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a drawn box: the title, then facts, none of them long."""
        more = [f"and {len(self.constants) - 3:,} more constants"] if len(self.constants) > 3 else []
        facts = [self.size, self.settings, *self.constants[:3], *more, *self.known]
        return _cut(self.title), *(line for fact in facts for line in wrap(fact, _LONG, max_lines=3, placeholder=" …"))


def label(box: Box, nodes: Sequence[Node]) -> Label:
    """The label of a box. One that stands for several nodes has no values, as each has its own."""
    node, several = box.node, len(box.members) > 1
    pairs = () if several else (("value", node.value), ("gradient", node.gradient))
    known = tuple(f"{name} {written(array)}" for name, array in pairs if array is not None)
    title = (_range([nodes[i] for i in box.members]) if several else node.title) + times(box)
    arguments = [f"takes {_argument(link, nodes, several)}" for link in box.links[:_ARGUMENTS]]
    whole = [
        title,
        f"{kind(node)}, shape {node.shape}, {node.dtype}",
        *filter(None, [node.settings]),
        *arguments,
        *([f"and {len(box.links) - _ARGUMENTS:,} more"] if len(box.links) > _ARGUMENTS else []),
        *known,
        *([] if several or node.norm is None else [f"norm of the gradient {short(node.norm)}"]),
    ]
    return Label(
        title,
        shape("" if known and node.shape == () and node.value is not None else node.shape, node.dtype).strip(),
        node.settings,
        tuple(constant(link.input, several) for link in box.links if link.to is None),
        known,
        tuple(whole),
    )


def kind(node: Node) -> str:
    """Which of the three kinds of nodes it is."""
    return "operation" if node.operation else "parameter" if node.parameter else "variable"


def times(box: Box) -> str:
    """How many nodes a box stands for, if it is not one."""
    return f" × {len(box.members):,}" if len(box.members) > 1 else ""


def shape(size: Any, dtype: Any) -> str:
    """A shape, with the dtype unless it is the usual one."""
    return f"{size}" if dtype == get_default_dtype() else f"{size} {dtype}"


def constant(given: Input, several: bool = False) -> str:
    """An argument that carries no gradient: a tensor by its shape, a number by its value, and a small tensor by both, unless the box
    stands for several nodes."""
    if given.shape is None:
        return f"{given.argument}: {'a number' if given.value is None else short(given.value)}"
    value = "" if several or given.value is None else f" = {written(np.asarray(given.value))}"
    return f"{given.argument}: {f'{given.name} ' if given.name else ''}{shape(given.shape, given.dtype)}{value}, no gradient"


def _argument(link: Link, nodes: Sequence[Node], several: bool) -> str:
    """An argument in full."""
    given = link.input
    if given.node is None:
        return constant(given, several)
    taken = nodes[given.node]
    return f"{given.argument}: {taken.title} {shape(taken.shape, taken.dtype)}{f', {link.times:,} times' if link.times > 1 else ''}"


def _range(members: Sequence[Node]) -> str:
    """One name for copies: the operation, or what the names of the first and of the last leaf have in common, "1…6.weight"."""
    first, last = members[-1].title, members[0].title
    if members[0].operation or first == last:
        return members[0].operation or first
    ones, others = first.split("."), last.split(".")
    if len(ones) != len(others):
        return f"{first} … {last}"
    return ".".join(one if one == other else f"{one}…{other}" for one, other in zip(ones, others, strict=True))


def _cut(text: str) -> str:
    """A title on one line, without its middle if it is long."""
    text = " ".join(text.split())
    half = (_LONG - 1) // 2
    return text if len(text) <= _LONG else f"{text[:half]}…{text[-half:]}"

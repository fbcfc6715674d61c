"""Documents: results that show themselves as text, as HTML, as figures and as plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .blocks import Block, Details, Picture
from .figures import figure
from .pages import fragment

__all__ = ["Document", "plain"]


class Document:
    """Base of what is looked at. A subclass says of which blocks it is made, and what its data are.

    `print(document)` and `document.show()` give text, a notebook HTML, `document.plot()` the pictures in a matplotlib Figure.
    """

    title = ""
    """What a page calls it."""

    def headline(self) -> str:
        """The most important of it, in a sentence or two; may be empty."""
        return ""

    def blocks(self) -> Sequence[Block]:
        """The pieces, in the order of reading."""
        raise NotImplementedError(f"{type(self).__name__} does not define blocks")

    def to_dict(self) -> dict[str, Any]:
        """The data: dictionaries, lists, strings and numbers."""
        raise NotImplementedError(f"{type(self).__name__} does not define to_dict")

    def to_json(self, path: str | Path | None = None) -> str:
        """`to_dict` as JSON, written to `path` if one is given. What is no finite number becomes null."""
        text = json.dumps(_finite(self.to_dict()), allow_nan=False, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def show(self) -> None:
        """Print it."""
        print(self)

    def plot(self, path: str | Path | None = None) -> Any:
        """Its pictures in one matplotlib Figure, saved to `path` if one is given.

        Errors: MissingExtraError without matplotlib; ArgumentError if there is nothing to draw.
        """
        name = type(self).__name__
        pictures = list(_pictures(self.blocks()))
        if not pictures:
            raise ArgumentError(f"{name}.plot: there is nothing to draw")
        return figure(f"{name}.plot", pictures, path)

    def __str__(self) -> str:
        return "\n\n".join(filter(None, (block.text() for block in self.blocks())))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return fragment(self.blocks())


def _pictures(blocks: Sequence[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Details):
            yield from _pictures(block.blocks)


def plain(value: Any) -> Any:
    """Arrays, NumPy numbers, tuples and mappings as lists, numbers and dictionaries."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


def _finite(value: Any) -> Any:
    """Plain data with None for what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list) else value

"""A model as a table: its layers, the shapes they hand on, their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Tensor, get_default_dtype, no_grad
from ..errors import InputTypeError
from .module import Module
from .utils import evaluating

__all__ = ["Summary", "summary"]


@dataclass(frozen=True)
class Summary:
    """What `summary` found. As text it is a table; `rows` are (layer, depth, output shape, own parameters)."""

    rows: tuple[tuple[str, int, str, int], ...]
    total_params: int
    trainable_params: int
    param_bytes: int

    def __str__(self) -> str:
        head = ("Layer", "Output shape", "Parameters")
        body = [("  " * depth + layer, shape, f"{own:,}" if own else "–") for layer, depth, shape, own in self.rows]
        widths = [max(len(row[i]) for row in (head, *body)) for i in range(3)]
        lines = [f"{a:<{widths[0]}}   {b:<{widths[1]}}   {c:>{widths[2]}}" for a, b, c in (head, *body)]
        rule = "─" * (sum(widths) + 6)
        frozen = self.total_params - self.trainable_params
        total = (
            f"{self.total_params:,} parameters ({self.trainable_params:,} trainable, {frozen:,} frozen), {_size(self.param_bytes)}"
        )
        return "\n".join([lines[0], rule, *lines[1:], rule, total])

    __repr__ = __str__


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def summary(model: Module, input_shape: Sequence[Any], dtype: Any = None) -> Summary:
    """The layers of a model with the shapes they hand on and their parameters, as a table to print.

    `input_shape` is the whole shape, batch included, or a list of shapes for a model of several inputs. The model runs once on zeros
    (of `dtype`; default: that of its parameters), in evaluation mode and without recording; it is left as it was.

        >>> from minigrad import nn
        >>> print(nn.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (32, 4)))
        Layer         Output shape   Parameters
        ───────────────────────────────────────
        Sequential    (32, 2)                 –
          0: Linear   (32, 8)                40
          1: ReLU     (32, 8)                 –
          2: Linear   (32, 2)                18
        ───────────────────────────────────────
        58 parameters (58 trainable, 0 frozen), 232 bytes
    """
    if not isinstance(model, Module):
        raise InputTypeError(f"summary: model must be a Module, got {type(model).__name__}")
    if not isinstance(input_shape, Sequence):
        raise InputTypeError(f"summary: input_shape must be a tuple, batch included, or a list of tuples; got {input_shape!r}")
    several = len(input_shape) > 0 and isinstance(input_shape[0], Sequence)
    shapes = [tuple(shape) for shape in input_shape] if several else [tuple(input_shape)]
    floats = [p.dtype for p in model.parameters() if p.is_floating_point()]
    kind = dtype or (floats[0] if floats else get_default_dtype())
    seen = _shapes(model, [Tensor(np.zeros(shape, kind)) for shape in shapes])
    rows = []
    for name, module in model.named_modules(remove_duplicate=False):
        depth, last = (name.count(".") + 1, name.rpartition(".")[2] + ": ") if name else (0, "")
        own = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append((f"{last}{type(module).__name__}", depth, seen.get(id(module), "not run"), own))
    parameters = list(model.parameters())
    return Summary(
        tuple(rows),
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.array.nbytes for p in parameters),
    )


def _shapes(model: Module, inputs: list[Tensor]) -> dict[int, str]:
    """What each module that ran handed on first, by the module's id."""
    seen: dict[int, str] = {}

    def note(module: Module, args: Any, output: Any) -> None:
        seen.setdefault(id(module), _shape(output))

    with ExitStack() as stack:
        for module in model.modules():
            stack.enter_context(module.register_forward_hook(note))
        with evaluating(model), no_grad():
            model(*inputs)
    return seen


def _shape(output: Any) -> str:
    if isinstance(output, Tensor):
        return str(output.shape)
    return ", ".join(map(_shape, output)) if isinstance(output, (tuple, list)) else type(output).__name__

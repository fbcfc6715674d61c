"""The places in a model whose outputs the doctor looks at: layers, and activations wherever they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core import Step, Tensor
from ...kernels.arrays import euclidean_norm
from ...nn import Module
from ..capture import Capture, Ran
from .statistics import ACTIVATIONS, LINEAR, PROBABILITIES, SLOPES, Activation

__all__ = ["Places", "origin"]

_MOVES = frozenset({"expand_to", "getitem", "permute_to", "reshape_to", "squeeze", "transpose", "unsqueeze", "window"})
"""Operations that move values and change none."""

_BOUNDS = frozenset({"clamp_both", "clamp_max", "clamp_min"})
"""Operations that keep probabilities away from 0 and 1."""


def origin(x: Tensor | Step | None) -> str:
    """The operation that made the values of a Tensor, whatever moved them since, or kept what is a probability in bounds; a number divided
    by them is a "reciprocal"."""
    step = x.step if isinstance(x, Tensor) else x
    while step is not None and step.op.name in _MOVES:
        step = step.edges[0] if isinstance(step.edges[0], Step) else None
    if step is None:
        return ""
    if step.op.name in _BOUNDS:
        inner = origin(step.edges[0])
        return inner if inner in PROBABILITIES else step.op.name
    return "reciprocal" if step.op.name == "div" and step.record.tracked[0] == 1 else step.op.name


def _name(ran: Ran) -> str:
    """What an operation is called; by its formula, if a ReLU is written as another one."""
    rectifies = ran.op.name in ("clamp_min", "maximum") and any(map(_is_zero, ran.inputs))
    return "relu" if rectifies else ran.op.name


def _is_zero(x: Any) -> bool:
    """Whether it is a constant, of zeros."""
    return x.step is None and not x.array.any() if isinstance(x, Tensor) else not np.any(x)


class Places:
    """Statistics of activations, place by place, over batches: `activations`, in the order in which they first ran."""

    def __init__(self, model: Any):
        self.modules: dict[str, Module] = dict(model.named_modules()) if isinstance(model, Module) else {}
        self._known: dict[tuple[str, str, int], Activation] = {}
        self._latest: list[tuple[Activation, Ran]] = []

    @property
    def activations(self) -> list[Activation]:
        return list(self._known.values())

    def layer(self, name: str) -> str:
        """What messages call a layer."""
        return f"Layer {name} ({type(self.modules[name]).__name__})"

    def note(self, capture: Capture, operations: Sequence[Ran], given: Tensor | None) -> None:
        """Take in a run of the model, of which the loss was handed `given`: the outputs of layers that have no layers in them, and
        beside them activations and products with weights."""
        parents = {layer.name.rpartition(".")[0] for layer in capture.layers} - {""}
        leaves = [layer for layer in capture.layers if layer.name and layer.name not in parents]
        ends = {layer.end - 1 for layer in leaves if layer.end is not None and layer.end > layer.begin}
        calls: Counter[tuple[str, str]] = Counter()
        self._latest = []
        for n, ran in enumerate(operations):
            name = _name(ran)
            beside = name in ACTIVATIONS or (name in LINEAR and ran.layer not in parents)
            if ran.values.dtype.kind != "f" or name in _MOVES or not (n in ends or beside):
                continue
            calls[ran.layer, name] += 1
            key = ran.layer, name, calls[ran.layer, name]
            if key not in self._known:
                units = ran.values.shape[-1] if ran.values.ndim > 1 else 1
                self._known[key] = Activation(self._place(*key, n in ends), name, units, ran.layer, ran.attrs, self._weighted(ran))
            self._known[key].add(ran.values)
            self._latest.append((self._known[key], ran))
            if name in SLOPES and given is not None:
                self._known[key].is_head = np.array_equal(ran.values.ravel(), given.array.ravel())

    def note_gradients(self) -> None:
        """Take in the backward pass of the run that was noted last."""
        for activation, ran in self._latest:
            if ran.gradient is not None:
                activation.gradients.append(euclidean_norm(ran.gradient))

    def _weighted(self, ran: Ran) -> bool:
        """Whether an operation is, or ends, a layer with a matrix of weights."""
        own = self.modules[ran.layer].parameters(recurse=False) if ran.layer in self.modules else ()
        leaves = [x for x in ran.inputs[1:] if isinstance(x, Tensor) and x.requires_grad and x.step is None]
        return _name(ran) not in ACTIVATIONS and any(x.ndim > 1 for x in (*own, *leaves))

    def _place(self, layer: str, op: str, call: int, is_layer: bool) -> str:
        if is_layer:
            return self.layer(layer) + (f", call {call}" if call > 1 else "")
        return op.removesuffix("_exact") + (f" {call}" if call > 1 else "") + (f" in {self.layer(layer)}" if layer else "")

"""Derivatives of functions as wholes, recomputing instead of keeping, and what a graph keeps."""

from __future__ import annotations

from collections.abc import Sequence

from ..core import Tensor, detect_anomaly, enable_grad, grad, no_grad, set_grad_enabled
from ..core import backward as run_backward
from ..errors import ArgumentError
from . import functional
from .function import Function
from .functional import hessian, hvp, jacobian, jvp, vhp, vjp
from .memory import SavedMemory, saved_memory
from .recompute import checkpoint

__all__ = [
    "Function",
    "SavedMemory",
    "backward",
    "checkpoint",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "no_grad",
    "saved_memory",
    "set_grad_enabled",
    "vhp",
    "vjp",
]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """`Tensor.backward` of several tensors in one pass: of their sum, each weighted by its entry of `grad_tensors`."""
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if grad_tensors is None:
        seeds: list[Tensor | None] = [None] * len(roots)
    else:
        seeds = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors)
    if len(seeds) != len(roots):
        raise ArgumentError(f"backward: grad_tensors has {len(seeds)} entries for {len(roots)} tensors")
    run_backward(roots, seeds, retain_graph, create_graph, inputs)

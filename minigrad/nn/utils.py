"""Gradients kept in bounds, parameters as one vector, and models put in evaluation mode for a while."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core import Tensor, array_of, by_replay, check_number, derived, get_default_dtype, no_grad, touch
from ..errors import ArgumentError, DomainError, InputTypeError, ShapeError
from ..kernels.arrays import euclidean_norm
from ..ops.convert import check_tensors
from ..ops.joining import cat
from .module import Module

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "evaluating",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]


def _listed(name: str, tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for x in found:
        if not isinstance(x, Tensor):
            raise InputTypeError(f"{name}: expected Tensors, got {type(x).__name__}")
    return found


def _gradients(name: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _listed(name, parameters) if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The p-norm of all elements of all tensors, as of one vector; norm_type may be inf. 0 if there are none.

    `foreach`, here and below, chooses among PyTorch's loops and changes nothing.

    Errors: DomainError for a norm that is NaN or infinite, if `error_if_nonfinite`.
    """
    return _total_norm("get_total_norm", _listed("get_total_norm", tensors), norm_type, error_if_nonfinite)


@by_replay("free")
def _total_norm(name: str, tensors: list[Tensor], norm_type: float, error_if_nonfinite: bool) -> Tensor:
    norm_type = math.inf if norm_type == "inf" else norm_type  # type: ignore[comparison-overlap]  # as in PyTorch's examples
    check_number(name, norm_type=norm_type)
    arrays = [x.array for x in tensors]
    dtype = np.result_type(*arrays) if arrays else get_default_dtype()
    with np.errstate(all="ignore"):
        norms = np.array([_norm(x, norm_type) for x in arrays], np.float64)
        total = _norm(norms, norm_type) if arrays else 0.0
    if error_if_nonfinite and not math.isfinite(total):
        raise DomainError(f"{name}: the total norm of order {norm_type} is {total}")
    return Tensor(np.asarray(total, dtype))


def _norm(x: Any, p: float) -> float:
    if p == 2:
        return euclidean_norm(x)
    size = np.abs(x, dtype=np.float64).ravel()
    if math.isinf(p):
        return float(size.max(initial=0.0) if p > 0 else size.min(initial=math.inf))
    if p == 0:
        return float(np.count_nonzero(size))
    return float((size**p).sum() ** (1 / p))


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients by max_norm / (total_norm + 10⁻⁶), but never up."""
    check_number("clip_grads_with_norm_", max_norm=max_norm)
    factor = derived("factor", _factor, max_norm, array_of(total_norm, "clip_grads_with_norm_"))
    for g in _gradients("clip_grads_with_norm_", parameters):
        _scale(g, factor)


def _factor(max_norm: float, total_norm: Any) -> Any:
    factor = max_norm / (total_norm + 1e-6)
    return np.where(factor > 1, 1, factor)  # NaN stays


@by_replay("write")
def _scale(g: Tensor, factor: Any) -> None:
    touch(g)
    with np.errstate(all="ignore"):
        g.array *= factor.astype(g.dtype)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place, by one factor so that their norm as one vector is at most max_norm. Returns the norm before.

    The factor is min(1, max_norm / (norm + 10⁻⁶)); with an infinite norm gradients become 0 or NaN, with NaN all become NaN.
    Errors: DomainError for a norm that is NaN or infinite, if `error_if_nonfinite`; nothing is changed then.
    Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
    """
    check_number("clip_grad_norm_", max_norm=max_norm)
    parameters = _listed("clip_grad_norm_", parameters)
    total = _total_norm("clip_grad_norm_", _gradients("clip_grad_norm_", parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every element of all gradients to [−clip_value, clip_value], in place."""
    check_number("clip_grad_value_", clip_value=clip_value)
    for g in _gradients("clip_grad_value_", parameters):
        _clip(g, clip_value)


@by_replay("write")
def _clip(g: Tensor, clip_value: float) -> None:
    touch(g)
    np.clip(g.array, -clip_value, clip_value, out=g.array)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters as one vector, in the graph."""
    tensors = _listed("parameters_to_vector", parameters)
    if not tensors:
        raise ArgumentError("parameters_to_vector: expected at least one parameter, got none")
    return cat([p.reshape(-1) for p in tensors])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write a vector's elements into the parameters, in place, one after the other.

    Errors: ShapeError, before anything is changed, if it holds too few (deviation: PyTorch fails in the middle).
    """
    check_tensors("vector_to_parameters", vec=vec)
    tensors = _listed("vector_to_parameters", parameters)
    needed = sum(p.numel() for p in tensors)
    if vec.ndim != 1 or vec.numel() < needed:
        raise ShapeError(f"vector_to_parameters: the parameters have {needed} elements, got vec of shape {vec.shape}")
    start = 0
    with no_grad():
        for p in tensors:
            p.copy_(vec[start : start + p.numel()].reshape(p.shape))
            start += p.numel()


@contextmanager
def evaluating(model: Callable[..., Any]) -> Iterator[None]:
    """Within it a model is in evaluation mode; after it each of its modules is in the mode that it was in. Any other callable has no
    modes."""
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

"""What plain arguments must be: numbers, ints, dtypes, names of reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, InputTypeError

__all__ = ["NUMPY_WORDS", "check_device", "check_kind", "check_number", "check_probability", "check_reduction", "checked_dtype"]

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "float": ((int, float, np.number), "a number"),
    "int": ((int, np.integer), "an int"),
    "bool": ((bool, int, np.bool_), "True or False"),
}


NUMPY_WORDS = {"axis": "dim", "keepdims": "keepdim", "axis0": "dim0", "axis1": "dim1", "split_size": "split_size_or_sections"}
"""Other words for settings."""


def check_kind(name: str, argument: str, value: Any, annotation: str) -> None:
    """Refuse a value that is not what a parameter's annotation says, where that is a plain kind ("float", "int | None")."""
    kind = annotation.removesuffix(" | None")
    classes, expected = _KINDS.get(kind, ((object,), ""))
    if not isinstance(value, classes) and not (value is None and kind != annotation):
        raise InputTypeError(f"{name}: {argument} must be {expected}, got {value!r}")


def check_number(name: str, **values: Any) -> None:
    """Refuse arguments that are no numbers."""
    for argument, value in values.items():
        check_kind(name, argument, value, "float")


def check_probability(name: str, p: Any) -> None:
    """Refuse a p outside [0, 1]."""
    check_number(name, p=p)
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p must be a probability in [0, 1], got {p}")


def check_device(name: str, device: Any) -> None:
    """Refuse any device but the one there is."""
    if device is not None and str(device) != "cpu":
        raise ArgumentError(f"{name}: device must be None or 'cpu', got {device!r}")


def check_reduction(name: str, reduction: Any) -> None:
    """Refuse what is no reduction of a loss."""
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"{name}: reduction must be one of 'none', 'mean', 'sum', got {reduction!r}")


def broadcasts_to(shape: tuple[int, ...], larger: tuple[int, ...]) -> bool:
    """Whether an array of `shape` can be repeated to the other shape."""
    try:
        return np.broadcast_shapes(shape, larger) == larger
    except ValueError:
        return False


def checked_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """A dtype that tensors can have, in the machine's byte order: kernels trust the bytes."""
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        other = str(dtype).partition(":")[0] in ("cuda", "mps", "xpu")
        raise DtypeError(f"{name}: {dtype!r} is no dtype{', and the only device is the CPU' * other}") from None
    if wanted.kind not in "fiub":
        raise DtypeError(f"{name}: dtype {wanted} is not supported; expected floats, integers or bool")
    return np.dtype(wanted.type)  # type: ignore[no-any-return]  # the one object of this dtype, so that a comparison is by identity

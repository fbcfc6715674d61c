"""Numbers of an answer beside the right ones: whether they agree, and if not, how they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..display import Table
from .exercises import Wrong

__all__ = [
    "Case",
    "Mistake",
    "agree",
    "close",
    "compare_edges",
    "compare_values",
    "copied",
    "factor_between",
    "known_mistake",
    "lost",
    "numbers",
    "running",
    "table",
    "untouched",
]

_ROWS = 5
_CLOSE, _FLOOR = 1e-6, 1e-12


@dataclass(frozen=True)
class Case:
    """Arguments of a trial, by name, and what is special about them."""

    what: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Mistake:
    """What a wrong answer computes, and what to tell its author."""

    says: str
    wrong: Callable[..., Any]


def running(call: Callable[[], Any], what: str) -> Any:
    """What the answer returns. Errors: Wrong if it raises something, or returns nothing."""
    try:
        with np.errstate(all="ignore"):
            result = call()
    except Exception as error:
        why = ". The arguments are NumPy arrays, not Tensors, and have NumPy's methods." if _takes_arrays_for_tensors(error) else ""
        raise Wrong(f"{what} stops with {type(error).__name__}: {error}{why}") from error
    if result is None or result is Ellipsis:
        raise Wrong(f"{what} returns nothing yet: the result has to come back with return.")
    return result


def _takes_arrays_for_tensors(error: Exception) -> bool:
    if isinstance(error, AttributeError):
        return isinstance(error.obj, (np.ndarray, np.generic))
    return isinstance(error, TypeError) and any(f"argument '{name}'" in str(error) for name in ("dim", "keepdim"))


def copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, arrays as copies: an answer may write into them."""
    return {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in arguments.items()}


def untouched(arguments: Mapping[str, Any], given: Mapping[str, Any], says: str) -> None:
    """Errors: Wrong, with the name put into `says`, if an array that was given away as a copy has changed."""
    for name, value in arguments.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, given[name], equal_nan=value.dtype.kind == "f"):
            raise Wrong(says.format(name=name))


def numbers(result: Any, what: str) -> Array:
    """The result as an array of floats. Errors: Wrong if it is none."""
    array = result.array if isinstance(result, Tensor) else result
    try:
        return np.asarray(array, np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what} should be a number or an array, and is a {type(result).__name__}.") from None


def agree(got: Array, want: Array, floor: float = _FLOOR) -> bool:
    """Whether the shapes agree and all numbers are `close`."""
    return got.shape == want.shape and bool(close(got, want, floor).all())


def close(got: Array, want: Array, floor: float = _FLOOR) -> Array:
    """Which numbers agree: to six digits or to `floor`, or both infinite, or both no number."""
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= _CLOSE * np.abs(want) + floor
    return np.asarray(near | (got == want) | (np.isnan(got) & np.isnan(want)))


def factor_between(got: Array, want: Array) -> float | None:
    """The number by which all of `want` has to be multiplied to give `got`, if there is one.

    Where all of `want` is one number there always is one, which says nothing unless it is 0 or −1.
    """
    used = np.abs(want) > 1e-9
    if got.shape != want.shape or not used.any() or not np.isfinite(got).all() or np.abs(got[~used]).max(initial=0) > 1e-9:
        return None
    ratios = got[used] / want[used]
    if np.ptp(ratios) > 1e-6 * abs(ratios[0]):
        return None
    telling = np.ptp(want[used]) > 0 or ratios[0] == 0 or abs(ratios[0] + 1) < 1e-6
    return float(ratios[0]) if telling else None


def compare_values(got: Array, want: Array, case: Case, mistakes: Sequence[Mistake]) -> None:
    """Hold the values of a trial against the right ones. Errors: Wrong, with the first of the explanations that fits."""
    if agree(got, want):
        return
    known = known_mistake(got, mistakes, *case.arguments.values())
    if got.shape != want.shape:
        raise Wrong(known or f"{_of(case)} the result has shape {got.shape}; it should have {want.shape}.", _inputs(case))
    evidence = table(case, {"yours": got, "right": want}, ~close(got, want))
    raise Wrong(known or _general(got, want, case), evidence)


def compare_edges(got: Array, want: Array, case: Case, mistakes: Sequence[Mistake], unstable: str, strict: bool) -> None:
    """The same where careless formulas fail; with `strict`, the smallest numbers count. Errors: Wrong, saying why."""
    floor = 0 if strict else _FLOOR
    if agree(got, want, floor):
        return
    if got.shape != want.shape:
        compare_values(got, want, case, mistakes)
    wrong = ~close(got, want, floor)
    bounded = (
        f"{_of(case)} {_results(wrong)} finite, and wrong: what keeps a formula from overflowing (a bound, a small "
        "number added) must not change what it gives, and a small number beside a large one is rounded away."
    )
    why = known_mistake(got, mistakes, *case.arguments.values()) or (unstable if lost(got, want).any() else bounded)
    raise Wrong(why, table(case, {"yours": got, "right": want}, wrong))


def known_mistake(got: Array, mistakes: Sequence[Mistake], *arguments: Any) -> str:
    """What to say if the result is that of a mistake that is known; else empty."""
    for mistake in mistakes:
        try:
            with np.errstate(all="ignore"):
                wrong = np.asarray(mistake.wrong(*arguments), np.float64)
        except ValueError:  # shapes that this mistake cannot be made with
            continue
        if agree(got, wrong) and np.isfinite(wrong).any():  # that both are no number says nothing
            return mistake.says
    return ""


def _general(got: Array, want: Array, case: Case) -> str:
    gone = lost(got, want)
    if gone.any():
        return f"{_of(case)} {_results(gone)} inf or nan, where finite numbers come out."
    factor = factor_between(got, want)
    if factor is not None and abs(factor + 1) < 1e-6:
        return f"{_of(case)} the sign is the other way round."
    if factor == 0:
        return f"{_of(case)} the result is 0 everywhere."
    if factor is not None:
        return f"{_of(case)} every result is {factor:.4g} times what it should be: a factor is missing, or one too many."
    wrong = ~close(got, want)
    return f"{_of(case)} {wrong.sum()} of {want.size} results differ." if want.size > 1 else f"{_of(case)} the result differs."


def lost(got: Array, want: Array) -> Array:
    """Where a number should be finite, and is not."""
    return np.asarray(np.isfinite(want) & ~np.isfinite(got))


def _results(which: Array) -> str:
    return f"{which.sum()} of {which.size} results are" if which.size > 1 else "the result is"


def _of(case: Case) -> str:
    return f"With {case.what},"


def _inputs(case: Case) -> Table:
    rows = [
        [name, str(np.shape(value)), np.array2string(np.asarray(value), threshold=8, precision=4)]
        for name, value in case.arguments.items()
    ]
    return Table(["argument", "shape", "value"], rows, "What went in")


def table(case: Case, columns: Mapping[str, Array], where: Array) -> Table:
    """Some of the places that `where` marks: their index, the inputs of the shape of the result, and the columns."""
    places = np.argwhere(where)[:_ROWS]
    shape = where.shape
    beside = {name: np.asarray(value) for name, value in case.arguments.items() if np.shape(value) == shape and shape}
    head = [*(["index"] if shape else []), *beside, *columns]
    rows = [
        [
            *([", ".join(map(str, place))] if shape else []),
            *(_number(values[tuple(place)]) for values in (*beside.values(), *columns.values())),
        ]
        for place in places
    ]
    more = int(where.sum()) - len(rows)
    return Table(head, rows, note=f"and {more} more" if more > 0 else "")


def _number(value: Any) -> str:
    return f"{value:.6g}"

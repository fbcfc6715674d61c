"""The report of a gradient check: where the Jacobians differ, by how much, and what that usually means."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from ..core import Tensor
from ..core.tensor import Array

if TYPE_CHECKING:
    from .check import Check

__all__ = ["Mismatch", "report"]


@dataclass(frozen=True)
class Mismatch:
    """A Jacobian, or a part of it (rows: input elements, columns: output elements), that is not the numeric one."""

    check: Check
    source: int
    target: int
    rows: Sequence[int]
    columns: Sequence[int]
    analytic: Array
    numeric: Array

    @property
    def input_name(self) -> str:
        return self.check.names[self.check.sources[self.source]]

    @property
    def output(self) -> Tensor:
        return self.check.outputs[self.check.targets[self.target]]

    @property
    def output_name(self) -> str:
        return self.check.output_names[self.check.targets[self.target]]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.check.point(self.source).shape

    @property
    def is_whole(self) -> bool:
        return (len(self.rows), len(self.columns)) == (self.check.point(self.source).size, self.check.centre[self.target].size)

    @cached_property
    def failing(self) -> Array:
        return self.check.differs(self.analytic, self.numeric)

    @cached_property
    def kinks(self) -> Array:
        """The failing entries that a kink explains."""
        out = np.zeros_like(self.failing)
        for row in np.flatnonzero(self.failing.any(1)):
            out[row] = self.failing[row] & self._kinks_of_row(int(row))
        return out

    def _kinks_of_row(self, row: int) -> Array:
        """A slope that stays the same at a smaller step belongs to a side without curvature or noise. It is a kink if both stay and
        the analytic value lies between them, or if one stays and is the analytic value: then the kink is close by, on the other side.
        """
        element, analytic = self.rows[row], self.analytic[row]
        (up, down), (near_up, near_down) = (
            [slope[self.columns] for slope in self.check.slopes(self.source, element, self.target, h)]
            for h in (self.check.eps, self.check.eps / 10)
        )
        jump = np.abs(up - down)
        up_stays, down_stays = np.abs(up - near_up) <= jump / 10, np.abs(down - near_down) <= jump / 10
        slack = jump / 20
        between = (analytic >= np.minimum(up, down) - slack) & (analytic <= np.maximum(up, down) + slack)
        beside = (up_stays & (np.abs(up - analytic) <= slack)) | (down_stays & (np.abs(down - analytic) <= slack))
        return np.asarray((jump > 0) & ((up_stays & down_stays & between) | beside))

    @cached_property
    def blamed(self) -> Array:
        """The failing entries that no kink explains; if there are none, all failing ones."""
        rest = self.failing & ~self.kinks
        return rest if rest.any() else self.failing

    @cached_property
    def worst(self) -> tuple[int, int]:
        excess = np.abs(self.analytic - self.numeric) / (self.check.atol + self.check.rtol * np.abs(self.numeric) + 1e-300)
        place = np.argmax(np.where(self.blamed, np.nan_to_num(excess, nan=np.inf), -1.0))
        row, column = np.unravel_index(place, self.failing.shape)
        return int(row), int(column)

    @cached_property
    def right(self) -> Array:
        """The entries that agree and are not merely zero."""
        return np.asarray(~self.failing & (np.abs(self.numeric) > self.check.atol))

    def is_close(self, analytic: Array, numeric: Array) -> bool:
        return not self.check.differs(analytic, numeric).any()


def report(found: Sequence[Mismatch]) -> str:
    m = next((m for m in found if not m.kinks[m.failing].all()), found[0])
    check, (row, column) = m.check, m.worst
    analytic, numeric = m.analytic[row, column], m.numeric[row, column]
    others = [f"{o.output_name} by {o.input_name}" for o in found if o is not m]
    examined = "" if m.is_whole else f" examined, of {check.point(m.source).size * check.centre[m.target].size}"
    kinks = f", {'all' if m.kinks[m.failing].all() else m.kinks.sum()} of them at kinks" if m.kinks.any() else ""
    x, j = check.point(m.source).flat[m.rows[row]], _element(m.input_name, m.input_shape, m.rows[row])
    y = _element(m.output_name, m.output.shape, m.columns[column])
    title = (
        f"{check.caller}: the gradient of {m.output_name} {m.output.shape} by input {check.sources[m.source]}, "
        f"{m.input_name} {m.input_shape}, does not match central differences"
    )
    lines = [
        title,
        "",
        f"  worst at     d {y} / d {j}, where {j} = {x:.6g}",
        f"  analytic     {analytic:.10g}",
        f"  numeric      {numeric:.10g}",
        f"  ratio        {f'{analytic / numeric + 0.0:.6g}' if numeric else 'none, numeric is 0'}",
        f"  max error    {_largest_errors(m)}",
        f"  failing      {m.failing.sum()} of {m.failing.size} entries of the Jacobian{examined}{kinks}",
        f"  checked at   eps {check.eps:g}, rtol {check.rtol:g}, atol {check.atol:g}",
        *([f"  also wrong   {', '.join(others)}"] if others else []),
        "",
        textwrap.fill(_diagnosis(m), 100, initial_indent="  ", subsequent_indent="  "),
    ]
    return "\n".join(lines)


def _largest_errors(m: Mismatch) -> str:
    error, size = np.abs(m.analytic - m.numeric)[m.blamed], np.abs(m.numeric)[m.blamed]
    relative = f", {(error[size > 0] / size[size > 0]).max():.3g} relative" if (size > 0).any() else ""
    return f"{error.max():.3g} absolute{relative}"


def _element(name: str, shape: tuple[int, ...], flat: int) -> str:
    index = ", ".join(str(int(i)) for i in np.unravel_index(flat, shape)) if shape else ""
    return f"{name}[{index}]" if index else name


# ---- what a mismatch usually means


def _diagnosis(m: Mismatch) -> str:
    if not m.failing.any():
        return (
            "The gradient is wrong along a random direction, but no single entry examined is: many small errors that add up. "
            'Check with mode="full".'
        )
    return next(text for text in (diagnose(m) for diagnose in _DIAGNOSES) if text is not None)


def _not_finite(m: Mismatch) -> str | None:
    row, column = m.worst
    if np.isfinite(m.analytic[row, column]) and np.isfinite(m.numeric[row, column]):
        return None
    if not np.isfinite(m.check.centre[m.target][m.columns[column]]):
        return "NaN or Inf: the function itself is not finite at this point; move the sample."
    if np.isfinite(m.numeric[row, column]):
        return (
            "NaN or Inf: the function and its differences are finite, the backward rule is not: a division by 0, or 0 · inf in the "
            "branch of a where that is not taken (make its argument harmless before the operation)."
        )
    return f"NaN or Inf: {m.input_name} ± eps leaves the domain of the function; move the sample further inside than eps."


def _detached(m: Mismatch) -> str | None:
    if m.output.requires_grad:
        return None
    return (
        f"{m.output_name} does not require grad, and yet it changes with {m.input_name}: the graph is cut by detach(), no_grad(), "
        "NumPy arithmetic, or an operation that has no backward rule."
    )


def _kink(m: Mismatch) -> str | None:
    if not m.kinks[m.failing].all():
        return None
    row, column = m.worst
    slopes = m.check.slopes(m.source, m.rows[row], m.target, m.check.eps)
    up, down = (slope[m.columns[column]] for slope in slopes)
    return (
        f"A kink (or a jump), not a wrong rule: the one-sided differences disagree, {down:.6g} from below and {up:.6g} from above, and "
        "the analytic value is one of them or lies between. Differences say nothing at such a point: move the sample away from "
        f"{m.input_name} = {m.check.point(m.source).flat[m.rows[row]]:.6g} by more than eps."
    )


def _step_size(m: Mismatch) -> str | None:
    """Truncation error falls with the step squared, rounding error grows as the step falls; the error of a wrong rule stays."""
    row, eps = m.worst[0], m.check.eps
    blamed, analytic = m.blamed[row], m.analytic[row]

    def error(h: float) -> float:
        numeric = m.check.numeric(m.source, [m.rows[row]], h)[m.target][0, m.columns]
        return float(np.abs(analytic - numeric)[blamed].max())

    here, finer = error(eps), max(error(eps / d) for d in (20, 30, 40))
    if finer < here / 20:
        return (
            f"The step is too coarse, the rule may be right: the error falls from {here:.2g} to {finer:.2g} with a step about 30 "
            f"times smaller. The function curves strongly here; take eps={eps / 30:.1g} or a tamer sample."
        )
    if finer > 3 * here:
        return (
            f"Rounding, the rule may be right: the error grows from {here:.2g} to {finer:.2g} with a step about 30 times smaller. "
            "The output is large next to its change, or a part of it is computed in float32; take a larger eps or smaller values."
        )
    return None


def _no_sum(m: Mismatch) -> str | None:
    """Along an output axis over which the input was broadcast, one element is right and all others are 0."""
    if len(m.columns) != m.check.centre[m.target].size or np.abs(m.analytic[m.blamed]).max() > m.check.atol:
        return None
    shape = (len(m.rows), *m.output.shape)
    blamed, right = m.blamed.reshape(shape), m.right.reshape(shape)
    for axis in range(1, len(shape)):
        hit = blamed.any(axis)
        if (right.sum(axis)[hit] == 1).all() and (blamed.sum(axis)[hit] == shape[axis] - 1).all():
            return (
                f"A sum is missing: {m.input_name} is used all along axis {axis - 1} of {m.output_name}, but its gradient comes from "
                "one element of that axis alone. The rule must sum g over the axes along which the input was broadcast."
            )
    return None


def _no_gradient(m: Mismatch) -> str | None:
    if np.abs(m.analytic[m.blamed]).max() > m.check.atol:
        return None
    extent = "in part" if m.right.any() or m.analytic.any() else "altogether"
    return (
        f"The gradient is missing {extent}: the analytic value is 0 where {m.output_name} does change with {m.input_name}. Usually "
        f"a detach() or no_grad() on the way, a rule that forgets a use of its argument, or the wrong branch of a where.{_extent(m)}"
    )


def _no_dependence(m: Mismatch) -> str | None:
    if np.abs(m.numeric[m.blamed]).max() > m.check.atol:
        return None
    return (
        f"A gradient from nowhere: the analytic value is not 0 where {m.output_name} does not change with {m.input_name}. Usually the "
        f"wrong branch of a where, a needless term, or g handed to elements that had no part in the output.{_extent(m)}"
    )


def _factor(m: Mismatch) -> str | None:
    """The same ratio in all failing entries; a single entry counts only with a ratio that has a name."""
    analytic, numeric = m.analytic[m.blamed], m.numeric[m.blamed]
    ratio = float(analytic @ numeric / (numeric @ numeric)) if numeric.any() else 0.0
    if ratio == 0 or not m.is_close(analytic / ratio, numeric):
        return None
    named = _named_factor(m, ratio)
    if named is None and analytic.size == 1:
        return None
    everywhere = "throughout" if not m.right.any() else f"in the {analytic.size} failing entries, the others are right"
    if abs(ratio + 1) < 1e-5:
        return f"The sign is flipped {everywhere}: a minus is missing or one too many, or a − b stands for b − a.{_extent(m)}"
    return f"A constant factor, {ratio:.8g} {everywhere}: {named or 'a constant or a setting of the rule is wrong'}.{_extent(m)}"


def _named_factor(m: Mismatch, ratio: float) -> str | None:
    def is_ratio(value: float) -> bool:
        return abs(ratio / value - 1) < 1e-5

    if is_ratio(-1):
        return "the sign"
    hints = []
    for n, what in _lengths(m).items():
        if is_ratio(n):
            hints.append(f"{n} is {what}: the division by n of a mean is missing, or a sum runs over an axis too many")
        elif is_ratio(1 / n):
            hints.append(f"1/{n}, and {n} is {what}: a division by n too many, or a mean where a broadcast input needs the sum")
        elif n > 2 and (is_ratio(n / (n - 1)) or is_ratio((n - 1) / n)):
            hints.append(f"{n} is {what}: n and n − 1 are confused")
    if is_ratio(2):
        hints.append("a factor ½ is forgotten, or a term counted twice")
    elif is_ratio(0.5):
        hints.append("the 2 of a square's derivative is forgotten, or one of two equal terms")
    elif ratio < 0 and not hints:
        hints.append("the sign is wrong as well")
    return "; or ".join(hints) or None


def _lengths(m: Mismatch) -> dict[int, str]:
    """Lengths that a mean may have divided by, and what they are."""
    lengths: dict[int, str] = {}
    for name, shape in ((m.input_name, m.input_shape), (m.output_name, m.output.shape)):
        for axis, n in enumerate(shape):
            lengths.setdefault(n, f"the length of axis {axis} of {name}")
        lengths.setdefault(int(np.prod(shape)), f"the number of elements of {name}")
    return {n: what for n, what in lengths.items() if n > 1}


def _exchanged_inputs(m: Mismatch) -> str | None:
    """The gradient of one input where that of another belongs."""
    for other, position in enumerate(m.check.sources):
        if other == m.source or m.check.point(other).shape != m.input_shape:
            continue
        if m.is_close(m.analytic, m.check.numeric(other, m.rows)[m.target][:, m.columns]):
            name = m.check.names[position]
            return (
                f"Arguments are exchanged: this is the gradient of {name}. The rules of {m.input_name} and {name} stand under each "
                f"other's name, or this rule uses one where it means the other."
            )
    return None


def _exchanged_axes(m: Mismatch) -> str | None:
    """The analytic Jacobian is the numeric one with its axes (the input's, then the output's) in another order."""
    shape = (*m.input_shape, *m.output.shape)
    long = [axis for axis, n in enumerate(shape) if n > 1]
    if not m.is_whole or len(long) > 5 or not np.isclose(np.linalg.norm(m.analytic), np.linalg.norm(m.numeric), rtol=1e-4):
        return None
    analytic, numeric = (jacobian.reshape([shape[axis] for axis in long]) for jacobian in (m.analytic, m.numeric))
    for order in permutations(range(len(long))):
        moved = [long[i] for i, axis in enumerate(order) if i != axis]
        if moved and numeric.transpose(order).shape == analytic.shape and m.is_close(analytic, numeric.transpose(order)):
            return (
                f"A transposed operand: the analytic Jacobian is the numeric one with {_axis_names(m, moved)} exchanged. A missing "
                "or needless transpose in the rule, factors in the wrong order, or a sum over the wrong axis."
            )
    return None


def _axis_names(m: Mismatch, axes: Sequence[int]) -> str:
    split = len(m.input_shape)
    names = [f"axis {axis} of {m.input_name}" if axis < split else f"axis {axis - split} of {m.output_name}" for axis in axes]
    return ", ".join(names[:-1]) + " and " + names[-1]


def _something_else(m: Mismatch) -> str:
    right = " (some entries are right)" if m.right.any() else ""
    return (
        f"The rule is wrong, in no simple pattern{right}: usually a term of the product or chain rule is missing, or the rule "
        f"uses another operand than the formula. Work out the formula by hand at the element above.{_extent(m)}"
    )


def _extent(m: Mismatch) -> str:
    """Whether it fails on one side of some input value only."""
    x = m.check.point(m.source).flatten()[list(m.rows)]
    bad, good = x[m.blamed.any(1)], x[~m.failing.any(1) & m.right.any(1)]
    if min(bad.size, good.size) < 2 or not (bad.max() < good.min() or good.max() < bad.min()):
        return ""
    below = f"≤ {bad.max():.4g}, not where it is ≥ {good.min():.4g}"
    above = f"≥ {bad.min():.4g}, not where it is ≤ {good.max():.4g}"
    return f" It fails only where {m.input_name} is {below if bad.max() < good.min() else above}: one branch of a where?"


_DIAGNOSES: tuple[Callable[[Mismatch], str | None], ...] = (
    _not_finite,
    _detached,
    _kink,
    _step_size,
    _no_sum,
    _no_gradient,
    _no_dependence,
    _factor,
    _exchanged_inputs,
    _exchanged_axes,
    _something_else,
)

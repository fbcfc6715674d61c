"""Gradient checks: analytic gradients against central differences, and what a mismatch usually means.

The Jacobian of one output by one input is kept as a matrix, input elements × output elements. Differences are taken by the distance
that the input really moved, (x + h) − (x − h) as floats: large inputs cost no accuracy.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import Tensor, enable_grad, grad
from .errors import ArgumentError, DtypeError, InputTypeError, MinigradError

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Array = NDArray[Any]

_DRAWS = 3  # random directions an input in mode "random"
_BLOCK = 256  # elements examined around a mismatch found in mode "random"


class GradcheckError(MinigradError, RuntimeError, AssertionError):
    """Analytic and numeric gradients disagree; the message says where, by how much, and what that usually means."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    mode: str = "full",
    raise_exception: bool = True,
    seed: int = 0,
) -> bool:
    """Hold the gradients of `func(*inputs)` to central differences, (f(x + eps) − f(x − eps)) / 2 eps; True if they agree.

    func takes Tensors (and whatever else `inputs` holds) and returns a Tensor or a tuple of Tensors. Inputs that require grad are
    checked and must be float64, of any shape; all others are held fixed. The caller's inputs are never written to.
    An entry agrees if |analytic − numeric| ≤ atol + rtol · |numeric|. `mode="full"` compares the whole Jacobian, entry by entry;
    `mode="random"` compares wᵀ J v for a few random v and w drawn from `seed`: few calls of func, however large the inputs.
    Edge values: a kink passes where the rule gives the mean of both slopes (|x| at 0), else the report tells it from a wrong rule.
    Errors: GradcheckError (or False with `raise_exception=False`) for a mismatch, a gradient of the wrong shape or dtype, or a
    func that is not deterministic; DtypeError for other dtypes than float64; ArgumentError if no input requires grad.

    >>> x = Tensor(np.array([0.5, -2.0]), requires_grad=True)
    >>> gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    given = _as_tuple(inputs)
    names = _parameter_names(func, len(given))
    return _run(_Check("gradcheck", func, given, names, None, eps, rtol, atol), mode, seed, raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    mode: str = "full",
    raise_exception: bool = True,
    seed: int = 0,
) -> bool:
    """`gradcheck` of the function (inputs, grad_outputs) ↦ `grad(func(*inputs), inputs, grad_outputs, create_graph=True)`.

    grad_outputs: a float64 Tensor for each output that requires grad, of its shape; by default random, and differentiated as well.
    Also held to each other: the first gradients with and without `create_graph`. Other arguments and errors: as for `gradcheck`.

    >>> x = Tensor(np.array([0.5, -2.0]), requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    given = _as_tuple(inputs)
    names = _parameter_names(func, len(given))
    first = _Check("gradgradcheck", func, given, names, None, eps, rtol, atol)
    seeds = _grad_outputs(first, grad_outputs, seed)

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        return _first_gradients(func, arguments[: len(given)], arguments[len(given) :], create_graph=True)

    outputs = [f"dL/d{names[source]}" for source in first.sources]
    seed_names = [f"grad_outputs[{i}]" for i in range(len(seeds))]
    second = _Check("gradgradcheck", gradients, (*given, *seeds), [*names, *seed_names], outputs, eps, rtol, atol)
    return _run(second, mode, seed, raise_exception, lambda: _same_with_graph(first, second, seeds))


# ---- the function under test


class _Check:
    """A function, the point where it is checked, its outputs there, and its analytic and numeric derivatives."""

    def __init__(
        self,
        caller: str,
        func: Callable[..., Any],
        inputs: tuple[Any, ...],
        names: Sequence[str],
        output_names: Sequence[str] | None,
        eps: float,
        rtol: float,
        atol: float,
    ):
        if not eps > 0 or not rtol >= 0 or not atol >= 0:
            raise ArgumentError(f"{caller}: eps must be positive, rtol and atol not negative, got {eps}, {rtol}, {atol}")
        self.caller, self.func, self.inputs, self.names = caller, func, inputs, list(names)
        self.eps, self.rtol, self.atol = eps, rtol, atol
        self.sources = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self._refuse_inputs()
        with enable_grad():
            self.arguments, self.outputs = self.run(inputs)
        self.output_names = output_names or [f"output {i}" if len(self.outputs) > 1 else "output" for i in range(len(self.outputs))]
        self.targets = [i for i, y in enumerate(self.outputs) if y.requires_grad or y.dtype == np.float64]
        for i in self.targets:
            if self.outputs[i].dtype != np.float64:
                raise DtypeError(f"{caller}: {self.output_names[i]} has dtype {self.outputs[i].dtype}; differences need float64")
        self.centre = [self.outputs[i].array.flatten() for i in self.targets]

    def _refuse_inputs(self) -> None:
        if not self.sources:
            raise ArgumentError(
                f"{self.caller}: no input requires grad; make one with mg.tensor(…, dtype=mg.float64, requires_grad=True)"
            )
        for i in self.sources:
            if self.inputs[i].dtype != np.float64:
                raise DtypeError(
                    f"{self.caller}: input {i} ({self.names[i]}) requires grad and must be float64, got {self.inputs[i].dtype}; "
                    "differences of less precise values are mostly rounding"
                )

    def run(self, inputs: Sequence[Any]) -> tuple[list[Any], list[Tensor]]:
        """Copies of the inputs, and the outputs that func makes of them."""
        arguments = [Tensor(x.array.copy("K"), x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
        return arguments, _as_outputs(self.caller, self.func(*arguments))

    def values(self, source: int, array: Array) -> list[Array]:
        """The flat outputs with one input replaced."""
        moved = list(self.inputs)
        moved[self.sources[source]] = Tensor(array, requires_grad=True)
        outputs = self.run(moved)[1]
        return [outputs[i].array.flatten() for i in self.targets]

    def point(self, source: int) -> Array:
        array: Array = self.inputs[self.sources[source]].array
        return array

    def gradients(self, target: int, cotangent: Array) -> list[Array]:
        """The flat analytic gradients of one output, weighted by a flat cotangent, at each checked input."""
        output = self.outputs[self.targets[target]]
        wanted = [self.arguments[i] for i in self.sources]
        if not output.requires_grad:
            return [np.zeros(x.array.size) for x in wanted]
        seed = Tensor(cotangent.reshape(output.shape))
        found = grad(output, wanted, seed, retain_graph=True, allow_unused=True)
        return [self._flat_gradient(source, g) for source, g in enumerate(found)]

    def _flat_gradient(self, source: int, g: Tensor | None) -> Array:
        x = self.point(source)
        if g is None:
            return np.zeros(x.size)
        name = self.names[self.sources[source]]
        if (g.shape, g.dtype) != (x.shape, x.dtype):
            raise GradcheckError(
                f"{self.caller}: the gradient of {name} has shape {g.shape} and dtype {g.dtype}, "
                f"{name} itself {x.shape} and {x.dtype}{_shape_hint(g.shape, x.shape)}"
            )
        return g.array.flatten()

    def move(self, source: int, direction: Array, h: float) -> tuple[Array, Array]:
        """x + h v and x − h v."""
        x = self.point(source)
        step = h * direction.reshape(x.shape)
        plus, minus = x + step, x - step
        if np.array_equal(plus, minus):
            raise ArgumentError(
                f"{self.caller}: a step of {h:g} is lost in rounding next to the values of {self.names[self.sources[source]]} "
                f"(up to {np.abs(x).max():g}); scale the sample down or take a larger eps"
            )
        return plus, minus

    def central(self, source: int, direction: Array, h: float) -> tuple[Array, list[Array]]:
        """How far the input really moved, and how far the outputs did, both over 2 h."""
        plus, minus = self.move(source, direction, h)
        pairs = zip(self.values(source, plus), self.values(source, minus), strict=True)
        return (plus - minus).flatten() / (2 * h), [_minus(p, m) / (2 * h) for p, m in pairs]

    def slopes(self, source: int, element: int, target: int, h: float) -> tuple[Array, Array]:
        """The one-sided differences at one input element: forward and backward."""
        x = self.point(source)
        plus, minus = self.move(source, _one_hot(x.size, element), h)
        up, down, here = plus.flat[element] - x.flat[element], x.flat[element] - minus.flat[element], self.centre[target]
        return _minus(self.values(source, plus)[target], here) / up, _minus(here, self.values(source, minus)[target]) / down

    def numeric(self, source: int, rows: Sequence[int], h: float | None = None) -> list[Array]:
        """The numeric Jacobian of each output, for some elements of the input: matrices of (rows, output elements)."""
        blocks = [np.zeros((len(rows), centre.size)) for centre in self.centre]
        for row, element in enumerate(rows):
            moved, quotients = self.central(source, _one_hot(self.point(source).size, element), h or self.eps)
            for block, quotient in zip(blocks, quotients, strict=True):
                block[row] = quotient / moved[element]
        return blocks

    def analytic(self, target: int, columns: Sequence[int]) -> list[Array]:
        """The analytic Jacobian by each input, for some elements of the output: matrices of (input elements, columns)."""
        blocks = [np.zeros((self.point(source).size, len(columns))) for source in range(len(self.sources))]
        for column, element in enumerate(columns):
            cotangent = _one_hot(self.centre[target].size, element)
            for block, g in zip(blocks, self.gradients(target, cotangent), strict=True):
                block[:, column] = g
        return blocks

    def differs(self, analytic: Array, numeric: Array, scale: Array | float = 0.0) -> Array:
        """Where the two are further apart than the tolerances allow, or not finite."""
        error, limit = np.abs(analytic - numeric), self.atol + self.rtol * np.maximum(np.abs(numeric), scale)
        return np.asarray(~((error <= limit) & np.isfinite(error)))


def _as_tuple(inputs: Tensor | Sequence[Any]) -> tuple[Any, ...]:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _as_outputs(caller: str, result: Any) -> list[Tensor]:
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    for i, output in enumerate(outputs):
        if not isinstance(output, Tensor):
            raise InputTypeError(
                f"{caller}: func must return a Tensor or a tuple of Tensors; output {i} is {type(output).__name__}"
            )
    return outputs


def _parameter_names(func: Callable[..., Any], count: int) -> list[str]:
    """The names of the first positional parameters, as far as there are any."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"input{i}" for i in range(len(names), count))][:count]


def _one_hot(size: int, element: int) -> Array:
    out = np.zeros(size)
    out[element] = 1.0
    return out


def _minus(a: Array, b: Array) -> Array:
    """a − b, where equal infinities differ by 0."""
    return np.where(a == b, 0.0, a - b)


def _shape_hint(gradient: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if gradient == wanted[::-1]:
        return ": it is transposed"
    try:
        broadcast = np.broadcast_shapes(gradient, wanted) == gradient
    except ValueError:
        return ""
    return ": the rule lacks the sum over the axes along which the input was broadcast" if broadcast else ""


# ---- comparing


def _run(check: _Check, mode: str, seed: int, raise_exception: bool, before: Callable[[], None] = lambda: None) -> bool:
    if mode not in ("full", "random"):
        raise ArgumentError(f'{check.caller}: mode must be "full" or "random", got {mode!r}')
    try:
        with enable_grad(), np.errstate(all="ignore"):
            _same_twice(check)
            before()
            found = list(_compare_fully(check) if mode == "full" else _compare_along_directions(check, seed))
            if found:
                raise GradcheckError(_report(found))
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _same_twice(check: _Check) -> None:
    """Two runs must agree to what a difference quotient would not notice."""
    again = check.run(check.inputs)[1]
    if [y.shape for y in again] != [y.shape for y in check.outputs]:
        raise GradcheckError(f"{check.caller}: func is not deterministic: its outputs have other shapes when it runs again")
    for target, here in zip(check.targets, check.centre, strict=True):
        change = np.abs(_minus(again[target].array.flatten(), here))
        if (change > check.eps * (check.atol + check.rtol * np.abs(here))).any():
            raise GradcheckError(
                f"{check.caller}: func is not deterministic: {check.output_names[target]} changes by up to {np.nanmax(change):.3g} "
                "between two runs on the same inputs; is there a dropout in training mode, or a random number without a fixed seed?"
            )


def _compare_fully(check: _Check) -> Iterator[_Mismatch]:
    numeric = [check.numeric(source, range(check.point(source).size)) for source in range(len(check.sources))]
    for target, centre in enumerate(check.centre):
        analytic = check.analytic(target, range(centre.size))
        for source in range(len(check.sources)):
            a, n = analytic[source], numeric[source][target]
            if check.differs(a, n).any():
                yield _Mismatch(check, source, target, range(a.shape[0]), range(a.shape[1]), a, n)


def _compare_along_directions(check: _Check, seed: int) -> Iterator[_Mismatch]:
    """wᵀ J v for random w and unit v, up to the first mismatch. The tolerance is relative to the usual size of such a product."""
    rng = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        cotangents = [rng.standard_normal(centre.size) for centre in check.centre]
        gradients = [check.gradients(target, w) for target, w in enumerate(cotangents)]
        for source in range(len(check.sources)):
            direction = rng.standard_normal(check.point(source).size)
            if direction.size == 0:
                continue
            direction /= np.linalg.norm(direction)
            moved, quotients = check.central(source, direction, check.eps)
            for target, (w, quotient) in enumerate(zip(cotangents, quotients, strict=True)):
                g = gradients[target][source]
                if check.differs(g @ moved, _dot(w, quotient), np.linalg.norm(g) / np.sqrt(g.size)):
                    yield _block_around(check, source, target, direction, w, rng)
                    return


def _dot(w: Array, quotient: Array) -> Array:
    return np.asarray(np.sum(w * quotient))


def _block_around(check: _Check, source: int, target: int, direction: Array, w: Array, rng: np.random.Generator) -> _Mismatch:
    """The part of the Jacobian around the entry that a random product was wrong by."""
    g = check.gradients(target, w)[source]

    def input_error(part: Array) -> float:
        moved, quotients = check.central(source, np.where(part, direction, 0.0), check.eps)
        return float(abs(g @ moved - _dot(w, quotients[target])))

    element = _bisect(direction.size, input_error)
    slope = check.numeric(source, [element])[target][0]

    def output_error(part: Array) -> float:
        masked = np.where(part, w, 0.0)
        return float(abs(check.gradients(target, masked)[source][element] - masked @ slope))

    rows = _some(direction.size, element, rng)
    columns = _some(w.size, _bisect(w.size, output_error), rng)
    analytic, numeric = check.analytic(target, columns)[source][rows], check.numeric(source, rows)[target][:, columns]
    return _Mismatch(check, source, target, rows, columns, analytic, numeric)


def _bisect(size: int, error: Callable[[Array], float]) -> int:
    """An element that carries much of an error, by halving the set of elements."""
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        left, right = (error((np.arange(size) >= a) & (np.arange(size) < b)) for a, b in ((low, middle), (middle, high)))
        low, high = (middle, high) if right > left or np.isnan(right) else (low, middle)
    return low


def _some(size: int, element: int, rng: np.random.Generator) -> Sequence[int]:
    """All elements if they are few, else the given one and others at random."""
    if size <= _BLOCK:
        return range(size)
    return sorted({element, *rng.choice(size, _BLOCK - 1, replace=False).tolist()})


# ---- second order


def _first_gradients(
    func: Callable[..., Any], arguments: Sequence[Any], seeds: Sequence[Tensor], create_graph: bool
) -> tuple[Tensor, ...]:
    outputs = [y for y in _as_outputs("gradgradcheck", func(*arguments)) if y.requires_grad]
    wanted = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
    found = grad(outputs, wanted, list(seeds), create_graph=create_graph, allow_unused=True)
    return tuple(Tensor(np.zeros(x.shape)) if g is None else g for x, g in zip(wanted, found, strict=True))


def _grad_outputs(check: _Check, grad_outputs: Tensor | Sequence[Tensor] | None, seed: int) -> tuple[Tensor, ...]:
    outputs = [y for y in check.outputs if y.requires_grad]
    if not outputs:
        raise ArgumentError("gradgradcheck: no output requires grad")
    if grad_outputs is None:
        rng = np.random.default_rng(seed)
        return tuple(Tensor(np.asarray(rng.standard_normal(y.shape)), requires_grad=True) for y in outputs)
    seeds = _as_tuple(grad_outputs)
    if [s.shape for s in seeds] != [y.shape for y in outputs]:
        raise ArgumentError(
            f"gradgradcheck: grad_outputs must match the outputs that require grad, of shapes {[y.shape for y in outputs]}, "
            f"got {[s.shape for s in seeds]}"
        )
    return seeds


def _same_with_graph(first: _Check, second: _Check, seeds: Sequence[Tensor]) -> None:
    """A rule is read by arrays and, with create_graph, by Tensors: both must give the same first gradient."""
    plain = _first_gradients(first.func, first.run(first.inputs)[0], seeds, create_graph=False)
    for source, (p, recorded) in enumerate(zip(plain, second.outputs, strict=True)):
        a, b = first._flat_gradient(source, recorded), first._flat_gradient(source, p)
        if (~np.isnan(b) & first.differs(_minus(a, b), np.zeros_like(b), np.abs(b))).any():
            raise GradcheckError(
                f"gradgradcheck: the gradient of {first.names[first.sources[source]]} is another one with create_graph=True "
                f"(off by up to {np.abs(a - b).max():.3g}): the rule does not do the same with Tensors as with arrays"
            )


# ---- the report


@dataclass(frozen=True)
class _Mismatch:
    """A Jacobian, or a part of it (rows: input elements, columns: output elements), that is not the numeric one."""

    check: _Check
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


def _report(found: Sequence[_Mismatch]) -> str:
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


def _largest_errors(m: _Mismatch) -> str:
    error, size = np.abs(m.analytic - m.numeric)[m.blamed], np.abs(m.numeric)[m.blamed]
    relative = f", {(error[size > 0] / size[size > 0]).max():.3g} relative" if (size > 0).any() else ""
    return f"{error.max():.3g} absolute{relative}"


def _element(name: str, shape: tuple[int, ...], flat: int) -> str:
    index = ", ".join(str(int(i)) for i in np.unravel_index(flat, shape)) if shape else ""
    return f"{name}[{index}]" if index else name


# ---- what a mismatch usually means


def _diagnosis(m: _Mismatch) -> str:
    if not m.failing.any():
        return (
            "The gradient is wrong along a random direction, but no single entry examined is: many small errors that add up. "
            'Check with mode="full".'
        )
    return next(text for text in (diagnose(m) for diagnose in _DIAGNOSES) if text is not None)


def _not_finite(m: _Mismatch) -> str | None:
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


def _detached(m: _Mismatch) -> str | None:
    if m.output.requires_grad:
        return None
    return (
        f"{m.output_name} does not require grad, and yet it changes with {m.input_name}: the graph is cut by detach(), no_grad(), "
        "NumPy arithmetic, or an operation that has no backward rule."
    )


def _kink(m: _Mismatch) -> str | None:
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


def _step_size(m: _Mismatch) -> str | None:
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


def _no_sum(m: _Mismatch) -> str | None:
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


def _no_gradient(m: _Mismatch) -> str | None:
    if np.abs(m.analytic[m.blamed]).max() > m.check.atol:
        return None
    extent = "in part" if m.right.any() or m.analytic.any() else "altogether"
    return (
        f"The gradient is missing {extent}: the analytic value is 0 where {m.output_name} does change with {m.input_name}. Usually "
        f"a detach() or no_grad() on the way, a rule that forgets a use of its argument, or the wrong branch of a where.{_extent(m)}"
    )


def _no_dependence(m: _Mismatch) -> str | None:
    if np.abs(m.numeric[m.blamed]).max() > m.check.atol:
        return None
    return (
        f"A gradient from nowhere: the analytic value is not 0 where {m.output_name} does not change with {m.input_name}. Usually the "
        f"wrong branch of a where, a needless term, or g handed to elements that had no part in the output.{_extent(m)}"
    )


def _factor(m: _Mismatch) -> str | None:
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


def _named_factor(m: _Mismatch, ratio: float) -> str | None:
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


def _lengths(m: _Mismatch) -> dict[int, str]:
    """Lengths that a mean may have divided by, and what they are."""
    lengths: dict[int, str] = {}
    for name, shape in ((m.input_name, m.input_shape), (m.output_name, m.output.shape)):
        for axis, n in enumerate(shape):
            lengths.setdefault(n, f"the length of axis {axis} of {name}")
        lengths.setdefault(int(np.prod(shape)), f"the number of elements of {name}")
    return {n: what for n, what in lengths.items() if n > 1}


def _exchanged_inputs(m: _Mismatch) -> str | None:
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


def _exchanged_axes(m: _Mismatch) -> str | None:
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


def _axis_names(m: _Mismatch, axes: Sequence[int]) -> str:
    split = len(m.input_shape)
    names = [f"axis {axis} of {m.input_name}" if axis < split else f"axis {axis - split} of {m.output_name}" for axis in axes]
    return ", ".join(names[:-1]) + " and " + names[-1]


def _something_else(m: _Mismatch) -> str:
    right = " (some entries are right)" if m.right.any() else ""
    return (
        f"The rule is wrong, in no simple pattern{right}: usually a term of the product or chain rule is missing, or the rule "
        f"uses another operand than the formula. Work out the formula by hand at the element above.{_extent(m)}"
    )


def _extent(m: _Mismatch) -> str:
    """Whether it fails on one side of some input value only."""
    x = m.check.point(m.source).flatten()[list(m.rows)]
    bad, good = x[m.blamed.any(1)], x[~m.failing.any(1) & m.right.any(1)]
    if min(bad.size, good.size) < 2 or not (bad.max() < good.min() or good.max() < bad.min()):
        return ""
    below = f"≤ {bad.max():.4g}, not where it is ≥ {good.min():.4g}"
    above = f"≥ {bad.min():.4g}, not where it is ≤ {good.max():.4g}"
    return f" It fails only where {m.input_name} is {below if bad.max() < good.min() else above}: one branch of a where?"


_DIAGNOSES: tuple[Callable[[_Mismatch], str | None], ...] = (
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

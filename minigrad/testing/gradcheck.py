"""Gradient checks: analytic gradients against central differences, and what a mismatch usually means.

The Jacobian of one output by one input is kept as a matrix, input elements × output elements. Differences are taken by the distance
that the input really moved, (x + h) − (x − h) as floats: large inputs cost no accuracy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, grad
from ..core.tensor import Array
from ..errors import ArgumentError, DtypeError, InputTypeError, MinigradError, RuleError
from .report import Mismatch, report

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


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
    return _run(Check("gradcheck", func, given, names, None, eps, rtol, atol), mode, seed, raise_exception)


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
    first = Check("gradgradcheck", func, given, names, None, eps, rtol, atol)
    seeds = _grad_outputs(first, grad_outputs, seed)

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        return _first_gradients(func, arguments[: len(given)], arguments[len(given) :], create_graph=True)

    outputs = [f"dL/d{names[source]}" for source in first.sources]
    seed_names = [f"grad_outputs[{i}]" for i in range(len(seeds))]
    second = Check("gradgradcheck", gradients, (*given, *seeds), [*names, *seed_names], outputs, eps, rtol, atol)
    return _run(second, mode, seed, raise_exception, lambda: _same_with_graph(first, second, seeds))


# ---- the function under test


class Check:
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
        try:
            found = grad(output, wanted, seed, retain_graph=True, allow_unused=True)
        except RuleError as error:
            raise GradcheckError(f"{self.caller}: {error}") from error
        return [self._flat_gradient(source, g) for source, g in enumerate(found)]

    def _flat_gradient(self, source: int, g: Tensor | None) -> Array:
        x = self.point(source)
        if g is None:
            return np.zeros(x.size)
        name = self.names[self.sources[source]]
        if (g.shape, g.dtype) != (x.shape, x.dtype):
            raise GradcheckError(
                f"{self.caller}: the gradient of {name} has shape {g.shape} and dtype {g.dtype}, "
                f"{name} itself {x.shape} and {x.dtype}"
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


# ---- comparing


def _run(check: Check, mode: str, seed: int, raise_exception: bool, before: Callable[[], None] = lambda: None) -> bool:
    if mode not in ("full", "random"):
        raise ArgumentError(f'{check.caller}: mode must be "full" or "random", got {mode!r}')
    try:
        with enable_grad(), np.errstate(all="ignore"):
            _same_twice(check)
            before()
            found = list(_compare_fully(check) if mode == "full" else _compare_along_directions(check, seed))
            if found:
                raise GradcheckError(report(found))
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _same_twice(check: Check) -> None:
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


def _compare_fully(check: Check) -> Iterator[Mismatch]:
    numeric = [check.numeric(source, range(check.point(source).size)) for source in range(len(check.sources))]
    for target, centre in enumerate(check.centre):
        analytic = check.analytic(target, range(centre.size))
        for source in range(len(check.sources)):
            a, n = analytic[source], numeric[source][target]
            if check.differs(a, n).any():
                yield Mismatch(check, source, target, range(a.shape[0]), range(a.shape[1]), a, n)


def _compare_along_directions(check: Check, seed: int) -> Iterator[Mismatch]:
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


def _block_around(check: Check, source: int, target: int, direction: Array, w: Array, rng: np.random.Generator) -> Mismatch:
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
    return Mismatch(check, source, target, rows, columns, analytic, numeric)


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


def _grad_outputs(check: Check, grad_outputs: Tensor | Sequence[Tensor] | None, seed: int) -> tuple[Tensor, ...]:
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


def _same_with_graph(first: Check, second: Check, seeds: Sequence[Tensor]) -> None:
    """A rule is read by arrays and, with create_graph, by Tensors: both must give the same first gradient."""
    plain = _first_gradients(first.func, first.run(first.inputs)[0], seeds, create_graph=False)
    for source, (p, recorded) in enumerate(zip(plain, second.outputs, strict=True)):
        a, b = first._flat_gradient(source, recorded), first._flat_gradient(source, p)
        if (~np.isnan(b) & first.differs(_minus(a, b), np.zeros_like(b), np.abs(b))).any():
            raise GradcheckError(
                f"gradgradcheck: the gradient of {first.names[first.sources[source]]} is another one with create_graph=True "
                f"(off by up to {np.abs(a - b).max():.3g}): the rule does not do the same with Tensors as with arrays"
            )

"""Gradient checks: analytic gradients against central differences, and what a mismatch usually means."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, grad
from ..core.tensor import Array
from ..errors import ArgumentError
from .check import Check, GradcheckError, as_outputs, difference
from .report import Mismatch, report

__all__ = ["gradcheck", "gradgradcheck"]

_DRAWS = 3  # random directions an input in mode "random"
_BLOCK = 256  # elements examined around a mismatch found in mode "random"


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
    Errors: GradcheckError (or False with `raise_exception=False`) for a mismatch, a gradient of the wrong shape or dtype, a func
    that is not deterministic, or one that uses other Tensors that require grad in place of its inputs; DtypeError for other dtypes
    than float64; ArgumentError if no input requires grad.

    >>> x = Tensor(np.array([0.5, -2.0]), requires_grad=True)
    >>> gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    given = _as_tuple(inputs)
    names = _parameter_names(func, len(given))
    check = Check("gradcheck", func, given, names, None, eps, rtol, atol)
    return _run(check, check, mode, seed, raise_exception)


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
    return _run(second, first, mode, seed, raise_exception, lambda: _same_with_graph(first, second, seeds))


def _as_tuple(inputs: Tensor | Sequence[Any]) -> tuple[Any, ...]:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _parameter_names(func: Callable[..., Any], count: int) -> list[str]:
    """The names of the first positional parameters, as far as there are any."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"input{i}" for i in range(len(names), count))][:count]


# ---- comparing


def _run(
    check: Check, first: Check, mode: str, seed: int, raise_exception: bool, before: Callable[[], None] = lambda: None
) -> bool:
    if mode not in ("full", "random"):
        raise ArgumentError(f'{check.caller}: mode must be "full" or "random", got {mode!r}')
    try:
        with enable_grad(), np.errstate(all="ignore"):
            _same_twice(check)
            before()
            found = list(_compare_fully(check) if mode == "full" else _compare_along_directions(check, seed))
            if found:
                raise GradcheckError(report(found))
            _refuse_unused(first)
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
        change = np.abs(difference(again[target].array.flatten(), here))
        if (change > check.eps * (check.atol + check.rtol * np.abs(here))).any():
            raise GradcheckError(
                f"{check.caller}: func is not deterministic: {check.output_names[target]} changes by up to {np.nanmax(change):.3g} "
                "between two runs on the same inputs; is there a dropout in training mode, or a random number without a fixed seed?"
            )


def _refuse_unused(check: Check) -> None:
    """Where nothing moves with the inputs, 0 equals 0: that says nothing of gradients which go elsewhere."""
    outputs = [y for y in check.outputs if y.requires_grad]
    wanted, seeds = [check.arguments[i] for i in check.sources], [Tensor(np.zeros(y.shape)) for y in outputs]
    if outputs and all(g is None for g in grad(outputs, wanted, seeds, retain_graph=True, allow_unused=True)):
        raise GradcheckError(
            f"{check.caller}: no gradient of func's outputs goes to what it is given, but to other Tensors that require grad (parameters of "
            "a network?), so that nothing was checked; let it compute its outputs from its arguments"
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
    outputs = [y for y in as_outputs("gradgradcheck", func(*arguments)) if y.requires_grad]
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
        if (~np.isnan(b) & first.differs(difference(a, b), np.zeros_like(b), np.abs(b))).any():
            raise GradcheckError(
                f"gradgradcheck: the gradient of {first.names[first.sources[source]]} is another one with create_graph=True "
                f"(off by up to {np.abs(a - b).max():.3g}): the rule does not do the same with Tensors as with arrays"
            )

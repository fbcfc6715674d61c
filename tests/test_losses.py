"""Losses beyond the table of cases: within 4 units in the last place where they saturate, and on shapes of many blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import exp, expm1, log, log1p, mpf

import minigrad as mg
from minigrad.errors import DomainError
from minigrad.nn import functional as F

FAR = (-1e3, -300.0, -100.0, -88.0, -60.0, -40.0, -20.0, -17.0, 17.0, 20.0, 40.0, 60.0, 88.0, 100.0, 300.0, 1e3)
SIDES = (-1.0, 1.0)
ULPS = 4


def softplus(x: Any) -> Any:
    return max(x, mpf(0)) + log1p(exp(-abs(x)))


def binary(x: Any, t: Any) -> Any:
    return (1 - t) * softplus(x) + t * softplus(-x)


def chance(x: Any) -> Any:
    return exp(-softplus(-x))


def focal(x: Any, t: Any) -> Any:
    return (chance(x) * (1 - t) + chance(-x) * t) ** 2 * binary(x, t)


def log_cosh(x: Any, t: Any) -> Any:
    d = abs(x - t)
    return log1p(expm1(-d) ** 2 / (2 * exp(-d)))


def gaussian(x: Any, t: Any, v: Any) -> Any:
    return (log(v) + (x - t) ** 2 / v) / 2


def pairs(left: Any, right: Any) -> list[tuple[float, float]]:
    return [(a, b) for a in left for b in right]


TINY = (1e-30, 1e-12, 1e-6, 1e-3)
ELEMENTWISE: list[tuple[Callable[..., Any], Callable[..., Any], Any]] = [
    (F.binary_cross_entropy_with_logits, binary, pairs(FAR, (0.0, 0.25, 1.0))),
    (lambda x, t: F.multilabel_soft_margin_loss(x[:, None], t[:, None], reduction="none"), binary, pairs(FAR, (0.0, 1.0))),
    (F.soft_margin_loss, lambda x, t: softplus(-t * x), pairs(FAR, SIDES)),
    (F.focal_loss, focal, pairs((*FAR[3:13],), (0.0, 1.0))),
    (F.log_cosh, log_cosh, pairs((*FAR, *TINY, 0.1, 0.5, 1.0, 1.9, 2.0, 2.1, 5.0), (0.0,))),
    (F.poisson_nll_loss, lambda x, t: exp(x) - t * x, pairs((-1e3, -100.0, -20.0, 20.0, 40.0, 80.0), (0.0, 1.0, 7.0, 1e4))),
    (
        lambda x, t: F.poisson_nll_loss(x, t, log_input=False, eps=0.0),
        lambda x, t: x - t * log(x),
        pairs((1e-30, 1e-6, 1e3, 1e6), (1.0, 7.0)),
    ),
    (
        lambda x, v: F.gaussian_nll_loss(x, 0 * x, v, eps=0.0),
        lambda x, v: gaussian(x, 0, v),
        pairs((0.0, 1e-3, 1e3, 1e6), (1e-20, 1e-6, 1e6, 1e20)),
    ),
    (F.kl_div, lambda x, t: (t * log(t) if t else mpf(0)) - t * x, pairs((-1e4, -100.0, -50.0), (0.0, *TINY, 1.0))),
    (lambda x, t: F.kl_div(x, t, log_target=True), lambda x, t: exp(t) * (t - x), pairs((-1e4, -1.0), (-60.0, -20.0, 0.0))),
    (F.huber_loss, lambda x, t: abs(x - t) - mpf(0.5), pairs((-1e6, 1e6), (0.0, 1.0))),
]


def ulps(expected: Any, actual: float, dtype: Any) -> float:
    """The error in units in the last place; below the smallest normal number in spacings of the subnormal ones."""
    spacing = max(float(np.spacing(abs(dtype(float(expected))))), float(np.finfo(dtype).smallest_subnormal))
    return float(abs(mpf(actual) - expected) / mpf(spacing))


def none(function: Callable[..., Any]) -> Callable[..., Any]:
    """The losses one by one; the elementwise ones have only the mean otherwise."""
    return lambda *inputs: [function(*(x[i : i + 1] for x in inputs)).item() for i in range(len(inputs[0]))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "exact", "points"), ELEMENTWISE)
def test_losses_of_an_element(loss, exact, points, dtype):
    columns = [np.array(column, dtype) for column in zip(*points, strict=True)]
    with mpmath.workdps(60):
        actual = none(loss)(*(mg.tensor(column) for column in columns))
        worst = [
            (ulps(expected, value, dtype), *row, value, float(expected))
            for value, row in zip(actual, zip(*(map(float, c) for c in columns), strict=True), strict=True)
            if abs(expected := exact(*map(mpf, row))) < float(np.finfo(dtype).max)
        ]
    assert len(worst) > len(points) / 2
    assert max(worst)[0] <= ULPS, max(worst)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["rows", "columns", "distributions", "distributions in columns"])
def test_cross_entropy_of_a_dominant_class(layout, dtype):
    """log1p of what is beside the target: the loss does not round to 0 when the target's probability rounds to 1."""
    gaps = (0.5, 1.0, 3.0, 10.0, 17.0, 30.0, 60.0, 80.0)
    logits = np.array([[gap, 0.0, -1.0, 0.25] for gap in gaps], dtype)
    loss, gradient = cross_entropies(logits, layout)
    with mpmath.workdps(60):
        for row, value, slope in zip(logits, loss, gradient, strict=True):
            others = sum(exp(mpf(float(x)) - mpf(float(row[0]))) for x in row[1:])
            assert ulps(log1p(others), float(value), dtype) <= ULPS
            assert ulps(-others / (1 + others), float(slope), dtype) <= ULPS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 4, 300])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("kernels", [True, False])
def test_log_softmax_of_a_dominant_entry(classes, dtype, temperature, kernels):
    """Its own log-probability and slopes keep their digits; wide rows go another way than short ones."""
    gaps = np.array([0.5, 3.0, 10.0, 17.0, 40.0, 60.0, 80.0, 1e3])
    logits = np.random.default_rng(0).integers(-64, 0, (gaps.size, classes)) / 64  # differences are exact
    logits[:, 1] = gaps
    logits = logits.astype(dtype)
    g = np.zeros(logits.shape, dtype)
    g[:, 1] = 1
    if kernels:
        x = mg.tensor(logits, requires_grad=True)
        y = F.log_softmax(x, 1, temperature=temperature)
        y.backward(mg.tensor(g))
        values, slopes = y.detach().numpy(), x.grad.numpy()
    else:
        values = mg.log_softmax.formula(logits, 1, temperature=temperature)
        slopes = mg.log_softmax.rules["x"].function(g, values, 1, temperature)
    tau, smallest = mpf(temperature), mpf(float(np.finfo(dtype).tiny))
    with mpmath.workdps(60):
        for row, value, slope in zip(logits.tolist(), values.tolist(), slopes.tolist(), strict=True):
            terms = [exp((mpf(x) - mpf(row[1])) / tau) for x in row]
            others = terms[0] + sum(terms[2:])
            if others > 4 * smallest:
                assert ulps(-log1p(others), value[1], dtype) <= ULPS
            # exp of a saved, rounded y is off by |y| ulp.
            for expected, actual in ((others / (1 + others) / tau, slope[1]), (-terms[0] / (1 + others) / tau, slope[0])):
                assert abs(mpf(actual) - expected) <= np.finfo(dtype).eps * max(ULPS, abs(value[0])) * abs(expected) + smallest


def cross_entropies(logits: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """The loss of every row, whose target is class 0, and its slope there."""
    columns = "columns" in layout
    x = mg.tensor(logits.T[None] if columns else logits, requires_grad=True)
    target = np.zeros(logits.shape, logits.dtype)
    target[:, 0] = 1
    indices = mg.tensor(np.zeros(len(logits), np.int64)[None] if columns else np.zeros(len(logits), np.int64))
    soft = mg.tensor(target.T[None] if columns else target)
    loss = F.cross_entropy(x, soft if "distributions" in layout else indices, reduction="none")
    loss.sum().backward()
    slopes = x.grad.numpy()
    return loss.detach().numpy().ravel(), slopes[0, 0] if columns else slopes[:, 0]


@pytest.mark.parametrize("shape", [(300, 10), (5, 3000), (4, 7, 600), (2, 300, 9), (3000, 2)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_of_many_rows(shape, reduction, soft):
    """Shapes beyond one block of the kernels, with weights, smoothing and targets to be ignored: as the formula says."""
    rng = np.random.default_rng(0)
    classes = shape[1]
    logits, weight = 3 * rng.standard_normal(shape), rng.uniform(0.5, 2, classes)
    goal = rng.integers(0, classes, (shape[0], *shape[2:]))
    goal[::3] = -100
    q = rng.random(shape) if soft else (np.arange(classes).reshape(-1, *[1] * (len(shape) - 2)) == goal[:, None]).astype(float)
    w = weight.reshape(-1, *[1] * (len(shape) - 2))
    q = w * (0.9 * q + 0.1 / classes) * (1 if soft else goal[:, None] != -100)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    terms = -(q * np.log(p)).sum(1)
    divisor = terms.size if soft else weight[goal[goal != -100]].sum()
    x = mg.tensor(logits, requires_grad=True)
    target = mg.tensor(((q / w - 0.1 / classes) / 0.9) if soft else goal)
    loss = F.cross_entropy(x, target, mg.tensor(weight), reduction=reduction, label_smoothing=0.1)
    g = rng.standard_normal(loss.shape)
    loss.backward(mg.tensor(g))
    expected = terms if reduction == "none" else terms.sum() / (divisor if reduction == "mean" else 1)
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-11)
    pull = np.expand_dims(g, 1) if reduction == "none" else g / (divisor if reduction == "mean" else 1)
    np.testing.assert_allclose(x.grad.numpy(), pull * (p * q.sum(1, keepdims=True) - q), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_focal_loss_of_a_sure_row_has_a_slope(gamma: float, dtype: Any) -> None:
    x = mg.tensor([[800.0, -800.0], [1.0, 2.0]], dtype=dtype, requires_grad=True)
    F.focal_loss(x, mg.tensor([0, 0]), gamma=gamma).backward()
    assert [0.0, 0.0] == x.grad[0].tolist()
    assert x.grad[1, 0].item() < 0 < x.grad[1, 1].item()
    z = mg.tensor([800.0, -800.0, 1.0], dtype=dtype, requires_grad=True)
    F.focal_loss(z, mg.tensor([1.0, 0.0, 1.0], dtype=dtype), gamma=gamma).backward()
    assert [0.0, 0.0] == z.grad[:2].tolist()
    assert z.grad[2].item() < 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axes", ["rows", "columns"])
def test_cross_entropy_of_sure_rows_of_any_logits(axes: str, dtype: Any) -> None:
    """Differences of logits that are no whole numbers are rounded, and the exponential makes much of that."""
    logits = (np.random.default_rng(0).standard_normal((60, 10)) * 8).astype(dtype)
    classes = logits.argmax(1)
    if axes == "rows":
        x, t = mg.tensor(logits, requires_grad=True), mg.tensor(classes)
    else:
        x, t = mg.tensor(np.ascontiguousarray(logits.T)[None], requires_grad=True), mg.tensor(classes[None])
    loss = F.cross_entropy(x, t, reduction="none")
    loss.sum().backward()
    slopes = x.grad.numpy() if axes == "rows" else x.grad.numpy()[0].T
    with mpmath.workdps(60):
        for row, k, value, slope in zip(logits, classes, loss.flatten().tolist(), slopes, strict=True):
            terms = [exp(mpf(float(v)) - mpf(float(row[k]))) for v in row]
            rest = mpmath.fsum(term for i, term in enumerate(terms) if i != k)
            assert ulps(log1p(rest), value, dtype) <= ULPS
            for i, term in enumerate(terms):
                expected = -rest / (1 + rest) if i == k else term / (1 + rest)
                assert ulps(expected, float(slope[i]), dtype) <= ULPS


PROBABLE = [F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.cross_entropy, F.focal_loss]


@pytest.mark.parametrize("loss", PROBABLE, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5)])
@pytest.mark.parametrize("wrong", [-0.5, 1.5, math.nan])
def test_a_target_that_is_no_probability_is_refused_in_a_replay_too(loss: Any, shape: tuple[int, ...], wrong: float) -> None:
    step = mg.compile(lambda x, target: loss(x, target))
    x, good, bad = mg.full(shape, 0.5), mg.full(shape, 1 / 3), mg.full(shape, 1 / 3)
    bad[(-1,) * len(shape)] = wrong
    with mg.no_grad():
        expected = [step(x, good).item() for _ in range(4)]
        assert step.stats()["replayed"] == 2
        with pytest.raises(DomainError, match=rf"target must hold probabilities in \[0, 1\]; 1 of {bad.numel()} values do not"):
            step(x, bad)
        assert expected[0] == step(x, good).item()


def test_a_target_may_be_off_by_roundings() -> None:
    """The mean of ten teachers in float32 is not always below 1."""
    mean = sum(np.float32(0.1) * np.eye(3, dtype=np.float32) for _ in range(10))
    assert 1 < mean.max() < 1 + 1e-6
    step, logits = mg.compile(lambda x, t: F.cross_entropy(x, t)), mg.zeros(3, 3)
    for _ in range(4):
        assert math.log(3) == pytest.approx(step(logits, mg.tensor(mean)).item(), rel=1e-6)
    with pytest.raises(DomainError, match="3 of 9 values do not"):
        F.cross_entropy(logits, mg.tensor(1.001 * np.eye(3)))

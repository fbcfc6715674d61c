"""Calibration errors against a slow loop and values worked by hand; the temperature against what is known of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, DomainError
from minigrad.evaluate import Calibrated, evaluate, evaluate_outputs, reliability, temperature_scaling


def slow_errors(confidence: np.ndarray, hits: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """ECE and MCE, sample by sample and bin by bin."""
    expected, most = 0.0, 0.0
    for k in range(len(edges) - 1):
        inside = [
            (c, h) for c, h in zip(confidence, hits, strict=True) if edges[k] < c <= edges[k + 1] or (k == 0 and c == edges[0])
        ]
        if inside:
            gap = abs(sum(h for _, h in inside) - sum(c for c, _ in inside)) / len(inside)
            expected += gap * len(inside) / len(confidence)
            most = max(most, gap)
    return expected, most


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 50), st.integers(1, 20), st.sampled_from(["uniform", "quantile"]), st.booleans())
def test_errors_equal_a_slow_loop(seed: int, n: int, bins: int, strategy: str, rounded: bool) -> None:
    rng = np.random.default_rng(seed)
    p, t = rng.random(n), rng.integers(0, 2, n)
    p = p.round(1) if rounded else p
    found = reliability(p, t, bins, strategy, outputs="probabilities")
    assert (found.ece, found.mce) == pytest.approx(slow_errors(p, t, found.edges), abs=1e-12)
    assert n == found.counts.sum() == found.n
    assert (0.0, 1.0) == (found.edges[0], found.edges[-1])
    if strategy == "uniform":
        assert np.array_equal(np.linspace(0, 1, bins + 1), found.edges)
    else:
        assert (found.counts > 0).all()
        assert len(found.counts) <= bins
    assert found.ece <= found.mce + 1e-12 <= 1 + 2e-12
    order = rng.permutation(n)
    again = reliability(p[order], t[order], bins, strategy, outputs="probabilities")
    assert np.array_equal(found.counts, again.counts)
    assert found.ece == pytest.approx(again.ece, abs=1e-12)


def test_values_worked_by_hand() -> None:
    found = reliability([0.1, 0.2, 0.3, 0.9, 0.9], [0, 1, 0, 1, 0], bins=2)
    assert [3, 2] == found.counts.tolist()
    np.testing.assert_allclose(found.confidence, [0.2, 0.9])
    np.testing.assert_allclose(found.accuracy, [1 / 3, 0.5])
    assert 3 / 5 * (1 / 3 - 0.2) + 2 / 5 * 0.4 == pytest.approx(found.ece)
    assert 0.4 == pytest.approx(found.mce)
    assert "too sure of itself" in found.headline()


def test_bins_are_closed_on_the_right() -> None:
    found = reliability([0.0, 0.25, 0.5, 0.75, 1.0], [0, 0, 1, 1, 1], bins=4)
    assert [2, 1, 1, 1] == found.counts.tolist()
    assert [0.125, 0.5, 0.25, 0.0] == np.abs(found.gap).tolist()
    assert (0.2, 0.5) == pytest.approx((found.ece, found.mce))
    assert "closed on the right" in str(found)


def test_empty_bins_are_nan_and_count_nothing() -> None:
    found = reliability([1.0, 1.0], [1, 0], bins=10, outputs="probabilities")
    assert [0] * 9 + [2] == found.counts.tolist()
    assert np.isnan(found.accuracy[:9]).all()
    assert (0.5, 0.5) == (found.ece, found.mce)
    assert "9 without samples not shown" in str(found)
    assert [None] * 9 + [0.5] == json.loads(found.to_json())["accuracy"]


def test_bins_of_equal_mass_keep_equal_values_together() -> None:
    even = reliability(np.arange(1, 31) / 31, np.arange(30) % 2, 15, "quantile")
    assert [2] * 15 == even.counts.tolist()
    tied = reliability([0.2] * 7 + [0.6, 0.7, 0.8], [0] * 7 + [1] * 3, 5, "quantile")
    assert [7, 1, 2] == tied.counts.tolist()
    alike = reliability([0.4] * 6, [0, 1] * 3, 5, "quantile")
    assert [6] == alike.counts.tolist()
    few = reliability([0.3, 0.6], [0, 1], 15, "quantile")
    assert [1, 1] == few.counts.tolist()


def test_several_classes_are_judged_by_the_predicted_one() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
    found = reliability(p, [0, 0, 1], bins=1)
    assert (2 / 3, 0.6) == pytest.approx((found.accuracy[0], found.confidence[0]))
    report = evaluate_outputs(p, [0, 0, 1], bins=1)
    assert (found.ece, found.mce) == (report.ece, report.mce) == (report.reliability.ece, report.reliability.mce)
    logits = np.log(p) + 3
    assert found.ece == pytest.approx(reliability(logits, [0, 0, 1], bins=1).ece)


def test_the_reliability_curve_equals_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    rng = np.random.default_rng(0)
    p = rng.random(500)
    t = (rng.random(500) < p).astype(int)
    true, predicted = calibration.calibration_curve(t, p, n_bins=10)
    found = reliability(p, t, bins=10)
    np.testing.assert_allclose(found.accuracy, true, atol=1e-12)
    np.testing.assert_allclose(found.confidence, predicted, atol=1e-12)


def test_refused_settings() -> None:
    for bins in (0, 1.5, True):
        with pytest.raises(ArgumentError, match="reliability: bins must be an int, at least 1"):
            reliability([0.1, 0.9], [0, 1], bins)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="strategy must be 'uniform' or 'quantile', got 'width'"):
        reliability([0.1, 0.9], [0, 1], 5, "width")
    with pytest.raises(ArgumentError, match="needs probabilities of classes"):
        reliability([0.1, 0.9], [0.3, 1.5])


# ---- temperature


def overconfident(classes: int, factor: float, n: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `factor` times what the labels were drawn from."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(n, classes)) * 2
    labels = (z + rng.gumbel(size=z.shape)).argmax(1)
    return factor * z, labels


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0, 200.0])
def test_the_temperature_takes_back_the_factor(factor: float) -> None:
    z, t = overconfident(4, factor)
    found = temperature_scaling(z, t)
    assert factor == pytest.approx(found.temperature, rel=0.12)
    assert found.log_loss_after <= found.log_loss_before
    assert found.ece_after < 0.05
    for nearby in (0.99, 1.01):
        assert F.cross_entropy(mg.tensor(z / (nearby * found.temperature)), mg.tensor(t)).item() > found.log_loss_after
    slope = ((found(z) - np.eye(4)[t]) * z).sum()
    assert 0 == pytest.approx(slope / (len(z) * factor), abs=1e-7)


def test_accuracy_is_unchanged() -> None:
    z, t = overconfident(4, 3.0)
    found = temperature_scaling(z, t)
    before, after = (evaluate_outputs(x, t, outputs=kind) for x, kind in ((z, "logits"), (found(z), "probabilities")))
    assert before.accuracy == after.accuracy
    assert np.array_equal(before.confusion, after.confusion)
    assert after.log_loss == pytest.approx(found.log_loss_after, abs=1e-12)
    assert before.log_loss == pytest.approx(found.log_loss_before, abs=1e-9)
    assert after.ece == pytest.approx(found.ece_after, abs=1e-12)


def test_single_outputs() -> None:
    z, t = overconfident(2, 3.0)
    two, one = temperature_scaling(z, t), temperature_scaling(z[:, 1] - z[:, 0], t)
    assert ("multiclass", "binary") == (two.task, one.task)
    assert two.temperature == pytest.approx(one.temperature, rel=1e-6)
    np.testing.assert_allclose(two(z)[:, 1], one(z[:, 1] - z[:, 0]), atol=1e-7)
    column = temperature_scaling(mg.tensor(z[:, 1:] - z[:, :1]), t[:, None])
    assert one.temperature == column.temperature
    labels = temperature_scaling(z, np.stack([t, 1 - t], 1) | (np.arange(len(t)) % 7 == 0)[:, None])
    assert "multilabel" == labels.task


def test_other_data_show_what_the_temperature_is_worth() -> None:
    z, t = overconfident(4, 3.0)
    found = temperature_scaling(z[:400], t[:400], bins=7, strategy="quantile")
    other = found.on(mg.tensor(z[400:]), mg.tensor(t[400:]))
    assert (True, False) == (found.fitted, other.fitted)
    assert (found.temperature, 7) == (other.temperature, len(other.after.counts))
    divided = evaluate_outputs(found(z[400:]), t[400:])
    assert divided.log_loss == pytest.approx(other.log_loss_after)
    assert reliability(z[400:], t[400:], 7, "quantile").ece == pytest.approx(other.ece_before)
    assert "fitted on other data, lowers the log loss of these 400 samples" in other.headline()
    assert "On 400 samples that T was not fitted on." in str(other)
    assert "scaling.on(logits, targets)" in str(found)
    assert other.to_dict() == other.on(z[400:], t[400:]).to_dict()
    assert "does not lower" in found.on(z[400:] / 9, t[400:]).headline()
    with pytest.raises(DomainError, match=r"TemperatureScaling.on: logits must be finite, got -inf"):
        found.on([[-math.inf, 0.0, 0.0, 1.0]], [3])


def test_separable_labels_stop_at_the_bound_and_say_so() -> None:
    several, single = temperature_scaling([[3.0, 1.0], [0.0, 2.0]], [0, 1]), temperature_scaling([3.0, -1.0, 0.5], [1, 0, 1])
    assert (0.002, 0.001) == pytest.approx((several.temperature, single.temperature)), "a thousandth of the median margin"
    for found in (several, single):
        assert f"T stops at {found.temperature:.4g}" in found.headline()
        assert found.log_loss_after < 1e-12


def test_labels_without_meaning_make_it_large() -> None:
    rng = np.random.default_rng(0)
    z = 5 * rng.normal(size=(300, 3))
    random = temperature_scaling(z, rng.integers(0, 3, 300))
    assert random.temperature > 20
    against = temperature_scaling(z, z.argmin(1))
    margins = z - z.min(1, keepdims=True)
    assert 1e3 * np.median(margins[margins > 0]) == pytest.approx(against.temperature)
    assert f"T stops at {against.temperature:.4g}" in against.headline()
    np.testing.assert_allclose(against(z), 1 / 3, atol=0.01)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e-3, 1e3, 1e30])
def test_logits_of_any_size(scale: float) -> None:
    z, t = overconfident(3, 1.0)
    expected, found = temperature_scaling(z, t), temperature_scaling(z * scale, t)
    assert scale == pytest.approx(found.temperature / expected.temperature, rel=1e-6)
    assert expected.log_loss_after == pytest.approx(found.log_loss_after)
    assert ("", True) == (found.note, math.isfinite(found.log_loss_before))


def test_a_search_that_ends_at_its_bound_says_so() -> None:
    z = np.array([*[1e-8] * 60, *[1.0] * 39, -1.0])
    found = temperature_scaling(z, np.ones(100, int))
    assert 1e-5 == pytest.approx(found.temperature)
    assert found.headline().startswith("The loss falls even beyond the bound of the search: T stops at 1e-05.")
    z[0], z[1:60] = 1e8, 1.0
    assert 0.1 < temperature_scaling(z, np.ones(100, int)).temperature < 1, "one outlier does not set the bounds"


def test_a_calibration_error_that_rises_is_told() -> None:
    rng = np.random.default_rng(4)
    z = 2 * rng.normal(size=300)
    t = (rng.random(300) < 1 / (1 + np.exp(-1.3 * z))).astype(int)
    rises, falls = temperature_scaling(z, t), temperature_scaling(*overconfident(3, 3.0))
    assert rises.ece_after > rises.ece_before
    assert f"The expected calibration error rises, from {rises.ece_before:.4f} to {rises.ece_after:.4f}" in rises.headline()
    assert "error rises" not in falls.headline()


def test_equal_logits_leave_the_temperature_alone() -> None:
    found = temperature_scaling(np.ones((4, 3)), [0, 1, 2, 0])
    assert (1.0, math.log(3)) == pytest.approx((found.temperature, found.log_loss_after))
    assert "T stays 1" in found.headline()


def test_refused_logits() -> None:
    with pytest.raises(DomainError, match="temperature_scaling: logits must be finite, got -inf"):
        temperature_scaling([[1.0, -math.inf], [0.0, 1.0]], [0, 1])
    with pytest.raises(ArgumentError, match="temperature_scaling: needs logits of classes"):
        temperature_scaling([1.0, 2.0], [0.5, 2.5])
    for bad in (0, -1.0, math.nan, "a"):
        with pytest.raises(ArgumentError, match="Calibrated: temperature must be a positive number"):
            Calibrated(nn.Linear(2, 2), bad)


def test_a_calibrated_model_is_a_module() -> None:
    z, t = overconfident(3, 3.0)
    found = temperature_scaling(z, t)
    model = Calibrated(nn.Identity(), found)
    X = mg.tensor(z, dtype=mg.float32)
    assert np.float32 == model(X).dtype
    report = evaluate(model, (X, mg.tensor(t)), nn.CrossEntropyLoss())
    assert found.log_loss_after == pytest.approx(report.loss, rel=1e-5)
    assert "temperature=" in repr(model)


def test_before_and_after_are_shown(tmp_path: Path) -> None:
    z, t = overconfident(3, 3.0, 200)
    found: Any = temperature_scaling(z, t)
    assert "overconfident" in str(found)
    data = json.loads(found.to_json())
    assert (found.before.ece, found.after.ece) == (data["before"]["ece"], data["after"]["ece"])
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "temperature.png")
    titles = [axes.get_title(loc="left") for part in found.plot().subfigs for axes in part.axes]
    assert titles[0].startswith("T = 1: ECE")
    assert titles[2].startswith(f"T = {found.temperature:.4g}: ECE")
    assert "samples" in [axes.get_ylabel() for axes in reliability(z, t).plot().axes]

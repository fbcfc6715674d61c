"""Thresholds: the curve against counting anew at every score, the choices against a search through all of them."""

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
from minigrad.errors import ArgumentError, DomainError, ShapeError
from minigrad.evaluate import ThresholdCurve, evaluate_outputs, multilabel_thresholds, threshold_curve

HAND_SCORES, HAND_TARGETS = [0.1, 0.4, 0.35, 0.8, 0.35], [0, 0, 1, 1, 0]


def counted(scores: Any, targets: Any, threshold: float) -> tuple[int, int, int, int]:
    """TP, FP, FN, TN by the rule predicted = score ≥ threshold."""
    predicted, true = np.asarray(scores) >= threshold, np.asarray(targets) == 1
    return tuple(int(x.sum()) for x in (predicted & true, predicted & ~true, ~predicted & true, ~predicted & ~true))  # type: ignore[return-value]


@st.composite
def samples(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, and targets of both classes."""
    n = draw(st.integers(2, 40))
    levels = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    targets = rng.integers(0, 2, n)
    targets[:2] = 0, 1
    return rng.integers(-levels, levels + 1, n) / 2.0, targets


def test_a_curve_worked_by_hand() -> None:
    curve = threshold_curve(HAND_SCORES, HAND_TARGETS)
    assert [0.1, 0.35, 0.4, 0.8, math.inf] == curve.thresholds.tolist()
    assert [[2, 2, 1, 1, 0], [3, 2, 1, 0, 0]] == [curve.tp.tolist(), curve.fp.tolist()]
    assert [[0, 0, 1, 1, 2], [0, 1, 2, 3, 3]] == [curve.fn.tolist(), curve.tn.tolist()]
    assert [0.4, 0.5, 0.5, 1.0, 1.0] == curve.precision.tolist()
    assert [1.0, 1.0, 0.5, 0.5, 0.0] == curve.recall.tolist()
    assert [4 / 7, 4 / 6, 2 / 4, 2 / 3, 0.0] == curve.f1.tolist()
    assert "probabilities" == curve.outputs


def test_of_equally_good_thresholds_the_highest_is_chosen() -> None:
    curve = threshold_curve(HAND_SCORES, HAND_TARGETS)
    assert 0.6 == pytest.approx(curve.best_f1().threshold)  # between 0.4 and 0.8; F1 is 2/3 at 0.35, too
    assert math.inf == curve.by_cost([[0, 0], [0, 0]]).threshold
    assert 0.225 == pytest.approx(curve.recall_at_least(0.6).threshold)
    assert 0.6 == pytest.approx(curve.recall_at_least(0.5).threshold)
    assert 0.225 == pytest.approx(curve.precision_at_least(0.5).threshold)


@settings(max_examples=60, deadline=None)
@given(samples())
def test_every_threshold_counts_right(sample: tuple[np.ndarray, np.ndarray]) -> None:
    scores, targets = sample
    curve = threshold_curve(scores, targets, outputs="logits")
    assert [*np.unique(scores), math.inf] == curve.thresholds.tolist()
    for k, threshold in enumerate(curve.thresholds):
        assert counted(scores, targets, threshold) == (curve.tp[k], curve.fp[k], curve.fn[k], curve.tn[k])
    assert (np.diff(curve.recall) <= 0).all(), "a higher threshold never raises recall"


@settings(max_examples=60, deadline=None)
@given(samples(), st.floats(0, 1), st.lists(st.floats(-5, 5), min_size=4, max_size=4))
def test_choices_equal_a_search_through_all_thresholds(
    sample: tuple[np.ndarray, np.ndarray], wish: float, costs: list[float]
) -> None:
    scores, targets = sample
    curve = threshold_curve(scores, targets, outputs="logits")
    every = [(t, *counted(scores, targets, t)) for t in [*np.unique(scores), math.inf]]

    def f1(row: Any) -> float:
        return 2 * row[1] / (2 * row[1] + row[2] + row[3])

    def precision(row: Any) -> float:
        return row[1] / (row[1] + row[2]) if row[1] + row[2] else 1.0

    def recall(row: Any) -> float:
        return row[1] / (row[1] + row[3])

    def cost(row: Any) -> float:
        return costs[0] * row[4] + costs[1] * row[2] + costs[2] * row[3] + costs[3] * row[1]

    best = max(map(f1, every))
    chosen = curve.best_f1()
    highest = max((row for row in every if f1(row) == best), key=lambda row: row[0])
    assert highest[1:] == (chosen.tp, chosen.fp, chosen.fn, chosen.tn) == counted(scores, targets, chosen.threshold)
    assert chosen.threshold < highest[0]
    enough = [row for row in every if recall(row) >= wish and row[1] + row[2]]
    assert max(map(precision, enough)) == curve.recall_at_least(wish).precision
    precise = [row for row in every if row[1] + row[2] and precision(row) >= wish]
    if precise:
        found = curve.precision_at_least(wish)
        assert (max(map(recall, precise)), True) == (found.recall, found.precision >= wish)
    else:
        with pytest.raises(ArgumentError, match=f"no threshold reaches a precision of {wish:g}; the best is"):
            curve.precision_at_least(wish)
    by_cost = curve.by_cost([costs[:2], costs[2:]])
    assert min(map(cost, every)) == pytest.approx(by_cost.cost, abs=1e-9)


def test_the_curve_equals_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 300)
    scores = (rng.normal(size=300) + targets).round(1)
    curve = threshold_curve(scores, targets)
    precision, recall, thresholds = metrics.precision_recall_curve(targets, scores)
    np.testing.assert_allclose(curve.precision, precision, atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall, atol=1e-12)
    assert thresholds.tolist() == curve.thresholds[:-1].tolist()
    for threshold, f1 in zip(curve.thresholds[::5], curve.f1[::5], strict=True):
        assert metrics.f1_score(targets, scores >= threshold, zero_division=0) == pytest.approx(f1, abs=1e-12)


def test_equal_scores_leave_all_or_nothing() -> None:
    curve = threshold_curve([0.3, 0.3, 0.3], [1, 0, 0])
    assert [0.3, math.inf] == curve.thresholds.tolist()
    choice = curve.by_cost([[0, 1], [1, 0]])
    assert (math.inf, 1.0, (0, 0, 1, 2)) == (choice.threshold, choice.cost, (choice.tp, choice.fp, choice.fn, choice.tn))
    assert "predict nothing" in str(choice)
    assert 0.15 == curve.by_cost([[0, 1], [5, 0]]).threshold


def test_a_threshold_of_ones_own() -> None:
    curve = threshold_curve(HAND_SCORES, HAND_TARGETS)
    for threshold in (0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 0.9):
        choice = curve.at(threshold)
        assert (threshold, *counted(HAND_SCORES, HAND_TARGETS, threshold)) == (
            choice.threshold, choice.tp, choice.fp, choice.fn, choice.tn,
        )  # fmt: skip
    assert 0.8 == curve.at(0.5).accuracy


def test_logits_and_probabilities_choose_alike() -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, 100)
    logits = rng.normal(size=100) + targets
    on_logits = threshold_curve(mg.tensor(logits), mg.tensor(targets)).best_f1()
    report = evaluate_outputs(logits, targets)
    on_probabilities = report.threshold_curve().best_f1()
    assert ("logits", "probabilities") == (on_logits.outputs, on_probabilities.outputs)
    assert on_logits.f1 == on_probabilities.f1
    assert (on_logits.tp, on_logits.fp) == (on_probabilities.tp, on_probabilities.fp)
    assert on_logits.probability == pytest.approx(on_probabilities.threshold, abs=0.01)
    chosen = evaluate_outputs(logits, targets, threshold=on_logits.probability)
    assert on_logits.f1 == pytest.approx(chosen.f1[1], abs=1e-12)
    assert on_logits.accuracy == chosen.accuracy


def test_scores_that_saturate_as_probabilities_are_kept_apart_as_logits() -> None:
    curve = threshold_curve(np.array([1e3, 40.0, 50.0, -1e3]), [1, 0, 1, 0])
    assert (50.0, 1.0) == (curve.best_f1().threshold, curve.best_f1().f1), "σ(45) is σ(40), so the threshold stays at the score"
    assert 1.0 == curve.best_f1().probability


@pytest.mark.parametrize(
    ("scores", "targets", "settings", "error", "message"),
    [
        ([0.1, 0.2], [1, 1], {}, ArgumentError, "all 2 targets are 1"),
        ([0.1, 0.2], [0, 0], {}, ArgumentError, "all 2 targets are 0"),
        ([0.1, 0.2], [0, 2], {}, DomainError, "targets must be 0 or 1, got 2"),
        ([0.1, math.nan], [0, 1], {}, DomainError, "scores hold NaN"),
        ([0.1, math.inf], [0, 1], {}, DomainError, "scores must be finite, got inf"),
        ([0.1, 1.5], [0, 1], {"outputs": "probabilities"}, DomainError, "probabilities must be between 0 and 1"),
        ([0.0, 0.0], [0, 1], {}, ArgumentError, 'say outputs="logits" or outputs="probabilities"'),
        ([0.1, 0.2], [0, 1], {"outputs": "log_probabilities"}, ArgumentError, "outputs must be one of 'logits', 'probabilities'"),
        ([[0.1, 0.2]], [[0, 1]], {}, ArgumentError, "scores have 2 columns; see multilabel_thresholds"),
        ([[0.1, 0.2]], [0], {}, ShapeError, r"one a class; pass column 1, scores\[:, 1\]"),
        ([[0.1, 0.2, 0.3]], [0], {}, ShapeError, r"got \(1, 3\) and \(1,\)"),
        (np.zeros((2, 3, 4)), [0, 1], {}, ShapeError, r"scores must have shape \(n\) or \(n, columns\), got \(2, 3, 4\)"),
    ],
)
def test_refused_scores(scores: Any, targets: Any, settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"threshold_curve: .*{message}"):
        threshold_curve(scores, targets, **settings)


def test_refused_wishes() -> None:
    curve = threshold_curve([0.1, 0.2], [1, 0])
    with pytest.raises(ArgumentError, match=r"the best is 0.5000, at 0.05, with a recall of 1.0000"):
        curve.precision_at_least(0.9)
    for wish in (curve.precision_at_least, curve.recall_at_least):
        for value in (1.1, "a", math.nan):
            with pytest.raises(ArgumentError, match=f"expected a share between 0 and 1, got {value!r}"):
                wish(value)
    for threshold in (math.nan, "a"):
        with pytest.raises(ArgumentError, match="at: threshold must be a number, got"):
            curve.at(threshold)  # type: ignore[arg-type]
    for matrix in ("a", [1, 2], [[1], [2, 3]], [[1, 2], [3, math.nan]]):
        with pytest.raises(ArgumentError, match=r"by_cost: cost_matrix must be 2 × 2 finite numbers, \[true\]\[predicted\]"):
            curve.by_cost(matrix)


# ---- rounding


@pytest.mark.parametrize("factor", [1, 5, 20])
def test_a_threshold_on_float32_probabilities_counts_alike_in_a_report_on_logits(factor: int) -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(factor)
    for _ in range(12):
        targets = np.append(rng.integers(0, 2, 58), [0, 1])
        logits = (factor * (rng.normal(size=60) + 2 * targets - 1)).astype(np.float32)
        for scores, scale in ((mg.tensor(logits).sigmoid(), "probabilities"), (mg.tensor(logits), "logits")):
            choice = threshold_curve(scores, targets, outputs=scale).best_f1()
            report = evaluate_outputs(logits, targets, task="binary", outputs="logits", threshold=choice.probability)
            assert [[choice.tn, choice.fp], [choice.fn, choice.tp]] == report.confusion.tolist()


def test_neighbouring_numbers_leave_no_room_between() -> None:
    above = np.nextafter(0.5, 1)
    choice = threshold_curve([0.5, above], [0, 1]).best_f1()
    assert (above, 1, 0) == (choice.threshold, choice.tp, choice.fp)
    assert 0.0 == threshold_curve([0.0, 0.5], [1, 0]).recall_at_least(1).threshold
    lowest = threshold_curve([-3.0, 2.0], [1, 0]).recall_at_least(1)
    assert (-4.0, 1, 1) == (lowest.threshold, lowest.tp, lowest.fp)


def test_predicting_nothing_has_no_precision_and_stays_so_as_a_probability() -> None:
    curve = threshold_curve([50.0, -1.0, 1.0], [0, 1, 0])
    nothing = curve.by_cost([[0, 9], [1, 0]])
    assert (math.inf, math.inf) == (nothing.threshold, nothing.probability)
    assert math.isnan(nothing.precision)
    assert ["precision", "–"] == nothing.blocks()[1].rows[0]
    assert "–" == curve.blocks()[1].rows[-1][1].value
    assert 1.0 == curve.precision[-1], "the curve keeps scikit-learn's convention"
    something = threshold_curve(HAND_SCORES, HAND_TARGETS).recall_at_least(0)
    assert (1, 0) == (something.tp, something.fp)


def test_a_choice_predicts() -> None:
    choice = threshold_curve(HAND_SCORES, HAND_TARGETS).best_f1()
    for scores in (HAND_SCORES, mg.tensor(HAND_SCORES)[:, None]):
        assert [0, 0, 0, 1, 0] == choice.predict(scores).tolist()
    with pytest.raises(ShapeError, match=r"predict: scores must have shape \(n\) or \(n, 1\), got \(5, 2\)"):
        choice.predict(np.zeros((5, 2)))


# ---- labels


def labelled() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(60, 3))
    return logits, (logits + rng.normal(size=logits.shape) > [0, 1, 0.5]).astype(int)


@pytest.mark.parametrize(
    ("rule", "value"), [("best_f1", None), ("recall_at_least", 0.8), ("precision_at_least", 0.5), ("by_cost", [[0, 1], [3, 0]])]
)
def test_each_label_gets_the_threshold_of_its_own_curve(rule: str, value: Any) -> None:
    scores, targets = labelled()
    found = multilabel_thresholds(scores, targets, rule, value, class_names=["a", "b", "c"])
    for k in range(3):
        curve = threshold_curve(scores[:, k], targets[:, k])
        expected = getattr(curve, rule)(*(() if value is None else (value,)))
        assert expected.to_dict() == found.choices[k].to_dict()
    predicted = found.predict(mg.tensor(scores))
    assert np.array_equal(scores >= found.thresholds, predicted)
    report = evaluate_outputs(scores, targets, threshold=found.probabilities)
    assert np.array_equal(predicted, report.predicted)
    assert ["a", "b", "c"] == list(found.to_dict()["labels"])


def test_a_label_without_both_answers_keeps_one_half() -> None:
    scores, targets = labelled()
    for answer, word in ((0, "No sample has"), (1, "Every sample has")):
        one_sided = targets.copy()
        one_sided[:, 1] = answer
        for y, cut in ((scores, 0.0), (1 / (1 + np.exp(-scores)), 0.5)):
            found = multilabel_thresholds(y, one_sided, "by_cost", [[0, 1], [3, 0]], class_names=["a", "b", "c"])
            assert (cut, 0.5) == (found.thresholds[1], found.probabilities[1])
            assert counted(y[:, 1], one_sided[:, 1], cut) == tuple(getattr(found.choices[1], x) for x in ("tp", "fp", "fn", "tn"))
            assert f'{word} label "b": nothing can be chosen there' in str(found)
            assert list(found.notes) == found.to_dict()["notes"]
            assert len(found.blocks()[2].rows) == 3 == len(found.blocks()) - 2
    assert math.isnan(multilabel_thresholds(scores, targets * [1, 0, 1]).choices[1].recall)


def test_each_label_may_have_a_value_of_its_own() -> None:
    scores, targets = labelled()
    wishes = [0.9, 0.5, 0.7]
    found = multilabel_thresholds(scores, targets, "recall_at_least", wishes)
    costs = np.arange(12).reshape(3, 2, 2) % 5
    cheap = multilabel_thresholds(scores, targets, "by_cost", costs)
    for k in range(3):
        curve = threshold_curve(scores[:, k], targets[:, k])
        assert curve.recall_at_least(wishes[k]).threshold == found.thresholds[k]
        assert curve.by_cost(costs[k]).cost == cheap.choices[k].cost


def test_many_labels_show_the_weakest_and_few_pictures() -> None:
    rng = np.random.default_rng(0)
    found = multilabel_thresholds(rng.normal(size=(40, 60)), rng.integers(0, 2, (40, 60)))
    table, *pictures = found.blocks()[1:]
    assert (20, 10) == (len(table.rows), len(pictures))
    assert min(choice.f1 for choice in found.choices) == table.rows[0][4]
    assert 60 == len(found.to_dict()["labels"])


def test_refused_labels() -> None:
    scores, targets = labelled()
    with pytest.raises(ArgumentError, match="value must be one for all labels or 3, one a label, got 2"):
        multilabel_thresholds(scores, targets, "recall_at_least", [0.9, 0.8])
    with pytest.raises(ArgumentError, match='multilabel_thresholds: label "0": precision_at_least: no threshold'):
        multilabel_thresholds([[0.1], [0.2]], [[1], [0]], "precision_at_least", 0.9)
    with pytest.raises(ArgumentError, match=r"rule must be one of 'best_f1'.* got 'best'"):
        multilabel_thresholds(scores, targets, "best")
    with pytest.raises(ArgumentError, match="rule 'by_cost' takes a value, got None"):
        multilabel_thresholds(scores, targets, "by_cost")
    with pytest.raises(ShapeError, match=r"predict: scores must have shape \(n, 3\).* got \(60, 2\)"):
        multilabel_thresholds(scores, targets).predict(scores[:, :2])


# ---- handed to a report


def test_a_report_takes_the_choice_itself() -> None:
    pytest.importorskip("sklearn")
    scores, targets = labelled()
    choice = threshold_curve(scores[:, 0], targets[:, 0]).recall_at_least(0.95)
    report = evaluate_outputs(scores[:, 0], targets[:, 0], threshold=choice)
    assert [[choice.tn, choice.fp], [choice.fn, choice.tp]] == report.confusion.tolist()
    assert choice.probability == report.threshold
    chosen = multilabel_thresholds(scores, targets)
    assert np.array_equal(chosen.predict(scores), evaluate_outputs(scores, targets, threshold=chosen).predicted)
    nothing = threshold_curve([50.0, -1.0, 1.0], [0, 1, 0]).by_cost([[0, 9], [1, 0]])
    assert not evaluate_outputs(scores[:, 0], targets[:, 0], threshold=nothing).predicted.any()


@pytest.mark.parametrize("threshold", [-0.16, 50, 1.01, math.nan, -math.inf])
def test_a_threshold_on_logits_is_refused(threshold: float) -> None:
    scores, targets = labelled()
    with pytest.raises(ArgumentError, match=f"threshold must be a probability.* got {threshold:g}; .*pass choice.probability"):
        evaluate_outputs(scores[:, 0], targets[:, 0], threshold=threshold)
    with pytest.raises(ArgumentError, match=f"got {threshold:g}; for a threshold on logits"):
        evaluate_outputs(scores, targets, threshold=[0.5, 1, threshold])


def test_a_threshold_that_is_no_number_is_named_by_its_type() -> None:
    scores, targets = labelled()
    with pytest.raises(ArgumentError, match=r"threshold must be a number, got MultilabelThresholds of shape \(3,\)"):
        evaluate_outputs(scores[:, 0], targets[:, 0], threshold=multilabel_thresholds(scores, targets))
    with pytest.raises(ArgumentError, match=r"threshold must be a number or 3, one a label, got ThresholdCurve of shape \(\)"):
        evaluate_outputs(scores, targets, threshold=threshold_curve(scores[:, 0], targets[:, 0]))


# ---- as documents


def test_curves_and_choices_are_text_data_and_pictures(tmp_path: Path) -> None:
    scores, targets = labelled()
    curve = threshold_curve(scores[:, 0], targets[:, 0])
    choice = curve.by_cost([[0, 1], [10, 0]])
    for document in (curve, choice, multilabel_thresholds(scores, targets)):
        assert "predicted = score ≥ threshold" in str(document)
        assert str(document).startswith(document.headline()[:30])
        json.loads(document.to_json())
    assert "lowest total cost" in str(choice)
    pytest.importorskip("matplotlib")
    choice.plot(tmp_path / "choice.png")
    figure = choice.plot()
    axes = figure.axes[0]
    assert "Lowest total cost" in axes.get_title(loc="left")
    assert "threshold on the logit" == axes.get_xlabel()
    marked = {line.get_xdata()[0]: line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert [choice.threshold] == list(marked)
    assert marked[choice.threshold] == pytest.approx(choice.f1)
    cost = figure.axes[1]
    assert "total cost" == cost.get_ylabel()
    line, mark = cost.lines
    assert (choice.cost, choice.cost) == (mark.get_ydata()[0], line.get_ydata().min())
    assert isinstance(next(row[1] for row in choice.blocks()[1].rows if row[0] == "total cost"), int), "shown without decimals"


def test_the_titles_of_labels_keep_their_names() -> None:
    pytest.importorskip("matplotlib")
    scores, targets = labelled()
    figure = multilabel_thresholds(scores, targets, class_names=["rain", "sun", "fog"]).plot()
    title = figure.subfigs[0].axes[0].get_title(loc="left")
    assert title.startswith('Label "rain": highest F1')


def test_a_long_curve_is_drawn_thin() -> None:
    pytest.importorskip("matplotlib")
    scores = np.random.default_rng(0).normal(size=20_000)
    curve: ThresholdCurve = threshold_curve(scores, (scores > 0).astype(int))
    assert 20_001 == len(curve.thresholds)
    assert max(len(line.get_xdata()) for line in curve.plot().axes[0].lines) <= 2000

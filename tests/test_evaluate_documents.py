"""Reports as text, data, pages and pictures; also those of a thousand classes and of names that are long."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judged import CLASSES, X2, as_probabilities

from minigrad.display import Details, Picture, Table, figure
from minigrad.errors import ArgumentError
from minigrad.evaluate import evaluate_outputs, threshold_curve

pytest.importorskip("sklearn.metrics")


def reports() -> list[Any]:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(90, 15))
    return [
        evaluate_outputs(X2, CLASSES),
        evaluate_outputs(X2[:, 0], CLASSES, class_names=["<no>", "yes"]),
        evaluate_outputs(many, np.arange(90) % 15),
        evaluate_outputs(X2, [[1, 1], [0, 0], [0, 1], [1, 0]]),
        evaluate_outputs(X2, 2 * X2),
    ]


@pytest.mark.parametrize("report", reports(), ids=lambda report: f"{report.task}-{report.n}")
def test_a_report_is_text_data_and_html(report: Any, tmp_path: Path) -> None:
    assert str(report).startswith(report.headline()[:40])
    data = json.loads(report.to_json(tmp_path / "report.json"))
    assert data == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report.n, report.task) == (data["n"], data["task"])
    assert max(map(len, str(report).splitlines())) <= 140
    pytest.importorskip("matplotlib")
    html = report._repr_html_()
    assert "data:image/svg+xml" in html
    assert "<no>" not in html


@pytest.mark.parametrize("report", reports(), ids=lambda report: f"{report.task}-{report.n}")
def test_a_report_is_a_picture(report: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report.plot(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_the_confusion_picture_says_which_way_round_it_is() -> None:
    pytest.importorskip("matplotlib")
    drawn = evaluate_outputs(X2, CLASSES, class_names=["a", "b"]).plot()
    axes = next(axes for axes in (ax for part in drawn.subfigs for ax in part.axes) if "Confusion" in axes.get_title(loc="left"))
    assert "Confusion matrix: a row is a true class" == axes.get_title(loc="left")
    assert "true class" == axes.get_ylabel()
    assert axes.get_xlabel().startswith("predicted class")
    assert ["a", "b"] == [tick.get_text() for tick in axes.get_yticklabels()]


def test_many_classes_show_their_most_frequent_mistakes() -> None:
    confusion = np.diag(np.full(15, 4))
    confusion[3, 7] = 3
    report = evaluate_outputs(*as_probabilities(confusion.tolist()))
    assert [["3", "7", 3, 3 / 7]] == report._mistakes()[0].rows


# ---- many classes


def axes_of(picture: Picture) -> Any:
    pytest.importorskip("matplotlib")
    return figure("test", [picture]).axes[0]


def test_five_hundred_classes_are_shades_and_their_weakest() -> None:
    classes = 500
    truth = np.arange(2 * classes) % classes
    guess = np.where(np.arange(2 * classes) < 30, (truth + 1) % classes, truth)
    p = np.full((2 * classes, classes), 0.1 / (classes - 1))
    p[np.arange(2 * classes), guess] = 0.9
    report = evaluate_outputs(p, truth, class_names=[f"class {k}" for k in range(classes)])
    blocks = report.blocks()
    tables = [block for block in blocks if isinstance(block, Table)]
    assert max(len(table.rows) for table in tables) == 22
    by_class = report._classes()
    assert "Shown are the 20 of 500 with the lowest F1, the weakest first; to_dict() has all." == by_class.note
    shown = [row[3] for row in by_class.rows[:20]]
    assert np.sort(report.f1)[:20].tolist() == shown
    assert ["macro average", "weighted average"] == [row[0].value for row in by_class.rows[20:]]
    assert classes == len(report.to_dict()["f1"])
    pictures = [block for block in blocks if isinstance(block, Picture)]
    assert 2 == len(pictures)
    axes = axes_of(pictures[0])
    assert (0, 20, 20) == (len(axes.texts), len(axes.get_xticks()), len(axes.get_yticks()))
    assert 0 == len(axes.get_xticks(minor=True)) == len(axes.get_yticks(minor=True))
    assert ["class 0", "class 499"] == [axes.get_xticklabels()[at].get_text() for at in (0, -1)]


def test_empty_cells_have_no_text_and_cells_are_square() -> None:
    confusion = np.diag([5] * 25)
    confusion[3, 4] = 2
    report = evaluate_outputs(*as_probabilities(confusion.tolist()))
    axes = axes_of(next(block for block in report.blocks() if isinstance(block, Picture)))
    assert 26 == len(axes.texts)
    assert 1.0 == axes.get_aspect()


def test_many_labels_and_outputs_show_the_weakest() -> None:
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(50, 40)), rng.integers(0, 2, (50, 40))
    labels = evaluate_outputs(z, t)._labels()
    assert (23, "the 20 of 40 with the lowest F1") == (len(labels.rows), labels.note[10:41])
    numbers = evaluate_outputs(z, 2 * z)._outputs()
    assert 20 == len(numbers.rows)


# ---- names and numbers


def test_long_names_are_shortened_in_pictures_and_kept_in_tables() -> None:
    name = "a very long class name indeed"
    report = evaluate_outputs(X2, CLASSES, class_names=[name, "dog"])
    matrix = next(block for block in report.blocks() if isinstance(block, Details)).blocks[0]
    assert ["a very long\nclass name…", "dog"] == [tick.get_text() for tick in axes_of(matrix).get_yticklabels()]
    assert f"true {name}" in str(report)


def test_label_reports_have_a_threshold_curve_for_each_label_with_both_answers() -> None:
    z = np.random.default_rng(0).normal(size=(30, 3))
    report = evaluate_outputs(z, (z > 0) * [1, 1, 0], class_names=["rain", "sun", "fog"], threshold=[0.4, 0.5, 0.6])
    curves = next(block for block in report.blocks() if isinstance(block, Details)).blocks
    assert ['Label "rain"', 'Label "sun"'] == [axes_of(curve).get_title(loc="left") for curve in curves]
    assert "threshold 0.4" in [line.get_label() for line in axes_of(curves[0]).lines]


def test_what_is_undefined_is_a_dash() -> None:
    report = evaluate_outputs(np.eye(3)[[0, 1, 0]], [0, 1, 1])
    assert ["2", "–", "–", "–", 0, "–", "–"] == report._classes().rows[2]
    assert "nan" not in str(report)
    assert "nan" not in str(evaluate_outputs(X2, [[1, 0], [0, 0], [0, 0], [1, 0]]))
    assert "nan" not in str(evaluate_outputs([2.0], [0.5]))


def test_a_label_report_has_all_averages_and_both_kinds_of_bins() -> None:
    rng = np.random.default_rng(1)
    report = evaluate_outputs(rng.normal(size=(50, 3)), rng.integers(0, 2, (50, 3)))
    averages = {row[0].value: row[2:5] for row in report._labels().rows[3:]}
    assert ["macro average", "weighted average", "micro average"] == list(averages)
    assert [report.weighted_precision, report.weighted_recall, report.weighted_f1] == averages["weighted average"]
    measures = {row[0]: row[1] for row in report._measures().rows}
    assert report.weighted_f1 == measures["F1, weighted"]
    assert (report.ece_equal_mass, report.mce_equal_mass) == (
        measures["ECE, bins of equal mass"], measures["MCE, bins of equal mass"],
    )  # fmt: skip


def test_classes_keep_their_names_in_thresholds() -> None:
    report = evaluate_outputs(X2[:, 0], CLASSES, class_names=["honest", "fraud"])
    assert 'Predicted is "fraud" where its probability is at least 0.5.' in report.blocks()[-1].value
    for curve in (report.threshold_curve(), threshold_curve(X2[:, 0], CLASSES, class_names=["honest", "fraud"])):
        matrix = curve.best_f1().blocks()[2]
        assert ("", "→ honest", "→ fraud") == tuple(matrix.head)
        assert ["true honest", "true fraud"] == [row[0] for row in matrix.rows]
    assert "→ 1" in str(threshold_curve(X2[:, 0], CLASSES).best_f1())
    with pytest.raises(ArgumentError, match="threshold_curve: class_names must be 2 names"):
        threshold_curve(X2[:, 0], CLASSES, class_names=["fraud"])


def test_confidence_is_named_beside_the_calibration_errors() -> None:
    named = {"class_names": ["no", "yes"]}
    for report, event in (
        (evaluate_outputs(X2[:, 0], CLASSES, **named), "the probability of class yes"),
        (evaluate_outputs(X2, CLASSES, **named), "the probability of the predicted class"),
        (evaluate_outputs(X2, [[1, 1], [0, 0], [0, 1], [1, 0]]), "the probability of a label, all labels together"),
    ):
        assert report._measures().note.endswith(f"Calibration errors (ECE, MCE): the confidence is {event}.")


def test_one_sample_is_no_plural() -> None:
    assert evaluate_outputs([[2.0, 1.0]], [0]).headline().startswith('The only sample is of class "0": 1 of 1 recognised')


def test_a_mean_of_rounding_is_zero() -> None:
    targets = np.array([100.0, -100.0, 50.0, -50.0])
    report = evaluate_outputs(np.full(4, 1e-11), targets, task="regression")
    assert report.residual_mean[0] != 0
    assert 0.0 == report._outputs().rows[0][5]
    axes = axes_of([block for block in report.blocks() if isinstance(block, Picture)][1])
    assert "mean 0" in [line.get_label() for line in axes.lines]
    assert math.isclose(0.5, evaluate_outputs(targets - 0.5, targets)._outputs().rows[0][5])

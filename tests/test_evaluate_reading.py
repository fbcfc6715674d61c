"""How outputs and targets are understood: from the loss, from shapes and values; what does not count, and what is refused."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import numpy as np
import pytest
from judged import CLASSES, ONES, X2, passed, same

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, DomainError, IndexRangeError, InputTypeError, ShapeError
from minigrad.evaluate import evaluate, evaluate_outputs, temperature_scaling

pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize(
    ("outputs", "targets", "loss", "expected"),
    [
        (X2, CLASSES, nn.CrossEntropyLoss(), ("multiclass", "logits")),
        (X2, CLASSES, partial(F.cross_entropy, label_smoothing=0.1), ("multiclass", "logits")),
        (np.log([[0.7, 0.3]] * 4), CLASSES, nn.NLLLoss(), ("multiclass", "log_probabilities")),
        (X2[:, :1], ONES, F.binary_cross_entropy_with_logits, ("binary", "logits")),
        (X2[:, 0], ONES[:, 0], nn.BCEWithLogitsLoss(), ("binary", "logits")),
        (ONES / 2, ONES, nn.BCELoss(), ("binary", "probabilities")),
        (X2, np.eye(2)[CLASSES], nn.BCEWithLogitsLoss(), ("multilabel", "logits")),
        (X2, np.eye(2)[CLASSES], nn.MultiLabelSoftMarginLoss(), ("multilabel", "logits")),
        (X2, CLASSES, nn.FocalLoss(), ("multiclass", "logits")),
        (X2[:, 0], ONES[:, 0], partial(partial(F.focal_loss, gamma=1.0), alpha=0.3), ("binary", "logits")),
        (X2, np.eye(2)[CLASSES], nn.CrossEntropyLoss(), ("multiclass", "logits")),
        (ONES, ONES, nn.MSELoss(), ("regression", "")),
        (X2, X2, F.huber_loss, ("regression", "")),
        (X2, X2, nn.SmoothL1Loss(), ("regression", "")),
    ],
)
def test_the_loss_says_what_outputs_are(outputs: Any, targets: Any, loss: Any, expected: tuple[str, str]) -> None:
    report = evaluate(passed, (outputs, targets), loss)
    assert expected == (report.task, report.reading.outputs)
    assert "from the loss" in str(report)
    same(float(loss(mg.tensor(outputs), mg.tensor(targets)).item()), report.loss)


@pytest.mark.parametrize(
    ("outputs", "targets", "expected"),
    [
        (X2, CLASSES, ("multiclass", "logits")),
        (X2, CLASSES.astype(np.float32)[:, None], ("multiclass", "logits")),
        (np.array([[0.7, 0.3]] * 4, np.float32), CLASSES, ("multiclass", "probabilities")),
        (np.log([[0.7, 0.3]] * 4), CLASSES, ("multiclass", "log_probabilities")),
        (X2[:, 0], CLASSES, ("binary", "logits")),
        (X2[:, :1], CLASSES.astype(bool), ("binary", "logits")),
        ([0.2, 0.8, 1.0, 0.0], CLASSES, ("binary", "probabilities")),
        (X2, [[1, 1], [0, 0], [0, 1], [1, 0]], ("multilabel", "logits")),
        (X2[:, 0], [2.0, 3.0, 4.0, 5.0], ("regression", "")),
        (X2, X2, ("regression", "")),
    ],
)
def test_shapes_and_values_say_what_outputs_are(outputs: Any, targets: Any, expected: tuple[str, str]) -> None:
    report = evaluate_outputs(outputs, targets)
    assert expected == (report.task, report.reading.outputs)
    assert "from shapes and values" in report.reading.words


def test_what_is_asked_for_wins() -> None:
    report = evaluate(passed, (ONES, ONES), nn.MSELoss(), task="binary", outputs="logits")
    assert ("binary", 0.5) == (report.task, report.probabilities[1])
    assert "Task: binary (as asked). Outputs: logits (as asked)." in str(report)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"predictions": X2[:, 0], "targets": [0, 1, 2, 3]}, ArgumentError, 'not clear what the task is.* say task="regression"'),
        (
            {"predictions": X2, "targets": np.eye(2)[CLASSES]},
            ArgumentError,
            r'say task="multiclass" \(one-hot\) or task="multilabel"',
        ),
        ({"predictions": [[0.2, 0.3]], "targets": [0]}, ArgumentError, 'rows do not add up to 1; say outputs="logits"'),
        ({"predictions": [0.0, 0.0], "targets": [0, 1]}, ArgumentError, "it is not clear what the outputs are"),
        ({"predictions": X2, "targets": [0, 1, 2, 1]}, IndexRangeError, r"targets\[2\] is 2, but there are 2 classes"),
        ({"predictions": X2, "targets": [0, 1, -100, 1]}, IndexRangeError, r"targets\[2\] is -100"),
        ({"predictions": X2, "targets": [0, 1, 1]}, ShapeError, "got 4 outputs and 3 targets"),
        ({"predictions": X2, "targets": [0.5, 1, 1, 0], "task": "multiclass"}, DomainError, "class indices, got 0.5"),
        (
            {"predictions": X2[:, 0], "targets": [0.5, 1, 1, 0], "task": "binary"},
            DomainError,
            "binary targets must be 0 or 1, got 0.5",
        ),
        ({"predictions": X2[:, 0], "targets": CLASSES, "task": "multiclass"}, ShapeError, "at least 2 classes"),
        ({"predictions": X2, "targets": X2[:, :1], "task": "regression"}, ShapeError, "must have the same shape"),
        ({"predictions": np.zeros((2, 3, 4)), "targets": [0, 1]}, ShapeError, r"targets must have shape \(2, 4\).* got \(2,\)"),
        ({"predictions": np.zeros((0, 2)), "targets": []}, ArgumentError, "outputs hold nothing"),
        ({"predictions": [[1.0, math.nan]], "targets": [0]}, DomainError, "NaN in 1 of 1 samples, first in sample 0"),
        ({"predictions": [1.0, 2.0], "targets": [0.5, math.nan]}, DomainError, "targets hold NaN"),
        ({"predictions": [1.0, math.inf], "targets": [0.5, 1.5]}, DomainError, "outputs must be finite"),
        ({"predictions": [[1.0, math.inf]], "targets": [0]}, DomainError, "leave no probabilities"),
        ({"predictions": [1.5, 0.5], "targets": [0, 1], "outputs": "probabilities"}, DomainError, "values from 0.5 to 1.5"),
        (
            {"predictions": X2, "targets": CLASSES, "outputs": "log_probabilities"},
            DomainError,
            "log-probabilities must be at most 0",
        ),
        ({"predictions": -(X2**2), "targets": CLASSES, "outputs": "log_probabilities"}, DomainError, "must add up to 1"),
        ({"predictions": ["a"], "targets": [0]}, InputTypeError, "outputs must be numbers"),
        (
            {"predictions": X2, "targets": CLASSES, "task": "ranking"},
            ArgumentError,
            "task must be one of 'multiclass', .* got 'ranking'",
        ),
        ({"predictions": X2, "targets": CLASSES, "class_names": ["a"]}, ArgumentError, "class_names must be 2 names, one a class"),
        ({"predictions": X2, "targets": CLASSES, "threshold": 0.4}, ArgumentError, "the task is 'multiclass'"),
        (
            {"predictions": X2[:, 0], "targets": CLASSES, "threshold": [0.4, 0.2]},
            ArgumentError,
            r"threshold must be a number, got list of shape \(2,\)",
        ),
        ({"predictions": X2, "targets": CLASSES, "bins": 0}, ArgumentError, "bins must be an int, at least 1, got 0"),
    ],
)
def test_refusals_say_what_came_and_what_helps(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"evaluate_outputs: .*{message}"):
        evaluate_outputs(**settings)


# ---- more than two dimensions

RNG = np.random.default_rng(4)
MAPS, MAP_CLASSES = RNG.normal(size=(6, 3, 2, 4)), RNG.integers(0, 3, (6, 2, 4))


def test_each_position_is_a_sample() -> None:
    report = evaluate(passed, (MAPS, MAP_CLASSES), nn.CrossEntropyLoss())
    rows = np.stack([MAPS[n, :, i, j] for n in range(6) for i in range(2) for j in range(4)])
    flat = evaluate_outputs(rows, MAP_CLASSES.ravel())
    assert flat.confusion.tolist() == report.confusion.tolist()
    same(flat.probabilities, report.probabilities)
    same(report.log_loss, report.loss)
    assert report.notes[0] == "Outputs (6, 3, 2, 4): each position counts as a sample, 48 in all."
    assert flat.accuracy == evaluate_outputs(MAPS, MAP_CLASSES).accuracy
    one_hot = np.moveaxis(np.eye(3)[MAP_CLASSES], -1, 1)
    assert flat.accuracy == evaluate_outputs(MAPS, one_hot, task="multiclass").accuracy


def test_positions_of_a_mask_and_of_labels() -> None:
    mask = (MAPS[:, :1] > 0.3).astype(float)
    binary = evaluate(passed, (MAPS[:, :1], mask), nn.BCEWithLogitsLoss())
    assert ("binary", 48) == (binary.task, binary.n)
    same(((MAPS[:, :1] >= 0) == mask).mean(), binary.accuracy)
    labels = evaluate(passed, (MAPS, (MAPS > 0.3).astype(float)), nn.BCEWithLogitsLoss())
    assert ("multilabel", (48, 3)) == (labels.task, labels.targets.shape)
    assert (MAPS[:, 2] > 0.3).sum() == labels.support[2]


def test_a_regression_of_images_has_an_output_a_pixel() -> None:
    images = RNG.normal(size=(10, 5, 6))
    report = evaluate(passed, (images, images + 0.5), nn.MSELoss())
    assert ("regression", 30) == (report.task, len(report.class_names))
    assert (0.25, 0.25) == pytest.approx((report.mse, report.loss))
    table = report._outputs()
    assert 20 == len(table.rows)
    assert "the 20 of 30 with the lowest R²" in table.note
    assert 30 == len(report.to_dict()["mse_per_output"])
    assert 5 == len(report.notes)
    assert "those of 26 more outputs" in report.notes[-1]


# ---- what does not count


@pytest.mark.parametrize(
    ("loss", "ignored"),
    [
        (nn.CrossEntropyLoss(), -100),
        (nn.CrossEntropyLoss(ignore_index=2), 2),
        (partial(F.cross_entropy, ignore_index=7), 7),
        (lambda y, t: F.cross_entropy(y, t), -100),
    ],
)
@pytest.mark.parametrize("positions", [False, True])
def test_ignored_targets_do_not_count(loss: Any, ignored: int, positions: bool) -> None:
    outputs, targets = (MAPS, MAP_CLASSES.copy()) if positions else (MAPS[:, :, 0, 0], MAP_CLASSES[:, 0, 0].copy())
    targets[0] = ignored
    kept = targets != ignored
    report = evaluate(passed, [(outputs[n : n + 1], targets[n : n + 1]) for n in range(6)], loss)
    assert kept.sum() == report.n == report.confusion.sum()
    same((outputs.argmax(1) == targets)[kept].mean(), report.accuracy)
    same(report.log_loss, report.loss)
    assert f"{(~kept).sum()} of {kept.size} targets are {ignored}, the ignore_index of the loss" in str(report)


def test_all_ignored_is_refused() -> None:
    with pytest.raises(ArgumentError, match="evaluate: all 4 targets are -100, the ignore_index of the loss"):
        evaluate(passed, (X2, np.full(4, -100)), nn.CrossEntropyLoss())


def test_targets_that_are_probabilities_count_as_their_most_probable_class() -> None:
    soft = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    report = evaluate(passed, (X2, soft), nn.CrossEntropyLoss())
    assert CLASSES.tolist() == report.targets.tolist()
    same(F.cross_entropy(mg.tensor(X2), mg.tensor(soft)).item(), report.loss)
    assert any("Targets are probabilities" in note for note in report.notes)
    with pytest.raises(DomainError, match="one-hot, or probabilities that add up to 1"):
        evaluate(passed, (X2, 2 * soft), nn.CrossEntropyLoss())


# ---- probabilities where logits belong


@pytest.mark.parametrize(
    ("layer", "targets", "loss", "remedy"),
    [
        (nn.Softmax(dim=1), CLASSES, nn.CrossEntropyLoss(), "remove the softmax .*nn.NLLLoss"),
        (nn.Sigmoid(), np.eye(2)[CLASSES], nn.BCEWithLogitsLoss(), "remove the sigmoid .*nn.BCELoss"),
    ],
)
def test_probabilities_for_a_loss_of_logits_are_told_first(layer: nn.Module, targets: Any, loss: Any, remedy: str) -> None:
    report = evaluate(layer, (X2, targets), loss)
    assert report.notes[0].startswith("The outputs look like probabilities (all between 0 and 1")
    assert re.search(remedy, report.notes[0])
    assert not any("look like" in note for note in evaluate(passed, (X2, targets), loss).notes)
    asked = evaluate(layer, (X2, targets), loss, outputs="probabilities")
    assert not any("look like" in note for note in asked.notes)
    assert report.notes[0].endswith('or say outputs="probabilities".')
    assert str(report).startswith("The outputs look like probabilities"), "even before the headline"


def test_one_sigmoid_too_many_is_told_and_class_scores_between_0_and_1_are_not() -> None:
    binary = evaluate(nn.Sigmoid(), (X2[:, :1], ONES), nn.BCEWithLogitsLoss())
    assert "remove the sigmoid" in binary.notes[0]
    each = evaluate(nn.Sigmoid(), (X2, CLASSES), nn.CrossEntropyLoss())
    assert not any("look like" in note for note in each.notes), "rows do not add up to 1"


def test_temperatures_of_probabilities_are_doubted() -> None:
    for z, t, layer in (
        (nn.Softmax(dim=1)(mg.tensor(X2)), CLASSES, "softmax"),
        (mg.tensor(X2[:, 0]).sigmoid(), CLASSES, "sigmoid"),
    ):
        assert str(temperature_scaling(z, t)).startswith("The logits look like probabilities")
        assert f"remove the {layer} from the model" in temperature_scaling(z, t).to_dict()["notes"][0]
    assert () == temperature_scaling(X2, CLASSES).notes


def test_one_label_is_a_task_of_two_classes():
    p, t = np.full((4, 1), 0.25), np.array([[0], [1], [0], [0]])
    with pytest.raises(ShapeError, match=r'one label, outputs of shape \(4, 1\), .* task="binary"'):
        evaluate_outputs(p, t, task="multilabel", outputs="probabilities")

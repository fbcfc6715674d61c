"""Reports on models: their measures against scikit-learn's and against values worked by hand, what was read, and what is refused."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import CLASSES, TOLERANCE, X2, as_probabilities, passed, same

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.data import DataLoader, TensorDataset
from minigrad.errors import ArgumentError, InputTypeError, MissingExtraError, ShapeError
from minigrad.evaluate import (
    ClassificationReport,
    MultilabelReport,
    RegressionReport,
    evaluate,
    evaluate_outputs,
    reliability,
    temperature_scaling,
    threshold_curve,
)
from minigrad.evaluate.judge import outputs_of
from minigrad.evaluate.ranks import ranking

metrics = pytest.importorskip("sklearn.metrics")
datasets = pytest.importorskip("sklearn.datasets")


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(0)) / (X.std(0) + 1e-9)


def trained(X: np.ndarray, t: np.ndarray, outputs: int, loss: nn.Module, steps: int = 15) -> nn.Module:
    """A linear model in float64 after a few steps."""
    mg.manual_seed(0)
    model = nn.Linear(X.shape[1], outputs).double()
    optimizer = mg.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(mg.tensor(X)), mg.tensor(t)).backward()
        optimizer.step()
    return model


def hold_to_sklearn(report: ClassificationReport) -> None:
    """Every measure that scikit-learn has too; all classes occur."""
    t, predicted = report.targets, report.predicted
    p = report.probabilities if report.probabilities.ndim == 2 else np.stack([1 - report.probabilities, report.probabilities], 1)
    classes = np.arange(p.shape[1])
    same(metrics.accuracy_score(t, predicted), report.accuracy)
    same(metrics.balanced_accuracy_score(t, predicted), report.balanced_accuracy)
    assert np.array_equal(metrics.confusion_matrix(t, predicted), report.confusion)
    for average in (None, "macro", "weighted"):
        found = metrics.precision_recall_fscore_support(t, predicted, average=average, zero_division=0)
        for name, expected in zip(("precision", "recall", "f1"), found, strict=False):
            same(expected, getattr(report, f"{average}_{name}" if average else name))
    assert np.array_equal(np.bincount(t), report.support)
    same(metrics.log_loss(t, p), report.log_loss)
    same(metrics.brier_score_loss(t, p, labels=classes), report.brier)
    if len(classes) == 2:
        same(metrics.roc_auc_score(t, p[:, 1]), report.roc_auc)
        same(metrics.average_precision_score(t, p[:, 1]), report.average_precision)
    else:
        same(metrics.roc_auc_score(t, p, multi_class="ovr"), report.roc_auc)
        same(metrics.average_precision_score(t, p), report.average_precision)
        same(metrics.roc_auc_score(t, p, multi_class="ovr", average=None), report.roc_auc_per_class)


# ---- against scikit-learn, on data


@pytest.mark.parametrize("name", ["digits", "iris", "wine"])
def test_a_multiclass_report_equals_scikit_learn(name: str) -> None:
    X, t = getattr(datasets, f"load_{name}")(return_X_y=True)
    X, loss = standardised(X), nn.CrossEntropyLoss()
    model = trained(X, t, t.max() + 1, loss)
    report = evaluate(model, (X, t), loss)
    assert isinstance(report, ClassificationReport)
    assert ("multiclass", "logits") == (report.task, report.reading.outputs)
    assert 0.5 < report.accuracy < 1
    hold_to_sklearn(report)
    same(loss(model(mg.tensor(X)), mg.tensor(t)).item(), report.loss)
    same(report.log_loss, report.loss)
    frequencies = np.bincount(t) / len(t)
    same(frequencies.max(), report.baseline_accuracy)
    same(-(frequencies * np.log(frequencies)).sum(), report.baseline_log_loss)
    hold_to_sklearn(evaluate_outputs(report.probabilities, t, class_names=["a", "b", "c"] if len(frequencies) == 3 else None))


def test_a_binary_report_equals_scikit_learn() -> None:
    X, t = datasets.load_breast_cancer(return_X_y=True)
    X, loss = standardised(X), nn.BCEWithLogitsLoss()
    model = trained(X, t[:, None].astype(float), 1, loss)
    data = TensorDataset(mg.tensor(X), mg.tensor(t[:, None].astype(float)))
    report = evaluate(model, DataLoader(data, batch_size=100), loss, class_names=["malignant", "benign"])
    assert ("binary", "logits") == (report.task, report.reading.outputs)
    hold_to_sklearn(report)
    same(report.log_loss, report.loss)
    at_90 = evaluate_outputs(report.probabilities, t, threshold=0.9)
    assert np.array_equal(report.probabilities >= 0.9, at_90.predicted)
    hold_to_sklearn(at_90)
    two_columns = evaluate_outputs(np.stack([1 - report.probabilities, report.probabilities], 1), t)
    assert "multiclass" == two_columns.task
    hold_to_sklearn(two_columns)
    same(report.roc_auc, two_columns.roc_auc)


def test_a_regression_report_equals_scikit_learn() -> None:
    X, t = datasets.load_diabetes(return_X_y=True)
    targets = np.stack([t, np.log(t)], 1)
    outputs = X @ np.linalg.lstsq(X, targets, rcond=None)[0] + targets.mean(0)
    report = evaluate_outputs(outputs, targets, class_names=["progression", "its logarithm"])
    assert isinstance(report, RegressionReport)
    same(metrics.mean_squared_error(targets, outputs), report.mse)
    same(metrics.mean_absolute_error(targets, outputs), report.mae)
    same(metrics.root_mean_squared_error(targets, outputs), report.rmse)
    same(metrics.r2_score(targets, outputs), report.r2)
    same(metrics.r2_score(targets, outputs, multioutput="raw_values"), report.r2_per_output)
    same(metrics.max_error(t, outputs[:, 0]), report.max_error)
    same((targets - outputs).mean(0), report.residual_mean)
    same((targets - outputs).std(0), report.residual_std)
    same(targets.var(0), report.baseline_mse_per_output)
    assert "against" in report.headline()
    assert report.r2 > 0.4
    single = evaluate_outputs(outputs[:, :1], targets[:, 0])
    same(report.mse_per_output[0], single.mse)
    assert ("output",) == single.class_names


def test_a_multilabel_report_equals_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(200, 4))
    t = (logits + rng.normal(size=logits.shape) > 0.5).astype(int)
    report = evaluate_outputs(logits, t, threshold=[0.5, 0.6, 0.4, 0.5])
    assert isinstance(report, MultilabelReport)
    p = 1 / (1 + np.exp(-logits))
    predicted = (p >= [0.5, 0.6, 0.4, 0.5]).astype(int)
    assert np.array_equal(predicted, report.predicted)
    same(metrics.accuracy_score(t, predicted), report.exact_match)
    same(1 - metrics.hamming_loss(t, predicted), report.label_accuracy)
    for average in ("macro", "weighted", "micro"):
        for name in ("precision", "recall", "f1"):
            expected = getattr(metrics, f"{name}_score")(t, predicted, average=average)
            same(expected, getattr(report, f"{average}_{name}"))
    same(metrics.roc_auc_score(t, p), report.roc_auc)
    same(metrics.average_precision_score(t, p), report.average_precision)
    same(np.mean([metrics.log_loss(t[:, k], p[:, k]) for k in range(4)]), report.log_loss)
    same(np.mean([metrics.brier_score_loss(t[:, k], p[:, k]) for k in range(4)]), report.brier)
    assert np.array_equal(metrics.multilabel_confusion_matrix(t, predicted), report.confusion)


@pytest.mark.parametrize("levels", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_ranking_equals_scikit_learn(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels + 1, (60, 4)) / levels
    wanted = rng.random((60, 4)) < [0.02, 0.3, 0.7, 0.98]
    wanted[:2] = [[True], [False]]
    auc, ap = ranking(wanted, scores)
    same(metrics.roc_auc_score(wanted, scores, average=None), auc)
    same(metrics.average_precision_score(wanted, scores, average=None), ap)


def test_the_baseline_ranks_as_constant_scores_do() -> None:
    targets, classes = np.array([0, 0, 0, 1, 3]), np.arange(4)
    baseline = evaluate_outputs(np.eye(4)[targets], targets).baseline
    constant = np.tile(np.bincount(targets, minlength=4) / 5, (5, 1))
    auc, ap = ranking(targets[:, None] == classes, constant)
    np.testing.assert_allclose(baseline.roc_auc_per_class, auc)
    np.testing.assert_allclose(baseline.average_precision_per_class, ap)
    assert [0.5, 0.5, math.nan, 0.5] == pytest.approx(auc.tolist(), nan_ok=True)
    alike = evaluate_outputs([0.3, 0.6], [1, 1]).baseline
    assert [math.nan, math.nan] == pytest.approx(alike.roc_auc_per_class.tolist(), nan_ok=True)
    assert [math.nan, 1.0] == pytest.approx(alike.average_precision_per_class.tolist(), nan_ok=True)


def test_logits_whose_probabilities_are_rounded_to_one_are_ranked() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 200)
    z = 60 * (rng.normal(size=200) + targets)
    expected = metrics.roc_auc_score(targets, z), metrics.average_precision_score(targets, z)
    assert metrics.roc_auc_score(targets, 1 / (1 + np.exp(-z))) < expected[0] - 0.02
    labels = evaluate_outputs(np.stack([z, -z], 1), np.stack([targets, 1 - targets], 1), task="multilabel")
    for report in (
        evaluate_outputs(z, targets), evaluate_outputs(np.stack([-z / 2, z / 2], 1), targets), labels
    ):  # fmt: skip
        same(expected[0], report.roc_auc_per_class[0])
        same(expected[0], report.roc_auc)
        same(expected[1], report.average_precision_per_class[-1 if report is not labels else 0])
        assert 1.0 == report.probabilities.max()
    infinite = evaluate_outputs([math.inf, 40.0, 50.0, -math.inf], [1, 0, 1, 0])
    assert (1.0, 1.0) == (infinite.roc_auc, infinite.average_precision)
    assert infinite._repr_html_()


# ---- the lessons' values


@pytest.mark.parametrize(
    ("confusion", "accuracy", "precision", "recall", "f1"),
    [
        ([[45, 3, 2], [4, 40, 6], [1, 5, 44]], 0.86, [0.9, 0.8333, 0.8462], [0.9, 0.8, 0.88], [0.9, 0.8163, 0.8627]),
        ([[50, 2, 3], [4, 45, 1], [2, 3, 48]], 0.9051, [0.8929, 0.9, 0.9231], [0.9091, 0.9, 0.9057], None),
    ],
)
def test_the_lessons_confusion_matrices(
    confusion: list[list[int]], accuracy: float, precision: list[float], recall: list[float], f1: list[float] | None
) -> None:
    report = evaluate_outputs(*as_probabilities(confusion), class_names=["a", "b", "c"])
    assert confusion == report.confusion.tolist()
    assert accuracy == round(report.accuracy, 4)
    assert precision == report.precision.round(4).tolist()
    assert recall == report.recall.round(4).tolist()
    assert f1 is None or f1 == report.f1.round(4).tolist()
    assert "true a" in str(report)
    assert "rows true, columns predicted" in str(report)


def test_accuracy_hides_what_recall_shows() -> None:
    p = np.repeat([0.9, 0.1, 0.9, 0.1], [24, 176, 24, 9776])
    report = evaluate_outputs(p, np.repeat([1, 0], [200, 9800]), class_names=["no", "fraud"])
    assert [[9776, 24], [176, 24]] == report.confusion.tolist()
    assert (0.98, 0.12, 0.98) == (report.accuracy, report.recall[1], report.baseline_accuracy)
    expected = (
        'Accuracy 0.9800 is no better than always answering "no" (0.9800): look at recall. '
        'Of class "fraud" it finds 24 of 200 (recall 0.1200).'
    )
    assert expected == report.headline()
    assert str(report).startswith("Accuracy 0.9800 is no better")


def test_good_accuracy_is_told_plainly_and_a_weak_class_named() -> None:
    good = evaluate_outputs(*as_probabilities([[45, 3, 2], [4, 40, 6], [1, 5, 44]]))
    assert 'Accuracy 0.8600 (129 of 150), against 0.3333 for always answering "0".' == good.headline()
    weak = evaluate_outputs(*as_probabilities([[50, 0, 0], [0, 50, 0], [6, 2, 2]]), class_names=["a", "b", "c"])
    assert weak.headline().endswith('Of class "c" it finds 2 of 10 (recall 0.2000).')


# ---- properties


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 60))
def test_measures_are_bounded_and_blind_to_order(seed: int, classes: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    z, t = rng.normal(size=(n, classes)).round(1), rng.integers(0, classes, n)
    report = evaluate_outputs(z, t, task="multiclass", outputs="logits")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "ece", "mce", "ece_equal_mass", "mce_equal_mass"):
        assert -TOLERANCE <= getattr(report, name) <= 1 + TOLERANCE
    assert report.ece <= report.mce + TOLERANCE
    assert 0 <= report.brier <= (1 if classes == 2 else 2)
    assert n == report.confusion.sum() == report.n
    assert report.baseline_accuracy >= 1 / classes
    order = rng.permutation(n)
    shuffled = evaluate_outputs(z[order], t[order], task="multiclass", outputs="logits")
    before, after = report.to_dict(), shuffled.to_dict()
    for name, value in before.items():
        if isinstance(value, float):
            assert value == pytest.approx(after[name], abs=1e-12, nan_ok=True), name


def test_perfect_and_worst_predictions() -> None:
    t = np.array([0, 1, 1, 0, 1])
    best, worst = (evaluate_outputs(p, t) for p in (t.astype(float), 1.0 - t))
    assert [1.0] * 5 == [best.accuracy, best.macro_f1, best.roc_auc, best.average_precision, best.balanced_accuracy]
    assert (0.0, 0.0, 0.0) == (best.brier, best.ece, best.mce)
    assert (0.0, 0.0, 1.0, 1.0) == (worst.accuracy, worst.roc_auc, worst.brier, worst.ece)
    assert "worse than always" in worst.headline()
    target = np.array([[1.0, 2.0], [3.0, 5.0]])
    exact = evaluate_outputs(target, target, task="regression")
    assert (0.0, 0.0, 1.0, 0.0) == (exact.mse, exact.mae, exact.r2, exact.max_error)
    mean = evaluate_outputs(np.full(4, 2.5), np.array([1.0, 2, 3, 4]))
    assert (0.0, mean.baseline_mse) == (mean.r2, mean.mse)
    assert mean.headline().startswith("No better than the mean")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_stay_finite(dtype: Any) -> None:
    z = np.array([[1000, 0, -1000], [-1000, 0, 1000], [0, 1000, 0]], dtype)
    report = evaluate_outputs(z, [0, 2, 1])
    assert np.array_equal(np.eye(3)[[0, 2, 1]], report.probabilities)
    assert (1.0, 0.0) == (report.accuracy, report.ece)
    binary = evaluate_outputs(np.array([1000, -1000, 1000], dtype), [1, 0, 0])
    assert [1.0, 0.0, 1.0] == binary.probabilities.tolist()
    assert math.isfinite(binary.log_loss)


# ---- what is undefined


def test_an_absent_class_is_nan_and_told() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    report = evaluate_outputs(p, [0, 1, 1], class_names=["a", "b", "c"])
    assert np.isnan([report.recall[2], report.precision[2], report.f1[2], report.roc_auc_per_class[2], report.roc_auc]).all()
    assert 2 / 3 == report.accuracy
    assert 0.75 == report.balanced_accuracy
    same(metrics.f1_score([0, 1, 1], [0, 1, 0], average="macro"), report.macro_f1)
    assert any('No sample is of class "c"' in note for note in report.notes)
    assert 'No sample is of class "c"' in str(report)
    assert json.loads(report.to_json())["roc_auc"] is None


def test_the_precision_of_a_class_never_predicted_is_undefined() -> None:
    report = evaluate_outputs([0.1, 0.2, 0.3], [0, 1, 0], outputs="probabilities")
    assert (0.0, 0.0) == (report.recall[1], report.f1[1])
    assert math.isnan(report.precision[1])
    assert report.precision[0] / 2 == report.macro_precision
    assert ['Never predicted: class "1". Precision is undefined there (–), and counts as 0 in the averages.'] == report.notes
    assert ["1", "–", 0.0, 0.0] == report._classes().rows[1][:4]


def test_a_label_never_predicted_has_no_precision_and_is_told() -> None:
    report = evaluate_outputs([[1.0, -1.0], [-1.0, -2.0], [1.0, -3.0]], [[1, 1], [0, 0], [1, 0]])
    assert [1.0, math.nan] == pytest.approx(report.precision.tolist(), nan_ok=True)
    assert ([1.0, 0.0], 0.5) == (report.f1.tolist(), report.macro_precision)
    assert ['Never predicted: label "1". Precision is undefined there (–), and counts as 0 in the averages.'] == report.notes


@pytest.mark.parametrize("n", [1, 3])
def test_one_class_only(n: int) -> None:
    report = evaluate_outputs(np.full(n, 2.0), np.ones(n, int))
    assert (1.0, 1.0) == (report.accuracy, report.baseline_accuracy)
    assert math.isnan(report.roc_auc)
    assert "says nothing about the others" in report.headline()
    with pytest.raises(ArgumentError, match=f"threshold_curve: all {n} targets are 1"):
        report.threshold_curve()


def test_regression_of_one_sample_and_of_constant_targets() -> None:
    one = evaluate_outputs([2.0], [0.5])
    assert math.isnan(one.r2)
    assert ["R² is undefined (–) for one sample."] == one.notes
    constant = evaluate_outputs([2.0, 3.0], [1.5, 1.5])
    assert 0.0 == constant.r2
    assert any("nothing for R² to explain" in note for note in constant.notes)
    assert any("too high by 1 on average" in note for note in constant.notes)


def test_probabilities_worse_than_frequencies_are_told() -> None:
    report = evaluate_outputs(np.array([20.0, 20, -20, 20, -20, -20, 20, -20]), [1, 1, 0, 0, 0, 0, 1, 1])
    assert 0.75 == report.accuracy
    assert any("better than its probabilities" in note for note in report.notes)


# ---- running the model


def test_the_model_is_run_in_evaluation_mode_and_left_as_it_was() -> None:
    mg.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model[2].eval()
    X, t = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32), np.arange(50) % 2
    modes = [module.training for module in model.modules()]
    seen: list[bool] = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(output.requires_grad or module.training))
    first, second = (evaluate(model, DataLoader(TensorDataset(mg.tensor(X), mg.tensor(t)), batch_size=s)) for s in (50, 7))
    handle.remove()
    assert [False] * 9 == seen
    assert modes == [module.training for module in model.modules()]
    assert not model[1].running_mean.array.any()
    np.testing.assert_allclose(first.probabilities, second.probabilities, rtol=1e-6)
    assert np.float64 == first.probabilities.dtype


def test_the_loss_is_the_mean_over_samples_whatever_the_batches() -> None:
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=(10, 3)), rng.integers(0, 3, 10)
    loader = DataLoader(TensorDataset(mg.tensor(z), mg.tensor(t)), batch_size=4)
    expected = F.cross_entropy(mg.tensor(z), mg.tensor(t)).item()
    for reduction in ("mean", "sum", "none"):
        same(expected, evaluate(passed, loader, nn.CrossEntropyLoss(reduction=reduction)).loss)
        same(expected, evaluate(passed, loader, partial(F.cross_entropy, reduction=reduction)).loss)
    same(expected, evaluate(passed, loader, lambda y, t: F.cross_entropy(y, t)).loss)
    assert evaluate(passed, loader).loss is None


def test_a_model_of_several_inputs() -> None:
    t = np.array([0.5, 1.5, 3.0])
    report = evaluate(lambda a, b: a + b, (t, np.ones(3), t + 1), nn.L1Loss())
    assert (0.0, 0.0) == (report.loss, report.mae)


WEIGHTED = nn.CrossEntropyLoss(weight=mg.tensor([1.0, 5.0, 9.0], dtype=mg.float64))
IMBALANCED = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [60, 26, 10]))


@pytest.mark.parametrize("size", [1, 7, 96])
def test_losses_that_are_no_plain_means_do_not_depend_on_batches(size: int) -> None:
    z = np.random.default_rng(1).normal(size=(96, 3))
    ignored = np.where(np.arange(96) < 7, -100, IMBALANCED)  # a batch of 7, and 7 of 1, wholly
    for t, loss in ((IMBALANCED, WEIGHTED), (ignored, WEIGHTED), (ignored, nn.CrossEntropyLoss())):
        report = evaluate(passed, DataLoader(TensorDataset(mg.tensor(z), mg.tensor(t)), batch_size=size), loss)
        same(loss(mg.tensor(z), mg.tensor(t)).item(), report.loss)


def test_the_loss_is_called_once_in_the_dtype_of_the_model() -> None:
    calls: list[Any] = []

    def loss(y: mg.Tensor, t: mg.Tensor) -> mg.Tensor:
        calls.append((y.shape, y.dtype, t.dtype, y.requires_grad))
        return F.cross_entropy(y, t)

    X, t = mg.tensor(X2, dtype=mg.float32), mg.tensor(CLASSES)
    report = evaluate(nn.Linear(2, 2), DataLoader(TensorDataset(X, t), batch_size=3), loss)
    assert [((4, 2), np.float32, np.int64, False)] == calls
    assert np.float64 == report.probabilities.dtype


def test_outputs_of_goes_through_the_batches_with_any_function() -> None:
    buffer = np.empty((2, 2))

    def batches() -> Any:
        for at in (0, 2):
            buffer[:] = X2[at : at + 2]
            yield mg.Tensor(buffer), mg.tensor(CLASSES[at : at + 2])

    outputs, targets = outputs_of("fit: validation", passed, batches())
    assert (X2.tolist(), CLASSES.tolist()) == (outputs.tolist(), targets.tolist())
    model = nn.Linear(2, 2).double()
    predict = mg.compile(lambda x: model(x))
    outputs, _ = outputs_of("fit: validation", predict, [(X2[:2], CLASSES[:2]), (X2[2:], CLASSES[2:])])
    np.testing.assert_allclose(outputs.array, model(mg.tensor(X2)).array)
    assert not outputs.requires_grad
    with pytest.raises(InputTypeError, match="fit: validation: the model must return a Tensor, got int"):
        outputs_of("fit: validation", lambda x: 3, (X2, CLASSES))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": nn.CrossEntropyLoss}, "loss must be a function of outputs and targets, such as .* got <class"),
        ({"loss": "ce"}, "loss must be a function of outputs and targets, .* got 'ce'"),
        ({"model": None}, "model must be a Module or a function of the inputs, got None"),
        ({"model": nn.ReLU}, "model must be a Module or a function"),
        ({"data": (X2.tolist(), CLASSES.tolist())}, "data holds plain numbers; give Tensors or arrays"),
    ],
)
def test_what_is_no_model_loss_or_data(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputTypeError, match=f"evaluate: {message}"):
        evaluate(**{"model": passed, "data": (X2, CLASSES)} | settings)


@pytest.mark.parametrize(
    ("model", "data", "error", "message"),
    [
        (passed, [], ArgumentError, "data has no batches"),
        (lambda x: 3, (X2, CLASSES), InputTypeError, "the model must return a Tensor, got int"),
        (lambda x: x.sum(), (X2, CLASSES), ShapeError, r"one row a sample, got shape \(\) for a batch of 4"),
        (lambda x: x[:, : len(x)], [(X2, CLASSES), (X2[:1], CLASSES[:1])], ShapeError, "outputs of batches differ in shape"),
        (
            passed,
            [(X2, CLASSES), (X2, CLASSES[:, None])],
            ShapeError,
            r"targets of batches differ in shape: \(4,\) first, then \(4, 1\)",
        ),
    ],
)
def test_models_that_cannot_be_evaluated(model: Any, data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"evaluate: .*{message}"):
        evaluate(model, data)


def test_only_reports_need_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    for task, targets in (("multiclass", CLASSES), ("regression", X2), ("multilabel", np.eye(2)[CLASSES])):
        with pytest.raises(MissingExtraError, match=r"evaluate: needs scikit-learn.* pip install '.\[data\]'"):
            evaluate_outputs(X2, targets, task=task)
    assert 1.0 == threshold_curve([0.1, 0.9], [0, 1]).best_f1().f1
    assert 4 == reliability(X2, CLASSES).n
    assert temperature_scaling(X2, CLASSES).temperature > 0

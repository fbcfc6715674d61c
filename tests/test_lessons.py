"""What five lesson pages on activations, losses and metrics teach, with the right values where they print wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.inspect import trace, trace_backward
from minigrad.nn import functional as F

INPUT = [2.0, -1.0, 0.5, 3.0]


def pipeline() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Softmax(dim=1))


def close(expected, actual, abs=5e-5):
    assert expected == pytest.approx(np.asarray(actual).ravel().tolist(), abs=abs)


# ---- the pipeline page


def test_the_pipeline_traced():
    x, target = mg.tensor([INPUT], dtype=mg.float64), mg.tensor([3])
    found = trace(pipeline(), x, target=target, loss=lambda y, t: F.nll_loss(y.log(), t))
    relu, sigmoid, softmax = (stage.values.values for stage in found.stages[1:4])
    close([2, 0, 0.5, 3], relu, abs=0)
    close([0.8808, 0.5, 0.6225, 0.9526], sigmoid)
    close([0.2833, 0.1936, 0.2188, 0.3044], softmax)
    close([0.0297, 0, 0.0514, -0.0314], found.stages[0].gradient.values)
    assert 1.18954 == pytest.approx(found.loss, abs=5e-6)
    for stage in ("relu", "sigmoid", "softmax"):
        assert stage in str(found)
    assert "[[0.2833, 0.1936, 0.2188, 0.3044]]" in str(found)


def test_the_pipeline_backward_step_by_step():
    x = mg.tensor([INPUT], dtype=mg.float64, requires_grad=True)
    p = pipeline()(x)
    loss = -p[0, 3].log()
    close([0.0297, 0, 0.0514, -0.0314], trace_backward(loss).gradients["x"].values)


def test_the_pipeline_cannot_reach_the_loss_that_the_page_pictures():
    """A logit layer is missing: softmax over values in [½, 1) leaves the cross-entropy at least log(1 + 3 e^−½)."""
    lowest = math.log(1 + 3 * math.exp(-0.5))
    assert 1.0366 == pytest.approx(lowest, abs=5e-5)
    x = mg.tensor([[100.0, -100.0, -100.0, -100.0]], dtype=mg.float64)
    assert lowest == pytest.approx(-pipeline()(x)[0, 0].log().item(), rel=1e-12)


# ---- values of the pages


def test_sigmoid():
    close([0.1192, 0.5, 0.9526], mg.tensor([-2.0, 0, 3]).sigmoid().numpy())
    close([0.04742587, 0.5, 0.95257413], mg.tensor([-3.0, 0, 3], dtype=mg.float64).sigmoid().numpy(), abs=5e-9)


def test_sigmoid_reaches_one_in_floats():
    """The pages say that it lies strictly between 0 and 1."""
    for dtype, first in ((mg.float32, 17), (mg.float64, 37)):
        values = mg.tensor([first - 1.0, first], dtype=dtype).sigmoid().numpy()
        assert values[0] < 1 == values[1]


def test_softmax():
    close([0.6590, 0.2424, 0.0986], mg.tensor([2, 1, 0.1]).softmax(dim=0).numpy())


def test_softmax_is_stable_and_one_written_by_hand_is_not():
    x = mg.tensor([1000.0, 1001, 1002])
    close([0.0900, 0.2447, 0.6652], x.softmax(dim=0).numpy())
    assert np.isnan((x.exp() / x.exp().sum()).numpy()).all()


def test_softmax_without_an_axis_gets_a_warning():
    batch = mg.tensor([[2, 1, 0.1], [1, 1, 1]])
    close([1, 1], batch.softmax(dim=1).sum(dim=1).numpy(), abs=1e-6)
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        F.softmax(batch)


def test_relu_and_its_gradient():
    x = mg.tensor([-1.0, 0, 1], requires_grad=True)
    mg.relu(x).sum().backward()
    assert [0, 0, 1] == x.grad.tolist()


def test_leaky_relu_is_a_maximum_for_slopes_up_to_one_only():
    x = mg.tensor([-2.0, -0.5, 0, 0.5, 2])
    close([-0.02, -0.005, 0, 0.5, 2], F.leaky_relu(x, 0.01).numpy(), abs=1e-8)
    assert mg.maximum(0.3 * x, x).tolist() == F.leaky_relu(x, 0.3).tolist()
    assert mg.maximum(1.5 * x, x).tolist() != F.leaky_relu(x, 1.5).tolist()


def test_tanh():
    close([-0.99505475, 0, 0.99505475], mg.tensor([-3.0, 0, 3], dtype=mg.float64).tanh().numpy(), abs=5e-9)


# ---- metrics


@pytest.fixture
def evaluate_outputs():
    pytest.importorskip("sklearn")
    return mg.evaluate.evaluate_outputs


def outputs_of(matrix):
    """Logits and targets that give a confusion matrix (rows: true)."""
    true, predicted = np.indices(np.shape(matrix))
    counts = np.ravel(matrix)
    return 3.0 * np.eye(len(matrix))[np.repeat(predicted.ravel(), counts)], np.repeat(true.ravel(), counts)


@pytest.mark.parametrize(
    ("matrix", "accuracy", "precision", "recall"),
    [
        ([[45, 3, 2], [4, 40, 6], [1, 5, 44]], 0.8600, [0.9000, 0.8333, 0.8462], [0.9000, 0.8000, 0.8800]),
        ([[50, 2, 3], [4, 45, 1], [2, 3, 48]], 0.9051, [0.8929, 0.9000, 0.9231], [0.9091, 0.9000, 0.9057]),
    ],
)
def test_confusion_matrices(evaluate_outputs, matrix, accuracy, precision, recall):
    report = evaluate_outputs(*outputs_of(matrix))
    assert matrix == report.confusion.tolist()
    assert accuracy == pytest.approx(report.accuracy, abs=5e-5)
    close(precision, report.precision)
    close(recall, report.recall)
    close([2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)], report.f1, abs=1e-4)


def test_fraud_of_98_percent_accuracy(evaluate_outputs):
    """TP 24, FN 176, FP 24, TN 9776; always answering "no" scores as much."""
    truth = np.repeat([1, 1, 0, 0], [24, 176, 24, 9776])
    answers = np.repeat([1, 0, 1, 0], [24, 176, 24, 9776])
    report = evaluate_outputs(np.where(answers, 0.9, 0.1), truth, task="binary", outputs="probabilities")
    assert (0.98, 0.12) == (report.accuracy, report.recall[1])
    assert 0.98 == report.baseline_accuracy
    assert "0.12" in report.headline()


def test_a_higher_threshold_never_raises_recall_but_may_lower_precision(evaluate_outputs):
    curve = mg.evaluate.threshold_curve([0.1, 0.4, 0.6, 0.8], [0, 1, 1, 0], outputs="probabilities")
    assert [1, 1, 0.5, 0, 0] == curve.recall.tolist()
    assert (2 / 3, 0.5, 0) == tuple(curve.precision[1:4])


def test_overconfidence_changes_loss_and_calibration_but_not_accuracy(evaluate_outputs):
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=300)
    logits = rng.normal(size=(300, 3)) + np.eye(3)[targets]
    calm, sure = (evaluate_outputs(scale * logits, targets, outputs="logits") for scale in (1, 5))
    assert calm.accuracy == sure.accuracy
    assert sure.ece > 2 * calm.ece
    assert sure.log_loss > 1.5 * calm.log_loss


# ---- layers and weight decay


def test_a_stack_of_affine_layers_is_affine_and_not_linear():
    mg.manual_seed(0)
    stack = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)).double()
    a, b, zero = mg.randn(3, dtype=mg.float64), mg.randn(3, dtype=mg.float64), mg.zeros(3, dtype=mg.float64)
    with mg.no_grad():
        close((stack(a) + stack(b) - stack(zero)).tolist(), stack(a + b).numpy(), abs=1e-12)
        assert np.abs(stack(zero).numpy()).max() > 0.1


@pytest.mark.parametrize(("optimizer", "same"), [(optim.SGD, True), (optim.Adam, False)])
def test_l2_in_the_loss_is_weight_decay_for_sgd_and_not_for_adam(optimizer, same):
    """Against decoupled decay, w ← w (1 − lr λ) before the step, as AdamW does it."""
    decay, lr = 0.1, 0.05
    w, v = (mg.tensor([1.0, -2.0], dtype=mg.float64, requires_grad=True) for _ in range(2))
    first, second = optimizer([w], lr=lr), optimizer([v], lr=lr)
    for _ in range(10):
        first.zero_grad()
        (((w - 3) ** 2).sum() + decay / 2 * (w * w).sum()).backward()
        first.step()
        second.zero_grad()
        ((v - 3) ** 2).sum().backward()
        with mg.no_grad():
            v.mul_(1 - lr * decay)
        second.step()
    assert same == bool(np.allclose(w.detach().numpy(), v.detach().numpy(), rtol=1e-12, atol=0))

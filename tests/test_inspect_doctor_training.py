"""What the doctor says of a training: learning rates, chance level, overfitting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from patients import CE, X, Y, codes, net, told, trained

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.inspect.health import checks_learning_rate
from minigrad.inspect.health.diagnosis import doctor
from minigrad.train import Epoch, fit


def test_a_loss_that_becomes_nan() -> None:
    (found,) = doctor(net(), (X, Y), CE, history=told([1.4, 80.0, math.nan])).findings
    assert ("learning_rate_too_high", "error", 3.0) == (found.code, found.severity, found.value)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.4 * 1.05**n for n in range(100)], "diverges"),
        ([1.4 + (-1) ** n * 1.2 for n in range(100)], "oscillates"),
        ([1.4, 1.4, 1.4, 1.4, 1.4, 90.0] + [1.4] * 94, "shot up"),
    ],
)
def test_a_learning_rate_too_high(losses: list[float], expected: str) -> None:
    (found,) = doctor(net(), (X, Y), CE, history=told(losses)).findings
    assert "learning_rate_too_high" == found.code
    assert expected in found.message


@pytest.mark.parametrize(
    ("losses", "severity", "expected"),
    [
        ([3.3, 65.0, 2570.0, 138000.0], "error", "from 3.2999 in the first"),
        ([1.1, 5.6, 4500.0, 3.7e6, 5.4e9, 7.9e12, 1e16], "error", "diverges"),
        (
            [1.1, 0.5, 16.0, 84.0, 10.0, 61.0, 90.0] + [1.1] * 60,
            "warning",
            "shot up to 90.0000 in step 7, from 1.1000 in the first",
        ),
        ([1.1, 0.9, 8.6, 7.1, 4.0, 1.8] + [0.3] * 60, "note", "shot up"),
        ([2.3, 2.3, 4.0, 5.5, 5.0, 4.0] + [2.3] * 60, "warning", "shot up"),
        ([0.01] * 20 + [1.2] * 60, "error", "diverges: from 0.0100"),
    ],
    ids=["four steps", "seven steps", "explodes", "recovers", "gets stuck", "goes on from low losses"],
)
def test_a_rate_is_too_high_by_the_first_loss(losses: list[float], severity: str, expected: str) -> None:
    (found,) = doctor(net(), (X, Y), CE, history=told(losses)).findings
    assert ("learning_rate_too_high", severity) == (found.code, found.severity)
    assert expected.replace("3.2999", "3.3000") in found.message


def test_losses_of_epochs_do_where_there_are_none_of_steps() -> None:
    history = told([], rows=[Epoch(n + 1, 3.3 * 20**n) for n in range(5)])
    (found,) = doctor(net(), (X, Y), CE, history=history).findings
    assert "in the first epoch" in found.message


def test_a_training_that_goes_on_may_waver() -> None:
    losses = [0.002 + 0.03 * (n % 7 == 6) for n in range(190)]
    assert set() == codes(doctor(net(), (X, Y), CE, history=told(losses)))


def test_a_regression_that_diverges_in_ten_steps() -> None:
    mg.manual_seed(0)
    x = mg.randn(64, 4)
    data, model = (x, x.sum(1, keepdims=True)), nn.Linear(4, 1)
    history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=3.0), [data], 10, progress=False)
    assert ["learning_rate_too_high"] == [finding.code for finding in doctor(model, data, nn.MSELoss(), history=history).findings]


@pytest.mark.parametrize("rate", [1e-8, 1e-6, 1e-4])
def test_rates_that_are_far_too_low(rate: float) -> None:
    model = net()
    loader = DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=True)
    history = fit(model, CE, optim.SGD(model.parameters(), lr=rate), loader, 5, progress=False)
    diagnosis = doctor(model, (X, Y), CE, history=history, optimizer=optim.SGD(model.parameters(), lr=rate))
    assert {"learning_rate_too_low", "update_ratio_low"} <= codes(diagnosis)
    regression, target = net(last=1), X[:, 0] + X[:, 1]
    loader = DataLoader(TensorDataset(X, target), batch_size=16, shuffle=True)
    history = fit(regression, nn.MSELoss(), optim.SGD(regression.parameters(), lr=rate), loader, 5, progress=False)
    (found,) = doctor(regression, (X, target), nn.MSELoss(), history=history).findings
    assert ("learning_rate_too_low", "warning") == (found.code, found.severity)


def test_a_loss_that_stands_still_without_gradients_is_not_slow() -> None:
    assert {"learning_rate_too_low"} == codes(doctor(net(), (X, Y), CE, history=told([1.4] * 200)))
    model = net(depth=1)
    model[0].bias.array[...] = -100
    assert "learning_rate_too_low" not in codes(doctor(model, (X, Y), CE, history=told([1.4] * 200)))


def test_small_updates_after_an_explosion_are_not_a_low_rate() -> None:
    optimizer = optim.SGD((model := net()).parameters(), lr=1e-6)
    assert "update_ratio_low" in codes(doctor(model, (X, Y), CE, optimizer=optimizer))
    history = told([1.4, 80.0, 90.0, 900.0] + [1.4] * 60)
    assert {"learning_rate_too_high"} == codes(doctor(model, (X, Y), CE, optimizer=optimizer, history=history))


def test_no_rate_is_to_blame_for_the_first_loss() -> None:
    (found,) = doctor(net(), (X, Y), CE, history=told([math.nan])).findings
    assert "nan" == found.code
    assert "in the first step already, before any update" in found.message


def test_a_learning_rate_too_low() -> None:
    (found,) = doctor(net(), (X, Y), CE, history=told([1.4 - 1e-4 * n for n in range(200)])).findings
    assert ("learning_rate_too_low", checks_learning_rate.SLOW) == (found.code, found.threshold)
    assert found.value == pytest.approx(0.015 / 1.4, rel=0.01)


@pytest.mark.parametrize(
    "losses",
    [
        [1.4 * math.exp(-n / 40) for n in range(200)],
        [1.4 / (1 + n / 10) + 0.1 * (n % 3) for n in range(200)],
        [0.02 - 1e-6 * n for n in range(200)],
        [1.4 + 0.02 * math.sin(n * n) for n in range(200)],
        [1.4, 2.0, 3.0],
        [],
    ],
    ids=["falls", "falls noisily", "is low already", "wavers", "too few steps", "none"],
)
def test_losses_that_say_nothing_of_the_learning_rate(losses: list[float]) -> None:
    assert set() == codes(doctor(net(), (X, Y), CE, history=told(losses)))


@pytest.mark.parametrize(("loss", "epochs", "expected"), [(1.39, 3, True), (1.39, 2, False), (1.2, 5, False), (0.3, 9, False)])
def test_a_loss_at_chance_level(loss: float, epochs: int, expected: bool) -> None:
    history = told([], rows=[Epoch(n + 1, loss) for n in range(epochs)])
    found = doctor(net(), (X, Y), CE, history=history).findings
    assert (["chance_level"] if expected else []) == [finding.code for finding in found]
    assert all(finding.threshold == pytest.approx(math.log(4)) for finding in found)


@pytest.mark.parametrize(("share", "expected"), [(0.99, True), (0.93, False), (1.1, False)])
def test_a_loss_no_better_than_the_frequencies(share: float, expected: bool) -> None:
    labels = mg.tensor(np.resize([0, 0, 0, 0, 0, 0, 1, 2, 3], 256))
    shares = np.bincount(labels.numpy()) / 256
    entropy = -(shares * np.log(shares)).sum()
    history = told([], rows=[Epoch(n + 1, share * entropy) for n in range(5)])
    found = doctor(net(), (X, labels), CE, history=history).findings
    assert (["chance_level"] if expected else []) == [finding.code for finding in found]
    assert all("frequencies of the classes" in finding.message for finding in found)
    assert all(finding.threshold == pytest.approx(entropy) for finding in found)
    one_batch = [(X[:64], labels[:64])] * 9  # too few to know the entropy
    few = doctor(net(), iter(one_batch), CE, history=history, batches=1)
    assert "chance_level" not in codes(few)


def test_frequencies_of_several_labels() -> None:
    labels = mg.tensor((np.random.default_rng(0).random((256, 4)) < [0.1, 0.1, 0.2, 0.3]).astype(np.float32))
    shares = labels.numpy().mean(0, dtype=np.float64)
    entropy = -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean()
    history = told([], rows=[Epoch(n + 1, entropy) for n in range(5)])
    for loss in (nn.BCEWithLogitsLoss(), nn.MultiLabelSoftMarginLoss()):
        diagnosis = doctor(net(), (X, labels), loss, history=history)
        assert {"chance_level"} == codes(diagnosis)
        assert diagnosis.statistics.baseline == pytest.approx(entropy)
    assert set() == codes(doctor(net(), (X, labels), nn.FocalLoss(), history=history))


def test_overfitting_in_the_history() -> None:
    accuracy = [Epoch(n, 1 / n, {"accuracy": 0.9}, {"loss": 0.8, "accuracy": 0.7}) for n in range(1, 5)]
    (found,) = doctor(net(), (X, Y), CE, history=told([], rows=accuracy)).findings
    assert "overfitting" == found.code
    assert found.value == pytest.approx(0.2)
    rising = [Epoch(n, 1 / n, {}, {"loss": 0.5 + 0.1 * abs(n - 5)}) for n in range(1, 16)]
    (found,) = doctor(net(), (X, Y), CE, history=told([], rows=rising)).findings
    assert found.value == pytest.approx(3.0)
    assert "since epoch 5" in found.message
    fine = [Epoch(n, 1 / n, {"accuracy": 0.9}, {"loss": 1.1 / n, "accuracy": 0.88}) for n in range(1, 16)]
    assert set() == codes(doctor(net(), (X, Y), CE, history=told([], rows=fine)))


def test_overfitting_on_validation_data() -> None:
    model = net()
    trained(model, target=mg.tensor(np.random.default_rng(1).integers(0, 4, len(Y))), epochs=60)
    labels = mg.tensor(np.random.default_rng(1).integers(0, 4, len(Y)))
    other = mg.tensor(np.random.default_rng(2).standard_normal(X.shape).astype(np.float32))
    (found,) = doctor(model, (X, labels), CE, validation=(other, Y)).by_code("overfitting")
    assert "256 validation samples" in found.message
    assert found.value > 0.4


@pytest.mark.parametrize("head", [None, nn.Sigmoid()])
def test_a_squared_error_of_yes_and_no_has_no_accuracy(head: nn.Module | None) -> None:
    labels = mg.tensor(np.random.default_rng(1).integers(0, 2, len(X)).astype(np.float32))
    model = net(last=1, width=64, head=head)
    trained(model, nn.MSELoss(), labels, epochs=60)
    other = mg.tensor(np.random.default_rng(2).standard_normal(X.shape).astype(np.float32))
    (found,) = doctor(model, (X, labels), nn.MSELoss(), validation=(other, labels)).findings
    assert "overfitting" == found.code
    assert "The loss is" in found.message
    assert "accuracy" not in found.message


def test_a_small_loss_on_validation_data_is_no_overfitting() -> None:
    model, target = net(last=1), X[:, 0] + X[:, 1]
    trained(model, nn.MSELoss(), target, epochs=60)
    noisy = target + mg.tensor(np.random.default_rng(1).normal(0, 0.4, len(X)).astype(np.float32))  # a twelfth of the variance
    assert set() == codes(doctor(model, (X, target), nn.MSELoss(), validation=(X, noisy)))
    assert {"overfitting"} == codes(doctor(model, (X, target), nn.MSELoss(), validation=(X, target * -1)))


def test_what_a_loss_ignores_is_no_miss() -> None:
    model = net()
    trained(model, epochs=30)
    half = Y.clone()
    half.array[::2] = -100
    assert set() == codes(doctor(model, (X, Y), CE, validation=(X, half)))


def test_outputs_of_one_hot_targets_are_right_where_the_largest_is() -> None:
    model, one_hot = net(), mg.nn.functional.one_hot(Y, 4).float()
    trained(model, epochs=30)
    other = mg.tensor(np.random.default_rng(2).standard_normal(X.shape).astype(np.float32))
    (found,) = doctor(model, (X, one_hot), CE, validation=(other, one_hot)).by_code("overfitting")
    right = (model(other).detach().numpy().argmax(1) == Y.numpy()).mean()
    assert f"but {right:.4f} on 256 validation samples" in found.message


def test_validation_data_that_do_not_fit() -> None:
    (found,) = doctor(net(), (X, Y), CE, validation=(X, Y + 1)).findings
    assert ("loss_fails", "validation") == (found.code, found.place)
    assert "but there are 4 classes" in found.message


def test_overfitting_of_a_regression() -> None:
    model, noise = net(last=1), mg.tensor(np.random.default_rng(1).standard_normal(len(X)).astype(np.float32))
    trained(model, nn.MSELoss(), noise, epochs=60)
    assert {"overfitting"} == codes(doctor(model, (X, noise), nn.MSELoss(), validation=(X * -1, noise)))

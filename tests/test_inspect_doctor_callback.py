"""The doctor as a callback: what it measures during a training, and where a NaN was born."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.errors import IndexRangeError, ShapeError
from minigrad.inspect.health import last_steps
from minigrad.inspect.health.watch_training import DoctorCallback
from minigrad.train import BestWeights, Callback, Run, fit

CE = nn.CrossEntropyLoss()
X = mg.tensor(np.random.default_rng(0).standard_normal((96, 6)).astype(np.float32))
Y = mg.tensor(X.numpy()[:, :3].argmax(1))


def net(*extra: nn.Module) -> nn.Sequential:
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), *extra, nn.ReLU(), nn.Linear(16, 3))


def test_update_ratios_are_those_of_the_steps() -> None:
    watcher, model = DoctorCallback(), net()
    fit(model, CE, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 20, 2, callbacks=[watcher], progress=False)
    assert ["0.weight", "2.weight"] == list(watcher.updates)
    assert [1, 4, 16, 21, 24, 36] == [step for step, _ in watcher.updates["0.weight"]]
    fresh = net()
    before = fresh[0].weight.detach().numpy().copy()
    CE(fresh(X), Y).backward()
    norm = np.linalg.norm(fresh[0].weight.grad.numpy())
    assert watcher.gradients["0.weight"][0][1] == pytest.approx(norm, rel=1e-4)
    assert watcher.updates["0.weight"][0][1] == pytest.approx(0.1 * norm / np.linalg.norm(before), rel=1e-3)


def test_the_callback_changes_nothing() -> None:
    def train(*callbacks: Any) -> list[Any]:
        model = net(nn.BatchNorm1d(16), nn.Dropout(0.2))
        fit(model, CE, optim.Adam(model.parameters()), (X, Y), 3, callbacks=callbacks, progress=False)
        return [value.numpy() for value in model.state_dict().values()]

    for a, b in zip(train(), train(DoctorCallback((X, Y))), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("data", [None, (X, Y)])
def test_the_callback_finds_what_the_training_shows(data: Any) -> None:
    watcher, model = DoctorCallback(data), net()
    fit(model, CE, optim.SGD(model.parameters(), lr=1e-7), [(X, Y)] * 30, 3, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.by_code("update_ratio_low")
    assert 0 < found.value < 1e-5
    assert ["warning"] == [finding.severity for finding in watcher.diagnosis.by_code("learning_rate_too_low")]


def test_without_data_it_looks_at_the_last_batches_of_the_training() -> None:
    watcher, model = DoctorCallback(batches=2), net()
    parts = [(X[n : n + 32], Y[n : n + 32]) for n in (0, 32, 64)]
    fit(model, CE, optim.Adam(model.parameters()), parts, 2, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    seen = watcher.diagnosis.statistics
    assert (2, 64) == (seen.batches, seen.samples)
    np.testing.assert_array_equal(seen.targets[0], Y.numpy()[32:64])
    assert [1, 2] == [epoch for epoch, _ in watcher.dead["Layer 1 (ReLU)"]]


def test_a_healthy_training_is_healthy() -> None:
    watcher, model = DoctorCallback((X, Y)), net()
    fit(model, CE, optim.Adam(model.parameters(), lr=3e-3), (X, Y), 20, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    assert watcher.diagnosis.healthy, watcher.diagnosis
    assert list(range(1, 21)) == [epoch for epoch, _ in watcher.dead["Layer 1 (ReLU)"]]


def test_only_every_nth_epoch_is_measured() -> None:
    watcher, model = DoctorCallback((X, Y), every=3), net()
    fit(model, CE, optim.Adam(model.parameters()), [(X, Y)], 7, callbacks=[watcher], progress=False)
    assert [1, 4, 7] == [epoch for epoch, _ in watcher.dead["Layer 1 (ReLU)"]]
    assert [1, 4, 7] == [step for step, _ in watcher.updates["0.weight"]]


def test_a_second_training_starts_anew() -> None:
    watcher, model = DoctorCallback(), net()
    for _ in range(2):
        fit(model, CE, optim.Adam(model.parameters()), [(X, Y)], 2, callbacks=[watcher], progress=False)
    assert [1, 2] == [step for step, _ in watcher.updates["0.weight"]]


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
def test_a_training_that_diverges() -> None:
    watcher, model = DoctorCallback((X, Y)), net()
    fit(model, CE, optim.SGD(model.parameters(), lr=1e20), [(X, Y)] * 20, 1, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    codes = [finding.code for finding in watcher.diagnosis.findings]
    assert {"learning_rate_too_high", "nan"} <= set(codes)
    assert 1 == codes.count("nan")


def _refuse(output: Tensor, target: Tensor) -> Tensor:
    raise ArithmeticError("my own mistake")


def _two_outputs() -> nn.Module:
    mg.manual_seed(0)
    return nn.Linear(6, 2)


@pytest.mark.parametrize("data", [None, (X, Y)])
@pytest.mark.parametrize(
    ("model", "loss", "error", "code"),
    [
        (net, _refuse, ArithmeticError, "loss_fails"),
        (lambda: nn.Linear(5, 3), CE, ShapeError, None),
        (_two_outputs, CE, IndexRangeError, "labels_out_of_range"),
    ],
    ids=["loss", "model", "label"],
)
def test_the_error_of_a_training_comes_through(data: Any, model: Any, loss: Any, error: type[Exception], code: str | None) -> None:
    watcher, patient = DoctorCallback(data), model()
    with pytest.raises(error) as caught:
        fit(patient, loss, optim.SGD(patient.parameters(), lr=0.1), (X, Y), 2, callbacks=[watcher], compile=False, progress=False)
    assert error is type(caught.value)
    found = None if watcher.diagnosis is None else watcher.diagnosis.findings[0].code
    assert code == found


def test_a_diagnosis_that_fails_is_an_error_where_the_training_is_none() -> None:
    watcher, model = DoctorCallback([(X[:, :5], Y)], every=3), net()
    try:
        raise ArithmeticError("one that is handled")
    except ArithmeticError:
        with pytest.raises(ShapeError, match="linear"):
            fit(model, CE, optim.SGD(model.parameters(), lr=0.1), (X, Y), 1, callbacks=[watcher], progress=False)


def test_a_training_that_ends_before_its_first_step_has_no_diagnosis() -> None:
    class Stop(Callback):
        def on_start(self, run: Run) -> None:
            run.stop("before it began")

    watcher, model = DoctorCallback(), net()
    fit(model, CE, optim.SGD(model.parameters(), lr=0.1), (X, Y), 1, callbacks=[watcher, Stop()], progress=False)
    assert watcher.diagnosis is None


@pytest.mark.parametrize("doctor_first", [True, False])
def test_it_looks_at_the_weights_that_the_model_is_left_with(doctor_first: bool) -> None:
    watcher, model, best = DoctorCallback((X, Y)), net(), BestWeights()
    hooks = [watcher, best] if doctor_first else [best, watcher]
    noise = mg.tensor(np.roll(Y.numpy(), 1))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    history = fit(model, CE, optimizer, (X, Y), 8, validation=(X, noise), callbacks=hooks, progress=False)
    assert history.kept < 8
    assert watcher.diagnosis is not None
    assert CE(model(X), Y).item() == pytest.approx(watcher.diagnosis.statistics.mean_loss, rel=1e-6)


def test_without_data_the_headline_says_which_batches() -> None:
    watcher, model = DoctorCallback(batches=2), net()
    fit(model, CE, optim.Adam(model.parameters()), [(X, Y)] * 3, 2, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    assert "192 samples in the last 2 of 6 batches" in watcher.diagnosis.headline()


def test_a_rate_of_zero_is_told_as_such() -> None:
    watcher, model = DoctorCallback((X, Y)), net()
    fit(model, CE, optim.SGD(model.parameters(), lr=0.0), [(X, Y)] * 4, 1, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.by_code("update_ratio_low")
    assert "as the learning rate is 0" in found.message


# ---- where a NaN was born


class Root(nn.Module):
    """Takes the root of a square and a shift: NaN below 0, without a derivative at 0."""

    def __init__(self, shift: float):
        mg.manual_seed(0)
        self.a, self.b, self.shift = nn.Linear(6, 8), nn.Linear(8, 3), shift

    def forward(self, x: Tensor) -> Tensor:
        return self.b(mg.sqrt(self.a(x) ** 2 + self.shift))


def born(model: nn.Module, rate: float = 0.1, epochs: int = 3) -> DoctorCallback:
    watcher = DoctorCallback()
    fit(model, CE, optim.SGD(model.parameters(), lr=rate), [(X, Y)] * 4, epochs, callbacks=[watcher], progress=False)
    return watcher


def named(watcher: DoctorCallback) -> list[tuple[str, str]]:
    assert watcher.diagnosis is not None
    return [(finding.code, finding.place) for finding in watcher.diagnosis.findings]


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
def test_a_nan_of_the_first_step_is_no_fault_of_the_rate() -> None:
    watcher = born(Root(-1.0))
    assert [("nan", "Model")] == named(watcher)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.findings
    assert (
        "born in step 1 of the training: the operation sqrt made NaN of finite inputs (test_inspect_doctor_callback.py, line "
        in (found.message)
    )
    assert "rate" not in found.remedy


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
@pytest.mark.parametrize("numbers", [0, 1_000_000])
def test_a_nan_of_the_backward_pass_is_found_a_step_earlier(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_steps, "SMALL", numbers)
    model = Root(0.0)
    model.a.weight.array[0] = model.a.bias.array[0] = 0
    watcher = born(model)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.by_code("nan")
    assert "born in step 1 of the training: in the backward pass, the operation sqrt" in found.message


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
def test_a_rate_that_throws_the_weights_to_infinity() -> None:
    watcher = born(net(), rate=1e39)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.by_code("nan")
    assert "born in step 1 of the training: finite gradients, but too large: the update of step 1 made them" in found.message
    assert "Divide the learning rate" in found.remedy


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
def test_running_the_last_steps_again_leaves_no_trace() -> None:
    def train(*callbacks: Any) -> tuple[list[Any], Any]:
        model = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.2), net())
        fit(model, CE, optim.SGD(model.parameters(), lr=1e20), [(X, Y)] * 4, 2, callbacks=callbacks, progress=False)
        return [value.numpy() for value in model.state_dict().values()], mg.rand(3).numpy()

    np.testing.assert_equal(train(DoctorCallback()), train())


@pytest.mark.filterwarnings("ignore:fit:RuntimeWarning")
def test_numbers_that_grow_too_large_are_the_rates_fault() -> None:
    watcher = born(nn.Sequential(net(), nn.Linear(3, 3)), rate=1e6)
    assert watcher.diagnosis is not None
    (found,) = watcher.diagnosis.by_code("nan")
    assert "made Inf of finite inputs" in found.message
    assert "divide the learning rate by 10" in found.remedy
    assert "log" not in found.remedy

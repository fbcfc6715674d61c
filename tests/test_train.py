"""The training loop: it does what a loop written out does, shows itself, and can be stopped."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import types
from collections import deque
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import DataLoader, Dataset, IterableDataset, TensorDataset
from minigrad.errors import ArgumentError, CompileError, InputTypeError, MissingExtraError, ShapeError
from minigrad.nn import functional as F
from minigrad.train import BestWeights, Callback, EarlyStopping, Schedule, fit


def blobs(n=70, classes=3, features=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    X = rng.normal(size=(n, features)) + 1.5 * np.eye(classes, features)[y]
    return mg.tensor(X, dtype=mg.float32), mg.tensor(y)


def network(seed=0, dropout=0.0):
    mg.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))


def weights(model):
    return [p.numpy(force=True).copy() for p in model.parameters()]


def same(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


class Recorder(Callback):
    def __init__(self):
        self.calls = []

    def on_start(self, run):
        self.calls.append("start")

    def before_step(self, run):
        self.calls.append(f"before {run.epoch}.{run.step}")

    def after_step(self, run):
        self.calls.append(f"after {run.epoch}.{run.step}")

    def on_epoch(self, run):
        self.calls.append(f"epoch {run.epoch}")

    def on_end(self, run):
        self.calls.append("end")


# ---- the same as a loop written out


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_fit_does_what_a_loop_does_bit_for_bit(compile, clip):
    X, y = blobs()
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    generator = mg.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True, generator=generator)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    losses, norms = [], []
    for _ in range(5):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), targets)
            loss.backward()
            norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
            if clip:
                norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            total += loss.item() * len(targets)
        schedule.step()
        losses.append(total / len(X))
        norms.append(norm.item())

    other = network()
    rule = optim.Adam(other.parameters(), lr=0.02)
    again = DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True, generator=mg.Generator().manual_seed(3))
    history = fit(
        other, F.cross_entropy, rule, again, 5,
        scheduler=optim.lr_scheduler.StepLR(rule, 2, gamma=0.5), clip_norm=clip, compile=compile, validation=(X, y),
    )  # fmt: skip
    assert same(weights(model), weights(other))
    assert losses == history.column("loss")
    assert norms == pytest.approx(history.column("gradient_norm"), rel=1e-6)
    assert [0.02, 0.02, 0.01, 0.01, 0.005] == history.column("lr")
    assert [3] * 5 == [row.steps for row in history.rows]
    assert 15 == len(history.step_losses)


def test_compiled_steps_are_replayed(monkeypatch):
    X, y = blobs()
    made = []
    monkeypatch.setattr(
        "minigrad.train.loop.compiled", lambda function, **settings: made.append(mg.compile(function, **settings)) or made[-1]
    )
    model = network()
    fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), DataLoader(TensorDataset(X, y), 35), 4, validation=(X, y))
    assert [{"eager": 2, "replayed": 6}, {"eager": 2, "replayed": 2}] == [
        {"eager": f.stats()["calls"] - f.stats()["replayed"], "replayed": f.stats()["replayed"]} for f in made
    ]


def test_validation_is_judged_in_evaluation_mode_and_changes_nothing():
    X, y = blobs()
    trained = []
    for validation in (None, (X, y)):
        model = network(dropout=0.5)
        mg.manual_seed(7)
        history = fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [(X, y)], 3, validation=validation)
        trained.append(weights(model))
    assert same(*trained)
    model.eval()
    with mg.no_grad():
        loss = F.cross_entropy(model(X), y).item()
        accuracy = (model(X).argmax(1) == y).float().mean().item()
    assert {"loss": pytest.approx(loss, rel=1e-6), "accuracy": pytest.approx(accuracy)} == history.rows[-1].validation


@pytest.mark.parametrize("mode", [True, False])
def test_the_model_is_left_in_its_mode(mode):
    X, y = blobs()
    model = network(dropout=0.5).train(mode)
    modes = []
    fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [(X, y)], 2, validation=(X, y),
        callbacks=[lambda run: modes.append(run.model.training)])  # fmt: skip
    assert [True, True] == modes
    assert {mode} == {module.training for module in model.modules()}


class Frozen(nn.Module):
    """Its `train` leaves the normalization as it is."""

    def __init__(self):
        self.norm, self.layer = nn.BatchNorm1d(4), nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(self.norm(x))

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self


@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)), lambda: Frozen().train()])
@pytest.mark.parametrize("validation", [None, blobs()])
def test_a_frozen_normalization_stays_frozen(make, validation):
    model = make()
    norm, layer = model.children()
    norm.eval()
    before, modes = norm.running_mean.numpy().copy(), []
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit(model, F.cross_entropy, optimizer, blobs(), 2, validation=validation, callbacks=[lambda run: modes.append(layer.training)])
    assert (before == norm.running_mean.numpy()).all()
    assert [True, True] == modes
    assert (True, False, True) == (model.training, norm.training, layer.training)


def test_a_callback_may_leave_the_model_in_evaluation_mode():
    model, modes = network(dropout=0.5), []

    class Judge(Recorder):
        def before_step(self, run):
            modes.append({module.training for module in run.model.modules()})

        def on_epoch(self, run):
            run.model.eval()

    fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [blobs()], 2, callbacks=[Judge()])
    assert [{True}] * 2 == modes


def test_losses_of_batches_count_by_their_sizes():
    X, y = blobs(10)
    model = network()
    with mg.no_grad():
        whole = F.cross_entropy(model(X), y).item()
    history = fit(
        model,
        F.cross_entropy,
        optim.SGD(model.parameters(), lr=0.0),
        DataLoader(TensorDataset(X, y), 7),
        1,
        validation=[(X[:1], y[:1]), (X[1:], y[1:])],
    )
    assert whole == pytest.approx(history.rows[0].loss, rel=1e-6)
    assert whole == pytest.approx(history.rows[0].validation["loss"], rel=1e-6)


def test_the_validation_loss_is_that_of_all_samples_whatever_the_batches():
    X, y = blobs(30)
    y[:4] = -100
    for loss in (
        nn.CrossEntropyLoss(weight=mg.tensor([1.0, 5.0, 9.0])),
        nn.CrossEntropyLoss(reduction="sum"),
        partial(F.cross_entropy, reduction="sum"),
    ):
        summed = "sum" in (getattr(loss, "reduction", ""), *getattr(loss, "keywords", {}).values())
        model = network()
        with mg.no_grad():
            whole = loss(model(X), y).item() / (30 if summed else 1)
        for size in (1, 4, 7, 30):
            batches = DataLoader(TensorDataset(X, y), size)
            history = fit(model, loss, optim.SGD(model.parameters(), lr=0.0), [(X, y)], 1, validation=batches)
            assert whole == pytest.approx(history.rows[0].validation["loss"], rel=1e-6)
            assert whole == pytest.approx(history.rows[0].loss, rel=1e-6)


def test_outputs_are_kept_for_metrics_alone():
    X, _ = blobs(50)
    model = nn.Linear(4, 4)
    alive = []

    class Watch(Callback):
        def after_step(self, run):
            gc.collect()
            alive.append(sum(isinstance(thing, mg.Tensor) and thing.shape == (5, 4) for thing in gc.get_objects()))

    fit(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.1), DataLoader(TensorDataset(X, X), 5), 1, callbacks=[Watch()])
    assert alive[-1] <= alive[3]


def test_models_of_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(4, 3)

        def forward(self, a, b):
            return self.layer(a + b)

    X, y = blobs()
    mg.manual_seed(0)
    model = Sum()
    history = fit(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.1), (X, X, y), 10, validation=(X, X, y))
    assert history.rows[-1].loss < 0.6 * history.rows[0].loss


# ---- metrics


def test_accuracy_is_the_default_for_classes_and_for_sigmoids_alone():
    X, y = blobs(classes=2)
    model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    yes = y.float()
    history = fit(model, nn.BCEWithLogitsLoss(), optim.SGD(model.parameters(), lr=0.0), [(X, yes)], 1)
    logits = model(X).detach().numpy()
    assert {"accuracy": ((logits >= 0) == (y.numpy() == 1)).mean()} == history.rows[0].metrics

    focal = fit(model, nn.FocalLoss(), optim.SGD(model.parameters(), lr=0.0), [(X, yes)], 1)
    assert history.rows[0].metrics == focal.rows[0].metrics

    squashed = nn.Sequential(*model, nn.Sigmoid())
    history = fit(squashed, nn.BCELoss(), optim.SGD(model.parameters(), lr=0.0), [(X, yes)], 1)
    assert {"accuracy": ((logits >= 0) == (y.numpy() == 1)).mean()} == history.rows[0].metrics
    assert {} == fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), [(X, yes)], 1).rows[0].metrics


def accuracies(model, loss, data, **settings):
    """What fit says of the untouched model, in training and in validation, and what `evaluate` says."""
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    row = fit(model, loss, optimizer, [data], 1, validation=[data], **settings).rows[0]
    return row.metrics["accuracy"], row.validation["accuracy"], mg.evaluate.evaluate(model, data, loss).accuracy


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
@pytest.mark.parametrize("soften", [lambda t: t, lambda t: 0.4 * t + 0.2])
def test_accuracy_of_one_hot_targets_takes_the_largest_on_both_sides(metrics, soften):
    X, y = blobs()
    model = network()
    share = (model(X).argmax(1) == y).float().mean().item()
    assert [pytest.approx(share)] * 3 == [
        *accuracies(model, nn.CrossEntropyLoss(), (X, soften(F.one_hot(y, 3).float())), metrics=metrics)
    ]
    loss = nn.CrossEntropyLoss(ignore_index=1)  # of class indices alone
    assert pytest.approx(share) == accuracies(model, loss, (X, F.one_hot(y, 3).float()), metrics=metrics)[0]


@pytest.mark.parametrize("ends", [(), (nn.Sigmoid(),)])
def test_an_unknown_loss_of_logits_or_probabilities(ends):
    X, y = blobs(classes=2)
    yes = y.float()[:, None]
    mg.manual_seed(0)
    scores = nn.Linear(4, 1)
    function = F.binary_cross_entropy if ends else F.binary_cross_entropy_with_logits
    share = ((scores(X) >= 0).numpy() == (yes.numpy() == 1)).mean()
    model = nn.Sequential(scores, *ends)
    assert (share,) * 3 == accuracies(model, lambda p, t: function(p, t), (X, yes), metrics=["accuracy"])
    column = accuracies(model, lambda p, t: function(p[:, 0], t.float()), (X, y), metrics=["accuracy"])
    assert (share,) * 3 == column
    assert (
        {}
        == fit(model, lambda p, t: function(p[:, 0], t.float()), optim.SGD(model.parameters(), lr=0.0), (X, y), 1).rows[0].metrics
    )


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (nn.MSELoss(), lambda X, y: X[:, :3], "'accuracy' counts classes, but the loss is one of regression"),
        (F.l1_loss, lambda X, y: X[:, :3], "'accuracy' counts classes, but the loss is one of regression"),
        (lambda a, b: F.mse_loss(a, b), lambda X, y: X[:, :3], r"accuracy: targets must lie between 0 and 1, got values from -"),
        (lambda a, b: F.mse_loss(a, b), lambda X, y: F.one_hot(y, 3).float(), "accuracy: each row of the targets holds one 1"),
    ],
)
def test_accuracy_of_what_is_no_class(loss, target, message):
    X, y = blobs()
    model = network()
    with pytest.raises(ArgumentError, match=f"fit: metrics: {message}"):
        fit(model, loss, optim.SGD(model.parameters(), lr=0.1), (X, target(X, y)), 1, metrics=["accuracy"])
    assert {} == fit(model, loss, optim.SGD(model.parameters(), lr=0.1), (X, target(X, y)), 1).rows[0].metrics


def test_ignored_targets_do_not_count():
    X, y = blobs(20)
    model = network()
    hits = (model(X).argmax(1) == y).numpy()
    y[:5] = -100
    history = fit(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.0), [(X, y)], 1)
    assert hits[5:].mean() == history.rows[0].metrics["accuracy"]


def test_metrics_see_the_whole_epoch():
    X, y = blobs()
    seen = []

    def predicted(outputs, targets):
        seen.append((outputs.shape, targets.shape, outputs.requires_grad))
        return outputs.argmax(1).numpy().max()

    model = network()
    history = fit(
        model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), DataLoader(TensorDataset(X, y), 32), 1,
        validation=(X, y), metrics={"accuracy": "accuracy", "largest": predicted},
    )  # fmt: skip
    assert [((70, 3), (70,), False)] * 2 == seen
    assert ["loss", "accuracy", "largest", "val_loss", "val_accuracy", "val_largest"] == history.columns()
    assert 2.0 == history.rows[0].validation["largest"]


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("f1", InputTypeError, "metrics must be a list or a dictionary, got 'f1'"),
        (["acuracy"], ArgumentError, "'acuracy' is no function of outputs and targets; the one known by name is 'accuracy'"),
        ({"loss": lambda y, t: 0}, ArgumentError, "'loss' is a column of the history already; give the metric another name"),
        *(
            ({name: len}, ArgumentError, f"'{name}' is a column")
            for name in ("lr", "seconds", "epoch", "steps", "observation", "val_f1")
        ),
        ([lambda y, t: 1, lambda y, t: 2], ArgumentError, "two are named '<lambda>'; give a dictionary of functions by name"),
        (["accuracy", "accuracy"], ArgumentError, "two are named 'accuracy'"),
        ({3: lambda y, t: 1}, InputTypeError, "a name must be a str, got 3"),
        ({"r": lambda y, t: np.ones(3)}, InputTypeError, r"'r' must return one number, got ndarray of shape \(3,\)"),
        ({"r": lambda y, t: y}, InputTypeError, r"'r' must return one number, got Tensor of shape \(70, 3\)"),
        ({"r": lambda y, t: None}, InputTypeError, "'r' must return one number, got None"),
        ({"r": lambda y, t: "0.5"}, InputTypeError, "'r' must return one number, got '0.5'"),
    ],
)
def test_metrics_that_are_none(metrics, error, message):
    X, y = blobs()
    model = network()
    with pytest.raises(error, match=f"fit: metrics: {message}" if isinstance(metrics, (dict, list)) else message):
        fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [(X, y)], 1, metrics=metrics)


def test_what_is_one_number():
    given = (1, True, 0.5, np.float32(0.5), np.ones(1), mg.tensor(0.5), mg.tensor([0.5]))
    metrics = {f"m{n}": lambda y, t, value=value: value for n, value in enumerate(given)}
    model = network()
    row = fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [blobs()], 1, metrics=metrics).rows[0]
    assert [1, 1, 0.5, 0.5, 1, 0.5, 0.5] == [*row.metrics.values()]
    assert {float} == {*map(type, row.metrics.values())}


def test_accuracy_of_outputs_that_do_not_fit():
    X, y = blobs()
    model = nn.Linear(4, 3)
    with pytest.raises(ShapeError, match=r"accuracy: outputs \(70, 3\) and targets \(70, 1\) are neither"):
        fit(model, lambda a, b: a.mean(), optim.SGD(model.parameters(), lr=0.1), [(X, y.float()[:, None])], 1, metrics=["accuracy"])


# ---- callbacks


def test_callbacks_are_told_in_order():
    X, y = blobs()
    model, told = network(), Recorder()
    fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), DataLoader(TensorDataset(X, y), 35), 2, callbacks=[told])
    steps = [[f"before {e}.{s}", f"after {e}.{s}"] for e in (1, 2) for s in (1, 2)]
    assert ["start", *steps[0], *steps[1], "epoch 1", *steps[2], *steps[3], "epoch 2", "end"] == told.calls


def overfitted(callbacks, epochs=60):
    """A network trained on few points with labels by chance, judged on others: it must overfit."""
    rng = np.random.default_rng(0)
    X, y = mg.tensor(rng.normal(size=(40, 4)), dtype=mg.float32), mg.tensor(rng.integers(3, size=40))
    model = network()
    history = fit(
        model,
        F.cross_entropy,
        optim.Adam(model.parameters(), lr=0.05),
        [(X[:20], y[:20])],
        epochs,
        validation=(X[20:], y[20:]),
        callbacks=callbacks,
    )
    with mg.no_grad():
        return history, F.cross_entropy(model(X[20:]), y[20:]).item()


def test_best_weights_are_those_of_the_lowest_validation_loss():
    history, loss = overfitted([BestWeights()])
    losses = history.column("val_loss")
    assert 0 < int(np.argmin(losses)) < 50
    assert min(losses) == pytest.approx(loss, rel=1e-6) != losses[-1]
    assert 1 + int(np.argmin(losses)) == history.kept == history.best_epoch
    assert f"left with the weights of epoch {history.kept}" in history.headline()


def test_best_weights_by_another_value():
    history, _ = overfitted([BestWeights("loss", mode="max")])
    assert 1 == history.kept


def test_early_stopping_waits_for_its_patience():
    history, loss = overfitted([EarlyStopping(4)])
    losses = history.column("val_loss")
    best = int(np.argmin(losses))
    assert best + 1 + 4 == len(losses) < 60
    assert losses[-1] == pytest.approx(loss, rel=1e-6)
    assert f"val_loss has not improved since epoch {best + 1}" == history.stopped


def test_early_stopping_counts_small_steps_as_none():
    history, _ = overfitted([EarlyStopping(3, monitor="loss", min_delta=10.0)])
    assert 4 == len(history)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(0), "patience must be a number of epochs, at least 1, got 0"),
        (lambda: EarlyStopping(monitor="val_f1"), "is 'val_f1' better low or high"),
        (lambda: BestWeights(mode="low"), "mode must be 'min' or 'max', got 'low'"),
        (lambda: Schedule(None, every="batch"), "every must be 'epoch' or 'step', got 'batch'"),
    ],
)
def test_callbacks_refuse_settings(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_monitors_say_what_is_missing():
    X, y = blobs()
    model = network()
    with pytest.raises(
        ArgumentError, match=r"EarlyStopping: there can be no 'val_loss' without validation data; give fit validation="
    ):
        fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), (X, y), 2, callbacks=[EarlyStopping()])


def test_monitors_of_what_no_epoch_has():
    X, y = blobs()
    model = network()
    with pytest.raises(
        ArgumentError, match=r"BestWeights: there is no 'val_f1' in the history \(loss, accuracy, val_loss, val_accuracy\)"
    ):
        fit(
            model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), (X, y), 2,
            validation=(X, y), callbacks=[BestWeights("val_f1", "max")],
        )  # fmt: skip


def test_one_cycle_is_stepped_every_step():
    X, y = blobs()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rates = []

    class Rates(Callback):
        def before_step(self, run):
            rates.append(optimizer.param_groups[0]["lr"])

    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=9)
    fit(model, F.cross_entropy, optimizer, DataLoader(TensorDataset(X, y), 32), 2, scheduler=schedule, callbacks=[Rates()])
    other = optim.SGD([mg.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    expected = optim.lr_scheduler.OneCycleLR(other, max_lr=0.1, total_steps=9)
    for rate in rates:
        assert expected.get_last_lr()[0] == rate
        other.step()
        expected.step()
    assert 6 == len(set(rates))


def test_schedules_by_step_if_asked():
    X, y = blobs()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = Schedule(optim.lr_scheduler.ExponentialLR(optimizer, 0.5), every="step")
    history = fit(model, F.cross_entropy, optimizer, DataLoader(TensorDataset(X, y), 35), 3, callbacks=[schedule])
    assert [1, 1 / 4, 1 / 16] == history.column("lr")


def test_plateau_is_shown_the_validation_loss():
    X, y = blobs()
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    shown = []

    class Plateau(optim.lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            shown.append(metrics)
            super().step(metrics, epoch)

    history = fit(model, F.cross_entropy, optimizer, [(X, y)], 3, validation=(X[:9], y[:9]), scheduler=Plateau(optimizer))
    assert history.column("val_loss") == shown


def plateau(mode="min", **settings):
    """The learning rates of a training whose accuracy stands still, and a plateau schedule of `patience` 0 that watches."""
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1e-6)
    schedule = Schedule(optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, patience=0, threshold=0.0), **settings)
    validation = settings.get("validation", blobs())
    history = fit(model, F.cross_entropy, optimizer, [blobs()], 4, validation=validation, callbacks=[schedule])
    return history.column("lr")


def test_plateau_follows_what_it_is_told():
    assert [1e-6] * 4 == plateau()  # the loss falls, if little
    assert [1e-6, 1e-6, 1e-7, 1e-8] == pytest.approx(plateau("max", monitor="val_accuracy"))
    assert [1e-6, 1e-6, 1e-7, 1e-8] == pytest.approx(plateau("max", monitor="accuracy"))


@pytest.mark.parametrize(
    ("mode", "monitor", "message"),
    [
        (
            "max",
            None,
            r"the loss is better low, but ReduceLROnPlateau has mode='max'; .* Schedule\(scheduler, monitor='val_accuracy'\)",
        ),
        ("max", "val_loss", "'val_loss' is better low, but ReduceLROnPlateau has mode='max'"),
        ("min", "accuracy", "'accuracy' is better high, but ReduceLROnPlateau has mode='min'"),
        ("max", "val_f1", r"Schedule: there is no 'val_f1' in the history \(loss, "),
    ],
)
def test_plateau_in_the_wrong_direction(mode, monitor, message):
    with pytest.raises(ArgumentError, match=message):
        plateau(mode, monitor=monitor)


def test_plateau_of_validation_without_validation():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = Schedule(optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max"), monitor="val_accuracy")
    with pytest.raises(ArgumentError, match="Schedule: there can be no 'val_accuracy' without validation data"):
        fit(model, F.cross_entropy, optimizer, blobs(), 2, callbacks=[schedule])
    with pytest.raises(ArgumentError, match="Schedule: monitor is for ReduceLROnPlateau, StepLR looks at nothing"):
        Schedule(optim.lr_scheduler.StepLR(optimizer, 1), monitor="loss")
    with pytest.raises(ArgumentError, match="Schedule: the loss is better low, but ReduceLROnPlateau has mode='max'"):
        fit(model, F.cross_entropy, optimizer, blobs(), 2, scheduler=optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max"))


@pytest.mark.parametrize("as_callback", [False, True])
def test_a_schedule_of_another_optimizer_is_refused(as_callback):
    model = network()
    optimizer, other = (optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    schedule, before = optim.lr_scheduler.StepLR(other, 1), weights(model)
    settings = {"callbacks": [Schedule(schedule)]} if as_callback else {"scheduler": schedule}
    with pytest.raises(ArgumentError, match="the schedule StepLR is of another optimizer; make it of the one that fit is given"):
        fit(model, F.cross_entropy, optimizer, blobs(), 2, **settings)
    assert same(before, weights(model))


@pytest.mark.parametrize("callback", ["print", EarlyStopping, 3])
def test_what_is_no_callback(callback):
    model = network()
    with pytest.raises(InputTypeError, match=r"a callback must be a train\.Callback or a function of the run"):
        fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), blobs(), 1, callbacks=[callback])


# ---- how it ends


class PressCtrlC(Callback):
    def __init__(self, epoch, step, times=1):
        self.moment, self.times = (epoch, step), times

    def after_step(self, run):
        if (run.epoch, run.step) == self.moment:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_stops_at_the_end_of_the_step():
    X, y = blobs()
    model, told = network(), Recorder()
    before = signal.getsignal(signal.SIGINT)
    loader = DataLoader(TensorDataset(X, y), 14)
    history = fit(
        model,
        F.cross_entropy,
        optim.SGD(model.parameters(), lr=0.1),
        loader,
        9,
        validation=(X, y),
        callbacks=[PressCtrlC(2, 3), told],
    )
    assert before is signal.getsignal(signal.SIGINT)
    assert [5, 3] == [row.steps for row in history.rows]
    assert {} == history.rows[1].validation
    assert "interrupted in epoch 2, after step 3" == history.stopped
    assert "interrupted" in str(history)
    assert ["after 2.3", "end"] == told.calls[-2:]

    other = network()
    fit(other, F.cross_entropy, optim.SGD(other.parameters(), lr=0.1), [*loader, *list(loader)[:3]], 1)
    assert same(weights(model), weights(other))


def test_a_second_ctrl_c_stops_at_once():
    X, y = blobs()
    model = network().eval()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), (X, y), 9, callbacks=[PressCtrlC(1, 1, times=2)])
    assert before is signal.getsignal(signal.SIGINT)
    assert not model.training


def test_training_in_a_thread():
    X, y = blobs()
    model = network()
    histories = []
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    thread = threading.Thread(target=lambda: histories.append(fit(model, F.cross_entropy, optimizer, (X, y), 2)))
    thread.start()
    thread.join()
    assert 2 == len(histories[0])


def test_a_loss_that_is_no_number_ends_the_training():
    X, y = blobs()
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=1e30)
    with pytest.warns(RuntimeWarning, match=r"fit: the loss became (nan|inf) in epoch 1, step \d; the training ends here"):
        history = fit(
            model,
            lambda y, t: F.mse_loss(y, F.one_hot(t, 3).float()),
            optimizer,
            DataLoader(TensorDataset(X, y), 10),
            5,
            validation=(X, y),
        )
    assert 1 == len(history)
    assert history.rows[0].steps < 7
    assert "diverged" in history.rows[0].observation


@pytest.mark.parametrize("epoch", [2, 3])
def test_ctrl_c_during_validation_stops_after_the_epoch(epoch):
    X, y = blobs()
    model = network()
    pressed = []

    def press(outputs, targets):
        pressed.append(len(targets))
        if len(pressed) == 2 * epoch:  # in training, in validation, by turns
            os.kill(os.getpid(), signal.SIGINT)
        return 0.0

    history = fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [(X, y)], 3, validation=[(X, y)], metrics=[press])
    assert (epoch, f"interrupted after epoch {epoch}") == (len(history), history.stopped)
    assert "loss" in history.rows[-1].validation


def test_an_error_leaves_the_best_weights_and_tells_of_the_end():
    X, y = blobs()
    model, told = network(), Recorder()
    kept = []

    def fail(run):
        kept.append(weights(run.model))
        if run.epoch == 3:
            raise ZeroDivisionError

    optimizer = optim.SGD(model.parameters(), lr=0.1, maximize=True)  # from epoch to epoch worse
    with pytest.raises(ZeroDivisionError):
        fit(model, F.cross_entropy, optimizer, [(X, y)], 9, validation=(X, y), callbacks=[BestWeights(), fail, told])
    assert "end" == told.calls[-1]
    assert same(kept[0], weights(model))


def test_callbacks_may_stop_it():
    X, y = blobs()
    model = network()
    history = fit(
        model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), (X, y), 9, callbacks=[lambda run: run.stop("enough")]
    )
    assert (1, "enough") == (len(history), history.stopped)


# ---- data


class Pairs(Dataset):
    def __getitem__(self, i):
        return mg.ones(4) * i, i % 3

    def __len__(self):
        return 40


@pytest.mark.parametrize("data", [blobs(), TensorDataset(*blobs()), Pairs(), [blobs()], tuple(x.numpy() for x in blobs())])
def test_kinds_of_data(data):
    model = network()
    history = fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=1e-3), data, 2, validation=data)
    assert 2 == len(history)
    assert history.rows[1].steps == (1 if isinstance(data, list) else 2 if isinstance(data, Pairs) else 3)


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (iter([blobs()]), InputTypeError, "data is an iterator, which can be gone through once"),
        ({"X": 1}, InputTypeError, "data must be a DataLoader, a Dataset, a tuple of Tensors .* got dict"),
        (blobs()[0], InputTypeError, "data must be a DataLoader, .* got Tensor"),
        ([], ArgumentError, "data has no batches"),
        ([blobs()[:1]], InputTypeError, "a batch must be a tuple or list of Tensors, inputs and then the target; got tuple of 1"),
        ([{"X": 1}], InputTypeError, "a batch must be a tuple or list of Tensors, inputs and then the target; got dict"),
        ([(blobs()[0], mg.tensor(1))], ShapeError, r"the same first size, got shapes \(70, 4\), \(\)"),
        (DataLoader(Endless(), 4), ArgumentError, "data has no batches"),
    ],
)
def test_what_is_no_data(data, error, message):
    model = network()
    with pytest.raises(error, match=message):
        fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), data, 2)


# ---- what it refuses


def refused(**changes):
    model = network()
    given = {
        "model": model,
        "loss": F.cross_entropy,
        "optimizer": optim.SGD(model.parameters(), lr=0.1),
        "data": blobs(),
        "epochs": 1,
    }
    fit(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": F.relu}, InputTypeError, "model must be a Module, got"),
        ({"loss": nn.CrossEntropyLoss}, InputTypeError, r"such as nn\.CrossEntropyLoss\(\), got <class"),
        ({"loss": "cross_entropy"}, InputTypeError, "loss must be a function of output and target"),
        ({"optimizer": "adam"}, InputTypeError, "optimizer must be an Optimizer, got str"),
        ({"optimizer": optim.SGD(network().parameters(), lr=0.1)}, ArgumentError, "the optimizer holds none of the model's parameters"),
        ({"epochs": 0}, ArgumentError, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": True}, ArgumentError, "epochs must be a whole number of at least 1, got True"),
        ({"epochs": 2.0}, ArgumentError, "epochs must be a whole number of at least 1, got 2.0"),
        ({"clip_norm": 0}, ArgumentError, "clip_norm must be above 0, got 0"),
        ({"clip_norm": float("nan")}, ArgumentError, "clip_norm must be above 0, got nan"),
        ({"clip_norm": "1"}, InputTypeError, "clip_norm must be a number"),
        ({"scheduler": []}, InputTypeError, r"scheduler must be a schedule of optim\.lr_scheduler, got list"),
        ({"validation": iter([blobs()])}, InputTypeError, "validation is an iterator, which can be gone through once"),
        ({"callbacks": EarlyStopping()}, InputTypeError, r"callbacks must be a list, got EarlyStopping; write \[callback\]"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(changes, error, message):
    with pytest.raises(error, match=f"fit: .*{message}"):
        refused(**changes)


def test_a_schedule_among_the_callbacks_gets_a_hint():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InputTypeError, match=r"a learning-rate schedule is no callback; hand it in as scheduler="):
        fit(model, F.cross_entropy, optimizer, blobs(), 1, callbacks=[optim.lr_scheduler.StepLR(optimizer, 1)])


def test_whole_numbers_of_numpy():
    refused(epochs=np.int64(2))


def test_lbfgs_is_refused():
    model = network()
    with pytest.raises(
        ArgumentError, match=r"LBFGS asks for the loss several times a step; write the loop, with optimizer\.step\(closure\)"
    ):
        fit(model, F.cross_entropy, optim.LBFGS(model.parameters()), blobs(), 1)


class Branches(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


def test_a_step_that_cannot_be_compiled_says_what_to_do():
    model = Branches()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(CompileError) as caught:
        fit(model, F.cross_entropy, optimizer, blobs(), 2)
    assert ["fit compiles the training step; with compile=False it runs operation by operation"] == caught.value.__notes__
    assert 2 == len(fit(model, F.cross_entropy, optimizer, blobs(), 2, compile=False))


def annealed(beta, cool):
    """The ratios of the losses of six epochs of a loss that is weighted by beta[0], which a callback changes after each of them."""

    def loss(y, t):
        return F.cross_entropy(y, t) * beta[0]

    model = network()
    optimizer = optim.SGD(model.parameters(), lr=1e-9)
    history = fit(model, loss, optimizer, [blobs()] * 50, 6, callbacks=[lambda run: cool(beta)], metrics=[])
    return [b / a for a, b in pairwise(history.column("loss"))]


def halve(beta):
    beta[0] *= 0.5


@pytest.mark.parametrize("beta", [[1.0], mg.tensor([1.0])], ids=["list", "tensor"])
def test_a_number_of_the_loss_that_a_callback_changes_is_followed(beta):
    assert [0.5] * 5 == pytest.approx(annealed(beta, halve), rel=1e-5)


SCALE = [1.0]


class Scaled(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x) * SCALE[0]


@pytest.mark.parametrize("compile", [True, False])
def test_numbers_that_the_model_takes_from_outside_are_followed(compile, monkeypatch):
    monkeypatch.setattr(f"{__name__}.SCALE", [1.0])
    mg.manual_seed(0)
    model = Scaled()

    def change(run):
        SCALE[0] *= 2

    optimizer = optim.SGD(model.parameters(), lr=1e-9)
    settings = {"validation": blobs(), "callbacks": [change], "metrics": [], "compile": compile}
    history = fit(model, lambda y, t: y.abs().mean(), optimizer, [blobs()] * 5, 4, **settings)
    for name in ("loss", "val_loss"):
        assert [2.0] * 3 == pytest.approx([b / a for a, b in pairwise(history.column(name))], rel=1e-5)


def test_what_a_compiled_step_does_not_see_is_found_out():
    with pytest.raises(CompileError, match="differs from what an eager call gives") as caught:
        annealed(deque([1.0]), halve)
    assert ["fit compiles the training step; with compile=False it runs operation by operation"] == caught.value.__notes__


class Several(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x), x


def test_a_model_that_returns_no_tensor():
    model = Several()
    with pytest.raises(InputTypeError, match="fit: the model must return a Tensor, got tuple"):
        fit(model, lambda y, t: F.cross_entropy(y[0], t), optim.SGD(model.parameters(), lr=0.1), blobs(), 1)


# ---- progress


def test_a_line_an_epoch(capsys):
    X, y = blobs()
    model = network()
    history = fit(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), (X, y), 3, validation=(X, y), progress=True)
    printed = capsys.readouterr()
    head, *lines = printed.out.splitlines()
    assert ["epoch", "loss", "accuracy", "val.", "loss", "val.", "accuracy"] == head.split()
    assert [f"{row.loss:.4f}" for row in history.rows] == [line.split()[1] for line in lines]
    assert "" == printed.err


def test_silence_where_there_is_no_terminal(capsys):
    for progress in (None, False):
        refused(progress=progress)
    assert ("", "") == capsys.readouterr()


def test_a_bar_on_terminals(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    refused(epochs=2)
    shown = capsys.readouterr()
    assert "epoch 2/2: 100%" in shown.err
    assert "6/6" in shown.err
    assert "" == shown.out
    refused(progress=False)
    assert ("", "") == capsys.readouterr()


def test_a_bar_that_cannot_be_had(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingExtraError, match=r"fit: progress=True: needs tqdm, which is not installed; .* '\.\[progress\]'"):
        refused(progress=True)
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setattr("minigrad.train.progress.find_spec", lambda name: None)
    refused(progress=None)


# ---- on real data


def test_iris_is_learned():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_iris(return_X_y=True)
    X = mg.tensor((X - X.mean(0)) / X.std(0), dtype=mg.float32)
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    history = fit(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01), (X, mg.tensor(y)), 40)
    assert 0.96 < history.rows[-1].metrics["accuracy"]
    assert history.rows[-1].loss < 0.1 < history.rows[0].loss

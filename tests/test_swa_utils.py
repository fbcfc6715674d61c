"""Averages of weights, and the statistics of batch normalization under them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, InputTypeError
from minigrad.optim import swa_utils
from minigrad.optim.swa_utils import AveragedModel


class Net(nn.Module):
    """Parameters of two shapes, and two buffers: numbers and a count."""

    def __init__(self) -> None:
        self.layer = nn.Linear(3, 2).double()
        self.register_buffer("level", mg.tensor(np.zeros(2)))
        self.register_buffer("count", mg.tensor(0))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.layer(x) + self.level


def refill(net: Net, seed: int) -> list[np.ndarray]:
    """New values for the parameters and the buffers."""
    rng = np.random.default_rng(seed)
    values = [rng.standard_normal((2, 3)), rng.standard_normal(2), rng.standard_normal(2), np.array(7 * seed)]
    with mg.no_grad():
        for tensor, value in zip((*net.parameters(), *net.buffers()), values, strict=True):
            tensor.copy_(mg.tensor(value))
    return values


def ema(averages: np.ndarray, new: np.ndarray, n: int) -> np.ndarray:
    return 0.9 * averages + 0.1 * new


def mean(averages: np.ndarray, new: np.ndarray, n: int) -> np.ndarray:
    return averages + (new - averages) / (n + 1)


AVERAGES: list[tuple[dict[str, Any], Any]] = [
    ({}, mean),
    ({"avg_fn": swa_utils.get_swa_avg_fn()}, mean),
    ({"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, mean),
    ({"avg_fn": swa_utils.get_ema_avg_fn(0.9)}, ema),
    ({"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9)}, ema),
    ({"avg_fn": lambda average, new, n: 0.9 * average + 0.1 * new}, ema),
]


@pytest.mark.parametrize(("settings", "average"), AVERAGES, ids=["default", "swa", "swa lists", "ema", "ema lists", "own"])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages_of_parameters(settings, average, use_buffers):
    net = Net()
    averaged = AveragedModel(net, use_buffers=use_buffers, **settings)
    expected: list[np.ndarray] = []
    for n in range(6):
        new = refill(net, n + 1)
        if n == 0:
            expected = new
        else:
            together = [average(a, b, n) for a, b in zip(expected, new, strict=True)]
            expected = [*together[:3], np.trunc(together[3])] if use_buffers else [*together[:2], *new[2:]]
        averaged.update_parameters(net)
        for tensor, value in zip((*averaged.module.parameters(), *averaged.module.buffers()), expected, strict=True):
            np.testing.assert_allclose(tensor.array, value, rtol=1e-13)
        assert n + 1 == averaged.n_averaged.item()
    x = np.ones((4, 3))
    np.testing.assert_allclose(averaged(mg.tensor(x)).detach().numpy(), x @ expected[0].T + expected[1] + expected[2])


def test_the_mean_is_that_of_all_models():
    net = Net()
    averaged = AveragedModel(net)
    weights = []
    for seed in range(1, 8):
        weights.append(refill(net, seed)[0])
        averaged.update_parameters(net)
    np.testing.assert_allclose(averaged.module.layer.weight.array, np.mean(weights, 0), rtol=1e-13)


def test_the_model_itself_is_left_alone():
    net = Net()
    values = refill(net, 1)
    averaged = AveragedModel(net)
    for seed in (2, 3):
        values = refill(net, seed)
        averaged.update_parameters(net)
    assert all(np.array_equal(value, t.array) for value, t in zip(values, (*net.parameters(), *net.buffers()), strict=True))
    assert all(p is not q for p, q in zip(net.parameters(), averaged.parameters(), strict=True))
    averaged(mg.tensor(np.ones((1, 3)))).sum().backward()
    assert [None, None] == [p.grad for p in net.parameters()]


def test_state_is_saved_and_restored():
    net = Net()
    averaged, copy = AveragedModel(net), AveragedModel(Net())
    for seed in (1, 2):
        refill(net, seed)
        averaged.update_parameters(net)
    assert {"n_averaged", "module.layer.weight", "module.layer.bias", "module.level", "module.count"} == set(averaged.state_dict())
    copy.load_state_dict(deepcopy(averaged.state_dict()))
    refill(net, 3)
    averaged.update_parameters(net)
    copy.update_parameters(net)
    assert 3 == copy.n_averaged.item()
    for one, other in zip(averaged.parameters(), copy.parameters(), strict=True):
        assert np.array_equal(one.array, other.array)


def test_float32_stays_float32():
    net = nn.Linear(3, 2)
    for settings, _ in AVERAGES:
        averaged = AveragedModel(net, **settings)
        for _ in range(3):
            averaged.update_parameters(net)
        assert all(np.float32 == p.dtype for p in averaged.parameters())
        assert all(np.allclose(p.array, q.array, rtol=1e-6) for p, q in zip(net.parameters(), averaged.parameters(), strict=True))


class Statistics(nn.Module):
    """A mean that is updated as batch normalization updates its own: by momentum, or over all batches if that is None."""

    momentum: float | None = 0.1

    def __init__(self) -> None:
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        self.mean, self.batches = np.full(3, 100.0), 0

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        assert not mg.is_grad_enabled()
        if self.training:
            self.batches += 1
            share = 1 / self.batches if self.momentum is None else self.momentum
            self.mean = self.mean + share * (x.numpy().mean(0) - self.mean)
        return x


def test_update_bn_takes_the_mean_over_all_batches():
    batches = [mg.tensor(np.random.default_rng(seed).standard_normal((4, 3))) for seed in range(5)]
    expected = np.mean([batch.array.mean(0) for batch in batches], 0)
    for loader in (batches, [(batch, mg.tensor([1])) for batch in batches], ([batch] for batch in batches)):
        statistics = Statistics()
        model = nn.Sequential(nn.Identity(), statistics) if hasattr(nn, "Identity") else nn.Sequential(statistics)
        model.eval()
        swa_utils.update_bn(loader, model)
        np.testing.assert_allclose(statistics.mean, expected)
        assert (0.1, False, False) == (statistics.momentum, model.training, statistics.training)
    calls: list[int] = []
    swa_utils.update_bn((calls.append(1) for _ in range(3)), nn.Linear(3, 2))
    assert [] == calls


def test_update_bn_restores_momentum_when_a_batch_fails():
    statistics = Statistics()
    with pytest.raises(AttributeError):
        swa_utils.update_bn([3], statistics)
    assert 0.1 == statistics.momentum


def test_an_average_of_a_noisy_run_is_better_than_its_end():
    """Least squares by single rows: the last weights jump around the solution, their mean does not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 4))
    solution = np.array([[1.0, -2.0, 0.5, 3.0]])
    y = x @ solution.T + rng.standard_normal((200, 1))
    best = np.linalg.lstsq(x, y, rcond=None)[0].T
    mg.manual_seed(0)
    net = nn.Linear(4, 1, bias=False).double()
    optimizer = mg.optim.SGD(net.parameters(), lr=0.05)
    averaged = AveragedModel(net)
    schedule = swa_utils.SWALR(optimizer, 0.03, anneal_epochs=2)
    for epoch in range(12):
        for i in rng.permutation(200):
            optimizer.zero_grad()
            ((net(mg.tensor(x[i : i + 1])) - mg.tensor(y[i : i + 1])) ** 2).sum().backward()
            optimizer.step()
        schedule.step()
        if epoch >= 2:
            averaged.update_parameters(net)
    end, mean_error = (np.abs(m.weight.array - best).max() for m in (net, averaged.module))
    assert mean_error < end / 2


REFUSED: list[tuple[str, Any, type[Exception], str]] = [
    ("no module", lambda: AveragedModel([1]), InputTypeError, "AveragedModel: model must be a Module, got list"),
    (
        "two functions",
        lambda: AveragedModel(Net(), avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn()),
        ArgumentError,
        "give avg_fn or multi_avg_fn, not both",
    ),
    ("device", lambda: AveragedModel(Net(), "cuda"), ArgumentError, "AveragedModel: device must be None or 'cpu', got 'cuda'"),
    ("decay", lambda: swa_utils.get_ema_avg_fn(1.5), ArgumentError, r"get_ema_avg_fn: decay must be in \[0, 1\], got 1.5"),
    ("decay of lists", lambda: swa_utils.get_ema_multi_avg_fn(-1), ArgumentError, r"decay must be in \[0, 1\], got -1"),
    (
        "another model",
        lambda: AveragedModel(Net()).update_parameters(nn.Linear(3, 2)),
        ArgumentError,
        "AveragedModel.update_parameters: the parameters or buffers of the model are not those of the average",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()

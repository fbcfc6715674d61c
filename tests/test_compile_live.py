"""mg.compile: what changes between the calls is followed, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiling import assert_same, batches, classifier, follow, replays, training, values

import minigrad as mg
from minigrad import nn, optim

F = nn.functional


def test_the_learning_rate_and_other_settings() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return training(model, optimizer), [model, optimizer]

    def meanwhile(i: int, things: Any) -> None:
        group = things[1].param_groups[0]
        group["lr"] = 0.1 / (i + 1)
        if i == 5:
            group["momentum"] = 0.9  # another kernel, with a state of its own
        if i == 7:
            group["maximize"] = True
        if i == 8:
            group["maximize"] = False

    assert replays(follow(make, batches(10), meanwhile)) == 8


def test_new_values_and_new_arrays_of_parameters() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    saved: dict[str, Any] = {}

    def meanwhile(i: int, things: Any) -> None:
        model = things[0]
        if i == 3:
            saved.update(model.state_dict())
        if i == 5:
            model.load_state_dict(saved)
        if i == 6:
            with mg.no_grad():
                model[0].weight.mul_(0.5)
        if i == 7:
            model[0].weight.data = mg.ones(5, 4)
        if i == 9:
            model[2].bias.data = mg.zeros(3)

    assert replays(follow(make, batches(12), meanwhile)) == 10


def test_training_and_evaluation_over_the_same_parameters() -> None:
    mg.manual_seed(0)
    model = classifier(nn.Dropout(0.5))
    optimizer = optim.Adam(model.parameters())
    train, evaluate = mg.compile(training(model, optimizer)), mg.compile(mg.no_grad()(lambda x: model(x)))
    for make in batches(8):
        x, y = make()
        model.train()
        train(x, y)
        model.eval()
        assert_same(values(model(x).detach()), values(evaluate(x)))
    assert replays(train) == replays(evaluate) == 6


def test_train_and_eval_mode_have_programs_of_their_own() -> None:
    def make() -> Any:
        model = classifier(nn.Dropout(0.5))
        return mg.no_grad()(lambda x, y: model(x)), [model]

    def meanwhile(i: int, things: Any) -> None:
        things[0].train(i % 2 == 0)

    fast = follow(make, batches(10), meanwhile)
    assert fast.stats()["programs"] == 2
    assert replays(fast) == 7


def test_a_last_batch_of_another_size() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    epoch = [*batches(3), *batches(1, rows=5)]
    fast = follow(make, epoch * 4)
    assert fast.stats()["programs"] == 2
    assert replays(fast) == 16 - 4


def test_other_values_of_other_arguments() -> None:
    fast = mg.compile(lambda x, power, scale=1.0: (x**power * scale).sum())
    for _ in range(3):
        for power, scale in ((2, 1.0), (3, 1.0), (2, 0.5)):
            assert fast(mg.tensor([1.0, 2.0]), power, scale=scale).item() == (1 + 2**power) * scale
    assert fast.stats()["programs"] == 3


def test_classes_of_numbers_are_told_apart() -> None:
    fast = mg.compile(lambda x, k: x * k)
    x = mg.tensor([1, 2])
    for k in (2, 2, 2, 2.0, 2.0, 2.0, True, np.float32(2), np.float32(2), float("nan"), float("nan"), float("nan"), 2):
        np.testing.assert_array_equal((x * k).array, fast(x, k).array)
        assert (x * k).dtype == fast(x, k).dtype
    assert fast.stats()["programs"] == 5


def test_tensors_of_modules_that_are_replaced() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(np.ones(2))
            self.plain = mg.ones(2)
            self.register_buffer("moving", mg.ones(2))
            self.inner = nn.Linear(2, 2).double()

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.inner(x * self.weight) * self.plain + self.moving

    module = Scaled()
    fast = mg.compile(mg.no_grad()(lambda x: module(x)))
    x = mg.tensor([1.0, 2.0], dtype=mg.float64)
    changes: list[Any] = [
        lambda: None,
        lambda: setattr(module, "weight", nn.Parameter(np.full(2, 3.0))),
        lambda: setattr(module, "plain", mg.tensor([4.0, 5.0])),
        lambda: setattr(module, "moving", mg.tensor([6.0, 5.0])),
        lambda: setattr(module, "inner", nn.Linear(2, 2).double()),
        lambda: module.register_forward_hook(lambda module, args, output: output * 2),
    ]
    for change in changes:
        change()
        for _ in range(4):
            np.testing.assert_array_equal(fast(x).array, module(x).detach().array)
    assert replays(fast) >= 10


def test_hooks_that_come_and_go() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    handles: dict[int, list[Any]] = {}

    def meanwhile(i: int, things: Any) -> None:
        model, optimizer = things
        if i == 4:
            handles[id(model)] = [
                model[0].weight.register_hook(lambda g: g * 3),
                optimizer.register_step_pre_hook(
                    lambda optimizer, args, kwargs: nn.utils.clip_grad_value_(model.parameters(), 0.01)
                ),
            ]
        if i == 8:
            for handle in handles[id(model)]:
                handle.remove()

    assert replays(follow(make, batches(12), meanwhile)) >= 6


def test_ever_new_numbers_are_warned_of() -> None:
    fast = mg.compile(lambda x, k: x * k)
    for k in range(256):
        fast(mg.ones(2), k)
    with pytest.warns(UserWarning, match="was called with 256 different signatures, and none came often enough for a program"):
        fast(mg.ones(2), 256)


def test_lists_of_ones_own_as_results() -> None:
    class Results(list[mg.Tensor]):
        pass

    fast = mg.compile(lambda x: (Results([x * 2, x]), {"a": (x + 1,)}))
    for i in range(4):
        results, rest = fast(mg.tensor([float(i)]))
        assert type(results) is Results
        assert [results[0].item(), results[1].item(), rest["a"][0].item()] == [2 * i, i, i + 1]


def test_layouts_of_arguments() -> None:
    fast = mg.compile(lambda x: mg.exp(x).sum(0))
    random = np.random.default_rng(0)
    for _ in range(3):
        for array in (random.random((3, 4)), random.random((4, 3)).T, random.random((6, 4))[::2]):
            x = mg.from_numpy(array)
            np.testing.assert_array_equal(fast(x).array, mg.exp(x).sum(0).array)


def test_leaves_as_arguments() -> None:
    fast = mg.compile(lambda a, b: (a * a * b).sum().backward())
    kept = []
    for i in range(5):
        a, b = mg.tensor([1.0, i], requires_grad=True), mg.tensor([3.0, 4.0])
        fast(a, b)
        kept.append((a, [6.0, 8.0 * i]))
    for a, gradient in kept:
        assert a.grad is not None
        assert a.grad.tolist() == gradient


def test_gradients_that_are_kept_do_not_change() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True)

    def step(x: mg.Tensor) -> None:
        w.grad = None
        (w * x).sum().backward()

    fast, kept = mg.compile(step), []
    for i in range(6):
        fast(mg.tensor([1.0, i]))
        kept.append(w.grad)
    assert [g.tolist() for g in kept if g is not None] == [[1.0, float(i)] for i in range(6)]


def test_grad_mode_is_part_of_the_signature() -> None:
    w = mg.tensor([2.0], requires_grad=True)
    fast = mg.compile(lambda x: w * x)
    for _ in range(4):
        with mg.no_grad():
            assert not fast(mg.tensor([3.0])).requires_grad
        y = fast(mg.tensor([3.0]))
        y.backward()
        assert w.grad is not None
        assert w.grad.item() == 3
        w.grad = None


def test_a_function_without_backward_in_grad_mode_keeps_its_graph() -> None:
    mg.manual_seed(0)
    model = classifier()
    optimizer = optim.Adam(model.parameters())
    twin = classifier()
    twin.load_state_dict(model.state_dict())
    second = optim.Adam(twin.parameters())
    fast = mg.compile(model)
    for make in batches(5):
        x, y = make()
        for network, updater in ((fast, optimizer), (twin, second)):
            updater.zero_grad()
            F.cross_entropy(network(x), y).backward()
            updater.step()
        assert_same(values(twin), values(model))
    assert list(fast.parameters()) == list(model.parameters())


def test_compiled_functions_nest() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        forward = mg.compile(model)
        return training(forward, optimizer), [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_methods_and_decorators() -> None:
    class Trainer:
        def __init__(self) -> None:
            mg.manual_seed(0)
            self.weight = mg.ones(3, requires_grad=True)

        @mg.compile
        def step(self, x: mg.Tensor) -> mg.Tensor:
            self.weight.grad = None
            loss = (self.weight * x).sum()
            loss.backward()
            return loss

    one, other = Trainer(), Trainer()
    for i in range(4):
        assert one.step(mg.tensor([1.0, 2.0, i])).item() == 3 + i
        assert other.step(mg.tensor([0.0, 2.0, i])).item() == 2 + i
        assert one.weight.grad is not None
        assert one.weight.grad.tolist() == [1, 2, i]
    assert Trainer.step.stats()["programs"] == 2


def test_batch_normalization_moves_its_statistics() -> None:
    def make() -> Any:
        model = classifier(nn.BatchNorm1d(5))
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_dropout_draws_anew_and_as_an_eager_call_does() -> None:
    def make() -> Any:
        model = classifier(nn.Dropout(0.5))
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


@pytest.mark.parametrize("norm", [2.0, float("inf"), 1.0])
def test_gradients_are_clipped(norm: float) -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())

        def step(x: mg.Tensor, y: mg.Tensor) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            total = nn.utils.clip_grad_norm_(model.parameters(), 0.1, norm)
            optimizer.step()
            return loss, total

        return step, [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_gradients_are_clipped_by_value() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.5)

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.01)
            optimizer.step()
            return loss

        return step, [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_averages_of_weights_inside() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        average = optim.swa_utils.AveragedModel(model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.9))

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = training(model, optimizer)(x, y)
            average.update_parameters(model)
            return loss

        return step, [model, optimizer, average]

    assert replays(follow(make, batches(6))) == 4


def test_hooks_and_retained_gradients() -> None:
    def make() -> Any:
        model = classifier()
        model[0].weight.register_hook(lambda g: g * 2)

        def step(x: mg.Tensor, y: mg.Tensor) -> Any:
            model.zero_grad()
            h = model[0](x)
            h.register_hook(lambda g: g.clamp(-0.01, 0.01))
            loss = F.cross_entropy(model[2](mg.relu(h)), y)
            loss.backward()
            return loss

        return step, [model]

    assert replays(follow(make, batches(6))) == 4


def test_gradients_of_gradients() -> None:
    def make() -> Any:
        model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
        optimizer = optim.Adam(model.parameters())

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            optimizer.zero_grad()
            x = x.detach().requires_grad_()
            (slope,) = mg.grad(model(x).sum(), x, create_graph=True)
            loss = ((slope.square().sum(1) + 1e-6).sqrt() - 1).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_writes_in_place() -> None:
    def make() -> Any:
        total = mg.zeros(3)

        def step(x: mg.Tensor, y: mg.Tensor) -> Any:
            part = mg.zeros(8, 3)
            part[:, 1] = x[:, 0]
            part += 1
            view = part[0]
            view.mul_(3)
            with mg.no_grad():
                total.add_(part.sum(0))
            return part * 2, total.clone()

        return step, [total]

    assert replays(follow(make, batches(6))) == 4

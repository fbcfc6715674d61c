"""mg.compile: steps of all kinds, replayed beside eager ones, bit for bit; errors, threads and memory."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from compiling import assert_same, batches, classifier, follow, replays, training, values

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import IndexRangeError, ShapeError
from minigrad.kernels.cache import kernels_enabled

F = nn.functional


def test_the_first_call_is_eager_the_second_recorded_and_the_third_replayed() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())
        return training(model, optimizer), [model, optimizer]

    fast = follow(make, batches(6))
    stats = fast.stats()
    assert (stats["calls"], stats["eager"], stats["recorded"], stats["replayed"], stats["programs"]) == (6, 1, 1, 4, 1)
    assert kernels_enabled() is (0 < stats["planned_bytes"] < stats["eager_bytes"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, 70])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_shapes_of_products(rows: int, classes: int, dtype: Any) -> None:
    """One row, one column: NumPy takes other routines for these."""

    def make() -> Any:
        model = classifier(classes=classes).to(dtype)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return training(model, optimizer), [model, optimizer]

    assert replays(follow(make, batches(4, rows, classes=classes, dtype=dtype))) == 2


def test_without_optimizer_and_with_gradients_kept() -> None:
    def make() -> Any:
        model = classifier()

        def step(x: mg.Tensor, y: mg.Tensor) -> Any:
            model.zero_grad()
            scores = model(x)
            loss = F.cross_entropy(scores, y)
            loss.backward()
            with mg.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
            return {"loss": loss.detach(), "scores": (scores.detach(), None), "count": 3}

        return step, [model]

    assert replays(follow(make, batches(6))) == 4


def test_zero_grad_at_the_end() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        return step, [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_add_up_over_calls(to_none: bool) -> None:
    """Three calls add up, an optimizer outside of the function steps."""

    def make() -> Any:
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def accumulate(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = F.cross_entropy(model(x), y) / 3
            loss.backward()
            return loss.detach()

        return accumulate, [model, optimizer]

    def meanwhile(i: int, things: Any) -> None:
        if i % 3 == 0:
            things[1].step() if i else None
            things[1].zero_grad(set_to_none=to_none)

    assert replays(follow(make, batches(14), meanwhile)) >= 5


def test_gradients_add_up_within_a_call() -> None:
    def make() -> Any:
        model = classifier()
        optimizer = optim.Adam(model.parameters())

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            optimizer.zero_grad()
            total = mg.zeros(())
            for part in range(2):
                loss = F.cross_entropy(model(x[part * 4 : part * 4 + 4]), y[part * 4 : part * 4 + 4])
                loss.backward()
                total = total + loss.detach()
            optimizer.step()
            return total

        return step, [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_several_steps_in_one_call_and_two_optimizers() -> None:
    def make() -> Any:
        generator, critic = classifier(classes=4), classifier(classes=1)
        first, second = optim.Adam(generator.parameters()), optim.RMSprop(critic.parameters(), momentum=0.5)

        def step(x: mg.Tensor, y: mg.Tensor) -> Any:
            fake = generator(x)
            second.zero_grad()
            (critic(fake.detach()).mean() - critic(x).mean()).backward()
            second.step()
            first.zero_grad()
            loss = -critic(fake).mean()
            loss.backward()
            first.step()
            second.zero_grad()
            (critic(x) ** 2).mean().backward()
            second.step()
            return loss

        return step, [generator, critic, first, second]

    assert replays(follow(make, batches(6))) == 4


def test_a_large_network_whose_gradients_are_not_gathered() -> None:
    def make() -> Any:
        model = classifier(features=300, width=600)
        optimizer = optim.Adam(model.parameters(), weight_decay=0.1)
        return training(model, optimizer), [model, optimizer]

    assert replays(follow(make, batches(5, features=300))) == 3


def test_parameter_groups_and_dtypes() -> None:
    def make() -> Any:
        model = classifier()
        groups = [{"params": list(model[0].parameters()), "lr": 0.1}, {"params": list(model[2].parameters())}]
        optimizer = optim.AdamW(groups, lr=0.01)
        return training(model, optimizer), [model, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_parameters_without_gradient() -> None:
    def make() -> Any:
        model, unused = classifier(), nn.Linear(2, 2)
        optimizer = optim.Adam([*model.parameters(), *unused.parameters()])
        return training(model, optimizer), [model, unused, optimizer]

    assert replays(follow(make, batches(6))) == 4


def test_tied_weights_and_shared_layers() -> None:
    def make() -> Any:
        first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 3)
        optimizer = optim.Adam([*first.parameters(), *second.parameters()])

        def forward(x: mg.Tensor) -> mg.Tensor:
            h = mg.tanh(first(x))
            return second(mg.tanh(first(h)) @ first.weight)  # type: ignore[no-any-return]

        return training(forward, optimizer), [first, second, optimizer]  # type: ignore[arg-type]

    assert replays(follow(make, batches(6))) == 4


# ---- errors inside


def test_an_error_leaves_everything_usable() -> None:
    mg.manual_seed(0)
    model = classifier()
    optimizer = optim.Adam(model.parameters())
    fast = mg.compile(training(model, optimizer))
    good = batches(5)
    for make in good:
        fast(*make())
    before = values([model, optimizer])
    x, y = good[0]()
    y[3] = 7
    with pytest.raises(IndexRangeError, match=r"cross_entropy: target\[3\] is 7, but there are 3 classes"):
        fast(x, y)
    after = values([model, optimizer])
    for key in ("0.weight", "2.bias"):
        np.testing.assert_array_equal(after[0][0][key][0], before[0][0][key][0])
    assert_same(before[1], after[1])
    with pytest.raises(ShapeError):
        fast(mg.ones(3, 9), mg.tensor([0, 1, 2]))
    twin = classifier()
    twin.load_state_dict(model.state_dict())
    second = optim.Adam(twin.parameters())
    second.load_state_dict(optimizer.state_dict())
    eager = training(twin, second)
    for make in good:
        assert eager(*make()).item() == fast(*make()).item()


def test_an_error_while_recording() -> None:
    broken = [True]

    def function(x: mg.Tensor) -> mg.Tensor:
        if len(broken) == 2:
            raise RuntimeError("stop")
        return x * 2  # type: ignore[no-any-return]

    fast = mg.compile(function)
    fast(mg.ones(2))
    broken.append(True)
    with pytest.raises(RuntimeError, match="stop"):
        fast(mg.ones(2))
    broken.pop()
    assert mg.ones(1).item() == 1  # nothing is recorded any more
    assert [fast(mg.tensor([float(i)])).item() for i in range(4)] == [0, 2, 4, 6]


def test_two_threads() -> None:
    w = mg.tensor(np.arange(2000.0), requires_grad=True)

    def step(x: mg.Tensor) -> mg.Tensor:
        y = mg.sqrt(x * x + 1)
        return (y * w.detach()).sum() + y.mean()

    fast = mg.compile(step)
    inputs = [mg.tensor(np.full(2000, float(i))) for i in range(8)]
    expected = [step(x).item() for x in inputs]
    wrong: list[Any] = []

    def work(offset: int) -> None:
        for i in range(300):
            k = (i + offset) % 8
            if fast(inputs[k]).item() != expected[k]:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert replays(fast) > 1000


def test_memory_does_not_grow() -> None:
    mg.manual_seed(0)
    model = classifier()
    optimizer = optim.Adam(model.parameters())
    fast = mg.compile(training(model, optimizer), fuse=True)  # a kernel that came later would leave garbage
    arguments = batches(1)[0]()
    for _ in range(1000):
        fast(*arguments)
    gc.collect()
    before = len(gc.get_objects())
    resident = _resident()
    for _ in range(100_000):
        fast(*arguments)
    assert gc.collect() == 0
    assert len(gc.get_objects()) <= before + 50
    assert _resident() - resident < 1 << 20


def _resident() -> int:
    """Bytes of memory that the process has, where the system tells."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0

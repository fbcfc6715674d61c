"""mg.compile where Tensors, arrays and gradients are met twice: from outside and as arguments, before the call and in it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import IndexRangeError

F = nn.functional


def leaf(*values: float) -> mg.Tensor:
    return mg.tensor(list(values), requires_grad=True)


def test_a_gradient_from_before_the_call_is_written_in_place() -> None:
    p = leaf(1.0, 1.0)
    clip = mg.compile(lambda: nn.utils.clip_grad_norm_([p], 0.1))
    halve = mg.compile(lambda: p.grad.mul_(0.5).sum())  # type: ignore[union-attr]
    for scale in (5.0, 5.0, 5.0, 7.0):
        p.grad = mg.ones(2) * scale
        assert clip().item() == pytest.approx(scale * 2**0.5)
        np.testing.assert_allclose(p.grad.array, 0.1 / 2**0.5, rtol=1e-4)
        p.grad = mg.ones(2) * scale
        assert halve().item() == scale
        assert p.grad.tolist() == [scale / 2, scale / 2]


def test_two_gradients_in_a_call_with_the_first_one_kept() -> None:
    p = leaf(1.0, 1.0, 1.0)
    optimizer = optim.SGD([p], lr=0.1)

    def step(x: mg.Tensor) -> Any:
        optimizer.zero_grad()
        (p * x).sum().backward()
        optimizer.step()
        old = p.grad
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
        return old

    fast = mg.compile(step)
    assert [fast(mg.ones(3) * i).array[0] for i in range(5)] == [0, 1, 2, 3, 4]


def test_a_gradient_of_the_call_before_beside_the_new_one() -> None:
    p = leaf(1.0, 1.0)

    @mg.compile
    def difference(x: mg.Tensor) -> Any:
        old, p.grad = p.grad, None
        (p * x).sum().backward()
        return p.grad - old if old is not None else p.grad

    assert [difference(mg.ones(2) * i * i).array[0] for i in range(7)] == [0, 1, 3, 5, 7, 9, 11]


def test_a_gradient_that_is_returned_is_the_callers() -> None:
    p = leaf(1.0)

    def backward(x: mg.Tensor) -> None:
        p.grad = None
        (p * x).sum().backward()

    fast, look, kept = mg.compile(backward), mg.compile(lambda: p.grad), []
    for i in range(6):
        fast(mg.ones(1) * i)
        kept.append(look())
    assert [g.item() for g in kept] == [0, 1, 2, 3, 4, 5]


def test_an_argument_that_is_also_reached_from_outside() -> None:
    data = mg.tensor([1.0, 2.0, 3.0])
    module = nn.BatchNorm1d(3).eval()
    centred = mg.compile(lambda x: x - data.mean())
    moved = mg.compile(mg.no_grad()(lambda x, shift: module(x) + shift))
    for x in (data, data.detach(), data, mg.tensor([10.0, 20.0, 30.0]), mg.tensor([10.0, 20.0, 40.0]), data, data):
        np.testing.assert_array_equal(centred(x).array, (x - data.mean()).array)
    x = mg.ones(2, 3)
    for shift in [*[module.running_mean] * 3, *[mg.ones(3)] * 3, module.running_mean]:
        np.testing.assert_array_equal(moved(x, shift).array, (module(x) + shift).detach().array)


def test_layouts_in_memory() -> None:
    weight = mg.tensor(np.arange(12.0).reshape(4, 3))
    fast = mg.compile(lambda x: x @ weight)
    layouts = [np.arange(32.0).reshape(4, 8).T, np.arange(64.0).reshape(8, 8)[:, ::2], np.arange(32.0).reshape(8, 4)]
    order = np.random.default_rng(0).integers(0, 3, 40)
    for k in order:
        x = mg.from_numpy(layouts[k])
        np.testing.assert_array_equal(fast(x).array, layouts[k] @ weight.array)
    for k in order:
        weight.data = mg.from_numpy(
            [np.arange(12.0).reshape(3, 4).T, np.arange(24.0).reshape(4, 6)[:, ::2], np.arange(12.0).reshape(4, 3)][k]
        )
        x = mg.from_numpy(layouts[2])
        np.testing.assert_array_equal(fast(x).array, layouts[2] @ weight.array)


def test_forms_of_gradients_from_before() -> None:
    p = mg.zeros(2, 3, requires_grad=True)
    fast = mg.compile(lambda x: (p * x).sum().backward())
    forms = [
        mg.zeros(2, 3),
        mg.from_numpy(np.arange(6, dtype=np.float32).reshape(3, 2).T),
        mg.from_numpy(np.arange(6.0).reshape(2, 3)),
        mg.from_numpy(np.broadcast_to(np.float32(2), (2, 3))),
    ]
    for k in [0, 0, 0, 0, 1, 2, 3, 1, 1, 2, 2, 3, 3, 0]:
        p.grad = forms[k]
        expected = forms[k].array + np.float32(1)
        fast(mg.ones(2, 3))
        assert p.grad is not None
        np.testing.assert_array_equal(p.grad.array, expected)


def test_parameters_that_come_and_go() -> None:
    a, b = leaf(0.0), leaf(0.0)
    optimizer = optim.SGD([a], lr=1.0)

    @mg.compile
    def step() -> None:
        optimizer.zero_grad()
        (a + b).sum().backward()
        optimizer.step()

    for _ in range(6):
        step()
    assert (a.item(), b.item()) == (-6, 0)
    assert b.grad is not None
    assert b.grad.item() == 6  # nobody clears it
    optimizer.add_param_group({"params": [b]})
    for _ in range(4):
        step()
    assert (a.item(), b.item()) == (-10, -4)
    assert b.grad.item() == 1
    optimizer.param_groups[0]["params"].pop()
    optimizer.param_groups.pop(0)
    for _ in range(4):
        step()
    assert (a.item(), b.item()) == (-10, -8)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop])
def test_the_direction_is_looked_at(kind: Any) -> None:
    ends = []
    for compiled in (False, True):
        p = leaf(1.0)
        optimizer = kind([p], lr=0.1)

        def step(optimizer: Any = optimizer, p: mg.Tensor = p) -> None:
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()

        run = mg.compile(step) if compiled else step
        for i in range(9):
            optimizer.param_groups[0]["maximize"] = 3 < i < 6
            run()
        ends.append(p.item())
    assert ends[0] == ends[1]


@pytest.mark.parametrize("look", [False, True])
@pytest.mark.parametrize("every", [2, 3, 4])
def test_accumulation_with_a_flag(every: int, look: bool) -> None:
    ends = []
    for compiled in (False, True):
        p = leaf(1.0, 1.0, 1.0)
        optimizer = optim.SGD([p], lr=0.1)

        def step(x: mg.Tensor, last: bool, optimizer: Any = optimizer, p: mg.Tensor = p) -> None:
            (p * p * x).sum().backward()
            if last:
                optimizer.step()
                optimizer.zero_grad()

        run = mg.compile(step) if compiled else step
        for i in range(24):
            run(mg.ones(3) * i / 24, i % every == every - 1)
            if look:
                assert p.grad is None or p.grad.shape == (3,)
        ends.append(p.array.copy())
    np.testing.assert_array_equal(ends[0], ends[1])


def test_alternating_networks_that_leave_gradients_to_each_other() -> None:
    ends = []
    for compiled in (False, True):
        mg.manual_seed(0)
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        first, second = optim.Adam(generator.parameters()), optim.Adam(critic.parameters())

        def judge(x: mg.Tensor, g: Any = generator, c: Any = critic, o: Any = second) -> None:
            o.zero_grad()
            (c(g(x).detach()).mean() - c(x).mean()).backward()
            o.step()

        def forge(x: mg.Tensor, g: Any = generator, c: Any = critic, o: Any = first) -> None:
            o.zero_grad()
            (-c(g(x)).mean()).backward()
            o.step()

        runs = [mg.compile(judge), mg.compile(forge)] if compiled else [judge, forge]
        random = np.random.default_rng(0)
        for _ in range(10):
            x = mg.tensor(random.standard_normal((4, 2)), dtype=mg.float32)
            runs[0](x)
            runs[0](x)
            runs[1](x)
        ends.append([p.array.copy() for p in (*generator.parameters(), *critic.parameters())])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_compiled_function_within_another_that_is_handed_a_graph() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))
    inner = mg.compile(lambda h: model[1](h).relu())

    def step(x: mg.Tensor) -> mg.Tensor:
        model.zero_grad()
        loss = inner(model[0](x)).sum()
        loss.backward()
        return loss

    fast = mg.compile(step)
    for _ in range(4):
        x = mg.randn(2, 4)
        expected = step(x).item(), [p.grad.array.copy() for p in model.parameters()]  # type: ignore[union-attr]
        assert fast(x).item() == expected[0]
        for p, gradient in zip(model.parameters(), expected[1], strict=True):
            np.testing.assert_array_equal(p.grad.array, gradient)  # type: ignore[union-attr]
    assert fast.stats()["replayed"] == 2


def test_compiled_functions_that_call_each_other_in_two_threads() -> None:
    def one(x: mg.Tensor, depth: int) -> mg.Tensor:
        return fast[1](x, depth - 1) if depth else x * 2

    def other(x: mg.Tensor, depth: int) -> mg.Tensor:
        return fast[0](x, depth - 1) if depth else x * 3

    fast = [mg.compile(one), mg.compile(other)]
    threads = [threading.Thread(target=lambda f=f: [f(mg.ones(2), 3) for _ in range(50)], daemon=True) for f in fast]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_gradients_after_an_error_are_forgotten_if_the_step_begins_so() -> None:
    p = mg.zeros(3, 2, requires_grad=True)

    @mg.compile
    def step(y: mg.Tensor) -> None:
        p.grad = None
        F.cross_entropy(p, y).backward()

    for _ in range(5):
        step(mg.tensor([0, 1, 0]))
    with pytest.raises(IndexRangeError):
        step(mg.tensor([0, 9, 0]))
    assert p.grad is None


def test_the_default_dtype() -> None:
    fast = mg.compile(lambda x: x * 0.5)
    x = mg.tensor([1, 2])
    try:
        for dtype in (mg.float32, mg.float32, mg.float32, mg.float64, mg.float64, mg.float64, mg.float32):
            mg.set_default_dtype(dtype)
            assert fast(x).dtype == dtype
    finally:
        mg.set_default_dtype(mg.float32)

"""Hooks: functions that see gradients when they are complete."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from graphs import leaf, values

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, GraphError, ShapeError

ROOT = Path(__file__).resolve().parents[1]


# ---- hooks


def test_a_leaf_hook_sees_the_complete_sum_once() -> None:
    x = leaf(2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * x + x * 3 + x).backward()
    assert [8.0] == seen
    assert 8.0 == x.grad.item()


def test_a_leaf_hook_sees_only_what_this_pass_adds() -> None:
    x = leaf(2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.item()))
    for _ in range(2):
        (x * 3).backward()
    assert [3.0, 3.0] == seen
    assert 6.0 == x.grad.item()


def test_an_inner_hook_sees_the_complete_sum_once() -> None:
    x = leaf(2.0)
    y = x * x
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * y + y).backward()
    assert [9.0] == seen


@pytest.mark.parametrize("inner", [False, True])
def test_hooks_run_in_order_and_replace_the_gradient(inner: bool) -> None:
    x = leaf(2.0, 3.0)
    y = x * 1.0 if inner else x
    order = []
    y.register_hook(lambda g: (order.append("first"), g * 2)[1])
    y.register_hook(lambda g: (order.append("second"), g + 1)[1])
    y.register_hook(lambda g: order.append("third"))
    (y * y).sum().backward()
    assert ["first", "second", "third"] == order
    assert [9.0, 13.0] == values(x.grad)


@pytest.mark.parametrize("inner", [False, True])
def test_hooks_can_be_removed(inner: bool) -> None:
    x = leaf(2.0)
    y = x * 1.0 if inner else x
    keep = y.register_hook(lambda g: g * 10)
    handle = y.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    y.backward(retain_graph=True)
    assert 10.0 == x.grad.item()
    with keep:
        pass
    y.backward()
    assert 11.0 == x.grad.item()


def test_one_function_registered_twice_runs_twice() -> None:
    x = leaf(1.0)
    y = x * 1.0

    def double(g: mg.Tensor) -> mg.Tensor:
        return g * 2

    y.register_hook(double)
    y.register_hook(double).remove()
    x.register_hook(double)
    x.register_hook(double)
    y.backward()
    assert 8.0 == x.grad.item()


@pytest.mark.parametrize("inner", [False, True])
def test_a_hook_must_return_a_gradient_of_that_shape(inner: bool) -> None:
    x = leaf(1.0, 2.0)
    y = x * 1.0 if inner else x
    y.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"hook: must return None or a Tensor of shape \(2,\)"):
        y.sum().backward()


@pytest.mark.parametrize("inner", [False, True])
def test_a_hook_must_return_a_gradient_of_that_dtype(inner: bool) -> None:
    x = leaf(1.0, 2.0, dtype=np.float32)
    y = x.exp() if inner else x
    y.register_hook(lambda g: g.double())
    with pytest.raises(DtypeError, match=r"hook: must return .*float32.*float64"):
        y.sum().backward()


def test_a_hook_may_return_a_gradient_in_any_layout() -> None:
    x = mg.tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    y = x.exp()
    weights = np.float32([[1.0, 2.0], [3.0, 4.0]])
    y.register_hook(lambda g: mg.from_numpy(weights.T))
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, np.exp(x.array) * weights.T, rtol=1e-6)


def test_a_hook_needs_a_tensor_that_requires_grad() -> None:
    with pytest.raises(GraphError, match="register_hook: the tensor does not require grad"):
        mg.tensor(1.0).register_hook(lambda g: None)


def test_hooks_run_without_recording_unless_asked() -> None:
    x = leaf(2.0)
    seen = []
    x.register_hook(lambda g: seen.append((g * x).requires_grad))
    (x * x).backward()
    mg.grad(x * x, x, create_graph=True)
    assert [False, True] == seen


def test_a_hook_is_part_of_the_graph_of_gradients() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * g)
    (d1,) = mg.grad(x**3, x, create_graph=True)  # hooked: 9 x⁴, whose derivative's hook squares 36 x³
    assert 144.0 == d1.item()
    assert (36 * 8.0) ** 2 == mg.grad(d1, x)[0].item()


def test_what_a_hook_returns_is_not_aliased() -> None:
    constant = mg.tensor([7.0, 7.0], dtype=np.float64)
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: constant)
    (x * 2).sum().backward()
    x.grad.zero_()
    assert [7.0, 7.0] == values(constant)


def test_what_a_hook_keeps_is_not_aliased() -> None:
    kept = []
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: kept.append(g))
    (x * 2).sum().backward()
    x.grad.zero_()
    assert [2.0, 2.0] == values(kept[0])
    (dx,) = mg.grad((x * 2).sum(), x)
    dx.zero_()
    assert [2.0, 2.0] == values(kept[1])


def test_a_hook_that_raises_leaves_the_mode_as_it_was() -> None:
    def fail(g: mg.Tensor) -> None:
        raise KeyError

    x = leaf(1.0)
    x.register_hook(fail)
    with pytest.raises(KeyError):
        (x * 2).backward()
    assert mg.is_grad_enabled()


def test_retain_grad() -> None:
    x = leaf(3.0)
    y = x * x
    y.retain_grad()
    assert y.grad is None
    (y * 5).backward(retain_graph=True)
    assert 5.0 == y.grad.item()
    (y * 2).backward()
    assert 7.0 == y.grad.item()
    x.retain_grad()  # nothing to do for a leaf


def test_retain_grad_sees_what_hooks_registered_before_it_made() -> None:
    x = leaf(3.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.backward()
    assert (10.0, 20.0) == (y.grad.item(), x.grad.item())


def test_retain_grad_follows_a_tensor_through_a_recorded_write() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1.0
    y.retain_grad()
    y *= 2
    y.sum().backward()
    assert [1.0, 1.0] == values(y.grad)
    assert [2.0, 2.0] == values(x.grad)


# ---- hooks that wait for .grad


def test_a_hook_after_accumulation_sees_the_whole_gradient():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_hook(lambda g: g * 10)
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.tolist(), mg.is_grad_enabled())))
    (x * x).sum().backward()
    x.sum().backward()
    assert [(True, [20.0, 40.0], False), (True, [30.0, 50.0], False)] == seen
    mg.grad((x * x).sum(), x)
    assert 2 == len(seen)
    handle.remove()
    x.sum().backward()
    assert 2 == len(seen)


def test_a_hook_after_accumulation_may_step_and_forget():
    model = nn.Linear(2, 1)
    for p in model.parameters():
        optimizer = mg.optim.SGD([p], lr=0.5)

        def update(p, optimizer=optimizer):
            optimizer.step()
            optimizer.zero_grad()

        p.register_post_accumulate_grad_hook(update)
    before = model.bias.item()
    model(mg.ones(1, 2)).sum().backward()
    assert before - 0.5 == pytest.approx(model.bias.item())
    assert [None, None] == [p.grad for p in model.parameters()]


def test_a_hook_after_accumulation_needs_a_leaf():
    x = mg.ones(2, requires_grad=True)
    for tensor in (x * 2, mg.ones(2)):
        with pytest.raises(GraphError, match="register_post_accumulate_grad_hook: the tensor must be a leaf that requires grad"):
            tensor.register_post_accumulate_grad_hook(print)

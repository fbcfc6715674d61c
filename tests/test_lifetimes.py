"""What a graph keeps alive, and whose the gradients are."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import leaf, shared, train, values

import minigrad as mg
from minigrad.core.engine import Step

ROOT = Path(__file__).resolve().parents[1]


# ---- what is kept alive


def array_of(tensor: mg.Tensor) -> weakref.ref[Any]:
    return weakref.ref(tensor.array)


@pytest.mark.parametrize(
    "use",
    [lambda x: x + 1.0, lambda x: x + mg.ones(3), lambda x: -x, lambda x: x * 2.0, lambda x: x * mg.ones(3), lambda x: x.sum()],
    ids=["add number", "add", "neg", "mul number", "mul by a constant", "sum"],
)
def test_an_input_that_no_rule_names_is_not_kept(use: Callable[[mg.Tensor], mg.Tensor], collector_off: None) -> None:
    x = leaf(1.0, 2.0, 3.0, dtype=np.float32)
    inner = x + 1.0
    array = array_of(inner)
    y = use(inner)
    del inner
    assert array() is None
    y.sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "exp", "relu"])
def test_a_rule_of_the_output_keeps_only_the_output(name: str, collector_off: None) -> None:
    x = leaf(1.0, 2.0)
    inner = x + 1.0
    y = getattr(inner, name)()
    before, after = array_of(inner), array_of(y)
    del inner
    assert before() is None
    z = y + 1.0
    del y
    assert after() is not None
    z.sum().backward()
    assert after() is None


def test_a_rule_of_the_input_keeps_it_until_backward(collector_off: None) -> None:
    inner = leaf(1.0, 2.0) + 1.0
    y = inner.log()
    before, after = array_of(inner), array_of(y)
    z = y + 1.0
    del inner, y
    assert before() is not None
    assert after() is None
    z.sum().backward()
    assert before() is None


def test_retained_graphs_keep_what_they_saved_and_die_with_their_output(collector_off: None) -> None:
    inner = leaf(1.0, 2.0) + 1.0
    z = inner.log().sum()
    array, step = array_of(inner), weakref.ref(inner.step)
    del inner
    z.backward(retain_graph=True)
    assert array() is not None
    assert isinstance(step(), Step)
    del z
    assert array() is None
    assert step() is None


def test_a_graph_dies_with_its_last_reference(collector_off: None) -> None:
    x = leaf(1.0, 2.0)
    h = (x * x).exp()
    y = (h * x).sum()
    steps = [weakref.ref(t.step) for t in (h, y)]
    arrays = [array_of(t) for t in (h, y)]
    del h, y
    assert [None] * 4 == [r() for r in (*steps, *arrays)]


def test_a_graph_of_gradients_dies_too(collector_off: None) -> None:
    x = leaf(1.0, 2.0)
    y = (x**3).sum()
    (d1,) = mg.grad(y, x, create_graph=True)
    (d2,) = mg.grad(d1.sum(), x, create_graph=True)
    refs = [weakref.ref(t.step) for t in (y, d1, d2)] + [array_of(d1), array_of(d2)]
    del y, d1, d2
    assert [None] * 5 == [r() for r in refs]


def test_hooks_and_retained_gradients_make_no_cycle(collector_off: None) -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.sum().backward()
    refs = [weakref.ref(y), weakref.ref(y.step), array_of(y), weakref.ref(y.grad)]
    del y
    assert [None] * 4 == [r() for r in refs]


def test_training_leaves_nothing_to_the_collector() -> None:
    train(3)  # what is planned and compiled once may leave cycles
    gc.collect()
    gc.disable()
    try:
        train(50)
        assert 0 == gc.collect()
    finally:
        gc.enable()


def test_memory_does_not_grow_over_steps(collector_off: None) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    x = mg.zeros(1000, requires_grad=True)
    for _ in range(20):
        y = (x * 2).tanh()
        alive.add(y.step)
        y.sum().backward()
    assert 1 == len(alive)


def test_a_chain_of_a_million_steps() -> None:
    gc.disable()  # so many objects at once would only make it look for cycles again and again
    try:
        x = leaf(1.0)
        y = x
        for _ in range(1_000_000):
            y = y + 1.0
        assert 1_000_001.0 == y.item()
        y.backward()
        assert 1.0 == x.grad.item()
        last = weakref.ref(y.step)
        del y
        assert last() is None
    finally:
        gc.enable()


def test_a_long_chain_through_grad_and_create_graph() -> None:
    x = leaf(1.0)
    y = x * x
    for _ in range(20_000):
        y = y * 1.0
    (d1,) = mg.grad(y, x, create_graph=True)
    (d2,) = mg.grad(d1, x)
    assert (2.0, 2.0) == (d1.item(), d2.item())
    del y, d1


# ---- gradients belong to their tensor alone


def test_gradients_of_a_sum_are_separate_arrays() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).backward(mg.tensor([1.0, 10.0], dtype=np.float64))
    assert not shared(a.grad, b.grad)
    a.grad.mul_(7)
    assert [7.0, 70.0] == values(a.grad)
    assert [1.0, 10.0] == values(b.grad)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x,
        lambda x: x + 0.0,
        lambda x: x.clone(),
        lambda x: x.reshape(2, 2).reshape(4),
        lambda x: x[:],
        lambda x: x.expand(4),
        lambda x: mg.cat([x]),
    ],
    ids=["itself", "add", "clone", "reshape", "slice", "expand", "cat"],
)
def test_the_gradient_argument_is_neither_aliased_nor_changed(f: Callable[[mg.Tensor], mg.Tensor]) -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    given = mg.tensor([1.0, 2.0, 3.0, 4.0], dtype=np.float64)
    f(x).backward(given)
    assert not shared(x.grad, given)
    x.grad.zero_()
    assert [1.0, 2.0, 3.0, 4.0] == values(given)
    (dx,) = mg.grad(f(x), x, grad_outputs=given)
    dx.zero_()
    assert [1.0, 2.0, 3.0, 4.0] == values(given)


def test_the_gradient_argument_is_not_aliased_with_create_graph() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = mg.tensor([1.0, 10.0], dtype=np.float64)
    (a + b).backward(given, create_graph=True)
    assert a.grad is not b.grad
    with mg.no_grad():
        a.grad.zero_()
    assert [1.0, 10.0] == values(b.grad) == values(given)


def test_a_gradient_array_from_numpy_is_not_aliased() -> None:
    array = np.array([1.0, 2.0])
    x = leaf(1.0, 2.0)
    (x + 0.0).backward(mg.from_numpy(array))
    x.grad.zero_()
    assert [1.0, 2.0] == array.tolist()


@pytest.mark.parametrize("f", [lambda x: x.sum(), lambda x: x.mean(), lambda x: x[0] + x[1]], ids=["sum", "mean", "getitem"])
def test_every_gradient_is_writable(f: Callable[[mg.Tensor], mg.Tensor]) -> None:
    x = leaf(1.0, 2.0)
    f(x).backward()
    before = x.grad.tolist()
    x.grad.add_(1.0)
    assert [v + 1 for v in before] == values(x.grad)


def test_a_gradient_made_with_create_graph_is_writable() -> None:
    x = leaf(1.0, 2.0)
    x.sum().backward(create_graph=True)
    with mg.no_grad():
        x.grad.mul_(mg.tensor([1.0, 5.0]))
    assert [1.0, 5.0] == values(x.grad)


def test_gradients_of_scalars_are_separate_and_writable() -> None:
    a, b = leaf(1.0), leaf(2.0)
    (a + b).backward()
    a.grad.fill_(5.0)
    assert (5.0, 1.0) == (a.grad.item(), b.grad.item())
    c = leaf(1.0)
    (c + 1.0).backward()
    assert 1.0 == c.grad.item()  # the 1 that passes start from was not overwritten


def test_gradients_from_grad_are_separate_and_writable() -> None:
    a, b = leaf(1.0), leaf(2.0)
    da, db = mg.grad(a + b, [a, b])
    da.fill_(5.0)
    assert (5.0, 1.0) == (da.item(), db.item())
    assert 1.0 == mg.grad(a + b, a)[0].item()


def test_gradients_of_inner_nodes_are_separate_and_writable() -> None:
    x = leaf(1.0, 2.0)
    a, b = x * 2, x * 3
    a.retain_grad()
    b.retain_grad()
    (a + b).sum().backward()
    a.grad.zero_()
    assert [1.0, 1.0] == values(b.grad)


def test_a_pass_changes_no_gradient_on_its_way() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1.0
    kept = []
    y.register_hook(lambda g: kept.append((g, g.tolist())))
    (y * 3 + y * 4).sum().backward()
    x.grad.zero_()
    ((g, then),) = kept
    assert [7.0, 7.0] == then == values(g)

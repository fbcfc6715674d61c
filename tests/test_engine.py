"""The engine: what is recorded, in which order it is walked back, what is kept alive, and what is refused."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.core.engine import Step
from minigrad.errors import ArgumentError, DtypeError, GraphError, InputTypeError, ShapeError

ROOT = Path(__file__).resolve().parents[1]


def leaf(*values: float, dtype: Any = np.float64) -> mg.Tensor:
    return mg.tensor(values[0] if len(values) == 1 else values, dtype=dtype, requires_grad=True)


def values(tensor: mg.Tensor | None) -> Any:
    assert tensor is not None
    return tensor.tolist()


def shared(a: mg.Tensor, b: mg.Tensor) -> bool:
    return np.shares_memory(a.array, b.array)


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def spy() -> Iterator[tuple[Callable[..., mg.Tensor], list[str]]]:
    """The product of three tensors, and a list of the rules that ran."""
    ran: list[str] = []

    def spied_product(a: mg.Tensor, b: mg.Tensor, c: mg.Tensor) -> mg.Tensor:
        return a * b * c

    product = mg.op(spied_product)

    @product.backward("a")
    def _(g: Any, b: Any, c: Any) -> Any:
        ran.append("a")
        return g * b * c

    @product.backward("b")
    def _(g: Any, a: Any, c: Any) -> Any:
        ran.append("b")
        return g * a * c

    @product.backward("c")
    def _(g: Any, a: Any, b: Any) -> Any:
        ran.append("c")
        return g * a * b

    yield product, ran
    mg.Op.instances.remove(product)


# ---- the walk


def test_a_shared_node_gets_the_sum_of_its_uses() -> None:
    x = leaf(3.0)
    y = x * x
    (y * y + y).backward()
    assert 4 * 3.0**3 + 2 * 3.0 == x.grad.item()


def test_a_leaf_used_many_times() -> None:
    x = leaf(2.0)
    total = x * 0
    for k in range(100):
        total = total + k * x
    total.backward()
    assert 4950.0 == x.grad.item()


@pytest.mark.parametrize("levels", [1, 2, 50])
def test_a_deep_diamond_visits_each_step_once(levels: int) -> None:
    calls = [0] * levels
    x = leaf(1.0)
    y = x

    def counter(level: int) -> Callable[[mg.Tensor], None]:
        def count(g: mg.Tensor) -> None:
            calls[level] += 1

        return count

    for level in range(levels):
        left, right = y * 1.0, y * 1.0
        y = left + right
        y.register_hook(counter(level))
    y.backward()
    assert 2.0**levels == x.grad.item()
    assert [1] * levels == calls


def test_a_wide_fan_out_and_fan_in() -> None:
    x = leaf(1.5)
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    mg.stack([y * k for k in range(50)]).sum().backward()
    assert [1225.0] == seen
    assert 2450.0 == x.grad.item()


def test_a_step_waits_for_all_of_its_uses_however_long_the_way() -> None:
    x = leaf(2.0)
    y = x * x
    far = y
    for _ in range(20):
        far = far + 1.0
    (far * y).backward()  # (y + 20) y
    assert (2 * 4.0 + 20) * 4.0 == x.grad.item()


def test_backward_calls_add_up() -> None:
    x = leaf(1.0, 2.0)
    for expected in ([2.0, 4.0], [4.0, 8.0], [6.0, 12.0]):
        (x * x).sum().backward()
        assert expected == values(x.grad)


def test_accumulation_makes_a_new_array() -> None:
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert [3.0, 3.0] == values(first)
    assert [6.0, 6.0] == values(x.grad)


def test_two_losses_share_the_graph_up_to_a_node() -> None:
    x = leaf(2.0)
    y = x * x
    a, b = y * 3, y + 1
    a.backward(retain_graph=True)
    b.backward()
    assert 3 * 4.0 + 4.0 == x.grad.item()


def test_backward_on_a_leaf_itself() -> None:
    x = leaf(2.0)
    x.backward()
    assert 1.0 == x.grad.item()


def test_gradients_take_dtype_and_shape_of_their_input() -> None:
    a, b = leaf(1.0, 2.0, dtype=np.float32), mg.tensor([[1.0], [2.0]], dtype=np.float64, requires_grad=True)
    (a * b).sum().backward()
    assert (np.float32, (2,)) == (a.grad.dtype, a.grad.shape)
    assert (np.float64, (2, 1)) == (b.grad.dtype, b.grad.shape)
    assert [3.0, 3.0] == values(a.grad)
    assert [[3.0], [3.0]] == values(b.grad)


def test_the_gradient_argument_weights_the_elements() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x * x).backward(mg.tensor([1.0, 10.0, 100.0], dtype=np.float64))
    assert [2.0, 40.0, 600.0] == values(x.grad)


def test_the_gradient_argument_takes_the_dtype_of_the_tensor() -> None:
    x = leaf(1.0, 2.0, dtype=np.float32)
    (x * x).backward(gradient=mg.tensor([1.0, 10.0], dtype=np.float64))
    assert np.float32 == x.grad.dtype
    assert [2.0, 40.0] == values(x.grad)


def test_a_one_element_tensor_of_any_shape_needs_no_gradient_argument() -> None:
    x = mg.tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    assert [[6.0]] == values(x.grad)


def test_a_gradient_is_needed_for_more_than_one_element() -> None:
    with pytest.raises(GraphError, match=r"backward: .*shape \(2,\).*pass gradient="):
        (leaf(1.0, 2.0) * 2).backward()


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"backward: gradient has shape \(3,\) but the tensor has shape \(2,\)"):
        (leaf(1.0, 2.0) * 2).backward(mg.ones(3))


def test_no_graph_no_backward() -> None:
    with pytest.raises(GraphError, match="does not require grad"):
        mg.tensor(1.0).backward()
    with pytest.raises(GraphError, match="does not require grad"):
        (mg.tensor(1.0) * 2).backward()


# ---- freed graphs


def test_backward_twice_over_saved_values_is_refused() -> None:
    x = leaf(2.0)
    y = (x * x).exp()
    y.backward()
    with pytest.raises(GraphError, match=r"freed by an earlier backward pass \(at exp\); pass retain_graph=True"):
        y.backward()
    assert math.isclose(4 * math.exp(4.0), x.grad.item(), rel_tol=1e-14)


def test_retain_graph_allows_another_pass() -> None:
    x = leaf(2.0)
    y = x * x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert 36.0 == x.grad.item()
    with pytest.raises(GraphError, match="freed"):
        y.backward()


def test_a_pass_that_frees_a_shared_part_is_noticed_by_the_next() -> None:
    x = leaf(2.0)
    y = x * x
    (y * 3).backward()
    with pytest.raises(GraphError, match=r"at mul"):
        (y + 1).backward()


def test_what_saves_nothing_can_be_walked_twice() -> None:
    x = leaf(2.0)
    y = x + 1.0
    y.backward()
    y.backward()
    assert 2.0 == x.grad.item()


def test_a_step_that_grad_stops_at_stays_usable() -> None:
    x = leaf(2.0)
    y = x * x
    (dy,) = mg.grad(y * y, y)
    assert 8.0 == dy.item()
    y.backward()
    assert 4.0 == x.grad.item()


# ---- grad and inputs=


def test_grad_at_leaf_and_inner_node_touches_no_grad() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * y * y
    dx, dy = mg.grad(z, [x, y])
    assert (6 * 2.0**5, 3 * 4.0**2) == (dx.item(), dy.item())
    assert x.grad is None
    assert y.grad is None


def test_grad_at_the_output_is_one() -> None:
    x = leaf(2.0)
    y = x * x
    dy, dx = mg.grad(y, [y, x])
    assert (1.0, 4.0) == (dy.item(), dx.item())
    assert 1.0 == mg.grad(x, x)[0].item()


def test_grad_between_inner_nodes() -> None:
    x = leaf(2.0)
    a = x * 3
    b = a * a
    c = b.exp()
    da, db = mg.grad(c, [a, b])
    assert math.isclose(math.exp(36.0) * 12.0, da.item(), rel_tol=1e-14)
    assert math.isclose(math.exp(36.0), db.item(), rel_tol=1e-14)


def test_grad_of_several_outputs_sums_them_weighted() -> None:
    x = leaf(1.0, 2.0)
    outputs = [x * x, x.sum() * 5]
    weights = [mg.tensor([1.0, 10.0], dtype=np.float64), None]
    (dx,) = mg.grad(outputs, [x], grad_outputs=weights)
    assert [2.0 + 5.0, 40.0 + 5.0] == values(dx)


def test_grad_of_one_output_named_twice() -> None:
    x = leaf(3.0)
    y = x * x
    assert 12.0 == mg.grad([y, y], x)[0].item()


def test_grad_where_one_output_is_an_ancestor_of_the_other() -> None:
    x = leaf(3.0)
    y = x * x
    z = y * 2
    assert 6.0 + 12.0 == mg.grad([z, y], x)[0].item()


def test_grad_unused_input() -> None:
    x, other = leaf(2.0), leaf(1.0)
    y = x * x
    with pytest.raises(GraphError, match=r"do not depend on inputs\[1\]; pass allow_unused=True"):
        mg.grad(y, [x, other], retain_graph=True)
    dx, nothing = mg.grad(y, [x, other], allow_unused=True)
    assert 4.0 == dx.item()
    assert nothing is None


def test_grad_refuses_inputs_that_require_none() -> None:
    x = leaf(2.0)
    with pytest.raises(GraphError, match=r"grad: inputs\[1\] does not require grad"):
        mg.grad(x * x, [x, mg.tensor(1.0)])


def test_grad_counts_its_grad_outputs() -> None:
    x = leaf(2.0)
    with pytest.raises(ArgumentError, match="grad_outputs has 2 entries for 1 outputs"):
        mg.grad(x * x, x, grad_outputs=[None, None])


def test_grad_refuses_what_is_no_tensor() -> None:
    with pytest.raises(InputTypeError, match="grad: expected a Tensor, got float"):
        mg.grad([1.0], [leaf(1.0)])


def test_grad_runs_hooks_on_the_way() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * 10)
    y = x * x
    y.register_hook(lambda g: g * 100)
    dx, dy = mg.grad(y * 3, [x, y])
    assert (3 * 100 * 4.0 * 10, 300.0) == (dx.item(), dy.item())


def test_grad_does_not_compute_what_nobody_asked_for(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    (db,) = mg.grad(product(a, b, c).sum(), b)
    assert ["b"] == ran
    assert [5.0, 12.0] == values(db)


def test_backward_inputs_touches_only_those() -> None:
    x, w = leaf(2.0), leaf(5.0)
    h = x * w
    (h * h).backward(inputs=[w])
    assert x.grad is None
    assert 2 * 10.0 * 2.0 == w.grad.item()


def test_backward_inputs_may_name_an_inner_node() -> None:
    x = leaf(2.0)
    y = x * x
    (y * 3).backward(inputs=[y])
    assert 3.0 == y.grad.item()
    assert x.grad is None


def test_backward_inputs_named_twice_counts_once() -> None:
    x = leaf(2.0)
    (x * x).backward(inputs=[x, x])
    assert 4.0 == x.grad.item()


def test_a_partial_graph_is_walked_only_from_its_output() -> None:
    x = leaf(2.0)
    ran = []
    y = x * x
    beyond = y * 5
    beyond.register_hook(lambda g: ran.append("beyond"))
    y.backward()
    assert 4.0 == x.grad.item()
    assert [] == ran


# ---- higher order


def test_three_derivatives_of_a_power() -> None:
    x = leaf(2.0)
    y = x**5
    (d1,) = mg.grad(y, x, create_graph=True)
    (d2,) = mg.grad(d1, x, create_graph=True)
    (d3,) = mg.grad(d2, x, create_graph=True)
    (d4,) = mg.grad(d3, x)
    assert [80.0, 160.0, 240.0, 240.0] == [d.item() for d in (d1, d2, d3, d4)]
    assert d3.requires_grad
    assert not d4.requires_grad


def test_three_derivatives_of_tanh() -> None:
    x = leaf(0.3, -1.2)
    t = np.tanh(x.detach().numpy())
    s = 1 - t * t
    d: mg.Tensor = x.tanh()
    for expected in (s, -2 * t * s, 2 * s * (3 * t * t - 1)):
        (d,) = mg.grad(d.sum(), x, create_graph=True)
        np.testing.assert_allclose(d.detach().numpy(), expected, rtol=1e-13)


def test_second_derivatives_through_broadcasting_and_matmul() -> None:
    A = np.array([[2.0, -1.0], [0.5, 3.0]])
    x = leaf(1.0, 2.0)
    (g,) = mg.grad(x @ mg.tensor(A) @ x + (x * x.sum()).sum(), x, create_graph=True)
    rows = [mg.grad(g[i], x, retain_graph=True)[0].tolist() for i in range(2)]
    assert (A + A.T + 2).tolist() == rows


def test_a_gradient_penalty_reaches_the_weights() -> None:
    w, x = leaf(3.0), leaf(2.0)
    (dx,) = mg.grad(w * x * x, x, create_graph=True)  # 2 w x
    (dx * dx).backward()
    assert 8 * 3.0 * 4.0 == w.grad.item()
    assert 8 * 9.0 * 2.0 == x.grad.item()


def test_backward_with_create_graph_records_the_gradients() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert 12.0 == x.grad.item()
    assert x.grad.requires_grad
    (d2,) = mg.grad(x.grad, x)
    assert 12.0 == d2.item()


def test_create_graph_works_within_no_grad() -> None:
    x = leaf(2.0)
    y = x**3
    with mg.no_grad():
        (d1,) = mg.grad(y, x, create_graph=True)
    assert 12.0 == mg.grad(d1, x)[0].item()


def test_without_create_graph_gradients_are_constants() -> None:
    x = leaf(2.0)
    (d1,) = mg.grad(x**3, x)
    assert not d1.requires_grad
    assert d1.grad_fn is None


# ---- what is recorded


def test_leaves_and_steps_know_what_they_are() -> None:
    x = leaf(2.0)
    y = x * 3
    assert x.is_leaf
    assert x.grad_fn is None
    assert not y.is_leaf
    assert "mul" == y.grad_fn.name
    assert ((x, 0),) == y.grad_fn.next_functions
    assert ((y.grad_fn, 0),) == (y + 1).grad_fn.next_functions


def test_nothing_is_recorded_without_need() -> None:
    a, b = mg.tensor([1.0]), mg.tensor([2.0])
    assert (a * b).grad_fn is None
    assert not (a * b).requires_grad
    x = leaf(1.0, 2.0)
    assert (x > 1).grad_fn is None
    assert x.argmax().grad_fn is None


def test_detach_cuts_the_graph() -> None:
    x = leaf(3.0)
    y = x * x
    (y.detach() * x).backward()
    assert 9.0 == x.grad.item()
    assert shared(y, y.detach())
    assert not y.detach().requires_grad


def test_no_grad_records_nothing() -> None:
    x = leaf(3.0)
    with mg.no_grad():
        y = x * x
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()
    assert y.is_leaf
    assert not y.requires_grad
    assert 9.0 == y.item()


def test_modes_nest() -> None:
    seen = []
    with mg.no_grad():
        seen.append(mg.is_grad_enabled())
        with mg.enable_grad():
            seen.append(mg.is_grad_enabled())
            with mg.set_grad_enabled(False):
                seen.append(mg.is_grad_enabled())
                with mg.set_grad_enabled(True):
                    seen.append(mg.is_grad_enabled())
                seen.append(mg.is_grad_enabled())
            seen.append(mg.is_grad_enabled())
        seen.append(mg.is_grad_enabled())
    seen.append(mg.is_grad_enabled())
    assert [False, True, False, True, False, True, False, True] == seen


def test_modes_end_with_an_exception() -> None:
    for mode in (mg.no_grad, lambda: mg.set_grad_enabled(False)):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert mg.is_grad_enabled()
    with mg.no_grad():
        with pytest.raises(KeyError), mg.enable_grad():
            raise KeyError
        assert not mg.is_grad_enabled()


def test_modes_decorate() -> None:
    @mg.no_grad()
    def evaluate(x: mg.Tensor, depth: int = 2) -> tuple[bool, mg.Tensor]:
        """Doc."""
        if depth:
            return evaluate(x, depth - 1)
        return mg.is_grad_enabled(), x * 2

    @mg.enable_grad()
    def differentiate(x: mg.Tensor) -> mg.Tensor:
        return x * 2

    x = leaf(1.0)
    enabled, y = evaluate(x)
    assert (False, False) == (enabled, y.requires_grad)
    assert ("evaluate", "Doc.") == (evaluate.__name__, evaluate.__doc__)
    with mg.no_grad():
        assert differentiate(x).requires_grad
    assert mg.is_grad_enabled()


def test_a_decorated_function_that_raises_restores_the_mode() -> None:
    @mg.no_grad()
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert mg.is_grad_enabled()


def test_one_mode_object_can_be_entered_again() -> None:
    mode = mg.no_grad()
    for _ in range(2):
        with mode, mode:
            assert not mg.is_grad_enabled()
        assert mg.is_grad_enabled()


def test_set_grad_enabled_works_as_a_statement() -> None:
    try:
        mg.set_grad_enabled(False)
        assert not mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)
    assert mg.is_grad_enabled()


def test_set_grad_enabled_decorates() -> None:
    try:

        @mg.set_grad_enabled(False)
        def evaluate() -> bool:
            return mg.is_grad_enabled()

        assert mg.is_grad_enabled()
        assert not evaluate()
        assert not evaluate()
        assert mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)


def test_set_grad_enabled_made_earlier_and_entered_later() -> None:
    try:
        mode = mg.set_grad_enabled(False)
        mg.set_grad_enabled(True)
        with mode:
            assert not mg.is_grad_enabled()
        assert mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)


def test_modes_decorate_without_parentheses() -> None:
    @mg.no_grad
    def evaluate() -> bool:
        return mg.is_grad_enabled()

    assert not evaluate()
    assert mg.is_grad_enabled()


def test_modes_decorate_generators() -> None:
    @mg.no_grad()
    def batches() -> Iterator[bool]:
        for _ in range(2):
            yield mg.is_grad_enabled()

    inside = []
    for enabled in batches():
        inside.append(enabled)
        assert mg.is_grad_enabled()
    assert [False, False] == inside


def test_the_mode_belongs_to_its_thread() -> None:
    seen = {}
    entered, asked = threading.Event(), threading.Event()

    def hold() -> None:
        with mg.no_grad():
            entered.set()
            asked.wait(10)
            seen["holder"] = mg.is_grad_enabled()

    def fresh() -> None:
        seen["fresh"] = mg.is_grad_enabled()

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    seen["main"] = mg.is_grad_enabled()
    with mg.no_grad():
        other = threading.Thread(target=fresh)
        other.start()
        other.join()
    asked.set()
    holder.join()
    assert {"holder": False, "main": True, "fresh": True} == seen


def test_no_rule_runs_for_an_input_that_requires_no_grad(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0], requires_grad=True), mg.tensor([5.0, 6.0])
    product(a, b, c).sum().backward()
    assert ["b"] == ran
    assert [5.0, 12.0] == values(b.grad)
    assert a.grad is None
    assert c.grad is None


def test_all_rules_run_once_where_all_inputs_require_grad(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    product(a, b, c).sum().backward()
    assert ["a", "b", "c"] == ran
    assert [[15.0, 24.0], [5.0, 12.0], [3.0, 8.0]] == [values(t.grad) for t in (a, b, c)]


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


def train(steps: int, seed: int = 0, optimizer: str = "Adam") -> list[float]:
    """A small classifier on random numbers; its losses."""
    rng = np.random.default_rng(seed)

    def parameter(*shape: int) -> mg.Tensor:
        return mg.tensor(rng.normal(size=shape) * 0.3, dtype=np.float32, requires_grad=True)

    params = [parameter(16, 8), parameter(16), parameter(4, 16), parameter(4)]
    opt = getattr(mg.optim, optimizer)(params, lr=0.01)
    losses = []
    for _ in range(steps):
        x = mg.tensor(rng.normal(size=(12, 8)).astype(np.float32))
        t = mg.tensor(rng.integers(0, 4, 12))
        h = nn.functional.relu(nn.functional.linear(x, params[0], params[1]))
        loss = nn.functional.cross_entropy(nn.functional.linear(h, params[2], params[3]), t)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


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


# ---- stale values

WRITES: dict[str, Callable[[mg.Tensor], Any]] = {
    "itself": lambda t: t.mul_(2),
    "view": lambda t: t[0:1].fill_(9.0),
    "view of a view": lambda t: t.reshape(1, 2)[:, 0].zero_(),
    "detached": lambda t: t.detach().add_(1.0),
    "data": lambda t: t.data.copy_(mg.zeros(2)),
    "item": lambda t: t.__setitem__(0, 5.0),
    "operator": lambda t: t.__imul__(3.0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_saved_input_changed_in_place_is_noticed(write: Callable[[mg.Tensor], Any]) -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x * w).sum()
    with mg.no_grad():
        write(w)
    with pytest.raises(GraphError, match=r"backward: mul needs .*b.* as it was in the forward pass, but it was changed in place"):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_saved_output_changed_in_place_is_noticed(write: Callable[[mg.Tensor], Any]) -> None:
    x = leaf(1.0, 2.0)
    y = x.sigmoid()
    z = y.sum()
    with mg.no_grad():
        write(y)
    with pytest.raises(GraphError, match=r"backward: sigmoid needs its output as it was"):
        z.backward()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_to_the_base_is_noticed_where_a_view_was_saved(write: Callable[[mg.Tensor], Any]) -> None:
    base = mg.tensor([1.0, 2.0], dtype=np.float64)
    x = leaf(3.0, 4.0)
    y = (x * base[:]).sum()
    write(base)
    with pytest.raises(GraphError, match="mul needs b as it was"):
        y.backward()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_an_optimizer_step_between_forward_and_backward_is_noticed(name: str) -> None:
    w = leaf(1.0, 2.0)
    opt = getattr(mg.optim, name)([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    opt.step()
    with pytest.raises(GraphError, match="mul needs a or b as it was"):
        loss.backward()


def test_a_parameter_of_a_layer_changed_before_backward_is_noticed() -> None:
    layer = nn.Linear(2, 2)
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x).sum()
    with mg.no_grad():
        layer.weight.zero_()
    with pytest.raises(GraphError, match=r"linear needs .*weight.* as it was"):
        y.backward()


def test_a_write_to_the_tensor_that_a_parameter_was_made_of_is_noticed() -> None:
    w = mg.tensor([1.0, 2.0])
    p = nn.Parameter(w)
    y = (p * p).sum()
    w.mul_(10)
    if shared(p, w):
        with pytest.raises(GraphError, match="mul needs"):
            y.backward()
    else:
        y.backward()
        assert [2.0, 4.0] == values(p.grad)


def test_assigning_data_to_a_saved_tensor_is_noticed() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x * w).sum()
    w.data = np.zeros(2)
    with pytest.raises(GraphError, match="mul needs"):
        y.backward()


def test_a_stale_value_is_noticed_by_a_second_order_pass() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = (y**3).sum()
    (g,) = mg.grad(z, x, create_graph=True)
    with mg.no_grad():
        y.mul_(3)
    with pytest.raises(GraphError, match="changed in place"):
        mg.grad(g.sum(), x)


def test_a_stale_output_is_noticed_by_a_second_order_pass() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    (g,) = mg.grad(y.sum(), x, create_graph=True)
    with mg.no_grad():
        y.mul_(3)
    with pytest.raises(GraphError, match="changed in place"):
        mg.grad(g.sum(), x)


def test_writes_that_change_nothing_saved_do_no_harm() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x + w  # saves nothing
    with mg.no_grad():
        x.mul_(10)
        y.zero_()
    y.sum().backward()
    assert [1.0, 1.0] == values(w.grad)


def test_a_write_before_the_forward_pass_does_no_harm() -> None:
    w = leaf(3.0, 4.0)
    with mg.no_grad():
        w.mul_(2)
    (w * w).sum().backward()
    assert [12.0, 16.0] == values(w.grad)


def test_a_write_to_the_other_factor_does_no_harm() -> None:
    x, w = leaf(1.0, 2.0), mg.tensor([3.0, 4.0], dtype=np.float64)
    y = x * w  # w needs no gradient: only w is saved
    with mg.no_grad():
        x.zero_()
    y.sum().backward()
    assert [3.0, 4.0] == values(x.grad)


def test_a_write_to_the_output_does_no_harm_where_the_input_is_saved() -> None:
    x = leaf(1.0, 2.0)
    y = x.log()
    z = y.sum()
    with mg.no_grad():
        y.zero_()
    z.backward()
    assert [1.0, 0.5] == values(x.grad)


def test_a_write_to_a_clone_does_no_harm() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.clone().detach().zero_()
    with mg.no_grad():
        y.clone().zero_()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, np.exp([1.0, 2.0]))


def test_one_stale_branch_does_not_stop_a_pass_over_the_other() -> None:
    x, w = leaf(1.0, 2.0), mg.tensor([3.0, 4.0], dtype=np.float64)
    stale, fresh = (x * w).sum(), (x * 5).sum()
    w.zero_()
    fresh.backward()
    assert [5.0, 5.0] == values(x.grad)
    with pytest.raises(GraphError, match="mul needs b"):
        stale.backward()


# ---- threads and processes


def test_threads_that_train_get_what_one_after_another_gets() -> None:
    expected = [train(30, seed=1), train(30, seed=2, optimizer="SGD")]
    found: dict[int, list[float]] = {}
    start = threading.Barrier(2)

    def run(slot: int, seed: int, optimizer: str) -> None:
        start.wait(10)
        found[slot] = train(30, seed=seed, optimizer=optimizer)

    threads = [threading.Thread(target=run, args=args) for args in ((0, 1, "Adam"), (1, 2, "SGD"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected == [found[0], found[1]]


def test_a_graph_made_in_one_thread_is_walked_in_another() -> None:
    x = leaf(3.0)
    y = x * x
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert 6.0 == x.grad.item()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes_with_the_parents_kernels() -> None:
    script = textwrap.dedent("""
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from tests.test_engine import train
        expected = train(5)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if train(5) == expected else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert train(5) == expected
        import multiprocessing as mp
        with mp.get_context("fork").Pool(2) as pool:
            assert pool.map(train, [5, 5]) == [expected, expected]
        print("same")
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ("same\n", 0) == (done.stdout, done.returncode), done.stderr


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

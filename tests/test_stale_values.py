"""Values that were changed in place after a step saved them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import leaf, shared, values

import minigrad as mg
from minigrad import nn
from minigrad.errors import GraphError

ROOT = Path(__file__).resolve().parents[1]


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


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("new", [np.zeros((3, 2)), np.zeros(()), np.zeros((2, 3), np.float32)])
def test_a_leaf_that_has_another_shape_or_dtype_by_now_is_refused_its_gradient(new, before):
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = (x + 1).sum()
    x.data = new
    if before:
        x.grad = mg.tensor(new)
    with pytest.raises(GraphError, match=r"backward: a gradient of shape \(2, 3\) and dtype float64 came to a tensor that has"):
        y.backward()


def test_a_leaf_that_was_transposed_is_refused_its_gradient():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = (x + 1).sum()
    with mg.no_grad():
        x.t_()
    with pytest.raises(GraphError, match=r"backward: a gradient of shape \(2, 3\)"):
        y.backward()

"""detect_anomaly: the first operation that makes a NaN or an infinity is named, with the line of user code that called it."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import AnomalyError, GraphError

NAN, INF = float("nan"), float("inf")


def leaf(*values: float) -> mg.Tensor:
    return mg.tensor(values, dtype=np.float64, requires_grad=True)


@pytest.fixture
def spied() -> Iterator[Callable[[Any], mg.Op[Any]]]:
    """`mg.op` for operations that live as long as the test."""
    made: list[mg.Op[Any]] = []

    def declare(function: Any) -> mg.Op[Any]:
        made.append(mg.op(function))
        return made[-1]

    yield declare
    for operation in made:
        mg.Op.instances.remove(operation)


def next_line() -> str:
    """The place of the line after the one that asks."""
    frame = sys._getframe(1)
    return f"{__file__}:{frame.f_lineno + 1}"


def message(function: Callable[[], Any]) -> str:
    with pytest.raises(AnomalyError) as caught:
        function()
    return str(caught.value)


def test_the_error_is_a_graph_error_and_a_runtime_error() -> None:
    with pytest.raises(AnomalyError) as caught, mg.detect_anomaly():
        mg.tensor([-1.0]).log()
    assert isinstance(caught.value, GraphError)
    assert isinstance(caught.value, RuntimeError)


# ---- forward


@pytest.mark.parametrize(
    ("name", "operation", "what", "shape"),
    [
        ("log", lambda: mg.tensor([1.0, -1.0]).log(), "NaN", "(2,)"),
        ("log", lambda: mg.tensor([1.0, 0.0]).log(), "Inf", "(2,)"),
        ("sqrt", lambda: mg.tensor(-1.0).sqrt(), "NaN", "()"),
        ("exp", lambda: mg.tensor([[100.0]]).exp(), "Inf", "(1, 1)"),
        ("div", lambda: mg.tensor([0.0, 1.0]) / 0.0, "NaN", "(2,)"),
        ("div", lambda: 1.0 / mg.tensor([0.0, 1.0]), "Inf", "(2,)"),
        ("mul", lambda: mg.tensor([3e38]) * 2.0, "Inf", "(1,)"),
        ("sum", lambda: mg.tensor([3e38, 3e38]).sum(), "Inf", "()"),
        pytest.param(
            *("matmul", lambda: mg.full((2, 2), 3e38) @ mg.ones(2, 2), "Inf", "(2, 2)"),
        ),
        ("pow_tensor", lambda: mg.tensor([-1.0]) ** mg.tensor([0.5]), "NaN", "(1,)"),
    ],
)
def test_the_operation_that_makes_it_is_named(name: str, operation: Callable[[], Any], what: str, shape: str) -> None:
    with mg.detect_anomaly():
        text = message(operation)
    assert f"the forward pass of {name} made {what} (shape {shape}; its inputs were finite), called at {__file__}:" in text


def test_the_line_of_an_operator_a_method_and_a_function() -> None:
    x = leaf(-1.0, 4.0)

    def by_method() -> None:
        lines.append(next_line())
        x.log()

    def by_function() -> None:
        lines.append(next_line())
        mg.log(x)

    def by_operator() -> None:
        lines.append(next_line())
        _ = x**0.5

    for call in (by_method, by_function, by_operator):
        lines: list[str] = []
        with mg.detect_anomaly():
            text = message(call)
        assert text.endswith(f"called at {lines[0]}")


def test_the_line_is_the_users_however_deep_the_call_goes() -> None:
    layer = nn.Linear(2, 2)
    with mg.no_grad():
        layer.weight.fill_(3e38)
    x = mg.full((1, 2), 10.0)
    with mg.detect_anomaly():
        place = next_line()
        text = message(lambda: nn.Sequential(nn.ReLU(), layer)(x))
    assert "the forward pass of linear made Inf" in text
    assert text.endswith(f"called at {place}")


def test_the_line_within_a_users_module() -> None:
    class Model(nn.Module):
        def forward(self, x: mg.Tensor) -> mg.Tensor:
            places.append(next_line())
            return x.log() + 1.0

    places: list[str] = []
    with mg.detect_anomaly():
        text = message(lambda: Model()(leaf(-1.0)))
    assert text.endswith(f"called at {places[0]}")


def test_a_file_beside_the_package_whose_name_begins_alike_is_the_users() -> None:
    package = Path(mg.__file__).parent
    name = f"{package}_demo.py"
    code = compile("import minigrad as mg\nwith mg.detect_anomaly():\n    mg.tensor([-1.0]).log()\n", name, "exec")
    assert message(lambda: exec(code, {})).endswith(f"called at {name}:3")


def test_an_input_that_was_not_finite_before_is_said_so() -> None:
    x = mg.tensor([1.0, NAN])
    y = mg.tensor([INF, 1.0])
    with mg.detect_anomaly():
        assert "add made NaN (shape (2,); its input a already held one)" in message(lambda: x + 1.0)
        assert "mul made Inf (shape (2,); its input b already held one)" in message(lambda: mg.ones(2) * y)
        assert "cat made NaN (shape (4,); its input tensors[1] already held one)" in message(lambda: mg.cat([mg.ones(2), x]))


def test_an_infinity_that_an_operation_takes_away_is_no_anomaly() -> None:
    with mg.detect_anomaly():
        assert [0.0, 1.0] == mg.tensor([-INF, INF]).sigmoid().tolist()
        assert [True] == mg.tensor([NAN]).isnan().tolist()
        assert [1.0, 2.0] == mg.where(mg.tensor([True, False]), mg.ones(2), mg.tensor([NAN, 2.0])).tolist()


def test_integers_and_bools_are_not_checked() -> None:
    with mg.detect_anomaly():
        assert [2, 3] == (mg.tensor([1, 2]) + 1).tolist()
        assert [False] == (mg.tensor([1.0]) > INF).tolist()


def test_in_place_writes_are_checked() -> None:
    x = mg.tensor([1.0, 2.0])
    with mg.detect_anomaly():
        assert "div made Inf" in message(lambda: x.div_(0.0))


def test_nothing_is_recorded_and_everything_checked_under_no_grad() -> None:
    x = leaf(-1.0)
    with mg.detect_anomaly(), mg.no_grad():
        assert "log made NaN" in message(x.log)


# ---- backward


def test_the_backward_pass_names_operation_input_and_line() -> None:
    x = leaf(0.0, 4.0)
    with mg.detect_anomaly():
        place = next_line()
        y = x.sqrt()
        z = y.sum()
        text = message(z.backward)
    expected = f"the backward pass of sqrt made Inf in the gradient of x; the operation was called at {place}"
    assert text.endswith(expected)
    assert x.grad is None


def test_a_nan_in_the_backward_pass() -> None:
    x = leaf(0.0, 4.0)
    with mg.detect_anomaly():
        y = (x.sqrt() * mg.tensor([0.0, 1.0], dtype=np.float64)).sum()  # 0 · ∞
        assert "the backward pass of sqrt made NaN in the gradient of x" in message(y.backward)


def test_the_gradient_of_the_second_input_is_named() -> None:
    x, p = leaf(-2.0, 3.0), leaf(2.0, 1.0)
    with mg.detect_anomaly():
        place = next_line()
        y = x**p
        text = message(y.sum().backward)  # dL/dp = xᵖ log x
    expected = f"the backward pass of pow_tensor made NaN in the gradient of exponent; the operation was called at {place}"
    assert text.endswith(expected)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([2.0], id="equal"),
        pytest.param([-2.0], id="other"),
        pytest.param([1.0, 2.0], id="other shape"),
    ],
)
def test_the_input_is_told_by_identity_not_by_value(value: list[float], spied: Callable[[Any], mg.Op[Any]]) -> None:
    @spied
    def first_of_two(a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
        return a * 1

    first_of_two.backward("a")(lambda g: g)
    first_of_two.backward("b")(lambda g, b: b * NAN)
    with mg.detect_anomaly():
        y = first_of_two(leaf(2.0), leaf(*value)).sum()
        assert "the backward pass of first_of_two made NaN in the gradient of b;" in message(y.backward)


def test_one_tensor_given_twice_is_named_by_its_place(spied: Callable[[Any], mg.Op[Any]]) -> None:
    @spied
    def first_of_two(a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
        return a * 1

    first_of_two.backward("a")(lambda g: g)
    first_of_two.backward("b")(lambda g, b: b * NAN)
    x = leaf(2.0)
    with mg.detect_anomaly():
        assert "made NaN in the gradient of b;" in message(first_of_two(x, x).sum().backward)


def test_the_inputs_of_a_sequence_are_named_by_position(spied: Callable[[Any], mg.Op[Any]]) -> None:
    @spied
    def first_of_all(tensors: Sequence[mg.Tensor]) -> mg.Tensor:
        return tensors[0] * 1

    first_of_all.backward("tensors")(lambda g, position: g * (NAN if position == 1 else 1))
    with mg.detect_anomaly():
        y = first_of_all([leaf(1.0), leaf(2.0), leaf(3.0)]).sum()
        assert "made NaN in the gradient of tensors[1];" in message(y.backward)


def test_grad_is_checked_too() -> None:
    x = leaf(0.0)
    with mg.detect_anomaly():
        y = x.sqrt().sum()
        assert "the backward pass of sqrt made Inf" in message(lambda: mg.grad(y, x))


def test_a_step_recorded_outside_has_no_line() -> None:
    x = leaf(0.0)
    y = x.sqrt().sum()
    with mg.detect_anomaly():
        assert message(y.backward).endswith("the operation was called at a line outside detect_anomaly()")


def test_a_backward_pass_outside_is_not_checked() -> None:
    x = leaf(0.0)
    with mg.detect_anomaly():
        y = x.sqrt().sum()
    y.backward()
    assert [INF] == x.grad.tolist()


def test_a_pass_of_second_order_names_a_line_of_the_user() -> None:
    x = leaf(0.0, 1.0)
    with mg.detect_anomaly():
        y = (x**1.5).sum()
        place = next_line()
        (g,) = mg.grad(y, x, create_graph=True)
        text = message(lambda: mg.grad(g.sum(), x))  # ¾ / √x
    assert "the backward pass of pow_scalar made Inf in the gradient of x" in text
    assert text.endswith(f"the operation was called at {place}")


def test_the_forward_half_of_a_pass_with_create_graph_names_a_line_of_the_user() -> None:
    x = leaf(0.0, 1.0)
    with mg.detect_anomaly():
        y = x.sqrt().sum()
        place = next_line()
        text = message(lambda: mg.grad(y, x, create_graph=True))
    assert re.search(r"anomaly: the (forward|backward) pass of \w+ made Inf", text)
    assert text.endswith(f"at {place}")


# ---- where it is on


def test_outside_nothing_is_checked() -> None:
    assert np.isnan(mg.tensor([-1.0]).log().item())
    with mg.detect_anomaly():
        pass
    assert np.isnan(mg.tensor([-1.0]).log().item())
    x = leaf(0.0)
    x.sqrt().sum().backward()
    assert [INF] == x.grad.tolist()


def test_it_ends_with_its_error() -> None:
    with pytest.raises(AnomalyError), mg.detect_anomaly():
        mg.tensor([-1.0]).log()
    assert np.isnan(mg.tensor([-1.0]).log().item())
    assert mg.is_grad_enabled()


def test_it_nests() -> None:
    with mg.detect_anomaly():
        with mg.detect_anomaly():
            assert "log" in message(mg.tensor([-1.0]).log)
        assert "log" in message(mg.tensor([-1.0]).log)
    assert np.isnan(mg.tensor([-1.0]).log().item())


def test_it_leaves_the_grad_mode_alone() -> None:
    with mg.no_grad(), mg.detect_anomaly():
        assert not mg.is_grad_enabled()
    with mg.detect_anomaly():
        assert mg.is_grad_enabled()
        with mg.no_grad():
            assert "log" in message(mg.tensor([-1.0]).log)


def test_it_decorates() -> None:
    @mg.detect_anomaly()
    def step(x: mg.Tensor) -> mg.Tensor:
        return x.log()

    assert "the forward pass of log made NaN" in message(lambda: step(mg.tensor([-1.0])))
    assert [0.0] == step(mg.tensor([1.0])).tolist()
    assert np.isnan(mg.tensor([-1.0]).log().item())


def test_it_belongs_to_its_thread() -> None:
    found: list[Any] = []
    with mg.detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(mg.tensor([-1.0]).log().item()))
        thread.start()
        thread.join()
    assert np.isnan(found).tolist() == [True]


def test_results_are_the_same_within_it() -> None:
    def step() -> tuple[float, list[float]]:
        x = leaf(0.5, -1.5)
        y = (x.tanh() * x.sigmoid()).sum()
        y.backward()
        return y.item(), x.grad.tolist()

    outside = step()
    with mg.detect_anomaly():
        assert outside == step()

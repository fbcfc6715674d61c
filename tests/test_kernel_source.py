"""The text of a compiled loop, as an operation shows it, is the text that is compiled."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

import minigrad as mg
from minigrad.core import Elementwise
from minigrad.core.op import Op
from minigrad.errors import ArgumentError
from minigrad.kernels import lift
from minigrad.kernels.cache import kernels_enabled

pytestmark = pytest.mark.skipif(not kernels_enabled(), reason="compiles nothing")

LIBRARY = [o for o in Op.instances if isinstance(o, Elementwise) and o.formula.__module__.startswith("minigrad.ops.")]
NAMED = {operation.name: operation for operation in LIBRARY}


def compiled_texts(operation: Op[Any], run: Callable[[], Any]) -> list[str]:
    """The texts that go to the compiler when an operation runs for the first time."""
    operation.plans.clear()
    with patch.object(lift, "compiled", wraps=lift.compiled) as compiler:
        run()
    return [call.args[0] for call in compiler.call_args_list]


def vector(*values: float) -> mg.Tensor:
    return mg.tensor(values, dtype=mg.float32, requires_grad=True)


@pytest.mark.parametrize(
    ("operation", "inputs", "settings"),
    [
        (mg.sigmoid, {"x": vector(1, 2)}, {}),
        (mg.mul, {"a": vector(1, 2), "b": vector(3, 4)}, {}),
        (mg.leaky_relu, {"x": vector(1, 2)}, {"negative_slope": 0.5}),
        (mg.softplus, {"x": vector(1, 2)}, {"threshold": 30}),
        (mg.mse_loss, {"input": vector(1, 2), "target": vector(3, 4)}, {}),
        (mg.mse_loss, {"input": vector(1, 2), "target": vector(3, 4)}, {"reduction": "none"}),
        (mg.huber_loss, {"input": vector(1, 2), "target": vector(3, 4)}, {"delta": 2}),
        (mg.where, {"condition": mg.tensor([True, False]), "input": vector(1, 2), "other": vector(3, 4)}, {}),
        (NAMED["pow_scalar"], {"x": vector(1, 2)}, {"exponent": 2}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_source_of_a_kernel_is_what_goes_to_the_compiler(operation, inputs, settings):
    def forward_and_backward() -> None:
        y = operation(*inputs.values(), **settings)
        mg.grad(y, [x for x in inputs.values() if x.requires_grad], mg.ones_like(y))

    tracked = [name for name, x in inputs.items() if x.requires_grad]
    shown = [operation.kernel_source(name, **settings) for name in (None, *tracked)]
    assert shown == [text.rstrip() for text in compiled_texts(operation, forward_and_backward)]


def test_of_a_function_with_a_faster_form_for_small_arguments_both_texts_are_shown():
    near, far = compiled_texts(mg.cos, lambda: mg.cos(mg.tensor([1e9])))
    assert near != far
    assert f"{near}\n{far}".rstrip() == mg.cos.kernel_source()


@pytest.mark.parametrize("operation", [o for o in LIBRARY if o.name != "pow_tensor"], ids=lambda operation: operation.name)
def test_every_map_over_elements_shows_its_loops(operation):
    settings = {name: 1.0 for name in operation.attributes if operation.default(name) is inspect.Parameter.empty}
    assert f"def kernel_{operation.name}(" in operation.kernel_source(**settings)
    for name, rule in operation.rules.items():
        if not rule.text.is_identity:
            assert f"def kernel_{operation.name}_backward(" in operation.kernel_source(name, **settings)


def test_source_of_a_kernel_is_in_the_default_dtype():
    assert "T = np.float32" in mg.exp.kernel_source()
    mg.set_default_dtype(mg.float64)
    try:
        assert "T = np.float64" in mg.exp.kernel_source()
    finally:
        mg.set_default_dtype(mg.float32)


def test_source_of_an_operation_of_ones_own():
    @mg.elementwise
    def cube(x):
        return x * x * x

    @cube.backward("x")
    def _(g, x):
        return 3 * g * x * x

    assert cube.kernel_source().endswith("    for i in range(out.size):\n        out[i] = x_x[i] * x_x[i] * x_x[i]")
    assert cube.kernel_source("x").endswith("        out[i] = T(3) * x_g[i] * x_x[i] * x_x[i]")


def test_rule_of_a_loss_may_name_the_gradient_last():
    @mg.elementwise
    def squares(x, reduction="mean"):
        return x * x

    @squares.backward("x")
    def _(x, g):
        return 2 * x * g

    x = vector(1, 2, 3, 6)
    squares(x).backward()
    assert [0.5, 1.0, 1.5, 3.0] == x.grad.tolist()


@mg.elementwise
def without_rule(x):
    return x * 2


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: mg.mul.kernel_source("x"), "mul.kernel_source: no backward rule for 'x'; there are rules for a, b"),
        (lambda: mg.leaky_relu.kernel_source("negative_slope"), "no backward rule for 'negative_slope'; there are rules for x"),
        (
            lambda: without_rule.kernel_source("x"),
            "without_rule.kernel_source: no backward rule for 'x'; there are rules for nothing",
        ),
        (lambda: mg.matmul.kernel_source(), "matmul.kernel_source: is no map over elements"),
        (lambda: mg.softmax.kernel_source("x"), "softmax.kernel_source: is no map over elements"),
        (lambda: mg.add.kernel_source("a"), "add.kernel_source: no loop is made, the gradient goes through as it is"),
        (lambda: NAMED["pow_scalar"].kernel_source(), "pow_scalar.kernel_source: setting 'exponent' is missing"),
        (lambda: NAMED["pow_scalar"].kernel_source(exponent=2.5), "no loop is made, NumPy computes powers that are no products"),
        (lambda: NAMED["pow_tensor"].kernel_source("x"), "no loop is made, NumPy computes powers that are no products"),
        (
            lambda: mg.sigmoid.kernel_source("x", slope=1),
            "sigmoid.kernel_source: setting 'slope' is unknown; the settings are none",
        ),
        (lambda: mg.mse_loss.kernel_source(reduction="max"), "mse_loss: reduction must be one of 'none', 'mean', 'sum', got 'max'"),
    ],
)
def test_what_has_no_loop_is_refused(ask, message):
    with pytest.raises(ArgumentError, match=message):
        ask()


def test_where_nothing_is_compiled_no_loop_is_shown():
    code = "import minigrad as mg; mg.sigmoid.kernel_source('x')"
    environment = os.environ | {"MINIGRAD_KERNELS": "numpy"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "sigmoid.kernel_source: no loop is made, MINIGRAD_KERNELS=numpy says so" in run.stderr

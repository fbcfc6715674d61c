"""The backward pass, traced step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import CASES
from graphs import leaf
from op_cases import OpCase

import minigrad as mg
from minigrad import nn
from minigrad.autograd import Function, checkpoint
from minigrad.core.mode import WATCH, get_mode
from minigrad.errors import GraphError, InputTypeError, ShapeError
from minigrad.inspect.tracing.backward_steps import BackwardTrace, HandedOn, trace_backward
from minigrad.nn import functional as F


def numbers(part: HandedOn) -> tuple[Any, Any]:
    """The local derivative and what goes out, as lists or numbers."""
    assert part.local is not None
    return plain(part.local), plain(part.outgoing)


def plain(snapshot: Any) -> Any:
    assert snapshot.values is not None
    return snapshot.values.tolist()


def all_parts(seen: BackwardTrace) -> list[HandedOn]:
    return [part for step in seen.steps for part in step.handed_on]


# ---- a worked exercise


def test_an_exercise_worked_by_hand() -> None:
    a, b, c, f = leaf(2.0), leaf(-3.0), leaf(10.0), leaf(-2.0)
    e = a * b
    d = e + c
    L = d * f
    seen = trace_backward(L)
    assert ["L", "d", "e"] == [step.output for step in seen.steps]
    assert ["mul(a=d, b=f)", "add(a=e, b=c)", "mul(a=a, b=b)"] == [step.call for step in seen.steps]
    assert [1.0, -2.0, -2.0] == [plain(step.incoming) for step in seen.steps]
    expected = [
        ("d", "g * b", -2, -2),
        ("f", "g * a", 4, 4),
        ("e", "g", 1, -2),
        ("c", "g", 1, -2),
        ("a", "g * b", -3, 6),
        ("b", "g * a", 2, -4),
    ]
    assert expected == [(part.to, part.rule, *numbers(part)) for part in all_parts(seen)]
    assert {"a": 6.0, "b": -4.0, "c": -2.0, "f": 4.0} == {name: plain(g) for name, g in seen.gradients.items()}


def test_the_exercise_in_print() -> None:
    a, b, c = leaf(2.0), leaf(-3.0), leaf(10.0)
    L = (a * b + c) * a
    expected = """\
  1  L = mul(a=add_1, b=a)   with a = 4, b = 2
     dL/dL = 1
       → add_1   g * b   2 × 1 = 2
       → a       g * a   4 × 1 = 4
  2  add_1 = add(a=mul_1, b=c)
     dL/dadd_1 = 2
       → mul_1   g   1 × 2 = 2
       → c       g   1 × 2 = 2
  3  mul_1 = mul(a=a, b=b)   with a = 2, b = -3
     dL/dmul_1 = 2
       → a   g * b   -3 × 2 = -6   added there: 4 + -6 = -2
       → b   g * a   2 × 2 = 4

Gradients of the leaves"""
    assert expected in str(trace_backward(L))


def test_sums_at_a_tensor_that_is_used_twice() -> None:
    x = leaf(3.0)
    y = x * x + x * 0.25
    seen = trace_backward(y)
    parts = [part for part in all_parts(seen) if part.to == "x"]
    sums = [(part.waiting and plain(part.waiting), plain(part.outgoing), part.total and plain(part.total)) for part in parts]
    assert [(None, 0.25, None), (0.25, 3.0, 3.25), (3.25, 3.0, 6.25)] == sums
    assert 6.25 == plain(seen.gradients["x"])


def test_vectors_and_broadcast_sums() -> None:
    x, b = leaf(0.0, 1.0, -1.0), leaf(0.5)
    seen = trace_backward((x + b).sigmoid(), gradient=np.array([1.0, 2.0, 3.0]))
    sigmoid, add = seen.steps
    y = 1 / (1 + np.exp(-np.array([0.5, 1.5, -0.5])))
    assert "g * (y * (1 - y))" == sigmoid.handed_on[0].rule
    np.testing.assert_allclose(plain(sigmoid.handed_on[0].local), y * (1 - y))
    np.testing.assert_allclose(plain(sigmoid.handed_on[0].outgoing), y * (1 - y) * [1, 2, 3])
    np.testing.assert_allclose(plain(sigmoid.kept["y"]), y)
    to_b = add.handed_on[1]
    assert [1.0, 1.0, 1.0] == plain(to_b.local)
    np.testing.assert_allclose(plain(to_b.outgoing), (y * (1 - y) * [1, 2, 3]).sum())
    assert "summed to ()" in str(seen)


def test_a_mean_loss_has_its_share_in_the_local_derivative() -> None:
    p, t = leaf(1.0, 4.0), mg.tensor([0.0, 0.0], dtype=np.float64)
    (step,) = trace_backward(F.mse_loss(p, t)).steps
    assert ([1.0, 4.0], [1.0, 4.0]) == numbers(step.handed_on[0])
    assert "target=t" in step.call


def test_local_times_incoming_is_outgoing() -> None:
    x = leaf(0.3, -0.7, 1.2)
    h = x
    for function in (mg.tanh, mg.exp, F.gelu, F.softplus, mg.sin, F.leaky_relu, mg.square):
        h = function(h)
    seen = trace_backward(h.sum())
    for step in seen.steps[1:]:
        for part in step.handed_on:
            np.testing.assert_allclose(np.multiply(plain(part.local), plain(step.incoming)), plain(part.outgoing), rtol=1e-12)
    assert 8 == len(seen.steps)


# ---- names


def test_names_come_from_the_call_the_model_and_the_variables() -> None:
    model = nn.Linear(2, 1)
    weights = [leaf(1.0)]
    table = {"bias": leaf(2.0)}
    hidden = model(mg.ones(1, 2)).sum()
    loss = hidden * weights[0].to(np.float32) + table["bias"].to(np.float32)
    assert {"weight", "bias", "weights[0]", "table['bias']"} == trace_backward(loss, model=model).gradients.keys()
    assert {"model.weight", "model.bias", "weights[0]", "table['bias']"} == trace_backward(loss).gradients.keys()
    named = trace_backward(loss, names={"W": model.weight, "total": loss})
    assert "W" in named.gradients
    assert "total" == named.root
    assert "hidden" in {step.output for step in named.steps}


def test_what_has_no_name_is_called_by_operation_and_number() -> None:
    seen = trace_backward((leaf(1.0) * 2.0).exp() * 0.99999)
    assert ["mul_2", "exp_1", "mul_1"] == [step.output for step in seen.steps]
    assert "mul(a=exp_1, b=0.99999)" == seen.steps[0].call
    assert ["leaf_1"] == list(seen.gradients)


def test_a_constant_is_known_by_its_array_or_its_shape() -> None:
    w, x = leaf(1.0, 2.0), mg.tensor([3.0, 4.0], dtype=np.float64)
    assert "mul(a=w, b=x)" == trace_backward((w * x).sum()).steps[1].call
    assert "mul(a=w, b=constant (2,))" == trace_backward((w * mg.ones(2, dtype=np.float64)).sum()).steps[1].call


# ---- rules


def test_rules_in_the_words_of_the_source() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)

    @mg.elementwise
    def cube(x):
        return x * x * x

    @cube.backward("x")
    def _(g, x):
        return g * (3 * x * x)

    @mg.op
    def doubled(x: mg.Tensor) -> mg.Tensor:
        return x * 2

    @doubled.backward("x")
    def _(g):
        two = 2.0  # one for each
        return g * two

    try:
        seen = trace_backward(doubled(cube(x)) @ w)
        rules = {step.operation: step.handed_on[0].rule for step in seen.steps}
        assert "g * (3 * x * x)" == rules["cube"]
        assert "two = 2.0  # one for each\nreturn g * two" == rules["doubled"]
        assert "g * (3 * x * x)   [3, 12] × [6, 8] = [18, 96]" in str(seen)
    finally:
        mg.Op.instances.remove(cube)
        mg.Op.instances.remove(doubled)


def test_a_function_shows_its_own_backward() -> None:
    class Square(Function):
        @staticmethod
        def forward(ctx: Any, x: mg.Tensor) -> mg.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: mg.Tensor) -> mg.Tensor:
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    x = leaf(3.0)
    seen = trace_backward(Square.apply(x))
    assert "(x,) = ctx.saved_tensors\nreturn 2 * x * grad" == seen.steps[0].handed_on[0].rule
    assert 6.0 == plain(seen.gradients["x"])


def test_rules_whose_source_is_gone_say_so() -> None:
    scope: dict[str, Any] = {"mg": mg}
    exec("def f(x: 'Tensor'):\n    return x * 1\n\ndef rule(g):\n    return g", scope)
    operation = mg.op(scope["f"])
    try:
        operation.backward("x")(scope["rule"])
        assert "(its source cannot be read)" == trace_backward(operation(leaf(1.0))).steps[0].handed_on[0].rule
    finally:
        mg.Op.instances.remove(operation)


SAMPLED = [case for n, case in enumerate(CASES) if n % 8 == 0 and case.order > 0] + [
    case
    for case in CASES
    if case.name
    in ("cross_entropy", "layer_norm", "getitem", "cat", "matmul", "softmax", "where", "linear", "max", "batch_norm", "sum")
]


@pytest.mark.parametrize("case", SAMPLED, ids=lambda case: case.name)
def test_operations_of_all_kinds_are_traced(case: OpCase) -> None:
    """The traced pass gives what backward gives, and its steps are those of the graph."""
    sample = case.samples[0]
    arguments = [
        mg.tensor(x, requires_grad=x.dtype.kind == "f" and n not in case.fixed) if isinstance(x, np.ndarray) else x
        for n, x in enumerate(sample.arguments())
    ]
    out = case.function(*arguments, **sample.settings)
    outputs = [y for y in (out if isinstance(out, (tuple, list)) else [out]) if isinstance(y, mg.Tensor) and y.requires_grad]
    if not outputs:
        pytest.skip("no gradient")
    total = sum((y * y).sum() for y in outputs)
    names = {f"x{n}": x for n, x in enumerate(arguments) if isinstance(x, mg.Tensor)}
    seen = trace_backward(total, names=names, limit=10_000)
    assert str(seen)
    total.backward()
    for name, x in names.items():
        if x.grad is not None:
            np.testing.assert_array_equal(x.grad.array, seen.gradients[name].values)


# ---- it changes nothing


def test_tracing_changes_nothing_and_can_be_repeated() -> None:
    x = leaf(1.0, 2.0)
    h = x * 3.0
    h.retain_grad()
    y = (h * h).sum()
    x.grad = mg.tensor([7.0, 7.0], dtype=np.float64)
    first, second = str(trace_backward(y)), str(trace_backward(y))
    assert first == second
    assert [7.0, 7.0] == x.grad.tolist()
    assert h.grad is None
    y.backward()
    assert [25.0, 43.0] == x.grad.tolist()
    assert [6.0, 12.0] == h.grad.tolist()


def test_values_stay_as_they_were() -> None:
    x = leaf(2.0)
    seen = trace_backward(x * x)
    with mg.no_grad():
        x.mul_(100.0)
    assert 2.0 == plain(seen.steps[0].kept["a"])
    assert 4.0 == plain(seen.gradients["x"])


def test_gradients_of_a_model_equal_those_of_backward() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
    loss = F.cross_entropy(model(mg.randn(5, 3)), mg.tensor([0, 1, 0, 1, 1]))
    seen = trace_backward(loss, model=model, limit=100)
    loss.backward()
    assert {name for name, _ in model.named_parameters()} == seen.gradients.keys()
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.grad.array, seen.gradients[name].values)


def test_a_hook_is_run_and_told_of() -> None:
    x = leaf(2.0)
    y = x * 3.0
    y.register_hook(lambda g: g * 10)
    seen = trace_backward(y * 1.0)
    assert [False, True] == [step.hooked for step in seen.steps]
    assert 10.0 == plain(seen.steps[1].incoming)
    assert "a hook saw it" in str(seen)
    assert 30.0 == plain(seen.gradients["x"])


def test_checkpoints_are_computed_again() -> None:
    x = leaf(0.5)
    y = checkpoint(lambda v: v.exp().sin(), x)
    seen = trace_backward(y)
    assert ["sin", "exp"] == [step.operation for step in seen.steps]
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == plain(seen.gradients["x"])


# ---- sizes and shapes of graphs


def test_a_leaf_alone() -> None:
    x = leaf(2.0)
    seen = trace_backward(x)
    assert () == seen.steps
    assert 1.0 == plain(seen.gradients["x"])
    assert "Backward from x, 0 steps" in str(seen)


def test_large_arrays_are_summarized() -> None:
    x = mg.ones(4, 5, requires_grad=True)
    seen = trace_backward((x * 2.0 + x).sum())
    part = seen.steps[2].handed_on[0]
    assert (None, True, None) == (part.local, part.added, part.total)
    assert part.outgoing.values is None
    assert "2 ± 0   added to what waits there" in str(seen)
    assert "3 ± 0" == str(seen.gradients["x"])
    assert json.loads(seen.to_json())["gradients"]["x"]["norm"] == pytest.approx(3 * np.sqrt(20))


def test_deep_graphs_show_their_ends_and_keep_all() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 1.0
    seen = trace_backward(y)
    assert 5000 == len(seen.steps)
    text = str(seen)
    assert "4,976 more steps between" in text
    assert len(text.splitlines()) < 100
    assert "5000  add_1 = add(a=x, b=…)" in text
    assert 5000 == len(seen.to_dict()["steps"])


def test_a_very_deep_graph_does_not_recurse() -> None:
    y = leaf(1.0)
    for _ in range(30_000):
        y = -y
    assert 1.0 == plain(next(iter(trace_backward(y).gradients.values())))


def test_it_is_shown_as_html_and_data() -> None:
    x = leaf(1.0)
    seen = trace_backward(x * x)
    assert "→ x   g * b   1 × 1 = 1" in seen._repr_html_()
    data = json.loads(seen.to_json())
    assert {"shape": [], "values": 1.0} == data["steps"][0]["handed_on"][0]["local"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: trace_backward(3.0), InputTypeError, "loss must be a Tensor, got float"),
        (lambda: trace_backward(mg.ones(1)), GraphError, "does not require grad"),
        (lambda: trace_backward(leaf(1.0, 2.0) * 2), GraphError, r"one element; this one has shape \(2,\)"),
        (lambda: trace_backward(leaf(1.0, 2.0) * 2, gradient=mg.ones(3)), ShapeError, r"gradient has shape \(3,\)"),
        (lambda: trace_backward(leaf(1.0), names={"x": 3}), InputTypeError, r"names\['x'\] must be a Tensor"),
    ],
)
def test_wrong_calls(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_freed_graph_is_refused_with_advice() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(GraphError, match=r"freed by an earlier backward pass \(at mul\); trace before it"):
        trace_backward(y)


def test_watching_ends_with_the_trace() -> None:
    x = leaf(2.0)
    y = x * x
    seen = trace_backward(y)
    count = len(seen.steps)
    y.backward()
    assert count == len(seen.steps)
    z = leaf(1.0).exp()
    z.register_hook(lambda g: (_ for _ in ()).throw(ValueError("mine")))
    with pytest.raises(ValueError, match="mine"):
        trace_backward(z)
    assert not get_mode() & WATCH

"""What is in a graph: nodes, names, values, gradients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cases import CASES
from drawn_graphs import every_format, loss_of, mlp, operations
from graphs import leaf
from op_cases import OpCase, call, cotangent, outputs, tensors

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, GraphError, InputTypeError
from minigrad.inspect.graphs.drawing import Graph, graph


def expression() -> tuple[Graph, Graph]:
    """The worked example of micrograd's lecture, before and after the backward pass."""
    a, b, c, f = leaf(2.0), leaf(-3.0), leaf(10.0), leaf(-2.0)
    e = a * b
    d = e + c
    L = d * f
    before = graph(L)
    L.backward()
    return before, graph(L)


def test_values_and_gradients_of_a_small_expression() -> None:
    before, after = expression()
    by_name = {node.name: node for node in after.nodes}
    expected = {"L": (-8, 1), "d": (4, -2), "f": (-2, 4), "e": (-6, -2), "c": (10, -2), "a": (2, 6), "b": (-3, -4)}
    assert expected == {name: (float(node.value), float(node.gradient)) for name, node in by_name.items()}
    assert [None] * 7 == [node.gradient for node in before.nodes]
    assert {name: value for name, (value, _) in expected.items()} == {node.name: float(node.value) for node in before.nodes}


def test_the_tree_of_a_small_expression() -> None:
    _, after = expression()
    expected = """\
3 operations, 4 leaves. An operation stands above what it takes.

L = mul float64   value -8   gradient 1
├─ d = add float64   value 4   gradient -2
│  ├─ e = mul float64   value -6   gradient -2
│  │  ├─ a float64   value 2   gradient 6
│  │  └─ b float64   value -3   gradient -4
│  └─ c float64   value 10   gradient -2
└─ f float64   value -2   gradient 4"""
    assert expected == str(after) == after.to_text()


def shown_values(tensor: mg.Tensor) -> list[Any]:
    return [None if node.value is None else node.value.tolist() for node in graph(tensor, names={}).nodes]


def test_what_nobody_kept_is_computed_again() -> None:
    x, b = leaf(0.5, -1.0), leaf(1.0)
    tanh = np.tanh([3.5, -1.0]).tolist()
    assert [sum(tanh), tanh, [3.5, -1.0], [3.0, 0.0], [1.5, 0.0], [0.5, -1.0], 1.0] == shown_values(
        (((x + b) * 2.0) + x).tanh().sum()
    )


def test_values_behind_numbers_are_known() -> None:
    x = leaf(0.5)
    assert [np.tanh(4.5), 4.5, 1.5, 0.5] == shown_values(((x + 1.0) * 3.0).tanh())
    assert [2.0, 2.0, -0.5, 0.5] == shown_values((x - 1).clamp(min=2.0) + 0)


def neuron() -> tuple[mg.Tensor, ...]:
    """The README's first example: weights, data, output and loss."""
    w, x = leaf(1.0, -2.0, 0.5), mg.tensor([3.0, 1.0, 2.0], dtype=np.float64)
    y = mg.sigmoid((w * x).sum())
    return w, x, y, (y - 1) ** 2


def test_every_value_and_gradient_of_a_neuron() -> None:
    _w, x, _y, loss = neuron()
    s = float(1 / (1 + np.exp(-2.0)))
    slope = 2 * (s - 1) * s * (1 - s)
    values = [(s - 1) ** 2, s - 1, s, 2.0, [3.0, -2.0, 1.0], [1.0, -2.0, 0.5]]
    before = graph(loss)
    for value, node in zip(values, before.nodes, strict=True):
        assert value == pytest.approx(node.value.tolist(), rel=1e-12)
    assert "x (3,) float64 = [3, 1, 2], no gradient" in before.to_text()
    loss.backward(retain_graph=True)
    gradients = [1.0, 2 * (s - 1), 2 * (s - 1), slope, [slope] * 3, (slope * x.numpy()).tolist()]
    for value, gradient, node in zip(values, gradients, graph(loss).nodes, strict=True):
        assert value == pytest.approx(node.value.tolist(), rel=1e-12)
        assert gradient == pytest.approx(node.gradient.tolist(), rel=1e-12)
    assert "let go" not in graph(loss).to_text()


def test_a_freed_graph_says_why_values_are_missing_and_shows_the_rest() -> None:
    *_, y, loss = neuron()
    loss.backward()
    found = graph(loss)
    assert [False, False, False, True, True, False] == [node.value is None for node in found.nodes]
    assert y.item() - 1 == found.nodes[1].value
    said = "the backward pass has let go of what was saved. Call graph before it, or backward(retain_graph=True)"
    assert said in str(found)
    assert said in " ".join(text.text or "" for text in ElementTree.fromstring(found.to_svg()).iter())


def test_what_is_kept_only_to_be_looked_at_is_not_freed() -> None:
    x = leaf(2.0)
    y = x + 1.0
    y.backward()
    y.backward()
    assert 2.0 == x.grad.item()
    assert [3.0, 2.0] == shown_values(y)


def test_a_write_is_told_of_arrays_not_of_numbers() -> None:
    x = leaf(2.0)
    y = 3.0 / x
    with mg.no_grad():
        x.mul_(2.0)
    with pytest.raises(GraphError, match="div needs b or its output as it was"):
        y.backward()


def test_gradients_of_operations_equal_those_that_backward_finds() -> None:
    x, w = leaf(0.5, -1.0, 2.0), leaf(0.3, 0.2, -0.4)
    h = x * w
    y = h.sigmoid()
    loss = (y * h + y).exp().sum()
    loss.backward(retain_graph=True)
    found = {node.name: node.gradient for node in graph(loss).nodes}
    for name, tensor in {"h": h, "y": y, "loss": loss}.items():
        assert np.array_equal(mg.grad(loss, tensor, retain_graph=True)[0].numpy(), found[name])
    assert np.array_equal(x.grad.numpy(), found["x"])


def test_a_graph_is_only_looked_at() -> None:
    x = leaf(2.0)
    y = (x * x).exp()
    y.backward(retain_graph=True)
    graph(y)
    assert 4 * np.exp(4.0) == pytest.approx(x.grad.item(), rel=1e-15)
    x.grad = None
    y.backward()
    assert 4 * np.exp(4.0) == pytest.approx(x.grad.item(), rel=1e-15)


def test_stale_values_are_not_shown() -> None:
    p = leaf(1.0, 2.0)
    loss = (p * p * 4.0).sum()
    loss.backward(retain_graph=True)
    mg.optim.SGD([p], lr=0.1).step()
    nodes = graph(loss).nodes
    assert [20.0, None, None] == [None if node.value is None else float(node.value) for node in nodes[:3]]
    assert p.tolist() == nodes[3].value.tolist()
    assert [4.0, 4.0] == nodes[2].gradient.tolist()


def test_nothing_is_computed_from_what_was_written_since() -> None:
    p, q = leaf(1.0, 2.0), leaf(3.0, 4.0)
    added, product = (p + q).sum(), (p.exp() * p).sum()
    (added + product).backward(retain_graph=True)
    p.data = leaf(5.0, 5.0)
    assert [10.0, None] == [None if node.value is None else node.value.tolist() for node in graph(added).nodes[:2]]
    assert [[1.0, 1.0], None] == [None if node.gradient is None else node.gradient.tolist() for node in graph(product).nodes[1:3]]


def test_a_hook_keeps_gradients_from_being_computed_again() -> None:
    x = leaf(2.0)
    h = x * 3.0
    h.register_hook(lambda g: g * 10)
    loss = h * h
    loss.backward(retain_graph=True)
    assert [None, None, 360.0] == [None if node.gradient is None else float(node.gradient) for node in graph(loss).nodes]


def test_retained_gradients_of_variables_are_shown() -> None:
    x = leaf(2.0)
    h = x * 3.0
    h.retain_grad()
    loss = h * h
    loss.backward()
    assert {"loss": None, "h": 12.0, "x": 36.0} == {
        node.name: None if node.gradient is None else float(node.gradient) for node in graph(loss).nodes
    }


def test_large_tensors_are_shown_by_shape() -> None:
    x = mg.ones(7, requires_grad=True)
    loss = (x * 2.0).sum()
    loss.backward()
    node = graph(loss).nodes[-1]
    assert (None, None, (7,)) == (node.value, node.gradient, node.shape)
    assert np.sqrt(28) == pytest.approx(node.norm)
    assert "norm of the gradient 5.2915" in graph(loss).to_svg()


def test_a_shared_tensor_is_one_node() -> None:
    w = mg.randn(3, 3, requires_grad=True)
    h = (mg.randn(2, 3) @ w).tanh()
    out = ((h @ w).tanh() * h).mean()
    found = graph(out)
    assert (6, 1) == (found.operations, found.leaves)
    assert 1 == found.to_text().count("h = tanh (2, 3)")
    assert 1 == found.to_text().count("] w (3, 3)")
    assert 2 == found.to_text().count(", above")


def test_the_nodes_of_a_classifier() -> None:
    model = mlp(0)
    loss = loss_of(model)
    found = graph(loss)
    assert ["cross_entropy", "linear", "relu", "linear"] == operations(found)
    assert ["model.2.weight", "model.2.bias", "model.0.weight", "model.0.bias"] == [node.name for node in found.nodes[4:]]
    assert [(), (6, 3), (6, 8), (6, 8), (3, 8), (3,), (8, 4), (8,)] == [node.shape for node in found.nodes]
    assert all(node.parameter for node in found.nodes[4:])
    assert 7 == len(found.to_dict()["edges"])


def test_a_freed_graph_has_the_same_nodes() -> None:
    loss = loss_of(mlp(2))
    before = graph(loss).to_dict()
    loss.backward()
    after = graph(loss).to_dict()
    assert before["edges"] == after["edges"]
    assert [node["operation"] for node in before["nodes"]] == [node["operation"] for node in after["nodes"]]


def test_names() -> None:
    model = mlp(0)
    loss = loss_of(model)
    assert "0.weight" in {node.name for node in graph(loss, model=model).nodes}
    assert "first" in {node.name for node in graph(loss, model=model, names={"first": model[0].weight}).nodes}
    assert "cost" == graph(loss, names={"cost": loss}).nodes[0].name
    assert {""} == {node.name for node in graph(loss_of(mlp(0))).nodes}
    assert "bias: parameter (8,)" in graph(loss_of(mlp(0))).to_text()
    assert "tensor" == graph(leaf(1.0)).nodes[0].title


def test_what_carries_no_gradient_is_told_by_name_shape_or_value() -> None:
    x, t = mg.randn(6, 4), mg.randint(0, 3, (6,))
    w = mg.randn(3, 4, requires_grad=True)
    text = graph(nn.functional.cross_entropy(nn.functional.linear(x, w) * 0.5, t)).to_text()
    assert "x: x (6, 4), no gradient" in text
    assert f"target: t (6,) int64 = {t.tolist()}, no gradient" in text
    assert "└─ 0.5" in text
    assert "└─ 2" in graph(w + 2.0).to_text()
    loss = (w * 2.0).sum()
    loss.backward()
    assert "└─ a number" in graph(loss).to_text()


def test_settings_and_indices_are_told() -> None:
    x = mg.randn(4, 6, requires_grad=True)
    text = graph(x[1:3, ..., ::2].softmax(dim=1).sum()).to_text()
    assert "getitem (2, 3)   index=[1:3, ..., ::2]" in text
    assert "softmax (2, 3)   dim=1" in text


def test_several_results() -> None:
    x = leaf(2.0)
    found = graph([x * x, x.exp(), x])
    assert [2, 1, 3] == found.to_dict()["results"]
    assert (2, 1) == (found.operations, found.leaves)
    assert "2 times: [3] x" in found.to_text()


def test_a_leaf_is_a_graph_of_one_node() -> None:
    x = leaf(2.0)
    found = graph(x)
    assert "0 operations, 1 leaf. An operation stands above what it takes.\n\nx float64   value 2" == str(found)
    assert ([], 1) == (found.to_dict()["edges"], len(found.to_dict()["nodes"]))
    assert found.to_svg().count("<rect x=") == 1


def test_numbers_that_are_not_finite() -> None:
    x = leaf(float("nan"), float("inf"))
    loss = x.sum()
    loss.backward()
    found = graph(loss)
    assert "value [nan, inf]" in found.to_text()
    assert [None, None] == json.loads(found.to_json())["nodes"][1]["value"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: graph(mg.randn(2, 3)), GraphError, r"graph: the tensor \(shape \(2, 3\)\) has no graph"),
        (lambda: graph(3), InputTypeError, "graph: loss must be a Tensor or a list of Tensors, got int"),
        (lambda: graph([leaf(1.0), np.ones(3)]), InputTypeError, "list of Tensors, got ndarray"),
        (lambda: graph([]), ArgumentError, "graph: loss must be a Tensor or a list of Tensors, got an empty list"),
        (lambda: graph(leaf(1.0), model=len), InputTypeError, "graph: model must be a Module, got builtin_function"),
        (lambda: graph(leaf(1.0), names=[1]), InputTypeError, "graph: names must be a mapping of names to Tensors, got list"),
        (lambda: graph(leaf(1.0), names={"x": 1}), InputTypeError, r"graph: names\['x'\] must be a Tensor, got int"),
    ],
)
def test_errors(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


SAMPLED = [case for case in CASES if case.samples][::5]


@pytest.mark.parametrize("case", SAMPLED, ids=lambda case: case.name)
def test_any_operation_can_be_shown_before_and_after_backward(case: OpCase) -> None:
    inputs = tensors(case.samples[0].arguments(), case.fixed)
    results = [y for y in outputs(call(case, case.samples[0])(*inputs)) if y.requires_grad]
    for y in results:
        before = graph(y)
        every_format(before)
        y.backward(mg.tensor(cotangent(y)), retain_graph=True)
        assert before.to_dict()["edges"] == graph(y).to_dict()["edges"]

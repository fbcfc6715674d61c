"""The graph as a tree, as Mermaid, DOT and SVG: what is in it, what is folded, that it is well formed and well laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cases import CASES
from graphs import leaf
from op_cases import OpCase, call, cotangent, outputs, tensors

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, GraphError, InputTypeError
from minigrad.inspect.graphs.drawing import Graph, graph
from minigrad.inspect.graphs.layout import GAP, Layout, layered
from minigrad.inspect.graphs.svg import LIMIT


def expression() -> tuple[Graph, Graph]:
    """The worked example of micrograd's lecture, before and after the backward pass."""
    a, b, c, f = leaf(2.0), leaf(-3.0), leaf(10.0), leaf(-2.0)
    e = a * b
    d = e + c
    L = d * f
    before = graph(L)
    L.backward()
    return before, graph(L)


def mlp(blocks: int, width: int = 8) -> nn.Sequential:
    hidden = [layer for _ in range(blocks) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), *hidden, nn.Linear(width, 3))


def loss_of(model: nn.Module) -> mg.Tensor:
    x, t = mg.randn(6, 4), mg.randint(0, 3, (6,))
    return nn.functional.cross_entropy(model(x), t)


def operations(graph: Graph) -> list[str]:
    """The operations shown, youngest first, with how often."""
    return [
        f"{box.node.operation}{'' if len(box.members) == 1 else f' {len(box.members)}'}"
        for box in graph.boxes
        if box.node.operation
    ]


# ---- nodes


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


def test_values_that_come_of_an_unknown_number_are_not_made_up() -> None:
    x = leaf(0.5)
    assert [np.tanh(4.5), None, None, 0.5] == shown_values(((x + 1.0) * 3.0).tanh())
    y = x + 1.0
    assert [np.tanh(4.5), 4.5, 1.5, 0.5] == [float(node.value) for node in graph((y * 3.0).tanh()).nodes]


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
    assert "target: t (6,) int64, no gradient" in text
    assert "└─ 0.5" in text
    assert "a number" in graph(w + 2.0).to_text()  # the rule of a sum needs no operand, so none is kept


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


# ---- folding


def test_equal_layers_are_folded() -> None:
    model = mlp(20)
    loss = loss_of(model)
    found = graph(loss, model=model)
    assert ["cross_entropy", "linear", "relu 20", "linear 20", "relu", "linear"] == operations(found)
    assert "2…40.weight × 20 (8, 8)" in found.to_text()
    assert "× 20: 2 operations, repeated 20 times in a row" in found.to_text()
    assert 44 == len(graph(loss, fold=False).boxes) - found.leaves == found.operations


def test_the_first_of_equal_layers_may_begin_with_data() -> None:
    model = nn.Sequential(*[layer for _ in range(5) for layer in (nn.Linear(4, 4), nn.Tanh())])
    assert ["sum", "tanh 5", "linear 5"] == operations(graph(model(mg.randn(2, 4)).sum()))


def test_a_loop_is_folded_however_long() -> None:
    a, b, x = leaf(0.9), leaf(0.1), leaf(1.0)
    for _ in range(10_000):
        x = x * a + b
    found = graph(x)
    assert ["add 10000", "mul 10000"] == operations(found)
    assert (20_000, 3) == (found.operations, found.leaves)
    assert [10_000] == [block["times"] for block in found.to_dict()["blocks"]]
    assert 5 == found.to_mermaid().count("add × 10,000") + found.to_mermaid().count("-->")


def test_a_recurrence_with_several_outputs_is_folded() -> None:
    w, h, total, states = mg.randn(4, 4, requires_grad=True), mg.zeros(2, 4), mg.zeros(()), []
    for _ in range(12):
        h = ((h + mg.randn(2, 4)) @ w).tanh()
        total = total + (h * h).mean()
        states.append(h)
    found = graph(total + mg.cat(states).sum())
    assert {"matmul 11", "tanh 11", "mul 11", "mean 11"} <= set(operations(found))
    assert "11 times: " in found.to_text()


def residual(count: int) -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return x + self.down(self.up(self.norm(x)).relu())

    return nn.Sequential(nn.Linear(4, 4), *[Block() for _ in range(count)], nn.Linear(4, 1))


def test_blocks_with_a_bypass_are_folded() -> None:
    found = graph(residual(6)(mg.randn(3, 4)).sum())
    assert ["sum", "linear", "add 6", "linear 6", "relu 6", "linear 6", "layer_norm 6", "linear"] == operations(found)


@pytest.mark.parametrize("count", [1, 2])
def test_two_of_a_kind_are_not_folded(count: int) -> None:
    assert 4 * count + 3 == len(operations(graph(residual(count)(mg.randn(3, 4)).sum()))) - count


def test_what_is_not_connected_is_not_folded() -> None:
    assert ["stack", *["exp"] * 5] == operations(graph(mg.stack([leaf(float(i)).exp() for i in range(5)])))
    assert ["stack", *["tanh", "exp"] * 5] == operations(graph(mg.stack([leaf(float(i)).exp().tanh() for i in range(5)])))


def test_a_copy_that_the_others_take_from_stays_by_itself() -> None:
    b, first = leaf(0.5).exp(), None
    for _ in range(6):
        a = b.tanh()
        first = a if first is None else first
        b = a + first
    assert ["add 5", "tanh 5", "add", "tanh", "exp"] == operations(graph(b))


def test_a_first_copy_of_another_shape_stays_by_itself() -> None:
    x, v = leaf(1.0), leaf(1.0, 2.0)
    for _ in range(5):
        x = x + v
    assert ["add 4", "add"] == operations(graph(x))


def test_numbers_shapes_and_shared_leaves_hinder_folding() -> None:
    y = z = leaf(1.0)
    for n in range(4):
        y = y * float(n + 2)
    assert 4 == len(operations(graph(y)))
    ws = [leaf(1.0 + n) for n in range(4)]
    for n in range(4):
        z = z * ws[n]
    assert ["mul 4"] == operations(graph(z))
    assert ["add", *["mul"] * 4] == operations(graph(z + ws[1]))
    assert "ws[0]…ws[3] × 4" in graph(z).to_text()


def test_a_recurrence_over_two_steps_is_folded_by_pairs_or_not_at_all() -> None:
    before, now = leaf(1.0).exp(), leaf(2.0).exp()
    for _ in range(12):
        before, now = now, now + before
    found = graph(now)
    reached = {link.to for box in found.boxes for link in box.links if link.to is not None}
    assert set(range(1, len(found.boxes))) == reached  # nothing hangs in the air


def test_copies_are_the_same_operations_in_the_same_order() -> None:
    found = graph(loss_of(mlp(7)))
    (block,) = found.to_dict()["blocks"]
    numbered = {node["number"]: node["operation"] for node in found.to_dict()["nodes"]}
    assert [["relu", "linear"]] * 7 == [[numbered[n] for n in copy] for copy in block["copies"]]


@pytest.mark.parametrize("seed", range(40))
def test_folding_loses_nothing_and_makes_no_cycle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [leaf(float(v)) for v in rng.normal(size=3)]
    for _ in range(rng.integers(1, 4)):
        body = [(rng.integers(5), *rng.integers(1, 4, 2), rng.random() < 0.2) for _ in range(rng.integers(1, 5))]
        for _ in range(rng.integers(2, 9)):
            for kind, one, other, early in body:
                a, b = made[-one], made[0] if early else made[-other]
                made.append([mg.add, mg.mul, mg.maximum, lambda a, b: a.tanh(), lambda a, b: b * leaf(1.0)][kind](a, b))
    found = graph([made[-1], made[-2]])
    assert sorted(member for box in found.boxes for member in box.members) == list(range(len(found.nodes)))
    links = [(n, link.to) for n, box in enumerate(found.boxes) for link in box.links if link.to is not None]
    assert all(taker < taken for taker, taken in links)
    asked = {n for n, box in enumerate(found.boxes) for result in found.results if result in box.members}
    assert asked | {taken for _, taken in links} == set(range(len(found.boxes)))
    every_format(found)


# ---- formats


def every_format(found: Graph) -> dict[str, str]:
    """All texts, after checks of their form."""
    texts = {
        "text": found.to_text(),
        "mermaid": found.to_mermaid(),
        "dot": found.to_dot(),
        "svg": found.to_svg(),
        "json": found.to_json(),
    }
    links = sum(link.to is not None for box in found.boxes for link in box.links)
    assert len(found.boxes) == len(re.findall(r'^ +n\d+[\[(]{1,2}"[^"]*"[\])]{1,2}$', texts["mermaid"], re.M))
    assert links == len(re.findall(r'^ +n\d+ -->(\|"× [\d,]+"\|)? n\d+$', texts["mermaid"], re.M))
    assert len(found.boxes) == len(
        re.findall(r'^ +n\d+ \[label="([^"\\]|\\.)*", tooltip="([^"\\]|\\.)*".*\];$', texts["dot"], re.M)
    )
    assert links == len(re.findall(r"^ +n\d+ -> n\d+( \[label=.*\])?;$", texts["dot"], re.M))
    ElementTree.fromstring(texts["svg"])
    return texts


ODD = 'we"ird [<b>&\\ `#; |}]]> \n中文'


def test_odd_names_are_escaped_in_every_format() -> None:
    x = leaf(1.0, 2.0)
    texts = every_format(graph(x.sum(), names={ODD: x}))
    whole = " ".join(ODD.split())
    assert whole in texts["text"]
    assert "we#34;ird [#60;b#62;#38;#92; #96;#35;; |}]]#62; 中文" in texts["mermaid"]
    assert 'we\\"ird [<b>&\\\\ `#; |}]]> 中文' in texts["dot"]
    assert whole in [element.text for element in ElementTree.fromstring(texts["svg"]).iter() if element.tag.endswith("}text")]


def test_mermaid_of_a_small_expression() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    assert (
        graph((x * x).exp(), names={"x": x}).to_mermaid()
        == """\
flowchart TD
  n1["exp<br/>value 54.5981"]
  n2["mul<br/>value 4"]
  n3(["x<br/>value 2"])
  n2 --> n1
  n3 -->|"× 2"| n2
  classDef result stroke-width:3px
  class n1 result
"""
    )


def test_folded_blocks_are_groups() -> None:
    found = graph(loss_of(mlp(9)))
    assert 1 == found.to_mermaid().count('subgraph b1["× 9"]') == found.to_mermaid().count("\n  end\n")
    assert 1 == found.to_dot().count('subgraph cluster_1 { label="× 9"')
    assert found.to_dot().count("{") == found.to_dot().count("}") == 2


def test_svg_says_what_it_shows() -> None:
    _, after = expression()
    root = ElementTree.fromstring(after.to_svg())
    assert "img" == root.get("role")
    assert root.get("aria-label", "").startswith("3 operations, 4 leaves.")
    titles = [element.text or "" for element in root.iter() if element.tag.endswith("}title")]
    assert (
        "d = add\noperation, shape (), float64\ntakes a: e = mul () float64\ntakes b: c () float64\nvalue 4\ngradient -2" in titles
    )
    assert "prefers-color-scheme: dark" in after.to_svg()
    assert "http" not in after.to_svg().replace("http://www.w3.org/2000/svg", "")


def test_an_operand_taken_twice_is_one_wire_that_says_so() -> None:
    x = leaf(3.0)
    svg = graph(x * x).to_svg()
    assert 1 == svg.count('<path d="M')
    assert ">× 2</text>" in svg


def test_svg_is_written(tmp_path: Path) -> None:
    before, _ = expression()
    text = before.to_svg(tmp_path / "graph.svg")
    assert text + "\n" == (tmp_path / "graph.svg").read_text(encoding="utf-8")


def test_a_notebook_shows_the_picture_and_a_terminal_the_tree() -> None:
    before, _ = expression()
    assert before.to_svg() in before._repr_html_()
    assert '<div class="wide" tabindex="0"><svg' in before._repr_html_()
    assert str(before) == repr(before)


def test_long_trees_are_cut_when_printed_only() -> None:
    x = leaf(1.0)
    for n in range(600):
        x = x * float(n + 2)
    found = graph(x)
    assert str(found).endswith("… and more: to_text() has all")
    assert (
        600
        == found.to_text().count(" mul ()")
        + found.to_text().count(" mul float64")
        + found.to_text().count("mul () float64") // 10**9
    )


def test_deep_trees_go_on_at_the_margin() -> None:
    x = leaf(1.0)
    for n in range(40):
        x = x * float(n + 2)
    text = graph(x).to_text()
    assert 3 == text.count(", below")
    assert max(map(len, text.splitlines())) < 100
    for number in re.findall(r"\[(\d+)\] mul, below", text):
        assert f"\n[{number}] mul " in text


def test_output_is_the_same_each_time() -> None:
    loss = loss_of(residual_classifier())
    assert every_format(graph(loss)) == every_format(graph(loss))


def residual_classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), residual(2)[1], residual(2)[2], nn.Linear(4, 3))


# ---- sizes


def chain(n: int) -> mg.Tensor:
    y = leaf(1.0)
    for i in range(n):
        y = y.sin() if i % 7 else y * float(i)
    return y


def fan(n: int) -> mg.Tensor:
    leaves = [leaf(float(i)).reshape(1) for i in range(n // 2)]
    return mg.cat([mg.cat(leaves[i : i + 500]) for i in range(0, len(leaves), 500)]).sum()


def tangle(n: int) -> mg.Tensor:
    rng = np.random.default_rng(0)
    made = [leaf(float(v)) for v in rng.normal(size=20)]
    for _ in range(n):
        a, b = made[rng.integers(max(0, len(made) - 200), len(made))], made[rng.integers(len(made))]
        made.append([mg.add, mg.mul, mg.sub, mg.maximum][rng.integers(4)](a, b))
    return mg.stack(made[-1000:]).sum()


@pytest.mark.parametrize("make", [chain, fan, tangle])
@pytest.mark.parametrize("fold", [True, False])
def test_ten_thousand_nodes_in_every_format(make: Callable[[int], mg.Tensor], fold: bool) -> None:
    found = graph(make(10_000), fold=fold)
    assert len(found.nodes) > 5_000
    texts = every_format(found)
    drawn = texts["svg"].count("<g class=")
    assert drawn <= LIMIT + 2
    if len(found.boxes) > LIMIT:
        assert f">{len(found.boxes) - (drawn - 2):,} more<" in texts["svg"]


def test_fifty_thousand_deep() -> None:
    x = leaf(1.0)
    start = x
    for _ in range(50_000):
        x = -x
    found = graph(x, names={"start": start})
    assert ["neg 50000"] == operations(found)
    assert "start" in str(found)


# ---- layout


def boxes_apart(layout: Layout) -> bool:
    return all(
        abs(a.x - b.x) >= (a.width + b.width) / 2 + GAP - 1e-6 or abs(a.y - b.y) >= (a.height + b.height) / 2
        for a, b in combinations(layout.boxes, 2)
    )


def random_graph(seed: int, n: int = 40) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    sizes = [(float(w), float(h)) for w, h in rng.uniform(20, 120, (n, 2))]
    links = {(int(rng.integers(j)), j) for j in range(1, n)} | {
        tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(n // 2)
    }
    return sizes, sorted(links)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_boxes_do_not_overlap_and_links_run_free_of_them(seed: int) -> None:
    sizes, links = random_graph(seed)
    layout = layered(sizes, links)
    assert boxes_apart(layout)
    assert sizes == [(box.width, box.height) for box in layout.boxes]
    for (taker, taken), points in layout.links.items():
        layers = [layout.boxes[taken].layer, *(point.layer for point in points), layout.boxes[taker].layer]
        assert list(range(layers[0], layers[-1] - 1, -1)) == layers  # it passes each layer between
        assert layout.boxes[taken].bottom - 1e-6 <= layout.bands[layers[0]][1] < layout.boxes[taker].top
        for point in points:
            assert all(abs(point.x - box.x) > box.width / 2 for box in layout.boxes if box.layer == point.layer)
    for box in layout.boxes:
        assert 0 <= box.left <= box.left + box.width <= layout.width
        assert 0 <= box.top <= box.bottom <= layout.height


def test_a_chain_of_operations_stands_straight() -> None:
    # 0 takes 1 and the leaf 4; 1 takes 2 and the leaf 5; 2 takes 3, which takes the leaf 6
    layout = layered([(50, 20)] * 7, [(0, 1), (0, 4), (1, 2), (1, 5), (2, 3), (3, 6)])
    assert max(box.x for box in layout.boxes[:4]) - min(box.x for box in layout.boxes[:4]) < 10


def test_crossings_are_undone() -> None:
    layout = layered([(50, 20)] * 5, [(0, 1), (0, 2), (1, 4), (2, 3)])
    one, two, three, four = (layout.boxes[n].x for n in range(1, 5))
    assert (one < two) == (four < three)


def drawn_boxes(svg: str) -> list[tuple[float, float, float, float]]:
    root = ElementTree.fromstring(svg)
    rects = [element for element in root.iter() if element.tag.endswith("}rect") and element.get("x")]
    return [tuple(float(rect.get(key, "")) for key in ("x", "y", "width", "height")) for rect in rects]  # type: ignore[misc]


@pytest.mark.parametrize("count", [1, 6])
def test_wires_end_at_boxes_in_the_picture(count: int) -> None:
    found = graph(residual(count)(mg.randn(3, 4)).sum(), fold=False)
    svg = found.to_svg()
    boxes = drawn_boxes(svg)
    wires = re.findall(r'<path d="M([\d.]+) ([\d.]+)V.*?C[^"]* ([\d.]+) [\d.]+V([\d.]+)"/>', svg)
    assert sum(link.to is not None for box in found.boxes for link in box.links) == len(wires)
    for wire in wires:
        x0, y0, x1, y1 = map(float, wire)
        assert any(left <= x0 <= left + width and abs(top + height - y0) < 0.11 for left, top, width, height in boxes)
        assert any(left <= x1 <= left + width and abs(top - 5 - y1) < 0.11 for left, top, width, height in boxes)


def test_words_fit_into_their_boxes() -> None:
    x = leaf(1.0, 2.0)
    svg = graph(x.sum(), names={"m" * 80: x, "中": x * 2}).to_svg()
    root = ElementTree.fromstring(svg)
    for group in (
        element
        for element in root.iter()
        if element.tag.endswith("}g") and element.get("class", "").split()[0] in ("leaf", "operation")
    ):
        width = max(float(rect.get("width", "")) for rect in group if rect.tag.endswith("}rect"))
        letters = max(len(text.text or "") for text in group if text.tag.endswith("}text"))
        assert letters * 11 * 0.61 < width

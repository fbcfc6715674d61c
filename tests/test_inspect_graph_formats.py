"""Graphs as a tree, Mermaid, DOT and SVG: well formed, of any size."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn_graphs import every_format, loss_of, mlp, operations, residual
from graphs import leaf

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.inspect.graphs.drawing import Graph, graph
from minigrad.inspect.graphs.scene import LIMIT

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")


def expression() -> tuple[Graph, Graph]:
    """The worked example of micrograd's lecture, before and after the backward pass."""
    a, b, c, f = leaf(2.0), leaf(-3.0), leaf(10.0), leaf(-2.0)
    e = a * b
    d = e + c
    L = d * f
    before = graph(L)
    L.backward()
    return before, graph(L)


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


def test_a_repeated_block_is_framed_and_leads_back_to_its_beginning() -> None:
    model = mlp(20)
    found = graph(loss_of(model), model=model)
    number = {(box.node.operation, len(box.members)): n for n, box in enumerate(found.boxes, 1)}
    end, begin = number["relu", 20], number["linear", 20]
    assert f"\n  n{end} -.-> n{begin}\n  style b1 fill:none,stroke-dasharray:5 4\n" in found.to_mermaid()
    assert f'\n  n{end} -> n{begin} [style="dashed", constraint=false];\n' in found.to_dot()
    root = ElementTree.fromstring(found.to_svg())
    assert 1 == len([path for path in root.iter() if path.get("class") == "back"])
    texts = " ".join(text.text or "" for text in root.iter())
    assert "2 operations, repeated 20 times in a row, each time on what came before: linear → relu." in texts
    assert ("× 20", "times") in [(text.text, text.get("class")) for text in root.iter()]


@needs_matplotlib
def test_a_graph_is_plotted(tmp_path: Path) -> None:
    model = mlp(20)
    found = graph(loss_of(model), names={"$cost$": leaf(1.0)}, model=model)
    figure = found.plot(tmp_path / "graph.png")
    assert b"\x89PNG" == (tmp_path / "graph.png").read_bytes()[:4]
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert {"2…40.weight × 20", "× 20", "linear × 20", "cross_entropy"} <= set(words)
    links = sum(link.to is not None for box in found.boxes for link in box.links)
    assert links + 1 == sum(type(patch).__name__ == "PathPatch" for patch in axes.patches)


def test_a_plot_has_room_for_so_many_boxes() -> None:
    with pytest.raises(
        ArgumentError, match=r"Graph.plot: a figure has room for 60 boxes, this graph has 128; to_svg\(\) draws larger ones"
    ):
        graph(loss_of(mlp(30)), fold=False).plot()


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
    assert '<div class="wide" tabindex="0" role="region" aria-label="Graph"><svg' in before._repr_html_()
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

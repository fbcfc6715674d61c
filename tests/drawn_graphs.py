"""Graphs that are drawn in tests, and what their pictures and texts must hold."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import minigrad as mg
from minigrad import nn
from minigrad.inspect.graphs.drawing import Graph


def mlp(blocks: int, width: int = 8) -> nn.Sequential:
    hidden = [layer for _ in range(blocks) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), *hidden, nn.Linear(width, 3))


def loss_of(model: nn.Module) -> mg.Tensor:
    x, t = mg.randn(6, 4), mg.randint(0, 3, (6,))
    return nn.functional.cross_entropy(model(x), t)


def residual(count: int) -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return x + self.down(self.up(self.norm(x)).relu())

    return nn.Sequential(nn.Linear(4, 4), *[Block() for _ in range(count)], nn.Linear(4, 1))


def operations(graph: Graph) -> list[str]:
    """The operations shown, youngest first, with how often."""
    return [
        f"{box.node.operation}{'' if len(box.members) == 1 else f' {len(box.members)}'}"
        for box in graph.boxes
        if box.node.operation
    ]


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

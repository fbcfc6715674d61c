"""A graph as text: a tree for terminals, and the languages of Mermaid and of Graphviz."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from .folding import Block, Box
from .labels import Label, constant, label
from .nodes import Node

__all__ = ["dot", "mermaid", "sentences", "tree"]

_TOLD = 5  # blocks of which a sentence is said
_DEPTH = 12  # levels of indentation; what is deeper goes on at the margin


_FREED = (
    "Values are missing: the backward pass has let go of what was saved. Call graph before it, or backward(retain_graph=True), to see "
    "them."
)


def sentences(boxes: Sequence[Box], nodes: Sequence[Node]) -> list[str]:
    """How large the graph is, what was folded, and why values are missing."""
    operations = sum(bool(node.operation) for node in nodes)
    leaves = len(nodes) - operations
    size = f"{operations:,} operation{'s' * (operations != 1)}, {leaves:,} {'leaf' if leaves == 1 else 'leaves'}."
    folded = Counter(_folded(block, nodes) for block in _blocks(boxes))
    said = [f"{text}{f' (in {count:,} places)' if count > 1 else ''}." for text, count in folded.most_common(_TOLD)]
    more = [f"And {len(folded) - _TOLD:,} more repeated blocks."] if len(folded) > _TOLD else []
    return [size, *said, *more, *([_FREED] if any(node.unknown for node in nodes) else [])]


def _folded(block: Block, nodes: Sequence[Node]) -> str:
    names = [nodes[i].operation for i in reversed(range(block.start, block.start + block.size))]
    short = names if len(names) <= 8 else [*names[:4], "…", *names[-3:]]
    what = f"{len(names)} operations, repeated" if len(names) > 1 else "an operation, repeated"
    return f"× {block.times:,}: {what} {block.times:,} times in a row, each time on what came before: {' → '.join(short)}"


def _blocks(boxes: Sequence[Box]) -> list[Block]:
    return list(dict.fromkeys(box.block for box in boxes if box.block))


# ---- a tree


def tree(boxes: Sequence[Box], nodes: Sequence[Node], results: Sequence[int]) -> Iterator[str]:
    """Lines: below each operation what it takes. What several take, or stands too deep, is shown in one place and has a number."""
    uses = [0] * len(boxes)
    for box in boxes:
        for link in box.links:
            if link.to is not None:
                uses[link.to] += 1
    numbered = {n for n, count in enumerate(uses) if count > 1}
    shown: set[int] = set()
    roots = deque(dict.fromkeys(results))
    while roots:
        root = roots.popleft()
        todo: list[tuple[int | None, str, str, int]] = [] if root in shown else [(root, "", "", 0)]
        while todo:
            n, head, prefix, depth = todo.pop()
            if n is None:
                yield head
                continue
            box = boxes[n]
            if n in shown or (depth == _DEPTH and box.links):
                yield f"{head}[{n + 1}] {label(box, nodes).title}, {'above' if n in shown else 'below'}"
                if n not in shown:
                    numbered.add(n)
                    roots.append(n)
                continue
            shown.add(n)
            yield f"{head}{f'[{n + 1}] ' if n in numbered else ''}{_line(box, nodes)}"
            todo.extend(_below(box, boxes, prefix, depth + 1))


def _line(box: Box, nodes: Sequence[Node]) -> str:
    words = label(box, nodes)
    return "   ".join(filter(None, [f"{words.title} {words.size}".rstrip(), words.settings, *words.known]))


def _below(box: Box, boxes: Sequence[Box], prefix: str, depth: int) -> list[tuple[int | None, str, str, int]]:
    """What is to be shown below a box, the last first. What is short comes first, so that it stands near its operation; operands a and
    b stay in order, and have no names."""
    named = not {link.input.argument for link in box.links} <= {"a", "b"}
    links = sorted(box.links, key=lambda link: link.to is not None and bool(boxes[link.to].links)) if named else box.links
    lines: list[tuple[int | None, str, str, int]] = []
    for place, link in enumerate(links, 1):
        branch, rail = ("└─ ", "   ") if place == len(links) else ("├─ ", "│  ")
        if link.to is None:
            text = constant(link.input, len(box.members) > 1)
            lines.append((None, f"{prefix}{branch}{text if named else text.partition(': ')[2]}", "", depth))
            continue
        role = f"{link.times:,} times: " if link.times > 1 else f"{link.input.argument}: " if named and len(links) > 1 else ""
        lines.append((link.to, f"{prefix}{branch}{role}", prefix + rail, depth))
    return lines[::-1]


# ---- other languages


def mermaid(boxes: Sequence[Box], nodes: Sequence[Node], results: Sequence[int]) -> str:
    """A flowchart, https://mermaid.js.org/syntax/flowchart.html; data flow from the top down."""

    def box_line(n: int) -> str:
        text = "<br/>".join(map(_mermaid_text, label(boxes[n], nodes).lines))
        left, right = ("[", "]") if boxes[n].node.operation else ("([", "])")
        return f'n{n + 1}{left}"{text}"{right}'

    def group(k: int, block: Block) -> str:
        return f'subgraph b{k}["× {block.times:,}"]'

    lines = ["flowchart TD", *_grouped(boxes, box_line, group, "end")]
    for taken, taker, count in _edges(boxes):
        lines.append(f"  n{taken} -->{_MANY.format(count) if count > 1 else ''} n{taker}")
    lines += [f"  n{taken} -.-> n{taker}" for taken, taker in _back(boxes)]
    lines += [f"  style b{k} fill:none,stroke-dasharray:5 4" for k, _ in enumerate(_blocks(boxes), 1)]
    lines += ["  classDef result stroke-width:3px", f"  class {','.join(f'n{n + 1}' for n in results)} result"]
    return "\n".join(lines) + "\n"


def dot(boxes: Sequence[Box], nodes: Sequence[Node], results: Sequence[int]) -> str:
    """A digraph, https://graphviz.org/doc/info/lang.html; data flow from the top down."""
    asked = set(results)

    def box_line(n: int) -> str:
        words = label(boxes[n], nodes)
        look = "" if boxes[n].node.operation else ', style="rounded"'
        look += ", penwidth=2" if n in asked else ""
        text = "\\n".join(map(_dot_text, words.lines))
        return f'n{n + 1} [label="{text}", tooltip="{_tooltip(words)}"{look}];'

    def group(k: int, block: Block) -> str:
        return f'subgraph cluster_{k} {{ label="× {block.times:,}"; style="dashed";'

    lines = ["digraph minigrad {", '  node [shape="box", fontname="monospace", fontsize=10];']
    lines += _grouped(boxes, box_line, group, "}")
    for taken, taker, count in _edges(boxes):
        look = f' [label="× {count:,}"]' if count > 1 else ""
        lines.append(f"  n{taken} -> n{taker}{look};")
    lines += [f'  n{taken} -> n{taker} [style="dashed", constraint=false];' for taken, taker in _back(boxes)]
    return "\n".join([*lines, "}"]) + "\n"


def _edges(boxes: Sequence[Box]) -> Iterator[tuple[int, int, int]]:
    """Numbers of taken and taker, and how many arguments in a row it is."""
    return ((link.to + 1, n, link.times) for n, box in enumerate(boxes, 1) for link in box.links if link.to is not None)


def _back(boxes: Sequence[Box]) -> Iterator[tuple[int, int]]:
    """In blocks, numbers of taken and taker, where the one is taken from the copy before."""
    return ((before + 1, n) for n, box in enumerate(boxes, 1) for before in box.back)


def _grouped(boxes: Sequence[Box], box_line: Callable[[int], str], group: Callable[[int, Block], str], end: str) -> Iterator[str]:
    """Lines of boxes, those of a block within lines of its own."""
    inside: dict[Block, list[int]] = {block: [] for block in _blocks(boxes)}
    for n, box in enumerate(boxes):
        if box.block:
            inside[box.block].append(n)
        else:
            yield f"  {box_line(n)}"
    for k, (block, members) in enumerate(inside.items(), 1):
        yield f"  {group(k, block)}"
        yield from (f"    {box_line(n)}" for n in members)
        yield f"  {end}"


_MANY = '|"× {:,}"|'
_MERMAID = {ord(sign): f"#{ord(sign)};" for sign in '"#&<>`\\'}


def _mermaid_text(text: str) -> str:
    return text.translate(_MERMAID)


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _tooltip(words: Label) -> str:
    return "\\n".join(_dot_text(" ".join(line.split())) for line in words.whole)

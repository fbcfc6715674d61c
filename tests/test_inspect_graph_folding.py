"""Repeated blocks of a graph: what is folded, and what is not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from drawn_graphs import every_format, loss_of, mlp, operations, residual
from graphs import leaf

import minigrad as mg
from minigrad import nn
from minigrad.inspect.graphs.drawing import Graph, graph


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


def twice(a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
    w = leaf(1.0)
    return b * w + w


def check_copies(found: Graph) -> None:
    """Members of a box take members of the same boxes, of leaves the one of their own copy; but for the oldest, which may begin anew."""
    box_of = {member: box for box in found.boxes for member in box.members}
    for box in found.boxes:
        for n, member in enumerate(box.members[:-1]):
            for mine, its in zip(found.nodes[member].inputs, box.node.inputs, strict=True):
                assert (mine.node is None) == (its.node is None)
                if mine.node is not None and its.node is not None:
                    taken = box_of[mine.node]
                    assert taken is box_of[its.node]
                    assert taken.node.operation or len(taken.members) == 1 or taken.members[n] == mine.node


@pytest.mark.parametrize("seed", range(60))
def test_folding_loses_nothing_and_makes_no_cycle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [leaf(float(v)) for v in rng.normal(size=3)]
    for _ in range(rng.integers(1, 4)):
        body = [(rng.integers(6), *rng.integers(1, 4, 2), rng.random() < 0.2) for _ in range(rng.integers(1, 5))]
        for _ in range(rng.integers(2, 9)):
            for kind, one, other, early in body:
                a, b = made[-one], made[0] if early else made[-other]
                made.append([mg.add, mg.mul, mg.maximum, lambda a, b: a.tanh(), lambda a, b: b * leaf(1.0), twice][kind](a, b))
    found = graph([made[-1], made[-2]])
    assert sorted(member for box in found.boxes for member in box.members) == list(range(len(found.nodes)))
    links = [(n, link.to) for n, box in enumerate(found.boxes) for link in box.links if link.to is not None]
    assert all(taker < taken for taker, taken in links)
    assert all(box.block is found.boxes[before].block is not None for box in found.boxes for before in box.back)
    check_copies(found)
    asked = {n for n, box in enumerate(found.boxes) for result in found.results if result in box.members}
    assert asked | {taken for _, taken in links} == set(range(len(found.boxes)))
    every_format(found)


class Attention(nn.Module):
    def __init__(self) -> None:
        self.heads = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.heads(x, x, x)[0]


class Transformer(nn.Module):
    def __init__(self) -> None:
        self.attention, self.norm, self.end = Attention(), nn.LayerNorm(4), nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        x = x + self.attention(self.norm(x))
        return x + self.down(self.up(self.end(x)).relu())


class Tied(nn.Module):
    def __init__(self) -> None:
        self.weight = nn.Parameter(mg.randn(4, 4))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return mg.tanh(x @ self.weight) @ self.weight.T


@pytest.mark.parametrize("layer", [Attention, Transformer, Tied])
@pytest.mark.parametrize("first", [True, False])
def test_layers_that_use_a_parameter_more_than_once_are_folded(layer: type[nn.Module], first: bool) -> None:
    layers = [*[nn.Linear(4, 4)] * first, *[layer() for _ in range(6)], nn.Linear(4, 2)]
    found = graph(nn.Sequential(*layers)(mg.randn(2, 3, 4)).sum())
    (block,) = found.to_dict()["blocks"]
    assert 6 == block["times"]
    assert found.operations == 6 * len(block["copies"][0]) + 2 + first
    check_copies(found)


def test_a_block_does_not_begin_between_uses_of_its_own_leaf() -> None:
    z, ws = leaf(1.0), [leaf(1.0) for _ in range(8)]
    for w, after in pairwise(ws):
        z = (z * w).sin() * after
    found = graph(z)
    assert ["mul", "sin 6", "mul 6", "mul 6", "sin", "mul"] == operations(found)
    assert {1, 6} == {len(box.members) for box in found.boxes if not box.node.operation}
    check_copies(found)


def test_a_block_begins_where_leaves_come_in_but_not_between_uses_of_one() -> None:
    z = leaf(1.0).exp()
    for n in range(7):
        w = leaf(1.0)
        z = mg.lerp((z.sin() if n else z) * w, leaf(1.0), leaf(0.5)) * w
    found = graph(z)
    assert ["mul", "lerp", "mul", "sin 6", "mul 6", "lerp 6", "mul 6", "exp"] == operations(found)
    check_copies(found)


def test_leaves_used_all_along_the_graph_are_compared_in_linear_time() -> None:
    z, a, b, own = leaf(1.0), leaf(0.5), leaf(0.7), leaf(0.9)
    for n in range(20_000):
        z = z * (a, b, own)[n % 3 if n < 15_000 else n % 2]
    assert graph(z).operations == 20_000


def test_leaves_that_reach_out_of_a_copy_hinder_folding() -> None:
    z, ws = leaf(1.0), [leaf(1.0) for _ in range(8)]
    for w, later in zip(ws, ws[2:], strict=False):
        z = (z * w).sin() * later
    assert all(len(box.members) == 1 for box in graph(z).boxes)


def test_a_block_says_what_it_takes_from_the_copy_before() -> None:
    model = mlp(20)
    boxes = graph(loss_of(model)).boxes
    assert [("linear", ["relu"])] == [
        (box.node.operation, [boxes[n].node.operation for n in box.back]) for box in boxes if box.back
    ]
    x, a, b = leaf(1.0), leaf(0.9), leaf(0.1)
    for _ in range(9):
        x = x * a + b
    assert [[], [0]] == [box.back for box in graph(x).boxes if box.node.operation]

"""Repeated blocks of a graph, found and shown once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .nodes import Input, Node

__all__ = ["Block", "Box", "Link", "folded", "unfolded"]

_TIMES = 3  # a block is folded if it comes at least so often
_TRIED = 16  # distances to the next equal operations that are tried as the length of a block


@dataclass(frozen=True)
class Block:
    """`times` copies, one after the other, of `size` operations, the youngest of which has the index `start`."""

    start: int
    size: int
    times: int

    @property
    def end(self) -> int:
        return self.start + self.size * self.times


@dataclass(slots=True)
class Link:
    """What a box takes as an argument: the box `to`, for `times` arguments in a row; with `to` None, what `input` says."""

    input: Input
    to: int | None
    times: int = 1


@dataclass(slots=True)
class Box:
    """What is shown of a node: `members` are the indices of the nodes that it stands for, the youngest first. In a block, `back` are the
    boxes that it takes from the copy before."""

    index: int
    node: Node
    members: Sequence[int]
    links: list[Link] = field(default_factory=list)
    block: Block | None = None
    back: list[int] = field(default_factory=list)


def unfolded(nodes: Sequence[Node]) -> list[Box]:
    """Each node as a box."""
    return _boxes(nodes, [])


def folded(nodes: Sequence[Node]) -> list[Box]:
    """The nodes as boxes, in the same order, with repeated blocks as one copy each: the youngest.

    A block is a run of operations in the order of recording that comes three times or more in a row, each time with the same
    operations, settings, shapes, dtypes and connections: between its own operations, to the copy before (there is at least one), to what
    stands before all copies. Leaves that are used within one copy alone, as weights are, may be other ones in each, of the same shape
    and used in the same places; any other leaf must be the same one. The first copy may begin with a leaf or with data where the others
    go on from the copy before. Of the lengths that fit, the one that covers most is taken, then the shortest. Blocks in blocks stay.
    """
    return _boxes(nodes, _Search(nodes).blocks())


def _boxes(nodes: Sequence[Node], blocks: Sequence[Block]) -> list[Box]:
    """One box for each node that stands for itself or for its copies."""
    stands_for = list(range(len(nodes)))
    block_of = {}
    for block in blocks:
        for i in range(block.start, block.end):
            first = stands_for[i] = block.start + (i - block.start) % block.size
            block_of[first] = block
            for mine, its in zip(nodes[i].inputs, nodes[first].inputs, strict=True):
                if mine.node is not None and its.node is not None and not nodes[its.node].operation:
                    stands_for[mine.node] = its.node
                    block_of[its.node] = block
    members: dict[int, list[int]] = defaultdict(list)
    for i, first in enumerate(stands_for):
        members[first].append(i)
    number = {first: n for n, first in enumerate(members)}
    boxes = [Box(first, nodes[first], group, block=block_of.get(first)) for first, group in members.items()]
    for box in boxes:
        if len(box.members) == 1 and not box.node.operation:
            box.block = None  # a leaf that all copies share
        last = nodes[box.members[-1]]
        for mine, its in zip(box.node.inputs, last.inputs, strict=True):
            taken = mine
            if box.block is not None and mine.node is not None and _leaves_copy(mine.node, box.block, nodes):
                taken = its
                before = number[stands_for[mine.node]]
                if mine.node < box.block.end and before not in box.back:
                    box.back.append(before)
            _add(box.links, taken, None if taken.node is None else number[stands_for[taken.node]])
    return boxes


def _leaves_copy(target: int, block: Block, nodes: Sequence[Node]) -> bool:
    """Whether the youngest copy of a block takes an operation from outside of itself."""
    return bool(nodes[target].operation) and target >= block.start + block.size


def _add(links: list[Link], given: Input, to: int | None) -> None:
    if links and to is not None and links[-1].to == to:
        links[-1].times += 1
    else:
        links.append(Link(given, to))


# ---- finding blocks


class _Search:
    """The operations of a graph, the youngest first, as a row in which repetitions are looked for.

    `kinds`: for each a number, the same for all that could stand in its place. `targets`: the operations that it takes. `leaves`: the
    leaves that it takes. `uses`: of each leaf, the places (operation, number of the argument) where it is taken.
    """

    def __init__(self, nodes: Sequence[Node]):
        self.nodes = nodes
        self.kinds: list[int] = []
        self.targets: list[list[int]] = []
        self.leaves: list[list[int]] = []
        self.uses: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.shifts: dict[tuple[int, int], int] = {}  # by two leaves: see `_shift`
        self.ends: dict[int, int] = {}  # by distance: where the stretch ends that is like what stands at that distance
        self.vain: dict[int, int] = {}  # by distance: the end of such a stretch in which no block was found
        numbers: dict[tuple[object, ...], int] = {}
        for i, node in enumerate(nodes):
            if not node.operation:
                break
            key = (*_own(node), *(self._taken(given) for given in node.inputs))
            self.kinds.append(numbers.setdefault(key, len(numbers)))
            taken = [given.node for given in node.inputs if given.node is not None]
            self.targets.append([n for n in taken if nodes[n].operation])
            self.leaves.append([n for n in taken if not nodes[n].operation])
            for k, given in enumerate(node.inputs):
                if given.node is not None and not nodes[given.node].operation:
                    self.uses[given.node].append((i, k))

    def _taken(self, given: Input) -> tuple[object, ...]:
        """What must be equal of an argument; which operation or leaf it is must be looked at beside."""
        if given.node is None:
            return given.argument, given.shape, given.dtype, given.value if given.shape is None else None
        taken = self.nodes[given.node]
        return (given.argument,) if taken.operation else (given.argument, taken.shape, taken.dtype, taken.parameter)

    def blocks(self) -> list[Block]:
        """Blocks from the youngest operation on, none in another."""
        places: dict[int, list[int]] = defaultdict(list)
        rank = []
        for i, kind in enumerate(self.kinds):
            rank.append(len(places[kind]))
            places[kind].append(i)
        blocks, i = [], 0
        while i < len(self.kinds):
            equals = places[self.kinds[i]][rank[i] + 1 : rank[i] + 1 + _TRIED]
            best = self._best(i, [j - i for j in equals])
            if best:
                blocks.append(best)
            i = best.end if best else i + 1
        return blocks

    def _best(self, i: int, sizes: Sequence[int]) -> Block | None:
        """Of the blocks that begin at i, or a few operations after it, the one that covers most."""
        best: Block | None = None
        for size in sizes:
            end = self._end(i, size) + size
            times = (end - i) // size
            covered = best.end - best.start if best else 0
            if times < _TIMES or size * times <= covered or self.vain.get(size) == end or (best and size % best.size == 0):
                continue
            tried = (self._closed(Block(start, size, times)) for start, times in self._starts(i, size, end))
            found = max(filter(None, tried), key=lambda block: block.times, default=None)
            if found is None:
                self.vain[size] = end
            elif found.end - found.start > covered:
                best = found
        return best

    def _end(self, i: int, size: int) -> int:
        """Where, from i on, the first operation stands that is not like the one `size` places on."""
        if self.ends.get(size, -1) < i:
            end = i
            while end + size < len(self.kinds) and self._alike(end, size):
                end += 1
            self.ends[size] = end
        return self.ends[size]

    def _alike(self, i: int, size: int) -> bool:
        """Whether two operations are of a kind and take the same, or what stands equally far from them."""
        j = i + size
        if self.kinds[i] != self.kinds[j]:
            return False
        return all(b - a in (size, 0) for a, b in zip(self.targets[i], self.targets[j], strict=True)) and all(
            self._same_leaf(a, b, size, size) for a, b in zip(self.leaves[i], self.leaves[j], strict=True)
        )

    def _same_leaf(self, a: int, b: int, size: int, away: int) -> bool:
        """Whether two leaves are one, or each is used within one copy only, in the same places, `away` from each other."""
        if a == b:
            return True
        if (a, b) not in self.shifts:
            self.shifts[a, b] = self._shift(self.uses[a], self.uses[b])
        return self.shifts[a, b] == away and self.uses[a][-1][0] - self.uses[a][0][0] < size

    @staticmethod
    def _shift(uses: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> int:
        """How far the uses of a leaf are from those of another; 0 if they are not alike."""
        shift = others[0][0] - uses[0][0]
        return shift * (len(uses) == len(others) and all((i + shift, k) == use for (i, k), use in zip(uses, others, strict=True)))

    def _starts(self, i: int, size: int, end: int) -> Iterator[tuple[int, int]]:
        """Where a block may begin, and how often it comes. Where the stretch leaves it open, it begins (its oldest operation) where most
        leaves come in, at a layer, or so that one copy more would be the beginning of all; never between uses of a leaf that each copy
        has of its own."""
        cut: set[int] = set()
        for place in range(i, i + size):
            for leaf, other in zip(self.leaves[place], self.leaves[place + size], strict=True):
                if leaf != other:
                    cut.update((n - i) % size for n in range(self.uses[leaf][0][0] + 1, self.uses[leaf][-1][0] + 1))
        for times in ((end - i) // size, (end - i) // size - 1):
            starts = [start for start in range(i, end - size * times + 1) if (start - i) % size not in cut]
            if starts and times >= _TIMES:
                yield max(starts, key=lambda start: (self._leaf_count(start + size - 1), -start)), times
                first = len(self.kinds) - size * (times + 1)
                if first in starts:
                    yield first, times
                return

    def _leaf_count(self, i: int) -> int:
        return len(self.nodes[i].inputs) - len(self.targets[i])

    def _closed(self, block: Block) -> Block | None:
        """As many of the copies as have the same connections; None if they are too few, or not connected to one another.

        An operation takes, in each copy, the same operation from before all copies, or the one of the same place in its own or in the
        copy before.
        """
        size, times, connected = block.size, block.times, False
        for place in range(block.start, block.start + size):
            for k, first in enumerate(self.targets[place]):
                step = self.targets[place + size][k] - first
                if step and first >= block.start + 2 * size:
                    return None
                if not step:
                    times = min(times, (first - block.start) // size)
                connected |= bool(step) and first >= block.start + size
                same = (self.targets[place + copy * size][k] == first + copy * step for copy in range(times))
                times = next((copy for copy, fits in enumerate(same) if not fits), times)
        return self._with_first(Block(block.start, size, times)) if connected and times >= _TIMES else None

    def _with_first(self, block: Block) -> Block:
        """The block with one copy more, if the operations before it are that but for what they begin with, which may be a leaf, or
        carry no gradient."""
        size, end = block.size, block.end
        if end + size > len(self.kinds):
            return block
        for i, j in zip(range(block.start, block.start + size), range(end, end + size), strict=True):
            young, old = self.nodes[i], self.nodes[j]
            if _own(young) != _own(old) or len(young.inputs) != len(old.inputs):
                return block
            if not all(self._continues(y, o, block, j) for y, o in zip(young.inputs, old.inputs, strict=True)):
                return block
        return Block(block.start, size, block.times + 1)

    def _continues(self, young: Input, old: Input, block: Block, j: int) -> bool:
        """Whether an argument of operation j, in the copy after the end, is what the same argument is in the youngest copy."""
        end = block.end + block.size
        if young.node is not None and block.start + block.size <= young.node < block.start + 2 * block.size:
            shape = old.shape if old.node is None else self.nodes[old.node].shape
            return shape == self.nodes[young.node].shape and (old.node is None or old.node >= end)
        if self._taken(young) != self._taken(old):
            return False
        if young.node is None or old.node is None:
            return True
        if not self.nodes[young.node].operation:
            return self._same_leaf(young.node, old.node, block.size, block.end - block.start)
        return old.node in (young.node + block.end - block.start, young.node if young.node >= end else None)


def _own(node: Node) -> tuple[object, ...]:
    """What must be equal of an operation itself."""
    return node.operation, node.shape, node.dtype, node.settings

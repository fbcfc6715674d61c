"""Samplers, datasets one behind the other, datasets that are only read on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from minigrad.errors import ArgumentError, IndexRangeError, InputTypeError


def seeded(seed=0):
    return mg.Generator(seed)


def numbered(size):
    return TensorDataset(mg.arange(size))


class Count(IterableDataset):
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        return iter(range(self.size))


# ---- samplers


def test_in_sequence_and_in_random_order():
    assert [0, 1, 2, 3] == list(SequentialSampler(range(4)))
    assert 4 == len(SequentialSampler(range(4)))
    orders = [list(RandomSampler(range(20), generator=seeded())) for _ in range(2)]
    assert orders[0] == orders[1] != list(range(20)) == sorted(orders[0])
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=1000, generator=seeded()))
    assert (set(range(5)), 1000) == (set(drawn), len(drawn))
    rounds = list(RandomSampler(range(5), num_samples=12, generator=seeded()))
    assert {2, 3} == set(Counter(rounds).values())
    assert list(range(5)) == sorted(rounds[:5]) == sorted(rounds[5:10])
    chosen = SubsetRandomSampler([7, 3, 9], generator=seeded())
    assert ([3, 7, 9], 3) == (sorted(chosen), len(chosen))


def test_by_weight():
    weights = mg.tensor([1.0, 0.0, 3.0, 6.0])
    sampler = WeightedRandomSampler(weights, 20000, generator=seeded())
    shares = np.bincount(list(sampler), minlength=4) / len(sampler)
    np.testing.assert_allclose(shares, [0.1, 0, 0.3, 0.6], atol=0.01)
    assert 0 == shares[1]
    generator = seeded(1)
    orders = [tuple(WeightedRandomSampler([1.0, 0.0, 3.0, 6.0], 3, replacement=False, generator=generator)) for _ in range(3000)]
    assert all({0, 2, 3} == set(order) for order in orders)
    first = Counter(order[0] for order in orders)
    np.testing.assert_allclose([first[i] / 3000 for i in (0, 2, 3)], [0.1, 0.3, 0.6], atol=0.03)
    after_3 = Counter(order[1] for order in orders if order[0] == 3)
    assert 0.75 == pytest.approx(after_3[2] / after_3.total(), abs=0.03)


def test_in_batches():
    assert [[0, 1], [2, 3], [4]] == list(BatchSampler(SequentialSampler(range(5)), 2, False))
    assert [[0, 1], [2, 3]] == list(BatchSampler(range(5), 2, True))
    assert (3, 2) == tuple(len(BatchSampler(range(5), 2, drop)) for drop in (False, True))
    with pytest.raises(NotImplementedError, match="Sampler must define __iter__"):
        iter(Sampler())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomSampler([]), "RandomSampler: num_samples must be a positive int, got 0"),
        (lambda: RandomSampler([1], num_samples=-1), "RandomSampler: num_samples must be a positive int, got -1"),
        (lambda: WeightedRandomSampler([1.0], 0), "num_samples must be a positive int"),
        (lambda: WeightedRandomSampler([-1.0, 2.0], 1), "weights must be a vector of at least 1 positive numbers and zeros"),
        (lambda: WeightedRandomSampler([0.0, 2.0], 2, replacement=False), "weights must be a vector of at least 2 positive"),
        (lambda: BatchSampler([1], 0, False), "BatchSampler: batch_size must be a positive int, got 0"),
        (lambda: BatchSampler([1], 1, "no"), "BatchSampler: drop_last must be True or False"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
    with pytest.raises(InputTypeError, match="replacement must be True or False"):
        RandomSampler([1], replacement=1)


# ---- loaders


def test_a_loader_over_a_batch_sampler():
    loader = DataLoader(numbered(10), batch_sampler=BatchSampler(SubsetRandomSampler([1, 5, 9], seeded()), 2, False))
    batches = [batch[0].tolist() for batch in loader]
    assert ([2, 1], [1, 5, 9], 2) == ([len(b) for b in batches], sorted(i for batch in batches for i in batch), len(loader))
    with pytest.raises(IndexRangeError, match="the batch sampler's indices must be positions in a dataset of 10 samples, got 10"):
        list(DataLoader(numbered(10), batch_sampler=[[10]]))
    for settings in ({"batch_size": 2}, {"shuffle": True}, {"drop_last": True}, {"sampler": [1]}):
        with pytest.raises(ArgumentError, match="batch_sampler takes the place of"):
            DataLoader(numbered(10), batch_sampler=[[1]], **settings)


def test_a_loader_takes_pytorchs_arguments_in_their_order():
    loader = DataLoader(numbered(5), 2, None, None, None, 0, list, False, True, 0, print, None, seeded(), persistent_workers=False)
    assert [[0, 1], [2, 3]] == [[sample[0].item() for sample in batch] for batch in loader]


def test_a_loader_over_what_is_only_read_on():
    assert [[0, 1], [2, 3], [4]] == [batch.tolist() for batch in DataLoader(Count(5), batch_size=2, shuffle=None)]
    assert [[0, 1], [2, 3]] == [batch.tolist() for batch in DataLoader(Count(5), batch_size=2, drop_last=True)]
    with pytest.raises(TypeError, match="must define __len__"):
        len(DataLoader(Count(5)))
    for settings in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        with pytest.raises(ArgumentError, match="an IterableDataset gives the order"):
            DataLoader(Count(5), **settings)
    with pytest.raises(NotImplementedError, match="IterableDataset must define __iter__"):
        iter(IterableDataset())


# ---- one behind the other


def test_datasets_one_behind_the_other():
    joined = numbered(3) + TensorDataset(mg.arange(0)) + numbered(2)
    assert isinstance(joined, ConcatDataset)
    assert isinstance(joined, Dataset)
    assert ([0, 1, 2, 0, 1], 5) == ([joined[i][0].item() for i in range(5)], len(joined))
    assert [1, 0, 2] == [joined[i][0].item() for i in (-1, -2, -3)]
    assert [3, 3, 5] == ConcatDataset([numbered(3), numbered(0), numbered(2)]).cumulative_sizes
    assert [[0, 1, 2, 0], [1]] == [batch[0].tolist() for batch in DataLoader(joined, 4)]
    for position in (5, -6):
        with pytest.raises(
            IndexRangeError, match=f"ConcatDataset: index must be positions in a dataset of 5 samples, got {position}"
        ):
            joined[position]
    with pytest.raises(ArgumentError, match="ConcatDataset: expected at least one dataset"):
        ConcatDataset([])
    with pytest.raises(InputTypeError, match=r"ConcatDataset: datasets\[1\] must have a length and dataset\[i\], got Count"):
        numbered(1) + Count(2)

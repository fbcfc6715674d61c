"""Datasets: what has a length and gives a sample for a position."""

from __future__ import annotations

import math
import operator
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, SupportsIndex

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError, IndexRangeError, InputTypeError, ShapeError
from ..ops.random import Generator, randperm

__all__ = ["ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset", "positions_in", "random_split"]


class Dataset:
    """Base of datasets: a subclass defines `dataset[i]`, the sample at position i, and `len(dataset)`."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __len__(self) -> int:
        raise InputTypeError(f"{type(self).__name__} must define __len__")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base of datasets that are read from front to end: a subclass defines `__iter__`."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class ConcatDataset(Dataset):
    """Datasets one behind the other.

    Errors: ArgumentError for none; InputTypeError for one without a length; IndexRangeError for a position outside.
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: expected at least one dataset, got none")
        for i, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
                raise InputTypeError(
                    f"ConcatDataset: datasets[{i}] must have a length and dataset[i], got {type(dataset).__name__}"
                )
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __getitem__(self, index: Any) -> Any:
        position = int(positions_in("ConcatDataset: index", [index], len(self))[0])
        number = bisect_right(self.cumulative_sizes, position)
        return self.datasets[number][position - (self.cumulative_sizes[number - 1] if number else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class TensorDataset(Dataset):
    """Tensors side by side: sample i is the tuple of their i-th rows.

    Shapes: all have the same first size n; the other axes and the dtypes are free.
    Errors: ArgumentError without tensors; InputTypeError for what is no Tensor; ShapeError for first sizes that differ.
    """

    def __init__(self, *tensors: Tensor):
        if not tensors:
            raise ArgumentError("TensorDataset: expected at least one Tensor, got none")
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise InputTypeError(f"TensorDataset: tensors[{i}] must be a Tensor, got {type(tensor).__name__}")
            if tensor.ndim == 0 or len(tensor) != len(tensors[0]):
                raise ShapeError(
                    "TensorDataset: the tensors must have equal first sizes: "
                    f"tensors[0] has shape {tensors[0].shape}, tensors[{i}] has {tensor.shape}"
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of a dataset at some positions, in their order; a position may occur more than once.

    `positions` holds them as an int64 array, `indices` as a list.
    Errors: InputTypeError for indices that are no ints; IndexRangeError for one outside the dataset.
    """

    def __init__(self, dataset: Any, indices: Iterable[SupportsIndex]):
        self.dataset = dataset
        self.positions = positions_in("Subset: indices", indices, len(dataset))

    @property
    def indices(self) -> list[int]:
        return self.positions.tolist()  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Any:
        chosen = self.positions[index]
        return self.dataset[chosen if chosen.ndim else int(chosen)]

    def __len__(self) -> int:
        return self.positions.size


def positions_in(name: str, indices: Iterable[SupportsIndex], size: int) -> Array:
    """Indices into a dataset of `size` samples as an int64 array; negative ones count from the end.

    Errors: InputTypeError for what is no int, IndexRangeError outside [−size, size), both beginning with `name`.
    """
    try:
        positions = np.fromiter(map(operator.index, indices), np.int64)
    except TypeError as error:
        raise InputTypeError(f"{name} must be ints: {error}") from None
    outside = positions[(positions < -size) | (positions >= size)]
    if outside.size:
        raise IndexRangeError(f"{name} must be positions in a dataset of {size} samples, got {outside[0]}")
    return np.where(positions < 0, positions + size, positions)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Non-overlapping random subsets that together are the whole dataset of n samples.

    lengths: ints that add up to n; or fractions that add up to 1: a part has ⌊fraction · n⌋ samples, and the samples left over go
    one each to the first parts. generator: None means the default one.
    Errors: ArgumentError for lengths that are negative or do not add up. Warns of a fraction that leaves a part empty.
    """
    sizes = _part_sizes(lengths, len(dataset))
    order = randperm(len(dataset), generator=generator).array
    ends = np.cumsum([0, *sizes]).tolist()
    return [Subset(dataset, order[start:end]) for start, end in pairwise(ends)]


def _part_sizes(lengths: Sequence[float], size: int) -> list[int]:
    lengths = list(lengths)
    if any(length < 0 for length in lengths):
        raise ArgumentError(f"random_split: lengths must not be negative, got {lengths}")
    if math.isclose(sum(lengths), 1):
        return _sizes_of_fractions(lengths, size)
    if not all(isinstance(length, (int, np.integer)) for length in lengths):
        raise ArgumentError(f"random_split: fractions must add up to 1, but {lengths} add up to {sum(lengths)}")
    if sum(lengths) != size:
        raise ArgumentError(f"random_split: lengths {lengths} add up to {sum(lengths)}, but the dataset has {size} samples")
    return [int(length) for length in lengths]


def _sizes_of_fractions(fractions: Sequence[float], size: int) -> list[int]:
    sizes = [math.floor(fraction * size) for fraction in fractions]
    left = size - sum(sizes)
    sizes = [n + (i < left) for i, n in enumerate(sizes)]
    if 0 in sizes:
        warnings.warn(f"random_split: part {sizes.index(0)} of {size} samples split by {fractions} is empty", stacklevel=4)
    return sizes

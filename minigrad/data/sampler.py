"""Samplers: the positions of a dataset in the order of an epoch, one by one or batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from ..core import Tensor
from ..errors import ArgumentError, InputTypeError
from ..ops.random import Generator, rand, randint, randperm

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler"]


class Sampler:
    """Base of samplers: a subclass defines `__iter__`, over positions, and `__len__`."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class SequentialSampler(Sampler):
    """0 … n − 1."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


def _check_count(name: str, num_samples: Any) -> None:
    if isinstance(num_samples, bool) or not isinstance(num_samples, (int, np.integer)) or num_samples <= 0:
        raise ArgumentError(f"{name}: num_samples must be a positive int, got {num_samples!r}")


class RandomSampler(Sampler):
    """num_samples positions (None: n) in random order; with `replacement` each drawn anew, otherwise again only when all had their turn."""

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None
    ):
        if not isinstance(replacement, bool):
            raise InputTypeError(f"RandomSampler: replacement must be True or False, got {replacement!r}")
        self.data_source, self.replacement, self.generator, self._count = data_source, replacement, generator, num_samples
        _check_count("RandomSampler", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many positions one pass draws."""
        return len(self.data_source) if self._count is None else self._count

    def __iter__(self) -> Iterator[int]:
        size, count = len(self.data_source), self.num_samples
        if self.replacement:
            return iter(randint(size, (count,), generator=self.generator).tolist())
        rounds = [randperm(size, generator=self.generator).array for _ in range(-(-count // size))]
        return iter(np.concatenate(rounds)[:count].tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given positions in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in randperm(len(self.indices), generator=self.generator).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """num_samples positions, each drawn with a probability in proportion to its weight; without `replacement` none twice.

    Errors: ArgumentError for weights that are negative or all 0, or too few that are not 0.
    Source: Efraimidis & Spirakis 2006, "Weighted random sampling with a reservoir" (without replacement).
    """

    def __init__(
        self, weights: Sequence[float] | Tensor, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ):
        name = "WeightedRandomSampler"
        _check_count(name, num_samples)
        self.weights = np.asarray(weights.array if isinstance(weights, Tensor) else weights, np.float64)
        needed = 1 if replacement else num_samples
        if (
            self.weights.ndim != 1
            or not (np.isfinite(self.weights) & (self.weights >= 0)).all()
            or np.count_nonzero(self.weights) < needed
        ):
            raise ArgumentError(f"{name}: weights must be a vector of at least {needed} positive numbers and zeros, got {weights}")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            sums = self.weights.cumsum()
            drawn = rand(self.num_samples, generator=self.generator, dtype=np.float64).array
            return iter(np.searchsorted(sums, drawn * sums[-1], side="right").tolist())
        drawn = rand(self.weights.size, generator=self.generator, dtype=np.float64).array
        with np.errstate(divide="ignore"):
            waits = -np.log1p(-drawn) / self.weights  # as of clocks that ring at these rates: who rings first is taken
        waits[self.weights == 0] = np.inf
        return iter(np.argsort(waits)[: self.num_samples].tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """What another sampler gives in lists of batch_size; the last is what is left, or is left out with drop_last."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size <= 0:
            raise ArgumentError(f"BatchSampler: batch_size must be a positive int, got {batch_size!r}")
        if not isinstance(drop_last, bool):
            raise ArgumentError(f"BatchSampler: drop_last must be True or False, got {drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, int(batch_size), drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        batch = []
        for position in self.sampler:
            batch.append(position)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

"""DataLoader: a dataset in batches, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..ops.convert import contiguous
from ..ops.create import as_tensor
from ..ops.joining import stack
from ..ops.random import Generator, randperm
from .dataset import IterableDataset, Subset, TensorDataset, positions_in
from .sampler import BatchSampler

__all__ = ["DataLoader", "default_collate"]


class DataLoader:
    """Batches of a dataset; each `for` loop over the loader is one epoch.

    - dataset: anything with a length and `dataset[i]`; or an IterableDataset, whose samples are taken as they come.
    - batch_size: samples a batch; the last batch has what is left, or is left out with drop_last.
    - shuffle: each epoch in a new random order from `generator` (None: the default one); the same seed gives the same epochs.
    - sampler: the positions in the order of an epoch, instead of 0 … n − 1; read anew when an epoch begins.
    - batch_sampler: lists of positions, a batch each, instead of batch_size, shuffle, sampler and drop_last.
    - collate_fn: what makes a batch of a list of samples (default: `default_collate`).
    - num_workers, pin_memory, timeout, worker_init_fn, multiprocessing_context, prefetch_factor, persistent_workers: for code written
      for PyTorch; 0, and without effect.
    - `len(loader)`: the number of batches.

    A batch of a TensorDataset, or of a Subset of one, is a list of contiguous Tensors (batch, …), each taken by a single indexing.
    Batches are made in this process, when they are asked for.
    Errors: ArgumentError for settings out of range or that exclude each other; InputTypeError for arguments of a wrong type;
    IndexRangeError for a sampler's position outside the dataset.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool | None = None,
        sampler: Iterable[SupportsIndex] | None = None,
        batch_sampler: Iterable[Sequence[SupportsIndex]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ):
        if num_workers != 0:
            raise ArgumentError(f"DataLoader: batches are made in this process: num_workers must be 0, got {num_workers!r}")
        shuffle = False if shuffle is None else shuffle
        _check_settings(batch_size, shuffle, drop_last, sampler)
        _check_types(dataset, sampler, collate_fn, generator)
        if batch_sampler is not None and (batch_size != 1 or shuffle or drop_last or sampler is not None):
            raise ArgumentError("DataLoader: batch_sampler takes the place of batch_size, shuffle, sampler and drop_last")
        if isinstance(dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError("DataLoader: an IterableDataset gives the order: neither shuffle nor a sampler can be asked for")
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.sampler: Any = sampler
        self.batch_sampler: Any = batch_sampler
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        self.drop_last = drop_last
        self.generator = generator
        self._by_rows = self.collate_fn is default_collate and _indexes_rows(dataset)

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        samples = len(self.dataset) if self.sampler is None else len(self.sampler)
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return map(self.collate_fn, BatchSampler(self.dataset, self.batch_size, self.drop_last))
        if self.batch_sampler is not None:
            size, what = len(self.dataset), "DataLoader: the batch sampler's indices"
            return (self._batch(positions_in(what, positions, size)) for positions in self.batch_sampler)
        # The order is drawn here, not at the first batch: what other code draws in between cannot change it.
        order = self._order()
        end = order.size - order.size % self.batch_size if self.drop_last else order.size
        return (self._batch(order[start : start + self.batch_size]) for start in range(0, end, self.batch_size))

    def _order(self) -> Array:
        size = len(self.dataset)
        if self.sampler is not None:
            return positions_in("DataLoader: the sampler's indices", self.sampler, size)
        return randperm(size, generator=self.generator).array if self.shuffle else np.arange(size)

    def _batch(self, positions: Array) -> Any:
        if self._by_rows:
            return _rows(self.dataset, positions)
        return self.collate_fn([self.dataset[i] for i in positions.tolist()])


def _check_settings(batch_size: Any, shuffle: Any, drop_last: Any, sampler: Any) -> None:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size <= 0:
        raise ArgumentError(f"DataLoader: batch_size must be a positive int, got {batch_size!r}")
    for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
        if not isinstance(flag, bool):
            raise ArgumentError(f"DataLoader: {name} must be True or False, got {flag!r}")
    if shuffle and sampler is not None:
        raise ArgumentError("DataLoader: shuffle=True and a sampler exclude each other: the sampler gives the order")


def _check_types(dataset: Any, sampler: Any, collate_fn: Any, generator: Any) -> None:
    ordered = sampler is None or (hasattr(sampler, "__iter__") and hasattr(sampler, "__len__"))
    checks = (
        ("dataset", dataset, hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"), "have a length and dataset[i]"),
        ("sampler", sampler, ordered, "be iterable and have a length"),
        ("collate_fn", collate_fn, collate_fn is None or callable(collate_fn), "be callable"),
        ("generator", generator, generator is None or isinstance(generator, Generator), "be a minigrad Generator"),
    )
    for name, value, holds, expected in checks:
        if not holds:
            raise InputTypeError(f"DataLoader: {name} must {expected}, got {type(value).__name__}")


def _indexes_rows(dataset: Any) -> bool:
    """Whether samples are nothing but rows of tensors: in a TensorDataset or a Subset of one, unless a subclass changes them."""
    getitem = type(dataset).__getitem__
    if getitem is Subset.__getitem__:
        return _indexes_rows(dataset.dataset)
    return getitem is TensorDataset.__getitem__


def _rows(dataset: Any, positions: Array) -> list[Tensor]:
    while isinstance(dataset, Subset):
        dataset, positions = dataset.dataset, dataset.positions[positions]
    return [_take(tensor, positions) for tensor in dataset.tensors]


def _take(tensor: Tensor, positions: Array) -> Tensor:
    if tensor.requires_grad or not tensor.is_contiguous():
        return contiguous(tensor[positions])
    return Tensor(tensor.array.take(positions, axis=0))


def default_collate(batch: Sequence[Any]) -> Any:
    """A list of samples as one batch.

    Tensors, arrays and NumPy numbers are stacked along a new first axis, with their dtype; Python ints become an int64 tensor, bools
    a bool one, floats, as in PyTorch, a float64 one; strings stay a list. Dicts, named tuples, tuples and lists are collated field
    by field, to a dict, a named tuple and, for tuples and lists, a list.
    Errors: InputTypeError for samples of other types; ShapeError for samples of different shapes or lengths.
    """
    first = batch[0]
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        return contiguous(stack([as_tensor(sample) for sample in batch]))
    if isinstance(first, (int, float)):
        return as_tensor(batch, np.float64 if isinstance(first, float) else None)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        return _collate_fields(batch, first)
    raise InputTypeError(
        "default_collate: samples must be Tensors, arrays, numbers, strings, or dicts, tuples and lists of these, "
        f"got {type(first).__name__}"
    )


def _collate_fields(batch: Sequence[Any], first: tuple[Any, ...] | list[Any]) -> Any:
    lengths = sorted({len(sample) for sample in batch})
    if len(lengths) > 1:
        raise ShapeError(f"default_collate: the samples of a batch must have equal lengths, got lengths {lengths}")
    fields = [default_collate(field) for field in zip(*batch, strict=True)]
    return type(first)(*fields) if hasattr(first, "_fields") else fields

"""What a training loop or an evaluation goes through: batches of inputs and targets, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..core import Tensor
from ..errors import ArgumentError, InputTypeError, ShapeError
from ..ops.create import as_tensor
from .dataset import TensorDataset
from .loader import DataLoader

__all__ = ["Batch", "batches", "loader_of"]


class Batch(NamedTuple):
    """The inputs of a model, mostly one, and the target."""

    inputs: tuple[Tensor, ...]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)


def loader_of(name: str, data: Any, batch_size: int = 1024, shuffle: bool = False) -> Iterable[Any]:
    """What gives the batches of `data`: a DataLoader, or another iterable of batches, gives its own; of a Dataset, or of Tensors (or
    arrays) side by side, batches of `batch_size` are made.

    Errors: InputTypeError, beginning with `name`, for anything else.
    """
    if isinstance(data, (tuple, list)) and len(data) > 1 and all(isinstance(part, (Tensor, np.ndarray)) for part in data):
        data = TensorDataset(*map(as_tensor, data))
    if isinstance(data, (Tensor, np.ndarray, str, dict)) or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise InputTypeError(
            f"{name}: data must be a DataLoader, a Dataset, a tuple of Tensors (inputs, targets) or an iterable of batches, "
            f"got {type(data).__name__}"
        )
    if hasattr(data, "__iter__"):
        return data  # type: ignore[no-any-return]
    return DataLoader(data, batch_size, shuffle)


def batches(name: str, data: Any) -> Iterator[Batch]:
    """The batches of `data`, see `loader_of`; of each the last part is the target, those before are inputs.

    Errors: InputTypeError for what is no batch; ShapeError if inputs and target have different first sizes; ArgumentError if there is
    not one batch.
    """
    found = False
    for batch in loader_of(name, data):
        found = True
        yield _batch(name, batch)
    if not found:
        raise ArgumentError(
            f"{name}: data has no batches; they are empty, or all were dropped (drop_last), or an iterator was gone through before"
        )


def _batch(name: str, batch: Any) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        _refuse(name, batch)
    *inputs, target = [
        x if isinstance(x, Tensor) else as_tensor(x) if isinstance(x, np.ndarray) else _refuse(name, batch) for x in batch
    ]
    size = target.array.shape[:1]
    for x in inputs:
        if not size or x.array.shape[:1] != size:
            shapes = ", ".join(str(x.shape) for x in (*inputs, target))
            raise ShapeError(f"{name}: inputs and target of a batch must have the same first size, got shapes {shapes}")
    return Batch(tuple(inputs), target)


def _refuse(name: str, batch: Any) -> NoReturn:
    what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise InputTypeError(f"{name}: a batch must be a tuple or list of Tensors, inputs and then the target; got {what}")

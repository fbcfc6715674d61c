"""The last steps of a training, kept to be run again: where did its NaN come from?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ...core import Tensor
from ...core.tensor import Array
from ...data import Batch
from ...nn import Module
from ...nn.utils import evaluating
from .births import finite
from .examination import birth_of
from .statistics import Birth

__all__ = ["LastSteps", "lost"]

SMALL = 1_000_000
"""Up to so many numbers in a model they are copied before each step (4 MB in float32, well below a millisecond; the step itself takes
several). Those of a larger model are copied at the beginning of each epoch, and a step is run again with these."""


class _Step(NamedTuple):
    """A step of the training, the batch, and the parameters and buffers before it."""

    n: int
    batch: Batch
    values: list[Array]


class LastSteps:
    """The last two steps, as a NaN in the gradients of one shows in the loss of the next."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=2)

    def keep(self, model: Module, n: int, batch: Batch, first: bool) -> None:
        """Note step n, which is about to be taken; `first` of its epoch."""
        tensors = list(_tensors(model))
        anew = first or not self._steps or sum(x.array.size for x in tensors) <= SMALL
        self._steps.append(_Step(n, batch, [x.array.copy() for x in tensors] if anew else self._steps[-1].values))

    def birth(self, model: Module, loss: Callable[..., Tensor]) -> Birth | None:
        """Where the first NaN or infinity came up, when these steps are run again. Random numbers (dropout) are drawn anew."""
        before: _Step | None = None
        for step in self._steps:
            with _as_before(model, step):
                found = birth_of(model, step.batch, loss)
            if found is not None and found.kind == "parameters" and before is not None:
                told = f"finite gradients, but too large: the update of step {before.n} made them ({found.told})"
                return Birth("update", found.place, told, before.n)
            if found is not None:
                return found._replace(step=step.n)
            before = step
        return None


def _tensors(model: Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


@contextmanager
def _as_before(model: Module, step: _Step) -> Iterator[None]:
    """Within it the model holds the values from before a step, and is in training mode."""
    with evaluating(model):  # which brings the modes back
        model.train()
        now = [x.array.copy() for x in _tensors(model)]
        try:
            _fill(model, step.values)
            yield
        finally:
            _fill(model, now)


def _fill(model: Module, values: list[Array]) -> None:
    for x, value in zip(_tensors(model), values, strict=True):
        np.copyto(x.array, value)


def lost(model: Module, losses: list[float]) -> bool:
    """Whether a training ended in NaN or infinities."""
    return not np.isfinite(losses[-1:]).all() or not all(map(finite, model.parameters()))

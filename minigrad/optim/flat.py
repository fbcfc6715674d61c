"""Flat storage of an optimizer: parameters, gradients and state of one dtype in one array each, so that a step is one kernel call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..core import Tensor, stamp_of
from ..core.tensor import Array, tick

__all__ = ["Flat"]

# Up to this many elements gradients are gathered into one array for a single call; beyond it, a call a parameter costs nothing.
_GATHER = 1 << 17

_storages: WeakValueDictionary[int, Array] = WeakValueDictionary()

Update = Callable[[Mapping[str, Any], int, Array, Array, Sequence[Array]], None]


class Flat:
    """Parameters of one dtype with their optimizer state. The tensors' own arrays become views of the flat one.

    A parameter whose array is seen from elsewhere too (an ndarray it shares, a detached alias, another optimizer) stays where it is,
    so that nobody is left with a stale copy; then the update runs parameter by parameter.
    """

    def __init__(self, params: Sequence[Tensor], state_names: Sequence[str]):
        self.params = list(params)
        self.dtype = params[0].dtype
        offsets = [0]
        for p in params:
            offsets.append(offsets[-1] + p.array.size)
        self.slices = [slice(a, b) for a, b in pairwise(offsets)]
        self.values = np.empty(offsets[-1], self.dtype)
        _storages[id(self.values)] = self.values
        self.gradients = np.empty(offsets[-1] if offsets[-1] <= _GATHER else 0, self.dtype)
        views = [self.values[s].reshape(p.shape) for s, p in zip(self.slices, params, strict=True)]
        places = [self.gradients[s].reshape(p.shape) for s, p in zip(self.slices, params, strict=True) if self.gradients.size]
        self.places = list(zip(views, places or views, strict=True))
        self.state = {name: np.zeros(offsets[-1], self.dtype) for name in state_names}
        self.steps = [0] * len(params)
        self.even = True
        for p, view in zip(params, views, strict=True):
            self._adopt(p, view)

    def _adopt(self, p: Tensor, view: Array) -> bool:
        """Move a parameter into the flat array, if nobody else sees its present one."""
        base = p.array.base
        # The tensor's slot and getrefcount's own argument are the two references that an array of one's own has.
        if sys.getrefcount(p.array) > 2 or not (base is None or id(base) in _storages):
            return False
        view[...] = p.array
        p.array = view
        return True

    def step(self, update: Update, group: Mapping[str, Any]) -> None:
        """Update every parameter that has a gradient."""
        gradients = self._gathered()
        if gradients is None:
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    self._step_one(i, p, update, group)
            self.even = len(set(self.steps)) == 1
        else:
            step = self.steps[0] + 1
            self.steps = [step] * len(self.steps)
            update(group, step, self.values, gradients, list(self.state.values()))
        now = tick()
        for p in self.params:
            if p.grad is not None:
                (p.stamp or stamp_of(p)).written = now

    def _gathered(self) -> Array | None:
        """All gradients in one array; None unless each parameter has one, lies in the flat array and is at the same step."""
        if not (self.even and self.gradients.size):
            return None
        for p, (view, place) in zip(self.params, self.places, strict=True):
            if p.grad is None or (p.array is not view and not self._adopt(p, view)):
                return None
            place[...] = p.grad.array
        return self.gradients

    def _step_one(self, i: int, p: Tensor, update: Update, group: Mapping[str, Any]) -> None:
        self.steps[i] += 1
        flat = p.array.ravel()
        gradient = p.grad.array.astype(self.dtype, copy=False).ravel()  # type: ignore[union-attr]
        update(group, self.steps[i], flat, gradient, [array[self.slices[i]] for array in self.state.values()])
        if not np.shares_memory(flat, p.array):
            p.array[...] = flat.reshape(p.shape)

    def state_of(self, i: int) -> dict[str, Any]:
        """The state of one parameter: its step and its arrays, as Tensors that share the flat memory."""
        shape = self.params[i].shape
        return {"step": self.steps[i], **{name: Tensor(a[self.slices[i]].reshape(shape)) for name, a in self.state.items()}}

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
from ..errors import ArgumentError, DtypeError

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
        offsets = [0]
        for p in params:
            offsets.append(offsets[-1] + p.array.size)
        self.slices = [slice(a, b) for a, b in pairwise(offsets)]
        self.size = offsets[-1]
        self.state: dict[str, Array] = {}
        self.steps = [0] * len(params)
        self.even = True
        self._allocate(params[0].dtype)
        self.require(state_names)

    def _allocate(self, dtype: np.dtype[Any]) -> None:
        """Make the arrays, and move the parameters in."""
        self.dtype = dtype
        self.values = np.empty(self.size, dtype)
        _storages[id(self.values)] = self.values
        self.gradients = np.empty(self.size if self.size <= _GATHER else 0, dtype)
        views = [self.values[s].reshape(p.shape) for s, p in zip(self.slices, self.params, strict=True)]
        places = [self.gradients[s].reshape(p.shape) for s, p in zip(self.slices, self.params, strict=True) if self.gradients.size]
        self.places = list(zip(views, places or views, strict=True))
        self.state = {name: array.astype(dtype) for name, array in self.state.items()}
        for p, view in zip(self.params, views, strict=True):
            self._adopt(p, view)

    def require(self, state_names: Sequence[str]) -> None:
        """Add state arrays that are not there yet (a setting was changed since); steps then count anew."""
        for name in state_names:
            if name not in self.state:
                self.state[name] = np.zeros(self.size, self.dtype)
                self.steps = [0] * len(self.params)
                self.even = True

    def set_steps(self, steps: Sequence[int]) -> None:
        """Say how often each parameter was updated."""
        self.steps = list(steps)
        self.even = len(set(self.steps)) == 1

    def _adopt(self, p: Tensor, view: Array) -> bool:
        """Move a parameter into the flat array, if nobody else sees its present one."""
        # The tensor's slot and getrefcount's own argument are the two references that an array of one's own has.
        if sys.getrefcount(p.array) > 2 or p.array.dtype != self.dtype:
            return False
        if p.array.base is not None:
            # It may also lie in the flat array of an optimizer that is gone, if nobody but these parameters looks into that.
            lodgers = sum(q.array.base is p.array.base for q in self.params)
            if id(p.array.base) not in _storages or sys.getrefcount(p.array.base) > lodgers + 1:
                return False
        view[...] = p.array
        p.array = view
        return True

    def step(self, update: Update, group: Mapping[str, Any]) -> None:
        """Update every parameter that has a gradient."""
        gradients = self._gathered()
        if gradients is None:
            self._follow_dtype()
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    self._step_one(i, p, update, group)
            self.set_steps(self.steps)
        else:
            step = self.steps[0] + 1
            self.steps = [step] * len(self.steps)
            update(group, step, self.values, gradients, list(self.state.values()))
        now = tick()
        for p in self.params:
            if p._grad is not None:
                (p.stamp or stamp_of(p)).written = now

    def _gathered(self) -> Array | None:
        """All gradients in one array; None unless each parameter has one, lies in the flat array and is at the same step."""
        if not (self.even and self.gradients.size):
            return None
        for p, (view, place) in zip(self.params, self.places, strict=True):
            g = p._grad
            if g is None or (p.array is not view and not self._adopt(p, view)):
                return None
            place[...] = g.array
        return self.gradients

    def _follow_dtype(self) -> None:
        """Go over to the parameters' dtype, if all were converted since the last step."""
        dtypes = {p.array.dtype for p in self.params}
        if len(dtypes) > 1:
            found = ", ".join(sorted(map(str, dtypes)))
            raise DtypeError(
                f"step: parameters that were all {self.dtype} are now {found}; make the optimizer after converting them"
            )
        if self.dtype not in dtypes:
            self._allocate(dtypes.pop())

    def _step_one(self, i: int, p: Tensor, update: Update, group: Mapping[str, Any]) -> None:
        if not p.array.flags.writeable:
            raise ArgumentError(f"step: the array behind a parameter of shape {p.shape} is read-only; clone() it first")
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

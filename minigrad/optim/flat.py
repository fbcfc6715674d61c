"""Flat storage of an optimizer: parameters, gradients and state of one dtype in one array each, so that a step is one kernel call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..core import Tensor, get_default_dtype, stamp_of
from ..core.tensor import Array, changes, tick
from ..errors import ArgumentError, DtypeError, ShapeError

__all__ = ["Flat"]

# Up to this many elements gradients are gathered into one array for a single call; beyond it, a call a parameter costs nothing.
_GATHER = 1 << 17

_storages: WeakValueDictionary[int, Array] = WeakValueDictionary()

Update = Callable[[Mapping[str, Any], int, Array, Array, Mapping[str, Array]], None]


class Flat:
    """Parameters of one dtype with their optimizer state. The tensors' own arrays become views of the flat one.

    `named` are the parameters, each after what messages call it. State is an array of the parameters' size for each of `state_names`,
    and one number a parameter for each of `number_names`.

    A parameter whose array is seen from elsewhere too (an ndarray it shares, a detached alias, another optimizer) stays where it is,
    so that nobody is left with a stale copy; then the update runs parameter by parameter.
    """

    def __init__(
        self, owner: str, named: Sequence[tuple[str, Tensor]], state_names: Sequence[str], number_names: Sequence[str] = ()
    ):
        self.owner, self.labels = owner, [label for label, _ in named]
        self.params = params = [p for _, p in named]
        offsets = [0]
        for p in params:
            offsets.append(offsets[-1] + p.array.size)
        self.slices = [slice(a, b) for a, b in pairwise(offsets)]
        self.size = offsets[-1]
        self.state: dict[str, Array] = {}
        self.numbers = {name: np.zeros(len(params), get_default_dtype()) for name in number_names}
        self.steps = [0] * len(params)
        self.extras: list[dict[str, Any]] = [{} for _ in params]  # what users keep beside the state
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
        self.places = list(zip(self.params, views, places or views, strict=True))
        self.state = {name: array.astype(dtype) for name, array in self.state.items()}
        for p, view in zip(self.params, views, strict=True):
            self._adopt(p, view)

    def require(self, state_names: Sequence[str]) -> None:
        """Add state arrays that are not there yet (a setting was changed since); steps count from the first of them."""
        missing = [name for name in state_names if name not in self.state]
        if missing and not self.state:
            self.set_steps([0] * len(self.params))
        for name in missing:
            self.state[name] = np.zeros(self.size, self.dtype)

    def set_steps(self, steps: Sequence[int]) -> None:
        """Say how often each parameter was updated."""
        self.steps = list(steps)
        self.even = len(set(zip(self.steps, *self.numbers.values(), strict=True))) == 1

    def set_step(self, i: int, step: int) -> None:
        """Say how often one parameter was updated."""
        self.steps[i] = step
        self.set_steps(self.steps)

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
        changes[0] += 1
        return True

    def step(self, update: Update, group: Mapping[str, Any], ascend: bool) -> None:
        """Update every parameter that has a gradient; with `ascend` by the opposite gradient."""
        now = tick()
        if self._gathered(now):
            gradients = -self.gradients if ascend else self.gradients
            step = self.steps[0] + 1
            self.steps = [step] * len(self.steps)
            state = {**self.state, **self._numbers_of(0)} if self.numbers else self.state
            update(group, step, self.values, gradients, state)
            for numbers in self.numbers.values():
                numbers[:] = numbers[0]
        else:
            self._check_shapes()
            self._follow_dtype()
            for i, p in enumerate(self.params):
                if p._grad is not None:
                    self._step_one(i, p, update, group, ascend)
                    (p.stamp or stamp_of(p)).written = now
            self.set_steps(self.steps)

    def _numbers_of(self, i: int) -> dict[str, Array]:
        """The numbers of one parameter, as arrays of one element."""
        return {name: numbers[i : i + 1] for name, numbers in self.numbers.items()}

    def _state_of(self, i: int) -> dict[str, Array]:
        return {name: array[self.slices[i]] for name, array in self.state.items()} | self._numbers_of(i)

    def _gathered(self, now: int) -> bool:
        """Gather the gradients into one array, unless a parameter has none, does not lie in the flat array or is at another step.
        Parameters that are gathered count as written now."""
        if not (self.even and self.gradients.size):
            return False
        for p, view, place in self.places:
            g = p._grad
            if g is None or (p.array is not view and not (p.array.shape == view.shape and self._adopt(p, view))):
                return False
            if g.array is not place:  # a program has written it there
                place[...] = g.array
            (p.stamp or stamp_of(p)).written = now
        return True

    def _check_shapes(self) -> None:
        for label, (p, view, _) in zip(self.labels, self.places, strict=True):
            if p.array.shape != view.shape:
                raise ShapeError(
                    f"{self.owner}.step: {label} had shape {view.shape} when the optimizer was made, and has {p.shape} now; "
                    "make the optimizer after changing it"
                )

    def _follow_dtype(self) -> None:
        """Go over to the parameters' dtype, if all were converted since the last step."""
        dtypes = {p.array.dtype for p in self.params}
        if len(dtypes) > 1:
            found = ", ".join(sorted(map(str, dtypes)))
            raise DtypeError(
                f"{self.owner}.step: parameters that were all {self.dtype} are now {found}; make the optimizer after converting them"
            )
        if self.dtype not in dtypes:
            self._allocate(dtypes.pop())

    def _step_one(self, i: int, p: Tensor, update: Update, group: Mapping[str, Any], ascend: bool) -> None:
        if not p.array.flags.writeable:
            raise ArgumentError(f"{self.owner}.step: the array behind {self.labels[i]} is read-only; clone() it first")
        self.steps[i] += 1
        flat = p.array.ravel()
        gradient = p.grad.array.astype(self.dtype, copy=False).ravel()  # type: ignore[union-attr]
        update(group, self.steps[i], flat, -gradient if ascend else gradient, self._state_of(i))
        if not np.shares_memory(flat, p.array):
            p.array[...] = flat.reshape(p.shape)

    @property
    def names(self) -> list[str]:
        """The names of a parameter's arrays and numbers."""
        return [*self.state, *self.numbers]

    def array_of(self, i: int, name: str) -> Array:
        """A state of one parameter, flat."""
        return self._state_of(i)[name]

    def shape_of(self, i: int, name: str) -> tuple[int, ...]:
        """The shape that a state of one parameter has."""
        return () if name in self.numbers else self.params[i].shape

    def state_of(self, i: int) -> dict[str, Any]:
        """The state of one parameter: its step and its arrays, as Tensors that share the flat memory; and what users added."""
        if not self.steps[i]:
            return dict(self.extras[i])
        arrays = {name: Tensor(array.reshape(self.shape_of(i, name))) for name, array in self._state_of(i).items()}
        return {"step": self.steps[i], **self.extras[i], **arrays}

    def load(self, state_names: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> None:
        """Overwrite the state of every parameter; what an entry does not hold becomes 0."""
        self.require(state_names)
        for i, entry in enumerate(entries):
            for name, array in self._state_of(i).items():
                array[:] = entry[name].ravel() if name in entry else 0
            self.extras[i] = {name: value for name, value in entry.items() if name not in (*self.names, "step")}
        self.set_steps([int(entry.get("step", 1 if entry else 0)) for entry in entries])  # PyTorch's SGD counts no steps

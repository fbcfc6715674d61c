"""L-BFGS: a quasi-Newton method for smooth problems whose whole gradient can be had at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, touch
from ..core.tensor import Array
from ..errors import ArgumentError, InputTypeError, StateDictError
from .flat import Flat
from .line_search import Point, dot, largest, strong_wolfe, total
from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """p ← p + t d with d = −H g, where H is the inverse Hessian as the last `history_size` changes of p and of the gradient show it.

    `step(closure)` makes up to `max_iter` such moves; the closure clears the gradients, computes the loss, calls backward and returns the
    loss, and is called up to `max_eval` times (5/4 max_iter if None). t is lr, in the very first move lr min(1, 1 / Σ|g|); with
    line_search_fn "strong_wolfe" t is searched for until the loss falls enough and its slope flattens (c₁ = 1e-4, c₂ = 0.9). A step ends
    early where no |g| is above tolerance_grad, or where p or the loss change by less than tolerance_change.
    One group of parameters only.
    Source: Nocedal & Wright 2006, "Numerical optimization", algorithms 7.4, 7.5, 3.5, 3.6.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        settings = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        self._memory: dict[str, Any] = {"func_evals": 0, "n_iter": 0}
        super().__init__(params, settings)

    def check(self, group: Mapping[str, Any]) -> None:
        for name in ("max_iter", "max_eval", "history_size"):
            self.require(group, name, isinstance(group[name], (int, np.integer)), "an int")
        self.require(group, "history_size", group["history_size"] >= 1, "at least 1")
        self.require_numbers(group, "tolerance_grad", "tolerance_change")
        self.require(group, "line_search_fn", group["line_search_fn"] in (None, "strong_wolfe"), "None or 'strong_wolfe'")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ArgumentError("LBFGS: takes one group of parameters, not several")
        super().add_param_group(param_group)

    def _storage(self, group: Mapping[str, Any]) -> list[Flat]:
        return []

    # ---- the step

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise InputTypeError("LBFGS.step: needs a closure that computes the loss, calls backward and returns the loss")
        group, memory = self._recheck(0), self._memory
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        first, g = self._evaluate(closure)
        loss, evaluations = float(first), 1
        memory["func_evals"] += 1
        if largest(g) <= tolerance_grad:
            return first
        for move in range(1, group["max_iter"] + 1):
            d = self._direction(g, group["history_size"])
            t = group["lr"] * (1.0 if memory["n_iter"] > 1 else 1 / max(1.0, total(g)))
            start = Point(0.0, loss, g, dot(g, d))
            memory.update(d=d, t=t, prev_flat_grad=g, prev_loss=loss)
            if start.slope > -tolerance_change:
                break
            origin = [p.array.copy() for p in group["params"]]
            at = partial(self._at, closure, origin, d)
            if group["line_search_fn"]:
                point, used = strong_wolfe(at, start, t, largest(d), tolerance_change, group["max_eval"] - evaluations)
                self._move(origin, point.t, d)
            elif move < group["max_iter"]:
                point, used = at(t), 1
            else:  # the next step evaluates there
                self._move(origin, t, d)
                break
            memory["t"], loss, g = point.t, point.loss, point.gradient
            evaluations += used
            memory["func_evals"] += used
            still = largest(d) * abs(point.t) <= tolerance_change or abs(loss - start.loss) < tolerance_change
            if evaluations >= group["max_eval"] or largest(g) <= tolerance_grad or still:
                break
        return first

    def _direction(self, g: Array, history_size: int) -> Array:
        """−H g, after the last move has been entered in the history."""
        memory = self._memory
        memory["n_iter"] += 1
        if memory["n_iter"] == 1:
            memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -g
        with np.errstate(all="ignore"):
            y, s = g - memory["prev_flat_grad"], memory["d"] * memory["t"]
            curvature = dot(y, s)
            if curvature > 1e-10:
                for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1 / curvature)):
                    memory[name] = [*memory[name], value][-history_size:]
                memory["H_diag"] = curvature / dot(y, y)
            return _two_loops(g, memory["old_dirs"], memory["old_stps"], memory["ro"], memory["H_diag"])

    def _at(self, closure: Callable[[], Any], origin: Sequence[Array], d: Array, t: float) -> Point:
        """The loss and its gradient at `origin` + t d, where the parameters are left."""
        self._move(origin, t, d)
        loss, g = self._evaluate(closure)
        return Point(t, float(loss), g, dot(g, d))

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[Any, Array]:
        """What the closure returns, and the gradients as one array."""
        with enable_grad():
            loss = closure()
        params = self.param_groups[0]["params"]
        return loss, np.concatenate([(np.zeros_like(p.array) if p.grad is None else p.grad.array).ravel() for p in params])

    def _move(self, origin: Sequence[Array], t: float, d: Array) -> None:
        offset = 0
        for p, values in zip(self.param_groups[0]["params"], origin, strict=True):
            touch(p)
            with np.errstate(all="ignore"):
                p.array[...] = values + t * d[offset : offset + values.size].reshape(values.shape)
            offset += values.size

    # ---- state

    def _state_view(self) -> MutableMapping[Tensor, Any]:
        """The history, under the first parameter."""
        memory = self._memory
        return {self.param_groups[0]["params"][0]: {k: _wrapped(v) for k, v in memory.items()}} if memory["func_evals"] else {}

    def _load_state(self, state: Mapping[int, Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]) -> None:
        memory = {"func_evals": 0, "n_iter": 0} | {k: _unwrapped(k, v) for k, v in state.get(0, {}).items() if k in _NAMES}
        size = sum(p.numel() for p in groups[0]["params"])
        for name in ("d", "prev_flat_grad", "old_dirs", "old_stps") if memory["n_iter"] else ():
            given: Any = memory.get(name)
            if any(np.shape(array) != (size,) for array in (given if isinstance(given, list) else [given])):
                raise StateDictError(f"LBFGS.load_state_dict: {name} must hold {size} numbers, got {given}")
        self._memory = memory


_NAMES = ("func_evals", "n_iter", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


def _two_loops(g: Array, ys: Sequence[Array], ss: Sequence[Array], ro: Sequence[float], diagonal: float) -> Array:
    """−H g from the changes y of the gradient and s of the parameters, ro = 1 / (y · s), starting from H = `diagonal`."""
    r, along = -g, []
    for y, s, weight in zip(reversed(ys), reversed(ss), reversed(ro), strict=True):
        along.append(dot(s, r) * weight)
        r = r - along[-1] * y
    r = r * diagonal
    for y, s, weight, a in zip(ys, ss, ro, reversed(along), strict=True):
        r = r + (a - dot(y, r) * weight) * s
    return r


def _wrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [_wrapped(item) for item in value]
    return Tensor(value) if isinstance(value, np.ndarray) else value


def _unwrapped(name: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_unwrapped(name, item) for item in value]
    array = value.array if isinstance(value, Tensor) else np.asarray(value)
    return array.copy() if array.ndim else array.item()

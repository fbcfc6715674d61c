"""What all optimizers share: parameter groups, the step, state_dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad
from ..core.tensor import Array
from ..errors import ArgumentError, InputTypeError, StateDictError
from .flat import Flat

__all__ = ["Optimizer"]


class Optimizer:
    """Base of the optimizers.

    `params` are Tensors, or groups: dictionaries with "params" and settings of their own. A change of a group's settings (a learning
    rate) takes effect at the next step. A subclass says which state arrays it needs and updates stretches of flat arrays.
    Errors: ArgumentError for an empty list or settings out of range; InputTypeError for what is no Tensor.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._flats: list[list[Flat]] = []
        if isinstance(params, Tensor):
            raise InputTypeError(f"{self.name}: params must be an iterable of Tensors, got a Tensor; write [tensor]")
        if not isinstance(params, Iterable):
            raise InputTypeError(
                f"{self.name}: params must be an iterable of Tensors, got {type(params).__name__}; see .parameters()"
            )
        given: list[Any] = [item[1] if isinstance(item, tuple) else item for item in params]  # named_parameters() will do
        if not given:
            raise ArgumentError(f"{self.name}: the parameter list is empty")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    # ---- what a subclass defines

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for settings out of range."""

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        """The names of the state arrays that a group needs, each of the parameters' size."""
        return ()

    def update(self, group: Mapping[str, Any], step: int, p: Array, g: Array, state: Sequence[Array]) -> None:
        """Overwrite flat parameters `p` and state, given flat gradients `g`; `step` counts from 1."""
        raise NotImplementedError(f"{self.name} does not define update")

    # ---- what they share

    @property
    def name(self) -> str:
        return type(self).__name__

    def require(self, group: Mapping[str, Any], name: str, condition: bool, expected: str) -> None:
        """Raise ArgumentError unless a setting is as expected."""
        if not condition:
            raise ArgumentError(f"{self.name}: {name} must be {expected}, got {group[name]!r}")

    def require_not_negative(self, group: Mapping[str, Any], *names: str) -> None:
        for name in names:
            value = group[name]
            self.require(group, name, isinstance(value, (int, float, np.number)) and bool(value >= 0), "at least 0")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, with settings of their own where given."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise InputTypeError(f"{self.name}: a parameter group is a dictionary with 'params', got {param_group!r}")
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        self._check_params(params)
        unknown = set(param_group) - {"params", *self.defaults}
        if unknown:
            raise ArgumentError(f"{self.name}: unknown settings {sorted(unknown)}; there are {', '.join(self.defaults)}")
        group = {**self.defaults, **param_group, "params": params}
        self.check(group)
        by_dtype: dict[Any, list[Tensor]] = {}
        for p in params:
            by_dtype.setdefault(p.dtype, []).append(p)
        self.param_groups.append(group)
        self._flats.append([Flat(alike, self.state_names(group)) for alike in by_dtype.values()])

    def _check_params(self, params: Sequence[Any]) -> None:
        if not params:
            raise ArgumentError(f"{self.name}: the parameter list is empty")
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise InputTypeError(f"{self.name}: params[{i}] must be a Tensor, got {type(p).__name__}")
            if not p.is_leaf or p.dtype.kind != "f":
                raise ArgumentError(f"{self.name}: params[{i}] must be a leaf of floating-point dtype, got {p!r}")
            if id(p) in known:
                raise ArgumentError(f"{self.name}: params[{i}] is given twice")
            known.add(id(p))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or set them to zero)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p.grad is not None:
                    p.grad = Tensor(np.zeros_like(p.grad.array))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient. With a closure, call it first (recording) and return its loss."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group, flats in zip(self.param_groups, self._flats, strict=True):
            for flat in flats:
                flat.require(self.state_names(group))
                flat.step(self.update, group)
        return loss

    # ---- state

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter that was updated: its step and its state, as Tensors that share the optimizer's memory."""
        return {p: flat.state_of(i) for flats in self._flats for flat in flats for i, p in enumerate(flat.params) if flat.steps[i]}

    def state_dict(self) -> dict[str, Any]:
        """The state by parameter number, and the groups with numbers for parameters: a copy, for `load_state_dict`."""
        number = {id(p): n for n, p in enumerate(self._all_params())}
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {
            number[id(p)]: {k: v.clone() if isinstance(v, Tensor) else v for k, v in values.items()}
            for p, values in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state_dict of an optimizer with the same groups. Errors: StateDictError, before anything is changed."""
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise StateDictError(f"{self.name}.load_state_dict: expected a dictionary with 'state' and 'param_groups'")
        groups = state_dict["param_groups"]
        sizes, own = [len(group["params"]) for group in groups], [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise StateDictError(f"{self.name}.load_state_dict: groups of {sizes} parameters do not fit groups of {own}")
        updated = [
            {**group, **{key: value for key, value in new.items() if key != "params"}}
            for group, new in zip(self.param_groups, groups, strict=True)
        ]
        for group in updated:
            self.check(group)
        names = {id(p): self.state_names(group) for group in updated for p in group["params"]}
        places = {id(p): (flat, i) for flats in self._flats for flat in flats for i, p in enumerate(flat.params)}
        entries = []
        for n, p in enumerate(self._all_params()):
            flat, i = places[id(p)]
            entry = state_dict["state"].get(n, {})
            for name in names[id(p)]:
                if entry and (name not in entry or entry[name].shape != p.shape):
                    found = entry[name].shape if name in entry else "nothing"
                    raise StateDictError(
                        f"{self.name}.load_state_dict: {name} of parameter {n} must have shape {p.shape}, got {found}"
                    )
            entries.append((flat, i, entry))
        for flat, i, entry in entries:
            flat.require(names[id(flat.params[i])])
            for name, array in flat.state.items():
                array[flat.slices[i]] = entry[name].array.ravel() if name in entry else 0
        for flat in (flat for flats in self._flats for flat in flats):
            flat.set_steps([int(entry.get("step", 0)) for own_flat, _, entry in entries if own_flat is flat])
        for group, new in zip(self.param_groups, updated, strict=True):
            group.update(new)

    def _all_params(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for n, group in enumerate(self.param_groups):
            count = sum(p.numel() for p in group["params"])
            settings = ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            lines.append(f"  group {n}: {len(group['params'])} tensors, {count:,} parameters; {settings}\n")
        return f"{self.name}(\n{''.join(lines)})"

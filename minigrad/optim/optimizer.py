"""What all optimizers share: parameter groups, the step, state_dict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from functools import wraps
from itertools import count
from operator import is_
from typing import Any

import numpy as np

from ..core import Handle, Tensor, enable_grad
from ..core.mode import RECORD, get_mode
from ..core.recorder import recorder
from ..core.tensor import Array, changes, tick
from ..errors import ArgumentError, InputTypeError, StateDictError
from ..kernels.update import Update
from ..ops.create import zeros_like
from .flat import Flat
from .state import States

__all__ = ["Call", "Optimizer", "settings_of"]

Call = tuple[Update, Sequence[str], Sequence[float]]
"""A kernel of a step: its rule, the names of the arrays it takes, its numbers."""

_NUMBER = (int, float, np.number)

# Settings of PyTorch's that say how to run an update, not which. There is one way here.
_WAYS = ("foreach", "fused", "capturable", "differentiable")
# What is not taken over from a state_dict.
_FOREIGN = frozenset({"params", "param_names", *_WAYS})


def settings_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the `locals()` of an `__init__`."""
    return {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}


class Optimizer:
    """Base of the optimizers.

    `params` are Tensors, or groups: dictionaries with "params" and settings of their own. A change of a group's settings (a learning
    rate) takes effect at the next step, which checks them again; the sign of the learning rate alone is left to who changed it, as a
    schedule may come out a rounding error below 0. With the setting "maximize" an optimizer goes up the gradient. A learning rate (or a
    pair of betas) may be a Tensor of one element, which is looked at in every step. `foreach` and `fused` choose among PyTorch's loops
    and change nothing here; `capturable` and `differentiable` must be False.
    A subclass says which state arrays it needs and which kernels update them (`updates`), or updates stretches of flat arrays in a way
    of its own (`update`); or, as in PyTorch, it defines `step` itself and keeps what it likes in `state[p]`. Step hooks run around each.
    Errors: ArgumentError for an empty list or settings out of range; InputTypeError for what is no Tensor.
    """

    number_names: Sequence[str] = ()
    """The names of what is one number a parameter, beside its step."""

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        # Schedules ask, to warn of one that runs ahead. A step of a subclass's own does not say.
        self.stepped = type(self).step is not Optimizer.step
        self._own_state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self._flats: list[list[Flat]] = []
        self._checked: list[tuple[dict[str, Any], bool]] = []  # the settings as they were checked; whether Tensors are among them
        self._held: list[list[Tensor]] = []  # the parameters that the flat arrays were made for
        self._states: States | None = None  # the view of the flat arrays, until they change
        self._hooks: dict[int, tuple[bool, Callable[..., Any]]] = {}  # whether to run before the step, and the hook
        self._in_step = False  # whether hooks see a step already, which may be made of others
        if isinstance(params, Tensor):
            raise InputTypeError(f"{self.name}: params must be an iterable of Tensors, got a Tensor; write [tensor]")
        if not isinstance(params, Iterable):
            raise InputTypeError(
                f"{self.name}: params must be an iterable of Tensors, got {type(params).__name__}; see .parameters()"
            )
        given: list[Any] = list(params)
        if not given:
            raise ArgumentError(f"{self.name}: the parameter list is empty")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    # ---- what a subclass defines

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for settings out of range; the learning rate is checked already."""

    def state_names(self, group: Mapping[str, Any]) -> Sequence[str]:
        """The names of the state arrays that a group needs, each of the parameters' size; they start from 0."""
        return ()

    def updates(self, group: Mapping[str, Any], step: int, state: Mapping[str, Array]) -> Sequence[Call]:
        """The kernels of a step, in order: each with the names of its arrays (in the kernel's order: "p", "g", names of states, or
        "work", scratch of the parameters' size) and its numbers. `step` counts from 1.

        To be called once a step, as it moves the states of `number_names` on. State arrays may be filled at step 1 (those that do not
        start from 0), but their values are never looked at: so the kernels may run later, by whoever reads this.
        """
        raise NotImplementedError(f"{self.name} does not define updates")

    def update(self, group: Mapping[str, Any], step: int, p: Array, g: Array, state: Mapping[str, Array]) -> None:
        """Overwrite flat parameters `p` and state, given flat gradients `g`: run the kernels of `updates`, if not defined anew."""
        arrays = {"p": p, "g": g, **state}
        for rule, names, numbers in self.updates(group, step, state):
            if "work" in names and "work" not in arrays:
                arrays["work"] = np.empty_like(p)
            rule[p.dtype](*map(arrays.__getitem__, names), *numbers)

    # ---- what they share

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def _steps_itself(self) -> bool:
        """Whether `step` is the subclass's own: it defines neither `updates` nor `update`."""
        return type(self).updates is Optimizer.updates and type(self).update is Optimizer.update

    def require(self, group: Mapping[str, Any], name: str, condition: bool, expected: str) -> None:
        """Raise ArgumentError unless a setting is as expected."""
        if not condition:
            raise ArgumentError(f"{self.name}: {name} must be {expected}, got {group[name]!r}")

    def require_not_negative(self, group: Mapping[str, Any], *names: str) -> None:
        """Raise ArgumentError unless settings are numbers of at least 0."""
        for name in names:
            self.require(group, name, isinstance(group[name], _NUMBER) and group[name] >= 0, "at least 0")

    def require_numbers(self, group: Mapping[str, Any], *names: str) -> None:
        """Raise ArgumentError unless settings are numbers."""
        for name in names:
            self.require(group, name, isinstance(group[name], _NUMBER), "a number")

    def require_flags(self, group: Mapping[str, Any], *names: str) -> None:
        """Raise ArgumentError unless settings are True or False."""
        for name in names:
            self.require(group, name, isinstance(group[name], (bool, int, np.bool_)), "True or False")

    def require_pair(self, group: Mapping[str, Any], name: str, condition: Callable[[Any, Any], bool], expected: str) -> None:
        """Raise ArgumentError unless a setting is two numbers that meet a condition."""
        pair = group[name]
        numbers = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(n, _NUMBER) for n in pair)
        self.require(group, name, numbers and condition(*pair), expected)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, with settings of their own where given."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise InputTypeError(f"{self.name}: a parameter group is a dictionary with 'params', got {param_group!r}")
        given = param_group["params"]
        if isinstance(given, (set, frozenset)):
            raise InputTypeError(f"{self.name}: params must be in an order, for the state to find them again; got a set")
        items = [given] if isinstance(given, Tensor) else list(given)
        named = [item for item in items if isinstance(item, tuple)]  # named_parameters() will do
        params = [item[1] if isinstance(item, tuple) else item for item in items]
        self._check_params(params)
        mixed = bool(self.param_groups) and bool(named) != ("param_names" in self.param_groups[0])
        if mixed or 0 < len(named) < len(items):
            raise ArgumentError(
                f"{self.name}: all parameters must come with names, or none; got {len(named)} names for {len(items)}"
            )
        for key in set(param_group) - {
            "params",
            "param_names",
            *self.defaults,
        }:  # keys of one's own are kept, as in PyTorch; slips are not
            meant = get_close_matches(key, self.defaults, 1)
            if meant:
                raise ArgumentError(f"{self.name}: unknown setting {key!r}; did you mean {meant[0]!r}?")
        group = {**self.defaults, **param_group, "params": params}
        if named:
            group["param_names"] = [name for name, _ in named]
        self._check(group)
        self.param_groups.append(group)
        self._checked.append(_noted(group))
        self._flats.append(self._storage(group))
        self._states = None
        changes[0] += 1
        self._held.append(list(params))

    def _check(self, group: Mapping[str, Any], scheduled: bool = False) -> None:
        if group.get("foreach") and group.get("fused"):
            raise ArgumentError(f"{self.name}: foreach and fused cannot both be True")
        for name in ("capturable", "differentiable"):
            self.require(group, name, not group.get(name), "False: an update is no operation that could be recorded")
        group = self._plain(group)
        if "lr" in group:
            (self.require_numbers if scheduled else self.require_not_negative)(group, "lr")
        self.check(group)

    def _plain(self, group: Mapping[str, Any]) -> Mapping[str, Any]:
        """A group with Tensors among its settings as numbers."""
        return {name: self._number(name, value) if name in self.defaults else value for name, value in group.items()}

    def _number(self, name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            if len({isinstance(part, Tensor) for part in value}) > 1:
                raise ArgumentError(f"{self.name}: {name} must be all numbers or all Tensors, got {value}")
            return tuple(self._number(name, part) for part in value)
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ArgumentError(f"{self.name}: {name} must be a number or a Tensor of 1 element, got shape {value.shape}")
        return value.item() if isinstance(value, Tensor) else value

    def _recheck(self, n: int) -> Mapping[str, Any]:
        """The settings of a group, as numbers; they are checked again if they were changed."""
        group = self.param_groups[n]
        checked, with_tensors = self._checked[n]
        if group != checked:
            self._check(group, scheduled=True)
            _, with_tensors = self._checked[n] = _noted(group)
            for flat in self._flats[n]:
                flat.require(self.state_names(group))
        return self._plain(group) if with_tensors else group

    def _follow_groups(self) -> None:
        """Allocate anew where groups, or lists of parameters, were edited by hand; who stays keeps the state."""
        groups, state = list(self.param_groups), self.state
        changes[0] += 1
        self.param_groups.clear()
        try:
            for group in groups:
                group.update({**self.defaults, **group})
                self._check_params(group["params"])
                self._check(group, scheduled=True)
                self.param_groups.append(group)
        except Exception:
            self.param_groups[:] = groups
            raise
        self._flats, self._states = [], None
        self._flats = [self._storage(group) for group in groups]
        self._checked, self._held = [_noted(group) for group in groups], [list(group["params"]) for group in groups]
        self._load_state({n: state[p] for n, p in enumerate(self._all_params()) if p in state}, groups)

    def _storage(self, group: Mapping[str, Any]) -> list[Flat]:
        """The flat arrays of a group, one a dtype."""
        names = group.get("param_names", ())
        by_dtype: dict[Any, list[tuple[str, Tensor]]] = {}
        for n, p in enumerate(group["params"]):
            by_dtype.setdefault(p.dtype, []).append((names[n] if n < len(names) else f"params[{n}]", p))
        return [Flat(self.name, alike, self.state_names(group), self.number_names) for alike in by_dtype.values()]

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
        watched = get_mode() & RECORD
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                    if watched:
                        recorder.get().bind(p, None)
                elif p.grad is not None:
                    p.grad = zeros_like(p.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient. With a closure, call it first (recording) and return its loss."""
        self.stepped = True
        if not self._hooks or self._in_step:
            return self._step(closure)
        return self._step_with_hooks(type(self)._step, (self,) if closure is None else (self, closure), {})

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if get_mode() & RECORD:
            recorder.get().call(self._update_all, (), {}, "barrier")
        else:
            self._update_all()
        return loss

    def _update_all(self) -> None:
        if not self.as_held():
            self._follow_groups()
        for n, flats in enumerate(self._flats):
            settings = self._recheck(n)
            for flat in flats:
                flat.step(self.update, settings, settings.get("maximize", False))

    def as_held(self) -> bool:
        """Whether groups and parameters are those that the flat arrays were made for."""
        groups, every = self.param_groups, self._held
        if len(groups) != len(every):
            return False
        for group, held in zip(groups, every):  # noqa: B905  (strict costs time here)
            params = group["params"]
            if len(params) != len(held) or not all(map(is_, params, held)):
                return False
        return True

    # ---- hooks

    def _step_with_hooks(self, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in [hook for before, hook in self._hooks.values() if before]:
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise ArgumentError(f"{self.name}.step: a hook must return None or (args, kwargs), got {changed!r}")
                args, kwargs = changed
        self._in_step = True
        try:
            result = step(*args, **kwargs)
        finally:
            self._in_step = False
        for hook in [hook for before, hook in self._hooks.values() if not before]:
            hook(self, args, kwargs)
        return result

    def _add_hook(self, before: bool, hook: Callable[..., Any]) -> Handle:
        key = tick()
        self._hooks[key] = before, hook
        return Handle(lambda: self._hooks.pop(key, None) and None)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(optimizer, args, kwargs)` before each step; what it returns, if not None, takes the arguments' place.

        As in PyTorch `args` starts with the optimizer itself.
        """
        return self._add_hook(True, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> Handle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return self._add_hook(False, hook)

    # ---- state

    @property
    def state(self) -> MutableMapping[Tensor, Any]:
        """For each parameter that was updated: its step and its state, as Tensors that share the optimizer's memory. What is written
        into the dictionaries, or assigned, is written through; what is taken out starts from 0."""
        return self._state_view()

    @state.setter
    def state(self, values: Mapping[Tensor, Any]) -> None:
        state = {n: dict(values[p]) for n, p in enumerate(self._all_params()) if p in values}
        self._load_state(state, self.param_groups)

    def _state_view(self) -> MutableMapping[Tensor, Any]:
        if self._steps_itself:
            return self._own_state
        if self._states is None:
            self._states = States([flat for flats in self._flats for flat in flats])
        return self._states

    def state_dict(self) -> dict[str, Any]:
        """The state by parameter number, and the groups with numbers for parameters: a copy, for `load_state_dict`."""
        number = {id(p): n for n, p in enumerate(self._all_params())}
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {number[id(p)]: deepcopy(dict(values)) for p, values in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state_dict of an optimizer with the same groups. Errors: StateDictError, before anything is changed.

        PyTorch's will do, its tensors as they are: the names are the same.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise StateDictError(f"{self.name}.load_state_dict: expected a dictionary with 'state' and 'param_groups'")
        groups = state_dict["param_groups"]
        sizes, own = [len(group["params"]) for group in groups], [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise StateDictError(f"{self.name}.load_state_dict: groups of {sizes} parameters do not fit groups of {own}")
        updated = [
            {**group, **{key: deepcopy(value) for key, value in new.items() if key not in _FOREIGN}}
            for group, new in zip(self.param_groups, groups, strict=True)
        ]
        for group in updated:
            self._check(group)
        self._load_state(state_dict["state"], updated)
        for group, new in zip(self.param_groups, updated, strict=True):
            group.update(new)

    def _load_state(self, state: Mapping[int, Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]) -> None:
        if self._steps_itself:
            self._own_state = defaultdict(
                dict, {p: deepcopy(dict(state[n])) for n, p in enumerate(self._all_params()) if n in state}
            )
            return
        number = count()
        entries = {id(p): self._entry(state, next(number), p, self.state_names(group)) for group in groups for p in group["params"]}
        for group, flats in zip(groups, self._flats, strict=True):
            for flat in flats:
                flat.load(self.state_names(group), [entries[id(p)] for p in flat.params])

    def _entry(self, state: Mapping[int, Mapping[str, Any]], n: int, p: Tensor, names: Sequence[str]) -> dict[str, Any]:
        """What is saved of parameter n, the state itself as arrays; an empty dictionary if it was never updated."""
        shapes = {**dict.fromkeys(names, p.shape), **dict.fromkeys(self.number_names, ())}
        found = {k: _array(value) if k in (*shapes, "step") else deepcopy(value) for k, value in state.get(n, {}).items()}
        for name, shape in shapes.items() if found else ():
            if name not in found or found[name].shape != shape:
                raise StateDictError(
                    f"{self.name}.load_state_dict: {name} of parameter {n} must have shape {shape}, "
                    f"got {found[name].shape if name in found else 'nothing'}"
                )
        return found

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: the flat arrays, into which parameters look, stay here."""
        return {**vars(self), "_flats": self.state_dict()["state"], "_states": None, "_hooks": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._flats = [self._storage(group) for group in self.param_groups]
        self._held = [list(group["params"]) for group in self.param_groups]
        self._load_state(state["_flats"], self.param_groups)

    def _all_params(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for n, group in enumerate(self.param_groups):
            size = sum(p.numel() for p in group["params"])
            settings = ", ".join(f"{key}={value}" for key, value in group.items() if key not in ("params", "param_names", *_WAYS))
            lines.append(f"  group {n}: {len(group['params'])} tensors, {size:,} parameters; {settings}\n")
        return f"{self.name}(\n{''.join(lines)})"


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step that a subclass defines, between the hooks."""

    @wraps(step)
    def run(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not self._hooks or self._in_step:
            return step(self, *args, **kwargs)
        return self._step_with_hooks(step, (self, *args), kwargs)

    return run


def _array(value: Any) -> Array:
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def _tensors_in(group: Mapping[str, Any]) -> bool:
    """Whether settings are Tensors."""
    settings = [value if isinstance(value, tuple) else (value,) for name, value in group.items() if name != "params"]
    return any(isinstance(part, Tensor) for parts in settings for part in parts)


def _noted(group: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    return group.copy(), _tensors_in(group)

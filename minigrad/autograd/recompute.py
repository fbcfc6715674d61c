"""Checkpoints: the graph keeps a function's arguments, and computes the rest once more in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from ..core import Step, Tensor, enable_grad, is_grad_enabled, stamp_of
from ..core.tensor import tick
from ..errors import GraphError
from ..ops import default_generator

__all__ = ["checkpoint", "steps_behind", "tensors_in"]

Function = Callable[..., Any]


def checkpoint(
    function: Function, *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """function(*args, **kwargs), of which the graph keeps the arguments only: what the backward pass needs is computed once more there.

    Memory for time: one more forward pass. function must do the same each time; its random numbers from the default generator are the
    same ones, unless `preserve_rng_state` is False. Checkpoints nest; Tensors that function captures get their gradients too.
    `use_reentrant` is taken for PyTorch's sake, and changes nothing: there is one way here, that of use_reentrant=False.
    Errors: in the backward pass, GraphError if an argument or a parameter was changed in place meanwhile, or if function did
    something else.
    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".

    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: (x * x).exp().sum(), x).backward()
    >>> x.grad
    tensor([5.4366, 218.3926])
    """
    if not is_grad_enabled():
        return function(*args, **kwargs)
    call = _Checkpoint(function, args, kwargs, preserve_rng_state)
    out = function(*args, **kwargs)
    call.let_go(out)
    return out


class _Checkpoint:
    """A call whose steps have let go of what they saved. Calling it brings that back."""

    def __init__(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], preserve_rng_state: bool):
        self.function = function
        self.args = [_as_it_is(value) for value in args]
        self.kwargs = {name: _as_it_is(value) for name, value in kwargs.items()}
        self.random = default_generator.get_state() if preserve_rng_state else None
        self.start = tick()
        self.steps: list[ref[Step]] = []  # weak, as each of them holds this
        self.signatures: list[Any] = []
        self.stamps = [stamp_of(x) for x in self.kept()]

    def kept(self) -> list[Tensor]:
        return list(tensors_in([self.args, self.kwargs]))

    def let_go(self, out: Any) -> None:
        """Empty the steps that led to the function's result."""
        steps = steps_behind(tensors_in(out), self.start)
        self.steps = [ref(step) for step in steps]
        self.signatures = [_signature(step) for step in steps]
        self.stamps += [stamp_of(leaf) for leaf in {edge for step in steps for edge in step.edges if isinstance(edge, Tensor)}]
        for step in steps:
            if step.saved != () or step.live:
                step.saved, step.live, step.recompute = None, (), self

    def __call__(self) -> None:
        """Run the function again, and hand what its new steps saved to the old ones."""
        if any(stamp.written > self.start for stamp in self.stamps):
            raise GraphError(
                "checkpoint: an argument or a parameter of the function was changed in place after the forward pass; "
                "call backward() first, or clone() it before the change"
            )
        start = tick()
        with enable_grad(), _random_numbers_from(self.random):
            out = self.function(*map(_as_it_is, self.args), **{name: _as_it_is(value) for name, value in self.kwargs.items()})
        steps = steps_behind(tensors_in(out), start)
        if [_signature(step) for step in steps] != self.signatures:
            raise GraphError(
                f"checkpoint: the function recorded {len(self.signatures)} operations in the forward pass, and {len(steps)} or other "
                "ones when it ran again for the backward pass; it must do the same each time"
            )
        old = {new: step for new, weak in zip(steps, self.steps, strict=True) if (step := weak()) is not None}
        for new, step in old.items():
            step.saved, step.live = new.saved, new.live
            step.recompute = getattr(new, "recompute", None)  # that of a checkpoint in this one
        for inner in {step.recompute for step in old.values()} - {None}:
            inner.steps = [ref(old[step]) if (step := weak()) in old else weak for weak in inner.steps]


def _signature(step: Step) -> Any:
    """What must be the same in the second run."""
    return step.op, step.record.plan.specs, step.record.tracked


def _as_it_is(value: Any) -> Any:
    """A Tensor as it is now, in another object: what is recorded on the one later (x += 1) does not reach the other."""
    if not isinstance(value, Tensor):
        return value
    out = Tensor(value.array)
    out.step, out._requires_grad, out.stamp = value.step, value._requires_grad, stamp_of(value)
    return out


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The Tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(part)


def steps_behind(tensors: Iterable[Tensor], start: int = 0) -> list[Step]:
    """The steps that the tensors depend on, as far as they were recorded after `start`, oldest first."""
    todo: list[Any] = [x.step for x in tensors]
    seen: set[Step] = set()
    while todo:
        step = todo.pop()
        if isinstance(step, Step) and step.seq > start and step not in seen:
            seen.add(step)
            todo.extend(step.edges)
    return sorted(seen, key=lambda step: step.seq)


@contextmanager
def _random_numbers_from(state: dict[str, Any] | None) -> Iterator[None]:
    """Within it, the default generator goes on from `state` (None: from where it stands); afterwards from where it stood."""
    before = default_generator.get_state()
    if state is not None:
        default_generator.set_state(state)
    try:
        yield
    finally:
        if state is not None:
            default_generator.set_state(before)

"""The recorder's side of the engine: what it is told, in mode RECORD, of all that is done to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from .mode import RECORD, get_mode, mode, switched

if TYPE_CHECKING:
    from .engine import Step
    from .plan import Plan
    from .tensor import Array, Tensor

__all__ = ["Recorder", "array_of", "by_replay", "derived", "of_constants", "recorder", "telling", "written"]

F = TypeVar("F", bound=Callable[..., Any])


class Recorder(Protocol):
    """Whom the engine tells, in mode RECORD, what it does to arrays."""

    def forward(self, plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], live: Any, made: Any, y: Tensor) -> None:
        """plan.forward(arrays, live) made an array (with a residual: more than one) from inputs, Tensors and numbers; y is the result."""

    def rule(self, step: Step, k: int, g: Any, saved: Any, gradient: Any) -> None:
        """Rule k of a step made a gradient from g and the saved arrays."""

    def line(self, name: str, call: Callable[..., Any], inputs: tuple[Any, ...], made: Any) -> Any:
        """call(*inputs), of arrays alone and in tuples and lists, made an array."""

    def write(self, name: str, call: Callable[..., Any], target: Array, *inputs: Any) -> None:
        """call(target, *inputs) is about to write into an array."""

    def bind(self, leaf: Tensor, gradient: Tensor | None) -> None:
        """The gradient of a leaf is another one from now on."""

    def look(self, leaf: Tensor) -> None:
        """The gradient of a leaf is looked at."""

    def asked(self, tensor: Tensor, how: str) -> None:
        """The values of a Tensor are asked for by Python: refused, if they are recorded ones."""

    def use(self, tensor: Tensor, name: str) -> None:
        """`name` is about to make use of the array of a Tensor."""

    def keep(self, tensor: Tensor, change: str) -> None:
        """A Tensor is about to be changed otherwise than in its values: refused, if it was there before."""

    def made(self, tensor: Tensor) -> None:
        """A Tensor was made of an array that no line made."""

    def called(self, module: Any) -> None:
        """A module is called."""

    def stepped(self, step: Step) -> None:
        """The rules of a step have run."""

    def make(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function that makes a Tensor of constants."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], kind: str) -> Any:
        """Run a function unwatched, as one line that every replay runs: "free" if it looks at nothing but its arguments, "write" if it
        writes into the first Tensor of them besides, else "barrier"."""


recorder: ContextVar[Recorder] = ContextVar("minigrad_recorder")


@contextmanager
def telling(one: Recorder) -> Iterator[None]:
    """Within it, the engine tells this recorder what it does."""
    seat, bits = recorder.set(one), mode.set(switched(RECORD, True))
    try:
        yield
    finally:
        mode.reset(bits)
        recorder.reset(seat)


def of_constants(function: F) -> F:
    """A function that makes a Tensor of what is no Tensor: a recorder takes its values as they are."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if get_mode() & RECORD:
            return recorder.get().make(function, args, kwargs)
        return function(*args, **kwargs)

    return cast(F, run)


def by_replay(kind: str) -> Callable[[F], F]:
    """For a function that a recorder takes as one line: it runs again in every replay, with the Tensors of that call. What it does must
    be in its result, in Tensors that it writes into, or outside Tensors altogether. See `Recorder.call` for the kinds."""

    def decorate(function: F) -> F:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            if get_mode() & RECORD:
                return recorder.get().call(function, args, kwargs, kind)
            return function(*args, **kwargs)

        return cast(F, run)

    return decorate


def array_of(tensor: Tensor, name: str) -> Array:
    """The array of a Tensor, made known to a recorder: for what `name` then makes of it beside the operations."""
    if get_mode() & RECORD:
        recorder.get().use(tensor, name)
    return tensor.array


def derived(name: str, call: Callable[..., Array], *inputs: Any) -> Array:
    """call(*inputs), made known to a recorder: for what is made of arrays beside the operations."""
    made = call(*inputs)
    if get_mode() & RECORD:
        recorder.get().line(name, call, inputs, made)
    return made


def written(name: str, call: Callable[..., None], target: Array, *inputs: Any) -> None:
    """call(target, *inputs), which writes into an array, made known to a recorder."""
    if get_mode() & RECORD:
        recorder.get().write(name, call, target, *inputs)
    call(target, *inputs)

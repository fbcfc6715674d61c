"""The record of one run of a function: its lines, in order, each a call on arrays, and where every array came from.

Nothing is guessed. An array is an argument's, that of a Tensor from outside, a constant or a line's result, or the function is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np

from ..autograd.recompute import tensors_in
from ..core import Step, Tensor, is_one
from ..core.mode import RECORD, mode, switched, user_line
from ..core.plan import Plan
from ..core.recorder import telling
from ..errors import CompileError
from ..optim import Optimizer
from .lines import COPIES, Argument, Array, Bind, Line, OfTensor, Place, Value, mapped

__all__ = ["Record", "record"]


class Record:
    """A recorder: what the engine tells while a function runs."""

    def __init__(self, arguments: Sequence[Tensor]):
        self.lines: list[Line | Bind] = []
        self.arguments = {id(tensor): Argument(n) for n, tensor in enumerate(arguments)}
        self._held = list(arguments)  # for the ids to stay theirs
        self.outside: dict[int, Tensor] = {}  # by id: the Tensors that were there before, arguments excepted
        self.modules: dict[int, Any] = {}  # by id: the modules that were called
        # By id: leaves whose gradient at the entry counts, with its strides and dtype, or None.
        self.entry: dict[int, tuple[Place, tuple[Any, Any] | None]] = {}
        self.why_eager = ""  # why the function has to run as it is
        self._walked: set[Step] = set()
        self.allocated = 0  # bytes
        self._values: dict[int, Value] = {}  # by id of the array, as long as it lives
        self._arrays: dict[int, ref[Array]] = {}
        self._leaves: set[int] = set()  # whose gradient was bound here
        self._inside: WeakValueDictionary[int, Tensor] = WeakValueDictionary()  # by id: the Tensors that were made in the run
        self._born: dict[int, str] = {}  # by id: where a Tensor was made of an array that no line made
        self._made_by: dict[Step, Value] = {}
        for tensor in arguments:
            self._hold(tensor)

    # ---- where arrays come from

    def _know(self, array: Array, value: Value) -> Value:
        """From now on the array stands for the value."""
        number = id(array)
        self._values[number], self._arrays[number] = value, ref(array, lambda _: self._forget(number))
        return value

    def _forget(self, number: int) -> None:
        self._values.pop(number, None)
        self._arrays.pop(number, None)

    def _hold(self, tensor: Tensor) -> Value:
        return self._know(tensor.array, Value(tensor.array, self._place(tensor)))

    def _place(self, tensor: Tensor) -> Place:
        return self.arguments.get(id(tensor), tensor)

    def _was_there(self, tensor: Tensor) -> Place | None:
        """The place of a Tensor; None if it was made in the run."""
        if id(tensor) in self._inside:
            return None
        if id(tensor) not in self.arguments:
            self.outside[id(tensor)] = tensor
        return self._place(tensor)

    def value_of(self, tensor: Tensor, name: str) -> Value:
        """The value of a Tensor that `name` makes use of."""
        place = self._was_there(tensor)
        known = self._values.get(id(tensor.array))
        if known is not None:
            return known
        if place is None:
            raise CompileError(
                f"compile: {name} takes a Tensor of shape {tensor.shape} that was made of other data at {self._born.get(id(tensor))}; a "
                "replay would not make it again: hand the data in as an argument of the function, or compute it from Tensors"
            )
        if tensor.step is not None:
            raise CompileError(
                f"compile: {name} takes a Tensor of shape {tensor.shape} at {user_line()} that was computed outside of the function and "
                "carries its graph; detach() it, or compute it inside"
            )
        return self._hold(tensor)

    def constant(self, array: Array) -> Value:
        """The value of an array that is the same in every replay."""
        return self._know(array, Value(array, None))

    def _filled(self, given: Any, name: str) -> Any:
        """Nested arguments with Values in place of arrays."""

        def put(known: Tensor | Array) -> Value | OfTensor:
            if isinstance(known, Tensor):
                return OfTensor(self.value_of(known, name), self._was_there(known))
            return self._values.get(id(known)) or self._stranger(known, name)

        return mapped(given, (Tensor, np.ndarray), put)

    def _stranger(self, array: Array, name: str) -> Value:
        """An array that nobody told of: the gradient 1 of a number at itself, or one that a replay could not make again."""
        if is_one(array):
            return self.constant(array)
        raise CompileError(
            f"compile: {name} takes a NumPy array of shape {array.shape} at {user_line()}, and a replay would not make it again: hand it "
            "in as a Tensor, an argument of the function"
        )

    def _results(self, made: Any, source: Line | None, inputs: Any = ()) -> Any:
        """What a line made of inputs, with Values in place of arrays; an array that was there before keeps its value."""
        if isinstance(made, Tensor):
            if id(made) not in self.arguments and id(made) not in self.outside:
                self._inside[id(made)] = made
            return OfTensor(self._results(made.array, source, inputs), self._was_there(made))
        if isinstance(made, np.ndarray):
            known = self._values.get(id(made))
            return known or self._know(made, self._new(made, source, inputs))
        if type(made) in (list, tuple):
            return [self._results(part, source, inputs) for part in made]
        if isinstance(made, np.generic):
            raise CompileError(
                f"compile: {'data' if source is None else source.name} made a NumPy scalar, which a replay would not make again"
            )
        return None

    def _new(self, made: Array, source: Line | None, inputs: Any) -> Value:
        value = Value(made, source)
        if made.base is None:
            self.allocated += value.nbytes
        for given in _arrays(inputs) if made.base is not None else ():
            if np.may_share_memory(given, made):
                value.views = self._values[id(given)]
        return value

    # ---- what the engine tells

    def forward(self, plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], live: Any, made: Any, y: Tensor) -> None:
        for tensor in inputs:
            if isinstance(tensor, Tensor):
                self.value_of(tensor, plan.op.name)
        if plan.op.guards_values:
            guard = Line(f"{plan.op.name}_guard", plan.op.guard, self._filled(tuple(inputs), plan.op.name), kind="free")  # type: ignore[arg-type]
            self._append(guard, None)
        self.line(plan.op.name, plan.forward, (list(arrays[: len(plan.specs)]), live), made, plan)
        self._inside[id(y)] = y
        self._born.pop(id(y), None)
        if y.step is not None:
            self._made_by[y.step] = self._values[id(y.array)]

    def rule(self, step: Step, k: int, g: Any, saved: Any, gradient: Any) -> None:
        record = step.record
        name = f"{step.name}_backward"
        line = self.line(name, record.rules[k], (g, saved, step.live), gradient, (record, k))
        if line is not None:
            edge = step.edges[k]
            line.where = self._made_by.get(edge) if isinstance(edge, Step) else self.value_of(edge, name)

    def line(self, name: str, call: Callable[..., Any], inputs: tuple[Any, ...], made: Any, about: Any = None) -> Line | None:
        line = Line(name, call, self._filled(inputs, name), about=about)
        constant = name not in COPIES and all(value.source is None for value in line.reads()) and _fresh(made)
        line.made = self._results(made, None if constant else line, inputs)
        if constant:
            return None
        self.lines.append(line)
        return line

    def write(self, name: str, call: Callable[..., Any], target: Array, *inputs: Any) -> None:
        line = Line(name, call, self._filled((target, *inputs), name), kind="write")
        self._thaw(line.target)
        self._append(line, None)

    def _thaw(self, value: Value) -> None:
        """A constant that is about to be written is made anew in every replay."""
        if value.source is None and value.array is not None:
            line = Line("copy", np.copy, (Value(value.array.copy(), None),))
            line.made, value.source, value.array = value, line, None
            self.lines.insert(0, line)

    def bind(self, leaf: Tensor, gradient: Tensor | None) -> None:
        value = None if gradient is None else self.value_of(gradient, "grad")
        place = self._was_there(leaf)
        if place is not None:
            self.value_of(leaf, "grad")
            self._leaves.add(id(leaf))
            self.lines.append(Bind(place, value))

    def look(self, leaf: Tensor) -> None:
        place = self._was_there(leaf) if leaf.step is None else None
        if place is None or id(leaf) in self._leaves or id(leaf) in self.entry:
            return
        gradient = leaf._grad
        self.value_of(leaf, "grad")
        self.entry[id(leaf)] = place, None if gradient is None else (gradient.array.strides, gradient.dtype)
        if gradient is not None:
            self._inside[id(gradient)] = gradient
            self._know(gradient.array, Value(gradient.array, place, gradient=True))

    def asked(self, tensor: Tensor, how: str) -> None:
        known = self._values.get(id(tensor.array))
        if known is not None and known.source is None:
            return  # a constant is the same in every replay
        raise CompileError(
            f"compile: {how} at {user_line()} looks at the values of a Tensor of shape {tensor.shape}, and a replay would not look "
            "again. Return the Tensor and look at it outside; to choose between values, write mg.where(condition, a, b)"
        )

    def use(self, tensor: Tensor, name: str) -> None:
        self.value_of(tensor, name)

    def keep(self, tensor: Tensor, change: str) -> None:
        if self._was_there(tensor) is not None:
            raise CompileError(
                f"compile: a Tensor of shape {tensor.shape} that was there before the call is {change} at {user_line()}, and a replay "
                "would not do so again; clone() it first, or write into it in place under no_grad()"
            )

    def made(self, tensor: Tensor) -> None:
        self._inside[id(tensor)] = tensor
        self._born.pop(id(tensor), None)
        if id(tensor.array) not in self._values:
            self._born[id(tensor)] = user_line()

    def called(self, module: Any) -> None:
        self.modules[id(module)] = module

    def stepped(self, step: Step) -> None:
        self._walked.add(step)

    def make(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = args, list(kwargs.values())
        for tensor in tensors_in(given):
            self.asked(tensor, function.__name__)
        if any(_strangers(given)):
            return function(*args, **kwargs)  # what is made of an array is refused where it is used
        with unwatched():
            result = function(*args, **kwargs)
        self._results(result, None)
        return result

    def call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], kind: str, about: Any = None
    ) -> Any:
        name = getattr(function, "__name__", type(function).__name__)
        line = Line(name, function, self._filled(args, name), self._filled(kwargs, name), about=about, kind=kind)
        if kind == "write":
            self._thaw(line.target)
        with unwatched():
            result = function(*args, **kwargs)
        self._append(line, result, (args, list(kwargs.values())))
        if kind == "barrier":
            for tensor in self.outside.values():  # an optimizer's first step takes parameters into its flat array
                if id(tensor.array) not in self._values:
                    self._hold(tensor)
        return result

    def _append(self, line: Line, made: Any, inputs: Any = ()) -> None:
        line.made = self._results(made, line, inputs)
        self.lines.append(line)

    # ---- the end

    def outputs(self, result: Any) -> Any:
        """What the function returned, with what stands for Tensors in place of them."""
        if isinstance(result, Tensor):
            value = self.value_of(result, "the result")
            if result.step is not None and result.step not in self._walked:
                self.why_eager = "the result carries a graph: put the backward pass inside, or call it under no_grad()"
            return OfTensor(value, self._was_there(result))
        if isinstance(result, (list, tuple)):
            parts = [self.outputs(part) for part in result]
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        if type(result) is dict:
            return {key: self.outputs(part) for key, part in result.items()}
        if isinstance(result, (type(None), bool, int, str)):
            return result
        raise CompileError(
            f"compile: the function returned a {type(result).__name__}, which a replay would not compute again; it may return Tensors (in "
            "tuples, lists and dictionaries), integers and names"
        )

    def optimizers(self) -> list[Any]:
        """The optimizers that step in it."""
        owners = [getattr(line.call, "__self__", None) for line in self.lines if isinstance(line, Line) and line.kind == "barrier"]
        return [owner for owner in owners if isinstance(owner, Optimizer)]

    def close(self) -> None:
        """Let go of all that belonged to the recorded call."""
        self._held, self._walked, self._born, self._made_by = [], set(), {}, {}
        self._inside.clear()
        self._values, self._arrays = {}, {}


def _arrays(made: Any) -> Iterator[Array]:
    if isinstance(made, np.ndarray):
        yield made
    elif isinstance(made, Tensor):
        yield made.array
    elif type(made) in (list, tuple):
        for part in made:
            yield from _arrays(part)


def _strangers(given: Any) -> Iterator[bool]:
    """Whether there are arrays, or what could be made one, among data."""
    if isinstance(given, (list, tuple)):
        for part in given:
            yield from _strangers(part)
    else:
        yield not isinstance(given, (Tensor, np.generic, type)) and hasattr(given, "__array__")


def _fresh(made: Any) -> bool:
    """Whether nobody can write into these arrays from elsewhere."""
    return all(array.base is None or not array.flags.writeable for array in _arrays(made))


@contextmanager
def unwatched() -> Iterator[None]:
    """Within it, nothing is told to the recorder."""
    token = mode.set(switched(RECORD, False))
    try:
        yield
    finally:
        mode.reset(token)


@contextmanager
def record(arguments: Sequence[Tensor]) -> Iterator[Record]:
    """Within it, what operations do is recorded."""
    made = Record(arguments)
    with telling(made):
        yield made

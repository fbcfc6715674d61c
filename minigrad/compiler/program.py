"""A program: straight-line Python written out from a schedule, with stretches that the machine runs, that does to arrays what the
recorded run did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..core import Tensor
from ..core.plan import Plan
from ..core.tensor import Lent, wrapped
from ..kernels.hands import wake
from ..kernels.machine import Code, may_fail, runner
from .lines import Argument, Array, Bind, Line, OfTensor, Place, Value, mapped, values_in
from .lower import Statement
from .plan import Run, Schedule
from .update import Update

__all__ = ["Program", "Stretch"]


class Stretch:
    """A run of statements as lines of the machine, from `start` to `stop`."""

    def __init__(self, statements: Sequence[Statement], start: int):
        self.statements, self.start, self.stop = list(statements), start, start
        self.begins: list[int] = []  # the first line of each statement


class Program:
    """The lines that replay a schedule, with t0, t1, … for the Tensor arguments, and the objects that they name.

    It holds for the arrays that the Tensors from outside have now, but for those whose ids are in `loose`: these are looked up.
    """

    def __init__(self, schedule: Schedule, loose: Collection[int] = ()):
        self.schedule, self._loose = schedule, loose
        self.scope: dict[str, Any] = {"Tensor": Tensor, "Lent": Lent, "wrapped": wrapped, "wake": wake}
        self._bound: dict[int, str] = {}  # names of objects, by id
        self._named: dict[int, str] = {}  # names of values, by id
        self._static: dict[int, Array] = {}  # arrays that stay where they are, by id of the value
        self._code = Code()
        self._updates: list[tuple[Update, Sequence[int]]] = []
        self.stretches: list[Stretch] = []
        self.items: list[tuple[Any, list[str]]] = []
        for item in schedule.items:
            lines = self._item(item)
            if lines:
                self.items.append((item, lines))
        self.returned = self._returned(schedule.result)
        self._load()

    # ---- names

    def _bind(self, thing: Any, hint: str) -> str:
        """The name under which the program knows an object."""
        if id(thing) not in self._bound:
            name = f"{hint}{len(self._bound)}"
            self._bound[id(thing)], self.scope[name] = name, thing
        return self._bound[id(thing)]

    def known(self, thing: Any) -> str:
        """The name of an object, which lives as long as the program."""
        return self._bind(self._kept(thing), "known")

    def tensor(self, place: Place) -> str:
        """The name of a Tensor that was there before the call."""
        return f"t{place.number}" if isinstance(place, Argument) else self._bind(place, "p")

    def _value(self, value: Value) -> str:
        """A value as Python text."""
        if id(value) in self._named:
            return self._named[id(value)]
        array = self.array(value)
        if array is not None:
            self._named[id(value)] = name = self._bind(array, "a")
            return name
        if isinstance(value.source, (Argument, Tensor)):
            return f"{self.tensor(value.source)}{'._grad' if value.gradient else ''}.array"
        raise AssertionError(f"{value} is used before it is made")

    def array(self, value: Value) -> Array | None:
        """The array of a value, if it is the same one in every call."""
        if id(value) in self._static:
            return self._static[id(value)]
        if value.array is not None:
            return value.array
        array = self.schedule.view(value)
        if array is not None:
            self._static[id(value)] = array
            return array
        source = value.source
        if isinstance(source, Tensor) and not value.gradient and id(source) not in self._loose:
            return source.array
        return None

    def _text_of(self, given: Any) -> str:
        """Nested arguments as Python text."""
        if isinstance(given, Value):
            return self._value(given)
        if isinstance(given, OfTensor):
            return f"Tensor({self._value(given.value)})" if given.place is None else self.tensor(given.place)
        if isinstance(given, slice):
            return f"slice({', '.join(map(self._text_of, (given.start, given.stop, given.step)))})"
        if type(given) is tuple:
            return f"({''.join(self._text_of(part) + ', ' for part in given)})"
        if type(given) is list:
            return f"[{', '.join(map(self._text_of, given))}]"
        if type(given) is dict:
            return f"{{{', '.join(f'{key!r}: {self._text_of(part)}' for key, part in given.items())}}}"
        if given is None or type(given) in (bool, int, str) or (type(given) is float and np.isfinite(given)):
            return repr(given)
        return self._bind(given, "k")

    # ---- lines

    def _item(self, item: Any) -> list[str]:
        if isinstance(item, Run):
            return self._run(item)
        if isinstance(item, Update):
            step = f"{self._bind(item.line.call, 'step')}()"
            return [f"if ready: {self._bind(self._kept(item.commit), 'commit')}()", f"else: {step}"]
        if isinstance(item, Bind):
            return [f"{self.tensor(item.leaf)}._grad = {self._gradient(item)}"]
        if self._resolve(item):
            return []
        arguments = [self._text_of(part) for part in item.inputs]
        arguments += [f"{key}={self._text_of(part)}" for key, part in item.settings.items()]
        return self._taken(item, item.made, f"{self._bind(item.call, item.name + '_')}({', '.join(arguments)})")

    def _resolve(self, line: Line) -> bool:
        """Look once for all where a view of something that stays where it is lies."""
        made = line.made
        if not (isinstance(line.about, Plan) and isinstance(made, Value) and made.views is not None):
            return False
        arrays: dict[int, Any] = {id(value): self.array(value) for value in line.reads()}
        if any(array is None for array in arrays.values()):
            return False

        def put(known: Value | OfTensor) -> Any:
            return Tensor(arrays[id(known.value)]) if isinstance(known, OfTensor) else arrays[id(known)]

        view = line.call(*mapped(line.inputs, (Value, OfTensor), put))
        if not any(np.may_share_memory(view, array) for array in arrays.values()):
            return False
        self._static[id(made)] = view
        return True

    def _gradient(self, bind: Bind) -> str:
        if bind.value is None:
            return "None"
        array = self.array(bind.value)
        if array is None:
            return f"Tensor({self._value(bind.value)})"
        if isinstance(bind.leaf, Argument) or bind.value.array is not None:
            return f"Tensor({self._value(bind.value)}.copy())"
        return self._bind(self._kept(Lent(array)), "g")

    def _kept(self, thing: Any) -> Any:
        """The thing, which lives as long as the program: names go by ids."""
        self.scope.setdefault("_kept", []).append(thing)
        return thing

    def _taken(self, line: Line, made: Any, text: str) -> list[str]:
        """The lines that give names to what a call returned."""
        if isinstance(made, list):
            parts = [(i, part) for i, part in enumerate(made) if any(v.source is line for v in values_in(part))]
            if not parts:
                return [text]
            whole = f"r{len(self._named)}"
            self._named[id(made)] = whole
            return [f"{whole} = {text}", *(text_ for i, part in parts for text_ in self._taken(line, part, f"{whole}[{i}]"))]
        value = made.value if isinstance(made, OfTensor) else made
        if value is None or value.source is not line or id(value) in self._named:  # one that is returned twice has its name
            return [text]
        name = self._named[id(value)] = f"v{len(self._named)}"
        return [f"{name} = {text}{'.array' if isinstance(made, OfTensor) else ''}"]

    def _returned(self, result: Any) -> str:
        """What the caller keeps: nothing that the next call overwrites."""
        if isinstance(result, OfTensor):
            if result.place is not None:
                return self.tensor(result.place)
            mine = self.array(result.value) is not None or result.value.views is not None or result.value.gradient
            return f"wrapped({self._value(result.value)}{'.copy()' if mine else ''})"
        if isinstance(result, (tuple, list)):
            parts = [self._returned(part) for part in result]
            items = ", ".join(parts)
            if type(result) not in (tuple, list):
                return f"{self._bind(type(result), 'kind')}({items if hasattr(result, '_fields') else f'[{items}]'})"
            return f"({items}{',' * (len(parts) == 1)})" if type(result) is tuple else f"[{items}]"
        if type(result) is dict:
            return f"{{{', '.join(f'{self._text_of(key)}: {self._returned(part)}' for key, part in result.items())}}}"
        return self._text_of(result)

    # ---- stretches of the machine

    def _run(self, run: Run) -> list[str]:
        stretch = Stretch(run.statements, len(self._code))
        self.stretches.append(stretch)
        known = len(self._code.values)
        numbers: list[int] = []
        for statement in run.statements:
            stretch.begins.append(len(self._code))
            for entry, arguments in statement.calls:
                words = self._code.call(entry, arguments)
                if run.update and statement.line is run.update.line:
                    numbers.append(next(word for word, a in zip(words, arguments, strict=True) if isinstance(a, float)))
        asked: dict[int, tuple[Value, list[int]]] = {}
        for value, word in self._code.values[known:]:
            if self.array(value) is None:
                asked.setdefault(id(value), (value, []))[1].append(word)
        lines = [self._hand(stretch, value, words) for value, words in asked.values()]
        stretch.begins = [n + len(asked) for n in stretch.begins]
        stretch.stop = len(self._code)
        return [*lines, *self._ready(run, stretch, numbers), *self._go(run, stretch)]

    def _ready(self, run: Run, stretch: Stretch, numbers: Sequence[int]) -> list[str]:
        """The line that asks an optimizer whether and how its step is to be run here."""
        if run.update is None:
            return []
        self._updates.append((run.update, numbers))
        begin = stretch.begins[len(run.statements) - len(run.update.statements)]
        return [f"stop = {stretch.stop} if (ready := {self._bind(self._kept(run.update.prepare), 'prepare')}()) else {begin}"]

    def _go(self, run: Run, stretch: Stretch) -> list[str]:
        """The lines that run the machine; a statement that gives up is done by Python, or says what is wrong."""
        stop = "stop" if run.update else str(stretch.stop)
        call = ["wake()"] if any(statement.helped() for statement in run.statements) else []
        failing = {
            n: s for n, s in zip(stretch.begins, run.statements, strict=True) if any(may_fail(entry) for entry, _ in s.calls)
        }
        if not failing:
            return [*call, f"machine(table, {stretch.start}, {stop})"]
        again = self._bind(self._kept(_Again(self, stretch)), "again")
        inputs = ", ".join(f"{n}: {self._text_of(tuple(s.line.inputs))}" for n, s in failing.items())
        return [*call, f"n = machine(table, {stretch.start}, {stop})", f"while n >= 0: n = {again}(n, {stop}, {{{inputs}}})"]

    def _hand(self, stretch: Stretch, value: Value, words: Sequence[int]) -> str:
        """The line that tells the machine which array a value has in this call."""
        return f"words[{self._code.fetch(stretch.start, words)}] = id({self._value(value)})"

    def _load(self) -> None:
        """Write the addresses of what stays where it is."""
        self._words = self._code.words()
        for value, word in self._code.values:
            array = self.array(value)
            if array is not None:
                self._words[word] = self._kept(array).ctypes.data
        self._table = self._code.table(self._words)
        if len(self._code):
            self.scope |= {"machine": runner(), "table": self._table, "words": memoryview(self._words)}  # type: ignore[arg-type]
        self.look_again()
        for update, words in self._updates:
            update.settle(memoryview(self._words).cast("B"), words)  # type: ignore[arg-type]

    def look_again(self) -> None:
        """Tell the updates that Tensors may have been given other arrays."""
        for update, _ in self._updates:
            update.look_again()

    @property
    def lines(self) -> list[str]:
        """The program as Python. Gradients that it takes over get memory of their own first, as it may write where they lie; after an error
        none is left that was to be forgotten."""
        entry = [self.tensor(leaf) for leaf, form in self.schedule.record.entry.values() if form is not None]
        own = [f"if {name}._grad.__class__ is Lent: {name}._grad = wrapped({name}._grad.array.copy())" for name in entry]
        body = [*own, *(text for _, lines in self.items for text in lines), f"return {self.returned}"]
        cleared = [self.tensor(leaf) for leaf in self.schedule.cleared()]
        if not cleared:
            return body
        forget = [f"    {name}._grad = None" for name in cleared]
        return ["try:", *(f"    {line}" for line in body), "except BaseException:", *forget, "    raise"]


class _Again:
    """Runs a statement that gave up by Python, which does it or says what is wrong, and then what comes after it."""

    def __init__(self, program: Program, stretch: Stretch):
        self._program, self._stretch = program, stretch

    def __call__(self, line: int, stop: int, inputs: dict[int, Any]) -> int:
        program, stretch = self._program, self._stretch
        at = max(n for n, begin in enumerate(stretch.begins) if begin <= line)
        statement, begin = stretch.statements[at], stretch.begins[at]
        results = statement.line.call(*inputs[begin])
        made = statement.line.made if isinstance(statement.line.made, list) else [statement.line.made]
        for value, result in zip(made, results if isinstance(results, tuple) else [results], strict=True):
            program.array(value)[...] = result  # type: ignore[index]
        after = stretch.begins[at + 1] if at + 1 < len(stretch.begins) else stretch.stop
        return program.scope["machine"](program.scope["table"], after, stop)  # type: ignore[no-any-return]

"""A tiny engine: the order of a backward pass, and a scalar that records what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ...display import Table
from ..comparing import running
from ..exercises import Exercise, Stage, Wrong

__all__ = ["ENGINES"]

_CHAIN = {"L": ["y"], "y": ["x"], "x": []}
_DIAMOND = {"L": ["left", "right"], "left": ["x"], "right": ["x"], "x": []}
_UNEVEN = {"L": ["u", "x"], "u": ["v"], "v": ["x"], "x": []}
_TWICE = {"L": ["x", "x"], "x": []}
_DEEP = {n: [n - 1] for n in range(1, 5001)} | {0: []}


def _topological(answer: Any) -> Iterator[Stage]:
    def look(cases: Mapping[str, tuple[Any, Mapping[Any, list[Any]]]]) -> None:
        for what, (end, inputs) in cases.items():
            _order(answer, what, end, inputs)

    yield "a chain", partial(look, {"x → y → L": ("L", _CHAIN)})
    yield "a value used twice", partial(look, {"a diamond": ("L", _DIAMOND), "L = x · x": ("L", _TWICE)})
    yield "a short way beside a long one", partial(look, {"x reaches L at once, and through v and u": ("L", _UNEVEN)})
    yield "only what the end is made of", partial(look, {"a value that L does not use": ("L", {**_CHAIN, "other": ["x"]})})
    yield "a deep graph", partial(look, {"a chain of 5000 values": (5000, _DEEP)})


def _order(answer: Any, what: str, end: Any, inputs: Mapping[Any, list[Any]]) -> None:
    try:
        got = list(running(lambda: answer(end, {name: list(of) for name, of in inputs.items()}), "The function"))
    except Wrong as wrong:
        if isinstance(wrong.__cause__, RecursionError):
            raise Wrong(
                "A function that calls itself for every value fails on deep graphs: Python allows about 1000 calls inside of each other. "
                "Keep the values that wait in a list of your own."
            ) from wrong
        raise
    except TypeError:
        raise Wrong("The function should return a list of values.") from None
    reached = _reached(end, inputs)
    seen = ", ".join(map(str, got[:8]))
    for value in reached:
        if value not in got:
            raise Wrong(f"In {what}, {value} is missing: all values that {end} is made of have to come. The list is {seen}.")
    for value in got:
        if value not in reached:
            raise Wrong(f"In {what}, {value} is in the list, though {end} is not made of it. The list is {seen}.")
        if got.count(value) > 1 if len(got) < 100 else False:
            raise Wrong(
                f"In {what}, {value} comes {got.count(value)} times: each value comes once. Remember which ones you have seen. "
                f"The list is {seen}."
            )
    place = {value: n for n, value in enumerate(got)}
    if len(got) > 1 and all(place[of] > place[value] for value in reached for of in inputs[value]):
        raise Wrong(
            f"In {what}, the order is the other way round: {end} comes last, after all that it is made of. "
            f"(Backward will go through it from the end.) The list is {seen}."
        )
    for value in reached:
        for of in inputs[value]:
            if place[of] > place[value]:
                raise Wrong(
                    f"In {what}, {value} comes before {of}, of which it is made. A backward pass in this order would visit {of} before all its "
                    f"gradient has come in. A value may go into the list when all its inputs are there. The list is {seen}."
                )


def _reached(end: Any, inputs: Mapping[Any, list[Any]]) -> set[Any]:
    found, waiting = {end}, [end]
    while waiting:
        for of in inputs[waiting.pop()]:
            if of not in found:
                found.add(of)
                waiting.append(of)
    return found


_order_exercise = Exercise(
    name="topological_order",
    heading="In which order?",
    task="""\
Backward may visit a value only when all gradients have come in, from everything that it went into. Write a function that gets the end of a
graph and a dictionary from each value to the list of its inputs, and returns a list of all values that the end is made of, each once,
inputs before what is made of them (so the end comes last). Backward then goes through the list from its end.""",
    starter="""\
def topological_order(end, inputs):
    return ...


learn.check("topological_order", topological_order)""",
    hints=(
        "Visit the inputs of a value before you put it into the list; remember in a set what was visited.",
        "An input that was visited already is skipped; a value goes into the list after all its inputs.",
        "Without recursion: a list of values that wait, and for each whether its inputs have been put before it already.",
    ),
    stages=_topological,
)


# ---- the engine

_STEP = 1e-6


def _slopes(function: Callable[..., float], at: Sequence[float]) -> list[float]:
    def moved(k: int, by: float) -> float:
        return function(*(value + by * (n == k) for n, value in enumerate(at)))

    return [(moved(k, _STEP) - moved(k, -_STEP)) / (2 * _STEP) for k in range(len(at))]


def _tanh(x: Any) -> Any:
    return math.tanh(x) if isinstance(x, float) else x.tanh()


def _engine(answer: Any) -> Iterator[Stage]:
    yield "values", partial(_values, answer)
    yield (
        "one operation",
        partial(
            _expressions,
            answer,
            {"a + b": (lambda a, b: a + b, (1.5, -0.5)), "a * b": (lambda a, b: a * b, (1.5, -0.5)), "tanh a": (_tanh, (0.3,))},
            "",
        ),
    )
    yield (
        "a chain of operations",
        partial(
            _expressions,
            answer,
            {
                "tanh(w · x + b)": (lambda w, x, b: _tanh(w * x + b), (0.3, 2.0, -0.2)),
                "tanh(a) · w": (lambda a, w: _tanh(a) * w, (0.8, -1.5)),
                "tanh(tanh a)": (lambda a: _tanh(_tanh(a)), (0.8,)),
            },
            (
                "Each single operation is right, and the chain is not: a rule has to multiply its slope with the gradient "
                "of its output (out.grad)."
            ),
        ),
    )
    yield (
        "a value used twice",
        partial(
            _expressions,
            answer,
            {
                "a + a": (lambda a: a + a, (1.5,)),
                "a · a": (lambda a: a * a, (1.5,)),
                "a · tanh a": (lambda a: a * _tanh(a), (0.8,)),
            },
            (
                "A value that is used twice gets a gradient from each use, and they add up: .grad has to be added to (+=),"
                " not replaced."
            ),
        ),
    )
    yield (
        "a value met again while others wait",
        partial(
            _expressions,
            answer,
            {
                "u = a · b, (u + a) · u": (lambda a, b: (a * b + a) * (a * b), (0.7, -1.2)),
                "u = tanh a, v = u · u, (v + u) · v": (_ladder, (0.6,)),
            },
            "The sums are right in small graphs, and not here: a value was visited before all its gradient had come in, or more than once. "
            "Visit values in topological order, each once, from the end.",
        ),
    )
    yield (
        "plain numbers beside values",
        partial(
            _expressions,
            answer,
            {"2 · a + 1": (lambda a: 2 * a + 1, (0.4,)), "a · 3": (lambda a: a * 3, (0.4,))},
            (
                "With plain numbers beside values it fails: wrap what is no Value in one, and define __radd__ and __rmul__"
                " for numbers on the left."
            ),
        ),
    )
    yield "backward twice", partial(_again, answer)


def _ladder(a: Any) -> Any:
    u = _tanh(a)
    v = u * u
    return (v + u) * v


def _made(answer: Any, value: float) -> Any:
    return running(lambda: answer(value), "Value(x)")


def _values(answer: Any) -> None:
    value = _made(answer, 1.5)
    for name, want in (("data", 1.5), ("grad", 0)):
        got = _number(value, name)
        if got != want:
            raise Wrong(f"Value(1.5).{name} should be {want}, and is {got:.6g}.")
    for what, function, want in (
        ("+", lambda a, b: a + b, 1.25),
        ("*", lambda a, b: a * b, -0.375),
        ("tanh", lambda a, b: a.tanh(), math.tanh(1.5)),
    ):
        made = running(lambda function=function: function(value, _made(answer, -0.25)), what)  # type: ignore[misc]
        if not isinstance(made, type(value)):
            raise Wrong(f"{what} should make a new Value, and makes a {type(made).__name__}.")
        got = _number(made, "data")
        if not math.isclose(got, want):
            raise Wrong(f"{what} of 1.5 and −0.25 should have the data {want:.6g}, and has {got:.6g}.")


def _number(value: Any, name: str) -> float:
    """The .data or .grad of a value. Errors: Wrong if it is no number."""
    if not hasattr(value, name):
        raise Wrong(f"A Value should have .{name}, and here it has none.")
    found = getattr(value, name)
    try:
        return float(found)
    except (TypeError, ValueError):
        raise Wrong(f".{name} should be a number, and is a {type(found).__name__}.") from None


def _expressions(answer: Any, cases: Mapping[str, tuple[Callable[..., Any], tuple[float, ...]]], why: str) -> None:
    for what, (function, at) in cases.items():
        values = [_made(answer, x) for x in at]
        try:
            result = running(lambda: function(*values), what)  # noqa: B023
            running(lambda: (result.backward(), 0)[1], f"backward() of {what}")  # noqa: B023
        except Wrong as wrong:
            raise Wrong(f"{wrong.explanation}{' ' if why else ''}{why}") from wrong
        got, want = [_number(value, "grad") for value in values], _slopes(function, at)
        if not all(map(_near, got, want)):
            raise Wrong(_reason(what, at, got, want, why), _grads(what, at, got, want))


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)


_SLOPES: Mapping[str, Sequence[tuple[str, Callable[..., float]]]] = {
    "a * b": (("This is the rule of a sum; in a product the other factor decides how much counts.", lambda a, b: 1.0),),
    "tanh a": (
        ("This is 1 − a²: the slope is made of the output, tanh a, and not of the input.", lambda a: 1 - a * a),
        ("This is 1 − t with t = tanh a: the output goes in squared.", lambda a: 1 - math.tanh(a)),
        ("This is t (1 − t), the rule of the sigmoid.", lambda a: math.tanh(a) * (1 - math.tanh(a))),
        (
            "This is 1 + t² with t = tanh a: at its ends tanh is flat, so the slope has to fall there.",
            lambda a: 1 + math.tanh(a) ** 2,
        ),
        ("The gradient goes on as it came in: tanh has a slope of its own.", lambda a: 1.0),
    ),
}


def _reason(what: str, at: Sequence[float], got: Sequence[float], want: Sequence[float], why: str) -> str:
    if not any(got):
        return (
            f"After backward() of {what} all gradients are still 0: nothing reached the inputs. It has to begin with a gradient of 1 at the "
            "end, and to call the rule of every value on the way, the end's first."
        )
    if why:
        return why
    if len(got) > 1 and all(map(_near, got[::-1], want)):
        return f"The gradients of {what} are swapped: of a product, each factor gets the other one."
    for says, slope in _SLOPES.get(what, ()):
        if all(_near(mine, slope(*at)) for mine in got):
            return says
    for n, (mine, right) in enumerate(zip(got, want, strict=True), 1):
        if not mine:
            return f"Number {n} of {what} gets no gradient: each input of an operation gets one."
        if _near(mine, -right):
            return f"The gradient of number {n} of {what} has the wrong sign."
    return f"The gradients of {what} are wrong."


def _grads(what: str, at: Sequence[float], got: Sequence[float], want: Sequence[float]) -> Table:
    rows = [[f"number {n + 1}", value, mine, right] for n, (value, mine, right) in enumerate(zip(at, got, want, strict=True))]
    return Table(["value", "data", "your grad", "by nudging"], rows, what)


def _again(answer: Any) -> None:
    a = _made(answer, 0.8)
    for _ in range(2):
        (a * a).backward()
    if not math.isclose(_number(a, "grad"), 3.2, rel_tol=1e-9):
        raise Wrong(
            f"Two backward passes, of two results made of the same value, should add up in its .grad: 1.6 and 1.6 make 3.2, and here it is "
            f"{a.grad:.6g}. (That is why training loops have zero_grad.)"
        )


_engine_exercise = Exercise(
    name="engine",
    heading="Reverse-mode differentiation in a page",
    task="""\
A class Value for scalars: Value(x) has .data (the number) and .grad (0 at first). a + b, a * b and a.tanh() make new Values, also with
plain numbers beside them (2 * a). backward() of a result adds to the .grad of every value that it was made of. The earlier exercises are the
parts: a rule for each operation, sums where a value is used twice, and the order.""",
    starter="""\
class Value:
    def __init__(self, data):
        self.data = data
        self.grad = 0.0

    def __add__(self, other): ...

    def __mul__(self, other): ...

    def tanh(self): ...

    def backward(self): ...


learn.check("engine", Value)""",
    hints=(
        "Each result remembers its inputs, and a function that hands its gradient on to them.",
        "Handing on is adding: self.grad += slope * out.grad.",
        "backward() sets its own gradient to 1 and goes through the topological order from the end.",
    ),
    stages=_engine,
)

ENGINES: Sequence[Exercise] = (_order_exercise, _engine_exercise)

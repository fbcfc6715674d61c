"""Engines as learners write them."""

from __future__ import annotations

import math

import pytest
from learn_answers import Value

from minigrad import learn


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(tmp_path / "progress.json"))


def tanh_with(slope):
    """An engine whose tanh has another slope, a function of the input."""

    class Changed(Value):
        def tanh(self):
            return type(self)(math.tanh(self.data), ((self, slope(self.data)),))

    return Changed


class NegativeSum(Value):
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data + other.data, ((self, 1.0), (other, -1.0)))

    __radd__ = __add__


class OneSided(Value):
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data * other.data, ((self, other.data),))

    __rmul__ = __mul__


class ProductAsSum(Value):
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data * other.data, ((self, 1.0), (other, 1.0)))

    __rmul__ = __mul__


class Closures:
    """As in many tutorials: every result keeps a function that hands its gradient on."""

    def __init__(self, data, made_of=()):
        self.data, self.grad, self.made_of, self.hand_on = data, 0.0, made_of, lambda: None

    def wrapped(self, other):
        return other if isinstance(other, Closures) else type(self)(other)

    def __add__(self, other):
        other = self.wrapped(other)
        out = type(self)(self.data + other.data, (self, other))

        def hand_on():
            self.grad += out.grad
            other.grad += out.grad

        out.hand_on = hand_on
        return out

    def __mul__(self, other):
        other = self.wrapped(other)
        out = type(self)(self.data * other.data, (self, other))

        def hand_on():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.hand_on = hand_on
        return out

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self):
        out = type(self)(math.tanh(self.data), (self,))

        def hand_on():
            self.grad += (1 - out.data**2) * out.grad

        out.hand_on = hand_on
        return out

    def order(self):
        found = []

        def visit(value):
            if value not in found:
                for of in value.made_of:
                    visit(of)
                found.append(value)

        visit(self)
        return found

    def backward(self):
        self.grad = 1.0
        for value in reversed(self.order()):
            value.hand_on()


class TanhAlone(Closures):
    """The rule of tanh forgets what comes in."""

    def tanh(self):
        out = super().tanh()

        def hand_on():
            self.grad += 1 - out.data**2

        out.hand_on = hand_on
        return out


class ForwardOrder(Closures):
    def backward(self):
        self.grad = 1.0
        for value in self.order():
            value.hand_on()


class OwnRule(Closures):
    def backward(self):
        self.grad = 1.0
        self.hand_on()


class NoGradient(Closures):
    def __init__(self, data, made_of=()):
        super().__init__(data, made_of)
        self.grad = None


class ValueInValue(Closures):
    def __add__(self, other):
        return type(self)(Closures(self.data + self.wrapped(other).data))


ENGINES = {
    "tanh without out.grad": (TanhAlone, "multiply its slope with the gradient of its output (out.grad)", "a chain of operations"),
    "forward order": (ForwardOrder, "all gradients are still 0: nothing reached the inputs", "a chain of operations"),
    "its own rule only": (OwnRule, "all gradients are still 0: nothing reached the inputs", "a chain of operations"),
    "1 − a²": (tanh_with(lambda a: 1 - a**2), "of the output, tanh a, and not of the input", "one operation"),
    "1 − t": (tanh_with(lambda a: 1 - math.tanh(a)), "the output goes in squared", "one operation"),
    "t (1 − t)": (tanh_with(lambda a: math.tanh(a) * (1 - math.tanh(a))), "the rule of the sigmoid", "one operation"),
    "slope 1": (tanh_with(lambda a: 1.0), "tanh has a slope of its own", "one operation"),
    "minus": (NegativeSum, "The gradient of number 2 of a + b has the wrong sign", "one operation"),
    "one side": (OneSided, "Number 2 of a * b gets no gradient", "one operation"),
    "a sum's rule": (ProductAsSum, "the rule of a sum", "one operation"),
    "no gradient": (NoGradient, ".grad should be a number, and is a NoneType", "values"),
    "a value in a value": (ValueInValue, ".data should be a number, and is a Closures", "values"),
    "no data": (type("Empty", (), {"__init__": lambda self, x: None}), "should have .data", "values"),
}


@pytest.mark.parametrize("what", ENGINES)
def test_wrong_engines(what):
    engine, says, stage = ENGINES[what]
    grade = learn.check("engine", engine)
    assert says in grade.explanation
    assert stage == grade.failed


def test_an_engine_of_closures_is_right():
    grade = learn.check("engine", Closures)
    assert grade, str(grade)

"""Exercises are graded as a teacher would: right answers pass, and each wrong one is told what is wrong with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from learn_answers import RIGHT, Value, operation

import minigrad as mg
from minigrad import learn
from minigrad.errors import ArgumentError
from minigrad.kernels.notation import absolute, exp, log, maximum, sigmoid, tanh, where
from minigrad.learn.functions import Function
from minigrad.learn.operations import Operation
from minigrad.learn.tasks import EXERCISES


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    place = tmp_path / "learner" / "progress.json"
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(place))
    return place


# ---- the path


def test_the_path_leads_from_a_product_to_an_engine():
    names = learn.exercises()
    assert len(names) >= 20
    steps = ["mul", "relu", "tanh", "softmax", "cross_entropy", "linear", "layer_norm", "adam", "engine"]
    assert steps == [name for name in names if name in steps]
    assert set(names) == set(RIGHT)


@pytest.mark.parametrize("name", list(EXERCISES))
def test_right_answers_pass_every_stage(name):
    grade = learn.check(name, RIGHT[name])
    assert grade, str(grade)
    assert len(grade.passed) == len(list(EXERCISES[name].stages(RIGHT[name])))
    assert f"{name}: right" in str(grade)
    assert grade.explanation == ""


@pytest.mark.parametrize("name", list(EXERCISES))
def test_the_starter_is_not_right_and_is_told_kindly(name):
    scope = {"mg": mg, "learn": learn}
    code = learn.exercise(name).starter.replace(f'learn.check("{name}", ', "answer = (")
    try:
        exec(code, scope)
    except mg.errors.RuleError:
        return  # a map over elements is read where it is declared
    grade = learn.check(name, scope["answer"])
    assert not grade
    assert grade.explanation


# ---- what is wrong


def known_mistakes():
    """Each mistake that an exercise knows, as an answer that makes it."""
    for name, task in EXERCISES.items():
        spec = getattr(task.stages, "__self__", None)
        if isinstance(spec, Function):
            yield from ((name, mistake.wrong, mistake.says) for mistake in spec.mistakes)
        if not isinstance(spec, Operation):
            continue
        right, arguments = RIGHT[name], ", ".join(spec.cases[0].arguments)
        rules = {argument: rule.function for argument, rule in right.rules.items()}
        for mistake in spec.mistakes:
            formula = eval(f"lambda {arguments}: wrong({arguments})", {"wrong": mistake.wrong, "__name__": __name__})
            yield name, operation(name, formula, **rules), mistake.says
        for argument, mistakes in spec.rules.items():
            for mistake in mistakes:
                formula = eval(f"lambda {arguments}: right({arguments})", {"right": right.formula, "__name__": __name__})
                rule = eval(f"lambda g, {arguments}: wrong(g, {arguments})", {"wrong": mistake.wrong, "__name__": __name__})
                made = mg.op(broadcasts=right.broadcasts)(formula)
                for other, function in {**rules, argument: rule}.items():
                    made.backward(other)(function)
                yield name, made, mistake.says


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_each_known_mistake_gets_its_own_diagnosis():
    found = [(name, says, learn.check(name, answer).explanation) for name, answer, says in known_mistakes()]
    assert len(found) > 200
    assert [] == [(name, says, explanation) for name, says, explanation in found if says != explanation]


def sigmoid_with(rule):
    return operation("sigmoid", lambda x: 1 / (1 + exp(-x)), x=rule)


def softmax_with(rule):
    return operation("softmax", RIGHT["softmax"].formula, x=rule)


def changed(name, **rules):
    """The right operation with other rules."""
    right = RIGHT[name]
    kept = {argument: rule.function for argument, rule in right.rules.items()}
    made = mg.op(broadcasts=right.broadcasts)(right.formula)
    for argument, rule in {**kept, **rules}.items():
        made.backward(argument)(rule)
    return made


def relu_at(condition):
    return operation("relu", lambda x: np.where(x > 0, x, 0.0), x=lambda g, x: np.where(condition(x), g, 0.0))


class Overwrites(Value):
    def hand_on(self):
        for value, slope in self.inputs:
            value.grad = slope * self.grad


class Depth(Value):
    """Hands on at once, without waiting for what is still to come."""

    def backward(self, first=True):
        if first:
            self.grad = 1.0
        self.hand_on()
        for value, _ in self.inputs:
            value.backward(first=False)


class WithoutSeed(Value):
    def backward(self):
        for value in reversed(self.order()):
            value.hand_on()


class Local(Value):
    def hand_on(self):
        for value, slope in self.inputs:
            value.grad += slope


class Swapped(Value):
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data * other.data, ((self, self.data), (other, other.data)))

    __rmul__ = __mul__


class NoNumbers(Value):
    def __add__(self, other):
        return type(self)(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        return type(self)(self.data * other.data, ((self, other.data), (other, self.data)))


class Forgets(Value):
    def backward(self):
        for value in self.order():
            value.grad = 0.0
        super().backward()


def recursive(end, inputs):
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for of in inputs[value]:
                visit(of)
            order.append(value)

    visit(end)
    return order


def in_order_of_meeting(end, inputs):
    order = [end]
    for value in order:
        order += [of for of in dict.fromkeys(inputs[value]) if of not in order]
    return order[::-1]


def repeating(end, inputs):
    return [value for of in inputs[end] for value in repeating(of, inputs)] + [end] if len(inputs) < 100 else []


def in_place(p, g, v, lr, momentum):
    v *= momentum
    v += g
    p -= lr * v
    return p, v


WRONG = {
    "no operation": ("relu", lambda x: x, "a plain function, no operation: write @mg.elementwise"),
    "other arguments": ("mul", operation("mul", lambda x, y: x * y), "should be called a, b, in this order; here they are x, y"),
    "no rule": ("mul", operation("mul", lambda a, b: a * b, a=lambda g, b: g * b), 'no rule for b yet: @mul.backward("b")'),
    "returns nothing": ("mean", operation("mean", lambda x: None, x=lambda g, x: g), "The formula returns nothing yet"),
    "rule returns nothing": ("mean", changed("mean", x=lambda g, x: None), "The rule for x returns nothing yet"),
    "raises": ("mean", operation("mean", lambda x: x.avg(), x=lambda g, x: g), "stops with AttributeError"),
    "changes its input": (
        "softmax",
        operation("softmax", lambda x: x.__isub__(x.max(1, keepdims=True)), x=lambda g, y: g),
        "changes its argument x",
    ),
    "sign": ("tanh", changed("tanh", x=lambda g, x, y: -g * (1 - y * y) * 1.0), "the derivative with the wrong sign"),
    "sign of a sum": ("add", changed("add", b=lambda g: -g.sum(0)), "The sign is the other way round"),
    "factor": ("sigmoid", sigmoid_with(lambda g, y: 3 * g * y * (1 - y)), "is 3 times what it should be, everywhere"),
    "zero": ("sigmoid", sigmoid_with(lambda g, y: 0 * g), "The rule says 0 everywhere"),
    "g is not used": ("sigmoid", sigmoid_with(lambda g, y: y * (1 - y) + 0 * g), "does not use g, the gradient that comes in"),
    "g twice": ("sigmoid", sigmoid_with(lambda g, y: g * g * y * (1 - y)), "multiplies with g twice"),
    "g added": ("sigmoid", sigmoid_with(lambda g, y: g + y * (1 - y)), "adds something to g"),
    "swapped": ("mul", changed("mul", a=lambda g, a: g * a, b=lambda g, b: g * b), "does not depend on a itself"),
    "swapped in div": ("div", changed("div", a=lambda g, a, b: -g * a / b**2), "This is the gradient of b, not of a"),
    "not summed": ("add", changed("add", b=lambda g: g), "has shape (3, 4), and b itself (4,). b was added to each row"),
    "not summed, bias": ("linear", changed("linear", bias=lambda g: g), "sum over the axes along which it was used"),
    "wrong shape": (
        "linear",
        changed("linear", weight=lambda g, x: g.sum() * np.ones(7)),
        "a gradient has the shape of what it is the gradient of",
    ),
    "overflow": (
        "sigmoid",
        operation("sigmoid", lambda x: exp(x) / (1 + exp(x)), x=lambda g, y: g * y * (1 - y)),
        "At 1000 this is no number",
    ),
    "overflow of softmax": (
        "softmax",
        operation("softmax", lambda x: exp(x) / exp(x).sum(1, keepdims=True), x=RIGHT["softmax"].rules["x"].function),
        "At 1000 this is no number: e¹⁰⁰⁰",
    ),
    "overflow of a loss": (
        "cross_entropy",
        operation(
            "cross_entropy",
            lambda x, target: -log(RIGHT["softmax"].formula(x))[range(len(x)), target].mean(),
            x=RIGHT["cross_entropy"].rules["x"].function,
        ),
        "a probability rounded to 0 meets its logarithm",
    ),
    "overflow of a rule": (
        "softplus",
        operation("softplus", RIGHT["softplus"].formula, x=lambda g, x: g * exp(x) / (1 + exp(x))),
        "inf or nan at 1 of 4 places where it should be finite",
    ),
    "lost tail": (
        "softplus",
        operation("softplus", lambda x: np.where(x > 30, x, np.log(1 + np.exp(np.minimum(x, 30)))), x=lambda g, x: g * sigmoid(x)),
        "a small number beside a large one is rounded away",
    ),
    "kink": ("relu", relu_at(lambda x: x >= 0), "at x = 0 the gradient should be 0"),
    "kink of leaky relu": (
        "leaky_relu",
        operation("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), x=lambda g, x: np.where(x >= 0, g, 0.01 * g)),
        "the slope of the left side holds, 0.01",
    ),
    "half": (
        "relu",
        operation("relu", lambda x: np.where(x > 0, x, 0.0), x=lambda g, x: np.where(x > 0, g, 0.5 * g)),
        "right but where x is negative",
    ),
    "float64": (
        "relu",
        operation("relu", lambda x: np.where(x > 0, x, np.zeros(x.shape)), x=lambda g, x: np.where(x > 0, g, 0)),
        "Of float32 it makes float64",
    ),
    "mean instead of sum": (
        "linear",
        changed("linear", weight=lambda g, x: g.T @ x / len(x)),
        "Every sample sends its gradient back",
    ),
    "repeats forgotten": (
        "embedding",
        changed("embedding", weight=lambda g, weight, index: scatter(g, weight, index)),
        "keeps only one of the gradients",
    ),
    "diagonal": ("softmax", softmax_with(lambda g, y: g * y * (1 - y)), "the diagonal of the Jacobian only"),
    "constants": (
        "layer_norm",
        changed("layer_norm", x=lambda g, x, y: g / np.sqrt(x.var(1, keepdims=True) + 1e-5)),
        "takes mean and variance for constants",
    ),
    "not a function": ("sgd", 3, "This is a int; hand in the function itself"),
    "too few results": (
        "sgd",
        lambda p, g, v, lr, momentum: p - lr * g,
        "should return parameters, velocity, and returns a ndarray",
    ),
    "writes in place": ("sgd", in_place, "changes its argument p in place"),
    "overwrites": ("engine", Overwrites, "A value that is used twice gets a gradient from each use"),
    "without order": ("engine", Depth, "visited before all its gradient had come in"),
    "no seed": ("engine", WithoutSeed, "all gradients are still 0"),
    "local slopes": ("engine", Local, "multiply its slope with the gradient of its output"),
    "swapped factors": ("engine", Swapped, "swapped: of a product, each factor gets the other one"),
    "no plain numbers": ("engine", NoNumbers, "wrap what is no Value in one"),
    "forgets": ("engine", Forgets, "should add up in its .grad"),
    "recursion": ("topological_order", recursive, "Keep the values that wait in a list of your own"),
    "breadth first": ("topological_order", in_order_of_meeting, "comes before"),
    "repeats": ("topological_order", repeating, "times: each value comes once"),
    "backwards": (
        "topological_order",
        lambda end, inputs: RIGHT["topological_order"](end, inputs)[::-1],
        "the order is the other way round",
    ),
    "all there is": (
        "topological_order",
        lambda end, inputs: [*(v for v in inputs if v == "other"), *RIGHT["topological_order"](end, inputs)],
        "though L is not made of it",
    ),
}


def scatter(g, weight, index):
    found = np.zeros(weight.shape)
    found[index] += g
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("what", WRONG)
def test_wrong_answers_are_explained(what):
    name, answer, says = WRONG[what]
    grade = learn.check(name, answer)
    assert not grade
    assert says in grade.explanation
    assert f"✗ {grade.failed}" in str(grade)


def test_the_numbers_that_show_it():
    grade = learn.check("relu", relu_at(lambda x: x < 2))
    assert "x" in grade.wrong.evidence.head
    assert {"g", "your rule", "right"} <= set(grade.wrong.evidence.head)
    assert "✓ values" in str(grade)


# ---- questions


@pytest.mark.parametrize("choice", ["…", "...", "", " … "])
def test_an_answer_that_waits_is_asked_for_a_letter_and_not_kept(choice, progress_file):
    reply = learn.answer("chain_rule-1", choice)
    assert not reply
    asked = f'chain_rule-1 waits for your answer. Write one of the letters a, b, c, d in place of "{choice}".'
    assert asked == str(reply).strip()
    assert isinstance(reply, learn.Reply)
    assert not progress_file.exists()


# ---- hints and progress


def test_progress_is_kept_in_a_file(progress_file):
    assert not progress_file.exists()
    assert not learn.check("mul", lambda a, b: a * b)
    assert learn.check("mul", RIGHT["mul"])
    assert "Hint 1 of 2: Hold b still" in str(learn.hint("mul"))
    assert "Hint 2 of 2" in str(learn.hint("mul"))
    kept = json.loads(progress_file.read_text())
    assert {"mul": {"tries": 2, "hints": 2, "right": True}} == kept["exercises"]
    shown = str(learn.progress())
    assert "1 of 26 exercises are right" in shown
    assert "Next: derivative." in shown
    assert str(progress_file) in shown
    assert learn.progress().to_dict()["exercises"]["mul"]["tries"] == 2
    learn.progress(reset=True)
    assert "0 of 26" in str(learn.progress())


def test_a_right_answer_stays_right():
    learn.check("mul", RIGHT["mul"])
    learn.check("mul", 3)
    assert learn.progress().to_dict()["exercises"]["mul"] == {"tries": 2, "hints": 0, "right": True}


@pytest.mark.parametrize("text", ["", "[1]", "\udcff", '{"exercises": {"mul": {"tries": 1, "colour": 2}}, "questions": {}}'])
def test_a_broken_file_is_named_and_not_overwritten(progress_file, text):
    progress_file.parent.mkdir()
    progress_file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.warns(UserWarning, match="is no file of progress .* is not kept"):
        assert learn.check("mul", RIGHT["mul"])
    with pytest.raises(ArgumentError, match="is no file of progress") as caught:
        learn.progress()
    assert str(progress_file) in str(caught.value)
    assert text == progress_file.read_text(encoding="utf-8", errors="surrogateescape")


def test_unknown_names():
    with pytest.raises(ArgumentError, match=r"learn.exercise: there is no exercise 'sigmoyd'; did you mean 'sigmoid'\?"):
        learn.exercise("sigmoyd")
    with pytest.raises(ArgumentError, match=r"learn.exercises\(\) lists them"):
        learn.check("zzz", None)
    with pytest.raises(ArgumentError, match="hint: there is no exercise"):
        learn.hint(3)  # type: ignore[arg-type]


def test_an_exercise_shows_task_and_starter():
    shown = str(learn.exercise("softmax"))
    assert "it must not overflow at 1000" in shown
    assert '@softmax.backward("x")' in shown
    assert 'learn.hint("softmax")' in shown
    assert learn.exercise("softmax").to_dict()["hints"] == 3


def test_what_was_learned_is_an_operation_of_ones_own():
    """The answer is compiled and trained with, like the library's."""
    own = RIGHT["tanh"]
    x, w = mg.randn(32, 4), mg.randn(4, 1, requires_grad=True)
    step = mg.compile(lambda x: own(x @ w).sum())
    for _ in range(3):
        assert step(x).item() == pytest.approx((x @ w).tanh().sum().item(), rel=1e-5)
    assert absolute(-1.0) == maximum(0.0, 1.0) == tanh(100.0) == where(True, 1.0, 0.0)

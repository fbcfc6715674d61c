"""What grading says of answers that no list of mistakes foresees, and that right answers in other forms pass."""

from __future__ import annotations

import numpy as np
import pytest
from learn_answers import RIGHT, operation

import minigrad as mg
from minigrad import learn, ops
from minigrad.errors import ArgumentError, RuleError
from minigrad.kernels.notation import exp, log, sigmoid, tanh
from minigrad.learn import desk
from minigrad.learn.comparing import Case, Mistake, factor_between
from minigrad.learn.exercises import Exercise, Wrong
from minigrad.learn.functions import Function
from minigrad.learn.operations import Operation
from minigrad.learn.questions import QUESTIONS

X = np.array([-3.0, -1.5, -0.4, 0.3, 1.2, 2.7])
CASES = (Case("six numbers", {"x": X}),)
FAR = (Case("large arguments", {"x": np.array([-1000.0, -40.0, 40.0, 1000.0])}),)
ZERO = (Case("x = 0", {"x": np.array([0.0, -1.0, 1.0])}),)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    place = tmp_path / "progress.json"
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(place))
    return place


def said(spec, answer):
    """What is wrong with an answer; empty if nothing is."""
    try:
        for _, look in spec.stages(answer):
            look()
    except Wrong as wrong:
        return wrong.explanation
    return ""


def relu(rule):
    return operation("relu", lambda x: np.where(x > 0, x, 0.0), x=rule)


# ---- rules that write into what is not theirs


def clear(values, where):
    values[where] = 0
    return values


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (relu(lambda g, x: clear(g, x <= 0)), "g"),
        (relu(lambda g, x: g * clear(x, x <= 0) / np.where(x > 0, x, 1)), "x"),
        (operation("tanh", lambda x: np.tanh(x), x=lambda g, y: g * (1 - y.__imul__(y))), "y"),
    ],
)
def test_a_rule_may_not_change_what_it_is_given(answer, name):
    spec = Operation(truth=ops.tanh if name == "y" else ops.relu, cases=CASES)
    assert f"The rule for x changes {name}, which others still need" in said(spec, answer)


# ---- edges


SOFTPLUS = {"truth": ops.softplus, "cases": CASES, "edges": FAR, "unstable": "e¹⁰⁰⁰ overflows"}
CLIPPED = Mistake("The argument is clipped at 30.", lambda x: np.log1p(np.exp(np.minimum(x, 30))))


def softplus(formula):
    return operation("softplus", formula, x=lambda g, x: g * sigmoid(x))


def test_tiny_numbers_count_at_the_edges_only_where_they_are_asked_for():
    lost = softplus(lambda x: np.where(x > 30, x, np.log(1 + np.exp(np.minimum(x, 30)))))
    assert said(Operation(**SOFTPLUS), lost) == ""
    assert "results are finite, and wrong" in said(Operation(**SOFTPLUS, strict=True), lost)
    assert said(Operation(**SOFTPLUS, strict=True), softplus(lambda x: np.logaddexp(0, x))) == ""


def test_right_forms_that_round_at_the_edges_pass():
    assert learn.check("sigmoid", operation("sigmoid", lambda x: 0.5 * (1 + tanh(x / 2)), x=lambda g, y: g * y * (1 - y)))
    right = RIGHT["bce_with_logits"]
    other = mg.op(broadcasts=right.broadcasts)(lambda x, target: np.logaddexp(0, x) - x * target)
    for name, rule in right.rules.items():
        other.backward(name)(rule.function)
    assert learn.check("bce_with_logits", other)


def test_an_overflow_and_a_wrong_number_are_told_apart():
    spec = Operation(**SOFTPLUS, mistakes=(CLIPPED,))
    assert said(spec, softplus(lambda x: log(1 + exp(x)))) == "e¹⁰⁰⁰ overflows"
    assert said(spec, softplus(CLIPPED.wrong)) == "The argument is clipped at 30."
    told = said(spec, softplus(lambda x: np.log1p(np.exp(np.minimum(x, 300)))))
    assert "With large arguments, 1 of 4 results are finite, and wrong" in told
    assert "e¹⁰⁰⁰" not in told


def test_a_mistake_is_known_by_its_finite_numbers():
    """What one maximum for all rows does: nan in one of them. All rows nan say nothing."""
    batch = Case("large logits", {"x": np.array([[1000.0, 1001.0], [-1000.0, -1001.0]])})
    spec = Operation(
        truth=lambda x: ops.softmax(x, 1),
        cases=(Case("a batch", {"x": np.array([[1.0, 2.0], [0.5, -1.0]])}),),
        edges=(batch,),
        unstable="overflows",
        mistakes=(
            Mistake("one sum", lambda x: np.exp(x) / np.exp(x).sum()),
            Mistake("one maximum", lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(1, keepdims=True)),
        ),
    )
    rule = RIGHT["softmax"].rules["x"].function
    assert said(spec, operation("softmax", lambda x: exp(x) / exp(x).sum(1, keepdims=True), x=rule)) == "overflows"
    assert said(spec, operation("softmax", spec.mistakes[1].wrong, x=rule)) == "one maximum"


# ---- kinks


def test_at_a_kink_only_the_slope_of_the_other_side_is_told_as_that():
    spec = Operation(truth=ops.relu, cases=CASES, kinks=ZERO, at_kink="the mask is x > 0")
    assert said(spec, relu(lambda g, x: np.where(x >= 0, g, 0))) == "the mask is x > 0"
    assert "inf or nan at 1 of 3 places" in said(spec, relu(lambda g, x: g * (x > 0) * x / np.abs(x)))
    assert "right but where x is 0" in said(spec, relu(lambda g, x: np.where(x > 0, g, np.where(x == 0, 0.5 * g, 0))))
    huber = Operation(truth=lambda x: ops.huber_loss(x, x.detach() * 0, "none"), cases=CASES, kinks=ZERO, at_kink="the pieces meet")
    between = operation(
        "huber",
        lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5),
        x=lambda g, x: g * np.where(np.abs(x) < 1, x, np.where(np.abs(x) > 1, np.sign(x), 0)),
    )
    assert said(huber, between) == "the pieces meet"
    divided = operation("relu", lambda x: x * (x + np.abs(x)) / (2 * x), x=RIGHT["relu"].rules["x"].function)
    assert "With x = 0, 1 of 3 results are inf or nan" in said(spec, divided)


# ---- factors


def test_a_factor_needs_two_numbers_that_differ():
    assert factor_between(np.array(3.0), np.array(2.0)) is None
    assert factor_between(np.array([3.0, 3.0, 0.0]), np.array([2.0, 2.0, 0.0])) is None
    assert factor_between(np.array([3.0, 6.0]), np.array([2.0, 4.0])) == 1.5
    assert factor_between(np.array(-2.0), np.array(2.0)) == -1
    assert factor_between(np.array(0.0), np.array(2.0)) == 0


def test_of_one_number_nothing_is_guessed():
    grade = learn.check("mean", operation("mean", lambda x: np.median(x), x=RIGHT["mean"].rules["x"].function))
    assert "times what it should be" not in grade.explanation
    assert "the result differs" in grade.explanation


# ---- several results


def test_of_several_results_the_wrong_one_is_named():
    spec = Function(
        truth=lambda p, v: (p - v, v),
        groups=(("steps", (Case("the first step", {"p": np.array([1.0, 2.0]), "v": np.array([0.5, 0.1])}),)),),
        results=("parameters", "velocity"),
    )
    assert said(spec, lambda p, v: (p - v, v + p * p)) == "The velocity: with the first step, 2 of 2 results differ."
    assert said(spec, lambda p, v: (p - v, 2 * v)).startswith("The velocity: with the first step, every result is 2 times")


# ---- what is told about arrays and dtypes


def test_an_answer_that_takes_arrays_for_tensors_is_told():
    spec = Operation(truth=ops.mean, cases=CASES)
    right = RIGHT["mean"].rules["x"].function
    told = said(spec, operation("mean", lambda x: x.sum() / x.numel(), x=right))
    assert "no attribute 'numel'" in told
    assert "NumPy arrays, not Tensors" in told
    assert "NumPy arrays, not Tensors" in said(spec, operation("mean", lambda x: x.mean(dim=0), x=right))
    assert "NumPy arrays, not Tensors" in said(
        spec, operation("mean", lambda x: np.mean(x), x=lambda g, x: g * x.new_ones() / x.size)
    )
    assert "NumPy arrays" not in said(spec, operation("mean", lambda x: x.sum() + None, x=right))


def test_a_wrong_dtype_is_told_with_its_remedy():
    answer = operation("relu", lambda x: np.where(x > 0, x, np.zeros(6)), x=lambda g, x: np.where(x > 0, g, 0))
    assert ".astype(x.dtype)" in said(Operation(truth=ops.relu, cases=CASES), answer)


def test_a_wrong_gradient_stands_beside_the_right_numbers():
    told = said(Operation(truth=ops.tanh, cases=CASES), operation("tanh", lambda x: np.tanh(x), x=lambda g, y: g * np.cos(y)))
    assert told == "With six numbers, the gradient of x is wrong; beside it stand the right numbers."


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("...", "put the formula in place of `...`"),
        ("np.exp(x)", r"`np.exp\(x\)` .* \(exp, from minigrad.kernels.notation, is one\)"),
        ("exp(x)", r"\(exp, from minigrad.kernels.notation, is one\)"),
        ("abs(x)", r"\(absolute, from"),
        ("max(x, 0)", r"\(maximum, from"),
        ("np.arctan2(x, 1)", r"\(atan2, from"),
    ],
)
def test_what_is_refused_in_a_rule_is_told_with_its_remedy(body, told, tmp_path):
    file = tmp_path / "rules.py"
    file.write_text(f"def op(x):\n    return {body}\n")
    scope = {"np": np, "__name__": "rules"}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    with pytest.raises(RuleError, match=told):
        mg.elementwise(scope["op"])


# ---- the desk


def test_an_answer_that_breaks_the_grading_is_graded_and_counted(monkeypatch):
    def stages(answer):
        yield "numbers", lambda: float(answer) and None

    broken = Exercise("broken", "", "", "", (), stages)
    monkeypatch.setitem(desk.EXERCISES, "broken", broken)
    grade = learn.check("broken", None)
    assert not grade
    assert grade.failed == "numbers"
    assert "TypeError: float() argument must be" in grade.explanation
    assert learn.progress().to_dict()["exercises"]["broken"]["tries"] == 1


@pytest.mark.parametrize("place", ["file/progress.json", "."])
def test_a_grade_comes_back_even_if_it_cannot_be_kept(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(tmp_path / place))
    with pytest.warns(UserWarning, match=r"(?s)MINIGRAD_PROGRESS.*is not kept"):
        assert learn.check("mul", RIGHT["mul"])
    with pytest.warns(UserWarning, match="is not kept"):
        assert "Hint 1 of 2" in str(learn.hint("mul"))
    with pytest.raises(ArgumentError, match="MINIGRAD_PROGRESS"):
        learn.progress(reset=True)
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_the_place_may_begin_with_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINIGRAD_PROGRESS", "~/deep/progress.json")
    learn.check("mul", RIGHT["mul"])
    assert (tmp_path / "deep" / "progress.json").exists()


def test_hints_come_one_by_one_and_then_all():
    hints = learn.exercise("sigmoid").hints
    one_by_one = [learn.hint("sigmoid") for _ in hints]
    assert [f"Hint {n + 1} of {len(hints)}: {text}" for n, text in enumerate(hints)] == [str(hint) for hint in one_by_one]
    assert one_by_one[1].to_dict() == {"exercise": "sigmoid", "hints": [str(one_by_one[1])]}
    assert "\n\n".join(map(str, one_by_one)) == str(learn.hint("sigmoid")) == str(learn.hint("sigmoid"))
    assert learn.progress().to_dict()["exercises"]["sigmoid"]["hints"] == len(hints)


def test_progress_tells_of_questions_by_notebook():
    learn.answer("softmax-1", learn.question("softmax-1").right)
    learn.answer("softmax-2", "a")
    shown = learn.progress()
    assert f"and 1 of {len(QUESTIONS)} questions" in shown.headline()
    rows = {row[0]: row[1:] for row in shown.blocks()[-1].rows}
    count = sum(name.startswith("softmax-") for name in QUESTIONS)
    assert list(rows) == list(dict.fromkeys(name.rsplit("-", 1)[0] for name in QUESTIONS))
    right = 1 + (learn.question("softmax-2").right == "a")
    assert rows["softmax"] == [f"{right} of {count}", 2]

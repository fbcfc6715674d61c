"""The notebook on activations: its values, its check-it cells, its measurements and its exercise."""

from __future__ import annotations

import math
import re

import pytest
from notebook_runner import numbers, run_notebook

ANSWERS = {
    "exercise": {
        "power": "    return g * (1 - y * y) ** 1.5",
        "math": "    return g * math.sqrt(1 - y * y) * (1 - y * y)",
        "input": "    return g\n\n\ndef rule(g, x):\n    v = 1 + x * x\n    return g / (v * sqrt(v))",
    }
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("03_activations", tmp_path_factory.mktemp("activations"), ANSWERS)


def row(shown, cell, name):
    """The text behind a name at the beginning of a line."""
    return re.search(rf"^{re.escape(name)}(.*)$", shown[cell].text, re.MULTILINE).group(1)


def gauss(z):
    return math.erfc(-z / math.sqrt(2)) / 2


PLACES = [-3, -2, -0.5, 0, 0.5, 2, 3]
FORMULAS = {
    "ReLU": lambda z: max(z, 0),
    "leaky ReLU": lambda z: max(0.01 * z, z),
    "PReLU": lambda z: max(0.25 * z, z),
    "ELU": lambda z: z if z > 0 else math.expm1(z),
    "GELU": lambda z: z * gauss(z),
    "SiLU": lambda z: z / (1 + math.exp(-z)),
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
}


def test_a_stack_is_affine_and_not_linear(shown):
    text = shown["affine"].text
    assert float(re.search(r"(\S+) apart", text).group(1)) < 1e-15
    stack_sum, stack_shifted, bent_sum, bent_shifted = (float(found) for found in re.findall(r"(\d\.\d{4}) apart", text))
    assert stack_shifted == 0
    assert min(stack_sum, bent_sum, bent_shifted) > 0.01


@pytest.mark.parametrize("name", FORMULAS)
def test_values(shown, name):
    assert [FORMULAS[name](z) for z in PLACES] == pytest.approx(numbers(row(shown, "values", name)), abs=5.1e-5)


def test_values_of_the_lessons(shown):
    assert [0.04742587, 0.5, 0.95257413] == numbers(row(shown, "values", "sigmoid at −3, 0, 3:"))
    assert [-0.99505475, 0, 0.99505475] == numbers(row(shown, "values", "tanh    at −3, 0, 3:"))
    assert "leaky [-0.02  -0.005  0.     0.5    2.   ]" in row(shown, "maximum-code", "slope 0.01:")


@pytest.mark.parametrize("name", FORMULAS)
def test_slopes_by_hand_by_differences_and_by_gradcheck(shown, name):
    largest, by_hand, by_difference = numbers(row(shown, "slopes", name))
    assert (0.25 if name == "sigmoid" else 1.0) == pytest.approx(largest, abs=0.15 if name in ("GELU", "SiLU") else 0.01)
    assert by_hand < 1e-14
    assert by_difference < 1e-9
    assert row(shown, "slopes", name).endswith("True")


def test_the_corner(shown):
    assert "[0. 0. 1.]" in row(shown, "corner-check", "ReLU's gradient at −1, 0, 1:")
    assert "[0.  0.5 1. ]" in row(shown, "corner-check", "central differences say:")
    assert "A kink (or a jump), not a wrong rule" in shown["corner-check"].text


def test_the_rule_and_the_loop_that_is_made_of_it(shown):
    text = shown["kernel-text"].text
    assert "return g * (y * (1 - y))" in text
    assert "        out[i] = x_g[i] * (x_y[i] * (T(1) - x_y[i]))" in text
    assert "        out[i] = where(x_x[i] > T(0), x_g[i], x_negative_slope * x_g[i])" in text
    assert "the same bits: True" in shown["kernel-call"].text
    bend, by_difference = re.search(r"σ″: +(\[.*?\]).*(\[.*\])", shown["kernel-call"].text).groups()
    assert bend == by_difference


def test_sigmoid_is_one_from_17_in_float32_and_from_37_in_float64(shown):
    text = shown["strictly"].text
    assert "float32: exactly 1 from 17 on, exactly 0 from -104 on" in text
    assert "float64: exactly 1 from 37 on, exactly 0 from -746 on" in text
    assert 2 == len(re.findall(r"slope at \d+: 0\.0e\+00", text))


def test_gradients_through_20_layers(shown):
    for name, factor in {"sigmoid": 0.236, "tanh": 0.94, "ReLU": math.sqrt(0.5)}.items():
        assert factor == pytest.approx(_measured(shown, f"{name}, Xavier"), rel=0.03)
    assert 1 == pytest.approx(_measured(shown, "ReLU, He"), rel=0.03)
    assert math.sqrt(1 / 6) == pytest.approx(_measured(shown, "ReLU, default"), rel=0.03)


def _measured(shown, name):
    """The factor a layer, which the formula and both ends of the tower must tell, too."""
    last, first, weights, slopes, product, measured, _ = numbers(row(shown, "measure", name))
    assert weights * slopes == pytest.approx(product, abs=2e-3)
    assert measured == pytest.approx(product, rel=0.03)
    assert measured == pytest.approx((first / last) ** (1 / 19), rel=0.01)
    return measured


def test_training_20_layers(shown):
    for name in ("sigmoid, Xavier", "ReLU, default"):
        line = row(shown, "deep-training", name)
        assert "doctor: vanishing_gradient" in line
        assert math.log(2) == pytest.approx(numbers(line.partition("steps:")[2])[0], abs=0.002)
    healthy = row(shown, "deep-training", "ReLU, He")
    assert "vanishing" not in healthy
    assert numbers(healthy.partition("steps:")[2])[0] < 0.4


def test_dead_units_are_made_found_and_do_not_come_back(shown):
    text = shown["dead-make"].text
    before, after, units = (int(n) for n in re.search(r"dead before: (\d+), after: (\d+) of (\d+)", text).groups())
    assert before <= 3
    assert units == 32
    assert after > units / 2
    assert f"warning: Layer 1 (ReLU): {after} of 32 units" in text
    assert f"still dead {after}\n" in text
    assert f"in {units - after} of {units - after} living units, and in 0 of {after} dead ones" in text


def test_dead_units_are_cured(shown):
    losses = {
        name: numbers(row(shown, "dead-cured", name))[-1] for name in ("ReLU  ", "leaky ReLU, slope 0.1 ", "GELU", "ReLU, started")
    }
    assert 0.693 == losses["ReLU  "]
    assert max(losses["leaky ReLU, slope 0.1 "], losses["GELU"]) < 0.5
    assert losses["ReLU, started"] < 0.2
    text = shown["dead-cured"].text
    assert ["dead_relu", *["–"] * 4] == re.findall(r"doctor: (\S+)", text)
    fresh = re.search(r"dead before: (\d+)", shown["dead-make"].text).group(1)
    assert ["32", "32", "32", "32", fresh] == re.findall(r"(\d+) of 32 units never above 0", text)


def test_the_maximum_is_the_leaky_rectifier_up_to_slope_1(shown):
    same = dict(re.findall(r"^slope +(\S+): the same: (\w+)", shown["maximum-code"].text, re.MULTILINE))
    assert {"-0.5": "True", "0.0": "True", "0.01": "True", "0.3": "True", "1.0": "True", "1.5": "False"} == same
    assert "slope at 0: leaky 0.01, maximum 0.505" in shown["maximum-code"].text


def test_prelu_learns_its_slope(shown):
    steps = [numbers(line)[1:] for line in shown["prelu"].text.splitlines()]
    assert all(gradient == by_hand for _, gradient, by_hand in steps)
    assert 0.25 == steps[0][0]
    assert 1.5 == pytest.approx(steps[-1][0], abs=0.01)


def test_the_answer_is_relu(shown):
    right = [line for line in shown["which-code"].text.splitlines() if line.endswith("blocks negative ones: True")]
    assert ["A. ReLU"] == [line[:7] for line in right if "keeps positive signals: True" in line]


def test_pictures(shown):
    assert {"draw-slopes": 1, "draw-saturation": 1, "deep-training": 1, "dead-make": 1, "dead-cured": 1} == {
        name: cell.pictures for name, cell in shown.items() if cell.pictures
    }


def test_the_exercise_waits_and_its_solution_is_right(shown):
    assert shown["exercise"].text.startswith("Not yet.\n")
    assert shown["solved-exercise"].text.startswith("Right!")
    assert "out[i] = x_g[i] * t_d * sqrt(t_d)" in shown["solved-exercise"].text
    assert shown["exercise-silu"].text.startswith("silu: ")


@pytest.mark.parametrize(
    ("answer", "verdict", "told"),
    [
        ("power", "Right, but\n", "no loop is made, NumPy computes powers that are no products"),
        ("math", "Not yet.\n", "`math.sqrt(1 - y * y)` calls what is no function of the notation (sqrt, "),
        ("input", "Not yet.\n", "it names x"),
    ],
)
def test_answers_without_a_loop_or_of_the_input_are_told_why(shown, answer, verdict, told):
    text = shown[f"exercise-{answer}"].text
    assert text.startswith(verdict)
    assert told in text

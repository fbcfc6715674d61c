"""Notebook 6, how do you know that a gradient is right, shows what it promises."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from notebook_runner import numbers, run_notebook

from minigrad.learn.questions.gradient_checking import GRADIENT_CHECKING

ANSWERS = {
    "patient": {"constant": "    return g * y / (x.size * x * x) * 12 / 7"},
    "own-cell": {"shorter-step": "    return central(f, x, h * h)"},
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("06_gradient_checking", tmp_path_factory.mktemp("gradient_checking"), ANSWERS)


def test_errors_fall_with_the_step_and_with_its_square(shown):
    text = shown["differences"].text
    slope = math.cos(1) * math.exp(math.sin(1))
    assert [slope, slope] == pytest.approx([float(value) for value in re.findall(r"\d\.\d{10,}", text)], rel=1e-14)
    one_sided = [float(value) for value in re.findall(r"one-sided: (\S+)", text)]
    central = [float(value) for value in re.findall(r"central: (\S+)", text)]
    assert [10, 10] == pytest.approx([one_sided[0] / one_sided[1], one_sided[1] / one_sided[2]], rel=0.15)
    assert [100, 100] == pytest.approx([central[0] / central[1], central[1] / central[2]], rel=0.05)


def test_best_steps_are_at_the_bottom_of_the_valley(shown):
    found = dict(re.findall(r"(float\d\d): best step of central differences (\S+),", shown["best-steps"].text))
    x, value = 1.0, math.exp(math.sin(1.0))
    h = 1e-3  # the third derivative by differences of the first
    first = [math.cos(x + d) * math.exp(math.sin(x + d)) for d in (-h, 0, h)]
    third = abs(first[0] - 2 * first[1] + first[2]) / h**2
    steps = np.logspace(-7, -1, 6001)
    for dtype, eps in (("float64", 2.0**-53), ("float32", 2.0**-24)):
        expected = steps[np.argmin(steps**2 / 6 * third + eps * value / steps)]
        assert float(found[dtype]) == pytest.approx(expected, rel=0.02)
    fine, coarse = numbers(shown["u-curve-picture"].text.split("smallest error")[1].replace("float64", "").replace("float32", ""))
    assert fine < 1e-9 < 1e-6 < coarse < 1e-4


def test_questions_are_answered_by_the_next_cell(shown):
    for question, cell in zip(GRADIENT_CHECKING, ("run-step", "run-sum", "run-kink"), strict=True):
        assert question.choices["abcde".index(question.right)].text == shown[cell].text.strip()


def test_own_checker_tolerances_and_random_directions(shown):
    assert ["True", "True"] == re.findall("True|False", shown["checker"].text)
    assert ["passes", "passes", "is caught", "is caught"] == re.findall("passes|is caught", shown["tolerance-run"].text)
    text = shown["count-calls"].text
    full, random = (int(calls) for calls in re.findall(r"True, after (\d+) calls", text))
    assert 2 * 210 <= full < 2 * 210 + 10
    assert random < 20
    assert re.search(r"doubled rule:\s+False", text)
    alarms, missed, _ = numbers(shown["directions-picture"].text.split("false alarms")[1])
    assert alarms == 0
    assert missed < 10


def test_kinks(shown):
    assert "[0.0, 0.0, 1.0]" in shown["kink-picture"].text
    text = shown["kink-reports"].text
    assert "A kink (or a jump), not a wrong rule" in text
    assert re.search(r"relu at 0\.0001\s+right\s+\|x\| at 0\s+right", text)


def test_each_planted_mistake_gets_its_diagnosis(shown):
    assert re.search(r"ratio +4\n", shown["whole-report"].text)
    assert "the division by n of a mean is" in shown["whole-report"].text
    add_bias, product, leaky = re.split(r"^product$|^leaky$", shown["diagnoses"].text, flags=re.MULTILINE)
    assert "A sum is missing" in add_bias
    assert "A transposed operand" in product
    assert "one branch of a where" in leaky
    coarse, rounding, dropout = re.split(r"sin\(x\) \+ 1000000|dropout\n", shown["innocents"].text, maxsplit=2)
    assert "too coarse" in coarse
    assert "Rounding" in rounding
    assert "not deterministic" in dropout


def test_the_missing_term_is_found(shown):
    assert "in no simple pattern" in shown["unit"].text
    rows = re.findall(r"divided by row 0: \[(.*)\]", shown["difference-picture"].text)
    assert [[ratio] * 4 for ratio in (1, 0.5, -1, 2)] == [[float(number) for number in row.split()] for row in rows]
    distance, *_ = numbers(shown["mended"].text.split(":")[1])
    assert distance < 1e-9
    assert re.search(r"True\s+True\s*$", shown["mended"].text)


def test_the_patient_s_missing_factor_is_its_output(shown):
    text = shown["patient"].text
    output = 3 / (1 + 1 / 2 + 1 / 4)
    assert f"Not yet. The output is {output:.4f}" in text
    assert f"ratio        {1 / output:.6f}" in text
    assert "A constant factor" in text
    assert "Right!\n" == shown["solved-patient"].text


def test_what_is_constant_within_a_sample_alone_does_not_mend_the_patient(shown):
    text = shown["patient-constant"].text
    assert "Right!" not in text
    assert f"Not yet. The output is {2 / (1 / 0.5 + 1 / 3):.4f}" in text
    assert "ratio        2\n" in text


def test_a_shorter_step_is_not_a_better_referee(shown):
    text = shown["own-cell-shorter-step"].text
    assert re.search(r"\d{4} times smaller", text), "this alone looks right"
    assert "Not yet" in text
    assert "Right!" not in text


def test_pictures(shown):
    drawn = {name: cell.pictures for name, cell in shown.items() if cell.pictures}
    assert {"u-curve-picture": 1, "directions-picture": 1, "kink-picture": 1, "difference-picture": 1} == drawn


def test_exercises(shown):
    assert "layer_norm" in shown["learn-layer-norm"].text
    assert "Not yet" in shown["own-cell"].text
    assert "Right!" in shown["solved-own-cell"].text
    assert re.search(r"(9\d{3}|10\d{3}) times smaller", shown["solved-own-cell"].text)

"""Notebook 1, what a derivative of a program is: by hand, by the engine built there, by minigrad and by nudging."""

import math
import re

import pytest
from notebook_runner import NOTEBOOKS, read, run_notebook

W, X, B, T = 0.3, 2.0, -0.2, 1.0


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("01_chain_rule", tmp_path_factory.mktemp("chain_rule"))


def number(text, pattern):
    return float(re.search(pattern + r"\s*(-?[\d.]+(?:e[-+]?\d+)?)", text).group(1))


def slope(w):
    y = math.tanh(w * X + B)
    return 2 * (y - T) * (1 - y * y) * X


def test_by_hand_by_the_engine_and_by_minigrad(shown):
    by_minigrad, by_engine, by_hand = (float(found) for found in re.findall(r"dL/dw = (\S+)", shown["by-minigrad"].text))
    assert pytest.approx(slope(W), rel=1e-14) == by_hand
    assert pytest.approx(by_hand, rel=1e-14) == by_engine
    assert pytest.approx(by_hand, rel=1e-14) == by_minigrad
    assert "dL/dw =  -2.1222" in shown["by-hand"].text
    engine, hand = re.findall(r"dL/db = (\S+)", shown["engine-neuron"].text)
    assert pytest.approx(slope(W) / X, rel=1e-14) == float(engine)
    assert pytest.approx(float(hand), rel=1e-14) == float(engine)


def test_the_engine_is_a_page_and_agrees_with_minigrad_on_random_programs(shown):
    (path,) = (path for path in NOTEBOOKS if path.stem == "01_chain_rule")
    engine = next(cell.source for cell in read(path).cells if cell.id == "engine")
    assert 50 <= len(engine.splitlines()) <= 62
    assert 1e-14 > number(shown["random-programs"].text, "over 100 programs:")


def test_a_loop_has_the_derivative_of_the_rounds_that_ran(shown):
    text = shown["loop"].text
    assert 1e-10 > number(text, "where the loop ran:")
    assert 1e-8 > number(text, "/ 2h:")
    assert "x = 1, where it did not: the engine's 1.0000, by nudging 0.5000" in text


@pytest.mark.parametrize(("cell", "printed"), [("run-1", "36.0"), ("run-2", "17496.0"), ("run-3", "5.0"), ("run-4", "5.0")])
def test_questions(shown, cell, printed):
    question = shown[cell.replace("run", "question")].text
    assert f") {printed}\n" in question
    assert printed == shown[cell].text.strip()


def test_steps_edges_and_saved_values(shown):
    text = shown["steps"].text
    assert ["sub", "add", "mul"] == re.findall(r"^(sub|add|mul) ", text, re.MULTILINE)
    assert re.search(r"^tanh +saved: 0\.3799 +gradients go to: add$", text, re.MULTILINE)
    assert "after backward, saved: None\n" in text
    assert "return g * (1 - y * y)" in text


def test_a_value_used_twice(shown):
    first, second, together, by_minigrad = (float(found) for found in re.findall(r"\d\.\d{6}", shown["diamond"].text))
    assert pytest.approx(math.tanh(0.8), abs=1e-6) == first
    assert pytest.approx(0.8 * (1 - math.tanh(0.8) ** 2), abs=1e-6) == second
    assert pytest.approx(first + second, abs=2e-6) == together
    assert together == by_minigrad


def test_pictures(shown):
    assert {"loop": 1, "draw": 1, "diamond": 1, "finite-differences": 1} == {
        name: found.pictures for name, found in shown.items() if found.pictures
    }


def test_finite_differences(shown):
    text = shown["finite-differences"].text
    assert 1e-9 > number(text, "∛ε = 5e-06:")
    assert 1e-9 > number(text, "smallest distance:")
    assert "True\n" == shown["gradcheck"].text


def test_an_explorer_page_is_shown_without_its_path(shown):
    assert "<IPython.core.display.HTML object>\n" == shown["explore"].text


def test_the_exercise_waits_and_its_solution_is_right(shown):
    assert shown["bump"].text.startswith("Not yet.\n")
    assert "Right!\n" == shown["solved-bump"].text
    assert "learn.check" in shown["more-exercises"].text

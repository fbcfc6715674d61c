"""The notebook about softmax shows what it promises."""

from __future__ import annotations

import re

import numpy as np
import pytest
from notebook_runner import line, numbers, run_notebook

from minigrad.learn.questions.question import letters
from minigrad.learn.questions.softmax import SOFTMAX


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("04_softmax", tmp_path_factory.mktemp("softmax"))


def test_values(shown):
    text = shown["by-hand"].text
    for start in ("by hand", "minigrad, of z ", "minigrad, of z + 5", "minigrad, of z − 100"):
        assert [0.6590, 0.2424, 0.0986] == line(text, start)[:3]
    powers = np.exp([4.0, 2.0, 0.2])
    assert line(text, "minigrad, of 2 z") == pytest.approx(powers / powers.sum(), abs=5e-5)


def test_the_pages_trace_is_wrong(shown):
    text = shown["check-trace-values"].text
    assert [0.8808, 0.5, 0.6225, 0.9526] == line(text, "sigmoid")
    assert [0.2833, 0.1936, 0.2188, 0.3044] == line(text, "softmax")
    assert [3, 3, 0] == line(text, "largest:")
    assert [1.18954] == line(text, "−log p₃")
    assert [0.0297, 0, 0.0514, -0.0314] == line(text, "gradient")


def test_large_scores(shown):
    assert 3 * [[0.0900, 0.2447, 0.6652]] == [numbers(row)[-3:] for row in shown["stable-code"].text.splitlines()[1:]]
    text = shown["fused-values"].text
    assert "in one: 1000.0000 [ 1. -1.  0.]   in two:      inf [nan nan nan]" in text
    assert "log p at -800:  softmax, then log -inf   log_softmax -800" in text


def test_without_an_axis(shown):
    text = shown["check-axis"].text
    assert ["[0.5 0.5]", "[1. 1.]", "[0. 0. 1.]", "[1. 1. 1.]"] == re.findall(r"row sums (.*)", text)
    assert "softmax: dim 1 is out of range" in text


def test_temperature(shown):
    cold, plain, hot = line(shown["temperature-picture"].text, "the leader at τ = 0.1, 1, 100:")
    assert (0.659, 1.0) == (plain, cold)
    assert 1 / 3 < hot < 0.34


def test_jacobian(shown):
    text = shown["jacobian-code"].text
    y = np.exp([2, 1, 0.1]) / np.exp([2, 1, 0.1]).sum()
    expected = [[y[i] * ((i == j) - y[j]) for j in range(3)] for i in range(3)]
    assert numbers(text.partition("largest")[0]) == pytest.approx(np.ravel(expected), abs=5e-5)
    distances = dict(numbers(found) for found in re.findall(r"with h = (.*)", text))
    assert 5 == len(distances)
    assert distances[1e-5] < 1e-10 < 1e-5 < distances[1e-1]
    product, rule = (line(shown["rule-text"].text, start) for start in ("the matrix times g", "the rule"))
    assert np.dot(expected, [0.3, -1, 2]) == pytest.approx(product, abs=5e-5)
    assert product == rule
    assert "g * y).sum(dim" in shown["rule-text"].text


def test_p_minus_q(shown):
    text = shown["p-minus-q"].text
    for start in ("p − q ", "cross_entropy ", "softmax, then −log "):
        assert [0.6590, -0.7576, 0.0986] == line(text, start)
    assert ["True"] == re.findall(r"gradcheck +(\w+)", text)


def test_softmax_twice(shown):
    found = re.search(r"loss from (\S+) to (\S+), floor .* = (\S+)", shown["twice-picture"].text)
    low, high, floor = map(float, found.groups())
    assert 0.5514 == pytest.approx(floor, abs=5e-5)
    assert floor <= low < high == pytest.approx(np.log(1 + 2 * np.exp(0.5)), abs=1e-4)
    assert "sure of one wrong class: 1.5514" in shown["twice-picture"].text
    text = shown["twice-training"].text
    losses = [float(found) for found in re.findall(r"loss (\d\.\d+)", text)]
    accuracies = [float(found) for found in re.findall(r"accuracy (\d\.\d+)", text)]
    assert 1.461 == line(text, "floor of the loss, softmax twice:")[0]
    assert min(losses[1], losses[3]) > 1.461 > losses[0] > losses[2]
    assert accuracies[0] > accuracies[1]
    assert min(accuracies[2:]) > 0.88
    assert "told: cross_entropy: its input is the output of softmax" in text


@pytest.mark.parametrize(("cell", "number"), [("overflow", 0), ("scale", 1), ("sum", 2), ("twice", 3)])
def test_questions(shown, cell, number):
    question = SOFTMAX[number]
    assert f"Question {question.name}" in shown[f"ask-{cell}"].text
    assert question.choices[letters(8).index(question.right)].text == shown[f"run-{cell}"].text.strip()


def test_pictures(shown):
    pictures = {"temperature-picture": 1, "jacobian-picture": 1, "p-minus-q": 1, "twice-picture": 1}
    assert pictures == {name: cell.pictures for name, cell in shown.items() if cell.pictures}


def test_exercises(shown):
    assert 'learn.check("softmax", softmax)' in shown["learn-softmax"].text
    assert shown["own-cell"].text.startswith("Not yet.\n")
    assert "Right!\n" == shown["solved-own-cell"].text

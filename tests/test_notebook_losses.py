"""The notebook about losses shows what it promises."""

from __future__ import annotations

import math
import re

import pytest
from notebook_runner import line, numbers, run_notebook

from minigrad.learn.questions.losses import LOSSES
from minigrad.learn.questions.question import letters


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("05_losses", tmp_path_factory.mktemp("losses"))


def test_prices_and_slopes(shown):
    text = shown["prices-picture"].text
    assert [100, 20, 10, 1, 9.5, 1] == line(text, "10 ")
    assert [0.01, -0.2, 0.1, -1, 0.005, -0.1] == line(text, "-0.1 ")
    assert [0, 0, 0, 0, 0, 0] == line(text, "0 ")


def test_slopes_at_the_seams(shown):
    found = {row.partition(":")[0]: numbers(row.partition(":")[2]) for row in shown["seams-code"].text.splitlines()}
    assert [-1, 1, 0, 0] == found["absolute  at 0"]
    assert [1, 1, 1, 1] == found["huber     at 1"] == found["huber     at 3"]
    assert [6, 6, 6, 6] == found["squared   at 3"]


def test_mean_and_median(shown):
    assert "mean 6.10, median 3.50" in shown["constant-picture"].text


def test_a_line_and_outliers(shown):
    text = shown["line-picture"].text
    slopes = [line(text, name)[0] for name in ("squared", "absolute", "huber")]
    assert slopes[0] > 2.8
    assert slopes[1:] == pytest.approx([2, 2], abs=0.15)
    shares = [int(share) for share in re.findall(r"(\d+)%", text)]
    assert shares[0] > 80
    assert 10 == shares[1] < shares[2] < 30


def test_cross_entropy_and_the_squared_error_of_a_probability(shown):
    text = shown["classes-picture"].text
    p = 1 / (1 + math.exp(10))
    expected = {"squared error of p": 2 * (p - 1) * p * (1 - p), "cross-entropy": p - 1}
    for name, slope in expected.items():
        assert slope == pytest.approx(line(text, f"{name:19} slope at −10:")[0], abs=5e-7)
    assert all(float(distance) < 1e-8 for distance in re.findall(r"differences (\S+)", text))
    assert "p = 0.01   −log p = 4.605   (1 − p)² = 0.980" in text


def test_with_and_without_logits(shown):
    text = shown["stable-code"].text
    for logit in (17, 40, 1000):
        assert [1, 100, 0, logit, 1] == line(text, f"{logit} ")
    assert [0.7310586, 1.3133, 0.7311, 1.3133, 0.7311] == line(text, "1 ")


def test_one_logit_two_scores_many_labels(shown):
    text = shown["multi-label-code"].text
    expected = [math.log1p(math.exp(x)) for x in (-3, -1, -2)]
    assert expected == pytest.approx(line(text, "one logit"), abs=5e-5)
    assert line(text, "one logit") == line(text, "two scores, (0, x)")
    assert 2.1023 == line(text, "sigmoid, each for itself")[-1]
    assert 1 == line(text, "softmax, as rivals")[-1]


def test_the_pages_loss_cannot_be_reached(shown):
    text = shown["check-floor-values"].text
    assert "values from 1/2 to 1: floor 1.0366, p is at most 0.3547, 5 of the page's 5 losses lie below" in text
    assert "values from 0 to 1  : floor 0.7437, p is at most 0.4754, 4 of the page's 5 losses lie below" in text
    assert [1.0366] == line(text, "the network itself, at its best:")
    text = shown["logit-layer-picture"].text
    without, with_layer = line(text, "as on the page"), line(text, "with a logit layer")
    assert [1.0872, 0.1072] == pytest.approx([without[0], with_layer[0]], abs=5e-3), "seeded: every run shows the same"
    assert with_layer[0] < 0.35 < 1.0366 < without[0]
    assert min(without[1], with_layer[1]) > 0.9


def test_accuracy_has_no_gradient(shown):
    text = shown["metric-picture"].text
    assert [401, 401] == line(text, "places where accuracy has slope 0:")
    assert line(text, "slope of the loss: largest distance from differences ")[0] < 1e-7
    assert "backward: the tensor does not require grad" in text


@pytest.mark.parametrize(("cell", "number"), [("mean", 0), ("median", 1), ("square", 2), ("clamp", 3), ("which", 4)])
def test_questions(shown, cell, number):
    question = LOSSES[number]
    assert f"Question {question.name}" in shown[f"ask-{cell}"].text
    assert question.choices[letters(8).index(question.right)].text == shown[f"run-{cell}"].text.strip()


def test_pictures(shown):
    cells = ("prices", "constant", "line", "classes", "logit-layer", "metric")
    assert {f"{cell}-picture": 1 for cell in cells} == {name: cell.pictures for name, cell in shown.items() if cell.pictures}


def test_exercises(shown):
    assert 'learn.check("huber_loss", huber_loss)' in shown["learn-huber"].text
    assert shown["own-cell"].text.startswith("Not yet.\n")
    assert "Right!\n" == shown["solved-own-cell"].text

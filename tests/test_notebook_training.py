"""Notebook 7, how does a network find good weights, shows what it promises."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from notebook_runner import run_notebook

from minigrad.learn.questions.training import TRAINING

NUMBER = r"-?\d+\.?\d*(?:e[-+]?\d+)?"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("07_training", tmp_path_factory.mktemp("training"))


def numbers(text):
    return [float(number) for number in re.findall(NUMBER, text)]


def test_descent_follows_its_formula(shown):
    text = shown["descend"].text
    measured, expected, gradient = (numbers(row) for row in re.findall(r"\[(.*?)\]", text))
    assert measured == pytest.approx([-9 * 0.91**10, 2 * 0.8**10], rel=1e-7)
    assert measured == expected
    assert [-9, 40] == gradient
    assert float(text.split("differences ")[1]) < 1e-8


def test_momentum_and_adam_follow_their_formulas(shown):
    momentum, adam = shown["by-hand"].text.splitlines()
    u, w = 0.0, 1.0
    for g in (3.0, -2.0, 0.5):
        u = 0.9 * u + g
        w -= 0.1 * u
    assert w == pytest.approx(numbers(momentum)[0], abs=1e-4)
    assert all(float(row.split("optim ")[1]) < 1e-15 for row in (momentum, adam))


def test_only_small_rates_come_down(shown):
    rows = re.findall(rf"loss ({NUMBER}) → ({NUMBER})", shown["rates-picture"].text)
    for (start, end), rate in zip(rows, (0.01, 0.09, 0.101), strict=True):
        w = -9.0 * (1 - rate) ** 30, 2.0 * (1 - 20 * rate) ** 30
        assert float(start) == 80.5
        assert float(end) == pytest.approx((w[0] ** 2 + 20 * w[1] ** 2) / 2, rel=1e-3)


def test_questions_are_answered_by_the_next_cell(shown):
    for question, cell in zip(TRAINING, ("run-rate", "run-adam", "run-equal", "run-decay"), strict=True):
        assert question.choices["abcde".index(question.right)].text == shown[cell].text.strip()


def test_momentum_and_adam_get_down_the_banana(shown):
    losses = dict(re.findall(r"(\w+) +after 500 steps .* loss (\S+)", shown["banana-picture"].text))
    w = np.array([-1.2, 1.0])
    for _ in range(500):
        w = w - 0.001 * np.array([-2 * (1 - w[0]) - 400 * w[0] * (w[1] - w[0] ** 2), 200 * (w[1] - w[0] ** 2)])
    assert float(losses["SGD"]) == pytest.approx((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2, rel=0.05)
    assert float(losses["momentum"]) < 0.01
    assert float(losses["Adam"]) < 0.1


def test_the_chart_rises_where_the_table_falls(shown):
    text = shown["check-chart-picture"].text
    edge, table = (numbers(row) for row in re.findall(r"\[(.*?)\]", text))
    assert sorted(edge) == edge
    assert sorted(table, reverse=True) == table


def test_layers_multiply_by_the_root_of_half_n_times_the_variance(shown):
    rows = re.findall(rf"by ({NUMBER}), by the formula ({NUMBER})", shown["init-sizes"].text)
    assert ["2.00", "1.00", "0.71", "0.41"] == [expected for _, expected in rows]
    for measured, expected in rows:
        assert float(measured) == pytest.approx(float(expected), rel=0.05)


def test_few_layers_learn_from_any_start_and_many_from_he_s_alone(shown):
    text = shown["init-picture"].text
    rows = re.findall(rf"(\d+) layers: loss ({NUMBER}) from He's, ({NUMBER}) from the default's size", text)
    from_he, by_default = ({layers: float(row[k]) for layers, *row in rows} for k in (0, 1))
    assert f"log 10 = {math.log(10):.3f}" in text
    assert by_default["20"] == pytest.approx(math.log(10), abs=0.01)
    assert from_he["20"] < 0.5 < by_default["3"] < 2.1


def test_l2_is_weight_decay_for_sgd_and_not_for_adam(shown):
    sgd, momentum, adam, adam_l2, adamw = (float(value) for value in re.findall(rf"({NUMBER}) apart", shown["check-decay"].text))
    assert max(sgd, adam_l2, adamw) < 1e-12
    assert min(momentum, adam) > 1e-7
    assert adam > 1e-4
    rows = re.findall(rf"0\.1:\s+({NUMBER})\s+({NUMBER})\s+({NUMBER})", shown["decay-picture"].text)
    by_sgd, by_adam, by_adamw = ([float(value) for value in row] for row in rows)
    assert by_sgd == pytest.approx([0.999**400] * 3, abs=0.03)
    assert by_adamw == pytest.approx([0.999**400] * 3, abs=0.03)
    assert by_adam[0] > 0.9
    assert by_adam[2] < 0.1


def test_overfitting_is_seen_and_stopped(shown):
    text = shown["few"].text
    assert "overfitting" in text
    rows = re.findall(r"^(epoch .*)$", text, re.MULTILINE)
    start, best, last = (dict(re.findall(rf"(\w+) +({NUMBER})", row)) for row in rows)
    assert float(best["val_loss"]) < float(last["val_loss"]) < float(start["val_loss"])
    assert float(last["loss"]) < float(best["loss"])
    text = shown["early-stopping"].text
    assert f"The model was left with the weights of epoch {int(best['epoch'])}." in text
    assert f"{int(best['epoch']) + 10} epochs instead of 80" in text
    kept, last_one = (float(value) for value in re.findall(rf"unseen ({NUMBER})", text))
    assert kept > last_one + 0.03
    few, many = (int(value) for value in re.findall(r"by heart (\d+)%", text))
    assert few < 40 < 70 < many


def test_real_digits_are_read(shown):
    text = shown["digits-training"].text
    assert "1797 digits: 1079 to learn from, 359 to decide, 359 to judge" in text
    accuracy, misread, of = re.search(rf"accuracy ({NUMBER}), (\d+) of (\d+) misread", text).groups()
    assert float(accuracy) > 0.96
    assert float(accuracy) == pytest.approx(1 - int(misread) / int(of), abs=5e-5)


def test_pictures(shown):
    expected = ("rates", "banana", "check-chart", "init", "decay", "few", "digits")
    assert {f"{name}-picture": 1 for name in expected} == {name: cell.pictures for name, cell in shown.items() if cell.pictures}


def test_exercises(shown):
    assert "adam" in shown["learn-adam"].text
    assert "Not yet" in shown["own-cell"].text
    assert "Right!" in shown["solved-own-cell"].text

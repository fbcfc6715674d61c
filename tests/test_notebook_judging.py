"""Notebook 8: what accuracy hides, where to put the threshold, and whether a probability can be taken at its word."""

import re

import pytest
from notebook_runner import run_notebook

from minigrad.learn.questions.judging import JUDGING
from minigrad.learn.questions.question import letters

ANSWERS = {"own-cell": {"constant": "    return 0 * z + math.log(0.02 / 0.98)", "nearly": "    return z - 4"}}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("08_judging", tmp_path_factory.mktemp("judging"), ANSWERS)


def number(text, before):
    """The first number that follows a text."""
    return float(re.search(re.escape(before) + r"\s*(-?\d[\d,]*(?:\.\d+)?)", text).group(1).replace(",", ""))


def table(text):
    """First word → the numbers of its line."""
    return {line.split("  ")[0].strip(): [float(x) for x in re.findall(r"-?\d+\.\d+", line)] for line in text.splitlines()}


def test_pictures(shown):
    places = ("paradox-picture", "matrix-picture", "threshold-picture", "cost-picture", "temperature-picture")
    assert dict.fromkeys(places, 1) == {name: found.pictures for name, found in shown.items() if found.pictures}


@pytest.mark.parametrize(("cell", "number"), [("never", 0), ("threshold", 1), ("cost", 2), ("sure", 3)])
def test_questions(shown, cell, number):
    question = JUDGING[number]
    assert f"Question {question.name}" in shown[f"ask-{cell}"].text
    assert question.choices[letters(8).index(question.right)].text == shown[f"run-{cell}"].text.strip()


def test_the_fraud_example(shown):
    detector, never, mean, perfect, headline, balanced = filter(None, shown["fraud-counts"].text.splitlines())
    assert [0.98, 0.5, 0.12] == [number(detector, name) for name in ("accuracy", "precision", "recall")]
    assert [0.98, 0.0] == [number(never, name) for name in ("accuracy", "recall")]
    assert mean.endswith("= 0.9800")
    assert number(perfect, "accuracy") == pytest.approx((200 + 9776) / 10_000)
    assert 'no better than always answering "honest" (0.9800)' in headline
    assert number(balanced, "accuracy") == pytest.approx((24 / 200 + 9776 / 9800) / 2, abs=5e-5)


def test_the_confusion_matrices_of_the_lessons(shown):
    first, second = re.split(r"(?m)^second: ", shown["matrix-values"].text)
    for text, accuracy, precision, recall, f1 in [
        (first, 0.86, [0.9, 0.8333, 0.8462], [0.9, 0.8, 0.88], [0.9, 0.8163, 0.8627]),
        (second, 0.9051, [0.8929, 0.9, 0.9231], [0.9091, 0.9, 0.9057], [0.9009, 0.9, 0.9143]),
    ]:
        assert accuracy == number(text, "accuracy")
        for name, values in (("precision", precision), ("recall", recall), ("F1", f1)):
            assert values == [float(x) for x in re.search(rf"{name} +\[(.*)\]", text).group(1).split()]
        assert "minigrad agrees: True" in text


def test_the_network_is_as_accurate_as_silence_and_ranks_well(shown):
    text = shown["network"].text
    assert number(text, "Accuracy") == pytest.approx(0.98, abs=3e-3)
    assert number(text, "(recall") < 0.3
    assert number(text, "loss") < 0.7 * number(text, "guessing")
    assert number(text, "ROC AUC") > 0.93


def test_recall_never_rises_and_precision_may_fall(shown):
    text = shown["threshold-picture"].text
    assert 0 == number(text, "recall rises in")
    assert number(text, "precision falls in") > 100
    assert "a fraud dropped out in each of these: True" in text
    lower, higher = (line for line in text.splitlines() if line.startswith("θ"))
    for name, sign in (("θ =", 1), ("precision", -1), ("recall", -1)):
        assert sign * number(higher, name) > sign * number(lower, name)


def test_the_threshold_follows_from_the_costs(shown):
    half, formula, search = (line for line in shown["cost-picture"].text.splitlines() if line.startswith("θ"))
    assert number(formula, "by formula") == pytest.approx(1 / 21, abs=5e-5)
    assert number(search, "by search") == pytest.approx(1 / 21, abs=0.02)
    for line in (formula, search):
        assert number(line, "cost") < number(half, "cost") / 2
        assert number(line, "accuracy") < 0.98


def test_the_threshold_needs_probabilities_that_are_honest(shown):
    honest, inflated = shown["at-their-word"].text.split("scores × 3")
    share = number(honest, "fraud is")
    assert share == pytest.approx(5, abs=2)
    assert number(inflated, "fraud is") > 3 * share
    assert number(inflated, "cost at θ*") > 1.3 * number(honest, "cost at θ*")
    assert number(inflated, "ROC AUC") == number(honest, "ROC AUC")


def test_softmax_alone_gives_probabilities_of_several_classes(shown):
    verdicts = dict(re.findall(r"^([A-D]) .*probabilities: (\w+)$", shown["answer-key"].text, re.MULTILINE))
    assert {"A": "no", "B": "no", "C": "yes", "D": "no"} == verdicts


def test_the_reader_of_digits_is_overconfident(shown):
    text = shown["digits"].text
    assert number(text, "by minigrad") == pytest.approx(number(text, "ECE by hand"), abs=2e-6)
    assert number(text, "mean confidence") > number(text.split("learned digits")[1], "right:") + 0.05


def test_overconfidence_changes_calibration_and_loss_but_not_accuracy(shown):
    rows = table(shown["overconfidence"].text)
    scaled = [rows[f"× {factor}"][-4:] for factor in ("0.25", "0.5", "1", "2", "10")]
    accuracy, confidence, error, loss = zip(*scaled, strict=True)
    assert 1 == len(set(accuracy))
    assert sorted(confidence) == list(confidence)
    assert error[2] < error[3] < error[4]
    assert loss[2] < loss[3] < loss[4]
    guess = rows["guess"]
    assert guess[0] < 0.2
    assert guess[2] < error[2]
    assert guess[3] > loss[2]


def test_the_slope_of_the_temperature(shown):
    text = shown["slope"].text
    assert number(text, "by formula") == pytest.approx(number(text, "by minigrad"), rel=1e-9)
    distances = [float(x) for x in re.findall(r"h = \S+: (\S+)", text)]
    assert min(distances) < 1e-9 < 1e-4 < distances[0]
    low, high = (float(x) for x in re.search(r"slope (\S+) at β = 0, (\S+) at β = 1", text).groups())
    assert low < 0 < high
    by_hand, by_minigrad = re.search(r"T = 1/β = (\S+) +by minigrad (\S+)", text).groups()
    assert float(by_hand) == pytest.approx(float(by_minigrad), abs=2e-6)
    assert float(by_hand) > 1.5


def test_the_temperature_helps_where_it_was_not_fitted(shown):
    text = shown["temperature-picture"].text
    before, after = (float(x) for x in re.search(r"(\S+) before, (\S+) after\.", text).groups())
    assert after < before
    before, after = (float(x) for x in re.search(r"ECE (\S+) before, (\S+) after", text).groups())
    assert after < before / 2


def test_exercise_waits_and_its_solution_is_right(shown):
    assert "bce_with_logits" in shown["learn-bce"].text
    waiting, solved = shown["own-cell"].text, shown["solved-own-cell"].text
    assert "Not yet" in waiting
    assert "Right!" in solved
    weighted, mended = table(solved)["weighted"], table(solved)["mended"]
    assert mended[0] < 0.01 < weighted[0]
    assert mended[-1] == weighted[-1]


@pytest.mark.parametrize("answer", ANSWERS["own-cell"])
def test_logits_that_are_only_calibrated_are_not_right(shown, answer):
    text = shown[f"own-cell-{answer}"].text
    assert table(text)["mended"][0] < 0.01
    assert "Not yet" in text
    assert "Right!" not in text

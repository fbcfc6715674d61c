"""Questions: what their code prints is what the right choice says, and every choice has its reason."""

from __future__ import annotations

import contextlib
import io
from collections import Counter

import pytest

from minigrad import learn
from minigrad.errors import ArgumentError
from minigrad.learn.questions import QUESTIONS
from minigrad.learn.questions.question import letters


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_PROGRESS", str(tmp_path / "progress.json"))


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))
def test_choices_differ_and_have_reasons(question):
    texts = [choice.text for choice in question.choices]
    assert 3 <= len(texts) == len(set(texts)) <= 5
    assert question.right in letters(len(texts))
    assert all(len(choice.reason) > 30 for choice in question.choices)
    assert len({choice.reason for choice in question.choices}) == len(texts)


@pytest.mark.parametrize(
    "question", [question for question in QUESTIONS.values() if question.code], ids=lambda question: question.name
)
def test_the_code_prints_what_the_right_choice_says(question):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(question.code, {"__name__": "question"})
    assert question.choices[letters(8).index(question.right)].text == printed.getvalue().strip()


def test_no_letter_is_a_good_guess():
    assert max(Counter(question.right for question in QUESTIONS.values()).values()) <= 0.4 * len(QUESTIONS)


def test_answers():
    wrong, right = learn.answer("chain_rule-1", "a"), learn.answer("chain_rule-1", "B")
    assert (False, True) == (bool(wrong), bool(right))
    assert "chain_rule-1: a is not right. That is 2 · 3x at x = 2: the outer slope." in " ".join(str(wrong).split())
    assert "36" not in str(wrong), "the right one is not given away"
    assert "chain_rule-1: b is right" in str(right)
    assert {"tries": 2, "hints": 0, "right": True} == learn.progress().to_dict()["questions"]["chain_rule-1"]


def test_a_question_shows_its_code_and_choices():
    shown = str(learn.question("chain_rule-1"))
    assert "y = (3 * x) ** 2" in shown
    assert "b) 36.0" in shown
    assert 'learn.answer("chain_rule-1", "…"), your letter' in shown


def test_unknown_names_and_letters():
    with pytest.raises(ArgumentError, match=r"there is no question 'chain_rule'; did you mean 'chain_rule-\d'\?"):
        learn.question("chain_rule")
    with pytest.raises(ArgumentError, match="choice must be one of a, b, c, d, got 'e'"):
        learn.answer("chain_rule-1", "e")
    with pytest.raises(ArgumentError, match="got 2"):
        learn.answer("chain_rule-1", 2)  # type: ignore[arg-type]

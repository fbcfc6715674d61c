"""What a learner calls: show a task, grade an answer, give a hint, say how far one is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..display import Block, Document, Table, Text
from ..errors import ArgumentError
from .exercises import Exercise, Grade, Hint, Wrong
from .questions import QUESTIONS
from .questions.question import Question, Reply, letters
from .store import Record, Records, place, records
from .tasks import EXERCISES

__all__ = ["Progress", "answer", "check", "exercise", "exercises", "hint", "progress", "question", "questions"]


def exercises() -> list[str]:
    """The names of all exercises, in the order in which they build on each other."""
    return list(EXERCISES)


def exercise(name: str) -> Exercise:
    """Show a task: what is asked, and the code to begin with. Errors: ArgumentError for a name that is none."""
    return _known("exercise", name)


def check(name: str, answer: Any) -> Grade:
    """Grade an answer: an operation, a function or a class, as the task says.

    It is looked at stage by stage: values, gradients against the right ones, broadcasting, edges, stability. The grade says what is
    wrong at the first stage that fails, with the numbers that show it, and not how it would be right. A Grade is true if all is.
    If progress cannot be kept, a warning says so. Errors: ArgumentError for a name that is none.
    """
    task = _known("check", name)
    passed: list[str] = []
    failed, found = "", None
    for stage, look in task.stages(answer):
        try:
            _look(look)
        except Wrong as wrong:
            failed, found = stage, wrong
            break
        passed.append(stage)
    with records() as kept:
        record = kept.exercises.setdefault(name, Record())
        record.tries += 1
        record.right |= found is None
    return Grade(name, passed, failed, found, _next(kept))


def _look(look: Callable[[], None]) -> None:
    """Run a stage. Errors: Wrong, also where the answer breaks the looking."""
    try:
        look()
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(
            f"The answer does something unexpected, at which looking at it stops: {type(error).__name__}: {error}."
        ) from error


def hint(name: str) -> Hint:
    """The next hint of an exercise; after the last, all of them again. Errors: ArgumentError for a name that is none."""
    task = _known("hint", name)
    with records() as kept:
        record = kept.exercises.setdefault(name, Record())
        first = record.hints if record.hints < len(task.hints) else 0
        record.hints = min(record.hints + 1, len(task.hints))
    texts = [f"Hint {n} of {len(task.hints)}: {text}" for n, text in enumerate(task.hints, 1)]
    return Hint(name, texts[first : record.hints])


@dataclass(frozen=True, repr=False)
class Progress(Document):
    """What has been done of the exercises and questions."""

    records: Records

    title = "Progress"

    def headline(self) -> str:
        """How many are right."""
        done = sum(self._of(name).right for name in EXERCISES)
        answered = sum(record.right for name, record in self.records.questions.items() if name in QUESTIONS)
        upcoming = _next(self.records)
        return (
            f"{done} of {len(EXERCISES)} exercises are right, and {answered} of {len(QUESTIONS)} questions."
            f"{f' Next: {upcoming}.' if upcoming else ''}"
        )

    def blocks(self) -> list[Block]:
        """A table of the exercises, and one of the questions by notebook."""
        rows = [
            ["✓" if self._of(name).right else "", name, task.heading, self._of(name).tries, self._of(name).hints]
            for name, task in EXERCISES.items()
        ]
        table = Table(
            ["", "exercise", "what it is about", "tries", "hints"], rows, "Exercises", note=f"kept in {place()}", row_heads=False
        )
        return [Text(self.headline()), table, self._questions()]

    def to_dict(self) -> dict[str, Any]:
        """What was tried, by exercise."""
        return {
            "exercises": {name: vars(self._of(name)) for name in EXERCISES},
            "questions": {n: vars(r) for n, r in self.records.questions.items()},
        }

    def _questions(self) -> Table:
        notebooks: dict[str, list[Record]] = {}
        for name in QUESTIONS:
            notebooks.setdefault(name.rsplit("-", 1)[0], []).append(self.records.questions.get(name, Record()))
        rows = [
            [notebook, f"{sum(record.right for record in asked)} of {len(asked)}", sum(record.tries for record in asked)]
            for notebook, asked in notebooks.items()
        ]
        return Table(["notebook", "right", "tries"], rows, "Questions")

    def _of(self, name: str) -> Record:
        return self.records.exercises.get(name, Record())


def progress(*, reset: bool = False) -> Progress:
    """How far one is. With `reset`, everything is forgotten first."""
    if reset:
        Records().write()
    return Progress(Records.read())


def questions() -> list[str]:
    """The names of all questions, in the order of the notebooks."""
    return list(QUESTIONS)


def question(name: str) -> Question:
    """Show a question and what there is to choose from. Errors: ArgumentError for a name that is none."""
    return QUESTIONS[_name("question", name, QUESTIONS)]


_WAITING = ("…", "...", "")


@dataclass(frozen=True, repr=False)
class Waiting(Reply):
    """The reply to a question that is not answered yet: what to write."""

    def headline(self) -> str:
        """That an answer is awaited."""
        return f"{self.question} waits for your answer"


def answer(name: str, choice: str) -> Reply:
    """Whether a choice, a letter, is right, and why. A Reply is true if it is.

    "…" stands for a letter to come: the reply asks for it, and nothing is kept. Errors: ArgumentError for names and letters that are none.
    """
    asked = QUESTIONS[_name("answer", name, QUESTIONS)]
    known = letters(len(asked.choices))
    letter = choice.strip().lower() if isinstance(choice, str) else None
    if letter in _WAITING:
        return Waiting(name, "", False, f'Write one of the letters {", ".join(known)} in place of "{choice}".')
    if letter is None or len(letter) != 1 or letter not in known:
        raise ArgumentError(f"learn.answer: choice must be one of {', '.join(known)}, got {choice!r}")
    right = letter == asked.right
    with records() as kept:
        record = kept.questions.setdefault(name, Record())
        record.tries += 1
        record.right |= right
    return Reply(name, letter, right, asked.choices[known.index(letter)].reason)


def _known(caller: str, name: str) -> Exercise:
    return EXERCISES[_name(caller, name, EXERCISES)]


def _name(caller: str, name: str, known: Collection[str]) -> str:
    if name in known:
        return name
    near = get_close_matches(str(name), known, 1)
    what = "question" if known is QUESTIONS else "exercise"
    raise ArgumentError(
        f"learn.{caller}: there is no {what} {name!r}; {f'did you mean {near[0]!r}?' if near else f'learn.{what}s() lists them'}"
    )


def _next(records: Records) -> str:
    """The first exercise that is not right yet."""
    return next((name for name in EXERCISES if not records.exercises.get(name, Record()).right), "")

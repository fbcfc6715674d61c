"""What an exercise is, and what a grade says of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..display import Block, Document, Pre, Table, Text

__all__ = ["Exercise", "Grade", "Hint", "Stage", "Wrong"]


class Wrong(Exception):  # noqa: N818
    """What is wrong with an answer, in words, and the numbers that show it."""

    def __init__(self, explanation: str, evidence: Table | None = None):
        super().__init__(explanation)
        self.explanation, self.evidence = explanation, evidence


Stage = tuple[str, Callable[[], None]]  # what is looked at, and the look, which raises Wrong


@dataclass(frozen=True)
class Exercise(Document):
    """A task: what is asked, what to begin with, hints, and how an answer is graded."""

    name: str
    heading: str
    task: str
    starter: str
    hints: Sequence[str]
    stages: Callable[[Any], Iterator[Stage]] = field(repr=False)

    @property
    def title(self) -> str:  # type: ignore[override]
        """What a page calls it."""
        return f"Exercise {self.name}"

    def headline(self) -> str:
        """What it is about."""
        return self.heading

    def blocks(self) -> list[Block]:
        """The task, and the code to begin with."""
        call = f'When you think that it is right: learn.check("{self.name}", …). If you are stuck: learn.hint("{self.name}").'
        return [Text(f"{self.name}: {self.heading}", level=2), *map(Text, _paragraphs(self.task)), Pre(self.starter), Text(call)]

    def to_dict(self) -> dict[str, Any]:
        """Name, heading, task and starter."""
        return {"name": self.name, "heading": self.heading, "task": self.task, "starter": self.starter, "hints": len(self.hints)}

    __str__ = Document.__str__
    __repr__ = Document.__str__


def _paragraphs(text: str) -> list[str]:
    """What stands between empty lines, each on one line."""
    return [" ".join(part.split()) for part in text.split("\n\n")]


@dataclass(frozen=True, repr=False)
class Grade(Document):
    """What became of an answer: the stages that it passed, and what is wrong at the first that it did not."""

    exercise: str
    passed: Sequence[str]
    failed: str = ""
    wrong: Wrong | None = None
    next: str = ""

    title = "Grade"

    @property
    def right(self) -> bool:
        """Whether all stages were passed."""
        return self.wrong is None

    @property
    def explanation(self) -> str:
        """What is wrong, in words; empty if nothing is."""
        return self.wrong.explanation if self.wrong is not None else ""

    def __bool__(self) -> bool:
        return self.right

    def headline(self) -> str:
        """Whether it is right."""
        return f"{self.exercise}: {'right' if self.right else 'not yet'}"

    def blocks(self) -> list[Block]:
        """The stages, then the explanation with its numbers."""
        marks = [*(f"✓ {stage}" for stage in self.passed), *([f"✗ {self.failed}"] if self.failed else [])]
        shown: list[Block] = [Text(self.headline(), level=2), Pre("\n".join(marks))]
        if self.wrong is None:
            return [*shown, *([Text(f'Next: learn.exercise("{self.next}")')] if self.next else [])]
        return [*shown, Text(self.explanation), *([self.wrong.evidence] if self.wrong.evidence is not None else [])]

    def to_dict(self) -> dict[str, Any]:
        """What was passed, what not, and why."""
        return {
            "exercise": self.exercise,
            "right": self.right,
            "passed": list(self.passed),
            "failed": self.failed,
            "explanation": self.explanation,
        }


@dataclass(frozen=True, repr=False)
class Hint(Document):
    """What helps on with an exercise."""

    exercise: str
    texts: Sequence[str]

    title = "Hint"

    def blocks(self) -> list[Block]:
        """A paragraph for each."""
        return [Text(text) for text in self.texts]

    def to_dict(self) -> dict[str, Any]:
        """The exercise, and what was said."""
        return {"exercise": self.exercise, "hints": list(self.texts)}

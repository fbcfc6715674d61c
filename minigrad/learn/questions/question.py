"""What a multiple-choice question is: predict, then run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...display import Block, Document, Pre, Text

__all__ = ["Choice", "Question", "Reply", "letters"]


class Choice(NamedTuple):
    """An answer to choose, and why it is right or wrong."""

    text: str
    reason: str


@dataclass(frozen=True, repr=False)
class Question(Document):
    """A question with answers to choose from; `right` is the letter of the right one. With `code`, it asks what that prints."""

    name: str
    text: str
    choices: Sequence[Choice]
    right: str
    code: str = ""

    @property
    def title(self) -> str:  # type: ignore[override]
        """What a page calls it."""
        return f"Question {self.name}"

    def headline(self) -> str:
        """What is asked."""
        return self.text

    def blocks(self) -> list[Block]:
        """The question, its code, and the choices with their letters."""
        choices = "\n".join(
            f"{letter}) {choice.text}" for letter, choice in zip(letters(len(self.choices)), self.choices, strict=True)
        )
        return [
            Text(f"Question {self.name}", level=2),
            Text(self.text),
            *([Pre(self.code)] if self.code else []),
            Pre(choices),
            Text(f'Answer with learn.answer("{self.name}", "…"), your letter in place of the dots.'),
        ]

    def to_dict(self) -> dict[str, Any]:
        """What is asked, and what there is to choose from."""
        return {"name": self.name, "text": self.text, "code": self.code, "choices": [choice.text for choice in self.choices]}


def letters(count: int) -> str:
    """The letters of so many choices."""
    return "abcdefgh"[:count]


@dataclass(frozen=True, repr=False)
class Reply(Document):
    """Whether a choice is right, and why."""

    question: str
    choice: str
    right: bool
    reason: str

    title = "Reply"

    def __bool__(self) -> bool:
        return self.right

    def headline(self) -> str:
        """Whether it is right."""
        return f"{self.question}: {self.choice} is {'right' if self.right else 'not right'}"

    def blocks(self) -> list[Block]:
        """Whether it is right, and the reason."""
        return [Text(f"{self.headline()}. {self.reason}")]

    def to_dict(self) -> dict[str, Any]:
        """The choice, whether it is right, and why."""
        return {"question": self.question, "choice": self.choice, "right": self.right, "reason": self.reason}

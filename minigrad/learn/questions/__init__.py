"""The questions of the notebooks, by name: NOTEBOOK-NUMBER."""

from __future__ import annotations

from .activations import ACTIVATIONS
from .chain_rule import CHAIN_RULE
from .gradient_checking import GRADIENT_CHECKING
from .judging import JUDGING
from .losses import LOSSES
from .question import Question
from .reverse_mode import REVERSE_MODE
from .softmax import SOFTMAX
from .speed import SPEED
from .training import TRAINING

__all__ = ["QUESTIONS"]

_IN_ORDER = (CHAIN_RULE, REVERSE_MODE, ACTIVATIONS, SOFTMAX, LOSSES, GRADIENT_CHECKING, TRAINING, JUDGING, SPEED)

QUESTIONS: dict[str, Question] = {question.name: question for questions in _IN_ORDER for question in questions}
"""By notebook, in their order."""

"""Learn backpropagation by doing: exercises that are graded, questions to predict and run, and a page to explore."""

from .desk import Progress, answer, check, exercise, exercises, hint, progress, question, questions
from .exercises import Exercise, Grade, Hint
from .explorer.exploring import explore
from .questions.question import Choice, Question, Reply

__all__ = [
    "Choice",
    "Exercise",
    "Grade",
    "Hint",
    "Progress",
    "Question",
    "Reply",
    "answer",
    "check",
    "exercise",
    "exercises",
    "explore",
    "hint",
    "progress",
    "question",
    "questions",
]

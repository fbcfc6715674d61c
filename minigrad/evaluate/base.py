"""What all reports of an evaluation share."""

from __future__ import annotations

from ..core.tensor import Array
from ..display import Block, Document, Text
from .reading import Reading

__all__ = ["Report"]


class Report(Document):
    """How good a model is: a ClassificationReport, a MultilabelReport or a RegressionReport."""

    title = "Evaluation"

    reading: Reading
    targets: Array

    @property
    def n(self) -> int:
        """The number of samples."""
        return len(self.targets)

    @property
    def notes(self) -> list[str]:
        """What else should be known."""
        return [*filter(None, [self.reading.doubt]), *self.reading.notes]

    def opening(self) -> list[Block]:
        """The headline and the notes; where the reading is in doubt, that comes first."""
        doubted = bool(self.reading.doubt)
        return [*map(Text, self.notes[:doubted]), Text(self.headline()), *map(Text, self.notes[doubted:])]

    @property
    def task(self) -> str:
        """ "binary", "multiclass", "multilabel" or "regression"."""
        return self.reading.task

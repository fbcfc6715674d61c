"""What all reports of an evaluation share."""

from __future__ import annotations

from ..core.tensor import Array
from ..display import Document
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
    def task(self) -> str:
        """ "binary", "multiclass", "multilabel" or "regression"."""
        return self.reading.task

"""One HTML file about a network: what it is, how it learned, how it does, what ails it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..display import Block, Document, Table, Text, page
from ..errors import ArgumentError, InputTypeError
from ..evaluate import ClassificationReport, MultilabelReport
from ..nn import Module
from .capture import uncompiled
from .threshold_panel import script, threshold_panel

__all__ = ["report"]


def report(
    model: Any,
    history: Document | None = None,
    evaluation: Document | None = None,
    *documents: Document | None,
    path: str | Path = "report.html",
    title: str = "Report of a network",
) -> Path:
    """Write one HTML file about a model, and return its path.

    What there is to tell stands in the order in which it is given: the history of a training, an evaluation, and further `documents`, the
    doctor's Diagnosis, traces, a graph, a calibration, any Document; None is passed over. An evaluation of a classifier gets a slider that
    moves its threshold, from where the evaluation has it. The file needs no network and nothing beside it; pictures are there if
    matplotlib is.
    Errors: InputTypeError for what is no Module or no Document; ArgumentError if `path` names a folder.
    """
    model = uncompiled(model)
    if not isinstance(model, Module):
        raise InputTypeError(f"report: model must be a Module, got {type(model).__name__}")
    given = [document for document in (history, evaluation, *documents) if document is not None]
    for document in given:
        if not isinstance(document, Document):
            raise InputTypeError(f"report: expected Documents (a history, an evaluation, …), got {type(document).__name__}")
    place = Path(path)
    if place.is_dir():
        raise ArgumentError(f"report: path must name a file, {place} is a folder")
    names = _names(given)
    sections: list[tuple[str, Sequence[Block]]] = [("Summary", _summary(model, names, given))]
    for name, document in zip(names, given, strict=True):
        sections.append((name, document.blocks()))
        if isinstance(document, (ClassificationReport, MultilabelReport)):
            sections.append(("Threshold", [_panel(document)]))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(page(title, sections, script()), encoding="utf-8")
    return place.resolve()


def _names(documents: Sequence[Document]) -> list[str]:
    """What the page calls each; of equal names, the later ones have a number."""
    titles = [document.title or type(document).__name__ for document in documents]
    earlier = [titles[:n].count(title) for n, title in enumerate(titles)]
    return [f"{title} {count + 1}" if count else title for title, count in zip(titles, earlier, strict=True)]


def _summary(model: Module, names: Sequence[str], documents: Sequence[Document]) -> list[Block]:
    """What the documents say in a sentence, and the layers."""
    lines = [f"{name}: {document.headline()}" for name, document in zip(names, documents, strict=True) if document.headline()]
    return [*map(Text, lines), _layers(model)]


def _layers(model: Module) -> Table:
    rows = [
        (
            name or "(the model)",
            type(module).__name__,
            module.extra_repr(),
            sum(p.numel() for p in module.parameters(recurse=False)),
        )
        for name, module in model.named_modules()
    ]
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    note = f"{total:,} parameters, {trainable:,} of them trainable"
    return Table(["layer", "kind", "settings", "parameters"], rows, "The model", note=note)


def _panel(evaluation: ClassificationReport | MultilabelReport) -> Block:
    """The slider for each class or label, beginning at the evaluation's threshold; of two classes, for the second."""
    scores, targets, names = evaluation.probabilities, evaluation.targets, evaluation.class_names
    if isinstance(evaluation, MultilabelReport):
        return threshold_panel(scores, targets, names, evaluation.threshold, of="label")
    truth = targets[:, None] == np.arange(len(names))
    if len(names) == 2:
        return threshold_panel(scores.reshape(len(truth), -1)[:, -1:], truth[:, 1:], names, [evaluation.threshold])
    return threshold_panel(scores, truth, names, np.full(len(names), 0.5), of="class")

"""The doctor: looks at a model on some batches, and says in sentences what is wrong."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from ...core import Tensor
from ...display import Block, Cell, Document, Markup, Table, Text, number, plain
from ...errors import MinigradError
from ...optim import Optimizer
from ...train import History
from ..capture import uncompiled
from . import checks_activations, checks_data, checks_gradients, checks_learning_rate, checks_outputs, checks_training
from .checks_gradients import born, gradient_ratio
from .examination import birth_in, check_arguments, examine, first_batches, judged
from .finding import SEVERITIES, Finding, percent
from .pictures import pictures
from .statistics import Activation, Statistics, Weight

__all__ = ["Diagnosis", "diagnose", "doctor"]

_TOLD = 4  # findings of a kind that are told in full

_CHECKS = (
    *checks_outputs.CHECKS,
    *checks_gradients.CHECKS,
    *checks_activations.CHECKS,
)


class Diagnosis(Document):
    """What `doctor` found: `findings`, the gravest first, and the `statistics` that they were drawn from."""

    title = "Diagnosis"

    def __init__(self, findings: Sequence[Finding], statistics: Statistics):
        self.findings = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        self.statistics = statistics

    @property
    def healthy(self) -> bool:
        """Whether there is no error and no warning."""
        return all(finding.severity == "note" for finding in self.findings)

    def by_code(self, code: str) -> list[Finding]:
        """The findings of one kind."""
        return [finding for finding in self.findings if finding.code == code]

    def blocks(self) -> Sequence[Block]:
        return [Text(self.headline()), *self._listed(), *self._table(), *pictures(self.statistics)]

    def to_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "findings": [finding.to_dict() for finding in self.findings],
            "samples": self.statistics.samples,
            "batches": self.statistics.batches,
            "loss": self.statistics.mean_loss,
            "gradient_ratio": plain(gradient_ratio(self.statistics)),
            "layers": [{**row, "dead_units": units} for row, units in zip(self._named_rows(), self._dead_units(), strict=True)],
            "updates": {weight.name: plain(weight.updates) for weight in self.statistics.matrices},
        }

    def headline(self) -> str:
        seen = self.statistics
        looked = f"{_count(seen.samples, 'sample')} in {self._batches()}" if seen.batches else "the training"
        if seen.activations:
            looked += f", {_count(len(seen.activations), 'layer or activation', 'layers and activations')}"
            looked += f", {_count(len(seen.weights), 'weight tensor')}"
        if not self.findings:
            return f"Healthy: nothing found in {looked}.{self._dead()}"
        counts = [(severity, sum(finding.severity == severity for finding in self.findings)) for severity in SEVERITIES]
        told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts if count)
        return f"{'Healthy, with' if self.healthy else 'Found'} {told}, looking at {looked}.{self._dead()}"

    def _batches(self) -> str:
        """Which batches were looked at: "2 batches", if these are all, "the first 8 of 24 batches"."""
        seen = self.statistics
        if seen.complete:
            return _count(seen.batches, "batch", "batches")
        many = f" {seen.batches:,}" if seen.batches > 1 else ""
        total = f" of {_count(seen.total, 'batch', 'batches')}" if seen.total else " batches" if many else " batch"
        return f"the {seen.which}{many}{total}"

    def _dead(self) -> str:
        """A word on dead units that are too few for a finding."""
        told = {finding.place for finding in self.by_code("dead_relu")}
        quiet = [layer for layer in self.statistics.activations if layer.dead and layer.place not in told]
        if not quiet:
            return ""
        dead, units = sum(layer.dead for layer in quiet), sum(layer.units for layer in quiet)
        where = quiet[0].place if len(quiet) == 1 else f"{len(quiet)} ReLU layers"
        few = min(layer.samples for layer in quiet) < checks_activations.ENOUGH_SAMPLES
        usual = "on so few samples" if few else f"below {percent(checks_activations.DEAD_SHARE)}"
        return f" {dead} of {_count(units, 'unit')} of {where} never fired, which is usual {usual}."

    def _listed(self) -> Iterator[Block]:
        """The findings, those of one kind under one head and with one remedy."""
        for code in dict.fromkeys(finding.code for finding in self.findings):
            alike = self.by_code(code)
            told = [finding.message for finding in alike[:_TOLD]]
            if len(alike) > _TOLD:
                told.append(f"The same in {len(alike) - _TOLD} more: {', '.join(finding.place for finding in alike[_TOLD:])}.")
            yield _entry(alike[0].severity, code, told, alike[0].remedy)

    def _rows(self) -> list[tuple[Any, ...]]:
        """A row for each activation, with the figures of the weights that stand in its layer; each weight once."""
        left = list(self.statistics.matrices)
        rows = []
        for activation in self.statistics.activations:
            weight = next(
                (w for w in left if w.layer == activation.layer and activation.op in ("linear", "matmul", "embedding")), None
            )
            if weight is not None:
                left.remove(weight)
            rows.append(_row(activation.place.removeprefix("Layer "), activation, weight))
        return rows + [_row(weight.place.removeprefix("Layer "), None, weight) for weight in left]

    def _named_rows(self) -> Iterator[dict[str, Any]]:
        for row in self._rows():
            yield dict(zip(_COLUMNS, map(plain, row), strict=True))

    def _dead_units(self) -> list[list[int]]:
        """Of each row, the numbers of the units that are dead."""
        seen = [activation.dead_units for activation in self.statistics.activations]
        return seen + [[]] * (len(self._rows()) - len(seen))

    def _table(self) -> Iterator[Block]:
        """The layers; a column that no layer has a value for is left out."""
        rows = self._rows()
        if rows:
            marked = {finding.place.removeprefix("Layer ") for finding in self.findings}
            used = [n for n in range(len(_COLUMNS)) if not all(_absent(row[n]) for row in rows)]
            shown = [
                [Cell(row[n], strong=row[0] in marked) if n == 0 else "–" if _absent(row[n]) else row[n] for n in used]
                for row in rows
            ]
            names, heads = list(_COLUMNS), list(_COLUMNS.values())
            notes = [_NOTES[names[n]] for n in used if names[n] in _NOTES]
            note = "\n".join([*textwrap.wrap("; ".join(notes) + ".", 100), *self._ratio()])
            yield Table([heads[n] for n in used], shown, "Layer by layer", note=note)

    def _ratio(self) -> Iterator[str]:
        ratio = gradient_ratio(self.statistics)
        if math.isfinite(ratio):
            yield f"Gradient of the weights, an entry, first layer over last: {number(ratio)}."


_COLUMNS = {
    "layer": "layer",
    "units": "units",
    "mean": "mean",
    "std": "std",
    "zeros": "zeros",
    "dead": "dead",
    "saturated": "flat",
    "output_gradient": "|dL/dy|",
    "weight_norm": "|w|",
    "gradient_norm": "|dL/dw|",
    "update_ratio": "update",
}
"""What is known of each layer, and over it, the heads of the table."""

_NOTES = {
    "mean": "mean, std, zeros: of the outputs y",
    "dead": "dead: share of units that never fired",
    "saturated": "flat: share of outputs where the slope is nearly 0",
    "weight_norm": "|·|: Euclidean norm, w: weights",
    "update_ratio": "update: |change of w in a step| / |w|",
}


def _row(name: str, activation: Activation | None, weight: Weight | None) -> tuple[Any, ...]:
    seen: tuple[Any, ...] = (math.nan,) * 7
    if activation is not None:
        shares = activation.zero_share, activation.dead_share, activation.saturated_share
        seen = (activation.units, activation.mean, activation.std, *shares, activation.gradient)
    learns = (weight.norm, weight.gradient, weight.update) if weight else (math.nan,) * 3
    return (name, *seen, *learns)


def _count(n: int, one: str, more: str = "") -> str:
    """A number and what it counts: "1 batch", "2 batches"."""
    return f"{n:,} {one if n == 1 else more or f'{one}s'}"


def _entry(severity: str, code: str, told: Sequence[str], remedy: str) -> Block:
    """Findings as a paragraph, the severity in its colour."""
    plain = "\n".join(
        [f"{severity.upper()} {code}", *(f"  {line}" for one in told for line in _wrapped(one)), *_wrapped(f"  → {remedy}")]
    )
    head = f'<b style="color:var({_COLOURS[severity]})">{severity.capitalize()}</b> <code>{escape(code)}</code>'
    return Markup(f"<p>{'<br>'.join([head, *map(escape, told), f'<i>→ {escape(remedy)}</i>'])}</p>", plain)


_COLOURS = {"error": "--bad", "warning": "--warn", "note": "--accent"}


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 98, subsequent_indent="    " if "→" in line else "")


def _absent(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def doctor(
    model: Callable[..., Tensor],
    data: Any,
    loss: Callable[..., Tensor],
    *,
    optimizer: Optimizer | None = None,
    validation: Any = None,
    history: History | None = None,
    batches: int = 8,
) -> Diagnosis:
    """Look at a model on up to `batches` batches of `data`, forward and backward, and say what is wrong with it.

    - model: a Module, or a function; it runs in the mode that it is in. loss: called as loss(output, target).
    - data, validation: a DataLoader, a Dataset, a tuple of Tensors (inputs, targets), or an iterable of batches. Of data in memory (Tensors
      side by side, a list of batches), inputs and targets are looked at in the batches behind, too.
    - optimizer: then update-to-weight ratios are judged, by one step of a copy of it on copies of the parameters.
    - validation: then the gap between training and validation is judged, over `batches` batches of each.
    - history: of `train.fit`; then the course of the losses is judged: learning rate, overfitting, chance level.

    Nothing is changed: parameters, gradients, buffers, random numbers and the optimizer are as they were. A loss that cannot be computed
    is a finding, too. Each check, with its threshold and the reason for it, stands in a function of `minigrad/inspect/health/checks_*.py`.
    Errors: InputTypeError, ArgumentError for arguments of a wrong kind; what the model itself raises.
    """
    check_arguments(model, data, loss, optimizer, validation, history, batches)
    model = uncompiled(model)
    statistics = examine(model, data, loss, optimizer, batches)
    findings = diagnose(statistics, history)
    if validation is not None and statistics.failure is None and statistics.birth is None:
        findings += _gap(model, data, validation, loss, batches, findings, statistics)
    return Diagnosis(findings, statistics)


def _gap(
    model: Any,
    data: Any,
    validation: Any,
    loss: Callable[..., Tensor],
    limit: int,
    known: Sequence[Finding],
    statistics: Statistics,
) -> Sequence[Finding]:
    """What validation data say, if the history has not said it yet."""
    train = judged(model, data, loss, limit, statistics)
    held = first_batches("doctor: validation", validation, limit)
    try:
        other = judged(model, held, loss, limit, statistics)
    except MinigradError as error:
        told = f"The loss cannot be computed on the validation data: {error}"
        return [Finding("loss_fails", "error", "validation", told, "Prepare validation data in the same way as training data.")]
    if not math.isfinite(other.loss) and (birth := birth_in(model, held, loss)) is not None:
        return [born(birth, "validation")]
    if any(finding.code == "overfitting" for finding in known):
        return []
    return list(checks_training.of_validation(train, other, statistics))


def diagnose(statistics: Statistics, history: History | None) -> list[Finding]:
    """What all checks find."""
    findings = _of_data(statistics)
    findings += [finding for check in _CHECKS for finding in check(statistics)]
    if not any(finding.severity == "error" for finding in findings):
        findings += checks_outputs.loss_fails(statistics)
    if history is not None:
        findings += checks_training.of_history(statistics, history)
        findings += checks_learning_rate.learning_rate(statistics, history)
    if any(finding.code == "learning_rate_too_high" for finding in findings):  # what came to rest far off moves little, too
        findings = [finding for finding in findings if finding.code != "update_ratio_low"]
    return findings


def _of_data(statistics: Statistics) -> list[Finding]:
    """What is found in all data at hand, and what shows in the batches that were looked at alone (classes in order)."""
    whole, part = (
        [finding for check in checks_data.CHECKS for finding in check(seen)]
        for seen in (statistics.whole or statistics, statistics)
    )
    known = {finding.code for finding in whole}
    return whole + [finding for finding in part if finding.code not in known]

"""The history of a training: a row an epoch, with an observation in words."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ..display import Block, Cell, Document, Markup, Picture, Table, Text, chart, log_scale, plain
from ..errors import ArgumentError
from .observations import Course, observation, verdict

__all__ = ["Epoch", "History"]

_SHOWN = 20  # rows of a table
_OTHERS = ("lr", "gradient_norm", "seconds")


@dataclass
class Epoch:
    """What became of an epoch. `loss` and `metrics` are those of training; `validation` has "loss" and the metrics, or nothing; `lr` is the
    (first group's) learning rate when it began; `gradient_norm` is that of all gradients of its last step, before clipping."""

    epoch: int
    loss: float
    metrics: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    lr: float = math.nan
    gradient_norm: float = math.nan
    seconds: float = math.nan
    steps: int = 0
    observation: str = ""

    def figures(self) -> dict[str, float]:
        """Losses and metrics by name, those of validation with "val_" before it."""
        return {"loss": self.loss, **self.metrics, **{f"val_{name}": value for name, value in self.validation.items()}}


class History(Document):
    """The epochs of a training in `rows`, the loss of each step in `step_losses`.

    `stopped` says what ended the training early, `kept` which epoch's weights it left the model with (0: the last one's). A History can be
    filled by hand, too: `history.append(Epoch(1, 0.9, {"accuracy": 0.4}))`.
    """

    title = "Training"

    def __init__(self, rows: Sequence[Epoch] = ()):
        self._course = Course()
        self.step_losses: list[float] = []
        self.stopped = ""
        self.kept = 0
        for row in rows:
            self.append(row)

    def append(self, row: Epoch) -> None:
        """Add an epoch, and what is to be said of it."""
        self._course.append(row)
        row.observation = row.observation or observation(self._course)

    @property
    def rows(self) -> list[Epoch]:
        """The epochs."""
        return self._course.rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best_epoch(self) -> int:
        """The epoch of the lowest validation loss (without validation, of the lowest training loss); 0 if there is none."""
        best = self._course.best if "val_loss" in self.columns() else self._course.lowest
        return best.epoch if best is not None else 0

    def columns(self) -> list[str]:
        """The names of losses and metrics, in the order in which they came."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures()))

    def column(self, name: str) -> list[float]:
        """A value of each epoch: a name of `columns`, or "lr", "gradient_norm", "seconds"; NaN where an epoch has none."""
        if name in _OTHERS:
            return [getattr(row, name) for row in self.rows]
        known = self.columns()
        if name not in known:
            raise ArgumentError(f"History.column: there is no {name!r}; there are {', '.join([*known, *_OTHERS])}")
        return [row.figures().get(name, math.nan) for row in self.rows]

    def headline(self) -> str:
        """The whole training in words."""
        kept = f" The model was left with the weights of epoch {self.kept}." if self.kept else ""
        stopped = f" Stopped: {self.stopped}." if self.stopped else ""
        return f"{verdict(self._course)}{stopped}{kept}"

    # ---- how it is looked at

    def blocks(self) -> list[Block]:
        shown: list[Block] = [Text(self.headline()), self._table()]
        if len(self.rows) > 1:  # a single point shows on axes with figures, not in a chart
            curves = {name: self.column(name) for name in self.columns() if name in ("loss", "val_loss")}
            log = _wide(curves.values())
            title = f"Loss by epoch{' (logarithmic)' if log else ''}"
            shown.append(Markup("", f"{title}\n{chart(curves, log=log)}"))
        return shown + self._pictures()

    def _table(self) -> Table:
        """The epochs, or if they are many some of them, the best among them."""
        names = self.columns()
        picked = set(range(len(self.rows)))
        if len(picked) > _SHOWN:
            stride = math.ceil(len(self.rows) / _SHOWN)
            best = (n for n, row in enumerate(self.rows) if row.epoch == self.best_epoch)
            picked = {*range(0, len(self.rows), stride), *best, len(self.rows) - 1}
        note = f"{len(picked)} of {len(self.rows)} epochs" if len(picked) < len(self.rows) else ""
        rows = [
            [
                Cell(row.epoch, strong=row.epoch == self.best_epoch),
                *(Cell(row.figures().get(name, math.nan), strong=row.epoch == self.best_epoch) for name in names),
                row.lr,
                Cell(row.gradient_norm, figures=3),
                Cell(row.seconds, figures=3),
                row.observation,
            ]
            for row in (self.rows[n] for n in sorted(picked))
        ]
        head = ["epoch", *map(_words, names), "lr", "‖gradient‖", "seconds", "observation"]
        return Table(head, rows, "Training, epoch by epoch", note=note)

    def _pictures(self) -> list[Picture]:
        """A picture of the loss, one of each metric, one of learning rate and gradient norm."""
        measured = dict.fromkeys(name.removeprefix("val_") for name in self.columns())
        pictures = [
            Picture(partial(self._draw, name), f"{name} of training and validation by epoch: {self.headline()}")
            for name in measured
        ]
        if any(map(math.isfinite, self.column("gradient_norm"))):
            pictures.append(Picture(self._draw_steps, "gradient norm of the last step and learning rate, by epoch"))
        return pictures

    def _draw(self, name: str, figure: Any) -> None:
        axes = figure.subplots()
        epochs = [row.epoch for row in self.rows]
        for part, key in (("training", name), ("validation", f"val_{name}")):
            if key in self.columns():
                axes.plot(epochs, self.column(key), marker="." if len(epochs) <= 60 else "", label=part)
        if self._course.best is not None:
            axes.axvline(self.best_epoch, color="C6", linestyle=":", label=f"lowest validation loss: epoch {self.best_epoch}")
        curves = [self.column(key) for key in (name, f"val_{name}") if key in self.columns()]
        if _wide(curves):
            log_scale(axes, "y", [*chain(*curves)])
        axes.set_ylabel(name)
        axes.set_title(f"{name.capitalize()} by epoch", pad=20)
        _epoch_axis(axes, epochs)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, borderaxespad=0.2, columnspacing=1.2)

    def _draw_steps(self, figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True)
        epochs = [row.epoch for row in self.rows]
        for axes, name, color in ((upper, "gradient_norm", "C2"), (lower, "lr", "C3")):
            values = self.column(name)
            axes.plot(epochs, values, color=color, marker="." if len(epochs) <= 60 else "")
            if _wide([values]):
                log_scale(axes, "y", values)
            axes.set_ylabel(_words(name))
        upper.set_title("Gradient norm (of the last step) and learning rate")
        _epoch_axis(lower, epochs)

    def lines(self) -> list[str]:
        """The last epoch as a line of text; of the first, under a head."""
        row = self.rows[-1]
        figures = row.figures()
        line = f"{row.epoch:5}  " + "  ".join(f"{value:>{max(len(_words(name)), 8)}.4f}" for name, value in figures.items())
        head = "epoch  " + "  ".join(f"{_words(name):>8}" for name in figures)
        return [*([head] if len(self.rows) == 1 else []), f"{line}  {row.observation}"]

    # ---- as data

    def to_dict(self) -> dict[str, Any]:
        rows = [{"epoch": row.epoch, **row.figures(), **{name: getattr(row, name) for name in _OTHERS}, "steps": row.steps,
                 "observation": row.observation} for row in self.rows]  # fmt: skip
        return plain({"epochs": rows, "stopped": self.stopped, "kept": self.kept, "best_epoch": self.best_epoch})  # type: ignore[no-any-return]

    def to_csv(self, path: str | Path | None = None) -> str:
        """A line an epoch, under a head, written to `path` if one is given."""
        names = ["epoch", *self.columns(), *_OTHERS, "steps", "observation"]
        file = io.StringIO()
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.to_dict()["epochs"])
        if path is not None:
            Path(path).write_text(file.getvalue(), encoding="utf-8")
        return file.getvalue()


def _epoch_axis(axes: Any, epochs: Sequence[int]) -> None:
    axes.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _wide(curves: Iterable[Sequence[float]]) -> bool:
    """Whether values differ so much that they want a logarithmic scale."""
    values = [value for curve in curves for value in curve if math.isfinite(value)]
    return bool(values) and min(values) > 0 and max(values) > 30 * min(values)


def _words(name: str) -> str:
    """A column's name as a head: "val_loss" is "val. loss"."""
    return {"lr": "learning rate"}.get(name, name).replace("val_", "val. ").replace("_", " ")

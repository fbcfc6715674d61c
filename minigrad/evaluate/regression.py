"""The report on a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Table, Text, plain, require
from .base import Report
from .pictures import regression_pictures
from .reading import Reading
from .tables import centre, named, rows_of, shown

__all__ = ["RegressionReport", "regression_report"]

_PICTURED = 4  # outputs that are drawn
_BIAS = 0.2  # of the residuals' standard deviation: a mean beyond it is told


@dataclass(frozen=True, eq=False, repr=False)
class RegressionReport(Report):
    """How good the predictions of n samples with m numbers each are; `…_per_output` are arrays (m), the plain names their means.

    mse = mean (y − ŷ)², mae = mean |y − ŷ|, rmse = √mse of each output, r2 = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²; `max_error` = max |y − ŷ|.
    The residual is y − ŷ, its standard deviation divides by n. `baseline_…` are those of always answering the mean ȳ.
    r2 needs two samples, else it is nan; for constant targets it is 1 if they are met exactly, else 0, as in scikit-learn.
    """

    mse_per_output: Array
    mae_per_output: Array
    rmse_per_output: Array
    r2_per_output: Array
    max_error_per_output: Array
    residual_mean: Array
    residual_std: Array
    baseline_mse_per_output: Array
    baseline_mae_per_output: Array
    baseline_rmse_per_output: Array
    predictions: Array
    targets: Array
    class_names: tuple[str, ...]
    loss: float | None
    reading: Reading

    @property
    def residuals(self) -> Array:
        """True − predicted, (n, m)."""
        return np.asarray(self.targets - self.predictions)

    @property
    def mse(self) -> float:
        return float(self.mse_per_output.mean())

    @property
    def mae(self) -> float:
        return float(self.mae_per_output.mean())

    @property
    def rmse(self) -> float:
        return float(self.rmse_per_output.mean())

    @property
    def r2(self) -> float:
        return float(self.r2_per_output.mean())

    @property
    def max_error(self) -> float:
        """Of all outputs."""
        return float(self.max_error_per_output.max())

    @property
    def baseline_mse(self) -> float:
        return float(self.baseline_mse_per_output.mean())

    @property
    def baseline_mae(self) -> float:
        return float(self.baseline_mae_per_output.mean())

    @property
    def baseline_rmse(self) -> float:
        return float(self.baseline_rmse_per_output.mean())

    # ---- in words

    def headline(self) -> str:
        """The first thing to know, in a sentence."""
        against = f"{self.baseline_rmse:.4g} for always answering the mean"
        if self.rmse < self.baseline_rmse:
            return f"Predictions are off by {self.rmse:.4g} (root mean squared error), against {against}; R² is {self.r2:.4f}."
        return f"No better than the mean: predictions are off by {self.rmse:.4g} (root mean squared error), against {against}."

    @property
    def notes(self) -> list[str]:
        """A bias, and what is undefined."""
        found = super().notes
        biased = np.flatnonzero(np.abs(self.residual_mean) > _BIAS * self.residual_std) if self.n > 1 else np.array([], int)
        for k in biased[:_PICTURED].tolist():
            mean = self.residual_mean[k]
            name = f" of {self.class_names[k]}" if len(self.class_names) > 1 else ""
            found.append(f"Predictions{name} are too {'low' if mean > 0 else 'high'} by {abs(mean):.4g} on average.")
        if len(biased) > _PICTURED:
            found.append(f"So are, too low or too high, those of {len(biased) - _PICTURED} more outputs.")
        if self.n < 2:
            found.append("R² is undefined (–) for one sample.")
        elif not self.baseline_mse_per_output.all():
            constant = named(self.class_names, self.baseline_mse_per_output == 0)
            found.append(f"The targets of {constant} are all the same: there is nothing for R² to explain.")
        return found

    # ---- as a document

    def to_dict(self) -> dict[str, Any]:
        """All measures; not the single samples."""
        left_out = ("predictions", "targets", "class_names", "reading")
        means = ("mse", "mae", "rmse", "r2", "max_error", "baseline_mse", "baseline_mae", "baseline_rmse")
        own = ("n", "task", "notes", *means)
        arrays = {name: plain(value) for name, value in vars(self).items() if name not in left_out}
        return (
            {name: plain(getattr(self, name)) for name in own}
            | {"headline": self.headline(), "output_names": list(self.class_names)}
            | arrays
        )

    def blocks(self) -> list[Block]:
        rows: list[list[Any]] = [["Loss", self.loss, "", ""]] if self.loss is not None else []
        rows += [
            ["Mean squared error (MSE)", self.mse, self.baseline_mse, "0"],
            ["Root mean squared error (RMSE)", self.rmse, self.baseline_rmse, "0"],
            ["Mean absolute error (MAE)", self.mae, self.baseline_mae, "0"],
            ["R²", self.r2, 0.0, "1"],
            ["Largest error", self.max_error, "", "0"],
        ]
        several = len(self.class_names) > 1
        note = "Baseline: always the mean of the targets." + (" Means over outputs." if several else "")
        drawn = range(min(len(self.class_names), _PICTURED))
        return [
            *self.opening(),
            Table(("measure", "model", "baseline", "best"), [[shown(entry) for entry in row] for row in rows], note=note),
            self._outputs(),
            *(
                picture
                for k in drawn
                for picture in regression_pictures(self.predictions[:, k], self.targets[:, k], self.class_names[k])
            ),
            Text(self.reading.words),
        ]

    def _outputs(self) -> Table:
        names = ("rmse", "mae", "r2", "max_error")
        means = [centre(*both) for both in zip(self.residual_mean, self.residual_std, strict=True)]
        columns = [*(getattr(self, f"{name}_per_output") for name in names), means, self.residual_std]
        rows, shown_only = rows_of(self.class_names, columns, self.r2_per_output, "R²")
        head = ("output", "RMSE", "MAE", "R²", "largest error", "residual mean", "residual std")
        note = "Residual: true − predicted; its standard deviation (std) divides by n."
        return Table(head, rows, note=f"{note}\n{shown_only}".strip())


def regression_report(reading: Reading, loss: float | None, names: Sequence[str]) -> RegressionReport:
    """The report on predictions and targets, both (n, m)."""
    metrics = require("evaluate", "sklearn.metrics")
    y, t = reading.values, reading.targets
    mean = np.broadcast_to(t.mean(0), t.shape)
    each = {"multioutput": "raw_values"}
    return RegressionReport(
        mse_per_output=metrics.mean_squared_error(t, y, **each),
        mae_per_output=metrics.mean_absolute_error(t, y, **each),
        rmse_per_output=metrics.root_mean_squared_error(t, y, **each),
        r2_per_output=metrics.r2_score(t, y, **each) if len(t) > 1 else np.full(t.shape[1], np.nan),
        max_error_per_output=np.abs(t - y).max(0),
        residual_mean=(t - y).mean(0),
        residual_std=(t - y).std(0),
        baseline_mse_per_output=metrics.mean_squared_error(t, mean, **each),
        baseline_mae_per_output=metrics.mean_absolute_error(t, mean, **each),
        baseline_rmse_per_output=metrics.root_mean_squared_error(t, mean, **each),
        predictions=y,
        targets=t,
        class_names=tuple(names),
        loss=loss,
        reading=reading,
    )

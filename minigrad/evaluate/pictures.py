"""Pictures of what a classifier or a regression got right and wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Picture, heatmap
from .ranks import counts_above
from .tables import MANY, centre

__all__ = [
    "confusion_picture",
    "precision_recall_picture",
    "regression_pictures",
    "roc_picture",
    "short",
    "thinned",
    "threshold_picture",
]

_POINTS = 2000  # no curve or cloud needs more to be seen
_TICKS = 20  # of an axis with many classes


def thinned(n: int, most: int = _POINTS) -> Array:
    """Indices of at most so many of n points, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def confusion_picture(matrix: Array, names: Sequence[str]) -> Picture:
    """The confusion matrix: counts, shaded by their share of the row; of many classes the shades alone."""
    classes = len(names)
    few = classes <= MANY
    side = float(np.clip(1.6 + 0.27 * classes, 3.4, 8.5)) if few else 5.5
    ticks = thinned(classes, classes if few else _TICKS)
    labels = [short(names[k], lines=2 if classes <= 12 else 1) for k in ticks.tolist()]
    longest = max(len(line) for label in labels for line in label.split("\n"))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        words = [[f"{count:,}" if count else "" for count in row] for row in matrix.tolist()] if few else None
        heatmap(axes, share, vmax=1.0, words=words)
        axes.set_aspect("equal")
        slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest * len(ticks) > 40 else {}
        axes.set_xticks(ticks, labels, **slanted)
        axes.set_yticks(ticks, labels)
        axes.tick_params(length=0 if few else 3, labelsize=8 if classes > 12 else 10)
        if few:
            for set_ticks in (axes.set_xticks, axes.set_yticks):
                set_ticks(np.arange(classes - 1) + 0.5, minor=True)
            axes.grid(which="minor", linewidth=0.5)
            axes.tick_params(which="minor", length=0)
        axes.set(
            xlabel="predicted class (shade: share of the row)", ylabel="true class", title="Confusion matrix: a row is a true class"
        )

    wrong = int(matrix.sum() - matrix.trace())
    alt = f"Confusion matrix of {classes} classes, rows are true classes: {wrong} of {matrix.sum()} samples lie beside the diagonal"
    return Picture(draw, alt, (max(5.0, side + 0.8), side))


def short(name: str, width: int = 14, lines: int = 1) -> str:
    """A name of the user's in so many lines, cut with … where they don't hold it."""
    return "\n".join(textwrap.wrap(name, width, max_lines=lines, placeholder="…"))


def roc_picture(wanted: Array, scores: Array, names: Sequence[str], areas: Array, of: str) -> Picture:
    """ROC curves, one a column: the share of the positives found over the share of the negatives taken for positive."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for k in np.flatnonzero(~np.isnan(areas)).tolist():
            _, tp, fp = counts_above(scores[:, k], wanted[:, k])
            few = thinned(len(tp))
            axes.plot(fp[few] / fp[0], tp[few] / tp[0], label=f"{short(names[k], 24)}: {areas[k]:.4f}", **_line(k))
        axes.plot([0, 1], [0, 1], ":", color="C6", label="guessing: 0.5000")
        axes.set(xlabel="false positive rate", ylabel="true positive rate (recall)", title=f"ROC curve of {of}")
        _legend(axes, "area", len(names), "lower right")

    return Picture(draw, f"ROC curves; areas: {_listed(names, areas)}")


def precision_recall_picture(wanted: Array, scores: Array, names: Sequence[str], averages: Array, of: str) -> Picture:
    """Precision over recall, one curve a column."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for k in np.flatnonzero(~np.isnan(averages)).tolist():
            _, tp, fp = counts_above(scores[:, k], wanted[:, k])
            few = thinned(len(tp))
            precision = np.append(tp[:-1] / (tp + fp)[:-1], 1.0)  # 1 where nothing is predicted
            label = f"{short(names[k], 24)}: {averages[k]:.4f}"
            axes.plot(tp[few] / tp[0], precision[few], drawstyle="steps-post", label=label, **_line(k))
        if len(names) == 1:
            axes.axhline(wanted.mean(), linestyle=":", color="C6", label=f"guessing: {wanted.mean():.4f}")
        axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03), title=f"Precision and recall of {of}")
        _legend(axes, "average precision", len(names), "best")

    return Picture(draw, f"Precision over recall; average precision: {_listed(names, averages)}")


def threshold_picture(
    thresholds: Array, curves: Mapping[str, Array], costs: Array | None, outputs: str, chosen: float | None, title: str
) -> Picture:
    """Curves over the ascending thresholds, of which the last is inf, and costs on an axis of their own; one threshold is marked."""
    few = thinned(len(thresholds) - 1)
    marks = [chosen] if chosen is not None and np.isfinite(chosen) else []

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        lines = [(axes, name, values, {"color": f"C{n}"}) for n, (name, values) in enumerate(curves.items())]
        if costs is not None:
            lines.append((_right_axes(axes, "total cost"), "total cost", costs, {"color": f"C{len(curves)}", "linestyle": "-."}))
        drawn = []
        for place, name, values, look in lines:
            drawn += place.plot(thresholds[few], values[few], drawstyle="steps-pre", label=name, **look)
            place.plot(marks, [values[np.searchsorted(thresholds, at)] for at in marks], "o", color=look["color"], zorder=3)
        drawn += [axes.axvline(at, linestyle="--", color="C6", label=f"threshold {at:.4g}") for at in marks]
        scale, limits = ("probability", {"xlim": (-0.02, 1.02)}) if outputs == "probabilities" else ("logit", {})
        axes.set(xlabel=f"threshold on the {scale}", ylim=(0, 1.03), **limits)
        axes.set_title(title, pad=20 if len(drawn) < 5 else 34)
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        axes.legend(handles=drawn, ncols=4 if len(drawn) < 5 else 3, fontsize=8, columnspacing=1.2, **place)

    names = ", ".join([*curves, *([] if costs is None else ["total cost"])])
    return Picture(draw, f"{title}: {names} over the threshold" + "".join(f"; marked: {at:.4g}" for at in marks))


def _right_axes(axes: Any, label: str) -> Any:
    """A second scale, on the right."""
    right = axes.twinx()
    right.set_ylabel(label)
    right.grid(visible=False)
    right.spines.right.set_visible(True)
    return right


def _line(k: int) -> dict[str, Any]:
    return {"color": f"C{k % 6}", "linestyle": "-" if k < 6 else "--", "linewidth": 1.5}


def _legend(axes: Any, title: str, curves: int, place: str) -> None:
    axes.legend(title=title, title_fontsize=8, fontsize=8 if curves <= 5 else 7, ncols=1 if curves <= 5 else 2, loc=place)


def _listed(names: Sequence[str], values: Array) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in zip(names, values, strict=True))


def regression_pictures(values: Array, targets: Array, name: str) -> list[Picture]:
    """Predicted against true, and the residuals, of one output."""
    residuals = targets - values
    mean = f"{centre(residuals.mean(), residuals.std()):.4g}"
    few = thinned(len(values))

    def scatter(figure: Any) -> None:
        axes = figure.subplots()
        ends = [min(values.min(), targets.min()), max(values.max(), targets.max())]
        axes.plot(ends, ends, "--", color="C6", label="predicted = true")
        axes.plot(targets[few], values[few], "o", color="C0", markersize=4, alpha=0.5, markeredgewidth=0)
        axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title="Predicted against true")
        axes.legend(loc="upper left")

    def histogram(figure: Any) -> None:
        axes = figure.subplots()
        axes.hist(residuals, bins=int(np.clip(np.sqrt(len(residuals)), 5, 40)), color="C0", linewidth=0.8)
        axes.axvline(0, linestyle="--", color="C6")
        axes.axvline(residuals.mean(), color="C1", label=f"mean {mean}")
        axes.set(xlabel=f"residual of {name} (true − predicted)", ylabel="samples", title="Residuals")
        axes.legend(loc="upper right")

    return [
        Picture(scatter, f"Predicted {name} against true {name}, {len(values)} samples", (5.0, 4.0)),
        Picture(
            histogram,
            f"Histogram of the residuals of {name}: mean {mean}, standard deviation {residuals.std():.4g}",
        ),
    ]

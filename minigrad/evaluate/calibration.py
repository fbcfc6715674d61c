"""Calibration: whether events that are given 70 % happen in 70 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.tensor import Array
from ..display import Block, Document, Picture, Table, Text, plain
from ..errors import ArgumentError
from .reading import Reading, read

__all__ = ["Reliability", "binned", "calibration_of", "reliability"]


@dataclass(frozen=True, eq=False, repr=False)
class Reliability(Document):
    """Samples in bins of what the model gave them, and what came true.

    Bin k is (edges[k], edges[k+1]], the first one contains its lower edge too. Of each bin, `counts` samples, their mean `confidence`
    (the probability given) and their `accuracy` (the share that came true); both nan in an empty bin.
    `ece` = Σ counts/n |accuracy − confidence|, the expected calibration error, and `mce` = max |accuracy − confidence|.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array
    strategy: str
    event: str
    title: str = "Reliability"

    @property
    def n(self) -> int:
        """The number of samples."""
        return int(self.counts.sum())

    @property
    def gap(self) -> Array:
        """accuracy − confidence of each bin: negative where the model promises too much."""
        return self.accuracy - self.confidence

    @property
    def ece(self) -> float:
        """Expected calibration error, the mean gap of a sample."""
        return float(np.nansum(self.counts * np.abs(self.gap)) / self.n)

    @property
    def mce(self) -> float:
        """Maximum calibration error, the largest gap of a bin."""
        return float(np.nanmax(np.abs(self.gap)))

    def to_dict(self) -> dict[str, Any]:
        names = ("strategy", "event", "n", "ece", "mce", "edges", "counts", "confidence", "accuracy")
        return {name: plain(getattr(self, name)) for name in names}

    def blocks(self) -> list[Block]:
        full = np.flatnonzero(self.counts)
        rows = [
            [f"{'[' if k == 0 else '('}{self.edges[k]:.3f}, {self.edges[k + 1]:.3f}]", int(self.counts[k]), self.confidence[k],
             self.accuracy[k], f"{self.gap[k]:+.4f}"]
            for k in full
        ]  # fmt: skip
        empty = len(self.counts) - len(full)
        kind = "of equal width" if self.strategy == "uniform" else "of equal mass"
        note = f"{len(self.counts)} bins {kind}, closed on the right" + (f"; {empty} without samples not shown" if empty else "")
        return [
            Text(self.headline()),
            Table(
                ("confidence", "samples", "mean confidence", "came true", "gap"), rows, note=f"{note}. Confidence: {self.event}."
            ),
            self.picture(),
        ]

    def headline(self) -> str:
        """What the bins say, in a sentence."""
        worst = int(self.counts[np.nanargmax(np.abs(self.gap))])
        over = float(np.nansum(self.counts * self.gap) / self.n)
        lean = "on the whole neither too sure nor too unsure of itself"
        if abs(over) > 0.01:
            lean = f"on the whole {'too sure' if over < 0 else 'not sure enough'} of itself, by {abs(over):.4f}"
        return (
            f"Confidence and reality are {self.ece:.4f} apart on average (ECE), {self.mce:.4f} in the worst bin (MCE), "
            f"which holds {worst:,} of {self.n:,} samples. The model is {lean}."
        )

    def picture(self) -> Picture:
        """The reliability diagram, over a histogram of the confidence."""
        alt = f"Reliability diagram with a histogram of the confidence: {self.headline()}"
        return Picture(self._draw, alt, (5.0, 4.4))

    def _draw(self, figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        bars = {"width": np.diff(self.edges), "align": "edge", "color": "C0", "edgecolor": upper.get_facecolor(), "linewidth": 0.8}
        upper.bar(self.edges[:-1], np.nan_to_num(self.accuracy), alpha=0.45, label="came true", **bars)
        upper.plot([0, 1], [0, 1], "--", color="C6", label="perfect")
        upper.vlines(self.confidence, self.confidence, self.accuracy, color="C1", linewidth=2.5, label="gap")
        upper.plot(self.confidence, self.accuracy, "o", color="C1", markersize=4)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that came true")
        upper.set_title(f"{self.title}: ECE {self.ece:.4f}, MCE {self.mce:.4f}", pad=20)
        upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8, borderaxespad=0.2)
        lower.bar(self.edges[:-1], self.counts, **bars)
        lower.set(xlabel=f"confidence: {self.event}", ylabel="samples")


def binned(
    confidence: Array, hits: Array, bins: int, strategy: str, event: str = "the probability given", title: str = "Reliability"
) -> Reliability:
    """Samples of given confidence, in [0, 1], in bins; `hits` says which came true."""
    edges = np.linspace(0, 1, bins + 1) if strategy == "uniform" else _equal_mass(confidence, bins)
    places = np.searchsorted(edges[1:-1], confidence)  # closed on the right, as in Guo et al. 2017 and in scikit-learn
    counts = np.bincount(places, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(places, x, len(edges) - 1) / counts for x in (confidence, hits))
    return Reliability(edges, counts, mean, share, strategy, event, title)


def _equal_mass(confidence: Array, bins: int) -> Array:
    """Edges between which there are as many samples as equal values allow: these stay together, so there may be fewer bins."""
    ordered = np.sort(confidence)
    ranks = -(-np.arange(1, bins) * len(ordered) // bins) - 1  # ⌈kn / bins⌉, counted from 0
    inner = np.unique(ordered[ranks])
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < ordered[-1])], [1.0]])


def calibration_of(reading: Reading, bins: int, strategy: str, title: str = "Reliability", class_one: str = "1") -> Reliability:
    """Reliability of what was read: of the predicted class if multiclass, of a 1 if binary or multilabel (all labels together)."""
    p, t = reading.values, reading.targets
    if reading.task == "multiclass":
        return binned(p.max(1), p.argmax(1) == t, bins, strategy, "the probability of the predicted class", title)
    event = (
        f"the probability of class {class_one}" if reading.task == "binary" else "the probability of a label, all labels together"
    )
    return binned(p.ravel(), t.ravel(), bins, strategy, event, title)


def check_bins(name: str, bins: Any) -> None:
    if not isinstance(bins, (int, np.integer)) or isinstance(bins, bool) or bins < 1:
        raise ArgumentError(f"{name}: bins must be an int, at least 1, got {bins!r}")


def reliability(
    predictions: Any,
    targets: Any,
    bins: int = 15,
    strategy: str = "uniform",
    *,
    task: str | None = None,
    outputs: str | None = None,
) -> Reliability:
    """How far the probabilities of a classifier can be taken at their word.

    predictions: probabilities, or logits (n) or (n, K); `task` and `outputs` as in `evaluate`. Multiclass: the confidence is the probability
    of the predicted class (the first of equal ones), and it comes true where that is the true class. Binary and multilabel: it is the
    probability of a 1, all labels together.
    strategy: "uniform" has bins of equal width; "quantile" bins of equal mass, where equal values stay together.

    Errors: as `evaluate`. Source: Guo et al. 2017, "On calibration of modern neural networks"; Naeini, Cooper & Hauskrecht 2015.
    """
    check_bins("reliability", bins)
    if strategy not in ("uniform", "quantile"):
        raise ArgumentError(f"reliability: strategy must be 'uniform' or 'quantile', got {strategy!r}")
    reading = read("reliability", predictions, targets, task, outputs)
    if reading.task == "regression":
        raise ArgumentError("reliability: needs probabilities of classes, but targets are numbers (task 'regression')")
    return calibration_of(reading, bins, strategy)

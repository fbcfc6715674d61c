"""What the doctor says of inputs and targets: scales, labels, balance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core.tensor import Array
from ...display import number
from .finding import Finding, percent
from .statistics import Statistics

__all__ = ["CHECKS"]

LARGE_INPUT = 5.0
"""Root mean square of a feature above which inputs count as unscaled. Standardized features have 1, pixels in [0, 1] less; what is
larger makes the first layer's gradients larger by the same factor, and its sigmoids flat."""

SMALL_INPUT = 0.02
"""The largest feature's root mean square below which inputs count as scaled down too far: less than what a bias adds at the start."""

SPREAD = 20.0
"""Largest standard deviation of a feature over the median one, above which one feature drowns the others. The median, as pixels at the
rim of an image hardly vary and do no harm."""

MAJORITY = 0.8
"""Share of the largest class from which accuracy misleads: who always answers with it scores as much. Breast cancer has 0.63."""

ENOUGH_LABELS = 32
"""Below that many labels, shares are chance."""


def unscaled_inputs(statistics: Statistics) -> Iterator[Finding]:
    """Features far from mean 0 and standard deviation 1, or of scales that differ widely."""
    inputs = statistics.inputs
    if inputs.count < 2 or not inputs.sums.size or not np.isfinite(inputs.squares).all():
        return
    size, std = np.hypot(inputs.mean, inputs.std), inputs.std
    varying = std[std > 0]
    spread = float(varying.max() / np.median(varying)) if varying.size else 0.0
    worst = int(size.argmax())
    largest = f"feature {worst} has mean {number(inputs.mean[worst])} and standard deviation {number(std[worst])}"
    remedy = "Standardize each feature: subtract its mean and divide by its standard deviation, both from the training data."
    if size[worst] > LARGE_INPUT or spread > SPREAD:
        by_size = size[worst] > LARGE_INPUT
        value, threshold = (float(size[worst]), LARGE_INPUT) if by_size else (spread, SPREAD)
        also = f", and the largest standard deviation of a feature is {spread:,.0f} times the median one" if spread > SPREAD else ""
        yield Finding(
            "unscaled_inputs", "warning", "data", f"The inputs are not scaled: {largest}{also}.", remedy, value, threshold
        )
    elif 0 < size[worst] < SMALL_INPUT:
        told = f"The inputs are scaled down too far: even {largest}."
        yield Finding("unscaled_inputs", "warning", "data", told, remedy, float(size[worst]), SMALL_INPUT)


def labels_out_of_range(statistics: Statistics) -> Iterator[Finding]:
    """Class indices that the outputs have no class for; targets that are no probabilities; or any other reason why there is no loss."""
    target, classes = statistics.target, statistics.classes
    if classes and target.dtype.kind in "iu":
        labels = target[target != statistics.ignore_index]
        bad = labels[(labels < 0) | (labels >= classes)]
        if bad.size:
            told = (
                f"{bad.size:,} of {labels.size:,} labels are no class: the labels go from {labels.min()} to {labels.max()}, the "
                f"{classes} outputs are classes 0 to {classes - 1}."
            )
            from_one = labels.min() == 1 and labels.max() == classes
            remedy = (
                "Subtract 1 from the labels."
                if from_one
                else "Number the labels from 0, and give the last layer one output a class."
            )
            yield Finding("labels_out_of_range", "error", "target", told, remedy, float(bad.size), 0.0)
            return
    if statistics.loss.startswith("binary_cross_entropy") and target.size and target.dtype.kind == "f":
        bad = target[~((target >= 0) & (target <= 1))]
        if bad.size and not np.isnan(bad).all():
            told = f"{bad.size:,} of {target.size:,} targets are outside [0, 1]: they go from {number(target.min())} to {number(target.max())}."
            yield Finding(
                "labels_out_of_range", "error", "target", told, "Binary targets are 0 and 1, as floats.", float(bad.size), 0.0
            )


def class_imbalance(statistics: Statistics) -> Iterator[Finding]:
    """One class so frequent that a constant answer scores well; worse, a model that gives that answer."""
    labels = statistics.labels
    if labels.size < ENOUGH_LABELS:
        return
    names, counts = np.unique(labels, return_counts=True)
    share, majority = float(counts.max() / labels.size), names[counts.argmax()]
    if share < MAJORITY:
        return
    if len(names) == 1:
        told, remedy = f"All {labels.size:,} targets seen are class {majority}.", "If the data are sorted by class, shuffle them."
        if statistics.complete:
            told = f"All {labels.size:,} targets are class {majority}, and these are all the data: there is nothing to tell apart."
            remedy = "Get samples of the other classes; see how the data were selected."
        yield Finding("class_imbalance", "warning", "target", told, remedy, share, MAJORITY)
        return
    answers = _answers(statistics)
    only = answers.size > 0 and bool((answers == majority).all())
    told = f"{percent(share)} of {labels.size:,} targets are class {majority}: always answering {majority} has accuracy {share:.4f} already"
    told += ", and that is what the model does, for every sample." if only else "."
    remedy = "Judge by recall, precision, F1 or balanced accuracy; weight the classes in the loss, choose the threshold, or try focal loss."
    yield Finding("class_imbalance", "warning", "target", told, remedy, share, MAJORITY)


def _answers(statistics: Statistics) -> Array:
    """The class that the model gives each sample."""
    output = statistics.output
    if statistics.classes:
        return np.ravel(output.argmax(1 if output.ndim > 1 else 0))
    threshold = 0.5 if statistics.loss == "binary_cross_entropy" else 0.0
    return (output >= threshold).astype(np.int64).ravel()


CHECKS = (labels_out_of_range, unscaled_inputs, class_imbalance)

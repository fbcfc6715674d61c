"""What the doctor says of inputs and targets: scales, labels, balance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core.tensor import Array
from ...display import number
from .finding import Finding, percent
from .statistics import Moments, Statistics

__all__ = ["CHECKS"]

LARGE_INPUT = 5.0
"""Root mean square of a feature above which inputs count as unscaled. Standardized features have 1, pixels in [0, 1] less; what is
larger makes the first layer's gradients larger by the same factor, and its sigmoids flat."""

SMALL_INPUT = 0.2
"""The norm of a sample (root mean square) below which inputs count as scaled down too far: biases outweigh them. In fresh layers of 1 to 784
inputs, whatever their number, a third of the ReLU units are dead at this norm, at 1 (one standardized feature) at most one in 14."""

SPREAD = 20.0
"""Largest standard deviation of a feature over the median one, above which one feature drowns the others. The median, as pixels at the
rim of an image hardly vary and do no harm."""

MAJORITY = 0.8
"""Share of the largest class from which accuracy misleads: who always answers with it scores as much. Breast cancer has 0.63."""

MAJORITY_OF_LABEL = 0.95
"""The same for a label among several, each yes or no: where one of ten applies to a sample, they are 0.9 by nature."""

ENOUGH_LABELS = 32
"""Below that many labels, shares are chance."""


def unscaled_inputs(statistics: Statistics) -> Iterator[Finding]:
    """Features far from mean 0 and standard deviation 1, or of scales that differ widely."""
    for n, inputs in statistics.inputs.items():
        if inputs.count > 1 and inputs.sums.size and np.isfinite(inputs.squares).all():
            yield from _unscaled("The inputs are" if n == 0 else f"Input {n + 1} is", inputs)


def _unscaled(which: str, inputs: Moments) -> Iterator[Finding]:
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
        yield Finding("unscaled_inputs", "warning", "data", f"{which} not scaled: {largest}{also}.", remedy, value, threshold)
    elif 0 < (norm := float(np.linalg.norm(size))) < SMALL_INPUT:
        told = f"{which} scaled down too far: a sample has norm {number(norm)} (root mean square), even {largest}; biases outweigh them."
        yield Finding("unscaled_inputs", "warning", "data", told, remedy, norm, SMALL_INPUT)


def labels_out_of_range(statistics: Statistics) -> Iterator[Finding]:
    """Class indices that the outputs have no class for; targets that are no probabilities; or any other reason why there is no loss."""
    target, classes = statistics.target, statistics.classes
    if classes and target.dtype.kind in "iu":
        labels = target[target != statistics.ignore_index]
        bad = labels[(labels < 0) | (labels >= classes)]
        if bad.size:
            outputs = (
                f"the {classes} outputs are classes 0 to {classes - 1}" if classes > 1 else "but one output makes one class, 0"
            )
            told = f"{bad.size:,} of {labels.size:,} labels are no class: the labels go from {labels.min()} to {labels.max()}, {outputs}."
            remedy = "Number the labels from 0, and give the last layer one output a class."
            if classes == 1 and labels.min() >= 0 and labels.max() == 1:
                remedy = (
                    "Give the last layer two outputs, or take BCEWithLogitsLoss, with targets of the outputs' shape, as floats."
                )
            elif labels.min() == 1 and labels.max() == classes:
                remedy = "Subtract 1 from the labels."
            yield Finding("labels_out_of_range", "error", "target", told, remedy, float(bad.size), 0.0)
            return
    if statistics.loss.name.startswith("binary_cross_entropy") and target.size and target.dtype.kind == "f":
        bad = target[~((target >= 0) & (target <= 1))]
        if bad.size and not np.isnan(bad).all():
            told = f"{bad.size:,} of {target.size:,} targets are outside [0, 1]: they go from {number(target.min())} to {number(target.max())}."
            yield Finding(
                "labels_out_of_range", "error", "target", told, "Binary targets are 0 and 1, as floats.", float(bad.size), 0.0
            )


def class_imbalance(statistics: Statistics) -> Iterator[Finding]:
    """One class so frequent that a constant answer scores well; worse, a model that gives that answer."""
    labels = statistics.labels
    if len(labels) < ENOUGH_LABELS:
        return
    if labels.ndim == 2:
        yield from _rare_labels(labels, statistics)
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
    yield _imbalance(told, statistics, share, MAJORITY)


def _rare_labels(labels: Array, statistics: Statistics) -> Iterator[Finding]:
    """Labels, several a sample, that nearly always are the same."""
    ones = labels.mean(0)
    shares = np.maximum(ones, 1 - ones)
    many = int((shares >= MAJORITY_OF_LABEL).sum())
    if many:
        worst = int(shares.argmax())
        told = (
            f"{many} of {labels.shape[1]} labels {'are' if many > 1 else 'is'} the same in {percent(MAJORITY_OF_LABEL)} of samples and more; "
            f"label {worst} is {round(ones[worst])} in {percent(float(shares[worst]))} of {len(labels):,}: accuracy says little of "
            f"{'them' if many > 1 else 'it'}."
        )
        yield _imbalance(told, statistics, float(shares[worst]), MAJORITY_OF_LABEL)


def _imbalance(told: str, statistics: Statistics, share: float, threshold: float) -> Finding:
    """A note where the loss does something against it already."""
    remedy = "Judge by recall, precision, F1 or balanced accuracy, and choose the threshold"
    remedy += "." if statistics.loss.weighted else "; weight the classes in the loss, or try focal loss."
    return Finding("class_imbalance", "note" if statistics.loss.weighted else "warning", "target", told, remedy, share, threshold)


def _answers(statistics: Statistics) -> Array:
    """The class that the model gives each sample."""
    output = statistics.output
    if statistics.classes:
        return np.ravel(output.argmax(1 if output.ndim > 1 else 0))
    return (output >= statistics.threshold).astype(np.int64).ravel()


CHECKS = (labels_out_of_range, unscaled_inputs, class_imbalance)

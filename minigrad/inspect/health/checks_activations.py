"""What the doctor says of activations: units that are dead, squashed flat, or all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .finding import Finding, percent
from .statistics import LIMITS, LINEAR, SMALL_SLOPE, Activation, Statistics

__all__ = ["CHECKS"]

ENOUGH_SAMPLES = 32
"""A unit that fires for one sample in twenty is silent for 32 in a row with probability 0.19, and in a healthy layer few units are so
rare: below that many samples, silence proves nothing."""

SURELY_SILENT = 16
"""But so many units, times samples, that are silent nearly all together prove that something is wrong: each is above 0 about half the time."""

DEAD_SHARE = 0.3
"""Share of dead units from which a layer is worth a note. Some are usual: of 660 healthy networks (digits, iris, wine, breast cancer,
moons; 16 to 128 units; fresh and after 5 to 60 epochs) three had a layer with more, none with more than 0.34."""

MANY_DEAD = 0.5
"""Share of dead units from which it is a warning."""

ALL_BUT_DEAD = 0.9
"""Share of dead units from which nearly nothing goes through a layer any more: an error."""

SATURATED_SHARE = 0.5
"""Share of flat activations that is too much while the network has not learned. Fresh layers have next to none. Trained ones do: units
that are sure of themselves were flat for up to 0.72 of the samples in healthy networks, which is why this one looks at the loss too."""

FULLY_SATURATED = 0.9
"""Share of flat activations that is worth a note even where the loss is low: such a layer can hardly change any more."""

HALF_LEARNED = 0.5
"""A loss below this share of what the best constant answer costs shows that gradients do their work."""

EQUAL_DIGITS = 5
"""Two units are the same if their outputs agree to this many digits, relative to their own largest, for every sample kept. Units that
start from different random weights never do."""


def dead_relu(statistics: Statistics) -> Iterator[Finding]:
    """Units of a ReLU that were 0 for every sample: their slope is 0 there, so their weights get no gradient from any of these."""
    for activation in statistics.activations:
        share, few = activation.dead_share, activation.samples < ENOUGH_SAMPLES
        silent = activation.units * activation.samples >= SURELY_SILENT and share >= ALL_BUT_DEAD
        if not (silent if few else share >= DEAD_SHARE):
            continue
        some = f"{activation.dead} of {activation.units} units ({percent(share)})" if activation.units > 1 else "its only unit"
        are, they = ("were", "they no longer learn") if activation.dead > 1 else ("was", "it no longer learns")
        seen = (
            f"on only {activation.samples} sample{'s' if activation.samples > 1 else ''}"
            if few
            else f"for all {activation.samples:,} samples"
        )
        yield Finding(
            "dead_relu",
            "warning" if few or MANY_DEAD <= share < ALL_BUT_DEAD else "error" if share >= ALL_BUT_DEAD else "note",
            activation.place,
            f"{activation.place}: {some} {are} 0 {seen}{': look at more' if few else f': {they}'}.",
            "See that the inputs are scaled; try a smaller learning rate, LeakyReLU or GELU, or He initialization; look for a large negative "
            "bias.",
            share,
            ALL_BUT_DEAD if few else DEAD_SHARE,
        )


def saturated(statistics: Statistics) -> Iterator[Finding]:
    """Sigmoid, tanh and their kin, but at the head, where the derivative is nearly 0 for most values."""
    for activation in statistics.activations:
        share = activation.saturated_share
        if activation.is_head or activation.samples < ENOUGH_SAMPLES:
            continue
        stuck = share >= SATURATED_SHARE and not statistics.learned(HALF_LEARNED)
        if not stuck and not share >= FULLY_SATURATED:
            continue
        limit = f"|input| above {LIMITS[activation.op]:g}" if activation.op in LIMITS else "at its bounds"
        yield Finding(
            f"saturated_{activation.op}",
            "warning" if stuck else "note",
            activation.place,
            f"{activation.place}: {percent(share)} of the activations lie where the derivative of {activation.op} is below {SMALL_SLOPE} "
            f"({limit}): hardly any gradient comes through.",
            "Scale the inputs to mean 0 and standard deviation 1, start from smaller weights (Xavier initialization), put a "
            "normalization layer in front, or use ReLU or GELU.",
            share,
            SATURATED_SHARE if stuck else FULLY_SATURATED,
        )


def duplicate_units(statistics: Statistics) -> Iterator[Finding]:
    """Units of a layer that give the same for every sample: they get the same gradient too, and stay the same forever. At the end of the
    model they are outputs."""
    layers = [activation for activation in statistics.activations if activation.op in LINEAR]
    for activation in layers:
        spare = repeated(activation)
        if not spare:
            continue
        last = activation is layers[-1]
        kind = "outputs" if last else "units"
        copies = "is a copy" if spare == 1 else "are copies"
        told = (
            f"all {activation.units} {kind} are"
            if spare == activation.units - 1
            else f"{spare} of {activation.units} {kind} {copies}:"
        )
        yield Finding(
            "duplicate_outputs" if last else "duplicate_units",
            "warning",
            activation.place,
            f"{activation.place}: {told} the same for every sample. What is equal gets equal gradients, and stays equal.",
            "Start from random weights, a different draw for each unit (nn.init.kaiming_uniform_), not from zeros or a constant.",
            spare / activation.units,
            0.0,
        )


def repeated(activation: Activation) -> int:
    """How many units of an activation are copies of one before them."""
    rows = activation.rows
    if activation.units < 2 or len(rows) < 2 or not np.isfinite(rows).all():
        return 0
    top = np.abs(rows).max(0)
    top = np.where(top > 0, top, 1)
    alike = np.vstack([rows / top, np.log(top)])  # of one size, too
    return int(activation.units - np.unique(np.round(alike, EQUAL_DIGITS), axis=1).shape[1])


CHECKS = (dead_relu, saturated, duplicate_units)

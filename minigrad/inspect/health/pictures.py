"""The doctor's pictures: activations, gradient flow, dead units, update ratios."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...display import Picture, log_scale, shades
from .checks_gradients import UPDATE_HIGH, UPDATE_LOW
from .statistics import ACTIVATIONS, RECTIFIERS, SLOPES, Activation, Statistics, Weight

__all__ = ["pictures"]

_MOST = 12  # layers that a picture shows
_LABELS = 24  # layers that an axis names
_COLOURS = 6
_BINS = 40
_BOUNDS = {
    "sigmoid": (0.0, 1.0, 0.0528),
    "tanh": (-1.0, 1.0, 0.0253),
    "softsign": (-1.0, 1.0, 0.2236),
}  # of outputs, and how wide the flat parts are at both ends


def pictures(statistics: Statistics) -> Iterator[Picture]:
    """Those for which there is something to show."""
    active = _thinned([activation for activation in statistics.activations if activation.op in ACTIVATIONS and activation.kept])
    flow = [weight for weight in statistics.matrices if weight.gradients and math.isfinite(weight.gradient)]
    relu = _thinned([activation for activation in statistics.activations if activation.op in RECTIFIERS and activation.samples])
    measured = [weight for weight in statistics.matrices if len(weight.updates) > 1]
    dying = {place: course for place, course in statistics.dead.items() if any(share > 0 for _, share in course)}
    if active:
        yield Picture(
            lambda part: _histograms(part, active), "Histograms of the activations, a row a layer", (5.0, 0.7 + 0.8 * len(active))
        )
    if flow:
        yield Picture(
            lambda part: _flow(part, flow), "Size of the gradient, layer by layer", (5.0, 1.3 + 0.28 * min(len(flow), _LABELS))
        )
    if relu:
        yield Picture(
            lambda part: _firing(part, relu), "How often each unit of the ReLU layers is above 0", (5.0, 1.2 + 0.45 * len(relu))
        )
    if measured:
        yield Picture(lambda part: _updates(part, measured), "Update-to-weight ratios during training")
    if dying:
        yield Picture(lambda part: _dying(part, dying), "Share of dead units in each ReLU layer by epoch")


def _thinned(activations: list[Activation]) -> list[Activation]:
    """At most a dozen, evenly spaced, the first and the last among them."""
    return (
        [activations[i] for i in np.unique(np.linspace(0, len(activations) - 1, _MOST).round().astype(int))]
        if len(activations) > _MOST
        else activations
    )


def _short(place: str) -> str:
    return place.removeprefix("Layer ")


def _histograms(part: Any, activations: list[Activation]) -> None:
    """A row a layer. Zeros are told, not drawn: beside those of a ReLU no other bar would be seen."""
    axes = part.subplots(len(activations), 1, squeeze=False)[:, 0]
    for axis, activation in zip(axes, activations, strict=True):
        values = np.concatenate(activation.kept).astype(np.float64)
        drawn = values[np.isfinite(values) & (values != 0)]
        told = [f"{activation.zero_share:.0%} zeros"] if activation.zeros else []
        if activation.op in SLOPES:
            told.append(f"{activation.saturated_share:.0%} saturated")
        if activation.op in _BOUNDS:
            low, high, flat = _BOUNDS[activation.op]
            for span in ((low, low + flat), (high - flat, high)):
                axis.axvspan(*span, color="C1", alpha=0.25, linewidth=0)
        else:
            low, high = np.quantile(drawn, (0.001, 0.999)) if drawn.size else (0.0, 1.0)
        axis.hist(drawn, _BINS, range=(low, high), color="C0")
        axis.set_yticks([])
        axis.margins(x=0.01)
        axis.tick_params(labelsize=8)
        axis.set_title(": ".join([_short(activation.place), ", ".join(told)]) if told else _short(activation.place), fontsize=9)
    axes[-1].set_xlabel("activation")
    notes = ["zeros left out"] if any(activation.zeros for activation in activations) else []
    notes += ["shaded: saturated"] if any(activation.op in _BOUNDS for activation in activations) else []
    part.suptitle(f"Activations ({', '.join(notes)})" if notes else "Activations", x=0.02, ha="left", fontsize=11)


def _flow(part: Any, weights: list[Weight]) -> None:
    axis = part.subplots()
    sizes = np.array([weight.gradient_entry for weight in weights])
    places = np.arange(len(weights))
    axis.plot(np.where(sizes > 0, sizes, np.nan), places, "o", color="C0")  # dots, as bars have no foot on a logarithmic axis
    log_scale(axis, "x", sizes)
    step = max(1, math.ceil(len(weights) / _LABELS))
    axis.set_yticks(places[::step], [_short(weight.place) for weight in weights[::step]], fontsize=8)
    axis.set_ylim(len(weights) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("gradient, root mean square of its entries")
    axis.set_title("Gradient flow, input at the top")


def _firing(part: Any, activations: list[Activation]) -> None:
    """A row of cells a layer, its units sorted by how often they fire; all rows are as wide."""
    axis = part.subplots()
    for row, activation in enumerate(activations):
        share = np.sort(activation.firing / activation.samples)[None, ::-1]
        place = (0, 1, row + 0.4, row - 0.4)
        axis.imshow(share, cmap=shades(), vmin=0, vmax=1, aspect="auto", extent=place, interpolation="nearest")
        alive = 1 - activation.dead_share
        axis.plot([alive, alive], [row - 0.4, row + 0.4], color="C1", linewidth=2, clip_on=False)
        axis.text(1.02, row, f"{activation.dead} of {activation.units}\ndead", va="center", fontsize=8)
    axis.set(xlim=(0, 1), ylim=(len(activations) - 0.5, -0.5))
    axis.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axis.set_yticks(range(len(activations)), [_short(activation.place) for activation in activations], fontsize=8)
    axis.grid(visible=False)
    axis.set_xlabel("units (stronger: fires more often), dead past the line")
    axis.set_title("Dead units")


def _updates(part: Any, weights: list[Weight]) -> None:
    axis = part.subplots()
    for weight, look in zip(weights, _lines(len(weights)), strict=True):
        steps, ratios = zip(*weight.updates, strict=True)
        axis.plot(steps, ratios, marker=".", label=_short(weight.place), **look)
    axis.axhspan(UPDATE_LOW, UPDATE_HIGH, color="C2", alpha=0.15)
    axis.text(0.98, UPDATE_LOW * 1.15, "usual range", ha="right", fontsize=8, transform=axis.get_yaxis_transform())
    log_scale(axis, "y", [UPDATE_LOW, UPDATE_HIGH, *(ratio for weight in weights for _, ratio in weight.updates)])
    axis.set(xlabel="training step", ylabel="|change in a step| / |weights|")
    _finish(axis, len(weights), "Update ratios")


def _dying(part: Any, courses: dict[str, list[tuple[int, float]]]) -> None:
    axis = part.subplots()
    for (place, course), look in zip(courses.items(), _lines(len(courses)), strict=True):
        epochs, shares = zip(*course, strict=True)
        axis.plot(epochs, [100 * share for share in shares], marker=".", label=_short(place), **look)
    axis.set(xlabel="epoch", ylabel="dead units (%)", ylim=(0, None))
    axis.xaxis.get_major_locator().set_params(integer=True)
    _finish(axis, len(courses), "Dead ReLU units")


def _lines(count: int) -> list[dict[str, Any]]:
    """The looks of lines: colours for a few, shades from the first to the last for many."""
    if count <= _COLOURS:
        return [{"color": f"C{n}"} for n in range(count)]
    return [{"color": shades()(0.3 + 0.7 * n / (count - 1))} for n in range(count)]


def _finish(axis: Any, count: int, title: str) -> None:
    if count <= _COLOURS:
        axis.legend()
        axis.set_title(title)
    else:
        axis.set_title(f"{title} (faint: first layer, strong: last)")

"""What the doctor says of gradients and updates: too small, too large, absent, or no numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...display import number
from .finding import Finding
from .statistics import Birth, Statistics, Weight

__all__ = ["CHECKS", "UPDATE_HIGH", "UPDATE_LOW", "born", "gradient_ratio"]

VANISHED = 1e-3
"""First layer's gradient over the last layer's, an entry each, below which it has vanished. In 90 healthy networks of three layers it
was 0.008 (sigmoid, fresh) to 1.6; a sigmoid takes at least three quarters away, so five in a row already cross this line."""

VANISHED_OUTPUT = 1e-4
"""The same for the gradients of the layers' outputs. In 336 networks of 2 to 7 layers they stood at 5e-4 (GELU, six in a row, fresh) and
more, but for those of four sigmoids and more in a row."""

EXPLODED = 100.0
"""The same ratios, above which gradients explode on their way back; in these networks those of weights stayed below 5, of outputs below 9."""

OVERWHELMING = 100.0
"""Norm of a layer's gradient over the norm of its weights, above which a step of plain gradient descent at rate 0.01 replaces the weights.
In healthy networks it was below 1."""

UPDATE_HIGH = 1e-2
UPDATE_LOW = 1e-4
"""The usual range of the update-to-weight ratio, a rule of thumb: a step should change a layer by about a thousandth. Healthy networks
leave it at times (upwards one in nine, of 660 at brisk learning rates, the highest 0.026), so near the range it is a note."""

FAR_TOO_HIGH = 0.3
"""Above this, a ratio is a warning, below it a note. Fresh layers with momentum reach 0.15, and with Adam 0.04, as its first step moves
every weight by the whole learning rate: before an optimizer's first step, only this bound counts."""

FAR_TOO_LOW = 1e-5
"""Below this, a ratio is a warning."""

NOTHING_LEARNED = 0.9
"""Small updates are no illness in a network that has learned: at a minimum they go to 0. They count while the loss is above this share of
what the best constant answer costs."""


def gradient_flow(statistics: Statistics) -> Iterator[Finding]:
    """Gradients of the first layer against those of the last: of the weights, entry by entry (root mean square), as layers differ in size,
    and of the outputs."""
    if statistics.birth:
        return
    for what, vanished, first, last, place, other in _ends(statistics):
        ratio = first / last if last > 0 else math.nan
        sizes = f"That of the {what} of {place} is {number(first)}, of {other} {number(last)}"
        if ratio < vanished:
            told = (
                "The first layer gets no gradient at all"
                if ratio == 0
                else f"The gradient vanishes on its way back: a ratio of {ratio:.0e}"
            )
            remedy = (
                "Use ReLU or GELU in place of sigmoid or tanh, fewer layers, residual connections or normalization layers, and He or Xavier "
                "initialization."
            )
            yield Finding(
                "vanishing_gradient", "error" if ratio == 0 else "warning", place, f"{told}. {sizes}.", remedy, ratio, vanished
            )
            return
        if ratio > EXPLODED:
            told = f"The gradient explodes on its way back, by a factor of {ratio:.0e}. {sizes}."
            yield Finding("exploding_gradient", "warning", place, told, _CALM, ratio, EXPLODED)
            return


def _ends(statistics: Statistics) -> Iterator[tuple[str, float, float, float, str, str]]:
    """What is compared, the ratio at which it has vanished, its size in the first layer and in the last, and where these are."""
    weights = _with_gradients(statistics)
    if len(weights) > 1:
        first, last = weights[0], weights[-1]
        yield "weights, an entry,", VANISHED, first.gradient_entry, last.gradient_entry, first.place, last.place
    outputs = [activation for activation in statistics.activations if activation.weighted and activation.gradients]
    normalized = any("norm" in activation.op for activation in statistics.activations)  # which sets a scale of its own
    if len(outputs) > 1 and not normalized:
        yield "outputs", VANISHED_OUTPUT, outputs[0].gradient, outputs[-1].gradient, outputs[0].place, outputs[-1].place


def gradient_ratio(statistics: Statistics) -> float:
    """The gradient of the first layer's weights over that of the last layer's, an entry each (root mean square); NaN if there is none."""
    weights = _with_gradients(statistics)
    last = weights[-1].gradient_entry if len(weights) > 1 else 0.0
    return weights[0].gradient_entry / last if last > 0 else math.nan


def _with_gradients(statistics: Statistics) -> list[Weight]:
    return [weight for weight in statistics.matrices if weight.gradients]


_CALM = "Start from smaller weights (He or Xavier initialization), scale inputs and targets, add normalization layers, or clip gradients."


def large_gradients(statistics: Statistics) -> Iterator[Finding]:
    """Gradients that are large beside the weights that they are to change; of a loss that is a sum, a sample's share of them."""
    terms = statistics.samples / statistics.batches if statistics.loss.reduction == "sum" else 1
    layers = [weight for weight in statistics.matrices if weight.gradients and weight.norm > 0]
    sizes = {weight.place: weight.gradient / terms / weight.norm for weight in layers}
    place = max(sizes, key=sizes.__getitem__, default="")
    if place and sizes[place] > OVERWHELMING and not statistics.birth:
        also = sum(size > OVERWHELMING for size in sizes.values()) - 1
        others = f", as it is in {also} more layer{'s' if also > 1 else ''}" if also else ""
        yield Finding(
            "exploding_gradient",
            "warning",
            place,
            f"{place}: the norm of the gradient is {sizes[place]:,.0f} times that of the weights{others}: "
            "one step of plain gradient descent throws them far off.",
            _CALM,
            sizes[place],
            OVERWHELMING,
        )


def missing_gradients(statistics: Statistics) -> Iterator[Finding]:
    """Parameters that the loss does not depend on."""
    missing = [weight for weight in statistics.weights if weight.missing]
    if missing and not statistics.failure:
        names = ", ".join(weight.name for weight in missing[:4]) + (", …" if len(missing) > 4 else "")
        every = len(missing) == len(statistics.weights)
        yield Finding(
            "no_gradient",
            "error" if every else "warning",
            missing[0].place,
            f"{'No parameter gets' if every else f'{len(missing)} of {len(statistics.weights)} parameters get no'} "
            f"{'a gradient' if every else 'gradient'}, as the loss does not depend on them: {names}.",
            "Look for detach(), numpy() or no_grad() between them and the loss, and for layers that forward does not use.",
            len(missing) / len(statistics.weights),
            0.0,
        )


def updates(statistics: Statistics) -> Iterator[Finding]:
    """Updates against the weights that they change: the layer that is farthest out of the range, on each side."""
    layers = [weight for weight in statistics.matrices if weight.update >= 0]
    if not layers or statistics.birth:
        return
    high, low = max(layers, key=lambda layer: layer.update), min(layers, key=lambda layer: layer.update)
    bound = FAR_TOO_HIGH if statistics.fresh_optimizer else UPDATE_HIGH
    if high.update > bound:
        yield Finding(
            "update_ratio_high",
            "warning" if high.update > FAR_TOO_HIGH else "note",
            high.place,
            f"{high.place}: a step changes the weights by {number(high.update)} of their norm{_more(layers, UPDATE_HIGH, 1)}; "
            f"usual is {UPDATE_LOW:g} to {UPDATE_HIGH:g}.",
            "Try a smaller learning rate, or let it warm up.",
            high.update,
            bound,
        )
    if low.update == 0 or (low.update < UPDATE_LOW and not statistics.learned(NOTHING_LEARNED)):
        told, remedy = f"a step changes the weights by {number(low.update)} of their norm", "Try a larger learning rate."
        if low.rate == 0:
            told = "a step does not change the weights at all, as the learning rate is 0"
            remedy = (
                "At the start of a warm-up this is right: look again some steps later. Else set it, or see what the schedule does."
            )
        elif low.update == 0:
            told = "a step does not change the weights at all"
            remedy = "See that the optimizer was made of model.parameters(), and that gradients arrive."
        yield Finding(
            "update_ratio_low",
            "warning" if low.update < FAR_TOO_LOW else "note",
            low.place,
            f"{low.place}: {told}{_more(layers, UPDATE_LOW, -1)}; usual is {UPDATE_LOW:g} to {UPDATE_HIGH:g}.",
            remedy,
            low.update,
            UPDATE_LOW,
        )


def _more(layers: list[Weight], bound: float, sign: int) -> str:
    count = sum(sign * layer.update > sign * bound for layer in layers) - 1
    return f" ({count} more layer{'s' if count > 1 else ''} out of the range, too)" if count else ""


def birth(statistics: Statistics) -> Iterator[Finding]:
    """NaN and infinities where they came up: in the data, in parameters, or in the first operation that made them of finite values."""
    if statistics.birth is not None:
        yield born(statistics.birth)


def born(birth: Birth, where: str = "") -> Finding:
    """What is said of a birth; `where`, if it was not in the training data."""
    when = f"born in step {birth.step} of the training: " if birth.step else ""
    told = f"There are NaN or infinite values{f' in {where}' if where else ''}; {when}{birth.told}."
    return Finding("nan", "error", where or birth.place, told, _CURES[birth.kind])


_CURES = {
    "data": "Look for missing values and divisions by 0 in the data: numpy.isfinite tells where.",
    "parameters": "Look at the training that left them there: DoctorCallback finds the step, and the operation.",
    "update": "Divide the learning rate by 10; clip gradients.",
    "overflow": "Numbers have grown too large for their dtype. In a training: divide the learning rate by 10, clip gradients. Before any: "
    "scale the inputs, start from smaller weights.",
    "operation": "Look for log, sqrt or division at 0 or below, and for exp of large numbers; keep them away with clamp or a small constant. "
    "mg.detect_anomaly() stops at the line of code.",
}

CHECKS = (birth, missing_gradients, gradient_flow, large_gradients, updates)

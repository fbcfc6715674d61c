"""A trace as a picture: the range of the values from stage to stage, and the size of the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...display import Picture, log_scale
from .stages import NOTHING, Stage

__all__ = ["flow_picture"]


def flow_picture(stages: Sequence[Stage]) -> Picture:
    """For each stage, from top to bottom, the values (or least, mean ± standard deviation, greatest) and the gradient's norm."""
    graded = [n for n, stage in enumerate(stages) if stage.gradient is not None and stage.gradient.statistics.norm > 0]

    def draw(figure: Any) -> None:
        axes = figure.subplots(1, 2 if graded else 1, sharey=True, squeeze=False, width_ratios=[3, 2] if graded else [1])[0]
        _draw_values(axes[0], stages)
        if graded:
            norms = [stage.gradient.statistics.norm for n, stage in enumerate(stages) if n in graded and stage.gradient]
            axes[1].plot(norms, graded, "o-", color="C1")
            axes[1].set(title="Gradients", xlabel="norm of dL/doutput")
            log_scale(axes[1], "x", norms)

    height = min(1.4 + 0.27 * len(stages), 12)
    return Picture(
        draw, "The values of each stage, from the input at the top down, and the norms of their gradients.", (5.0, height)
    )


def _draw_values(axes: Any, stages: Sequence[Stage]) -> None:
    least, mean, most, std = np.array([stage.values.statistics[1:5] for stage in stages]).T
    places = np.arange(len(stages))
    axes.hlines(places, least, most, color="C0", lw=1)
    few = [(n, stage.values.values) for n, stage in enumerate(stages) if stage.values.values is not None]
    many = np.setdiff1d(places, [n for n, _ in few])
    axes.hlines(many, (mean - std)[many], (mean + std)[many], color="C0", lw=5, alpha=0.6)
    axes.plot(mean[many], many, "o", color="C0", ms=5)
    for n, values in few:
        axes.plot(values.ravel(), [n] * values.size, "o", color="C0", ms=5)
    for place, stage in enumerate(stages):
        if count := stage.values.statistics.not_finite:
            axes.text(
                0.99, place - 0.3, f"{count:,} not finite", transform=axes.get_yaxis_transform(), ha="right", color="C1", fontsize=8
            )
    axes.axvline(0, color="C6", lw=0.8, ls=":")
    step = max(1, len(stages) // 40)
    names = [f"{stage.number} {stage.kind if stage.operation == NOTHING else stage.operation}" for stage in stages]
    axes.set_yticks(places[::step], names[::step], fontsize=8)
    axes.set_ylim(len(stages) - 0.5, -0.5)
    axes.set(title="Values", xlabel="least – mean ± std – greatest" if many.size else "value")

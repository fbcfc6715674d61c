"""How the time of a training step grows with batch, width and depth, compiled and eager: numbers, fits and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure
from benchmarks.workloads import Net, compiled_step, eager_step


class Axis(NamedTuple):
    """What grows: the net for each of its values, and the powers of the value that the time is a sum of."""

    values: Sequence[int]
    net: Callable[[int], Net]
    powers: Sequence[int]
    title: str
    unit: str


AXES = {
    "batch": Axis([4**k for k in range(7)], lambda n: Net((64, 128, 10), n), (0, 1), "64-128-10, growing batch", "rows"),
    "width": Axis([2**k for k in range(4, 12)], lambda w: Net((64, w, w, 10), 32), (0, 1, 2), "64-w-w-10, batch 32", "width w"),
    "depth": Axis(
        [2**k for k in range(7)], lambda d: Net((64, *(64,) * d, 10), 32), (0, 1), "64-d×64-10, batch 32", "hidden layers d"
    ),
}
HEADS = {"minigrad": "compiled", "minigrad eager": "eager"}
COLORS = {"minigrad": "tab:blue", "minigrad eager": "tab:orange"}
JOBS = tuple((contender, axis) for axis in AXES for contender in HEADS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.3, 0.1
LARGEST = 3  # points that the slope on logarithmic axes is taken of
PICTURE = Path(__file__).with_name("growth.png")


def environment(contender: str) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library, make = Eager("minigrad"), compiled_step if contender == "minigrad" else eager_step
    for value in AXES[group].values:
        step, _ = make(library, AXES[group].net(value))
        yield case(group, value), measure(step, QUICK_SECONDS if quick else SECONDS)


def case(axis: str, value: int) -> str:
    return f"{axis} {value:,}"


# ---- what is made of the numbers


class Fit(NamedTuple):
    """Seconds as a sum of powers of the axis' value, and what it leaves unexplained."""

    axis: Axis
    coefficients: np.ndarray
    worst: float  # of |fit − time| / time
    slope: float  # on logarithmic axes, of the largest values

    def at(self, values: np.ndarray) -> np.ndarray:
        return powers(self.axis, values) @ self.coefficients


def powers(axis: Axis, values: Any) -> np.ndarray:
    return np.stack([np.asarray(values, float) ** power for power in axis.powers], axis=1)


def fit(axis: Axis, seconds: np.ndarray) -> Fit:
    """Least squares of the relative errors: a microsecond counts among small steps what a millisecond counts among large ones. A term that
    would have to be negative is left out."""
    terms = powers(axis, axis.values)
    coefficients, used = np.zeros(len(axis.powers)), np.ones(len(axis.powers), bool)
    while used.any():
        coefficients[used] = np.linalg.lstsq(terms[:, used] / seconds[:, None], np.ones(len(seconds)), rcond=None)[0]
        if coefficients.min() >= 0:
            break
        worst_term = coefficients.argmin()
        used[worst_term], coefficients[worst_term] = False, 0
    worst = np.abs(terms @ coefficients / seconds - 1).max()
    slope = np.polyfit(np.log(axis.values[-LARGEST:]), np.log(seconds[-LARGEST:]), 1)[0]
    return Fit(axis, coefficients, float(worst), float(slope))


def measured(results: Results, contender: str, axis: str) -> np.ndarray | None:
    values = [results.median(contender, case(axis, value)) for value in AXES[axis].values]
    return None if None in values else np.array(values, float)


def tables(results: Results) -> list[Table]:
    times = Table(
        "How a step grows",
        ("net", *HEADS.values(), "eager / compiled"),
        "A training step as above, with one thread, and one thing of the net growing: "
        + "; ".join(f"{name}: {axis.title}" for name, axis in AXES.items())
        + ". In the picture, lines are the fits of the next table; dotted: their fixed cost.",
        picture=PICTURE.name if PICTURE.exists() else "",
    )
    fits = Table(
        "How a step grows: fits",
        ("what grows, step", "fixed cost", "per unit", "per unit²", f"slope of the largest {LARGEST}", "fit off by at most"),
        "Time = fixed cost + time per unit · n (for the width w also + · w²), by least squares of the relative errors, no term "
        "negative; the slope is that of a line through the largest values on logarithmic axes: 1 is proportional, 2 quadratic. A unit is a "
        "row, a column of the hidden layers, or a layer.",
    )
    for name, axis in AXES.items():
        for value in axis.values:
            entry = case(name, value)
            ratio = number(results.ratio("minigrad eager", entry))
            times.add(entry, *(results.cell(contender, entry, duration) for contender in HEADS), ratio)
        for contender, head in HEADS.items():
            seconds = measured(results, contender, name)
            cells = ("–",) * 5
            if seconds is not None:
                found = fit(axis, seconds)
                terms = [*(duration(term) if term else "–" for term in found.coefficients), "–"][:3]
                cells = (*terms, number(found.slope), f"{found.worst:.0%}")
            fits.add(f"{name}, {head}", *cells)
    return [times, fits]


def draw(results: Results) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, len(AXES), sharey=True)
    for panel, (name, axis) in zip(panels, AXES.items(), strict=True):
        for contender, head in HEADS.items():
            seconds = measured(results, contender, name)
            if seconds is not None:
                curve(panel, fit(axis, seconds), seconds, head, COLORS[contender])
        panel.set(xscale="log", yscale="log", xlabel=axis.unit, title=axis.title)
        panel.set_xticks(axis.values[:: 1 if len(axis.values) < 8 else 2], minor=False)
        panel.get_xaxis().set_major_formatter(lambda value, _: f"{value:,.0f}")
        panel.get_yaxis().set_major_formatter(lambda value, _: duration(value).replace(".00", "").replace(".0", ""))
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("time of a training step")
    panels[0].plot([], [], color="gray", linewidth=1.2, label="fit")
    panels[0].plot([], [], color="gray", linestyle=":", linewidth=1, label="its fixed cost")
    panels[0].legend(loc="upper left", frameon=False)
    figure.savefig(PICTURE, dpi=150)


def curve(panel: Any, found: Fit, seconds: np.ndarray, head: str, color: str) -> None:
    """The points, the fit through them, its fixed cost, and the slope at the end."""
    values = np.asarray(found.axis.values)
    along = np.geomspace(values[0], values[-1], 200)
    panel.plot(values, seconds, "o", color=color, markersize=5, label=head)
    panel.plot(along, found.at(along), color=color, linewidth=1.2)
    fixed = found.coefficients[0]
    if fixed > 0:
        panel.axhline(fixed, color=color, linestyle=":", linewidth=1)
        panel.annotate(
            duration(fixed),
            (1, fixed),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=color,
        )

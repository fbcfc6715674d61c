"""How far to go along a direction: a step length that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..core.tensor import Array

__all__ = ["Point", "dot", "largest", "strong_wolfe", "total"]


class Point(NamedTuple):
    """What is known of the point a step length t along a direction: the loss, its gradient, and its slope along the direction."""

    t: float
    loss: float
    gradient: Array
    slope: float


def dot(a: Array, b: Array) -> float:
    with np.errstate(all="ignore"):
        return float(a.dot(b))


def largest(x: Array) -> float:
    """max |x|."""
    return float(np.abs(x).max(initial=0))


def total(x: Array) -> float:
    """Σ |x|."""
    with np.errstate(all="ignore"):
        return float(np.abs(x).sum())


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    size: float,
    tolerance: float,
    most: int,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> tuple[Point, int]:
    """A point whose loss is below `start`'s by c₁ t |slope| at least and whose slope is c₂ times as steep at most; and how many were tried.

    First the interval is extended until it holds such points, then it is narrowed, both by cubic interpolation, over at most `most`
    points after the first. `size` is max |d|: an interval of a `size`-fold length below `tolerance` is narrow enough.
    Source: Nocedal & Wright 2006, "Numerical optimization", algorithms 3.5 and 3.6.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    before, point, tried = start, at(t), 0
    while tried < most:
        if too_high(point) or (tried > 1 and point.loss >= before.loss):
            break
        if flat(point):
            return point, tried + 1
        if point.slope >= 0:
            break
        t = _cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
        before, point, tried = point, at(t), tried + 1
    else:
        before = start

    bracket, stalled = [before, point], False
    low = _lower(bracket)
    while tried < most and not abs(bracket[1].t - bracket[0].t) * size < tolerance:
        left, right = sorted((bracket[0].t, bracket[1].t))
        t, stalled = _inside(_cubic_minimum(bracket[0], bracket[1], left, right), left, right, stalled)
        point, tried = at(t), tried + 1
        if too_high(point) or point.loss >= bracket[low].loss:
            bracket[1 - low] = point
            low = _lower(bracket)
            continue
        if flat(point):
            return point, tried + 1
        if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
    return bracket[low], tried + 1


def _lower(bracket: list[Point]) -> int:
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def _inside(t: float, left: float, right: float, stalled: bool) -> tuple[float, bool]:
    """A point that is near an end twice running, or outside, is moved a tenth of the interval inwards; and whether it was near."""
    margin = 0.1 * (right - left)
    if not min(right - t, t - left) < margin:
        return t, False
    if not stalled and left < t < right:
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is lowest, between `least` and `most`; halfway if it has no minimum."""
    left, right = (a, b) if a.t <= b.t else (b, a)
    with np.errstate(all="ignore"):
        width = np.float64(right.t - left.t)
        d1 = left.slope + right.slope - 3 * (right.loss - left.loss) / width
        square = d1 * d1 - left.slope * right.slope
        if not square >= 0:
            return (least + most) / 2
        d2 = math.sqrt(square)
        t = float(right.t - width * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)))
    return min(max(t, least), most)

"""Toy problems in the plane, for classifiers to learn in a second.

Each function returns (X, y): points X, float32 (n_samples, 2), and classes y, int64 (n_samples,), in random order. The classes are
balanced: where n_samples does not divide evenly, the first classes have one sample more. A point is where its formula says, computed
in float64 and rounded at the end, plus a normal error of standard deviation `noise` in each coordinate. The same seed gives the same
data, whatever else draws random numbers.

Errors: ArgumentError for fewer samples than classes, noise that is negative or not finite, a seed that is no non-negative int.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError

__all__ = ["blobs", "circles", "spirals", "two_moons", "xor"]


def two_moons(n_samples: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two half circles that reach into each other, evenly spaced in t from 0 to π, both ends included.

    Class 0: (cos t, sin t). Class 1: (1 − cos t, ½ − sin t). Source: scikit-learn's `make_moons`.
    """
    upper, lower = (np.linspace(0, np.pi, n) for n in _class_sizes("two_moons", n_samples, 2))
    points = [_points(np.cos(upper), np.sin(upper)), _points(1 - np.cos(lower), 0.5 - np.sin(lower))]
    return _shuffled("two_moons", points, noise, seed)


def circles(n_samples: int = 200, noise: float = 0.05, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A circle within a circle, each with its m points evenly spaced, the first at angle 0.

    Class 0: (cos t, sin t). Class 1: ½ (cos t, sin t). t = 2πk / m for k = 0 … m − 1. Source: scikit-learn's `make_circles`.
    """
    sizes = _class_sizes("circles", n_samples, 2)
    points = [radius * _on_unit_circle(np.arange(m) / m) for radius, m in zip((1.0, 0.5), sizes, strict=True)]
    return _shuffled("circles", points, noise, seed)


def spirals(n_samples: int = 300, noise: float = 0.02, seed: int = 0, classes: int = 2) -> tuple[Tensor, Tensor]:
    """Arms that wind once around the origin, from near the centre to the unit circle.

    Class c: r (cos t, sin t) with t = 2π (r + c / classes), for r = 1/m, 2/m … 1, where m is the number of samples of the class.
    """
    points = []
    for c, m in enumerate(_class_sizes("spirals", n_samples, classes)):
        radius = np.arange(1, m + 1) / m
        points.append(radius[:, None] * _on_unit_circle(radius + c / classes))
    return _shuffled("spirals", points, noise, seed)


def blobs(n_samples: int = 300, noise: float = 0.2, seed: int = 0, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Round normal clouds, their centres evenly spaced on the unit circle.

    Class c: (cos t, sin t) with t = 2πc / classes.
    """
    sizes = _class_sizes("blobs", n_samples, classes)
    points = [_on_unit_circle(np.full(m, c / classes)) for c, m in enumerate(sizes)]
    return _shuffled("blobs", points, noise, seed)


def xor(n_samples: int = 200, noise: float = 0.2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The four corners of a square; no line separates the classes. Four samples without noise are the truth table of XOR.

    Class 0: (−1, −1) and (1, 1) in turn. Class 1: (−1, 1) and (1, −1) in turn.
    """
    points = []
    for side, m in zip((1.0, -1.0), _class_sizes("xor", n_samples, 2), strict=True):
        x = np.where(np.arange(m) % 2, 1.0, -1.0)
        points.append(_points(x, side * x))
    return _shuffled("xor", points, noise, seed)


def _class_sizes(name: str, n_samples: int, classes: int) -> list[int]:
    """How many samples each class gets."""
    _require_int(name, "classes", classes, 1)
    _require_int(name, "n_samples", n_samples, classes)
    return [n_samples // classes + (c < n_samples % classes) for c in range(classes)]


def _require_int(name: str, argument: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{name}: {argument} must be an int of at least {least}, got {value!r}")


def _points(x: Array, y: Array) -> Array:
    return np.stack([x, y], axis=1)


def _on_unit_circle(turns: Array) -> Array:
    angle = 2 * np.pi * turns
    return _points(np.cos(angle), np.sin(angle))


def _shuffled(name: str, points: Sequence[Array], noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """The classes' points mixed, moved by noise, and labelled."""
    if not (noise >= 0 and math.isfinite(noise)):
        raise ArgumentError(f"{name}: noise must be a finite number of at least 0, got {noise!r}")
    _require_int(name, "seed", seed, 0)
    bits = np.random.default_rng(seed)
    X = np.concatenate(points)
    y = np.repeat(np.arange(len(points), dtype=np.int64), [len(p) for p in points])
    order = bits.permutation(len(y))
    moved = X[order] + noise * bits.standard_normal(X.shape)
    return Tensor(moved.astype(np.float32)), Tensor(y[order])

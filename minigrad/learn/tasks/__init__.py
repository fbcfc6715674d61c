"""The exercises, in the order in which they build on each other."""

from __future__ import annotations

from ..exercises import Exercise
from .activations import ACTIVATIONS
from .arithmetic import ARITHMETIC
from .classes import CLASSES
from .cross_entropy import CROSS_ENTROPY
from .engines import ENGINES
from .layers import LAYERS
from .losses import LOSSES
from .optimizers import OPTIMIZERS
from .shapes import SHAPES

__all__ = ["EXERCISES"]

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for exercise in (*ARITHMETIC, *SHAPES, *ACTIVATIONS, *LOSSES, *CLASSES, CROSS_ENTROPY, *LAYERS, *OPTIMIZERS, *ENGINES)
}

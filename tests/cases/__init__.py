"""The tables of operations, by room."""

from op_cases import OpCase

from . import (
    activation,
    arithmetic,
    attention,
    comparison,
    distance,
    indexing,
    linalg,
    loss,
    normalization,
    reduction,
    shape,
    softmax,
)

CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *comparison.CASES,
    *activation.CASES,
    *reduction.CASES,
    *shape.CASES,
    *indexing.CASES,
    *linalg.CASES,
    *distance.CASES,
    *attention.CASES,
    *normalization.CASES,
    *softmax.CASES,
    *loss.CASES,
)

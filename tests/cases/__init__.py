"""The tables of operations, by room."""

from op_cases import OpCase

from . import (
    activation,
    arithmetic,
    classification,
    comparison,
    indexing,
    likelihood,
    linalg,
    loss,
    margin,
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
    *softmax.CASES,
    *loss.CASES,
    *likelihood.CASES,
    *margin.CASES,
    *classification.CASES,
)

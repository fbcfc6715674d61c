"""The tables of operations, by room."""

from op_cases import OpCase

from . import (
    activation,
    arithmetic,
    choice,
    comparison,
    exponential,
    indexing,
    inplace,
    linalg,
    loss,
    reduction,
    rounding,
    shape,
    softmax,
    trigonometry,
)

CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *choice.CASES,
    *comparison.CASES,
    *exponential.CASES,
    *rounding.CASES,
    *trigonometry.CASES,
    *inplace.CASES,
    *activation.CASES,
    *reduction.CASES,
    *shape.CASES,
    *indexing.CASES,
    *linalg.CASES,
    *softmax.CASES,
    *loss.CASES,
)

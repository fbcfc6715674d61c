"""The tables of operations, by room."""

from op_cases import OpCase

from . import (
    activation,
    arithmetic,
    arranging,
    comparison,
    indexing,
    joining,
    linalg,
    loss,
    moments,
    ordering,
    picking,
    reduction,
    scan,
    shape,
    softmax,
)

CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *comparison.CASES,
    *activation.CASES,
    *reduction.CASES,
    *moments.CASES,
    *ordering.CASES,
    *scan.CASES,
    *shape.CASES,
    *joining.CASES,
    *arranging.CASES,
    *indexing.CASES,
    *picking.CASES,
    *linalg.CASES,
    *softmax.CASES,
    *loss.CASES,
)

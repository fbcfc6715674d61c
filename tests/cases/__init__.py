"""The tables of operations, by room."""

from op_cases import OpCase

from . import activation, arithmetic, comparison, indexing, linalg, loss, rectifier, reduction, shape, softmax

CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *comparison.CASES,
    *activation.CASES,
    *rectifier.CASES,
    *reduction.CASES,
    *shape.CASES,
    *indexing.CASES,
    *linalg.CASES,
    *softmax.CASES,
    *loss.CASES,
)

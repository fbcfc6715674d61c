"""The tables of operations, by room."""

from op_cases import OpCase

from . import activation, arithmetic, linalg, loss, reduction, shape, softmax

CASES: tuple[OpCase, ...] = (
    *arithmetic.CASES,
    *activation.CASES,
    *reduction.CASES,
    *shape.CASES,
    *linalg.CASES,
    *softmax.CASES,
    *loss.CASES,
)

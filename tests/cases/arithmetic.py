"""Arithmetic, powers, exponentials, comparisons and choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp
from op_cases import (
    BOOL,
    F32,
    F64,
    FEW_PAIRS,
    I32,
    I64,
    PROMOTED,
    SAME,
    TO_BOOL,
    TO_FLOAT,
    U8,
    OpCase,
    Refused,
    Typed,
    away,
    binary,
    case,
    edge,
    given,
    integers,
    lattice,
    mask,
    normal,
    points,
    sample,
    unary,
    uniform,
)

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError, GraphError, InputTypeError, ShapeError
from minigrad.ops import arithmetic

inf, nan = math.inf, math.nan
positive = uniform(0.2, 3)


def exactly(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one number over arrays."""
    return np.vectorize(lambda x: float(function(float(x))), otypes=[np.float64])


def clamped(x: Any, min: Any = None, max: Any = None) -> Any:
    """clamp, one number after the other."""
    low, high = -inf if min is None else min, inf if max is None else max

    def one(value: float, lower: float, upper: float) -> float:
        return upper if upper < lower else sorted([lower, value, upper])[1]

    return np.vectorize(one, otypes=[np.float64])(x, low, high)


def does_not_broadcast(function: Any, name: str) -> Refused:
    return Refused(
        lambda: function(mg.ones(3, 4), mg.ones(3)), (ShapeError, RuntimeError), rf"{name}: shapes do not broadcast: .*\(3, 4\).*\(3,\)"
    )


def call_errors(function: Any, name: str) -> list[Refused]:
    """What every operation refuses: no tensor, strings, lists, unknown and missing arguments, object arrays."""
    count = len(function.inputs)
    ones = [mg.ones(2)] * count
    return [
        Refused(lambda: function(*["text"] * count), (InputTypeError, TypeError), f"{name}: .* must be a Tensor or a number, got str"),
        Refused(lambda: function(*[[1.0]] * count), TypeError, f"{name}: .* got list; make it one with mg.tensor"),
        Refused(lambda: function(*[np.array(["a"])] * count), TypeError, f"{name}: .* must be a Tensor or a number, got ndarray"),
        Refused(lambda: function(*[1.0] * count), TypeError, f"{name}: needs a Tensor"),
        Refused(lambda: function(), TypeError, f"{name}: argument .* is missing"),
        Refused(lambda: function(*ones, *ones, *ones), TypeError, f"{name}: takes .* positional arguments, got {3 * count}"),
        Refused(lambda: function(*ones, colour=1), TypeError, f"{name}: unexpected argument 'colour'"),
        Refused(lambda: function(*ones, input=mg.ones(2)), TypeError, f"{name}: argument .* was given twice"),
    ]


COMPARISONS = [
    case(
        name,
        getattr(mg, name),
        reference,
        *binary(integers(-2, 3), integers(-2, 3)),
        sample(given([0.5, -1.0, 2.0]), 0.5),
        order=0,
        edges=[edge([-inf, 0.0, 1.0, inf, nan, nan], [-inf, -0.0, 2.0, 1.0, nan, 0.0], value=expected)],
        typed=[*(Typed(row.arguments, "bool") for row in PROMOTED)],
        refused=[does_not_broadcast(getattr(mg, name), name)],
    )
    for name, reference, expected in (
        ("eq", lambda a, b: a - b == 0, [True, True, False, False, False, False]),
        ("ne", lambda a, b: a - b != 0, [False, False, True, True, True, True]),
        ("lt", lambda a, b: b - a > 0, [False, False, True, False, False, False]),
        ("le", lambda a, b: b - a >= 0, [True, True, True, False, False, False]),
        ("gt", lambda a, b: a - b > 0, [False, False, False, True, False, False]),
        ("ge", lambda a, b: a - b >= 0, [True, True, False, True, False, False]),
    )
]

LOGIC = [
    case("logical_and", mg.logical_and, lambda a, b: (a != 0) * (b != 0), *binary(mask, mask), order=0, typed=[Typed((I64, F32), "bool")],
         edges=[edge([0.0, 0.0, nan, 2.0], [0.0, nan, 1.0, 0.0], value=[False, False, True, False])],
         refused=[does_not_broadcast(mg.logical_and, "logical_and")]),
    case("logical_or", mg.logical_or, lambda a, b: (a != 0) + (b != 0) > 0, *binary(mask, mask), order=0, typed=[Typed((I64, F32), "bool")],
         edges=[edge([0.0, 0.0, nan, 2.0], [0.0, nan, 1.0, 0.0], value=[False, True, True, True])],
         refused=[does_not_broadcast(mg.logical_or, "logical_or")]),
    case("logical_not", mg.logical_not, lambda a: a == 0, *unary(mask), order=0, typed=TO_BOOL,
         edges=[edge([0.0, -0.0, nan, 2.0, inf], value=[True, True, False, False, False])]),
    case("isnan", mg.isnan, lambda x: x != x, *unary(normal), order=0, typed=TO_BOOL,  # noqa: PLR0124
         edges=[edge([nan, inf, -inf, 0.0], value=[True, False, False, False])]),
    case("isinf", mg.isinf, lambda x: abs(x) == inf, *unary(normal), order=0, typed=TO_BOOL,
         edges=[edge([nan, inf, -inf, 0.0], value=[False, True, True, False])]),
    case("isfinite", mg.isfinite, lambda x: abs(x) < inf, *unary(normal), order=0, typed=TO_BOOL,
         edges=[edge([nan, inf, -inf, 0.0], value=[False, False, False, True])]),
    case("operator &", lambda a, b: a & b, np.logical_and, *binary(mask, mask, FEW_PAIRS), sample(mask(3), True), sample(True, mask(3)),
         covers=(mg.logical_and,), order=0,
         refused=[Refused(lambda: mg.tensor([1, 2]) & mg.tensor([1, 2]), (DtypeError, TypeError), "operators & | ~ take bool tensors"),
                  Refused(lambda: mg.tensor([True]) & 1, TypeError, "operators & | ~ take bool tensors")]),
    case("operator |", lambda a, b: a | b, np.logical_or, *binary(mask, mask, FEW_PAIRS), sample(mask(3), False), sample(False, mask(3)),
         covers=(mg.logical_or,), order=0,
         refused=[Refused(lambda: mg.ones(2) | mg.tensor([True, False]), TypeError, "operators & | ~ take bool tensors")]),
    case("operator ~", lambda a: ~a, np.logical_not, *unary(mask), covers=(mg.logical_not,), order=0,
         refused=[Refused(lambda: ~mg.tensor([1]), TypeError, "operators & | ~ take bool tensors")]),
]  # fmt: skip

BINARY = [
    case(
        "add", mg.add, np.add, *binary(normal, normal), sample(normal(3), 2.5), sample(-1, normal(3)),
        edges=[edge([inf, 1e3, nan, 0.0], [-inf, -1e3, 1.0, -0.0], value=[nan, 0, nan, 0], grads=[[1] * 4, [1] * 4])],
        typed=PROMOTED, refused=[does_not_broadcast(mg.add, "add"), *call_errors(mg.add, "add")],
    ),
    case(
        "sub", mg.sub, np.subtract, *binary(normal, normal), sample(normal(3), 2.5), sample(-1, normal(3)),
        edges=[edge([inf, 1e3, nan], [inf, 1e3, 1.0], value=[nan, 0, nan], grads=[[1] * 3, [-1] * 3])],
        typed=PROMOTED,
        refused=[does_not_broadcast(mg.sub, "sub"),
                 Refused(lambda: mg.tensor([True]) - mg.tensor([False]), (DtypeError, RuntimeError), "sub: booleans cannot be subtracted")],
    ),
    case(
        "mul", mg.mul, np.multiply, *binary(normal, normal), sample(normal(3), 2.5), sample(-1, normal(3)),
        edges=[edge([0.0, inf, nan, 1e3], [inf, 2.0, 0.0, -1e3], value=[nan, inf, nan, -1e6],
                    grads=[[inf, 2, 0, -1e3], [0, inf, nan, 1e3]])],
        typed=PROMOTED, refused=[does_not_broadcast(mg.mul, "mul")],
    ),
    case(
        "div", mg.div, np.divide, *binary(normal, away(0.0)), sample(normal(3), 2.5), sample(-1, away(0.0)(3)),
        edges=[edge([1.0, -1.0, 0.0, inf, 1.0, nan], [0.0, 0.0, 0.0, 2.0, inf, 1.0], value=[inf, -inf, nan, inf, 0, nan],
                    grads=[[inf, inf, inf, 0.5, 0, 1], [-inf, inf, nan, -inf, 0, nan]])],
        typed=[Typed(row.arguments, row.dtype if row.dtype.startswith("float") else "float32") for row in PROMOTED],
        refused=[does_not_broadcast(mg.div, "div")],
    ),
    case(
        "maximum", mg.maximum, lambda a, b: np.where(a > b, a, b), *binary(lattice(0, 2), lattice(1, 2)), sample(away(0.5)(3), 0.5),
        edges=[edge([1.0, 2.0, 3.0, inf, nan, 1.0, -inf], [2.0, 2.0, 1.0, 1e3, 1.0, nan, -1e3], value=[2, 2, 3, inf, nan, nan, -1e3],
                    grads=[[0, 0.5, 1, 1, 1, 1, 0], [1, 0.5, 0, 0, 1, 1, 1]])],
        typed=PROMOTED, refused=[does_not_broadcast(mg.maximum, "maximum")],
    ),
    case(
        "minimum", mg.minimum, lambda a, b: np.where(a < b, a, b), *binary(lattice(0, 2), lattice(1, 2)), sample(away(0.5)(3), 0.5),
        edges=[edge([1.0, 2.0, 3.0, inf, nan, 1.0, -inf], [2.0, 2.0, 1.0, 1e3, 1.0, nan, -1e3], value=[1, 2, 1, 1e3, nan, nan, -inf],
                    grads=[[1, 0.5, 0, 0, 1, 1, 1], [0, 0.5, 1, 1, 1, 1, 0]])],
        typed=PROMOTED, refused=[does_not_broadcast(mg.minimum, "minimum")],
    ),
]  # fmt: skip

POWERS = [
    case(
        "pow", mg.pow, lambda x, p: np.exp(p * np.log(np.abs(x))) * np.where((x < 0) & (np.floor_divide(p, 1) % 2 == 1), -1, 1),
        *(sample(away(0.0)(3, 4), p) for p in (1, 2, 3, 4, 5, -1, -2, -3, 2.0, 0)),
        *(sample(positive(3, 4), p) for p in (0.5, 1.5, -0.5, 2.7)),
        *binary(positive, normal), sample(2.5, normal(3, 4)), sample(positive(), 3), sample(positive(0, 2), 2),
        covers=(arithmetic.pow_scalar, arithmetic.pow_tensor),
        edges=[
            edge([0.0, 1e3, nan, inf, -2.0], 0, value=[1] * 5, grads=[[0] * 5, None]),
            edge([0.0, 1e3, nan, inf, -2.0], 1, value=[0, 1e3, nan, inf, -2], grads=[[1] * 5, None]),
            edge([0.0, -1e3, nan, -inf], 2, value=[0, 1e6, nan, inf], grads=[[0, -2e3, nan, -inf], None]),
            edge([0.0, 1e3, nan, inf], -1, value=[inf, 1e-3, nan, 0], grads=[[-inf, -1e-6, nan, 0], None]),
            edge([0.0, 4.0, -1.0, inf], 0.5, value=[0, 2, nan, inf], grads=[[inf, 0.25, nan, 0], None]),
            edge([-1.0, 0.0, 4.0], 1.5, value=[nan, 0, 8], grads=[[nan, 0, 3], None]),
            edge([0.0, 0.0, 0.0, 2.0, -2.0, nan], [0.0, 1.0, 2.0, 0.0, 2.0, 0.0], value=[1, 0, 0, 1, 4, 1],
                 grads=[[0, 1, 0, 0, -4, 0], [0, 0, 0, math.log(2), nan, nan]]),
            edge(2.0, [-inf, 0.0, 10.0, inf], value=[0, 1, 1024, inf], grads=[None, [0, math.log(2), 1024 * math.log(2), inf]]),
            edge(0.0, [0.0, 1.0, -1.0], value=[1, 0, inf], grads=[None, [0, 0, -inf]]),
        ],
        typed=[
            Typed((I64, 2), "int64"), Typed((I32, 2), "int32"), Typed((U8, 3), "uint8"), Typed((I64, 0.5), "float32"), Typed((I32, 2.0), "float32"),
            Typed((BOOL, 2), "int64"), Typed((F32, 2), "float32"), Typed((F64, 0.5), "float64"), Typed((2, F32), "float32"),
            Typed((2.0, I64), "float32"), Typed((F32, F64), "float64"), Typed((I64, F32), "float64"),
        ],
        refused=[
            Refused(lambda: mg.tensor([1, 2]) ** -1, (DtypeError, RuntimeError), "pow: integers cannot be raised to the negative power -1"),
            Refused(lambda: mg.ones(3, 4) ** mg.ones(3), ShapeError, "pow_tensor: shapes do not broadcast"),
            Refused(lambda: mg.pow(mg.ones(3), "2"), TypeError, "pow_tensor: exponent must be a Tensor or a number, got str"),
        ],
    ),
]  # fmt: skip

UNARY = [
    case("neg", mg.neg, lambda x: 0 - x, *unary(normal), typed=SAME,
         edges=[points((inf, -inf, -1), (nan, nan, -1), (0.0, 0, -1), (1e3, -1e3, -1))],
         refused=[Refused(lambda: -mg.tensor([True]), (DtypeError, RuntimeError), "neg: booleans have no negative"), *call_errors(mg.neg, "neg")]),
    case("exp", mg.exp, exactly(mp.exp), *unary(normal), typed=[*TO_FLOAT, Typed((BOOL,), "float32")], refused=call_errors(mg.exp, "exp"),
         edges=[points((-inf, 0, 0), (-1e3, 0, 0), (0.0, 1, 1), (1e3, inf, inf), (inf, inf, inf), (nan, nan, nan)),
                points((89.0, inf, inf), dtypes=["float32"]), points((89.0, math.exp(89), math.exp(89)), dtypes=["float64"])]),
    case("expm1", mg.expm1, exactly(mp.expm1), *unary(normal), typed=TO_FLOAT,
         edges=[points((-inf, -1, 0), (-1e3, -1, 0), (0.0, 0, 1), (2**-60, 2**-60, 1), (1e3, inf, inf), (inf, inf, inf), (nan, nan, nan))]),
    case("log", mg.log, exactly(mp.log), *unary(positive), typed=TO_FLOAT,
         edges=[points((0.0, -inf, inf), (-1.0, nan, -1), (-inf, nan, 0), (1.0, 0, 1), (1e3, math.log(1e3), 1e-3), (inf, inf, 0), (nan, nan, nan))]),
    case("log1p", mg.log1p, exactly(mp.log1p), *unary(uniform(-0.8, 3)), typed=TO_FLOAT,
         edges=[points((-1.0, -inf, inf), (-2.0, nan, -1), (0.0, 0, 1), (2**-60, 2**-60, 1), (inf, inf, 0), (nan, nan, nan))]),
    case("sqrt", mg.sqrt, exactly(mp.sqrt), *unary(positive), typed=TO_FLOAT,
         edges=[points((0.0, 0, inf), (-1.0, nan, nan), (4.0, 2, 0.25), (1e6, 1e3, 0.5e-3), (inf, inf, 0), (nan, nan, nan))]),
    case("abs", mg.abs, lambda x: np.where(x < 0, 0 - x, x), *unary(away(0.0)), typed=SAME,
         edges=[points((0.0, 0, 0), (-0.0, 0, 0), (-1e3, 1e3, -1), (1e3, 1e3, 1), (-inf, inf, -1), (inf, inf, 1), (nan, nan, 0))]),
    case("floor", mg.floor, exactly(math.floor), *unary(away(*range(-9, 9))), typed=SAME,
         edges=[points((0.0, 0, 0), (-0.5, -1, 0), (2.0, 2, 0), (-1e3, -1e3, 0), (-inf, -inf, 0), (inf, inf, 0), (nan, nan, 0))]),
    case("erf", mg.erf, exactly(mp.erf), *unary(normal), typed=TO_FLOAT,
         edges=[points((-inf, -1, 0), (-1e3, -1, 0), (0.0, 0, 2 / math.sqrt(math.pi)), (1e3, 1, 0), (inf, 1, 0), (nan, nan, nan))]),
    case("erfc", mg.erfc, exactly(mp.erfc), *unary(normal), typed=TO_FLOAT,
         edges=[points((-inf, 2, 0), (-1e3, 2, 0), (0.0, 1, -2 / math.sqrt(math.pi)), (5.0, 1.5374597944280349e-12, -1.5670866531017335e-11),
                       (1e3, 0, 0), (inf, 0, 0), (nan, nan, nan))]),
    case("normal_cdf", mg.normal_cdf, exactly(mp.ncdf), *unary(normal), typed=TO_FLOAT,
         edges=[points((-inf, 0, 0), (-1e3, 0, 0), (0.0, 0.5, 1 / math.sqrt(2 * math.pi)), (-10.0, 7.619853024160527e-24, 7.69459862670642e-23),
                       (1e3, 1, 0), (inf, 1, 0), (nan, nan, nan))]),
    case("normal_pdf", mg.normal_pdf, exactly(mp.npdf), *unary(normal), typed=TO_FLOAT,
         edges=[points((-1e3, 0, 0), (0.0, 1 / math.sqrt(2 * math.pi), 0), (1e3, 0, 0), (nan, nan, nan))]),
]  # fmt: skip

CHOICES = [
    case(
        "clamp", mg.clamp, clamped,
        *unary(away(-0.5, 0.7), min=-0.5, max=0.7), *unary(away(-0.5), min=-0.5)[:4], *unary(away(0.5), max=0.5)[:4],
        *binary(lattice(0, 2), lattice(1, 2), FEW_PAIRS), *(sample(s.draws[0], None, s.draws[1]) for s in binary(lattice(0, 2), lattice(1, 2), FEW_PAIRS)),
        *(sample(lattice(0, 3)(*shape), lattice(1, 3)(*low), lattice(2, 3)(*high))
          for shape, low, high in (((3, 4), (3, 4), (3, 4)), ((3, 4), (4,), (3, 1)), ((4,), (), (3, 4)), ((), (), ()), ((0, 4), (4,), ()))),
        sample(lattice(0, 2)(3, 4), lattice(1, 2)(4), 9.0), sample(lattice(0, 2)(3, 4), -9.0, lattice(1, 2)(3, 1)),
        covers=(arithmetic.clamp_min, arithmetic.clamp_max, arithmetic.clamp_both),
        edges=[
            points((-inf, -1, 0), (-1e3, -1, 0), (-1.0, -1, 1), (0.0, 0, 1), (2.0, 2, 1), (1e3, 2, 0), (inf, 2, 0), (nan, nan, 0), min=-1, max=2),
            points((-inf, -1, 0), (-1.0, -1, 1), (1e3, 1e3, 1), (inf, inf, 1), (nan, nan, 0), min=-1),
            points((-inf, -inf, 1), (2.0, 2, 1), (1e3, 2, 0), (inf, 2, 0), (nan, nan, 0), max=2),
            points((-3.0, 1, 0), (1.5, 1, 0), (5.0, 1, 0), min=2, max=1),
            edge([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], value=[1, 1, 2], grads=[[0, 1, 1], [1, 0, 0]]),
            edge([0.0, 1.0, 2.0], None, [1.0, 1.0, 1.0], value=[0, 1, 1], grads=[[1, 1, 0], None, [0, 0, 1]]),
            edge([0.0, 1.0, 5.0, 2.0], [1.0, 1.0, 1.0, 3.0], [3.0, 3.0, 3.0, 1.0], value=[1, 1, 3, 1],
                 grads=[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]]),
        ],
        typed=[Typed((I64, 0, 2), "int64"), Typed((I64, 0.5, 2), "float32"), Typed((I64, 1.5), "float32"), Typed((F32, 1), "float32"),
               Typed((F32, F64), "float64"), Typed((U8, None, 2), "uint8")],
        refused=[Refused(lambda: mg.clamp(mg.ones(2)), ArgumentError, "clamp: at least one of min and max must be given"),
                 Refused(lambda: mg.clamp(mg.ones(2, 3), mg.ones(2)), ShapeError, "clamp_min: shapes do not broadcast")],
    ),
    case(
        "where", mg.where, lambda c, a, b: np.choose(c.astype(int), [b, a]) if c.size else np.zeros(np.broadcast(c, a, b).shape),
        *(sample(mask(*c), normal(*a), normal(*b)) for c, a, b in (
            ((3, 4), (3, 4), (3, 4)), ((3, 4), (4,), (3, 1)), ((4,), (3, 4), ()), ((3, 1), (3, 4), (4,)), ((), (3,), (3,)), ((), (), ()), ((0, 3), (3,), (0, 3)))),
        sample(mask(3, 4), normal(3, 4), 0.0), sample(mask(3, 4), 1, normal(4)),
        edges=[edge(np.array([True, False, True, False]), [nan, 1.0, inf, 1.0], [1.0, nan, 1.0, -inf], value=[nan, nan, inf, -inf],
                    grads=[None, [1, 0, 1, 0], [0, 1, 0, 1]])],
        typed=[Typed((BOOL, I64, I64), "int64"), Typed((BOOL, I64, 0.5), "float32"), Typed((BOOL, F32, 0), "float32"), Typed((BOOL, F32, F64), "float64"),
               Typed((BOOL, I32, 0), "int32"), Typed((BOOL, BOOL, BOOL), "bool"), Typed((BOOL, 1, 0), "int64"), Typed((BOOL, 1.0, 0), "float32")],
        refused=[Refused(lambda: mg.where(mg.ones(2), mg.ones(2), 0.0), (DtypeError, RuntimeError), "where: condition must be a bool tensor, got dtype float32"),
                 Refused(lambda: mg.where(1, mg.ones(2), 0.0), DtypeError, "where: condition must be a bool tensor, got int"),
                 Refused(lambda: mg.where(mg.tensor([True]), mg.ones(2), mg.ones(3)), ShapeError, r"where: shapes do not broadcast: condition \(1,\), a \(2,\), b \(3,\)")],
    ),
    case("Tensor.where", lambda x, c, other: x.where(c, other), lambda x, c, other: np.where(c, x, other), sample(normal(3, 4), mask(3, 4), normal(4)),
         sample(normal(3), mask(3), -1.0), covers=(mg.where,)),
]  # fmt: skip

ROW = np.array([0.5, -1.5, 2.0, 0.25])

OPERATORS = [
    case(f"operator {name}", function, reference, *samples, covers=(covers,))
    for name, function, reference, samples, covers in (
        ("+", lambda a, b: a + b, np.add, (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3)), sample(True, normal(3))), mg.add),
        ("-", lambda a, b: a - b, np.subtract, (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3))), mg.sub),
        ("*", lambda a, b: a * b, np.multiply, (*binary(normal, normal, FEW_PAIRS), sample(normal(3), 2), sample(2.5, normal(3))), mg.mul),
        ("/", lambda a, b: a / b, np.divide, (*binary(normal, positive, FEW_PAIRS), sample(normal(3), 2), sample(2.5, positive(3))), mg.div),
        ("array +", lambda a: ROW + a + ROW, lambda a: a + 2 * ROW, (sample(normal(3, 4)),), mg.add),
        ("array -", lambda a: (ROW - a) - ROW, lambda a: -a, (sample(normal(3, 4)),), mg.sub),
        ("array *", lambda a: ROW * a * ROW, lambda a: a * ROW**2, (sample(normal(3, 4)),), mg.mul),
        ("array /", lambda a: (ROW / a) / ROW, lambda a: 1 / a, (sample(positive(3, 4)),), mg.div),
        ("array **", lambda a: np.abs(ROW) ** a, lambda a: np.exp(a * np.log(np.abs(ROW))), (sample(normal(3, 4)),), arithmetic.pow_tensor),
        ("** array", lambda a: a**ROW, lambda a: np.exp(ROW * np.log(a)), (sample(positive(3, 4)),), arithmetic.pow_tensor),
        ("float64 scalar", lambda a: np.float64(2) * a - np.float64(1), lambda a: a + a - 1, (sample(normal(3, 4)),), mg.mul),
        ("**", lambda a, b: a**b, np.float_power, (*binary(positive, normal, FEW_PAIRS), sample(positive(3), 3), sample(2, normal(3))), arithmetic.pow_tensor),
        ("unary -", lambda a: -a, lambda a: a - 2 * a, unary(normal), mg.neg),
        ("abs()", abs, lambda a: np.sqrt(a * a), unary(away(0.0)), mg.abs),
    )
]  # fmt: skip

MIXED = [
    case("operator comparisons", lambda a, b: ((a < b) == (b > a)) & ((a <= b) == (b >= a)) & ((a == b) != (a != b)), lambda a, b: np.ones(np.broadcast(a, b).shape, bool),
         *binary(integers(-2, 3), integers(-2, 3), FEW_PAIRS), sample(integers(-2, 3)(9), 0), covers=(mg.lt, mg.gt, mg.le, mg.ge, mg.eq, mg.ne), order=0,
         refused=[Refused(lambda: mg.ones(3) < "x", TypeError, "not supported between"), Refused(lambda: mg.ones(3) + None, TypeError, "unsupported operand"),
                  Refused(lambda: mg.ones(3) + [1, 2, 3], TypeError, "unsupported operand"), Refused(lambda: "x" * mg.ones(3), TypeError, "unsupported operand|can't multiply"),
                  Refused(lambda: mg.tensor([1, 2]).requires_grad_(), GraphError, "only floating-point tensors can require gradients, got dtype int64")]),
]  # fmt: skip

CASES: tuple[OpCase, ...] = (*BINARY, *POWERS, *UNARY, *CHOICES, *COMPARISONS, *LOGIC, *OPERATORS, *MIXED)

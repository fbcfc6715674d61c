"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from op_cases import F32, F64, I32, I64, OpCase, Refused, Typed, case, edge, normal, sample

import minigrad as mg
from minigrad.errors import ArgumentError, InputTypeError, ShapeError
from minigrad.nn import functional as F
from minigrad.ops import indexing, shape


def product(a: Any, b: Any) -> Any:
    """A matrix product as sums over an index."""
    rows = a if a.ndim > 1 else a[None]
    columns = b if b.ndim > 1 else b[:, None]
    full = (rows[..., :, :, None] * columns[..., None, :, :]).sum(-2)
    full = full if a.ndim > 1 else full[..., 0, :]
    return full if b.ndim > 1 else full[..., 0]


def affine(x: Any, weight: Any, bias: Any = None) -> Any:
    return (
        np.einsum("...i,...i->...", x[..., None, :], weight) + (0 if bias is None else bias)
        if weight.ndim == 2
        else ((x * weight).sum(-1) + (0 if bias is None else bias))
    )


MATRICES = (
    ((3, 4), (4, 2)),
    ((1, 4), (4, 1)),
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (4, 2)),
    ((2, 3, 4), (2, 4, 2)),
    ((2, 3, 4), (4, 2)),
    ((3, 4), (2, 4, 2)),
    ((2, 1, 3, 2), (3, 2, 2)),
    ((4,), (2, 4, 2)),
    ((2, 3, 4), (4,)),
    ((2, 1, 2, 3), (1, 2, 3, 1)),
    ((0, 4), (4, 2)),
    ((3, 0), (0, 2)),
    ((3, 4), (4, 0)),
    ((0,), (0,)),
)
LAYERS = (
    ((3, 4), (2, 4), (2,)),
    ((4,), (2, 4), (2,)),
    ((2, 3, 4), (5, 4), (5,)),
    ((0, 4), (2, 4), (2,)),
    ((3, 0), (2, 0), (2,)),
    ((3, 4), (4,), ()),
    ((2, 3, 4), (4,), ()),
)

PRODUCTS: tuple[Any, ...] = (
    ("mm", mg.mm, np.matmul, [((3, 4), (4, 2)), ((0, 4), (4, 2)), ((3, 0), (0, 2))], mg.matmul, [
        Refused(lambda: mg.mm(mg.ones(3), mg.ones(3)), (ShapeError, RuntimeError), r"mm: input must have 2 axes, got shape \(3,\)"),
        Refused(lambda: mg.mm(mg.ones(2, 3), mg.ones(2, 3)), RuntimeError, r"mm: input \(2, 3\) and mat2 \(2, 3\) do not fit each other"),
        Refused(lambda: mg.mm(mg.ones(2, 3), 2.0), TypeError, "mm: mat2 must be a Tensor, got float"),
    ]),
    ("bmm", mg.bmm, np.matmul, [((2, 3, 4), (2, 4, 2)), ((0, 3, 4), (0, 4, 2))], mg.matmul, [
        Refused(lambda: mg.bmm(mg.ones(2, 3, 4), mg.ones(1, 4, 5)), RuntimeError, "bmm: input .* and mat2 .* do not fit each other"),
        Refused(lambda: mg.bmm(mg.ones(3, 4), mg.ones(4, 5)), RuntimeError, "bmm: input must have 3 axes"),
    ]),
    ("mv", mg.mv, np.matmul, [((3, 4), (4,)), ((3, 0), (0,))], mg.matmul, [
        Refused(lambda: mg.mv(mg.ones(2, 3), mg.ones(2)), RuntimeError, "mv: input .* and vec .* do not fit each other"),
        Refused(lambda: mg.mv(mg.ones(2, 3), mg.ones(3, 1)), RuntimeError, "mv: vec must have 1 axes"),
    ]),
    ("dot", mg.dot, np.dot, [((4,), (4,)), ((0,), (0,))], mg.matmul, [
        Refused(lambda: mg.dot(mg.ones(2), mg.ones(3)), RuntimeError, "dot: input .* and tensor .* do not fit each other"),
        Refused(lambda: mg.dot(mg.ones(2, 2), mg.ones(2, 2)), RuntimeError, "dot: input must have 1 axes"),
    ]),
    ("vdot", mg.vdot, np.vdot, [((4,), (4,))], mg.matmul, []),
    ("outer", mg.outer, np.outer, [((3,), (2,)), ((0,), (2,))], mg.mul, [
        Refused(lambda: mg.outer(mg.ones(2, 2), mg.ones(3)), RuntimeError, "outer: input must have 1 axes"),
    ]),
    ("inner", mg.inner, np.inner, [((4,), (4,)), ((3, 4), (2, 2, 4)), ((0, 4), (4,))], mg.matmul, [
        Refused(lambda: mg.inner(mg.ones(2, 3), mg.ones(2, 4)), RuntimeError, "inner: the last axes must have one size"),
    ]),
    ("inner[scalar]", mg.inner, np.inner, [((), (2, 3)), ((3,), ())], mg.mul, []),
    ("trace", mg.trace, np.trace, [((3, 3),), ((2, 4),), ((4, 2),), ((0, 2),)], mg.sum, [
        Refused(lambda: mg.trace(mg.ones(3)), (ShapeError, RuntimeError), r"trace: input must have 2 axes, got shape \(3,\)"),
    ]),
)  # fmt: skip
BOTH = (mg.matmul,)
EQUATIONS: tuple[Any, ...] = (
    ("ij,jk", [(2, 3), (3, 4)], BOTH), ("ij,jk->ki", [(2, 3), (3, 4)], BOTH), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)], BOTH),
    ("...ij,...jk", [(2, 2, 3), (3, 4)], BOTH), ("i...,i...->...", [(3, 2), (3, 2)], BOTH), ("ij,jk,kl", [(2, 3), (3, 2), (2, 4)], BOTH),
    ("bi,oij,bj->bo", [(2, 3), (2, 3, 4), (2, 4)], BOTH), ("ij,kj,lj->ikl", [(2, 3), (4, 3), (2, 3)], BOTH), ("i,i", [(3,), (3,)], BOTH),
    ("ii", [(3, 3)], (mg.sum,)), ("ii->i", [(3, 3)], (indexing.getitem,)), ("iji->j", [(2, 3, 2)], (mg.sum,)), ("iii", [(2, 2, 2)], (mg.sum,)),
    ("...ii->...i", [(2, 3, 3)], ()), ("bA", [(2, 3)], ()), ("...i->...", [(2, 3)], (mg.sum,)), ("ij->", [(2, 3)], (mg.sum,)),
    ("i,j->ij", [(2,), (3,)], (mg.mul,)), ("...,...", [(2, 3), (3,)], (mg.mul,)), (",", [(), ()], (mg.mul,)),
    ("ij,k->ik", [(2, 3), (4,)], (mg.mul, mg.sum)), ("i j , j k -> k i", [(2, 3), (3, 4)], BOTH), ("ij,j", [(0, 3), (3,)], BOTH),
)  # fmt: skip

CASES: tuple[OpCase, ...] = (
    case(
        "matmul",
        mg.matmul,
        product,
        *(sample(normal(*a), normal(*b)) for a, b in MATRICES),
        close=True,
        edges=[
            edge(
                [[1.0, np.inf], [0.0, np.nan]],
                [[1.0, 0.0], [0.0, 2.0]],
                value=[[np.nan, np.inf], [np.nan, np.nan]],
                grads=[[[1, 2], [1, 2]], None],
            )
        ],
        typed=[Typed((I64, I64), "int64"), Typed((I32, I64), "int64"), Typed((F32, F64), "float64"), Typed((F32, F32), "float32")],
        refused=[
            Refused(
                lambda: mg.ones(2, 3) @ mg.ones(4, 5),
                (ShapeError, RuntimeError),
                r"matmul: a has 3 columns but b has 4 rows \(a \(2, 3\), b \(4, 5\)\)",
            ),
            Refused(lambda: mg.ones(3) @ mg.ones(4), ShapeError, "matmul: a has 3 elements but b has 4 elements"),
            Refused(lambda: mg.ones(2, 3) @ mg.ones(4), ShapeError, "matmul: a has 3 columns but b has 4 elements"),
            Refused(
                lambda: mg.tensor(1.0) @ mg.ones(4),
                ShapeError,
                r"matmul: needs at least one axis on both sides, got a \(\), b \(4,\)",
            ),
            Refused(lambda: mg.ones(2, 3, 4) @ mg.ones(3, 4, 5), ShapeError, "matmul: the leading axes do not broadcast"),
            Refused(
                lambda: mg.ones(2, 3) @ 2.0,
                (InputTypeError, TypeError),
                "matmul: b must be a Tensor, got float|unsupported operand",
            ),
        ],
    ),
    case(
        "operator @",
        lambda a, b: a @ b,
        product,
        sample(normal(3, 4), normal(4, 2)),
        sample(normal(4), normal(4)),
        covers=(mg.matmul,),
        close=True,
    ),
    case(
        "array @",
        lambda a: np.eye(3)[:2] @ a @ np.arange(8.0).reshape(4, 2),
        lambda a: product(a[:2], np.arange(8.0).reshape(4, 2)),
        sample(normal(3, 4)),
        covers=(mg.matmul,),
        close=True,
    ),
    case(
        "linear",
        F.linear,
        affine,
        *(sample(normal(*x), normal(*w), normal(*b)) for x, w, b in LAYERS),
        *(sample(normal(*x), normal(*w)) for x, w, _ in LAYERS),
        sample(normal(3, 4), normal(2, 4), bias=None),
        close=True,
        typed=[Typed((F32, F32[None]), "float32"), Typed((F32, F64[None]), "float64"), Typed((F64, F64[None], F64[:1]), "float64")],
        refused=[
            Refused(
                lambda: F.linear(mg.ones(2, 3), mg.ones(5, 4)),
                (ShapeError, RuntimeError),
                r"linear: x has 3 features but weight takes 4 \(x \(2, 3\), weight \(5, 4\)\)",
            ),
            Refused(
                lambda: F.linear(mg.ones(2, 4), mg.ones(5, 4), mg.ones(4)),
                ShapeError,
                r"linear: bias must have shape \(5,\) to go with weight \(5, 4\), got \(4,\)",
            ),
            Refused(lambda: F.linear(mg.tensor(1.0), mg.ones(5, 1)), ShapeError, "linear: weight must have shape"),
            Refused(lambda: F.linear(mg.ones(2, 4)), TypeError, "linear: argument 'weight' is missing"),
            Refused(lambda: F.linear(mg.ones(2, 4), 1.0), TypeError, "linear: weight must be a Tensor, got float"),
        ],
    ),
    *(
        case(
            name,
            function,
            reference,
            *(sample(*(normal(*shape) for shape in shapes)) for shapes in samples),
            covers=(cover,),
            close=True,
            refused=refused,
        )
        for name, function, reference, samples, cover, refused in PRODUCTS
    ),
    *(
        case(
            name,
            function,
            lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
            sample(normal(2, 4), normal(*a), normal(*b)),
            sample(normal(4), normal(*a), normal(*b), beta=0.5, alpha=2.0),
            sample(normal(), normal(*a), normal(*b), alpha=-1.5),
            covers=(mg.matmul, mg.add),
            close=True,
            typed=[Typed((I64[:1], I64[a_new], I64[b_new]), "int64", {"beta": 2, "alpha": 3})],
            refused=[
                Refused(
                    lambda f=function, a=a, b=b: f(mg.ones(3), mg.ones(*a), mg.ones(*b)),
                    ShapeError,
                    r"input \(3,\) does not broadcast",
                ),
                Refused(lambda f=function, a=a, b=b: f(1.0, mg.ones(*a), mg.ones(*b)), InputTypeError, "input must be a Tensor"),
                Refused(
                    lambda f=function, a=a, b=b: f(mg.ones(1), mg.ones(*a), mg.ones(*b), beta="x"),
                    TypeError,
                    "beta must be a number",
                ),
            ],
        )
        for name, function, a, b, a_new, b_new in (
            ("addmm", mg.addmm, (2, 3), (3, 4), (slice(None), None), (None, slice(None))),
            ("baddbmm", mg.baddbmm, (2, 2, 3), (2, 3, 4), (None, slice(None), None), (None, None, slice(None))),
        )
    ),
    case(
        "addmm[beta 0]",
        lambda x, a, b: mg.addmm(x, a, b, beta=0, alpha=0.5),
        lambda x, a, b: a @ b / 2,
        sample(normal(2, 4), normal(2, 3), normal(3, 4)),
        covers=(mg.matmul, mg.mul),
        fixed=(0,),
        close=True,
        edges=[edge([[np.nan]], [[1.0]], [[2.0]], value=[[1]], grads=[None, [[1]], [[0.5]]])],
    ),
    case(
        "bilinear",
        F.bilinear,
        lambda a, b, w, bias=0: np.einsum("...i,kij,...j->...k", a, w, b) + bias,
        *(sample(normal(*n, 4), normal(*n, 3), normal(2, 4, 3), normal(2)) for n in ((5,), (2, 3), (), (0,))),
        sample(normal(5, 4), normal(5, 3), normal(2, 4, 3)),
        covers=(F.linear, mg.matmul),
        close=True,
        refused=[
            Refused(
                lambda: F.bilinear(mg.ones(2, 3), mg.ones(2, 3), mg.ones(1, 3, 4)),
                (ShapeError, RuntimeError),
                r"bilinear: input1 \(2, 3\) and input2 \(2, 3\) do not go with weight \(1, 3, 4\)",
            ),
            Refused(
                lambda: F.bilinear(mg.ones(2, 3), mg.ones(2, 4), mg.ones(1, 3, 4), mg.ones(2)),
                ShapeError,
                "bilinear: bias must have",
            ),
            Refused(
                lambda: F.bilinear(mg.ones(2, 3), mg.ones(2, 4), mg.ones(3, 4)), ShapeError, "bilinear: weight must have 3 axes"
            ),
        ],
    ),
    *(
        case(
            f"einsum[{equation}]",
            lambda *operands, equation=equation: mg.einsum(equation, *operands),
            lambda *operands, equation=equation: np.einsum(equation, *operands),
            sample(*(normal(*shape) for shape in shapes)),
            covers=covers or (shape.permute_to,),
            close=True,
        )
        for equation, shapes, covers in EQUATIONS
    ),
    case(
        "einsum[lists]",
        mg.einsum,
        np.einsum,
        sample(normal(3, 4), [0, 1], normal(4, 2), [1, 30]),
        sample(normal(3, 4), [0, 1], normal(4, 2), [1, 2], [2, 0]),
        sample(normal(2, 3), [..., 7], normal(3), [7], [...]),
        covers=(mg.matmul,),
        close=True,
    ),
    case(
        "einsum",
        lambda a, b: mg.einsum("ij,ij->i", [a, b]),
        lambda a, b: (a * b).sum(1),
        sample(normal(2, 1), normal(2, 3)),
        sample(normal(2, 0), normal(2, 0)),
        sample(normal(1, 3), normal(2, 3)),
        covers=(mg.matmul,),
        close=True,
        typed=[Typed((I64[None], I64[None]), "int64")],
        refused=[
            Refused(lambda: mg.einsum("ij,jk", mg.ones(2, 3)), (ArgumentError, RuntimeError), "names 2 operands, but 1 were given"),
            Refused(lambda: mg.einsum("ij"), ValueError, "names 1 operands, but 0 were given"),
            Refused(
                lambda: mg.einsum("ij->k", mg.ones(2, 3)), RuntimeError, "einsum: 'k' in 'ij->k' must name indices of the operands"
            ),
            Refused(lambda: mg.einsum("ij->ii", mg.ones(2, 3)), ArgumentError, "each once"),
            Refused(
                lambda: mg.einsum("i", mg.ones(2, 3)),
                (ShapeError, RuntimeError),
                r"'i' in 'i' does not fit operand 0 of shape \(2, 3\)",
            ),
            Refused(lambda: mg.einsum("ijk...", mg.ones(2, 3)), ShapeError, "does not fit operand 0"),
            Refused(lambda: mg.einsum("i1", mg.ones(2, 3)), ArgumentError, "must be made of letters"),
            Refused(lambda: mg.einsum("......", mg.ones(2)), ArgumentError, "at most one '...'"),
            Refused(
                lambda: mg.einsum("ij,ij", mg.ones(2, 3), mg.ones(3, 3)), ShapeError, r"index i of 'ij,ij' has the sizes 2 and 3"
            ),
            Refused(
                lambda: mg.einsum("ii", mg.ones(2, 3)),
                RuntimeError,
                r"index i of \'ii\' occurs twice in one operand of shape \(2, 3\)",
            ),
            Refused(lambda: mg.einsum("ij,", mg.ones(2, 3), 2.0), TypeError, "einsum: operand 1 must be a Tensor, got float"),
            Refused(lambda: mg.einsum(1, mg.ones(2, 3)), TypeError, "einsum: equation must be a str, got int"),
            Refused(lambda: mg.einsum(mg.ones(2, 3), "ij"), TypeError, "einsum: expected a list of indices behind each operand"),
            Refused(lambda: mg.einsum(mg.ones(2), [52]), (ArgumentError, ValueError), r"a list must be in \[0, 51\] or '...', got"),
        ],
    ),
)

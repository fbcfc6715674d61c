"""Bad input: each error is the built-in class it stands for, and its message says what came and what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors, nn, optim
from minigrad.errors import (
    AnomalyError,
    ArgumentError,
    CompileError,
    DimError,
    DomainError,
    DtypeError,
    GraphError,
    IndexRangeError,
    InputTypeError,
    MinigradError,
    MissingExtraError,
    RegistrationError,
    RuleError,
    ShapeError,
    StateDictError,
)
from minigrad.nn import functional as F

# ---- the family

BUILT_IN: dict[type[Exception], tuple[type[Exception], ...]] = {
    MinigradError: (Exception,),
    ShapeError: (RuntimeError, ValueError),
    DtypeError: (TypeError, RuntimeError),
    InputTypeError: (TypeError,),
    DimError: (IndexError,),
    IndexRangeError: (IndexError, RuntimeError),
    ArgumentError: (ValueError,),
    DomainError: (RuntimeError, ValueError),
    GraphError: (RuntimeError,),
    AnomalyError: (GraphError, RuntimeError),
    CompileError: (RuntimeError,),
    RuleError: (TypeError,),
    StateDictError: (RuntimeError,),
    MissingExtraError: (ImportError,),
    RegistrationError: (ValueError, KeyError, AttributeError),
}


def test_every_exception_has_its_place_here():
    declared = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert set(BUILT_IN) == declared
    assert errors.__all__ == sorted(error.__name__ for error in declared)


@pytest.mark.parametrize("error", BUILT_IN, ids=lambda error: error.__name__)
def test_an_error_is_also_what_pytorch_raises(error):
    assert error.__doc__
    assert issubclass(error, MinigradError)
    for built_in in BUILT_IN[error]:
        with pytest.raises(built_in, match=r"^why$"):
            raise error("why")


# ---- bad input


def leaf(*shape: int) -> mg.Tensor:
    return mg.ones(*shape, requires_grad=True)


def changed_after_use(change: Callable[[mg.Tensor], Any]) -> None:
    x = leaf(3) * 2
    y = (x * x).sum()
    with mg.no_grad():
        change(x)
    y.backward()


def again() -> None:
    y = (leaf(3) * leaf(3)).sum()
    y.backward()
    y.backward()


def add_in_place() -> None:
    x = leaf(3)
    x += 1


def write_in_place() -> None:
    x = leaf(3)
    x[0] = 1.0


def in_anomaly_mode(run: Callable[[], Any]) -> None:
    with mg.detect_anomaly():
        run()


TWO_BY_THREE = mg.ones(2, 3)
HALVES = mg.full((2, 3), 0.5)
TARGET = mg.tensor([0, 2])

Case = tuple[Callable[[], Any], type[Exception], str]
KINDS: dict[str, Case] = {
    "number": (lambda: F.leaky_relu(HALVES, "a"), InputTypeError, "leaky_relu: negative_slope must be a number, got 'a'"),
    "number baked in": (lambda: F.softplus(HALVES, beta="b"), InputTypeError, "softplus: beta must be a number, got 'b'"),
    "number, none given": (
        lambda: F.huber_loss(HALVES, HALVES, delta=None),
        InputTypeError,
        "huber_loss: delta must be a number, got None",
    ),
    "number of a loss": (
        lambda: F.cross_entropy(TWO_BY_THREE, TARGET, label_smoothing="a"),
        InputTypeError,
        "cross_entropy: label_smoothing must be a number, got 'a'",
    ),
    "int": (
        lambda: F.cross_entropy(TWO_BY_THREE, TARGET, ignore_index=1.5),
        InputTypeError,
        "cross_entropy: ignore_index must be an int, got 1.5",
    ),
    "flag": (lambda: HALVES.sum(0, "yes"), InputTypeError, "sum: keepdim must be True or False, got 'yes'"),
    "correction": (lambda: HALVES.var(correction="a"), InputTypeError, "var: correction must be a number, got 'a'"),
    "dropout": (lambda: F.dropout(HALVES, "a"), InputTypeError, "dropout: p must be a number, got 'a'"),
    "Dropout": (lambda: nn.Dropout("a"), InputTypeError, "Dropout: p must be a number, got 'a'"),
    "arange": (lambda: mg.arange("a"), InputTypeError, "arange: end must be a number, got 'a'"),
    "linspace": (lambda: mg.linspace(0, 1, 2.5), InputTypeError, "size: expected ints, got (2.5,)"),
    "randint": (lambda: mg.randint(0.5, 3, (2,)), InputTypeError, "randint: low and high must be ints, got 0.5 and 3"),
    "normal_": (lambda: nn.init.normal_(mg.zeros(2), "a"), InputTypeError, "normal_: mean must be a number, got 'a'"),
    "negative size": (lambda: mg.zeros(2, -1), ShapeError, "size: expected sizes of at least 0, got (2, -1)"),
    "negative size, random": (lambda: mg.randn(-2), ShapeError, "size: expected sizes of at least 0, got (-2,)"),
    "negative size, eye": (lambda: mg.eye(-1), ShapeError, "size: expected sizes of at least 0, got (-1, -1)"),
    "default dtype": (lambda: mg.set_default_dtype("abc"), DtypeError, "set_default_dtype: 'abc' is no dtype"),
    "module dtype": (lambda: nn.Linear(1, 1).to("abc"), DtypeError, "Module.to: 'abc' is no dtype"),
    "module state": (
        lambda: nn.Linear(1, 1).load_state_dict([1]),
        InputTypeError,
        "Linear.load_state_dict: expected a dictionary, got list",
    ),
    "optimizer state": (
        lambda: optim.SGD([leaf(1)], lr=0.1).load_state_dict({}),
        StateDictError,
        "SGD.load_state_dict: expected a dictionary with 'state' and 'param_groups'",
    ),
    "betas": (lambda: optim.Adam([leaf(1)], betas=("a", 0.9)), ArgumentError, "Adam: betas must be two numbers in [0, 1)"),
    "softplus": (lambda: F.softplus(HALVES, beta=0), ArgumentError, "softplus: beta must not be 0"),
}
SHAPES: dict[str, Case] = {
    "matmul": (lambda: mg.ones(2, 3) @ mg.ones(4, 5), ShapeError, "matmul: a has 3 columns but b has 4 rows (a (2, 3), b (4, 5))"),
    "matmul of vectors": (
        lambda: mg.ones(3) @ mg.ones(4),
        ShapeError,
        "matmul: a has 3 elements but b has 4 elements (a (3,), b (4,))",
    ),
    "matmul of a vector": (lambda: mg.ones(3) @ mg.ones(4, 2), ShapeError, "matmul: a has 3 elements but b has 4 rows"),
    "matmul of a scalar": (
        lambda: mg.matmul(mg.tensor(2.0), mg.ones(4)),
        ShapeError,
        "matmul: needs at least one axis on both sides, got a (), b (4,); use * for a scalar",
    ),
    "matmul of stacks": (
        lambda: mg.ones(2, 3, 4) @ mg.ones(3, 4, 2),
        ShapeError,
        "matmul: the leading axes do not broadcast (a (2, 3, 4), b (3, 4, 2))",
    ),
    "broadcasting": (
        lambda: mg.ones(2, 3) + mg.ones(4),
        ShapeError,
        "add: shapes do not broadcast: a (2, 3), b (4,); counted from the right, sizes must be equal or 1",
    ),
    "broadcasting three": (
        lambda: mg.where(mg.ones(2, 1) > 0, mg.ones(3), mg.ones(4)),
        ShapeError,
        "where: shapes do not broadcast: condition (2, 1)",
    ),
    "Linear": (
        lambda: nn.Linear(3, 2)(mg.ones(5, 4)),
        ShapeError,
        "linear: x has 4 features but weight takes 3 (x (5, 4), weight (2, 3))",
    ),
    "linear bias": (
        lambda: F.linear(mg.ones(5, 3), mg.ones(2, 3), mg.ones(3)),
        ShapeError,
        "linear: bias must have shape (2,) to go with weight (2, 3), got (3,)",
    ),
    "a loss": (
        lambda: F.mse_loss(mg.ones(3, 1), mg.ones(3)),
        ShapeError,
        "mse_loss: input and target must have the same shape, got input (3, 1), target (3,)",
    ),
    "a loss module": (
        lambda: nn.L1Loss()(mg.ones(3), mg.ones(4)),
        ShapeError,
        "l1_loss: input and target must have the same shape",
    ),
    "Huber loss": (
        lambda: F.huber_loss(mg.ones(3), mg.ones(1)),
        ShapeError,
        "huber_loss: input and target must have the same shape",
    ),
    "binary cross-entropy": (
        lambda: F.binary_cross_entropy(HALVES, mg.ones(2, 1)),
        ShapeError,
        "binary_cross_entropy: input and target must have the same shape, got input (2, 3), target (2, 1)",
    ),
    "weights of binary cross-entropy": (
        lambda: F.binary_cross_entropy_with_logits(HALVES, HALVES, pos_weight=mg.ones(2)),
        ShapeError,
        "binary_cross_entropy_with_logits: pos_weight of shape (2,) does not broadcast to the input's shape (2, 3)",
    ),
    "class indices": (
        lambda: F.cross_entropy(TWO_BY_THREE, mg.tensor([0, 1, 2])),
        ShapeError,
        "cross_entropy: class indices for input (2, 3) must have shape (2,) (without the class axis), got target (3,)",
    ),
    "class weights": (
        lambda: F.cross_entropy(TWO_BY_THREE, TARGET, mg.ones(2)),
        ShapeError,
        "cross_entropy: weight must have one entry a class, shape (3,), got (2,)",
    ),
    "scores of no class": (
        lambda: F.nll_loss(mg.tensor(1.0), mg.tensor(0)),
        ShapeError,
        "nll_loss: input must have a class axis, (classes) or (batch, classes, …), got a 0-d tensor",
    ),
    "a ragged list": (lambda: mg.tensor([[1, 2], [3]]), ShapeError, "tensor: nested lists must be of equal lengths at each depth"),
}

CLASSES: dict[str, Case] = {
    "a class too high": (
        lambda: F.cross_entropy(TWO_BY_THREE, mg.tensor([0, 3])),
        IndexRangeError,
        "cross_entropy: target[1] is 3, but there are 3 classes, numbered 0 to 2",
    ),
    "a negative class": (
        lambda: F.cross_entropy(TWO_BY_THREE, mg.tensor([-1, 0])),
        IndexRangeError,
        "cross_entropy: target[0] is -1, but there are 3 classes, numbered 0 to 2",
    ),
    "a class in an image": (
        lambda: F.cross_entropy(mg.ones(1, 2, 2, 2), mg.tensor([[[0, 1], [5, 0]]])),
        IndexRangeError,
        "cross_entropy: target[0, 1, 0] is 5, but there are 2 classes, numbered 0 to 1",
    ),
    "one class": (
        lambda: F.cross_entropy(mg.ones(3), mg.tensor(7)),
        IndexRangeError,
        "cross_entropy: target is 7, but there are 3",
    ),
    "nll_loss": (lambda: F.nll_loss(TWO_BY_THREE, mg.tensor([0, 9])), IndexRangeError, "nll_loss: target[1] is 9, but there are 3"),
    "classes of float dtype": (
        lambda: F.cross_entropy(TWO_BY_THREE, mg.tensor([0.0, 1.0])),
        DtypeError,
        "an integer dtype and shape (2,) or probabilities of shape (2, 3), got dtype float32, shape (2,)",
    ),
    "float classes in nll_loss": (
        lambda: F.nll_loss(TWO_BY_THREE, TWO_BY_THREE),
        DtypeError,
        "nll_loss: target must hold class indices of an integer dtype and shape (2,), got dtype float32, shape (2, 3)",
    ),
    "integer scores": (
        lambda: F.cross_entropy(mg.tensor([[1, 2]]), mg.tensor([0])),
        DtypeError,
        "cross_entropy: input must be floating-point scores, got dtype int64",
    ),
    "a row that is not there": (lambda: mg.ones(3)[5], IndexRangeError, "getitem: index 5 is out of bounds for axis 0 with size 3"),
    "smoothing": (
        lambda: F.cross_entropy(TWO_BY_THREE, TARGET, label_smoothing=1.5),
        ArgumentError,
        "cross_entropy: label_smoothing must be in [0, 1], got 1.5",
    ),
    "a probability above 1": (
        lambda: F.binary_cross_entropy(HALVES * 4, HALVES),
        DomainError,
        "input must hold probabilities in [0, 1]; 6 of 6 values do not; for logits there is binary_cross_entropy_with_logits",
    ),
    "a negative target": (
        lambda: F.binary_cross_entropy(mg.tensor([0.5, 0.5]), mg.tensor([-0.1, 1.0])),
        DomainError,
        "binary_cross_entropy: target must hold probabilities in [0, 1]; 1 of 2 values do not",
    ),
    "a NaN target": (
        lambda: nn.BCEWithLogitsLoss()(mg.tensor([5.0]), mg.tensor([float("nan")])),
        DomainError,
        "binary_cross_entropy_with_logits: target must hold probabilities in [0, 1]; 1 of 1 values do not",
    ),
    "an integer target": (
        lambda: F.binary_cross_entropy_with_logits(mg.ones(2), mg.tensor([1, 2])),
        DomainError,
        "target must hold probabilities in [0, 1]; 1 of 2 values do not",
    ),
}

GRAPH: dict[str, Case] = {
    "integers that require grad": (
        lambda: mg.tensor([1, 2], requires_grad=True),
        GraphError,
        "requires_grad: only floating-point tensors can require gradients, got dtype int64",
    ),
    "booleans asked later": (
        lambda: mg.tensor([True]).requires_grad_(),
        GraphError,
        "requires_grad: only floating-point tensors can require gradients, got dtype bool",
    ),
    "an integer parameter": (lambda: nn.Parameter(mg.tensor([1])), GraphError, "only floating-point tensors can require gradients"),
    "backward on three numbers": (
        lambda: (leaf(3) * 2).backward(),
        GraphError,
        "backward: a gradient can be left out only for a tensor with one element; this one has shape (3,): reduce it (.sum(), .mean())",
    ),
    "a gradient of another shape": (
        lambda: (leaf(3) * 2).backward(mg.ones(2)),
        ShapeError,
        "backward: gradient has shape (2,) but the tensor has shape (3,)",
    ),
    "backward without a graph": (
        lambda: mg.ones(1).backward(),
        GraphError,
        "backward: the tensor does not require grad and has no graph behind it",
    ),
    "backward twice": (
        again,
        GraphError,
        "backward: the graph was freed by an earlier backward pass (at mul); pass retain_graph=True to the first one",
    ),
    "a saved value changed in place": (
        lambda: changed_after_use(lambda x: x.add_(1)),
        GraphError,
        "it was in the forward pass, but it was changed in place afterwards; clone() it before the change",
    ),
    "a saved value overwritten": (
        lambda: changed_after_use(lambda x: x.zero_()),
        GraphError,
        "backward: mul needs a or b as it was",
    ),
    "+= on a leaf": (
        add_in_place,
        GraphError,
        "add_: a leaf that requires grad cannot be changed in place; do it under no_grad()",
    ),
    "a method in place on a leaf": (
        lambda: leaf(3).mul_(2),
        GraphError,
        "mul_: a leaf that requires grad cannot be changed in place",
    ),
    "an element of a leaf": (write_in_place, GraphError, "setitem: a leaf that requires grad cannot be changed in place"),
    "numpy() of what requires grad": (
        lambda: leaf(3).numpy(),
        GraphError,
        "numpy: this tensor requires grad; use tensor.detach().numpy()",
    ),
    "asarray of what requires grad": (lambda: np.asarray(leaf(3)), GraphError, "numpy: this tensor requires grad"),
    "NaN in anomaly mode": (
        lambda: in_anomaly_mode(lambda: mg.log(mg.tensor([-1.0]))),
        AnomalyError,
        "anomaly: the forward pass of log made NaN (shape (1,); its inputs were finite), called at ",
    ),
    "Inf in anomaly mode, backward": (
        lambda: in_anomaly_mode(lambda: mg.sqrt(leaf(1) * 0.0).backward()),
        AnomalyError,
        "anomaly: the backward pass of sqrt made Inf in the gradient of x; the operation was called at ",
    ),
}

SETTINGS: dict[str, Case] = {
    "an axis of a vector": (
        lambda: mg.softmax(mg.ones(3), dim=1),
        DimError,
        "softmax: dim 1 is out of range: the tensor has one axis, so dim must be in [-1, 0]",
    ),
    "a negative axis": (
        lambda: mg.log_softmax(mg.ones(2, 3), dim=-3),
        DimError,
        "log_softmax: dim -3 is out of range: the tensor has 2 axes, so dim must be in [-2, 1]",
    ),
    "an axis to sum": (lambda: mg.ones(2, 3).sum(2), DimError, "sum: dim 2 is out of range: the tensor has 2 axes"),
    "softmax of integers": (
        lambda: mg.softmax(mg.tensor([1]), 0),
        DtypeError,
        "softmax: expected a floating-point tensor, got dtype int64",
    ),
    "a reduction": (
        lambda: F.mse_loss(HALVES, HALVES, reduction="avg"),
        ArgumentError,
        "mse_loss: reduction must be one of 'none', 'mean', 'sum', got 'avg'",
    ),
    "a reduction of cross-entropy": (
        lambda: F.cross_entropy(TWO_BY_THREE, TARGET, reduction="batchmean"),
        ArgumentError,
        "cross_entropy: reduction must be one of 'none', 'mean', 'sum', got 'batchmean'",
    ),
    "no reduction": (lambda: F.l1_loss(HALVES, HALVES, reduction=None), ArgumentError, "l1_loss: reduction must be one of"),
    "a reduction of a module": (lambda: nn.NLLLoss(reduction="avg"), ArgumentError, "NLLLoss: reduction must be one of 'none'"),
    "delta": (lambda: F.huber_loss(HALVES, HALVES, delta=0), ArgumentError, "huber_loss: delta must be positive, got 0"),
    "dropout": (lambda: F.dropout(HALVES, 1.5), ArgumentError, "dropout: p must be a probability in [0, 1], got 1.5"),
    "an unknown argument": (
        lambda: mg.softmax(mg.ones(3), 0, foo=1),
        InputTypeError,
        "softmax: unexpected argument 'foo' (softmax(x, dim=None, dtype=None, *, temperature=1.0)",
    ),
    "a missing argument": (lambda: mg.logsumexp(mg.ones(3)), InputTypeError, "logsumexp: argument 'dim' is missing"),
    "a list": (
        lambda: F.relu([1.0]),
        InputTypeError,
        "relu: x must be a Tensor or a number, got list; make it one with mg.tensor(...)",
    ),
    "a number alone": (lambda: F.relu(1.0), InputTypeError, "relu: needs a Tensor, got float; make one with mg.tensor(...)"),
    "a float condition": (
        lambda: mg.where(HALVES, HALVES, HALVES),
        DtypeError,
        "where: condition must be a bool tensor, got dtype float32",
    ),
    "the truth of two": (lambda: bool(mg.ones(2)), ShapeError, "bool: the truth value of a tensor with shape (2,) is ambiguous"),
    "the item of two": (lambda: mg.ones(2).item(), ShapeError, "item: only a tensor with one element can become a Python number"),
    "no parameters": (lambda: optim.Adam([]), ArgumentError, "Adam: the parameter list is empty"),
    "a negative learning rate": (lambda: optim.SGD([leaf(1)], lr=-0.5), ArgumentError, "SGD: lr must be at least 0, got -0.5"),
    "a state_dict": (
        lambda: nn.Linear(2, 2).load_state_dict({"weight": mg.ones(1), "foo": 1}),
        StateDictError,
        "Linear.load_state_dict: missing keys: bias; unexpected keys: foo; weight: expected shape (2, 2), got (1,)",
    ),
}

DATA: dict[str, Case] = {
    "objects": (
        lambda: mg.tensor(np.array([1, None])),
        DtypeError,
        "tensor: expected numbers or booleans, got an array of dtype object",
    ),
    "None": (lambda: mg.tensor(None), DtypeError, "tensor: expected numbers or booleans, got an array of dtype object"),
    "a text": (lambda: mg.tensor("abc"), DtypeError, "tensor: expected numbers or booleans, got an array of dtype <U3"),
    "texts": (lambda: mg.tensor(["1", "2"]), DtypeError, "tensor: expected numbers or booleans, got an array of dtype <U1"),
    "complex numbers": (
        lambda: mg.tensor(1j),
        DtypeError,
        "tensor: expected numbers or booleans, got an array of dtype complex128",
    ),
    "dates": (
        lambda: mg.as_tensor(np.zeros(1, "M8[D]")),
        DtypeError,
        "as_tensor: expected numbers or booleans, got an array of dtype",
    ),
    "an object array shared": (
        lambda: mg.from_numpy(np.array([{}])),
        DtypeError,
        "from_numpy: expected numbers or booleans, got an array of dtype object",
    ),
    "a list shared": (lambda: mg.from_numpy([1]), InputTypeError, "from_numpy: expected an ndarray, got list"),
    "object dtype": (
        lambda: mg.tensor([1.0], dtype=object),
        DtypeError,
        "tensor: dtype object is not supported; expected floats, integers or bool",
    ),
    "module device": (
        lambda: nn.Linear(1, 1).to("cuda:0"),
        DtypeError,
        "Module.to: 'cuda:0' is no dtype, and the only device is the CPU",
    ),
    "no dtype": (lambda: mg.zeros(2, dtype="real"), DtypeError, "zeros: 'real' is no dtype"),
}

CASES = KINDS | SHAPES | CLASSES | GRAPH | SETTINGS | DATA


@pytest.mark.parametrize(("run", "error", "message"), CASES.values(), ids=CASES)
def test_bad_input(run, error, message):
    with pytest.raises(error, match="^.*" + re.escape(message)) as caught:
        run()
    assert error is type(caught.value)


def test_anomaly_mode_names_the_line_that_called_the_operation():
    with mg.detect_anomaly():
        x = leaf(1) * 0.0
        with pytest.raises(AnomalyError) as forward:
            mg.log(x - 1)
        y = mg.sqrt(x)
        with pytest.raises(AnomalyError) as backward:
            y.backward()
    lines = {line.strip(): number for number, line in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1)}
    assert str(forward.value).endswith(f"called at {__file__}:{lines['mg.log(x - 1)']}")
    assert str(backward.value).endswith(f"called at {__file__}:{lines['y = mg.sqrt(x)']}")


def test_after_an_error_the_next_call_works():
    """What a refused signature leaves behind (plans, modes) is nothing."""
    for _ in range(2):
        for run in (CASES["matmul"][0], CASES["a class too high"][0], CASES["an axis of a vector"][0], CASES["backward twice"][0]):
            with pytest.raises(MinigradError):
                run()
    assert mg.is_grad_enabled()
    assert [[3.0, 3.0]] == (mg.ones(1, 3) @ mg.ones(3, 2)).tolist()
    assert np.log(3) == pytest.approx(F.cross_entropy(TWO_BY_THREE, TARGET).item(), rel=1e-6)


def test_a_refused_in_place_write_changes_nothing():
    x = leaf(3)
    with pytest.raises(GraphError):
        x.mul_(5)
    assert [1.0, 1.0, 1.0] == x.tolist()
    with mg.no_grad():
        x.mul_(5)
    assert [5.0, 5.0, 5.0] == x.tolist()

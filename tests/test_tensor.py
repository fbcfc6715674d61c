"""The Tensor: made from data, read back, printed, copied, compared; and what is refused on the way."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DomainError, DtypeError, GraphError, InputTypeError, ShapeError

F32, F64, I64 = np.float32, np.float64, np.int64


@pytest.fixture
def default_float64() -> Iterator[None]:
    mg.set_default_dtype(mg.float64)
    try:
        yield
    finally:
        mg.set_default_dtype(mg.float32)


# ---- creation


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        (1.5, F32, 1.5),
        (3, I64, 3),
        (True, np.bool_, True),
        ([1, 2], I64, [1, 2]),
        ([1, 2.5], F32, [1.0, 2.5]),
        ([True, False], np.bool_, [True, False]),
        ([True, 2], I64, [1, 2]),
        ((1.0, 2.0), F32, [1.0, 2.0]),
        ([[1, 2], (3, 4)], I64, [[1, 2], [3, 4]]),
        (range(3), I64, [0, 1, 2]),
        ([], F32, []),
        ([[], []], F32, [[], []]),
        (np.float64(1.5), F64, 1.5),
        (np.float16([1.5]), np.float16, [1.5]),
        (np.int32([1, 2]), np.int32, [1, 2]),
        (np.uint8([255]), np.uint8, [255]),
        (np.arange(3.0), F64, [0.0, 1.0, 2.0]),
        (np.arange(3.0, dtype=">f4"), F32, [0.0, 1.0, 2.0]),
        ([np.float64(1.5)], F64, [1.5]),
        ([np.float32(1.5), 2.0], F32, [1.5, 2.0]),
        ([np.zeros(2), np.ones(2)], F64, [[0.0, 0.0], [1.0, 1.0]]),
        ([np.int32(1), np.int32(2)], np.int32, [1, 2]),
    ],
)
def test_tensor_takes_values_and_dtype_of_its_data(data: Any, dtype: Any, expected: Any) -> None:
    x = mg.tensor(data)
    assert (dtype, expected) == (x.dtype, x.tolist())
    assert x.dtype.isnative
    assert x.is_leaf
    assert not x.requires_grad


def test_tensor_takes_tensors_alone_and_in_lists() -> None:
    a, b = mg.tensor([1.0, 2.0], dtype=F64), mg.tensor([3.0, 4.0], dtype=F64)
    assert (F64, [1.0, 2.0]) == (mg.tensor(a).dtype, mg.tensor(a).tolist())
    assert (F64, [[1.0, 2.0], [3.0, 4.0]]) == (mg.tensor([a, b]).dtype, mg.tensor([a, b]).tolist())
    assert (F32, [1.5, 2.0]) == (mg.tensor([mg.tensor(1.5), 2.0]).dtype, mg.tensor([mg.tensor(1.5), 2.0]).tolist())


@pytest.mark.parametrize("dtype", [F64, "float64", mg.float64, np.dtype("f8"), float])
def test_tensor_takes_a_dtype_in_any_spelling(dtype: Any) -> None:
    assert F64 == mg.tensor([1, 2], dtype=dtype).dtype
    assert F64 == mg.zeros(2, dtype=dtype).dtype
    assert F64 == mg.zeros_like(mg.zeros(2), dtype=dtype).dtype


def test_tensor_rounds_to_the_dtype_asked_for() -> None:
    assert [1, -1] == mg.tensor([1.7, -1.7], dtype=I64).tolist()
    assert [False, True] == mg.tensor([0.0, 2.0], dtype=mg.bool_).tolist()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("a", "<U1"),
        (["a", "b"], "<U1"),
        (b"a", r"\|S1"),
        (None, "object"),
        ([1, None], "object"),
        ({1: 2}, "object"),
        ({1, 2}, "object"),
        (object(), "object"),
        (2**70, "object"),
        (1j, "complex128"),
        ([1.0, 2j], "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([1, None]), "object"),
        (np.array("2020-01-01", "datetime64[D]"), "datetime64"),
        (np.zeros(2, "f4,i4"), r"\["),
    ],
)
def test_tensor_refuses_what_is_no_number(data: Any, shown: str) -> None:
    with pytest.raises(DtypeError, match=f"tensor: expected numbers or booleans, got an array of dtype {shown}") as caught:
        mg.tensor(data)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1, 2], 3], [[[1.0], [2.0, 3.0]]]])
def test_tensor_refuses_ragged_lists(data: Any) -> None:
    with pytest.raises(ShapeError, match="tensor: nested lists must be of equal lengths at each depth") as caught:
        mg.tensor(data)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("dtype", ["complex64", "U5", object, "datetime64[s]"])
def test_dtypes_other_than_numbers_are_refused(dtype: Any) -> None:
    for make in (lambda: mg.tensor([1, 2], dtype=dtype), lambda: mg.zeros(2, dtype=dtype)):
        with pytest.raises(DtypeError, match="is not supported; expected floats, integers or bool"):
            make()


def test_what_is_no_dtype_is_refused() -> None:
    with pytest.raises(DtypeError, match="ones: 'flaot' is no dtype"):
        mg.ones(2, dtype="flaot")


def test_integers_cannot_require_grad() -> None:
    for make in (
        lambda: mg.tensor([1, 2], requires_grad=True),
        lambda: mg.tensor([True], requires_grad=True),
        lambda: mg.tensor([1, 2]).requires_grad_(),
        lambda: mg.zeros(2, dtype=I64, requires_grad=True),
        lambda: mg.arange(3, requires_grad=True),
    ):
        with pytest.raises(GraphError, match="requires_grad: only floating-point tensors can require gradients, got dtype"):
            make()


def test_requires_grad_can_be_switched_on_leaves_only() -> None:
    x = mg.zeros(2)
    assert x.requires_grad_() is x
    assert x.requires_grad
    y = x * 2
    with pytest.raises(GraphError, match=r"only leaf tensors can be switched off; use detach\(\)"):
        y.requires_grad = False
    x.requires_grad_(False)
    assert not (x * 2).requires_grad


def test_creation_functions() -> None:
    assert [[0.0] * 3] * 2 == mg.zeros(2, 3).tolist() == mg.zeros((2, 3)).tolist() == mg.zeros([2, 3]).tolist()
    assert 0.0 == mg.zeros(()).item()
    assert [1.0, 1.0] == mg.ones(2).tolist()
    assert (2, 0, 3) == mg.empty(2, 0, 3).shape
    assert (I64, [7, 7]) == (mg.full((2,), 7).dtype, mg.full((2,), 7).tolist())
    assert (F32, [0.5]) == (mg.full((1,), 0.5).dtype, mg.full((1,), 0.5).tolist())
    assert (np.bool_, [True]) == (mg.full((1,), True).dtype, mg.full((1,), True).tolist())
    assert (I64, [2, 4]) == (mg.arange(2, 6, 2).dtype, mg.arange(2, 6, 2).tolist())
    assert (F32, [0.0, 0.5]) == (mg.arange(0, 1, 0.5).dtype, mg.arange(0, 1, 0.5).tolist())
    assert [2, 1] == mg.arange(2, 0, -1).tolist()
    assert [] == mg.arange(0).tolist()
    assert [0, 1, 2] == mg.arange(end=3).tolist() == mg.arange(mg.tensor(3)).tolist()
    assert [-2, -1, 0, 1] == mg.arange(-2.5, 2.5, dtype=I64).tolist()  # cut to whole numbers first
    assert [5, 4, 3] == mg.arange(5.5, 2.5, -1.5, dtype=I64).tolist()
    assert [0.0, 0.5, 1.0] == mg.linspace(0, 1, 3).tolist() == mg.linspace(mg.tensor(0.0), mg.tensor(1), 3).tolist()
    assert [0, 3, 6, 10] == mg.linspace(0, 10.7, 4, dtype=I64).tolist()
    assert [1, 3, 10, 31, 100] == mg.logspace(0, 2, 5, dtype=I64).tolist()
    assert [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] == mg.eye(2, 3).tolist()
    x = mg.tensor([[1, 2]], dtype=np.int32)
    for like, value in ((mg.zeros_like(x), 0), (mg.ones_like(x), 1), (mg.full_like(x, 5), 5)):
        assert (np.int32, [[value, value]]) == (like.dtype, like.tolist())
    assert mg.ones(2, requires_grad=True).requires_grad


def test_creation_like_another_tensor() -> None:
    x = mg.tensor([[1.0, 2.0, 3.0]], dtype=F64)
    for drawn in (mg.rand_like(x), mg.randn_like(x), mg.empty_like(x), mg.randint_like(x, 5), mg.randint_like(x, 2, 4)):
        assert (F64, (1, 3)) == (drawn.dtype, drawn.shape)
    assert set(mg.randint_like(mg.zeros(200, dtype=I64), 2, 4).tolist()) == {2, 3}
    assert (F32, I64) == (mg.rand_like(x, dtype=F32).dtype, mg.randint_like(x, 5, dtype=I64).dtype)
    assert mg.rand_like(x, requires_grad=True).requires_grad
    generators = [mg.Generator(3) for _ in range(4)]
    assert mg.rand_like(x, generator=generators[0]).tolist() == mg.rand(1, 3, dtype=F64, generator=generators[1]).tolist()
    assert mg.randn_like(x, generator=generators[2]).tolist() == mg.randn(1, 3, dtype=F64, generator=generators[3]).tolist()


def test_new_tensors_take_the_dtype_of_the_old() -> None:
    x = mg.tensor([1], dtype=np.int32)
    made = (x.new_zeros(2), x.new_ones((2,)), x.new_full((2,), 1.5), x.new_tensor([3.7, 1]), x.new_empty(2))
    assert [np.dtype(np.int32)] * 5 == [y.dtype for y in made]
    assert [[0, 0], [1, 1], [1, 1], [3, 1]] == [y.tolist() for y in made[:4]]
    assert (F32, True) == (x.new_zeros(2, dtype=F32).dtype, mg.ones(1).new_ones(2, requires_grad=True).requires_grad)


def test_logspace() -> None:
    assert [1.0, 10.0, 100.0] == mg.logspace(0, 2, 3).tolist()
    assert (I64, [1, 2, 4, 8]) == (mg.logspace(0, 3, 4, base=2, dtype=I64).dtype, mg.logspace(0, 3, 4, 2, dtype=I64).tolist())
    np.testing.assert_allclose(mg.logspace(-1, 1, 5, dtype=F64).numpy(), [0.1, 0.1**0.5, 1, 10**0.5, 10], rtol=1e-15)
    with pytest.raises(InputTypeError, match="logspace: base must be a number, got 'e'"):
        mg.logspace(0, 1, 2, "e")


def test_indices_of_triangles() -> None:
    assert [[0, 1, 1, 2, 2], [0, 0, 1, 0, 1]] == mg.tril_indices(3, 2).tolist()
    assert [[0, 0, 1], [1, 2, 2]] == mg.triu_indices(2, 3, offset=1).tolist()
    assert I64 == mg.tril_indices(2, 2, -1).dtype


def test_what_and_where_a_tensor_is() -> None:
    x = mg.ones(2, 3)
    assert mg.is_tensor(x)
    assert not mg.is_tensor(x.numpy())
    assert 6 == mg.numel(x)
    assert "cpu" == x.device == x.device.type == str(x.device)
    assert x.to(x.device) is x


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda x: x,
    "rows": lambda x: x.reshape(4, -1),
    "columns": lambda x: x.reshape(-1, 4),
    "transposed": lambda x: x.reshape(-1, 4).T,
    "strided": lambda x: np.repeat(x.reshape(-1, 2), 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1],
    "three axes": lambda x: x.reshape(50, -1, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_long_float32_sums_keep_their_digits(layout: str) -> None:
    """A running float32 sum of so many terms would be wrong in the fourth digit."""
    x = LAYOUTS[layout]((np.random.default_rng(0).random(2_000_000) + 0.5).astype(F32))
    exact, t = x.astype(F64), mg.from_numpy(x)
    for dim in (None, int(np.argmax(x.shape))):
        found = {
            "sum": (t.sum(dim), exact.sum(dim)),
            "mean": (t.mean(dim), exact.mean(dim)),
            "var": (t.var(dim), exact.var(dim, ddof=1)),
            "norm": (t.norm(dim=dim), np.sqrt((exact**2).sum(dim))),
        }
        for name, (actual, expected) in found.items():
            np.testing.assert_allclose(actual.numpy(), expected, rtol=5e-7, err_msg=f"{name} {dim}")
    np.testing.assert_allclose(mg.cumsum(t, -1).numpy(), np.cumsum(exact, -1), rtol=1e-7)


def test_arange_refuses_a_step_that_leads_away() -> None:
    for arguments in ((5, 0), (0, 5, -1), (0, 5, 0)):
        with pytest.raises(ArgumentError, match="arange: step"):
            mg.arange(*arguments)


# ---- copied or shared


def test_tensor_copies() -> None:
    array = np.array([1.0, 2.0])
    x = mg.tensor(array)
    array[0] = 9
    assert [1.0, 2.0] == x.tolist()
    y = mg.tensor(x)
    x.zero_()
    assert [1.0, 2.0] == y.tolist()


def test_from_numpy_shares() -> None:
    array = np.array([1.0, 2.0])
    x = mg.from_numpy(array)
    array[0] = 9
    x[1] = 7.0
    assert [9.0, 7.0] == x.tolist() == array.tolist()
    assert F64 == x.dtype
    with pytest.raises(InputTypeError, match="from_numpy: expected an ndarray, got list"):
        mg.from_numpy([1.0])
    with pytest.raises(DtypeError, match="from_numpy: expected numbers or booleans, got an array of dtype <U1"):
        mg.from_numpy(np.array(["a"]))


def test_as_tensor_shares_where_it_can() -> None:
    array = np.array([1.0, 2.0])
    assert np.shares_memory(mg.as_tensor(array).array, array)
    assert not np.shares_memory(mg.as_tensor(array, dtype=F32).array, array)
    x = mg.tensor([1.0], requires_grad=True)
    assert mg.as_tensor(x) is x
    assert "astype" == mg.as_tensor(x, dtype=F64).grad_fn.name
    assert F32 == mg.as_tensor([1.0, 2.0]).dtype


def test_subclasses_of_ndarray_are_taken_as_arrays() -> None:
    matrix = np.ones((2, 2)).view(np.matrix)
    for x in (mg.from_numpy(matrix), mg.tensor(matrix), mg.as_tensor(matrix)):
        assert type(x.array) is np.ndarray
    assert np.shares_memory(mg.from_numpy(matrix).array, matrix)
    assert [[2.0, 2.0], [2.0, 2.0]] == (mg.from_numpy(matrix) * mg.from_numpy(matrix) + 1.0).tolist()


def test_subclasses_of_ndarray_become_arrays_as_operands() -> None:
    x = mg.ones(2, 2)
    _, operand = mg.add.accept([x, np.ones((2, 2)).view(np.matrix)])
    assert type(operand.array) is np.ndarray


def test_operands_of_another_byte_order_are_read_right() -> None:
    swapped = np.array([[1.0, 2.0]], dtype=">f4")
    x = mg.tensor([[1.0, 2.0]])
    assert (x + x).tolist() == (x + swapped).tolist()
    for operation in (lambda x: mg.exp(x), lambda x: mg.softmax(x, 1), lambda x: mg.matmul(x, mg.ones(2, 1))):
        assert operation(x).tolist() == operation(swapped).tolist()
        assert operation(swapped).dtype.isnative


def test_a_read_only_array_is_read_but_not_written() -> None:
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    x = mg.from_numpy(array)
    assert [2.0, 4.0] == (x * 2).tolist()
    for write in (lambda: x.add_(1.0), lambda: x.zero_(), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(ArgumentError, match=r"read-only; clone\(\) it first"):
            write()
    mg.tensor(array).add_(1.0)
    assert [1.0, 2.0] == array.tolist()


def test_strided_arrays_are_shared_and_copied_in_order() -> None:
    array = np.arange(12.0).reshape(3, 4).T
    assert array.tolist() == mg.from_numpy(array).tolist() == mg.tensor(array).tolist()
    assert mg.tensor(array).is_contiguous()
    assert not mg.from_numpy(array).is_contiguous()
    assert (array * 2).tolist() == (mg.from_numpy(array) * 2).tolist()
    assert array[::-1, ::2].tolist() == mg.from_numpy(array[::-1, ::2]).clone().tolist()


def test_dlpack_both_ways() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    array = np.from_dlpack(x)
    x.mul_(2)
    assert [[2.0, 4.0], [6.0, 8.0]] == array.tolist()
    back = mg.from_dlpack(np.arange(3))
    assert (I64, [0, 1, 2]) == (back.dtype, back.tolist())
    assert np.shares_memory(mg.from_dlpack(x).array, x.array)
    assert x.__dlpack_device__() == np.zeros(1).__dlpack_device__()
    with pytest.raises(GraphError, match="requires grad"):
        np.from_dlpack(mg.zeros(2, requires_grad=True))


# ---- default dtype and promotion


def test_the_default_dtype_is_float32() -> None:
    assert F32 == mg.get_default_dtype()
    assert F32 == mg.zeros(1).dtype == mg.rand(1).dtype == nn.Linear(1, 1).weight.dtype


def test_the_default_dtype_can_be_float64(default_float64: None) -> None:
    ints = mg.tensor([1, 2])
    assert {np.dtype(F64)} == {
        mg.get_default_dtype(), mg.tensor(1.5).dtype, mg.zeros(1).dtype, mg.randn(1).dtype, nn.Linear(1, 1).weight.dtype,
        (ints / 2).dtype, (ints * 0.5).dtype, ints.exp().dtype, mg.arange(0, 1, 0.5).dtype,
    }  # fmt: skip
    assert F32 == mg.tensor([1.0], dtype=F32).exp().dtype


def test_integer_results_follow_a_change_of_the_default_dtype() -> None:
    ints = mg.tensor([1, 2])
    before = (ints / 2).dtype
    mg.set_default_dtype("float64")
    try:
        assert (F32, F64) == (before, (ints / 2).dtype)
    finally:
        mg.set_default_dtype(mg.float32)
    assert F32 == (ints / 2).dtype


@pytest.mark.parametrize("dtype", [np.float16, I64, np.bool_])
def test_the_default_dtype_must_be_a_float(dtype: Any) -> None:
    with pytest.raises(DtypeError, match="set_default_dtype: expected float32 or float64"):
        mg.set_default_dtype(dtype)
    assert F32 == mg.get_default_dtype()


def t(dtype: Any, value: Any = 2) -> mg.Tensor:
    return mg.tensor([value], dtype=dtype)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: t(F32) + 1, F32),
        (lambda: t(F32) + 1.5, F32),
        (lambda: 1.5 * t(F32), F32),
        (lambda: t(F64) + 1.5, F64),
        (lambda: t(F32) * True, F32),
        (lambda: t(I64) + 1, I64),
        (lambda: t(np.int32) + 1, np.int32),
        (lambda: t(I64) + 1.5, F32),
        (lambda: t(I64) / 2, F32),
        (lambda: t(np.bool_) + 1, I64),
        (lambda: t(np.bool_) + t(np.bool_), np.bool_),
        (lambda: t(F32) + t(F64), F64),
        (lambda: t(F32) + mg.tensor(2.0, dtype=F64), F64),
        (lambda: t(np.int32) + t(I64), I64),
        (lambda: t(np.bool_) * t(F32), F32),
        (lambda: t(F32) + np.float64([1.0]), F64),
        (lambda: t(F32) + np.float64(1.0), F32),
        (lambda: t(np.int32).exp(), F32),
        (lambda: t(F64).exp(), F64),
        (lambda: t(I64) ** 2, I64),
        (lambda: t(F32) ** 2, F32),
        (lambda: t(F32) > 1, np.bool_),
    ],
)
def test_promotion(make: Callable[[], mg.Tensor], expected: Any) -> None:
    assert expected == make().dtype


def test_conversions() -> None:
    x = mg.tensor([1.7, 0.0])
    assert [1, 0] == x.long().tolist() == x.int().tolist()
    assert (I64, np.int32, np.bool_, F64, F32) == tuple(y.dtype for y in (x.long(), x.int(), x.bool(), x.double(), x.float()))
    assert x.to(F32) is x
    assert F64 == x.to("float64").dtype == x.type_as(mg.zeros(1, dtype=F64)).dtype


def test_conversion_carries_gradients_back_in_the_inputs_dtype() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x.double() * mg.tensor([3.0, 4.0], dtype=F64)).sum().backward()
    assert (F32, [3.0, 4.0]) == (x.grad.dtype, x.grad.tolist())


# ---- reading values


def test_item_and_python_numbers() -> None:
    x = mg.tensor([[2.5]], requires_grad=True)
    assert 2.5 == x.item() == float(x)
    assert 2 == int(x)
    assert isinstance(mg.tensor(3).item(), int)
    assert isinstance(mg.tensor(True).item(), bool)
    with pytest.raises(ShapeError, match=r"item: only a tensor with one element .* this one has shape \(2,\)"):
        mg.zeros(2).item()
    with pytest.raises(ShapeError, match=r"item: .*shape \(0,\)"):
        float(mg.zeros(0))


def test_tolist() -> None:
    assert [[1.0, 2.0], [3.0, 4.0]] == mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True).tolist()
    assert 1.5 == mg.tensor(1.5).tolist()


def test_truth_value() -> None:
    assert mg.tensor(2.0)
    assert not mg.tensor([[0]])
    assert bool(mg.tensor([True]))
    for x in (mg.ones(2), mg.ones(0)):
        with pytest.raises(
            ShapeError, match=r"bool: the truth value of a tensor with shape .* is ambiguous; use \.any\(\) or \.all\(\)"
        ):
            bool(x)


def test_len() -> None:
    assert 3 == len(mg.zeros(3, 2))
    assert 0 == len(mg.zeros(0, 2))
    with pytest.raises(InputTypeError, match="len: a 0-d tensor has no length"):
        len(mg.tensor(1.0))


def test_iteration_is_recorded() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert [[3.0, 4.0], [1.0, 2.0]] == x.grad.tolist()
    assert [1, 2] == [v.item() for v in mg.tensor([1, 2])]
    with pytest.raises(InputTypeError, match="iter: a 0-d tensor cannot be iterated over"):
        iter(mg.tensor(1.0))


def test_contains() -> None:
    x = mg.tensor([1.0, 2.0])
    assert 2 in x
    assert 3 not in x
    assert mg.tensor(1.0) in x
    assert True in mg.tensor([False, True])
    assert 1.0 not in mg.zeros(0)


def test_integer_tensors_are_indices() -> None:
    names = ["a", "b", "c"]
    assert "c" == names[mg.tensor(2)]
    assert "b" == names[mg.tensor([1], dtype=np.int32)]
    assert [0, 1, 2] == list(range(mg.tensor(3)))
    with pytest.raises(InputTypeError, match="only integer tensors of one element can be used as an index, got dtype float32"):
        names[mg.tensor(1.0)]
    with pytest.raises(ShapeError, match="only a tensor with one element"):
        names[mg.tensor([0, 1])]


def test_sizes() -> None:
    x = mg.zeros(2, 3, dtype=F64)
    assert ((2, 3), (2, 3), 3, 2, 2, 6, 6) == (x.shape, x.size(), x.size(-1), x.dim(), x.ndim, x.numel(), x.nelement())
    assert 8 == x.element_size()
    assert x.is_floating_point()
    assert not mg.tensor(1).is_floating_point()


def test_format() -> None:
    assert "1.50" == f"{mg.tensor(1.5):.2f}"
    assert "  3" == f"{mg.tensor([3]):3d}"
    assert "1.5000e+00" == f"{mg.tensor(1.5, requires_grad=True):.4e}"
    assert "tensor([1., 2.])" == f"{mg.tensor([1.0, 2.0])}"
    with pytest.raises(ValueError, match="format"):
        f"{mg.ones(2):.2f}"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: mg.tensor(1.5), "tensor(1.5)"),
        (lambda: mg.tensor(-2.0), "tensor(-2.)"),
        (lambda: mg.tensor(3), "tensor(3)"),
        (lambda: mg.tensor(True), "tensor(True)"),
        (lambda: mg.tensor(10.0), "tensor(10.)"),
        (lambda: mg.tensor(0.0), "tensor(0.)"),
        (lambda: mg.tensor(1 / 3), "tensor(0.3333)"),
        (lambda: mg.tensor(1e-5), "tensor(1.0000e-05)"),
        (lambda: mg.tensor(1.5e10), "tensor(1.5000e+10)"),
        (lambda: mg.tensor([float("nan"), float("inf"), -float("inf")]), "tensor([nan, inf, -inf])"),
        (lambda: mg.tensor([1.0, 2.5]), "tensor([1., 2.5])"),
        (lambda: mg.tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
        (lambda: mg.tensor([True, False]), "tensor([ True, False])"),
        (lambda: mg.tensor([1, -2]), "tensor([ 1, -2])"),
        (lambda: mg.tensor([1.0], dtype=F64), "tensor([1.], dtype=float64)"),
        (lambda: mg.tensor([1], dtype=np.int32), "tensor([1], dtype=int32)"),
        (lambda: mg.tensor([]), "tensor([])"),
        (lambda: mg.zeros(0, 3), "tensor([], size=(0, 3))"),
        (lambda: mg.zeros(0, 3, dtype=F64), "tensor([], size=(0, 3), dtype=float64)"),
        (lambda: mg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: mg.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (lambda: mg.tensor([1.0], requires_grad=True, dtype=F64).exp().log(), "tensor([1.], dtype=float64, grad_fn=<log>)"),
        (lambda: nn.Parameter(mg.tensor([1.0])), "Parameter containing:\ntensor([1.], requires_grad=True)"),
        (lambda: mg.arange(2000), "tensor([   0,    1,    2, ..., 1997, 1998, 1999])"),
    ],
)
def test_repr(make: Callable[[], mg.Tensor], expected: str) -> None:
    assert expected == repr(make()) == str(make())


# ---- with NumPy


def test_numpy_shares_and_refuses_what_requires_grad() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for read in (x.numpy, lambda: np.asarray(x), lambda: np.array(x), lambda: np.from_dlpack(x), lambda: (x * 2).numpy()):
        with pytest.raises(GraphError, match=r"requires grad; use tensor\.detach\(\)\.numpy\(\)"):
            read()
    d = x.detach()
    assert np.shares_memory(d.numpy(), x.array)
    assert np.shares_memory(np.asarray(d), x.array)
    assert not np.shares_memory(np.array(d), x.array)
    assert (F64, [1.0, 2.0]) == (np.asarray(d, dtype=F64).dtype, np.asarray(d, dtype=F64).tolist())


def test_numpy_functions_take_detached_tensors_as_data() -> None:
    x = mg.tensor([3.0, 1.0, 2.0])
    assert [1.0, 2.0, 3.0] == np.sort(x).tolist()
    np.testing.assert_allclose(x, [3.0, 1.0, 2.0])


def test_arrays_on_the_left_reach_the_reflected_operators() -> None:
    array = np.array([6.0, 8.0])
    x = mg.tensor([2.0, 4.0], dtype=F64, requires_grad=True)
    results = {
        "add": (array + x, [8.0, 12.0]), "sub": (array - x, [4.0, 4.0]), "mul": (array * x, [12.0, 32.0]),
        "div": (array / x, [3.0, 2.0]), "pow": (array**x, [36.0, 4096.0]), "matmul": (array @ x, 44.0),
        "gt": (array > x, [True, True]), "le": (array <= x, [False, False]), "eq": (array == x, [False, False]),
        "scalar": (np.float64(3) * x, [6.0, 12.0]),
    }  # fmt: skip
    for name, (result, expected) in results.items():
        assert isinstance(result, mg.Tensor), name
        assert expected == result.tolist(), name
    (array * x).sum().backward()
    assert [6.0, 8.0] == x.grad.tolist()


def test_ufuncs_do_not_swallow_tensors() -> None:
    with pytest.raises(TypeError, match="__array_ufunc__"):
        np.exp(mg.tensor([1.0]))


def test_operators_leave_strangers_to_the_other_side() -> None:
    class Stranger:
        def __radd__(self, other: Any) -> str:
            return "stranger"

    assert "stranger" == mg.tensor(1.0) + Stranger()
    for other in ("a", None, [1.0], {}):
        with pytest.raises(TypeError, match="unsupported operand"):
            mg.tensor(1.0) / other


# ---- comparison and identity


def test_comparisons_give_bool_tensors() -> None:
    x, y = mg.tensor([1.0, 2.0, float("nan")], requires_grad=True), mg.tensor([2.0, 2.0, float("nan")])
    for result, expected in (
        (x == y, [False, True, False]),
        (x != y, [True, False, True]),
        (x < y, [True, False, False]),
        (x <= y, [True, True, False]),
        (x > y, [False, False, False]),
        (x >= 2, [False, True, False]),
        (1 < x, [False, True, False]),
        (x == 1, [True, False, False]),
    ):
        assert (np.bool_, expected) == (result.dtype, result.tolist())
        assert not result.requires_grad


def test_comparison_with_strangers() -> None:
    x = mg.tensor([1.0])
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True


def test_bool_tensors_combine() -> None:
    a, b = mg.tensor([True, True, False]), mg.tensor([True, False, False])
    assert [True, False, False] == (a & b).tolist()
    assert [True, True, False] == (a | b).tolist()
    assert [False, False, True] == (~a).tolist()


def test_tensors_are_hashed_by_identity() -> None:
    a, b = mg.zeros(2), mg.zeros(2)
    assert 2 == len({a, b, a})
    assert 1 == {a: 1}[a]


# ---- copies


def test_deepcopy_of_a_leaf() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert ([1.0, 2.0], [3.0, 3.0], True) == (y.tolist(), y.grad.tolist(), y.requires_grad)
    with mg.no_grad():
        y.zero_()
    y.grad.zero_()
    assert ([1.0, 2.0], [3.0, 3.0]) == (x.tolist(), x.grad.tolist())
    first, second = copy.deepcopy([x, x])
    assert first is second


def test_deepcopy_and_pickle_keep_the_class() -> None:
    p = nn.Parameter(mg.tensor([1.0]))
    for q in (copy.deepcopy(p), pickle.loads(pickle.dumps(p)), copy.copy(p)):
        assert type(q) is nn.Parameter
        assert q.requires_grad
        assert [1.0] == q.tolist()


@pytest.mark.parametrize("data", [[1.5, 2.0], [[True]], 3, np.float64([1.0]), np.zeros((0, 2))])
def test_pickle_of_a_leaf(data: Any) -> None:
    x = mg.tensor(data)
    y = pickle.loads(pickle.dumps(x))
    assert (x.dtype, x.shape, x.tolist(), x.requires_grad) == (y.dtype, y.shape, y.tolist(), y.requires_grad)
    assert not np.shares_memory(x.array, y.array)


def test_a_shallow_copy_shares_its_storage_and_its_stamp() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    c = copy.copy(x)
    with mg.no_grad():
        c.zero_()
    assert [0.0, 0.0] == x.tolist()
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_inner_nodes_are_not_copied_with_their_graph() -> None:
    y = mg.tensor([1.0], requires_grad=True) * 2
    for make in (lambda: copy.deepcopy(y), lambda: copy.copy(y), lambda: pickle.dumps(y)):
        with pytest.raises(GraphError, match=r"only leaf tensors .*detach\(\)"):
            make()
    assert [2.0] == copy.deepcopy(y.detach()).tolist()


# ---- data, T


def test_data_is_a_detached_alias() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert not x.data.requires_grad
    x.data.mul_(2)
    x.data[0] = 9.0
    assert [9.0, 4.0] == x.tolist()
    assert x.requires_grad


def test_data_can_be_replaced() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    x.data = mg.tensor([5.0, 6.0])
    (x * x).sum().backward()
    assert ([5.0, 6.0], [10.0, 12.0]) == (x.tolist(), x.grad.tolist())
    x.data = np.float32([7.0, 8.0])
    assert [7.0, 8.0] == x.tolist()
    x.data = mg.zeros(3, dtype=mg.float64)
    assert ((3,), mg.float64, True) == (x.shape, x.dtype, x.requires_grad)
    with pytest.raises(GraphError, match="data: only floating-point tensors can require gradients, got dtype int64"):
        x.data = mg.tensor([1])
    y = x * 2
    with pytest.raises(
        ShapeError, match=r"data: the new values of a recorded tensor must have shape \(3,\) and dtype float64, got"
    ):
        y.data = mg.zeros(2)


def test_transposes() -> None:
    x = mg.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    assert np.array_equal(x.T.detach(), x.array.T)
    assert np.array_equal(x.mT.detach(), x.array.swapaxes(1, 2))
    assert [1.0, 2.0] == mg.tensor([1.0, 2.0]).T.tolist()
    weights = np.random.default_rng(0).normal(size=(4, 3, 2))
    (x.T * mg.tensor(weights)).sum().backward()
    assert np.array_equal(x.grad, weights.T)
    assert [[1.0, 3.0], [2.0, 4.0]] == mg.tensor([[1.0, 2.0], [3.0, 4.0]]).mT.tolist()
    with pytest.raises(ShapeError, match=r"mT: needs at least two axes, got shape \(2,\)"):
        _ = mg.zeros(2).mT


def test_grad_starts_as_none_and_can_be_set() -> None:
    x = mg.tensor([1.0], requires_grad=True)
    assert x.grad is None
    x.grad = mg.tensor([5.0])
    (x * 2).sum().backward()
    assert [7.0] == x.grad.tolist()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (mg.ones(2), ShapeError),
        (mg.ones(1), ShapeError),
        (np.ones(3, F32), InputTypeError),
        (1.0, InputTypeError),
    ],
    ids=repr,
)
def test_a_grad_that_does_not_fit_is_refused(value: Any, error: type[Exception]) -> None:
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(error, match="grad: "):
        x.grad = value
    assert x.grad is None
    x.grad = mg.ones(3)
    x.grad = None


def test_unknown_attributes_are_refused() -> None:
    x = mg.tensor(1.0)
    with pytest.raises(AttributeError):
        x.gradient = 1
    with pytest.raises(AttributeError):
        x.cuda()


def test_a_generator_goes_on_from_where_its_state_was_taken() -> None:
    generator = mg.Generator(7)
    mg.rand(3, generator=generator)
    state = generator.get_state()
    expected = mg.rand(4, generator=generator).tolist()
    generator.set_state(state)
    assert expected == mg.rand(4, generator=generator).tolist()
    assert 7 == generator.initial_seed()


def test_the_default_dtype_has_the_machines_byte_order() -> None:
    try:
        mg.set_default_dtype(np.dtype("float64").newbyteorder())
        assert mg.tensor(0.5).dtype.isnative
    finally:
        mg.set_default_dtype(mg.float32)


# ---- the one device


def test_what_makes_tensors_takes_the_one_device():
    for made in (
        mg.zeros(2, device="cpu"),
        mg.randn(2, 3, device=mg.ones(1).device),
        mg.tensor([1.0], device="cpu"),
        mg.arange(3, device=None),
        mg.rand_like(mg.ones(2), device="cpu"),
    ):
        assert "cpu" == str(made.device)
    with pytest.raises(ValueError, match="zeros: device must be None or 'cpu', got 'cuda'"):
        mg.zeros(2, device="cuda")


def test_a_device_is_the_cpu():
    device = mg.device("cpu")
    assert "cpu" == str(device) == device.type == mg.zeros(1, device=device).device == mg.ones(2).to(device).device
    with pytest.raises(ValueError, match="device: device must be None or 'cpu', got 'cuda'"):
        mg.device("cuda")


def test_to_takes_device_and_dtype_in_pytorchs_ways():
    x = mg.ones(2)
    for y in (
        x.to("cpu", mg.float64),
        x.to(dtype=mg.float64, device="cpu"),
        x.to(mg.float64, non_blocking=True),
        x.to(mg.ones(1).double()),
    ):
        assert mg.float64 == y.dtype
    assert x.to("cpu") is x is x.to(mg.float32)
    assert x.to(mg.float32, copy=True) is not x
    with pytest.raises(TypeError, match="to: expected a dtype, a Tensor or the device 'cpu'"):
        x.to(mg.float64, mg.float32)


def test_a_number_formats_as_a_number():
    assert "loss: 2.5" == f"loss: {mg.tensor(2.5, requires_grad=True) * 1}"
    assert "2.50" == f"{mg.tensor([2.5]):.2f}"


def test_sums_and_products_keep_the_dtype_asked_for():
    for dtype in (mg.int32, mg.uint8, mg.float64):
        assert dtype == mg.tensor([1, 2]).sum(dtype=dtype).dtype == mg.tensor([1, 2]).prod(dtype=dtype).dtype
        assert dtype == mg.tensor([[1.5, 2.0]]).sum(0, dtype=dtype).dtype


def test_inference_mode_records_nothing():
    with mg.inference_mode():
        assert not (mg.ones(2, requires_grad=True) * 2).requires_grad


@pytest.mark.parametrize("make", [mg.zeros, mg.ones, mg.empty, mg.rand, mg.randn, mg.ones(1).new_zeros, mg.ones(1).new_empty])
def test_sizes_may_be_given_by_name(make: Any) -> None:
    assert (2, 3) == make(size=(2, 3)).shape


def test_shapes_may_be_given_by_name() -> None:
    x = mg.arange(3.0)
    assert (3, 1) == x.view(size=(3, 1)).shape == x.reshape(shape=(3, 1)).shape
    assert (2, 3) == x.expand(size=(2, 3)).shape == mg.broadcast_to(x, size=(2, 3)).shape == x.repeat(repeats=(2, 1)).shape
    assert [2, 1] == [len(part) for part in x.split(split_size=2)]
    assert (4, 2) == mg.ones(2, 4).swapaxes(axis0=0, axis1=1).shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.tensor([2**63]), "tensor: 9223372036854775808 does not fit dtype int64"),
        (lambda: mg.tensor([1, 300], dtype=mg.uint8), "tensor: 300 does not fit dtype uint8"),
        (lambda: mg.full((2,), 300, dtype=mg.uint8), "full: 300 does not fit dtype uint8"),
    ],
)
def test_ints_that_no_dtype_holds_are_refused(call: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()


def test_negative_ints_wrap_around_in_uint8() -> None:
    assert [247, 247] == mg.full((2,), -9, dtype=mg.uint8).tolist() == mg.full_like(mg.ones(2, dtype=mg.uint8), -9).tolist()


def test_bounds_of_a_range_must_be_numbers() -> None:
    with pytest.raises(ShapeError, match=r"linspace: start must be a number or a 0-d tensor, got shape \(1,\)"):
        mg.linspace(mg.tensor([0]), 1, 3)
    with pytest.raises(ArgumentError, match="arange: cannot lead from 0 to inf"):
        mg.arange(math.inf)


def test_numpy_by_force() -> None:
    assert [1.0] == mg.ones(1, requires_grad=True).numpy(force=True).tolist()


def test_bernoulli_with_one_probability() -> None:
    assert [1.0, 1.0] == mg.bernoulli(mg.zeros(2), 1.0).tolist()
    assert [0.0, 0.0] == mg.bernoulli(mg.ones(2), p=0.0).tolist()


def test_clamping_by_a_0d_tensor_keeps_the_dtype() -> None:
    x, bound = mg.tensor([1.0, 3.0]), mg.tensor(2.0, dtype=mg.float64, requires_grad=True)
    y = x.clamp(max=bound)
    assert (F32, [1.0, 2.0]) == (y.dtype, y.tolist())
    y.sum().backward()
    assert bound.grad is not None
    assert (mg.float64, 1.0) == (bound.grad.dtype, bound.grad.item())


@pytest.mark.parametrize(
    ("call", "expected", "dtype"),
    [
        (lambda: mg.add(1, 2), 3, I64),
        (lambda: mg.add(1, True, alpha=3), 4, I64),
        (lambda: mg.sub(1.5, 1), 0.5, F32),
        (lambda: mg.mul(True, 2), 2, I64),
        (lambda: mg.div(1, 2), 0.5, F32),
        (lambda: mg.floor_divide(-7, 2), -4, I64),
        (lambda: mg.floor_divide(7.5, 2), 3, F32),
        (lambda: mg.div(-7, 2, rounding_mode="trunc"), -3, I64),
    ],
)
def test_plain_numbers_may_be_added_multiplied_and_divided(call: Any, expected: float, dtype: Any) -> None:
    assert (expected, dtype, ()) == (call().item(), call().dtype, call().shape)


@pytest.mark.parametrize("join", [mg.cat, mg.stack])
def test_thousands_of_tensors_are_joined(join: Callable[..., mg.Tensor]) -> None:
    parts = [mg.tensor([float(n)], requires_grad=n % 3 == 0) for n in range(3000)]
    for _ in range(2):  # the second call finds the plan of the first
        joined = join(parts)
        assert list(range(3000)) == joined.flatten().tolist()
    (joined * joined).sum().backward()
    assert [0.0, 6.0, 5994.0] == [parts[n].grad.item() for n in (0, 3, 2997)]
    assert parts[1].grad is None
    assert [*range(2999), 7] == join([*parts[:-1], mg.tensor([7])]).flatten().tolist()

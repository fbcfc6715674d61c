"""Writing in place: into the storage where no gradient is at stake, recorded as a new value where one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, GraphError, IndexRangeError, InputTypeError, ShapeError


def leaf(*values: Any) -> mg.Tensor:
    return mg.tensor(values, dtype=np.float64, requires_grad=True)


def plain(*values: Any) -> mg.Tensor:
    return mg.tensor(values, dtype=np.float64)


def iadd(x: mg.Tensor, v: Any) -> mg.Tensor:
    x += v
    return x


def isub(x: mg.Tensor, v: Any) -> mg.Tensor:
    x -= v
    return x


def imul(x: mg.Tensor, v: Any) -> mg.Tensor:
    x *= v
    return x


def itruediv(x: mg.Tensor, v: Any) -> mg.Tensor:
    x /= v
    return x


def ipow(x: mg.Tensor, v: Any) -> mg.Tensor:
    x **= v
    return x


def setitem(x: mg.Tensor, index: Any, v: Any) -> mg.Tensor:
    x[index] = v
    return x


WRITES: dict[str, tuple[Callable[[mg.Tensor], Any], list[float]]] = {
    "add_": (lambda x: x.add_(2.0), [3.0, 4.0, 6.0]),
    "sub_": (lambda x: x.sub_(2.0), [-1.0, 0.0, 2.0]),
    "mul_": (lambda x: x.mul_(plain(2, 3, 4)), [2.0, 6.0, 16.0]),
    "div_": (lambda x: x.div_(2.0), [0.5, 1.0, 2.0]),
    "pow_": (lambda x: x.pow_(2.0), [1.0, 4.0, 16.0]),
    "neg_": (lambda x: x.neg_(), [-1.0, -2.0, -4.0]),
    "sqrt_": (lambda x: x.sqrt_(), [1.0, 2.0**0.5, 2.0]),
    "clamp_": (lambda x: x.clamp_(min=1.5, max=3.0), [1.5, 2.0, 3.0]),
    "relu_": (lambda x: x.sub_(2.0).relu_(), [0.0, 0.0, 2.0]),
    "copy_": (lambda x: x.copy_(plain(7, 8, 9)), [7.0, 8.0, 9.0]),
    "copy_ broadcasts": (lambda x: x.copy_(plain(7)), [7.0, 7.0, 7.0]),
    "copy_ an array": (lambda x: x.copy_(np.arange(3)), [0.0, 1.0, 2.0]),
    "fill_": (lambda x: x.fill_(5), [5.0, 5.0, 5.0]),
    "fill_ a tensor": (lambda x: x.fill_(mg.tensor(5.0)), [5.0, 5.0, 5.0]),
    "zero_": (lambda x: x.zero_(), [0.0, 0.0, 0.0]),
    "+=": (lambda x: iadd(x, 2.0), [3.0, 4.0, 6.0]),
    "-=": (lambda x: isub(x, plain(1, 2, 3)), [0.0, 0.0, 1.0]),
    "*=": (lambda x: imul(x, np.arange(3.0)), [0.0, 2.0, 8.0]),
    "/=": (lambda x: itruediv(x, 2), [0.5, 1.0, 2.0]),
    "**=": (lambda x: ipow(x, 2), [1.0, 4.0, 16.0]),
    "item": (lambda x: setitem(x, 1, 9.0), [1.0, 9.0, 4.0]),
    "slice": (lambda x: setitem(x, slice(1, None), plain(8, 9)), [1.0, 8.0, 9.0]),
    "all": (lambda x: setitem(x, ..., 0), [0.0, 0.0, 0.0]),
    "mask": (lambda x: setitem(x, x > 1.5, -1.0), [1.0, -1.0, -1.0]),
    "indices": (lambda x: setitem(x, mg.tensor([2, 0]), plain(8, 9)), [9.0, 2.0, 8.0]),
    "list value": (lambda x: setitem(x, slice(0, 2), [8, 9]), [8.0, 9.0, 4.0]),
    "backwards": (lambda x: setitem(x, slice(None, None, -1), x), [4.0, 2.0, 1.0]),
}


# ---- into the storage


@pytest.mark.parametrize(("write", "expected"), WRITES.values(), ids=WRITES)
def test_without_gradients_the_storage_is_written(write: Callable[[mg.Tensor], Any], expected: list[float]) -> None:
    x = plain(1, 2, 4)
    array, alias = x.array, x.detach()
    assert write(x) is x
    assert expected == x.tolist() == alias.tolist()
    assert x.array is array
    assert x.is_leaf


@pytest.mark.parametrize(("write", "expected"), WRITES.values(), ids=WRITES)
def test_under_no_grad_a_leaf_is_written(write: Callable[[mg.Tensor], Any], expected: list[float]) -> None:
    x = leaf(1, 2, 4)
    array = x.array
    with mg.no_grad():
        assert write(x) is x
    assert expected == x.tolist()
    assert x.array is array
    assert x.is_leaf
    assert x.requires_grad


@pytest.mark.parametrize(("write", "expected"), WRITES.values(), ids=WRITES)
def test_a_leaf_that_requires_grad_is_refused(write: Callable[[mg.Tensor], Any], expected: list[float]) -> None:
    x = leaf(1, 2, 4)
    with pytest.raises(GraphError, match=r"\w+: a leaf that requires grad cannot be changed in place; do it under no_grad\(\)"):
        write(x)
    assert [1.0, 2.0, 4.0] == x.tolist()


def test_under_no_grad_operands_may_require_grad() -> None:
    w = leaf(1, 2)
    x = plain(0, 0)
    with mg.no_grad():
        x.add_(w).mul_(w)
        x[0] = w[1]
        x += w
        x.copy_(x + w)
        x.fill_(w[1] * 2)
    assert [4.0, 4.0] == x.tolist()
    assert x.is_leaf
    assert not x.requires_grad


def test_writes_keep_the_dtype() -> None:
    x = mg.ones(2)
    x += mg.ones(2, dtype=np.float64)
    x.mul_(np.float64([2.0, 3.0]))
    x.copy_(mg.tensor([4, 6]))
    x[0] = mg.tensor(0.5, dtype=np.float64)
    assert (np.float32, [0.5, 6.0]) == (x.dtype, x.tolist())
    n = mg.tensor([1, 2])
    n += 1
    n.copy_(mg.tensor([5.9, 6.0]))
    assert (np.int64, [5, 6]) == (n.dtype, n.tolist())


def test_a_view_and_its_base_see_each_others_writes() -> None:
    base = mg.tensor(np.arange(6.0).reshape(2, 3))
    row, column, flat = base[0], base.T[2], base.reshape(6)
    row.zero_()
    column.fill_(9.0)
    flat[3] = -1.0
    assert [[0.0, 0.0, 9.0], [-1.0, 4.0, 9.0]] == base.tolist()
    base.mul_(2)
    assert [0.0, 0.0, 18.0] == row.tolist()
    assert [18.0, 18.0] == column.tolist()
    base[0][1] = 5.0
    assert 5.0 == row[1].item()


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.diagonal(),
        lambda x: x.select(1, 0),
        lambda x: x.narrow(0, 1, 2),
        lambda x: x.split(2)[1],
        lambda x: x.chunk(3, 1)[2],
        lambda x: x.unbind(-1)[1],
        lambda x: x.movedim(0, 1),
        lambda x: x.unflatten(1, (3, 1)),
        lambda x: x.view_as(mg.zeros(9)),
    ],
)
def test_views_share_their_memory_and_guard_what_was_saved(look: Callable[[mg.Tensor], mg.Tensor]) -> None:
    base = mg.tensor(np.arange(9.0).reshape(3, 3))
    view = look(base)
    before = view.array.copy()
    base.add_(1)
    assert np.array_equal(before + 1, view.array)
    loss = (leaf(*[1] * 9).reshape(3, 3) * base).sum()
    view.zero_()
    assert np.count_nonzero(base.array) == 9 - view.numel()
    with pytest.raises(GraphError, match="mul"):
        loss.backward()


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.flip(1),
        lambda x: x.roll(0),
        lambda x: x.repeat(1, 1),
        lambda x: x.diag(),
        lambda x: x.index_select(0, mg.tensor([0, 1, 2])),
        lambda x: x.rot90(0),
        lambda x: mg.cat([x]),
        lambda x: x.gather(0, mg.zeros(3, 3, dtype=np.int64)),
    ],
)
def test_copies_share_nothing(make: Callable[[mg.Tensor], mg.Tensor]) -> None:
    base = mg.ones(3, 3)
    make(base).zero_()
    assert 9 == base.sum().item()


def test_an_index_may_be_written_after_its_use() -> None:
    index = mg.tensor([[0, 1]])
    for use in (
        lambda x: x.gather(1, index),
        lambda x: x.index_select(1, index[0]),
        lambda x: x.scatter_add(1, index, mg.ones(1, 2, dtype=np.float64)),
        lambda x: x.topk(1)[0],
    ):
        x = leaf([1.0, 2.0])
        y = use(x)
        index.fill_(0)
        y.sum().backward()
        assert x.grad.tolist() in ([[1.0, 1.0]], [[0.0, 1.0]])
        index.copy_(mg.tensor([[0, 1]]))
    x = leaf([1.0, 5.0, 2.0])
    values, indices = x.sort()
    indices.zero_()
    (values * plain(1, 2, 3)).sum().backward()
    assert [[1.0, 3.0, 2.0]] == x.grad.tolist()


def test_a_write_through_a_view_by_operator() -> None:
    base = plain(1, 2, 3)
    base[1:] += 10.0
    base[0] *= 5
    assert [5.0, 12.0, 13.0] == base.tolist()


def test_a_write_that_reads_its_own_storage() -> None:
    x = plain(1, 2, 3, 4)
    x[1:] = x[:-1]
    assert [1.0, 1.0, 2.0, 3.0] == x.tolist()
    x.copy_(x[mg.tensor([3, 2, 1, 0])])
    assert [3.0, 2.0, 1.0, 1.0] == x.tolist()


@pytest.mark.parametrize(("write", "expected"), WRITES.values(), ids=WRITES)
def test_expanded_tensors_are_refused(write: Callable[[mg.Tensor], Any], expected: list[float]) -> None:
    x = plain(1).expand(3)
    with pytest.raises(
        GraphError, match=r"elements of this expanded tensor \(shape \(3,\)\) share their memory; clone\(\) it first"
    ):
        write(x)
    x.clone().add_(1.0)
    assert [1.0, 1.0, 1.0] == x.tolist()


def test_an_expansion_that_repeats_nothing_can_be_written() -> None:
    x = plain(1, 2)
    x.expand(1, 2).mul_(3)
    assert [3.0, 6.0] == x.tolist()


# ---- recorded


def recorded(write: Callable[[mg.Tensor, mg.Tensor], Any], x: list[float], v: Any) -> tuple[mg.Tensor, Any, Any]:
    """Write v into 1·x, weight the result with 1, 10, 100, …; the result and the gradients of x and v."""
    a, b = leaf(*x), mg.tensor(v, dtype=np.float64, requires_grad=True)
    y = a * 1.0
    assert write(y, b) in (y, None)
    y.mul(mg.tensor([10.0**k for k in range(len(x))], dtype=np.float64)).sum().backward()
    assert a.tolist() == x
    return y, a.grad.tolist(), b.grad.tolist()


@pytest.mark.parametrize(
    ("write", "v", "result", "to_x", "to_v"),
    [
        (iadd, [1.0, 2.0, 3.0], [2.0, 4.0, 7.0], [1.0, 10.0, 100.0], [1.0, 10.0, 100.0]),
        (iadd, 2.0, [3.0, 4.0, 6.0], [1.0, 10.0, 100.0], 111.0),
        (isub, [2.0], [-1.0, 0.0, 2.0], [1.0, 10.0, 100.0], [-111.0]),
        (imul, [1.0, 2.0, 3.0], [1.0, 4.0, 12.0], [1.0, 20.0, 300.0], [1.0, 20.0, 400.0]),
        (itruediv, [1.0, 2.0, 4.0], [1.0, 1.0, 1.0], [1.0, 5.0, 25.0], [-1.0, -5.0, -25.0]),
        (lambda x, v: x.add_(other=v), [1.0, 2.0, 3.0], [2.0, 4.0, 7.0], [1.0, 10.0, 100.0], [1.0, 10.0, 100.0]),
        (lambda x, v: x.copy_(v), [7.0, 8.0, 9.0], [7.0, 8.0, 9.0], [0.0, 0.0, 0.0], [1.0, 10.0, 100.0]),
        (lambda x, v: x.copy_(v), [7.0], [7.0, 7.0, 7.0], [0.0, 0.0, 0.0], [111.0]),
        (lambda x, v: x.fill_(v), 7.0, [7.0, 7.0, 7.0], [0.0, 0.0, 0.0], 111.0),
        (lambda x, v: setitem(x, 1, v), 7.0, [1.0, 7.0, 4.0], [1.0, 0.0, 100.0], 10.0),
        (lambda x, v: setitem(x, -1, v), [7.0], [1.0, 2.0, 7.0], [1.0, 10.0, 0.0], [100.0]),
        (lambda x, v: setitem(x, slice(1, 3), v), [7.0, 8.0], [1.0, 7.0, 8.0], [1.0, 0.0, 0.0], [10.0, 100.0]),
        (lambda x, v: setitem(x, slice(None, None, -2), v), [7.0, 8.0], [8.0, 2.0, 7.0], [0.0, 10.0, 0.0], [100.0, 1.0]),
        (lambda x, v: setitem(x, slice(0, 2), v), 7.0, [7.0, 7.0, 4.0], [0.0, 0.0, 100.0], 11.0),
        (lambda x, v: setitem(x, slice(0, 2), v), [7.0], [7.0, 7.0, 4.0], [0.0, 0.0, 100.0], [11.0]),
        (lambda x, v: setitem(x, ..., v), [7.0, 8.0, 9.0], [7.0, 8.0, 9.0], [0.0, 0.0, 0.0], [1.0, 10.0, 100.0]),
        (lambda x, v: setitem(x, [True, False, True], v), [7.0, 8.0], [7.0, 2.0, 8.0], [0.0, 10.0, 0.0], [1.0, 100.0]),
        (lambda x, v: setitem(x, x > 1.5, v), 7.0, [1.0, 7.0, 7.0], [1.0, 0.0, 0.0], 110.0),
        (lambda x, v: setitem(x, mg.tensor([2, 0]), v), [7.0, 8.0], [8.0, 2.0, 7.0], [0.0, 10.0, 0.0], [100.0, 1.0]),
        (lambda x, v: setitem(x, [1, 1], v), [7.0, 8.0], [1.0, 8.0, 4.0], [1.0, 0.0, 100.0], [0.0, 10.0]),
        (lambda x, v: setitem(x, [0, 2, 0, 0], v), [5.0, 6.0, 7.0, 8.0], [8.0, 2.0, 6.0], [0.0, 10.0, 0.0], [0.0, 100.0, 0.0, 1.0]),
        (lambda x, v: setitem(x, [1, 1], v), 7.0, [1.0, 7.0, 4.0], [1.0, 0.0, 100.0], 10.0),
        (lambda x, v: setitem(x, slice(0, 0), v), 7.0, [1.0, 2.0, 4.0], [1.0, 10.0, 100.0], 0.0),
    ],
)
def test_a_recorded_write_has_gradients_for_both_sides(
    write: Callable[..., Any], v: Any, result: list[float], to_x: list[float], to_v: Any
) -> None:
    y, dx, dv = recorded(write, [1.0, 2.0, 4.0], v)
    assert result == y.tolist()
    assert to_x == dx
    assert to_v == dv
    assert not y.is_leaf


@pytest.mark.parametrize("write", [w for w, _ in WRITES.values()], ids=WRITES)
def test_recorded_writes_pass_the_gradient_check(write: Callable[[mg.Tensor], Any]) -> None:
    def f(x: mg.Tensor) -> mg.Tensor:
        y = x * 1.0
        write(y)
        return y * y

    assert mg.gradcheck(f, leaf(1.2, 2.3, 4.4))
    assert mg.gradgradcheck(f, leaf(1.2, 2.3, 4.4))


@pytest.mark.parametrize(
    "index",
    [
        1,
        (0, 2),
        (slice(None), 1),
        (..., slice(None, None, 2)),
        (None, 1),
        ([0, 1], [2, 0]),
        ([0, 0], [2, 2]),
        (slice(None), [0, 0, 1]),
        ([[True, False, True], [False, True, False]],),
    ],
    ids=str,
)
def test_recorded_item_writes_pass_the_gradient_check(index: Any) -> None:
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    v = mg.tensor(np.random.default_rng(0).normal(size=x[index].shape), requires_grad=True)

    def f(x: mg.Tensor, v: mg.Tensor) -> mg.Tensor:
        y = x * 1.0
        y[index] = v
        return y * y * y

    assert mg.gradcheck(f, (x, v))
    assert mg.gradgradcheck(f, (x, v))


def test_writing_a_tracked_value_into_a_constant_makes_it_tracked() -> None:
    w = leaf(2, 3)
    x = mg.zeros(3, dtype=np.float64)
    before = x.array
    x[1:] = w * w
    assert [0.0, 0.0, 0.0] == before.tolist()
    assert x.requires_grad
    (x * plain(1, 10, 100)).sum().backward()
    assert [40.0, 600.0] == w.grad.tolist()


def test_a_loop_of_recorded_writes() -> None:
    x = leaf(2.0)
    states = mg.zeros(5, dtype=np.float64)
    states[0] = x[0]
    for i in range(1, 5):
        states[i] = states[i - 1] * x[0]
    assert [2.0, 4.0, 8.0, 16.0, 32.0] == states.tolist()
    states.sum().backward()
    assert [1 + 4 + 12 + 32 + 80.0] == x.grad.tolist()


def test_an_accumulator() -> None:
    w = leaf(1, 2, 3)
    total = mg.tensor(0.0, dtype=np.float64)
    for k in range(3):
        total += w[k] * w[k]
    total.backward()
    assert [2.0, 4.0, 6.0] == w.grad.tolist()


def test_a_recorded_write_overwrites_nothing_saved() -> None:
    x = leaf(1, 2)
    y = x * 3
    z = y * y  # saves y
    y += 100.0
    y[0] = 0.0
    (z.sum() + y.sum()).backward()
    assert [2 * 9 * 1.0, 2 * 9 * 2.0 + 3.0] == x.grad.tolist()


def test_a_value_written_may_change_afterwards() -> None:
    x, v = leaf(1, 2), plain(5, 6)
    y = x * 1.0
    y[:] = v
    v.zero_()
    assert [5.0, 6.0] == y.tolist()


def test_an_index_may_change_after_it_was_used() -> None:
    x = leaf(1, 2, 3)
    index, array = mg.tensor([0, 1]), np.array([1, 2])
    y = x[index].sum() + x[array].sum() * 10
    z = x * 1.0
    z[index] = 0.0
    index.fill_(2)
    array[:] = 0
    (y + z.sum() * 100).backward()
    assert [1.0, 11.0, 110.0] == x.grad.tolist()


def test_recorded_writes_keep_the_dtype() -> None:
    x = mg.ones(2, requires_grad=True)
    w = leaf(2, 3)
    y = x * 1
    y *= w
    y[0] = w[1]
    y.copy_(y * w)
    assert np.float32 == y.dtype
    y.sum().backward()
    assert (np.float32, np.float64) == (x.grad.dtype, w.grad.dtype)
    assert [0.0, 9.0] == x.grad.tolist()
    assert [3.0, 8.0] == w.grad.tolist()  # of w₁ w₀ + x₁ w₁²


def test_values_that_are_not_finite_do_not_survive_a_recorded_overwrite() -> None:
    for write in (lambda y: y.zero_(), lambda y: y.fill_(0.0), lambda y: y.copy_(plain(0, 0)), lambda y: setitem(y, ..., 0.0)):
        x = leaf(float("nan"), float("inf"))
        y = x * 1.0
        write(y)
        assert [0.0, 0.0] == y.tolist()
        y.sum().backward()
        assert [0.0, 0.0] == x.grad.tolist()


# ---- recorded writes and views


LOOKS = [
    lambda x: x[0:2],
    lambda x: x.reshape(3, 1),
    lambda x: x.expand(2, 3),
    lambda x: x[None].T,
    lambda x: x[::2],
    lambda x: x[:0],
]


@pytest.mark.parametrize("look", LOOKS)
def test_a_recorded_write_reaches_living_views(look: Callable[[mg.Tensor], mg.Tensor]) -> None:
    x, w = plain(1, 2, 3), leaf(5)
    view = look(x)
    x.mul_(w)
    x[0] = w[0] * 2
    after = [10.0, 10.0, 15.0]
    assert after == x.tolist()
    assert look(mg.tensor(after)).tolist() == view.tolist()
    (view.sum() + x.sum()).backward()
    counts = look(mg.tensor([0.0, 1.0, 2.0])).to(mg.int64).reshape(-1).tolist()
    slopes = [2.0, 2.0, 3.0]
    assert sum(slopes) + sum(slopes[i] for i in counts) == w.grad.item()


@pytest.mark.parametrize("look", [look for n, look in enumerate(LOOKS) if n != 2])
def test_a_recorded_write_through_a_view_reaches_the_whole(look: Callable[[mg.Tensor], mg.Tensor]) -> None:
    x, w = plain(1, 2, 3), leaf(5)
    look(x).mul_(w)
    places = look(mg.tensor([0, 1, 2])).reshape(-1).tolist()
    assert [n * 5.0 if i in places else n for i, n in enumerate([1.0, 2.0, 3.0])] == x.tolist()
    if places:
        x.sum().backward()
        assert sum([1.0, 2.0, 3.0][i] for i in places) == w.grad.item()


def test_writes_into_parts_of_a_tensor_and_from_its_own_parts() -> None:
    x, v = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), leaf(5, 7)
    z = x * 1
    kept = z[1]
    z[0] = z[1]
    z[1] += v
    z[:, 1] *= 2
    z.T.add_(1)
    kept *= 10
    assert [[4.0, 9.0], [90.0, 230.0]] == z.tolist()
    assert [90.0, 230.0] == kept.tolist()
    z.sum().backward()
    assert [[0.0, 0.0], [11.0, 22.0]] == x.grad.tolist()
    assert [10.0, 20.0] == v.grad.tolist()


def test_a_buffer_filled_row_by_row_carries_gradients() -> None:
    x, out = leaf(1, 2, 3), mg.zeros(3)
    for i in range(3):
        out[i] += x[i] * (i + 1)
    assert [1.0, 4.0, 9.0] == out.tolist()
    out.sum().backward()
    assert [1.0, 2.0, 3.0] == x.grad.tolist()


def test_views_whose_whole_is_gone_are_not_written_apart() -> None:
    x = mg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True) * 1
    left, right = x[:, :2], x[:, 1:]
    del x
    with pytest.raises(
        GraphError, match=r"mul_: this tensor shares its memory with other views, and the whole .* is gone; clone\(\)"
    ):
        left.mul_(2.0)
    assert [[2.0, 3.0], [5.0, 6.0]] == right.tolist()


def test_a_view_of_a_leaf_is_not_changed_in_place() -> None:
    x = leaf(1, 2, 3)
    view = x[:2]
    with pytest.raises(GraphError, match=r"add_: a view of a leaf that requires grad cannot be changed in place"):
        view += 1.0
    assert [1.0, 2.0, 3.0] == x.tolist()


def test_once_the_view_is_gone_the_write_is_recorded() -> None:
    x, w = plain(1, 2, 3), leaf(5)
    assert [1.0, 2.0] == x[:2].tolist()
    x[0] = w[0]
    x.sum().backward()
    assert [5.0, 2.0, 3.0] == x.tolist()
    assert [1.0] == w.grad.tolist()


def test_a_clone_is_no_view() -> None:
    x = leaf(1, 2) * 1.0
    copy = x.clone()
    picked = x[mg.tensor([0, 1])]
    x += 1.0
    assert ([1.0, 2.0], [1.0, 2.0], [2.0, 3.0]) == (copy.tolist(), picked.tolist(), x.tolist())


def test_a_recorded_write_through_a_temporary_view_is_not_lost() -> None:
    x, w = plain(1, 2), leaf(5)
    x[0:1][0] = w[0]
    assert [5.0, 2.0] == x.tolist()
    x.sum().backward()
    assert [1.0] == w.grad.tolist()


# ---- refused


def test_shapes_that_do_not_fit() -> None:
    w = leaf(1, 2) * 1.0
    for make in (lambda: plain(1, 2), lambda: w):
        with pytest.raises(ShapeError, match=r"add: shapes do not broadcast: a \(2,\), b \(3,\)"):
            make().add_(plain(1, 2, 3))
        with pytest.raises(ShapeError, match=r"add_: a value of shape \(2, 2\) does not fit a tensor of shape \(2,\)"):
            make().add_(mg.zeros(2, 2))
        with pytest.raises(ShapeError, match=r"copy_: a value of shape \(3,\) does not fit a tensor of shape \(2,\)"):
            make().copy_(plain(1, 2, 3))
        with pytest.raises(ShapeError, match=r"copy_: a value of shape \(2, 2\) does not fit a tensor of shape \(2,\)"):
            make().copy_(mg.zeros(2, 2))
        with pytest.raises(ShapeError, match=r"fill_: expected one number, got a value of shape \(2,\); use copy_"):
            make().fill_(plain(1, 2))
        with pytest.raises(ShapeError, match=r"setitem: .*\(the tensor has shape \(2,\), the value \(3,\)\)"):
            make()[:] = plain(1, 2, 3)
    assert [1.0, 2.0] == w.tolist()


def test_dtypes_that_do_not_fit() -> None:
    for write in (lambda n: n.add_(1.5), lambda n: n.div_(2), lambda n: itruediv(n, 2), lambda n: n.mul_(mg.ones(2))):
        n = mg.tensor([1, 2])
        with pytest.raises(DtypeError, match=r"_: a result of dtype float\d\d cannot be written into a tensor of dtype int64"):
            write(n)
        assert [1, 2] == n.tolist()
    with pytest.raises(DtypeError, match="add_: a result of dtype float64 cannot be written into a tensor of dtype int64"):
        mg.tensor([1, 2]).add_(leaf(1, 2))


@pytest.mark.parametrize("index", [5, -4, (0, 0), [0, 7], (slice(None), 1)], ids=str)
def test_an_index_out_of_range(index: Any) -> None:
    for x in (plain(1, 2, 3), leaf(1, 2, 3) * 1.0):
        with pytest.raises(IndexRangeError, match=r"setitem: .*\(the tensor has shape \(3,\)\)"):
            x[index] = 1.0
        with pytest.raises(IndexRangeError, match=r"getitem: .*\(the tensor has shape \(3,\)\)"):
            x[index]


@pytest.mark.parametrize("index", [0.5, [0.5], mg.tensor([1.0])], ids=str)
def test_an_index_of_another_type(index: Any) -> None:
    x = plain(1, 2)
    with pytest.raises(IndexRangeError, match="an index must be of integers or booleans"):
        x[index] = 1.0
    with pytest.raises(IndexRangeError, match="an index must be of integers or booleans"):
        x[index]


@pytest.mark.parametrize("value", ["a", None, 1j, {}, np.array("a"), np.array([None])], ids=repr)
def test_values_that_are_no_numbers(value: Any) -> None:
    x = plain(1, 2)
    with pytest.raises(InputTypeError, match="setitem: the value must be a Tensor or a number"):
        x[0] = value
    assert [1.0, 2.0] == x.tolist()


def test_a_read_only_array_is_refused() -> None:
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    x = mg.from_numpy(array)
    for write, _ in (WRITES["add_"], WRITES["item"], WRITES["zero_"]):
        with pytest.raises(ArgumentError, match=r"in-place write: the array behind this tensor is read-only; clone\(\) it first"):
            write(x)
    assert [1.0, 2.0] == x.tolist()


# ---- the setting `inplace`


@mg.elementwise
def scaled(x: mg.Tensor, factor: float = 2.0, inplace: bool = False) -> mg.Tensor:
    return x * factor


@scaled.backward("x")
def _(g: Any, factor: float) -> Any:
    return g * factor


@pytest.mark.parametrize(
    "call",
    [
        lambda x: scaled(x, 3.0, True),
        lambda x: scaled(x, 3.0, inplace=True),
        lambda x: scaled(x, inplace=True, factor=3.0),
        lambda x: scaled(input=x, factor=3.0, inplace=1),
    ],
)
def test_inplace_takes_the_first_inputs_place(call: Any) -> None:
    x = plain(1.0, 2.0)
    view = x[:1]
    assert x is call(x)
    assert [3.0, 6.0] == x.tolist()
    assert [3.0] == view.tolist()
    leaf = mg.tensor([1.0, 2.0], requires_grad=True)
    y = leaf * 1
    assert y is call(y)
    y.sum().backward()
    assert [3.0, 3.0] == leaf.grad.tolist()
    with pytest.raises(GraphError, match="scaled_: a leaf that requires grad cannot be changed in place"):
        call(leaf)


def test_without_inplace_the_input_stays() -> None:
    x = plain(1.0, 2.0)
    for y in (scaled(x), scaled(x, 2.0, False), scaled(x, inplace=False)):
        assert [2.0, 4.0] == y.tolist()
    assert [1.0, 2.0] == x.tolist()


def test_an_overwritten_value_that_a_step_saved_is_noticed() -> None:
    leaf = mg.tensor([1.0, 2.0], requires_grad=True)
    x = leaf.detach()
    y = leaf * x
    nn.functional.relu6(x, inplace=True)
    with pytest.raises(GraphError, match="mul"):
        y.sum().backward()

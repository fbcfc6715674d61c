"""Gradients that meet at one tensor: added up in place, but only in arrays that nobody else holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import arrays
from minigrad.ops import indexing

MASK = np.array([[True, False, True, True], [False] * 4, [True, True, False, False]])
INDICES: tuple[Any, ...] = (
    0, -1, slice(1, None), (slice(None), 2), (..., slice(None, None, -2)), (1, 2), None, ..., [0, 0, 2], ([2, 0, 2], [1, 1, 1]),
    (slice(None), [3, 0, 3]), ([True, False, True], [1, 1]), (slice(0, 2), [1, 1]), MASK, True, False, np.int64(2), np.int32(1),
)  # fmt: skip


def numbers(*shape: int) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(len(shape)).standard_normal(shape))


def total(parts: Any) -> mg.Tensor:
    """A sum in which every element has a weight of its own."""
    weights = np.random.default_rng(3)
    return sum((part * mg.tensor(weights.standard_normal(part.shape))).sum() for part in parts)  # type: ignore[return-value]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_pieces_add_up_wherever_they_are_from(index: Any) -> None:
    x, weights = numbers(3, 4).requires_grad_(), np.random.default_rng(3)
    total([x[index], x[1:], x[index]]).backward()
    expected, plain = np.zeros((3, 4)), indexing.plain_index(index)
    for place in (plain, slice(1, None), plain):
        np.add.at(expected, place, weights.standard_normal(np.shape(expected[place])))
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "cut",
    [mg.unbind, lambda x: mg.split(x, 2), lambda x: mg.chunk(x, 3, 1), tuple, lambda x: [x[i] for i in range(5)]],
    ids=["unbind", "split", "chunk", "iteration", "getitem"],
)
def test_the_whole_is_made_once_however_many_the_pieces(cut: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    put = arrays.put.array
    monkeypatch.setattr(arrays.put, "array", lambda *args: made.append(args) or put(*args))
    x = numbers(5, 6).requires_grad_()
    loss = total(cut(x))
    loss.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    loss.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * first)
    assert len(made) == 2


def test_pieces_and_a_gradient_that_was_handed_on() -> None:
    """x + y hands its gradient to both: adding the piece of one must not reach the other, nor the hook, nor what the caller gave."""
    x, y, seen = numbers(3, 4).requires_grad_(), numbers(3, 4).requires_grad_(), []
    piece = x[1]
    z = x + y
    z.register_hook(lambda g: seen.append(g))
    given = mg.ones(3, 4, dtype=np.float64)
    mg.autograd.backward([z, piece, x[0]], [given, mg.ones(4, dtype=np.float64), mg.ones(4, dtype=np.float64)])
    np.testing.assert_array_equal(x.grad.numpy(), [[2] * 4, [2] * 4, [1] * 4])
    for untouched in (y.grad, given, *seen):
        np.testing.assert_array_equal(untouched.numpy(), np.ones((3, 4)))


def test_a_gradient_asked_for_on_the_way_stays_as_it_was() -> None:
    x = numbers(3, 4).requires_grad_()
    middle = x * 1
    whole = middle + 0
    loss = total([*whole, *x])
    by_middle, by_whole, by_x = mg.grad(loss, [middle, whole, x])
    weights = np.random.default_rng(3)
    np.testing.assert_array_equal(by_middle, np.stack([weights.standard_normal(4) for _ in range(3)]))
    np.testing.assert_array_equal(by_whole, by_middle)
    np.testing.assert_allclose(by_x, by_middle.numpy() + np.stack([weights.standard_normal(4) for _ in range(3)]))


def test_a_hook_of_the_whole_sees_the_sum_and_may_replace_it() -> None:
    x = numbers(3, 4).requires_grad_()
    whole, seen = x * 1, []
    whole.register_hook(lambda g: seen.append(g.numpy().copy()) or 2 * g)
    total([*whole, whole]).backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * seen[0])


def test_many_terms_are_added_up_in_one_array() -> None:
    x = numbers(3, 4).requires_grad_()
    total([x * k for k in range(5)]).backward()
    weights = np.random.default_rng(3)
    np.testing.assert_allclose(x.grad.numpy(), sum(k * weights.standard_normal((3, 4)) for k in range(5)), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_pieces_are_added_to_a_gradient_in_another_layout(index: Any) -> None:
    """A gradient that is transposed in memory, and held nowhere else: what is added to a copy of it would be lost."""
    x, weights = numbers(3, 4).requires_grad_(), np.random.default_rng(3)
    piece = x[index]
    total([x.T * 2, x.T * 3, piece]).backward()
    first = (2 * weights.standard_normal((4, 3)) + 3 * weights.standard_normal((4, 3))).T
    plain = indexing.plain_index(index)
    np.add.at(first, plain, weights.standard_normal(np.shape(first[plain])))
    np.testing.assert_allclose(x.grad.numpy(), first, rtol=1e-13, atol=1e-14)


def test_pieces_have_second_derivatives() -> None:
    mg.gradgradcheck(
        lambda x: total([row**3 * x[0] for row in (*x, *mg.split(x, 2), x[[0, 0, 2]])]), [numbers(3, 4).requires_grad_()]
    )


def test_the_step_that_made_a_bad_gradient_is_named_also_where_it_is_the_second_to_arrive() -> None:
    x = mg.zeros(3, dtype=np.float64).requires_grad_()
    with mg.detect_anomaly(), pytest.raises(mg.errors.AnomalyError, match="the backward pass of sqrt made"):
        total([x.sqrt(), x[0] * 2]).backward()

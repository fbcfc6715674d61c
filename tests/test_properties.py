"""Laws that hold for all shapes: indexing and its adjoint, order, joining and splitting, the algebra of shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg

quick = settings(max_examples=60, deadline=None)
whole = st.integers(-50, 50).map(float)  # sums of such numbers are exact
arrays = hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5), elements=whole)


def indices(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Every form of index: basic, boolean, and integer arrays that repeat themselves."""
    parts = [
        st.one_of(st.integers(-n, n - 1), st.slices(n), st.lists(st.integers(-n, n - 1), min_size=2, max_size=2)) for n in shape
    ]
    basic = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    return st.one_of(
        basic, hnp.arrays(np.bool_, shape), st.tuples(*parts), hnp.integer_array_indices(shape, result_shape=st.just((3,)))
    )


def gradient(function: Any, x: Any) -> Any:
    t = mg.tensor(x, requires_grad=True)
    return mg.grad(function(t), t)[0].numpy()


@quick
@given(st.data(), arrays)
def test_reading_what_was_written(data: Any, x: Any) -> None:
    index = data.draw(indices(x.shape))
    index = tuple(np.array(part) if isinstance(part, list) else part for part in index) if isinstance(index, tuple) else index
    t = mg.tensor(x)
    assert np.array_equal(x[index], t[index].numpy())
    t[index] = t[index]
    assert np.array_equal(x, t.numpy())
    t[index] = 77.0
    assert (t[index].numpy() == 77).all()
    x[index] = 77.0
    assert np.array_equal(x, t.numpy())


@quick
@given(st.data(), arrays)
def test_the_adjoint_of_indexing_counts_how_often_an_element_is_read(data: Any, x: Any) -> None:
    index = data.draw(indices(x.shape))
    index = tuple(np.array(part) if isinstance(part, list) else part for part in index) if isinstance(index, tuple) else index
    counts = np.bincount(np.ravel(np.arange(x.size).reshape(x.shape)[index]), minlength=x.size).reshape(x.shape)
    assert np.array_equal(counts, gradient(lambda t: t[index].sum(), x))


@quick
@given(st.data(), arrays)
def test_reductions_do_not_depend_on_the_order_of_elements(data: Any, x: Any) -> None:
    shuffled = np.array(data.draw(st.permutations(x.ravel().tolist())))
    t, s = mg.tensor(x), mg.tensor(shuffled)
    for name in ("sum", "amax", "amin", "median", "count_nonzero", "any", "all"):
        assert getattr(t, name)().item() == getattr(s, name)().item(), name
    assert np.array_equal(t.reshape(-1).sort().values, s.sort().values)
    assert np.array_equal(t.unique(), s.unique())


@quick
@given(st.data(), arrays)
def test_sorting_is_a_permutation_and_topk_its_beginning(data: Any, x: Any) -> None:
    dim, descending = data.draw(st.integers(-x.ndim, x.ndim - 1)), data.draw(st.booleans())
    t = mg.tensor(x)
    values, places = t.sort(dim, descending)
    assert np.array_equal(values, np.flip(np.sort(x, dim), dim) if descending else np.sort(x, dim))
    assert np.array_equal(values, t.gather(dim, places))
    assert np.array_equal(t, mg.zeros(x.shape, dtype=mg.float64).scatter(dim, places, values))
    k = data.draw(st.integers(0, x.shape[dim]))
    assert np.array_equal(t.topk(k, dim, largest=descending).values, values.narrow(dim, 0, k))
    assert np.array_equal(np.ones(x.shape), gradient(lambda t: t.sort(dim)[0].sum(), x))


@quick
@given(st.data(), arrays)
def test_splitting_and_joining_undo_each_other(data: Any, x: Any) -> None:
    dim, size = data.draw(st.integers(-x.ndim, x.ndim - 1)), data.draw(st.integers(1, 6))
    t = mg.tensor(x)
    for parts in (t.split(size, dim), t.chunk(size, dim)):
        assert np.array_equal(x, mg.cat(parts, dim))
    assert np.array_equal(x, mg.stack(t.unbind(dim), dim))


@quick
@given(st.data(), arrays)
def test_moves_undo_each_other(data: Any, x: Any) -> None:
    axis = st.integers(-x.ndim, x.ndim - 1)
    a, b, shift = data.draw(axis), data.draw(axis), data.draw(st.integers(-7, 7))
    order = data.draw(st.permutations(range(x.ndim)))
    t = mg.tensor(x)
    for there_and_back in (
        t.movedim(a, b).movedim(b, a),
        t.transpose(a, b).transpose(a, b),
        t.permute(order).permute(np.argsort(order).tolist()),
        t.flip(a).flip(a),
        t.roll(shift, a).roll(-shift, a),
        t.reshape(-1).reshape(x.shape),
        t.unsqueeze(a).squeeze(a),
        t.tril() + t.triu(1) if x.ndim > 1 else t,
    ):
        assert np.array_equal(x, there_and_back.reshape(x.shape))


@quick
@given(st.data(), arrays)
def test_repeating_multiplies_sizes_and_gradients(data: Any, x: Any) -> None:
    counts = tuple(data.draw(st.lists(st.integers(0, 3), min_size=x.ndim, max_size=x.ndim)))
    y = mg.tensor(x).repeat(counts)
    assert tuple(n * c for n, c in zip(x.shape, counts, strict=True)) == y.shape
    assert np.array_equal(np.full(x.shape, math.prod(counts)), gradient(lambda t: t.repeat(counts).sum(), x))


@quick
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4))
def test_broadcasting_is_undone_by_the_sum_of_gradients(shapes: Any) -> None:
    tensors = [mg.ones(shape, dtype=mg.float64, requires_grad=True) for shape in shapes.input_shapes]
    wide = mg.broadcast_tensors(*tensors)
    assert [shapes.result_shape] * 2 == [y.shape for y in wide] == [(tensors[0] + tensors[1]).shape] * 2
    size = math.prod(shapes.result_shape)
    for x, g in zip(tensors, mg.grad((tensors[0] * tensors[1]).sum(), tensors), strict=True):
        assert np.array_equal(np.full(x.shape, size / max(x.numel(), 1)), g.numpy())


@quick
@given(st.data(), arrays)
def test_gradients_are_linear_in_the_cotangent(data: Any, x: Any) -> None:
    t = mg.tensor(x / 8, requires_grad=True)
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    for y in (t.cumsum(dim), t.cumprod(dim), t.logsumexp(dim), t.prod(dim), t.norm(dim=dim), t.roll(1, dim)):
        v, w = (np.random.default_rng(seed).integers(-4, 5, y.shape).astype(float) for seed in (0, 1))
        pulled = [mg.grad(y, t, mg.tensor(c), retain_graph=True)[0].numpy() for c in (v, w, 2 * v - 3 * w)]
        np.testing.assert_allclose(pulled[2], 2 * pulled[0] - 3 * pulled[1], rtol=1e-9, atol=1e-9 * (1 + np.abs(pulled).max()))


@quick
@given(arrays)
def test_running_results_end_in_the_whole_result(x: Any) -> None:
    t = mg.tensor(x / 64)
    for scan, reduction in ((mg.cumsum, mg.sum), (mg.cumprod, mg.prod), (mg.logcumsumexp, mg.logsumexp)):
        np.testing.assert_allclose(scan(t, 0)[-1].numpy(), reduction(t, 0).numpy(), rtol=1e-12, atol=1e-12)

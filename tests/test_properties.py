"""Laws that hold for all shapes, indices and graphs, tried on drawn ones: the same ones in every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad import autograd

Array = np.ndarray

settings.register_profile(
    "minigrad",
    max_examples=60,
    derandomize=True,  # the same examples in every run
    database=None,
    deadline=None,  # a first call compiles
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("minigrad")

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FILLED = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


def numbers(seed: int, shape: Sequence[int]) -> Array:
    """Distinct numbers between 0.2 and 2: no ties, no kinks, no poles."""
    return np.asarray(np.random.default_rng(seed).uniform(0.2, 2, tuple(shape)))


def leaf(array: Array) -> mg.Tensor:
    return mg.tensor(array, requires_grad=True)


def gradients(y: mg.Tensor, *inputs: mg.Tensor, weights: Array | None = None) -> list[Array]:
    """At the inputs, of the sum of y with weights that are all different."""
    w = np.random.default_rng(7).uniform(0.5, 1.5, y.shape) if weights is None else weights
    return [g.numpy() for g in mg.grad((y * mg.tensor(w)).sum(), inputs, materialize_grads=True) if g is not None]


def close(expected: Any, actual: Any) -> None:
    expected, actual = (x.detach().numpy() if isinstance(x, mg.Tensor) else np.asarray(x) for x in (expected, actual))
    assert expected.shape == actual.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


def equal(expected: Any, actual: Any) -> None:
    expected, actual = (x.detach().numpy() if isinstance(x, mg.Tensor) else np.asarray(x) for x in (expected, actual))
    assert expected.shape == actual.shape
    np.testing.assert_array_equal(actual, expected)


# ---- broadcasting

BINARY = [mg.add, mg.sub, mg.mul, mg.div, mg.maximum, mg.minimum, mg.pow]
PAIRS = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=4)


def summed(g: Array, shape: tuple[int, ...]) -> Array:
    """Over the axes along which an array of `shape` was repeated."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@given(shapes=PAIRS, seed=SEEDS)
def test_broadcasting_is_repeating_the_operands(f: Callable[..., mg.Tensor], shapes: Any, seed: int) -> None:
    arrays = [numbers(seed + i, shape) for i, shape in enumerate(shapes.input_shapes)]
    repeated = [np.broadcast_to(a, shapes.result_shape).copy() for a in arrays]
    few, many = [leaf(a) for a in arrays], [leaf(a) for a in repeated]
    equal(f(*many), f(*few))
    for a, whole, part in zip(arrays, gradients(f(*many), *many), gradients(f(*few), *few), strict=True):
        close(summed(whole, a.shape), part)


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3), seed=SEEDS)
def test_where_broadcasts_its_condition_too(shapes: Any, seed: int) -> None:
    c, a, b = (numbers(seed + i, shape) for i, shape in enumerate(shapes.input_shapes))
    x, y = leaf(a), leaf(b)
    z = mg.where(mg.tensor(c > 1), x, y)
    equal(np.where(c > 1, a, b), z)
    w = np.random.default_rng(7).uniform(0.5, 1.5, z.shape)
    for array, mask, g in zip((a, b), (c > 1, c <= 1), gradients(z, x, y), strict=True):
        close(summed(np.broadcast_to(mask, z.shape) * w, array.shape), g)


@given(shapes=hnp.mutually_broadcastable_shapes(signature="(n,k),(k,m)->(n,m)", max_dims=2, min_side=1, max_side=3), seed=SEEDS)
def test_matmul_broadcasts_its_batches(shapes: Any, seed: int) -> None:
    arrays = [numbers(seed + i, shape) for i, shape in enumerate(shapes.input_shapes)]
    batch = shapes.result_shape[:-2]
    few, many = [leaf(a) for a in arrays], [leaf(np.broadcast_to(a, (*batch, *a.shape[-2:])).copy()) for a in arrays]
    close(np.matmul(*arrays), few[0] @ few[1])
    for a, whole, part in zip(arrays, gradients(many[0] @ many[1], *many), gradients(few[0] @ few[1], *few), strict=True):
        close(summed(whole, a.shape), part)


# ---- random graphs: nodes of drawn operations on drawn earlier nodes, bounded, smooth

UNARY: dict[str, Callable[[mg.Tensor], mg.Tensor]] = {
    "tanh": mg.tanh,
    "sigmoid": mg.sigmoid,
    "softplus": mg.softplus,
    "gelu": mg.gelu,
    "square": lambda x: x * x * 0.5,
    "exp": lambda x: mg.exp(-x * x),
    "norm": lambda x: mg.sqrt(x * x + 1.0),
    "mean": lambda x: x.mean(),
    "sum over the last axis": lambda x: x.sum(-1, keepdim=True) / 3 if x.ndim else x,
    "logsumexp": lambda x: mg.logsumexp(x, 0, keepdim=True) if x.ndim else x,
    "softmax": lambda x: mg.softmax(x, -1) if x.ndim else x,
    "transposed twice": lambda x: x.transpose(-1, -2).exp().transpose(-1, -2) * 0.1 if x.ndim == 2 else x,
    "first row": lambda x: x[:1] if x.ndim else x,
    "backwards": lambda x: x.reshape(-1)[::-1].reshape(x.shape) if x.ndim else x,
}
MIXING: dict[str, Callable[[mg.Tensor, mg.Tensor], mg.Tensor]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: mg.tanh(a) * b,
    "/": lambda a, b: a / (1.5 + b * b),
    "lerp": lambda a, b: a + (b - a) * mg.sigmoid(a),
}
LEAVES = ((2, 3), (3,), (2, 1), ())

Recipe = list[tuple[str, int, int]]
RECIPES = st.lists(st.tuples(st.sampled_from([*UNARY, *MIXING]), st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=8)


def graph(recipe: Recipe, inputs: Sequence[mg.Tensor]) -> mg.Tensor:
    """A number made of the inputs: of the last node, and of a little of all others, so that paths meet."""
    nodes = list(inputs)
    for name, i, j in recipe:
        a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes.append(UNARY[name](a) if name in UNARY else MIXING[name](a, b))
    rest = [node.sum() * 0.1 for node in nodes[:-1]]
    return nodes[-1].sum() + sum(rest[1:], rest[0])


def drawn_leaves(seed: int) -> list[mg.Tensor]:
    rng = np.random.default_rng(seed)
    return [leaf(np.asarray(rng.standard_normal(shape))) for shape in LEAVES]


@given(recipe=RECIPES, seed=SEEDS)
def test_chain_rule_against_differences(recipe: Recipe, seed: int) -> None:
    assert mg.gradcheck(lambda *inputs: graph(recipe, inputs), drawn_leaves(seed), mode="random")


@settings(max_examples=25)
@given(recipe=RECIPES, seed=SEEDS)
def test_chain_rule_of_second_order_against_differences(recipe: Recipe, seed: int) -> None:
    assert mg.gradgradcheck(lambda *inputs: graph(recipe, inputs), drawn_leaves(seed), mode="random")


@given(first=RECIPES, second=RECIPES, seed=SEEDS, factors=st.tuples(*[st.floats(-3, 3)] * 2))
def test_gradients_are_linear(first: Recipe, second: Recipe, seed: int, factors: tuple[float, float]) -> None:
    """∇(αf + βg) = α ∇f + β ∇g."""
    inputs = drawn_leaves(seed)
    alpha, beta = factors
    f, g = graph(first, inputs), graph(second, inputs)
    both = gradients(f * alpha + g * beta, *inputs, weights=np.ones(()))
    parts = [gradients(graph(recipe, inputs), *inputs, weights=np.ones(())) for recipe in (first, second)]
    for whole, a, b in zip(both, *parts, strict=True):
        np.testing.assert_allclose(whole, alpha * a + beta * b, rtol=1e-10, atol=1e-10)


@given(recipe=RECIPES, seed=SEEDS)
def test_backward_twice_adds_up_and_agrees_with_grad(recipe: Recipe, seed: int) -> None:
    inputs = drawn_leaves(seed)
    expected = gradients(graph(recipe, inputs), *inputs, weights=np.ones(()))
    loss = graph(recipe, inputs)
    loss.backward(retain_graph=True)
    loss.backward()
    for x, g in zip(inputs, expected, strict=True):
        close(2 * g, x.grad)


@given(recipe=RECIPES, seed=SEEDS)
def test_a_checkpoint_changes_no_bit(recipe: Recipe, seed: int) -> None:
    inputs = drawn_leaves(seed)
    plain = mg.grad(graph(recipe, inputs), inputs)
    kept = autograd.checkpoint(lambda *inputs: graph(recipe, inputs), *inputs)
    assert 0 == autograd.saved_memory(kept).total
    for a, b in zip(plain, mg.grad(kept, inputs), strict=True):
        equal(a, b)


@given(recipe=RECIPES, seed=SEEDS)
def test_products_with_the_jacobian_are_adjoint(recipe: Recipe, seed: int) -> None:
    """u · (J v) = (uᵀ J) · v, for the function from the leaves to its own gradient: J is the Hessian, hence symmetric too."""
    inputs = tuple(x.detach() for x in drawn_leaves(seed))
    u, v = (tuple(x.detach() for x in drawn_leaves(seed + k)) for k in (1, 2))

    def dot(a: Sequence[mg.Tensor], b: Sequence[mg.Tensor]) -> float:
        return sum((x * y).sum().item() for x, y in zip(a, b, strict=True))

    def scalar(*inputs: mg.Tensor) -> mg.Tensor:
        return graph(recipe, inputs)

    forward, backward = autograd.hvp(scalar, inputs, v)[1], autograd.vhp(scalar, inputs, u)[1]
    np.testing.assert_allclose(dot(u, forward), dot(backward, v), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dot(u, forward), dot(v, autograd.hvp(scalar, inputs, u)[1]), rtol=1e-9, atol=1e-9)


@given(recipe=RECIPES, seed=SEEDS)
def test_no_grad_changes_no_value_and_records_nothing(recipe: Recipe, seed: int) -> None:
    inputs = drawn_leaves(seed)
    with mg.no_grad():
        y = graph(recipe, inputs)
    assert not y.requires_grad
    assert y.is_leaf
    equal(graph(recipe, inputs), y)
    equal(graph(recipe, [x.detach() for x in inputs]), y)


@given(recipe=RECIPES, seed=SEEDS, which=st.integers(0, len(LEAVES) - 1))
def test_detached_inputs_are_constants(recipe: Recipe, seed: int, which: int) -> None:
    inputs = drawn_leaves(seed)
    expected = gradients(graph(recipe, inputs), *inputs, weights=np.ones(()))
    inputs[which] = inputs[which].detach()
    y = graph(recipe, inputs)
    others = [x for i, x in enumerate(inputs) if i != which]
    for a, b in zip([g for i, g in enumerate(expected) if i != which], mg.grad(y, others), strict=True):
        close(a, b)


@given(shape=SHAPES, seed=SEEDS)
def test_detach_cuts_one_path_only(shape: tuple[int, ...], seed: int) -> None:
    a = numbers(seed, shape)
    x = leaf(a)
    equal(a, mg.grad((x * x.detach()).sum(), x)[0])
    equal(a + a, mg.grad((x * x).sum(), x)[0])


# ---- indexing, against NumPy


@st.composite
def indexed(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    """A shape, and an index of it in one of NumPy's forms: slices, numbers, arrays of numbers, masks, None, Ellipsis, mixed."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
    common = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3))
    parts: list[Any] = []
    axis = 0
    for _ in range(draw(st.integers(0, len(shape)))):
        kind = draw(st.sampled_from(["slice", "number", "array", "broadcast array", "mask", "wide mask"]))
        if axis >= len(shape):
            break
        n = shape[axis]
        if n == 0 and kind != "mask":
            kind = "slice"
        if kind == "slice":
            parts.append(draw(st.slices(n)))
        elif kind == "number":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind.endswith("array"):
            sizes = common if kind == "array" else tuple(draw(st.sampled_from([1, k])) for k in common)
            parts.append(draw(hnp.arrays(np.int64, sizes, elements=st.integers(-n, n - 1))))
        else:
            wide = shape[axis : axis + (2 if kind == "wide mask" else 1)]
            parts.append(draw(hnp.arrays(np.bool_, wide)))
            axis += len(wide) - 1
        axis += 1
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), Ellipsis)
    index = tuple(parts) if len(parts) != 1 or draw(st.booleans()) else parts[0]
    try:
        np.zeros(shape)[index]
    except IndexError:  # masks and arrays that do not broadcast, or Ellipsis between a wide mask and too many numbers
        assume(False)
    return shape, index


def as_tensors(index: Any) -> Any:
    """Arrays as Tensors, lists as lists: minigrad takes both."""
    if isinstance(index, tuple):
        return tuple(as_tensors(part) for part in index)
    return mg.tensor(index) if isinstance(index, np.ndarray) else index


@settings(max_examples=300)
@given(drawn=indexed(), seed=SEEDS)
def test_getitem_is_numpys_and_its_gradient_goes_back(drawn: Any, seed: int) -> None:
    shape, index = drawn
    a = numbers(seed, shape)
    x = leaf(a)
    y = x[as_tensors(index)]
    equal(a[index], y)
    equal(a[index], mg.tensor(a)[index])
    w = np.asarray(np.random.default_rng(seed).standard_normal(y.shape))
    expected = np.zeros(shape)
    np.add.at(expected, index, w)
    close(expected, gradients(y, x, weights=w)[0])


@settings(max_examples=300)
@given(drawn=indexed(), seed=SEEDS, plain=st.booleans())
def test_setitem_is_numpys_and_its_gradients_are_those_of_what_stays(drawn: Any, seed: int, plain: bool) -> None:
    shape, index = drawn
    a = numbers(seed, shape)
    v = numbers(seed + 1, a[index].shape)
    if plain and v.ndim:
        v = v[:1] if v.shape[0] else v  # broadcasts
    expected = a.copy()
    expected[index] = v
    target = mg.tensor(a)
    target[as_tensors(index)] = mg.tensor(v)
    equal(expected, target)

    x, values = leaf(a), leaf(v)
    y = x * 1.0
    y[as_tensors(index)] = values
    equal(expected, y)
    w = np.asarray(np.random.default_rng(seed).standard_normal(shape))
    # Where each element of the result comes from: from x, or from which element of the values.
    source = np.full(shape, -1)
    source[index] = np.broadcast_to(np.arange(v.size).reshape(v.shape), a[index].shape)
    dx, dv = gradients(y, x, values, weights=w)
    close(np.where(source < 0, w, 0), dx)
    close(np.array([w[source == i].sum() for i in range(v.size)]).reshape(v.shape), dv)


@given(drawn=indexed(), seed=SEEDS)
def test_writing_back_what_was_read_changes_nothing(drawn: Any, seed: int) -> None:
    shape, index = drawn
    x = leaf(numbers(seed, shape))
    y = x * 1.0
    y[index] = y[index] * 1.0
    equal(x, y)
    w = np.asarray(np.random.default_rng(seed).standard_normal(shape))
    close(w, gradients(y, x, weights=w)[0])


# ---- order makes no difference


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_reductions_do_not_see_the_order(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    order = np.random.default_rng(seed).permutation(shape[dim])
    permuted = a.take(order, dim)
    for f in (mg.sum, mg.mean, mg.amax, mg.amin, mg.logsumexp):
        close(f(mg.tensor(a), dim), f(mg.tensor(permuted), dim))
    close(mg.var(mg.tensor(a), dim, correction=0), mg.var(mg.tensor(permuted), dim, correction=0))
    x, z = leaf(a), leaf(permuted)
    close(gradients(mg.logsumexp(x, dim), x)[0].take(order, dim), gradients(mg.logsumexp(z, dim), z)[0])


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_softmax_follows_the_order_and_ignores_a_shift(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    order = np.random.default_rng(seed).permutation(shape[dim])
    for f in (mg.softmax, mg.log_softmax):
        close(f(mg.tensor(a), dim).numpy().take(order, dim), f(mg.tensor(a.take(order, dim)), dim))
        close(f(mg.tensor(a), dim), f(mg.tensor(a + 3.0), dim))
    close(np.ones(mg.softmax(mg.tensor(a), dim).sum(dim).shape), mg.softmax(mg.tensor(a), dim).sum(dim))
    x = leaf(a)
    close(np.zeros(shape).sum(dim), gradients(mg.softmax(x, dim), x)[0].sum(dim))


@given(rows=st.integers(1, 6), classes=st.integers(1, 5), seed=SEEDS, smoothing=st.sampled_from([0.0, 0.1]))
def test_cross_entropy_does_not_see_the_order_of_the_batch(rows: int, classes: int, seed: int, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    logits, target, order = rng.standard_normal((rows, classes)), rng.integers(0, classes, rows), rng.permutation(rows)
    losses, found = [], []
    for rows_of in (np.arange(rows), order):
        x = leaf(logits[rows_of])
        loss = mg.cross_entropy(x, mg.tensor(target[rows_of]), label_smoothing=smoothing)
        losses.append(loss)
        found.append(gradients(loss, x, weights=np.ones(()))[0])
    close(*losses)
    close(found[0][order], found[1])
    close(np.zeros(rows), found[0].sum(1))


# ---- shapes


@st.composite
def reshaped(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes of equally many elements."""
    factors = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    cuts = sorted(draw(st.lists(st.integers(0, len(factors)), max_size=3)))
    ends = [0, *cuts, len(factors)]
    return tuple(factors), tuple(int(np.prod(factors[a:b])) for a, b in pairwise(ends))


def adjoint(f: Callable[[mg.Tensor], mg.Tensor], a: Array) -> None:
    """For a linear f: w · f(x) = (what the backward pass makes of w) · x."""
    x = leaf(a)
    y = f(x)
    w = np.asarray(np.random.default_rng(3).standard_normal(y.shape))
    np.testing.assert_allclose((w * y.detach().numpy()).sum(), (gradients(y, x, weights=w)[0] * a).sum(), rtol=1e-10, atol=1e-12)


@given(shapes=reshaped(), seed=SEEDS)
def test_reshape_goes_back(shapes: Any, seed: int) -> None:
    before, after = shapes
    a = numbers(seed, before)
    x = mg.tensor(a)
    equal(a.reshape(after), x.reshape(after))
    equal(a, x.reshape(after).reshape(before))
    equal(a.ravel(), x.flatten())
    equal(a, x.reshape(after).flatten().reshape(*before[:-1], -1))
    adjoint(lambda x: x.reshape(after), a)


@given(shape=SHAPES, seed=SEEDS)
def test_permute_and_transpose_go_back(shape: tuple[int, ...], seed: int) -> None:
    a = numbers(seed, shape)
    x, order = mg.tensor(a), np.random.default_rng(seed).permutation(len(shape))
    permuted = x.permute(*map(int, order)) if shape else x
    equal(a.transpose(order), permuted)
    if shape:
        equal(a, permuted.permute(*map(int, np.argsort(order))))
        equal(a, x.transpose(0, -1).transpose(-1, 0))
        adjoint(lambda x: x.permute(*map(int, order)), a)


@given(shape=SHAPES, seed=SEEDS, data=st.data())
def test_unsqueeze_and_expand_go_back(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    x = mg.tensor(a)
    dim = data.draw(st.integers(-len(shape) - 1, len(shape)))
    wide = x.unsqueeze(dim)
    equal(np.expand_dims(a, dim), wide)
    equal(a, wide.squeeze(dim))
    repeated = wide.expand(*[3 if i == dim % (len(shape) + 1) else -1 for i in range(len(shape) + 1)])
    close(a, repeated.mean(dim))
    adjoint(lambda x: x.unsqueeze(dim).expand(repeated.shape), a)


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_cat_and_stack_put_pieces_together_again(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    x = leaf(a)
    dim = data.draw(st.integers(0, len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[dim]), max_size=3)))
    ends = [0, *cuts, shape[dim]]
    at = (slice(None),) * dim
    pieces = [x[(*at, slice(i, j))] for i, j in pairwise(ends)]
    whole, stacked = mg.cat(pieces, dim), mg.stack([x[(*at, i)] for i in range(shape[dim])], dim)
    equal(a, whole)
    equal(a, stacked)
    w = np.asarray(np.random.default_rng(seed).standard_normal(shape))
    equal(w, gradients(whole, x, weights=w)[0])
    equal(w, gradients(stacked, x, weights=w)[0])


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_taking_apart_and_turning_go_back(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    dim, count = data.draw(st.integers(-len(shape), len(shape) - 1)), data.draw(st.integers(1, 5))
    at = data.draw(st.integers(0, shape[dim]))
    x = mg.tensor(a)
    equal(a, mg.cat(mg.split(x, count, dim), dim))
    equal(a, mg.cat(mg.split(x, [at, shape[dim] - at], dim), dim))
    equal(a, mg.cat(mg.chunk(x, count, dim), dim))
    equal(a, mg.stack(mg.unbind(x, dim), dim))
    equal(a, mg.flip(mg.flip(x, (dim,)), (dim,)))
    equal(a, mg.roll(mg.roll(x, count, dim), -count, dim))
    adjoint(lambda x: mg.cat(mg.split(x, count, dim)[::-1], dim), a)
    adjoint(lambda x: mg.flip(mg.roll(x, count, dim), (dim,)), a)


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_sums_over_axes_compose(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    """Σ over two axes is Σ over one, then over the other; the mean is the sum by the count."""
    a = numbers(seed, shape)
    x = mg.tensor(a)
    dims = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1)))
    step = x
    for dim in dims:
        step = step.sum(dim, keepdim=True)
    close(step, x.sum(dims, keepdim=True))
    close(x.sum(dims) / float(np.prod([shape[d] for d in dims])), x.mean(dims))
    adjoint(lambda x: x.mean(dims), a)


# ---- order and running results


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_sorting_is_a_permutation_and_topk_its_beginning(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    dim, descending = data.draw(st.integers(-len(shape), len(shape) - 1)), data.draw(st.booleans())
    x = mg.tensor(a)
    values, places = x.sort(dim, descending)
    equal(np.flip(np.sort(a, dim), dim) if descending else np.sort(a, dim), values)
    equal(values, x.gather(dim, places))
    equal(a, mg.zeros(shape, dtype=mg.float64).scatter(dim, places, values))
    k = data.draw(st.integers(0, shape[dim]))
    equal(values.narrow(dim, 0, k), x.topk(k, dim, largest=descending).values)
    adjoint(lambda x: x.sort(dim, descending)[0], a)


@given(shape=FILLED, seed=SEEDS, data=st.data())
def test_repeating_multiplies_sizes(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    a = numbers(seed, shape)
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(shape), max_size=len(shape)))
    equal(np.tile(a, counts), mg.tensor(a).repeat(*counts))
    adjoint(lambda x: x.repeat(*counts), a)


@given(shape=FILLED, seed=SEEDS)
def test_running_results_end_in_the_whole_result(shape: tuple[int, ...], seed: int) -> None:
    x = mg.tensor(numbers(seed, shape))
    for scan, reduction in ((mg.cumsum, mg.sum), (mg.cumprod, mg.prod), (mg.logcumsumexp, mg.logsumexp)):
        close(reduction(x, 0), scan(x, 0)[-1])

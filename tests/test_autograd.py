"""mg.autograd: products with Jacobians and Hessians, checkpoints, what a graph keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, nn
from minigrad.autograd import checkpoint, hessian, hvp, jacobian, jvp, saved_memory, vhp, vjp
from minigrad.errors import ArgumentError, GraphError, MinigradError

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 4))


def numbers(*shape: int, requires_grad: bool = False) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(sum(shape)).standard_normal(shape), requires_grad=requires_grad)


def same(expected: Any, actual: Any, rtol: float = 1e-12) -> None:
    """The same structure, shapes and values."""
    if isinstance(expected, tuple):
        assert isinstance(actual, tuple)
        assert len(expected) == len(actual)
        for e, a in zip(expected, actual, strict=True):
            same(e, a, rtol)
        return
    expected, actual = (x.detach().numpy() if isinstance(x, mg.Tensor) else np.asarray(x) for x in (expected, actual))
    assert expected.shape == actual.shape
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-14)


# ---- the Jacobian, its rows and its columns


def stretch(x: mg.Tensor) -> mg.Tensor:
    """(3,) to (4,): y = (A x)³, whose Jacobian is diag(3 (A x)²) A."""
    return (mg.tensor(A) @ x) ** 3


def stretched(x: mg.Tensor) -> np.ndarray:
    return 3 * ((A @ x.numpy()) ** 2)[:, None] * A


def mixed(x: mg.Tensor, y: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
    """(3,), () to (3,), (2,)."""
    return x * y, mg.stack([x.sum() * y, y * y])


def mixed_jacobian(x: mg.Tensor, y: mg.Tensor) -> Any:
    a, b = x.numpy(), y.item()
    return ((np.eye(3) * b, a), (np.stack([np.full(3, b), np.zeros(3)]), np.array([a.sum(), 2 * b])))


def test_jacobian_of_one_by_one() -> None:
    x = numbers(3)
    same(stretched(x), jacobian(stretch, x))


def test_jacobian_by_tuples_is_nested_as_they_are() -> None:
    x, y = numbers(3), numbers()
    expected = mixed_jacobian(x, y)
    same(expected, jacobian(mixed, (x, y)))
    same((expected[0][0], expected[1][0]), jacobian(lambda x: mixed(x, y), x))
    same(expected[0], jacobian(lambda x, y: mixed(x, y)[0], (x, y)))
    same((expected[0][:1], expected[1][:1]), jacobian(lambda x: mixed(x, y), (x,)))


@pytest.mark.parametrize(("shape", "outputs"), [((), ()), ((2, 3), (2,)), ((0,), ()), ((0,), (0,)), ((3, 0), (3,))])
def test_jacobian_has_the_shape_of_output_and_input(shape: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    found = jacobian(lambda x: x * x if len(shape) == len(outputs) else (x * x).sum(-1), numbers(*shape))
    assert (*outputs, *shape) == found.shape
    assert np.float64 == found.dtype


def test_vjp_and_jvp_are_products_with_the_jacobian() -> None:
    x, u, v = numbers(3), numbers(4), mg.tensor([0.5, -2.0, 1.5], dtype=mg.float64)
    same((stretch(x), u.numpy() @ stretched(x)), vjp(stretch, x, u))
    same((stretch(x), stretched(x) @ v.numpy()), jvp(stretch, x, v))


def test_products_with_tuples() -> None:
    x, y = numbers(3), mg.tensor(1.5, dtype=mg.float64)
    (xx, xy), (sx, sy) = mixed_jacobian(x, y)
    u = (numbers(3), numbers(2))
    a, b = (w.numpy() for w in u)
    same((mixed(x, y), (a @ xx + b @ sx, a @ xy + b @ sy)), vjp(mixed, (x, y), u))
    v = (mg.tensor([1.0, 2.0, -1.0], dtype=mg.float64), mg.tensor(0.25, dtype=mg.float64))
    c, d = (w.numpy() for w in v)
    same((mixed(x, y), (xx @ c + xy * d, sx @ c + sy * d)), jvp(mixed, (x, y), v))


def test_v_may_be_left_out_for_one_number() -> None:
    x = mg.tensor([2.0])
    same((12.0 - 4.0, [10.0]), vjp(lambda x: (x**3 - 2 * x).sum() + 4, x))
    same(([8.0, 4.0], [12.0, 4.0]), jvp(lambda x: mg.cat([x**3, x * x]), x))


# ---- second derivatives


def energy(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
    """Σ x² y + Σ x³: Hessian blocks 2 diag(y) + 6 diag(x), 2 diag(x), 0."""
    return (x * x * y).sum() + (x**3).sum()


def energy_hessian(x: mg.Tensor, y: mg.Tensor) -> Any:
    a, b = x.numpy(), y.numpy()
    return ((np.diag(2 * b + 6 * a), np.diag(2 * a)), (np.diag(2 * a), np.zeros((3, 3))))


def test_hessian_has_a_block_for_each_pair_of_inputs() -> None:
    x, y = numbers(3), mg.tensor([1.0, -2.0, 0.5], dtype=mg.float64)
    expected = energy_hessian(x, y)
    same(expected, hessian(energy, (x, y)))
    same(expected[0][0], hessian(lambda x: energy(x, y), x))
    same(((expected[0][0],),), hessian(lambda x: energy(x, y), (x,)))


def test_hessian_takes_a_matrix_and_any_shape_of_one_number() -> None:
    x = numbers(2, 2)
    expected = np.diag(6 * x.numpy().ravel()).reshape(2, 2, 2, 2)
    same(expected, hessian(lambda x: (x**3).sum(), x))
    same(expected, hessian(lambda x: (x**3).sum().reshape(1, 1), x))


@pytest.mark.parametrize("product", [hvp, vhp])
def test_products_with_the_hessian(product: Callable[..., Any]) -> None:
    x, y = numbers(3), mg.tensor([1.0, -2.0, 0.5], dtype=mg.float64)
    (xx, xy), (yx, yy) = energy_hessian(x, y)
    v = (mg.tensor([1.0, 2.0, -1.0], dtype=mg.float64), mg.tensor([0.5, 0.0, 3.0], dtype=mg.float64))
    c, d = (w.numpy() for w in v)
    same((energy(x, y), (xx @ c + xy @ d, yx @ c + yy @ d)), product(energy, (x, y), v))
    same((energy(x, y), xx @ c), product(lambda x: energy(x, y), x, v[0]))
    same((8.0, 12.0), product(lambda x: x**3, mg.tensor(2.0)))


def test_all_agree_on_a_network() -> None:
    """H v from the Hessian, from two products, and from differences of the gradient."""
    W, x, v = mg.tensor(B), numbers(3), numbers(3)
    v = mg.tensor([0.3, -1.2, 0.7], dtype=mg.float64)

    def loss(x: mg.Tensor) -> mg.Tensor:
        return mg.logsumexp(mg.tanh(x @ W), 0) * mg.sigmoid(x).sum()

    expected = hessian(loss, x).numpy() @ v.numpy()
    same(expected, hvp(loss, x, v)[1], 1e-10)
    same(expected, vhp(loss, x, v)[1], 1e-10)
    same(expected, jvp(lambda x: jacobian(loss, x, create_graph=True), x, v)[1], 1e-10)
    h = 1e-5
    up, down = (jacobian(loss, mg.tensor(x.numpy() + sign * h * v.numpy())).numpy() for sign in (1, -1))
    np.testing.assert_allclose((up - down) / (2 * h), expected, rtol=1e-7)


# ---- graphs, modes, independence

FUNCTIONS = [vjp, jvp, jacobian, hessian, hvp, vhp]


def cube(x: mg.Tensor) -> mg.Tensor:
    return (x**3).sum()


def call(function: Callable[..., Any], func: Any, x: Any, **settings: Any) -> Any:
    """The derivative, with a vector of ones where one is needed."""
    if function in (jacobian, hessian):
        return function(func, x, **settings)
    shapes = func(x).shape if function is vjp else x.shape
    return function(func, x, mg.ones(shapes, dtype=x.dtype), **settings)[1]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_have_a_graph_only_if_that_is_asked_for(function: Callable[..., Any]) -> None:
    x = numbers(3, requires_grad=True)
    assert not call(function, cube, x).requires_grad
    found = call(function, cube, x, create_graph=True)
    assert found.requires_grad
    assert mg.gradcheck(lambda x: call(function, cube, x, create_graph=True), x)
    with mg.no_grad():
        same(found, call(function, cube, x))
    same(found, call(function, cube, x.detach()))
    assert x.grad is None
    assert not x.detach().requires_grad


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_input_that_is_captured_too_is_not_the_argument(function: Callable[..., Any]) -> None:
    x = numbers(3, requires_grad=True)
    expected = call(function, lambda z: (x.detach() * z * z).sum(), x)
    same(expected, call(function, lambda z: (x * z * z).sum(), x))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_does_not_depend_on_the_input_has_zeros(function: Callable[..., Any]) -> None:
    x = numbers(3)
    zeros = call(function, lambda x: mg.tensor(2.0, dtype=mg.float64), x)
    assert zeros.shape == call(function, cube, x).shape
    assert not zeros.numpy().any()
    with pytest.raises(GraphError, match=f"^{function.__name__}: .* which strict=True forbids"):
        call(function, lambda x: mg.tensor(2.0, dtype=mg.float64), x, strict=True)


def test_strict_forbids_unused_inputs_and_constant_derivatives() -> None:
    x, y = numbers(3), numbers(3)
    one = mg.ones(3, dtype=mg.float64)
    assert not vjp(lambda x, y: x * 2, (x, y), one)[1][1].numpy().any()
    for function in (vjp, jvp):
        with pytest.raises(GraphError, match="the derivative at position 1 is zero"):
            function(lambda x, y: x * 2, (x, y), one if function is vjp else (one, one), strict=True)
    with pytest.raises(GraphError, match="jacobian: the derivative at position 1 is zero"):
        jacobian(lambda x, y: x * 2, (x, y), strict=True)
    with pytest.raises(GraphError, match="is constant"):
        jacobian(lambda x: x * 2, x, strict=True, create_graph=True)
    for function in (hessian, hvp, vhp):
        with pytest.raises(GraphError, match=f"{function.__name__}: the gradient of func is constant"):
            call(function, lambda x: (x * 2).sum(), x, strict=True)
        same(call(function, cube, x), call(function, cube, x, strict=True))


def test_dtypes_are_those_of_the_inputs() -> None:
    x = mg.tensor([1.0, 2.0])
    assert mg.float32 == jacobian(lambda x: x.double() * 2, x).dtype
    outputs, found = vjp(lambda x: x.double() * 2, x, mg.ones(2))
    assert (mg.float64, mg.float32) == (outputs.dtype, found.dtype)
    values, directions = jvp(lambda x: (x * 2, x.argmax()), x, mg.ones(2))
    assert [mg.float32, mg.int64] == [t.dtype for t in directions]
    same((np.array([2.0, 4.0]), np.array(1)), values)


def test_a_vector_of_another_dtype_stays_in_the_graph() -> None:
    v = mg.ones(3, requires_grad=True)
    _, found = vjp(lambda x: x * x, numbers(3, requires_grad=True), v, create_graph=True)
    found.sum().backward()
    same(2 * numbers(3).numpy(), v.grad, 1e-6)


X = mg.tensor([1.0, 2.0])


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: jacobian(lambda x: x, [X]), TypeError, "^jacobian: inputs must be a Tensor or a tuple of Tensors, got list"),
        (lambda: jacobian(lambda x, y: x, (X, 1.0)), TypeError, "^jacobian: inputs must be .*, entry 1 is float"),
        (lambda: vjp(lambda x: [x], X, X), TypeError, "^vjp: what func returns must be a Tensor .* got list"),
        (lambda: jvp(lambda x: (x, 3), X, X), TypeError, "^jvp: what func returns must be .* entry 1 is int"),
        (lambda: vjp(lambda x: x, X, 3.0), TypeError, "^vjp: v must be a Tensor .* got float"),
        (lambda: hessian(lambda x: 3.0, X), TypeError, "^hessian: what func returns .* got float"),
        (lambda: vjp(lambda x: x, X, mg.ones(3)), RuntimeError, r"^vjp: v must have the shapes \(2,\), got \(3,\)"),
        (lambda: vjp(lambda x: (x, x.sum()), X, X), RuntimeError, r"^vjp: v must have the shapes \(2,\), \(\), got \(2,\)"),
        (lambda: jvp(lambda x: x, X, mg.ones(1)), RuntimeError, r"^jvp: v must have the shapes \(2,\), got \(1,\)"),
        (lambda: vjp(lambda x: x, X), RuntimeError, r"^vjp: v can be left out only beside .* one element, not \(2,\)"),
        (lambda: jvp(lambda x: x, X), RuntimeError, r"^jvp: v can be left out only beside .* one element, not \(2,\)"),
        (lambda: hvp(cube, X), RuntimeError, "^hvp: v can be left out"),
        (lambda: vhp(cube, X), RuntimeError, "^vhp: v can be left out"),
        (lambda: hessian(lambda x: x, X), RuntimeError, r"^hessian: func must return .* single element, got one of shape \(2,\)"),
        (lambda: hvp(lambda x: (x.sum(),), X, X), RuntimeError, "^hvp: func must return .* single element, got a tuple"),
        (lambda: jacobian(lambda x: x, mg.tensor([1, 2])), RuntimeError, "only floating-point tensors can require gradients"),
    ],
)
def test_errors_name_function_and_argument(run: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run()
    assert isinstance(caught.value, MinigradError)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("vjp", "func, inputs, v=None, create_graph=False, strict=False"),
        ("jvp", "func, inputs, v=None, create_graph=False, strict=False"),
        ("hvp", "func, inputs, v=None, create_graph=False, strict=False"),
        ("vhp", "func, inputs, v=None, create_graph=False, strict=False"),
        ("jacobian", "func, inputs, create_graph=False, strict=False, vectorize=False, strategy='reverse-mode'"),
        ("hessian", "func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy='reverse-mode'"),
    ],
)
def test_signatures_are_pytorchs(name: str, signature: str) -> None:
    parameters = inspect.signature(getattr(autograd, name)).parameters.values()
    assert signature == ", ".join(str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters)
    assert getattr(autograd, name) is getattr(autograd.functional, name)


def test_pytorchs_ways_to_a_jacobian_change_nothing() -> None:
    for function, func, way in (
        (jacobian, cube, "strategy"),
        (hessian, lambda x: cube(x).sum(), "outer_jacobian_strategy"),
    ):
        x = mg.tensor([1.0, 2.0])
        for strategy in ("reverse-mode", "forward-mode"):
            same(function(func, x), function(func, x, vectorize=True, **{way: strategy}))
        with pytest.raises(ArgumentError, match=f"^{function.__name__}: {way} must be 'reverse-mode' or 'forward-mode', got 'x'"):
            function(func, x, **{way: "x"})
        with pytest.raises(RuntimeError, match=f"^{function.__name__}: strict and vectorize cannot both be True"):
            function(func, x, strict=True, vectorize=True)


# ---- grad and backward of several


def test_grad_fills_in_zeros() -> None:
    x, y = mg.ones(2, requires_grad=True), mg.ones(3, requires_grad=True)
    assert mg.grad is autograd.grad
    same(([2.0, 2.0], [0.0, 0.0, 0.0]), mg.grad((x * 2).sum(), (x, y), materialize_grads=True))
    with pytest.raises(ArgumentError, match=r"^grad: materialize_grads=True fills in unused inputs, which allow_unused=False"):
        mg.grad((x * 2).sum(), (x, y), allow_unused=False, materialize_grads=True)
    with pytest.raises(ArgumentError, match=r"^grad: only_inputs=False is not supported"):
        mg.grad((x * 2).sum(), x, only_inputs=False)
    with pytest.raises(ArgumentError, match=r"^grad: inputs must hold at least one Tensor"):
        mg.grad((x * 2).sum(), [])


def test_backward_of_several_tensors() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    autograd.backward((y, (y * x).sum()), (mg.tensor([1.0, 10.0]), None))
    same([3 + 6.0, 30 + 12.0], x.grad)
    with pytest.raises(GraphError, match="freed"):
        autograd.backward(y.sum())


def test_backward_of_one_tensor_with_settings() -> None:
    x, y = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    autograd.backward(x * x * y, mg.tensor([1.0, 1.0]), inputs=x, create_graph=True)
    same([2.0, 8.0], x.grad)
    assert y.grad is None
    assert x.grad is not None
    assert x.grad.requires_grad
    with pytest.raises(ArgumentError, match=r"^backward: grad_tensors has 1 entries for 2 tensors"):
        autograd.backward([x.sum(), y.sum()], [mg.tensor(1.0)])
    with pytest.raises(ArgumentError, match=r"^backward: inputs must hold at least one Tensor"):
        x.sum().backward(inputs=[])


# ---- checkpoint


def counted(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """The function, and a list that grows by one for each run."""
    runs: list[int] = []

    def run(*args: Any, **kwargs: Any) -> Any:
        runs.append(len(runs))
        return function(*args, **kwargs)

    return run, runs


def block(x: mg.Tensor, w: mg.Tensor, scale: float = 1.0) -> mg.Tensor:
    return mg.tanh(mg.exp(x @ w) * scale) * x


def leaves() -> tuple[mg.Tensor, mg.Tensor]:
    return numbers(5, 3, requires_grad=True), numbers(3, 3, requires_grad=True)


def gradients(loss: mg.Tensor, *inputs: mg.Tensor) -> tuple[np.ndarray, ...]:
    return tuple(g.numpy() for g in mg.grad(loss, inputs) if g is not None)


def test_a_checkpoint_has_the_same_gradients_bit_by_bit() -> None:
    x, w = leaves()
    expected = gradients((block(x, w, 0.5) ** 2).sum(), x, w)
    run, runs = counted(block)
    loss = (checkpoint(run, x, w, scale=0.5) ** 2).sum()
    assert [0] == runs
    for e, a in zip(expected, gradients(loss, x, w), strict=True):
        np.testing.assert_array_equal(e, a)
    assert [0, 1] == runs


def test_a_checkpoint_keeps_its_arguments_only() -> None:
    x, w = leaves()
    h = x * 2
    plain, slim = block(h, w).sum(), checkpoint(block, h, w).sum()
    assert 3 * h.array.nbytes == saved_memory(plain).total  # h, exp(…), tanh(…)
    assert h.array.nbytes == saved_memory(slim).total
    inside: list[ref[mg.Tensor]] = []

    def watched(x: mg.Tensor) -> mg.Tensor:
        y = mg.exp(x)
        inside.append(ref(y.array))
        return y * y

    out = checkpoint(watched, h)
    assert inside[0]() is None
    out.sum().backward()
    assert [None, None] == [weak() for weak in inside]


def test_captured_tensors_get_their_gradients() -> None:
    x, w = leaves()
    model = nn.Linear(3, 3)
    model.weight.data, model.bias.data = w.detach().float(), mg.zeros(3)
    inputs = x.detach().float()
    y = checkpoint(lambda z: mg.tanh(model(z)) * 2, inputs)
    expected = gradients((mg.tanh(model(inputs)) * 2).sum(), *model.parameters())
    y.sum().backward()
    for e, p in zip(expected, model.parameters(), strict=True):
        assert p.grad is not None
        np.testing.assert_array_equal(e, p.grad.numpy())


def test_dropout_draws_the_same_and_leaves_the_stream_where_it_was() -> None:
    x, _ = leaves()
    mg.manual_seed(3)
    plain = nn.functional.dropout(mg.exp(x)) * x
    mg.rand(5)
    expected, after = gradients(plain.sum(), x), mg.rand(4).numpy()
    mg.manual_seed(3)
    kept = checkpoint(lambda x: nn.functional.dropout(mg.exp(x)) * x, x)
    mg.rand(5)
    np.testing.assert_array_equal(plain.detach().numpy(), kept.detach().numpy())
    np.testing.assert_array_equal(expected[0], gradients(kept.sum(), x)[0])
    np.testing.assert_array_equal(after, mg.rand(4).numpy())


def test_without_preserve_rng_state_the_second_run_draws_anew() -> None:
    x, drawn = mg.ones(50, requires_grad=True), []

    def noisy(x: mg.Tensor) -> mg.Tensor:
        drawn.append(mg.rand(50))
        return mg.exp(x) * drawn[-1]

    for preserve, equal in ((True, True), (False, False)):
        drawn.clear()
        checkpoint(noisy, x, preserve_rng_state=preserve).sum().backward()
        assert equal == np.array_equal(drawn[0].numpy(), drawn[1].numpy())


def test_the_stream_is_put_back_when_the_second_run_fails() -> None:
    x, fail = mg.ones(3, requires_grad=True), [False]

    def fragile(x: mg.Tensor) -> mg.Tensor:
        mg.rand(2)
        if fail[0]:
            raise ZeroDivisionError
        return mg.exp(x)

    y = checkpoint(fragile, x).sum()
    fail[0], state = True, mg.default_generator.get_state()
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert state == mg.default_generator.get_state()
    fail[0] = False
    y.backward()
    same(np.exp(np.ones(3)), x.grad, 1e-6)


def test_checkpoints_nest() -> None:
    x, w = leaves()

    def inner(x: mg.Tensor) -> mg.Tensor:
        return block(x, w)

    def outer(x: mg.Tensor) -> mg.Tensor:
        return checkpoint(inner_run, mg.sigmoid(checkpoint(inner_run, x) * 2)) * x

    inner_run, inner_runs = counted(inner)
    outer_run, outer_runs = counted(outer)
    y = checkpoint(outer_run, x * 2)
    assert x.array.nbytes == saved_memory(y).total
    found = gradients((y**2).sum(), x, w)
    h = x * 2
    expected = gradients(((inner(mg.sigmoid(inner(h) * 2)) * h) ** 2).sum(), x, w)
    for e, a in zip(expected, found, strict=True):
        np.testing.assert_array_equal(e, a)
    assert (2, 6) == (len(outer_runs), len(inner_runs))  # forward, the outer one's second run, and each inner one's own


def test_no_grad_and_nothing_to_differentiate() -> None:
    x, w = leaves()
    run, runs = counted(block)
    with mg.no_grad():
        y = checkpoint(run, x, w)
    assert not y.requires_grad
    same(block(x, w), y)
    assert not checkpoint(run, x.detach(), w.detach()).requires_grad
    assert 2 == len(runs)


def test_backward_under_no_grad() -> None:
    x, w = leaves()
    loss = checkpoint(block, x, w).sum()
    with mg.no_grad():
        loss.backward()
        assert not mg.is_grad_enabled()
    assert x.grad is not None
    np.testing.assert_array_equal(gradients(block(x, w).sum(), x)[0], x.grad.numpy())


def test_second_derivatives_through_a_checkpoint() -> None:
    x, w = leaves()

    def checked(x: mg.Tensor, w: mg.Tensor) -> mg.Tensor:
        return checkpoint(block, x, w)

    assert mg.gradcheck(checked, (x, w))
    assert mg.gradgradcheck(checked, (x, w))
    v = mg.ones(5, 3, dtype=mg.float64)
    same(hvp(lambda x: block(x, w).sum(), x, v), hvp(lambda x: checkpoint(block, x, w).sum(), x, v))


def test_a_checkpoint_of_a_gradient() -> None:
    """create_graph within the function: its second run differentiates again."""
    x = mg.tensor([1.0, 2.0], dtype=mg.float64, requires_grad=True)

    def slope(x: mg.Tensor) -> Any:
        return mg.grad((x**3).sum(), x, create_graph=True)[0]

    same([6.0, 12.0], mg.grad(checkpoint(slope, x).sum(), x)[0])


def test_retain_graph_runs_the_function_once_more_only() -> None:
    x, w = leaves()
    run, runs = counted(block)
    loss = checkpoint(run, x, w).sum()
    first, second = (mg.grad(loss, (x, w), retain_graph=True) for _ in range(2))
    same(first, second)
    loss.backward()
    assert 2 == len(runs)
    with pytest.raises(GraphError, match="the graph was freed by an earlier backward pass"):
        loss.backward()


def test_results_of_any_structure() -> None:
    x, w = leaves()

    def several(x: mg.Tensor) -> dict[str, Any]:
        h = mg.exp(x)
        return {"a": h, "b": [mg.tanh(h @ w), {"c": mg.sigmoid(x)}], "d": 3}

    def total(out: dict[str, Any]) -> mg.Tensor:
        return (out["a"].sum() + (out["b"][0] * out["b"][1]["c"]).sum()) * out["d"]

    out = checkpoint(several, x)
    assert 0 == saved_memory([out["a"], out["b"][0]]).total
    same(gradients(total(several(x)), x, w), gradients(total(out), x, w))


def test_a_result_that_is_dropped_is_not_missed() -> None:
    x, w = leaves()
    a, b = checkpoint(lambda x: (mg.exp(x) * x, mg.tanh(x @ w)), x)
    del b
    same(gradients((mg.exp(x) * x).sum(), x), gradients(a.sum(), x))


def test_indices_are_let_go_too() -> None:
    x, _ = leaves()
    index = np.arange(2000) % 5
    y = checkpoint(lambda x: x[index] * x[index + 0], x)
    assert 0 == saved_memory(y).total
    same(gradients((x[index] ** 2).sum(), x), gradients(y.sum(), x))


def test_arguments_that_are_no_tensors_and_come_in_containers() -> None:
    x, w = leaves()

    def run(pair: tuple[mg.Tensor, mg.Tensor], power: int, *, shift: mg.Tensor) -> mg.Tensor:
        return (mg.exp(pair[0] @ pair[1]) + shift) ** power

    shift = mg.tensor(0.5, dtype=mg.float64, requires_grad=True)
    expected = gradients(run((x, w), 2, shift=shift).sum(), x, w, shift)
    same(expected, gradients(checkpoint(run, (x, w), 2, shift=shift).sum(), x, w, shift))


def test_recorded_writes_within_and_after() -> None:
    x, _ = leaves()

    def writes(h: mg.Tensor) -> mg.Tensor:
        h += 1
        h[0] = 2.0
        return mg.exp(h) * h

    def plain(h: mg.Tensor) -> mg.Tensor:
        h = h + 1
        h[0] = 2.0
        return mg.exp(h) * h

    h = x * 2
    y = checkpoint(writes, h)
    h *= 100  # a new value of h: the checkpoint has the old one
    same(gradients(plain(x * 2).sum(), x), gradients(y.sum(), x))


def test_a_value_that_was_changed_in_place_is_noticed() -> None:
    for change in ("argument", "parameter"):
        x, w = leaves()
        h = x.detach().clone()
        loss = checkpoint(lambda h, w=w: mg.exp(h + w.sum()) * w.sum(), h).sum()
        with mg.no_grad():
            (h if change == "argument" else w).mul_(2.0)
        with pytest.raises(GraphError, match=r"^checkpoint: an argument or a parameter .* was changed in place"):
            loss.backward()


def test_a_function_that_does_something_else_is_noticed() -> None:
    x, _ = leaves()
    for first, then in ((mg.exp, mg.tanh), (mg.exp, lambda x: mg.exp(x) * x), (mg.exp, lambda x: mg.exp(x)[:2])):
        todo = [then, first]
        loss = checkpoint(lambda x, todo=todo: todo.pop()(x), x).sum()
        with pytest.raises(GraphError, match=r"^checkpoint: the function recorded 1 operations .* must do the same each time"):
            loss.backward()


def test_hooks_see_each_gradient_once() -> None:
    x, _ = leaves()
    seen: list[np.ndarray] = []

    def watched(x: mg.Tensor) -> mg.Tensor:
        h = mg.exp(x)
        h.register_hook(lambda g: seen.append(g.numpy()))
        return h * h

    checkpoint(watched, x).sum().backward()
    assert 1 == len(seen)
    same(2 * np.exp(x.detach().numpy()), seen[0])


@pytest.mark.usefixtures("collector_off")
def test_a_checkpointed_graph_dies_with_its_last_reference() -> None:
    x, w = leaves()
    for backward in (False, True):
        h = x * 2
        y = checkpoint(lambda h: checkpoint(block, h, w) * h, h)
        step, argument = ref(y.step), ref(h.array)
        if backward:
            y.sum().backward()
        del h, y
        assert (None, None) == (step(), argument())


def test_use_reentrant_is_taken_and_changes_nothing() -> None:
    x, w = leaves()
    expected = gradients(block(x, w).sum(), x, w)
    for setting in (True, False, None):
        same(expected, gradients(checkpoint(block, x, w, use_reentrant=setting).sum(), x, w))


# ---- what a graph keeps


def test_saved_memory_counts_shared_arrays_once() -> None:
    x = mg.ones(100, requires_grad=True)
    y = mg.exp(x)  # 400 bytes, for itself and for both factors
    found = saved_memory((y * y).sum())
    assert 400 == found.total == sum(row.bytes for row in found.rows)
    assert 400 == found.leaves
    assert {"exp": (1, 400), "mul": (1, 0), "sum": (1, 0)} == {row.operation: (row.steps, row.bytes) for row in found.rows}


def test_saved_memory_of_views_several_tensors_and_indices() -> None:
    x = mg.ones(100, requires_grad=True)
    wide = mg.exp(x * 1.0).detach()
    loss = (x[:10] * wide[:10]).sum()  # ten numbers of wide keep all hundred
    assert {"mul": 400} == {row.operation: row.bytes for row in saved_memory(loss).rows if row.bytes}
    other = x[np.arange(50)].sum()
    both = saved_memory([loss, other])
    assert 400 + 50 * 8 == both.total
    assert 400 == both.leaves
    assert 5 == sum(row.steps for row in both.rows)


def test_saved_memory_after_backward_and_without_a_graph() -> None:
    x = mg.ones(100, requires_grad=True)
    loss = mg.exp(x).sum()
    loss.backward()
    assert 0 == saved_memory(loss).total
    assert ((), 0, 0) == tuple(saved_memory(mg.ones(3)))


def test_saved_memory_reads_as_a_table() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 512), nn.Tanh(), nn.Linear(512, 3))
    loss = nn.functional.cross_entropy(model(mg.rand(1024, 8)), mg.zeros(1024, dtype=mg.int64))
    lines = str(saved_memory(loss)).splitlines()
    assert ["operation", "steps", "keeps"] == lines[0].split()
    assert ["tanh", "1", "2.0", "MiB"] == lines[1].split()
    assert ["linear", "2", "32.0", "KiB"] in [line.split() for line in lines]
    assert "total" == lines[-2].split()[0]
    assert "and 24.0 KiB of leaves" == lines[-1]
    assert 1 == len({len(line) for line in lines[1:-1]} | {len(lines[0])})

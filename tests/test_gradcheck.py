"""gradcheck and gradgradcheck: right functions pass, planted bugs fail, and the report says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, DtypeError, InputTypeError, MinigradError
from minigrad.kernels.cache import kernels_enabled
from minigrad.kernels.notation import exp, where
from minigrad.testing import GradcheckError, gradcheck, gradgradcheck

BOTH = pytest.mark.parametrize("mode", ["full", "random"])


def sample(*shape: int, seed: int = 0, low: float = 0.2, high: float = 2.0) -> Tensor:
    """Float64 values that require grad, none near 0, of both signs."""
    rng = np.random.default_rng(seed)
    return Tensor(np.asarray(rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)), requires_grad=True)


def values(*numbers: float) -> Tensor:
    return Tensor(np.array(numbers), requires_grad=True)


def report_of(check: Callable[..., bool], func: Callable[..., Any], inputs: Any, **settings: Any) -> str:
    with pytest.raises(GradcheckError) as caught:
        check(func, inputs, **settings)
    assert not check(func, inputs, raise_exception=False, **settings)
    return str(caught.value)


def squashed(text: str) -> str:
    return " ".join(text.split())


# ---- functions that are right


def added_in_place(x: Tensor, b: Tensor) -> Tensor:
    y = x * 2.0
    y += b
    y[0] = b * b
    return y


X, Y, B = sample(3, 4), sample(3, 4, seed=1), sample(4, seed=2)
TARGETS = mg.tensor([1, 3, 0])
RIGHT: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "mul, broadcast": (mg.mul, (X, B)),
    "div": (lambda x, y: x / y, (X, Y)),
    "matmul": (mg.matmul, (X, sample(4, 2))),
    "linear": (mg.linear, (X, sample(2, 4), sample(2))),
    "tanh": (mg.tanh, (X,)),
    "gelu": (mg.gelu, (X,)),
    "softmax": (mg.softmax, (X, 1)),
    "log_softmax": (mg.log_softmax, (X, 0)),
    "cross_entropy": (mg.cross_entropy, (X, TARGETS)),
    "mean": (lambda x: x.mean(1), (X,)),
    "var": (lambda x: x.var(0), (X,)),
    "logsumexp": (lambda x: x.logsumexp(1), (X,)),
    "max": (lambda x: x.max(1), (X,)),
    "getitem": (lambda x: x[1:, [0, 0, 2]], (X,)),
    "cat": (lambda x, y: mg.cat([x, y], 1), (X, Y)),
    "transpose": (lambda x: x.T, (X,)),
    "mse_loss": (mg.mse_loss, (X, Y)),
    "identity": (lambda x: x, (X,)),
    "0-d": (lambda x: x * x, (sample(),)),
    "no gradient at all": (lambda x: mg.ones(2, dtype=mg.float64), (X,)),
    "unused input": (lambda x, y: x.exp(), (X, Y)),
    "in-place inside": (added_in_place, (X, B)),
}


@BOTH
@pytest.mark.parametrize("name", RIGHT)
def test_right_functions_pass(name: str, mode: str) -> None:
    func, inputs = RIGHT[name]
    assert gradcheck(func, inputs, mode=mode) is True


@BOTH
@pytest.mark.parametrize(
    "name", ["mul, broadcast", "div", "matmul", "linear", "tanh", "gelu", "softmax", "cross_entropy", "var", "0-d"]
)
def test_right_second_derivatives_pass(name: str, mode: str) -> None:
    func, inputs = RIGHT[name]
    assert gradgradcheck(func, inputs, mode=mode) is True


# ---- planted bugs


def plant(rule: Callable[..., Any], forward: Callable[..., Any], argument: str = "x", **right: Callable[..., Any]) -> Any:
    """An operation with one rule that is wrong, and others that are right."""
    operation = mg.op(forward)
    operation.backward(argument)(rule)
    for name, other in right.items():
        operation.backward(name)(other)
    return operation


def elementwise_square(rule: Callable[..., Any]) -> Any:
    @mg.elementwise
    def square(x):
        return x * x

    square.backward("x")(rule)
    return square


def minus_sign(g, x):
    return -2 * g * x


def slightly_off(g, x):
    return 1.0009 * 2 * g * x


def twice(g, x):
    return 4 * g * x


def half(g, x):
    return g * x


def wrong_below_zero(g, x):
    return where(x > 0, 2 * g * x, -2 * g * x)


def no_gradient_below_zero(g, x):
    return where(x > 0, 2 * g * x, 0)


@mg.elementwise
def x_exp_x(x):
    return x * exp(x)


@x_exp_x.backward("x")
def _(g, x):
    return g * x * exp(x)  # + g exp(x) is missing


@mg.elementwise
def clipped(x):
    return where(x > 0, x, 0)


@clipped.backward("x")
def _(g):
    return g


@mg.elementwise
def multiply(a, b):
    return a * b


@multiply.backward("a")
def _(g, a):
    return g * a


@multiply.backward("b")
def _(g, b):
    return g * b


@mg.elementwise
def subtract(a, b):
    return a - b


@subtract.backward("a")
def _(g):
    return -g


@subtract.backward("b")
def _(g):
    return g


def add_rows(x: Tensor, b: Tensor) -> Any:
    return x + b


def product(a: Tensor, b: Tensor) -> Any:
    return a @ b


def row_means(x: Tensor) -> Any:
    return x.mean(1)


def variance(x: Tensor) -> Any:
    return x.var()


class Planted(NamedTuple):
    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    says: str


PLANTED = {
    "sign": Planted(elementwise_square(minus_sign), (X,), "The sign is flipped throughout"),
    "factor 1.0009": Planted(elementwise_square(slightly_off), (X,), "A constant factor, 1.0009 throughout"),
    "factor 2": Planted(elementwise_square(twice), (X,), "A constant factor, 2 throughout: a factor ½ is forgotten"),
    "factor 0.5": Planted(elementwise_square(half), (X,), "the 2 of a square's derivative is forgotten"),
    "factor 2, one element": Planted(elementwise_square(twice), (sample(),), "a factor ½ is forgotten"),
    "sign, one element": Planted(elementwise_square(minus_sign), (sample(),), "The sign is flipped throughout"),
    "sign, one branch": Planted(elementwise_square(wrong_below_zero), (X,), "in the 5 failing entries, the others are right"),
    "no gradient, one branch": Planted(elementwise_square(no_gradient_below_zero), (X,), "It fails only where x is ≤ -0."),
    "needless gradient": Planted(clipped, (X,), "A gradient from nowhere"),
    "missing term": Planted(x_exp_x, (X,), "in no simple pattern"),
    "missing term, one element": Planted(x_exp_x, (sample(),), "in no simple pattern"),
    "exchanged arguments": Planted(multiply, (X, Y), "Arguments are exchanged: this is the gradient of b"),
    "exchanged sides of a minus": Planted(subtract, (X, Y), "a − b stands for b − a"),
    "missing sum": Planted(plant(lambda g: g[0], add_rows, "b", x=lambda g: g), (X, B), "b is used all along axis 0 of output"),
    "mean for a sum": Planted(
        plant(lambda g: g.mean(0), add_rows, "b", x=lambda g: g),
        (X, B),
        "1/3, and 3 is the length of axis 0 of output: a division by n too many, or a mean where a broadcast input needs the sum",
    ),
    "sum over the wrong axis": Planted(
        plant(lambda g: g.sum(1), add_rows, "b", x=lambda g: g), (sample(4, 4), B), "a sum over the wrong axis"
    ),
    "transposed operand": Planted(
        plant(lambda g, b: g @ b, product, "a", b=lambda g, a: a.T @ g),
        (sample(3, 3), sample(3, 3, seed=1)),
        "numeric one with axis 1 of a and axis 1 of output exchanged",
    ),
    "transposed gradient": Planted(
        plant(lambda g, b: g.T @ b.T, product, "a", b=lambda g, a: a.T @ g),
        (sample(3, 3), sample(3, 3, seed=1)),
        "numeric one with axis 0 of output and axis 1 of output exchanged",
    ),
    "factors in the wrong order": Planted(
        plant(lambda g, b: b.T @ g, product, "a", b=lambda g, a: a.T @ g),
        (sample(3, 3), sample(3, 3, seed=1)),
        "factors in the wrong order",
    ),
    "forgotten n of a mean": Planted(
        plant(lambda g, x: g[:, None] + 0 * x, row_means),
        (X,),
        "4 is the length of axis 1 of x: the division by n of a mean is missing",
    ),
    "n for n − 1": Planted(
        plant(lambda g, x: g * 2 * (x - x.mean()) / 12, lambda x: np.asarray(x.var(ddof=1))), (X,), "n and n − 1 are confused"
    ),
    "half of a use detached": Planted(lambda x: x.detach() * x, (X,), "A constant factor, 0.5 throughout"),
    "one use detached": Planted(lambda x: x + x.detach().exp(), (X,), "in no simple pattern"),
    "gradient 0": Planted(plant(lambda g: 0 * g, lambda x: 3 * x), (X,), "The gradient is missing altogether"),
    "detached output": Planted(
        lambda x: (x * 2.0, x.detach() * 2.0), (X,), "output 1 does not require grad, and yet it changes with x"
    ),
}


@BOTH
@pytest.mark.parametrize("name", PLANTED)
def test_planted_bugs_are_caught_and_named(name: str, mode: str) -> None:
    planted = PLANTED[name]
    assert planted.says in squashed(report_of(gradcheck, planted.func, planted.inputs, mode=mode))


def test_the_tolerance_is_tight() -> None:
    def scaled(factor: float) -> Any:
        return plant(lambda g: 3.0 * factor * g, lambda x: 3.0 * x)

    assert gradcheck(scaled(1 + 3e-7), X)
    assert not gradcheck(scaled(1 + 3e-6), X, raise_exception=False)
    assert gradcheck(scaled(1.0009), X, rtol=1e-3)
    assert gradcheck(scaled(1.0009), X, atol=1e-2)


def test_the_report_has_no_ratio_to_nothing() -> None:
    report = report_of(gradcheck, clipped, (values(-1.0, -2.0),))
    assert "ratio        none, numeric is 0" in report
    assert "max error    1 absolute\n" in report


def test_the_report_shows_place_values_and_counts() -> None:
    wrong_b = plant(lambda g: -g.sum(0), add_rows, "b", x=lambda g: g)
    report = report_of(gradcheck, lambda x, b: wrong_b(x, b) * mg.tensor([1.0, 2.0, 5.0, 3.0], dtype=mg.float64), (X, B))
    lines = [line.strip() for line in report.splitlines()]
    expected = "gradcheck: the gradient of output (3, 4) by input 1, b (4,), does not match central differences"
    assert expected == lines[0]
    assert "worst at     d output[0, 2] / d b[2]" in report
    assert "analytic     -5" in lines
    assert any(line.startswith(("numeric      5", "numeric      4.99999")) for line in lines)
    assert "ratio        -1" in lines
    assert "max error    10 absolute, 2 relative" in lines
    assert "failing      12 of 48 entries of the Jacobian" in lines
    assert "checked at   eps 1e-05, rtol 1e-06, atol 1e-08" in lines
    assert max(len(line) for line in report.splitlines()) <= 110


def test_all_wrong_pairs_are_listed() -> None:
    report = report_of(gradcheck, lambda a, b: (multiply(a, b), a + b, subtract(a, b)), (X, Y))
    assert "also wrong   output 0 by b, output 2 by a, output 2 by b" in report


def test_the_error_is_what_callers_may_catch() -> None:
    assert issubclass(GradcheckError, MinigradError)
    assert issubclass(GradcheckError, RuntimeError)
    assert issubclass(GradcheckError, AssertionError)


def test_inputs_without_a_name_are_numbered() -> None:
    assert "by input 1, input1 (3, 4)," in report_of(gradcheck, lambda *xs: xs[0] + subtract(xs[0] * 0.0, -2.0 * xs[1]), (X, Y))


@pytest.mark.parametrize(
    ("rule", "argument", "hint"),
    [
        (lambda g: g, "b", "lacks the sum over the axes along which the input was broadcast"),
        (lambda g: g.T, "x", "it is transposed"),
        (lambda g: g[:2], "x", "the gradient of x has shape (2, 4) and dtype float64, x itself (3, 4) and float64"),
    ],
)
@BOTH
def test_gradients_of_another_shape(rule: Any, argument: str, hint: str, mode: str) -> None:
    right = {"x": lambda g: g, "b": lambda g: g.sum(0)}
    del right[argument]
    report = report_of(gradcheck, plant(rule, add_rows, argument, **right), (X, B), mode=mode)
    assert hint in report


@pytest.mark.skipif(not kernels_enabled(), reason="a formula's result is cast to the dtype of the input, a kernel's is not")
def test_gradients_of_another_dtype() -> None:
    operation = plant(lambda g: 2 * g, lambda x: 2 * x)
    operation.kernel()(lambda x: 2 * x)
    operation.backward_kernel("x")(lambda g: (2 * g).astype(np.float32))
    assert "dtype float32" in report_of(gradcheck, operation, (X,))


# ---- kinks, steps, numbers that are none


@pytest.mark.parametrize(
    ("x", "mode"), [(0.0, "full"), (3e-6, "full"), (-3e-6, "full"), (9e-6, "full"), (2e-7, "full"), (0.0, "random")]
)
def test_a_kink_is_told_from_a_wrong_rule(x: float, mode: str) -> None:
    report = squashed(report_of(gradcheck, mg.relu, values(x, 1.0, -1.0), mode=mode))
    assert "A kink (or a jump), not a wrong rule" in report
    assert f"x = {x:g} by more than eps" in report
    assert "1 of 9 entries of the Jacobian, all of them at kinks" in report


def test_a_kink_passes_where_the_rule_gives_the_mean_slope() -> None:
    assert gradcheck(mg.abs, values(0.0, 1.0))
    assert gradcheck(mg.maximum, (values(1.0, 2.0), values(1.0, 3.0)))


@pytest.mark.parametrize("x", [4e-6, -4e-6])
def test_a_kink_near_by(x: float) -> None:
    assert "A kink" in report_of(gradcheck, mg.abs, values(x))


def test_a_kink_on_a_curve() -> None:
    assert "A kink" in report_of(gradcheck, lambda x: mg.relu(x.exp() - 1.0) * 50.0, values(0.0, 0.5))


def test_any_value_between_the_slopes_is_a_kink() -> None:
    @mg.elementwise
    def ramp(x):
        return where(x > 0, x, 0)

    @ramp.backward("x")
    def _(g, x):
        return where(x > 0, g, where(x == 0, 0.25 * g, 0))

    assert "A kink" in report_of(gradcheck, ramp, values(0.0, 0.5))


def test_a_jump() -> None:
    assert "A kink (or a jump)" in report_of(gradcheck, lambda x: mg.floor(x) * x, values(1.0, 2.5))


def test_ties_of_max_along_a_dim() -> None:
    assert "A kink" in report_of(gradcheck, lambda x: x.max(0).values, values(1.0, 1.0, 0.5))


def test_a_wrong_rule_at_a_kink_is_a_wrong_rule() -> None:
    @mg.elementwise
    def ramp(x):
        return where(x > 0, x, 0)

    @ramp.backward("x")
    def _(g, x):
        return where(x > 0, -g, 0)

    report = report_of(gradcheck, ramp, values(0.0, 0.5, 1.5, -1.0))
    assert "The sign is flipped" in report
    assert "3 of 16 entries of the Jacobian, 1 of them at kinks" in report
    assert "A kink" not in report


def test_a_value_off_both_slopes_is_a_wrong_rule() -> None:
    @mg.elementwise
    def ramp(x):
        return where(x > 0, x, 0)

    @ramp.backward("x")
    def _(g, x):
        return where(x > 0, g, where(x == 0, 5 * g, 0))

    assert "A kink" not in report_of(gradcheck, ramp, values(0.0, 0.5))


def test_a_step_too_coarse() -> None:
    def steep(x: Tensor) -> Tensor:
        return (x * 1000.0).exp()

    assert "The step is too coarse" in report_of(gradcheck, steep, values(0.001, -0.002))
    assert gradcheck(steep, values(0.001, -0.002), eps=1e-7)


def test_rounding() -> None:
    assert "Rounding, the rule may be right" in report_of(gradcheck, lambda x: x + 1e7 - 1e7, X)
    assert "Rounding, the rule may be right" in report_of(gradcheck, lambda x: x.to(mg.float32).to(mg.float64) * 1.0, X)


def test_a_step_lost_next_to_a_large_value() -> None:
    with pytest.raises(ArgumentError, match=r"a step of 1e-05 is lost in rounding next to the values of x \(up to 1e\+20\)"):
        gradcheck(lambda x: x * 2.0, values(1e20))


@BOTH
def test_the_step_is_the_distance_really_moved(mode: str) -> None:
    assert gradcheck(lambda x: (x - 1e8) * 3.0, values(1e8 + 0.123, 1e8 - 4.567), mode=mode)


@BOTH
@pytest.mark.parametrize(
    ("func", "x", "says"),
    [
        (mg.log, -1.0, "the function itself is not finite"),
        (lambda x: mg.where(x > 0, mg.sqrt(x), 0.0), -1.0, "the backward rule is not: a division by 0"),
        (lambda x: mg.sqrt(x) * 1.0, 0.0, "NaN or Inf: x ± eps leaves the domain"),
        (lambda x: (x * 1000.0).exp(), 1.0, "the function itself is not finite"),
    ],
)
def test_nan_and_inf(func: Callable[..., Any], x: float, says: str, mode: str) -> None:
    assert says in squashed(report_of(gradcheck, func, values(x), mode=mode))


def test_constant_infinities_differ_by_nothing() -> None:
    assert gradcheck(lambda x: mg.where(mg.tensor([True, False]), -np.inf, x), values(1.0, 2.0))


# ---- what may be handed in, what is refused


def test_not_deterministic() -> None:
    report = report_of(gradcheck, lambda x: mg.dropout(x, 0.5), sample(40))
    assert "func is not deterministic: output changes by up to" in report
    assert "dropout in training mode" in report
    assert gradcheck(lambda x: mg.dropout(x, 0.5, generator=mg.Generator(7)), sample(40))


def test_outputs_whose_shapes_change() -> None:
    lengths = iter(range(1, 9))
    with pytest.raises(GradcheckError, match="other shapes when it runs again"):
        gradcheck(lambda x: x[: next(lengths)], X[0].detach().requires_grad_())


@BOTH
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_a_function_of_other_tensors_than_its_arguments(check: Callable[..., bool], mode: str) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    parameters, x = list(network.parameters()), sample(5, 2).detach()
    text = report_of(check, lambda *given: network(x).square().mean(), parameters, mode=mode)
    assert (
        f"{check.__name__}: no gradient of func's outputs goes to what it is given, but to other Tensors that require grad" in text
    )
    assert check(lambda first, *others: network(x + first.sum()), parameters, mode=mode)  # one that is used is enough


@BOTH
def test_functions_without_a_gradient(mode: str) -> None:
    w = values(2.0, 3.0)
    assert gradcheck(lambda x: w.detach() + x.detach().floor(), values(0.5, 1.5), mode=mode)  # PyTorch's way
    assert "The gradient is missing altogether" in report_of(gradcheck, lambda x: w * x.detach(), values(0.5, 1.5), mode=mode)
    assert gradgradcheck(lambda x: w * x, values(0.5, 1.5), grad_outputs=values(1.0, 2.0).detach(), mode=mode)


def test_float32_is_refused() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(DtypeError, match=r"input 1 \(y\) requires grad and must be float64, got float32"):
            check(lambda x, y: x + y, (values(1.0, 2.0), x))
    with pytest.raises(DtypeError, match="output has dtype float32"):
        gradcheck(lambda x: x.to(mg.float32), X)


def test_float32_that_needs_no_gradient_is_held_fixed() -> None:
    assert gradcheck(lambda x, y: x * y, (X, mg.tensor([1.0, 2.0, 3.0, 4.0])))


def test_no_input_requires_grad() -> None:
    with pytest.raises(ArgumentError, match="no input requires grad"):
        gradcheck(mg.exp, mg.ones(2, dtype=mg.float64))
    with pytest.raises(ArgumentError, match="no output requires grad"):
        gradgradcheck(lambda x: x.detach(), X)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mode": "fast"}, 'mode must be "full" or "random"'),
        ({"eps": 0.0}, "eps must be positive"),
        ({"rtol": -1.0}, "rtol and atol"),
    ],
)
def test_settings_that_do_not_exist(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        gradcheck(mg.exp, X, **settings)


def test_outputs_that_are_no_tensors() -> None:
    with pytest.raises(InputTypeError, match="output 1 is float"):
        gradcheck(lambda x: (x, x.sum().item()), X)


def test_integers_booleans_and_settings_are_held_fixed() -> None:
    mask, index = mg.tensor([True, False, True]), mg.tensor([2, 0])

    def func(x: Tensor, mask: Tensor, index: Tensor, power: int, name: str | None) -> tuple[Tensor, ...]:
        assert name is None
        return mg.where(mask, x**power, x)[index], x.argmax(), x > 1

    assert gradcheck(func, (values(0.5, -1.5, 2.0), mask, index, 3, None))
    assert gradgradcheck(func, (values(0.5, -1.5, 2.0), mask, index, 3, None))


@BOTH
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_empty_inputs_and_outputs(check: Callable[..., bool], mode: str) -> None:
    empty = mg.zeros(0, 3, dtype=mg.float64, requires_grad=True)
    assert check(lambda x: x * x, empty, mode=mode)
    assert check(lambda x: (x * x).sum(), empty, mode=mode)
    assert check(lambda x, y: (x * 2.0, y * y), (empty, X), mode=mode)


@BOTH
def test_inputs_are_not_written_to(mode: str) -> None:
    x, fixed = sample(3, 2), mg.ones(2, dtype=mg.float64)
    before = x.array.copy()

    def func(x: Tensor, fixed: Tensor) -> Tensor:
        with mg.no_grad():
            fixed *= 2.0
        return x * fixed

    assert gradcheck(func, (x, fixed), mode=mode)
    assert np.array_equal(before, x.array)
    assert x.grad is None
    assert [1.0, 1.0] == fixed.tolist()


def test_read_only_strided_and_derived_inputs() -> None:
    array = np.arange(1.0, 13.0).reshape(3, 4).T[::2]
    array.flags.writeable = False
    assert gradcheck(lambda x: x.exp() * x, Tensor(array * 0.1, requires_grad=True))
    assert gradcheck(lambda x: x * x, Tensor(array, requires_grad=True))
    assert gradcheck(lambda x: x * x, X * 2.0)


def test_works_within_no_grad() -> None:
    with mg.no_grad():
        assert gradcheck(mg.tanh, X)
        assert gradgradcheck(mg.tanh, X)
        assert not mg.is_grad_enabled()


# ---- many elements


def test_random_mode_finds_the_one_wrong_element() -> None:
    scale = np.ones(20000)
    scale[12345] = 1.01
    report = report_of(gradcheck, plant(lambda g: 2 * g * scale, lambda x: 2 * x), sample(20000), mode="random")
    assert "d output[12345] / d x[12345]" in report
    assert "ratio        1.01" in report
    assert "of 400000000" in report


def test_random_mode_passes_with_many_elements() -> None:
    assert gradcheck(lambda x, w: (x @ w).tanh(), (sample(200, 50), sample(50, 100)), mode="random")
    assert gradgradcheck(lambda x: x.sigmoid().mean(), sample(20000), mode="random")


@pytest.mark.parametrize("seed", range(5))
def test_random_mode_catches_a_small_factor_with_any_seed(seed: int) -> None:
    square = PLANTED["factor 1.0009"].func
    assert not gradcheck(square, sample(50000), mode="random", seed=seed, raise_exception=False)


# ---- second order


def constant(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


cube_cut = plant(lambda g, x: g * 3 * constant(x) * constant(x), lambda x: x * x * x)
cube_half = plant(lambda g, x: g * 3 * x * constant(x), lambda x: x * x * x)
two_faced = plant(lambda g, x: g * 3 * x * (1.5 * x if isinstance(x, Tensor) else x), lambda x: x * x * x)


@BOTH
@pytest.mark.parametrize(
    ("func", "says"),
    [
        (cube_cut, "The gradient is missing altogether: the analytic value is 0 where dL/dx does change with x"),
        (cube_half, "A constant factor, 0.5"),
        (two_faced, "is another one with create_graph=True"),
    ],
)
def test_wrong_second_derivatives(func: Any, says: str, mode: str) -> None:
    x = sample(3)
    assert gradcheck(func, x, mode=mode)
    assert says in squashed(report_of(gradgradcheck, func, x, mode=mode))


def test_a_wrong_first_derivative_alone_passes_gradgradcheck() -> None:
    assert gradgradcheck(PLANTED["factor 2"].func, X)


def test_grad_outputs_given() -> None:
    fixed, free = mg.ones(3, 4, dtype=mg.float64), sample(3, 4, seed=9)
    assert gradgradcheck(mg.mul, (X, Y), fixed)
    assert gradgradcheck(mg.mul, (X, Y), [free])
    report = report_of(gradgradcheck, cube_cut, X, grad_outputs=free)
    assert "gradgradcheck: the gradient of dL/dx (3, 4) by input 0, x (3, 4)," in report
    with pytest.raises(ArgumentError, match=r"grad_outputs must match .* \[\(3, 4\)\], got \[\(2,\)\]"):
        gradgradcheck(mg.mul, (X, Y), values(1.0, 2.0))


def test_several_outputs_and_inputs() -> None:
    def func(x: Tensor, n: int, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (x * y).sum(), (x**n).detach(), y.exp() * x

    def useful(x: Tensor, n: int, y: Tensor) -> tuple[Tensor, Tensor]:
        return func(x, n, y)[::2]

    assert gradcheck(useful, (X, 2, Y))
    assert gradgradcheck(useful, (X, 2, Y))
    assert "output 1 does not require grad" in report_of(gradcheck, func, (X, 2, Y))

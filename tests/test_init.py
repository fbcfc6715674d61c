"""Initial values: distributions against their formulas, fans, gains, and that nothing else is touched."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, InputTypeError, ShapeError
from minigrad.nn import init

PHI = np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[float])


def distance(sample: mg.Tensor, cdf: Callable[[Any], Any]) -> float:
    """Kolmogorov's √n · sup |F_n − F|: below 1.95 with probability 0.999, and far above for another distribution."""
    x = np.sort(sample.detach().numpy().ravel().astype(np.float64))
    f = cdf(x)
    steps = np.arange(x.size + 1) / x.size
    return float(math.sqrt(x.size) * max((steps[1:] - f).max(), (f - steps[:-1]).max()))


def assert_uniform(tensor: mg.Tensor, low: float, high: float) -> None:
    values = tensor.detach().numpy()
    slack = 1e-6 * max(abs(low), abs(high))  # float32 rounding of the bounds
    assert low - slack <= values.min()
    assert values.max() <= high + slack
    assert values.max() - values.min() > (1 - 20 / values.size) * (high - low)
    assert distance(tensor, lambda x: np.clip((x - low) / (high - low), 0, 1)) < 1.95


def assert_normal(tensor: mg.Tensor, mean: float, std: float) -> None:
    assert distance(tensor, lambda x: PHI((x - mean) / std)) < 1.95
    n = tensor.numel()
    assert abs(tensor.detach().numpy().astype(np.float64).std() / std - 1) < 4 / math.sqrt(2 * n)


def weight(*shape: int, dtype: Any = np.float32) -> mg.Tensor:
    return mg.zeros(*shape, dtype=dtype, requires_grad=True)


def seeded(seed: int = 0) -> mg.Generator:
    return mg.Generator(seed)


# ---- gains and fans


@pytest.mark.parametrize(
    ("nonlinearity", "param", "gain"),
    [
        ("linear", None, 1),
        ("sigmoid", None, 1),
        ("tanh", None, 5 / 3),
        ("relu", None, math.sqrt(2)),
        ("relu", 0.3, math.sqrt(2)),
        ("leaky_relu", None, math.sqrt(2 / 1.0001)),
        ("leaky_relu", 0, math.sqrt(2)),
        ("leaky_relu", 0.5, math.sqrt(1.6)),
        ("selu", None, 0.75),
    ],
)
def test_gain(nonlinearity: str, param: float | None, gain: float) -> None:
    assert gain == init.calculate_gain(nonlinearity, param)


def test_gain_refuses() -> None:
    with pytest.raises(ArgumentError, match=r"nonlinearity must be one of linear, .*leaky_relu, got 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ArgumentError, match=r"param must be a number .* got True"):
        init.calculate_gain("leaky_relu", True)
    with pytest.raises(ArgumentError, match=r"got '0\.1'"):
        init.calculate_gain("leaky_relu", "0.1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"), [((100, 300), 300, 100), ((10, 20, 5, 30), 3000, 1500), ((30, 40, 25), 1000, 750)]
)
def test_xavier_and_kaiming(shape: tuple[int, ...], fan_in: int, fan_out: int) -> None:
    xavier = math.sqrt(2 / (fan_in + fan_out))
    root3 = math.sqrt(3)
    assert_uniform(init.xavier_uniform_(weight(*shape), generator=seeded()), -root3 * xavier, root3 * xavier)
    assert_uniform(init.xavier_uniform_(weight(*shape), 5 / 3, seeded()), -root3 * xavier * 5 / 3, root3 * xavier * 5 / 3)
    assert_normal(init.xavier_normal_(weight(*shape), gain=2.0, generator=seeded()), 0, 2 * xavier)
    for mode, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        he = math.sqrt(2 / fan)
        relu = init.kaiming_uniform_(weight(*shape), mode=mode, nonlinearity="relu", generator=seeded())
        assert_uniform(relu, -root3 * he, root3 * he)
        leaky = init.kaiming_uniform_(weight(*shape), a=1, mode=mode, generator=seeded())
        assert_uniform(leaky, -root3 / math.sqrt(fan), root3 / math.sqrt(fan))
        assert_normal(init.kaiming_normal_(weight(*shape), 0, mode, generator=seeded()), 0, he)
        assert_normal(
            init.kaiming_normal_(weight(*shape), mode=mode, nonlinearity="linear", generator=seeded()), 0, 1 / math.sqrt(fan)
        )


def test_kaiming_defaults_are_fan_in_and_slope_0() -> None:
    default = init.kaiming_uniform_(weight(40, 60), generator=seeded())
    assert np.array_equal(
        init.kaiming_uniform_(weight(40, 60), 0, "fan_in", "relu", seeded()).detach().numpy(), default.detach().numpy()
    )


def test_linear_default() -> None:
    W, b = weight(400, 25), weight(400)
    init.linear_default_(W, b, seeded())
    assert_uniform(W, -0.2, 0.2)
    assert_uniform(b, -0.2, 0.2)
    W_alone = weight(400, 25)
    init.linear_default_(W_alone, None, seeded())
    assert np.array_equal(W.detach().numpy(), W_alone.detach().numpy())


def test_empty_tensors_stay() -> None:
    W, b = weight(3, 0), init.ones_(weight(3))
    init.linear_default_(W, b)
    assert [0, 0, 0] == b.tolist()
    for fill in (init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_):
        for shape in ((3, 0), (0, 3), (0, 0)):
            assert shape == fill(weight(*shape)).shape
    assert init.trunc_normal_(weight(0)).shape == (0,)


# ---- distributions


def test_uniform_and_normal() -> None:
    assert_uniform(init.uniform_(weight(200, 100), generator=seeded()), 0, 1)
    assert_uniform(init.uniform_(weight(20_000), -3, 5, seeded()), -3, 5)
    assert_normal(init.normal_(weight(200, 100), generator=seeded()), 0, 1)
    assert_normal(init.normal_(weight(20_000), 7, 0.1, seeded()), 7, 0.1)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0, 1, -2, 2),
        (0, 0.02, -2, 2),
        (1, 2, 0, 3),
        (0, 1, 1.5, 3),
        (0, 1, -9, -4),
        (5, 1, -1, 0),
        (-3, 0.5, -1, 7),
        (0, 1, -0.1, 0.1),
        (0, 1, -np.inf, 0.5),
        (0, 1, 1, np.inf),
        (2, 1, -1e6, -28),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trunc_normal(mean: float, std: float, a: float, b: float, dtype: Any) -> None:
    sample = init.trunc_normal_(weight(100, 200, dtype=dtype), mean, std, a, b, seeded(1))
    values = sample.detach().numpy()
    assert dtype(a) <= values.min()
    assert values.max() <= dtype(b)
    # In the upper tail, where 1 − Φ has no digits left, by symmetry.
    side = -1 if a > mean else 1
    low, high = sorted((side * (a - mean) / std, side * (b - mean) / std))

    def cdf(x: Any) -> Any:
        part = (PHI(side * (x - mean) / std) - PHI(low)) / (PHI(high) - PHI(low))
        return np.clip(part if side == 1 else 1 - part, 0, 1)

    assert distance(sample, cdf) < 1.95


def test_trunc_normal_defaults() -> None:
    sample = init.trunc_normal_(weight(50), generator=seeded())
    assert np.array_equal(init.trunc_normal_(weight(50), 0, 1, -2, 2, seeded()).detach().numpy(), sample.detach().numpy())


@pytest.mark.parametrize("shape", [(30, 30), (10, 40), (40, 10), (8, 3, 5), (20, 3, 2), (1, 1), (5, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = init.orthogonal_(weight(*shape, dtype=np.float64), gain=1.5, generator=seeded()).detach().numpy().reshape(shape[0], -1)
    square = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert np.allclose(2.25 * np.eye(len(square)), square, rtol=0, atol=1e-14)


def test_sparse() -> None:
    matrix = init.sparse_(weight(7, 50), 0.3, std=2.0, generator=seeded()).detach().numpy()
    assert {3} == {int(n) for n in (matrix == 0).sum(axis=0)}
    assert 2.0 == pytest.approx(matrix[matrix != 0].std(), rel=0.2)
    assert len({tuple(column == 0) for column in matrix.T}) > 10
    with pytest.raises(ShapeError, match=r"sparse_: expected a tensor with 2 axes, got shape \(3,\)"):
        init.sparse_(weight(3), 0.5)


def test_orthogonal_is_uniform() -> None:
    """A uniform direction in the plane: the angle of the first column is uniform, and both determinants are as likely."""
    generator = seeded()
    drawn = np.stack([init.orthogonal_(weight(2, 2), generator=generator).detach().numpy() for _ in range(2000)])
    angles = mg.tensor(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert distance(angles, lambda x: (x + np.pi) / (2 * np.pi)) < 1.95
    assert abs((np.linalg.det(drawn) > 0).mean() - 0.5) < 3.3 * 0.5 / math.sqrt(2000)


# ---- given values


def test_given_values() -> None:
    assert [[2.5, 2.5]] == init.constant_(weight(1, 2), 2.5).tolist()
    assert [1, 1, 1] == init.ones_(weight(3)).tolist()
    assert [0, 0] == init.zeros_(init.ones_(weight(2))).tolist()
    for shape in ((2, 3), (3, 2), (3, 3)):
        assert np.array_equal(np.eye(*shape), init.eye_(init.ones_(weight(*shape))).detach().numpy())
    assert np.float64 == init.eye_(weight(2, 2, dtype=np.float64)).dtype


# ---- what all share

RANDOM: dict[str, Callable[..., mg.Tensor]] = {
    name: getattr(init, name)
    for name in (
        "uniform_",
        "normal_",
        "trunc_normal_",
        "xavier_uniform_",
        "xavier_normal_",
        "kaiming_uniform_",
        "kaiming_normal_",
        "orthogonal_",
    )
}
random = pytest.mark.parametrize("fill", RANDOM.values(), ids=RANDOM)


@random
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_unrecorded_and_returned(fill: Callable[..., mg.Tensor], dtype: Any) -> None:
    tensor = weight(6, 4, dtype=dtype)
    array = tensor.array
    assert fill(tensor, generator=seeded()) is tensor
    assert tensor.array is array
    assert array.all()
    assert tensor.is_leaf
    assert tensor.requires_grad
    assert tensor.dtype == dtype
    assert tensor.grad is None


@pytest.mark.parametrize("fill", [init.ones_, init.zeros_, init.eye_, lambda tensor: init.constant_(tensor, 3)])
def test_constants_in_place(fill: Callable[..., mg.Tensor]) -> None:
    tensor = weight(3, 3)
    array = tensor.array
    assert fill(tensor) is tensor
    assert tensor.array is array
    assert tensor.is_leaf


@random
def test_generator(fill: Callable[..., mg.Tensor]) -> None:
    first, again, other = (fill(weight(5, 7), generator=seeded(seed)).detach().numpy() for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    mg.manual_seed(1)
    assert np.array_equal(first, fill(weight(5, 7)).detach().numpy())
    state = mg.default_generator.get_state()
    fill(weight(5, 7), generator=seeded(1))
    assert state == mg.default_generator.get_state()


@random
def test_into_a_view(fill: Callable[..., mg.Tensor]) -> None:
    """A transposed tensor is filled in its own memory."""
    array = np.zeros((4, 6))
    fill(mg.from_numpy(array).T, generator=seeded())
    assert array.all()


@random
def test_integers_are_refused(fill: Callable[..., mg.Tensor]) -> None:
    with pytest.raises(InputTypeError, match="floating-point tensor, got dtype int64"):
        fill(mg.zeros(3, 3, dtype=np.int64))


@pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_"])
@pytest.mark.parametrize("shape", [(5,), ()])
def test_fans_need_two_axes(name: str, shape: tuple[int, ...]) -> None:
    message = rf"{name}: .*2 or more axes, got shape \({'5,' if shape else ''}\)"
    with pytest.raises(ShapeError, match=message):
        getattr(init, name)(weight(*shape) if shape else mg.tensor(1.0))


def test_settings_out_of_range() -> None:
    with pytest.raises(ShapeError, match=r"eye_: expected a tensor with 2 axes, got shape \(2, 2, 2\)"):
        init.eye_(weight(2, 2, 2))
    with pytest.raises(ArgumentError, match="kaiming_normal_: mode must be 'fan_in' or 'fan_out', got 'fan'"):
        init.kaiming_normal_(weight(2, 2), mode="fan")
    with pytest.raises(ArgumentError, match="nonlinearity must be one of"):
        init.kaiming_uniform_(weight(2, 2), nonlinearity="step")
    with pytest.raises(ArgumentError, match=r"std > 0, a < b; got mean 0\.0, std 0, a -2\.0, b 2\.0"):
        init.trunc_normal_(weight(2), std=0)
    for settings in ({"a": 1, "b": 1}, {"mean": math.nan}, {"std": math.inf}, {"mean": math.inf}, {"a": math.nan}):
        with pytest.raises(ArgumentError, match="trunc_normal_: expected finite mean and std"):
            init.trunc_normal_(weight(2), **settings)
    with pytest.raises(ArgumentError, match="uniform_: a must not be above b"):
        init.uniform_(weight(2), 1, 0)
    with pytest.raises(ArgumentError, match="normal_: std must not be negative"):
        init.normal_(weight(2), 0, -1)

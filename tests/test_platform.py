"""What programs written for several devices and dtypes ask, and random numbers drawn by weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import WeightedRandomSampler
from minigrad.errors import ArgumentError, DomainError, DtypeError, InputTypeError, ShapeError
from minigrad.nn import functional as F


def test_there_is_the_cpu_alone() -> None:
    assert not mg.cuda.is_available()
    assert not mg.accelerator.is_available()
    assert not mg.backends.mps.is_available()
    assert mg.cuda.device_count() == 0
    mg.set_default_device("cpu")
    assert ("cpu", "cpu") == (mg.get_default_device(), mg.get_default_device().type)
    with pytest.raises(ArgumentError, match="set_default_device: device must be None or 'cpu', got 'cuda'"):
        mg.set_default_device("cuda")


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_limits_of_floats(dtype: Any) -> None:
    found, expected = mg.finfo(dtype), np.finfo(dtype)
    assert (found.bits, found.dtype) == (8 * dtype.itemsize, dtype.name)
    assert (found.eps, found.min, found.max) == (expected.eps, expected.min, expected.max)
    assert found.tiny == found.smallest_normal == expected.tiny
    assert found.resolution == (1e-6 if dtype == mg.float32 else 1e-15)
    assert isinstance(found.eps, float)


def test_limits_of_the_default_dtype() -> None:
    assert mg.finfo().dtype == "float32"


@pytest.mark.parametrize("dtype", [mg.uint8, mg.int8, mg.int16, mg.int32, mg.int64])
def test_limits_of_integers(dtype: Any) -> None:
    found, expected = mg.iinfo(dtype), np.iinfo(dtype)
    assert (found.bits, found.min, found.max) == (expected.bits, expected.min, expected.max)
    assert found.dtype == dtype.name


def test_limits_are_asked_of_the_right_kind() -> None:
    with pytest.raises(InputTypeError, match="finfo: expected a floating-point dtype, got int32"):
        mg.finfo(mg.int32)
    with pytest.raises(InputTypeError, match="iinfo: expected an integer dtype, got float32"):
        mg.iinfo(mg.float32)


def test_small_integers() -> None:
    x = mg.tensor([1, -2], dtype=mg.int8)
    assert (mg.int16, [101, 98]) == ((x + mg.tensor([100, 100], dtype=mg.int16)).dtype, (x + 100).tolist())
    assert (mg.int64, -1) == (x.sum().dtype, x.sum().item())


# ---- random numbers


def test_normal_numbers_with_a_mean_and_a_deviation_each() -> None:
    mg.manual_seed(0)
    x = mg.normal(mg.tensor([0.0, 5.0]), mg.tensor([[1.0], [0.0]] * 2000, dtype=mg.float32))
    assert ((4000, 2), mg.float32) == (x.shape, x.dtype)
    assert [[0.0, 5.0]] * 2000 == x[1::2].tolist()
    assert np.allclose([0, 5], x[::2].mean(0), atol=0.1)
    assert np.allclose([1, 1], x[::2].std(0), atol=0.1)
    y = mg.normal(2.0, 0.5, (2000,), dtype=mg.float64)
    assert (mg.float64, True) == (y.dtype, abs(y.mean().item() - 2) < 0.1)
    assert (
        mg.normal(mg.zeros(3), generator=mg.Generator(1)).tolist() == mg.normal(0.0, size=(3,), generator=mg.Generator(1)).tolist()
    )


def test_multinomial_draws_by_weight() -> None:
    weights = mg.tensor([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    drawn = mg.multinomial(weights, 4000, replacement=True, generator=mg.Generator(0))
    assert ((2, 4000), mg.int64) == (drawn.shape, drawn.dtype)
    assert np.allclose([1000, 0, 3000], np.bincount(drawn[0].numpy(), minlength=3), atol=150)
    assert {1} == set(drawn[1].tolist())
    assert {0, 2} == set(mg.multinomial(weights[0], 2).tolist())
    firsts = [mg.multinomial(weights[0], 2, generator=mg.Generator(seed))[0].item() for seed in range(400)]
    assert abs(firsts.count(2) - 300) < 40


def test_bernoulli_in_place() -> None:
    x = mg.empty(1000).bernoulli_(0.3, generator=mg.Generator(0))
    assert {0.0, 1.0} == set(x.tolist())
    assert abs(x.mean().item() - 0.3) < 0.05
    assert [0.0, 1.0] == mg.empty(2).bernoulli_(mg.tensor([0.0, 1.0])).tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.normal(0.0, 1.0), InputTypeError, "normal: expected a size for a mean and a std that are numbers"),
        (lambda: mg.normal(mg.zeros(2), 1.0, (2,)), InputTypeError, "normal: expected a size .* for tensors none"),
        (lambda: mg.normal(mg.zeros(2), -1.0), DomainError, "normal: std must not be negative, got -1.0"),
        (lambda: mg.normal(mg.zeros(2), mg.ones(3)), ShapeError, r"normal: shapes do not broadcast: mean \(2,\), std \(3,\)"),
        (lambda: mg.normal(mg.tensor([1]), 1.0), DtypeError, "normal: expected a floating-point tensor, got dtype int64"),
        (lambda: mg.normal("0", 1.0, (2,)), InputTypeError, "normal: mean must be a number, got '0'"),
        (lambda: mg.multinomial(mg.tensor([1, 2]), 1), DtypeError, "multinomial: expected a floating-point tensor"),
        (lambda: mg.multinomial(mg.ones(1, 1, 1), 1), ShapeError, r"multinomial: input must be \(n\) or \(rows, n\)"),
        (lambda: mg.multinomial(mg.tensor([1.0, -1.0]), 1), DomainError, "multinomial: the weights must be finite, not negative"),
        (lambda: mg.multinomial(mg.tensor([1.0, math.nan]), 1), DomainError, "multinomial: the weights must be finite"),
        (lambda: mg.multinomial(mg.zeros(2), 1), DomainError, "multinomial: the weights must be .* not all 0"),
        (
            lambda: mg.multinomial(mg.tensor([1.0, 0.0]), 2),
            ArgumentError,
            "num_samples must be .* without replacement at most 1, got 2",
        ),
        (lambda: mg.multinomial(mg.ones(2), 0), ArgumentError, "multinomial: num_samples must be at least 1"),
        (lambda: mg.multinomial(mg.ones(2), 0.5), InputTypeError, "multinomial: num_samples must be an int"),
        (
            lambda: mg.ones(2).bernoulli_(mg.tensor([-1.0, 0.5])),
            ArgumentError,
            "bernoulli_: expected probabilities .* from -1.0 to 0.5",
        ),
        (lambda: mg.bernoulli(mg.tensor([2.0])), ArgumentError, r"bernoulli: expected probabilities in \[0, 1\]"),
        (lambda: mg.bernoulli(mg.tensor([1])), DtypeError, "bernoulli: expected a floating-point tensor"),
        (lambda: mg.ones(2).bernoulli_(1.5), ArgumentError, r"bernoulli_: p must be a probability in \[0, 1\], got 1.5"),
    ],
)
def test_what_random_numbers_refuse(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- indices


def test_numbers_beside_index_arrays_count_as_one_of_them() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    x, places = mg.tensor(array), mg.tensor([0, 1])
    for first in (0, np.int64(0), mg.tensor(0)):
        assert array[0, :, [0, 1]].tolist() == x[first, :, places].tolist() == x[first, :, [0, 1]].tolist()
    y = mg.zeros(2, 3, 4)
    y[1, :, places] = mg.tensor([[7.0], [8.0]])
    assert [[7.0, 8.0, 0.0, 0.0]] * 3 == y[1].tolist()
    with pytest.raises(IndexError, match="setitem: index 2 is out of bounds"):
        y[2, :, places] = 1.0
    with pytest.raises(IndexError, match="getitem: index 4 is out of bounds"):
        _ = y[0, :, mg.tensor([4])]


def test_lists_are_index_arrays() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert [[3.0, 4.0], [1.0, 2.0]] == x[[1, 0]].tolist() == x[[mg.tensor(1), mg.tensor(0)]].tolist()
    assert [[[1.0, 2.0]], [[3.0, 4.0]]] == x[[[0], [1]]].tolist()
    assert [2.0, 3.0] == x[[0, 1], [1, 0]].tolist()


def test_an_index_of_uint8_names_places() -> None:
    assert [2.0, 1.0, 2.0] == mg.tensor([1.0, 2.0, 3.0])[mg.tensor([1, 0, 1], dtype=mg.uint8)].tolist()


def test_a_string_is_no_index() -> None:
    with pytest.raises(InputTypeError, match="getitem: an index must be of integers or booleans, got 'a'"):
        _ = mg.ones(2)["a"]


# ---- views in place


def test_a_view_in_place_takes_the_place_of_the_tensor() -> None:
    x = mg.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"t_: an in-place change of a leaf that requires grad must be under no_grad\(\)"):
        x.t_()
    with mg.no_grad():
        assert (3, 2) == x.t_().shape
    y = x * 2
    assert y.t_() is y
    assert (2, 3) == y.shape
    (y * mg.tensor([[1.0, 2.0, 3.0]])).sum().backward()
    assert x.grad is not None
    assert [[2.0, 2.0], [4.0, 4.0], [6.0, 6.0]] == x.grad.tolist()
    with mg.no_grad(), pytest.raises(RuntimeError, match="unsqueeze_: an in-place change of a recorded tensor must be recorded"):
        y.unsqueeze_(0)


def test_detaching_in_place() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 2
    z = y * 3
    assert y.detach_() is y
    assert (True, False) == (y.is_leaf, y.requires_grad)
    z.sum().backward()
    assert x.grad is not None
    assert [6.0, 6.0] == x.grad.tolist()


def test_multinomial_with_replacement_draws_each_row_by_its_own_weights() -> None:
    drawn = mg.multinomial(mg.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]]), 4000, replacement=True, generator=mg.Generator(0))
    assert (mg.int64, (2, 4000)) == (drawn.dtype, drawn.shape)
    assert {2} == set(drawn[1].tolist())
    assert {0, 1} == set(drawn[0].tolist())
    assert 0.75 == pytest.approx(drawn[0].float().mean().item(), abs=0.03)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.tensordot(mg.ones(2, 2), mg.ones(2, 2), 1.0), InputTypeError, "tensordot: dims must be an int or two lists"),
        (lambda: mg.linalg.matrix_norm(mg.ones(2, 2), dim=1), ArgumentError, "matrix_norm: dim must name two axes, got 1"),
        (lambda: mg.unravel_index(mg.tensor([1]), (0,)), IndexError, r"unravel_index: a tensor of shape \(0,\) has no places"),
        (
            lambda: mg.tensor([1, 2]).index_add(0, mg.tensor([0]), mg.tensor([1]), alpha=0.5),
            DtypeError,
            "index_add: alpha must be an int among integers, got 0.5",
        ),
        (lambda: WeightedRandomSampler([1.0, math.inf], 5), ArgumentError, "weights must be a vector of at least 1 positive"),
    ],
)
def test_what_is_refused_with_a_name(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_norm_takes_numpys_numbers() -> None:
    assert 3.0 == mg.linalg.vector_norm(mg.ones(3), np.int64(1)).item()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.cosine_embedding_loss(mg.ones(2, 3), mg.ones(2, 4), mg.ones(2)),
            ShapeError,
            r"cosine_embedding_loss: vectors of one length .* input1 \(2, 3\), input2 \(2, 4\)",
        ),
        (
            lambda: F.triplet_margin_loss(*[mg.ones(2, 3, dtype=mg.bool_)] * 3),
            DtypeError,
            "pairwise_distance: x1 must hold numbers, got dtype bool",
        ),
    ],
)
def test_errors_speak_of_what_was_called(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_empty_tensors_unflatten() -> None:
    assert (0, 2, 2) == mg.zeros(0, 4).unflatten(1, (2, -1)).shape
    assert (2, 2, 0) == mg.zeros(4, 0).unflatten(0, (2, -1)).shape


def test_no_classes_have_empty_gradients() -> None:
    x, t = mg.zeros(4, 0, requires_grad=True), mg.zeros(4, 0, requires_grad=True)
    F.cross_entropy(x, t).backward()
    assert (4, 0) == x.grad.shape == t.grad.shape


def test_dtypes_that_do_not_hang_on_values() -> None:
    x = mg.tensor([-1, 1], dtype=mg.int32)
    assert mg.int32 == (2**x).dtype == (2 ** x.abs()).dtype
    assert 3.0 == mg.take_along_dim(mg.tensor(3.0), mg.tensor(0), 0).item()


def test_bools_add_up_to_a_bool_with_alpha() -> None:
    yes = mg.tensor([True])
    assert [True] == mg.add(yes, yes, alpha=2).tolist()
    assert [False] == mg.add(mg.tensor([False]), yes, alpha=0).tolist()


def test_words_of_tutorials() -> None:
    layer = nn.Linear(2, 1)
    layer(mg.ones(3, 2)).sum().backward()
    assert 3.0 == nn.utils.clip_grad_norm_(layer.parameters(), 1.0, norm_type="inf").item()
    assert "<All keys matched successfully>" == repr(layer.load_state_dict(layer.state_dict()))
    assert "missing_keys=['weight', 'bias']" in repr(layer.load_state_dict({}, strict=False))
    with pytest.raises(InputTypeError, match="summary: input_shape must be a tuple, batch included, or a list of tuples; got 3"):
        nn.summary(layer, 3)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(InputTypeError, match="MultiStepLR: milestones must be a list of epochs, got 3"):
        optim.lr_scheduler.MultiStepLR(optimizer, 3)
    with pytest.raises(InputTypeError, match=r"ReduceLROnPlateau\.step: metrics must be a number .* got 'a'"):
        optim.lr_scheduler.ReduceLROnPlateau(optimizer).step("a")

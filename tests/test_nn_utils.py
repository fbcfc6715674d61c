"""Clipping gradients, parameters as one vector, and the summary of a model."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DomainError, InputTypeError, ShapeError
from minigrad.nn import utils

SHAPES = ((3, 4), (5,), (), (0, 2))


def parameters(seed: int = 0) -> list[mg.Tensor]:
    """Four parameters with gradients, and one without."""
    rng = np.random.default_rng(seed)
    made = [mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in SHAPES]
    for p in made:
        p.grad = mg.tensor(rng.standard_normal(p.shape))
    return [*made, mg.tensor([1.0], requires_grad=True)]


def gradient(ps: list[mg.Tensor]) -> np.ndarray:
    return np.concatenate([p.grad.numpy().ravel() for p in ps if p.grad is not None])


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, 0.5, math.inf])
def test_clip_grad_norm_scales_all_gradients_alike(order):
    ps = parameters()
    before, objects = gradient(ps), [p.grad for p in ps]
    expected = np.linalg.norm(before, order)
    assert expected == pytest.approx(utils.get_total_norm([p.grad for p in ps[:4]], order).item(), rel=1e-13)
    total = utils.clip_grad_norm_(ps, 0.25, order)
    assert isinstance(total, mg.Tensor)
    assert (np.float64, ()) == (total.dtype, total.shape)
    assert expected == pytest.approx(total.item(), rel=1e-13)
    np.testing.assert_allclose(gradient(ps), before * (0.25 / (expected + 1e-6)), rtol=1e-13)
    assert objects == [p.grad for p in ps]


def test_clip_grad_norm_leaves_small_gradients():
    ps = parameters()
    before = gradient(ps)
    utils.clip_grad_norm_(iter(ps), 1e3)
    assert np.array_equal(before, gradient(ps))
    single = ps[0]
    assert np.linalg.norm(single.grad.numpy()) == pytest.approx(utils.clip_grad_norm_(single, 1.0).item())
    assert 1.0 == pytest.approx(np.linalg.norm(single.grad.numpy()), rel=1e-5)
    assert 0.0 == utils.clip_grad_norm_([], 1.0).item()
    assert 0.0 == utils.clip_grad_norm_([ps[4]], 1.0).item()


def test_clip_grad_norm_of_float32_counts_in_float64():
    p = mg.zeros(10**6, requires_grad=True)
    p.grad = mg.full((10**6,), 0.1)
    total = utils.clip_grad_norm_(p, 1.0)
    assert np.float32 == total.dtype
    assert float(np.float32(0.1)) * 1e3 == pytest.approx(total.item(), rel=1e-7)
    assert np.float32 == p.grad.dtype


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_clip_grad_norm_of_what_is_not_finite(bad):
    ps = parameters()
    ps[1].grad = mg.tensor([bad, 1.0, 1.0, 1.0, 1.0], dtype=mg.float64)
    before = gradient(ps)
    with pytest.raises(DomainError, match=f"clip_grad_norm_: the total norm of order 2.0 is {bad}") as caught:
        utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    assert isinstance(caught.value, RuntimeError)
    np.testing.assert_array_equal(before, gradient(ps))
    assert bad == pytest.approx(utils.clip_grad_norm_(ps, 1.0).item(), nan_ok=True)
    assert math.isnan(ps[1].grad[0].item())
    assert all(math.isnan(g) if math.isnan(bad) else g == 0 for g in ps[0].grad.reshape(-1).tolist())


def test_clip_grad_value():
    ps = parameters()
    before = gradient(ps)
    assert utils.clip_grad_value_(ps, 0.3) is None
    np.testing.assert_array_equal(np.clip(before, -0.3, 0.3), gradient(ps))
    assert ps[4].grad is None


def test_parameters_to_vector_and_back():
    ps = parameters()
    vector = utils.parameters_to_vector(ps)
    assert vector.requires_grad
    assert np.array_equal(np.concatenate([p.detach().numpy().ravel() for p in ps]), vector.detach())
    (vector * mg.arange(19)).sum().backward()
    assert [float(i) for i in range(13, 17)] == (ps[1].grad.numpy() - parameters()[1].grad.numpy())[1:].round(9).tolist()
    target = mg.arange(19).double()
    arrays = [p.array for p in ps]
    utils.vector_to_parameters(target, ps)
    assert list(range(12)) == ps[0].reshape(-1).tolist()
    assert 17.0 == ps[2].item()
    assert [18.0] == ps[4].tolist()
    assert all(p.array is array and p.requires_grad for p, array in zip(ps, arrays, strict=True))


def test_refusals_name_what_came():
    with pytest.raises(InputTypeError, match="clip_grad_norm_: expected Tensors, got float"):
        utils.clip_grad_norm_([1.0], 1.0)
    with pytest.raises(InputTypeError, match="clip_grad_norm_: max_norm must be a number, got None"):
        utils.clip_grad_norm_(parameters(), None)
    with pytest.raises(InputTypeError, match="clip_grad_value_: clip_value must be a number, got 'x'"):
        utils.clip_grad_value_(parameters(), "x")
    with pytest.raises(ArgumentError, match="parameters_to_vector: expected at least one parameter"):
        utils.parameters_to_vector([])
    ps = parameters()
    with pytest.raises(ShapeError, match=r"vector_to_parameters: the parameters have 19 elements, got vec of shape \(18,\)"):
        utils.vector_to_parameters(mg.zeros(18), ps)
    assert ps[0][0, 0].item() != 0
    with pytest.raises(InputTypeError, match="vector_to_parameters: vec must be a Tensor, got list"):
        utils.vector_to_parameters([1.0], ps)


# ---- summary


def test_summary_is_a_table():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Sequential(nn.Linear(8, 2, bias=False), nn.Dropout()))
    model[0].requires_grad_(False)
    model[3].eval()
    found = nn.summary(model, (32, 4))
    assert (
        str(found)
        == repr(found)
        == (
            "Layer              Output shape   Parameters\n"
            "────────────────────────────────────────────\n"
            "Sequential         (32, 2)                 –\n"
            "  0: Linear        (32, 8)                40\n"
            "  1: BatchNorm1d   (32, 8)                16\n"
            "  2: ReLU          (32, 8)                 –\n"
            "  3: Sequential    (32, 2)                 –\n"
            "    0: Linear      (32, 2)                16\n"
            "    1: Dropout     (32, 2)                 –\n"
            "────────────────────────────────────────────\n"
            "72 parameters (32 trainable, 40 frozen), 288 bytes"
        )
    )
    assert (72, 32, 288) == (found.total_params, found.trainable_params, found.param_bytes)
    assert [True, True, True, False] == [module.training for module in model]
    assert not model[1].running_mean.array.any()
    assert all(not module._hooks for module in model.modules())


def test_summary_of_several_inputs_and_of_what_does_not_run():
    class Pair(nn.Module):
        def __init__(self):
            self.meet = nn.Bilinear(2, 3, 4)
            self.spare = nn.Linear(2, 2)

        def forward(self, a, b):
            return self.meet(a, b), a

    lines = [line.split() for line in str(nn.summary(Pair(), [(5, 2), (5, 3)], mg.float32)).splitlines()]
    assert ["Pair", "(5,", "4),", "(5,", "2)", "–"] == lines[2]
    assert ["meet:", "Bilinear", "(5,", "4)", "28"] == lines[3]
    assert ["spare:", "Linear", "not", "run", "6"] == lines[4]
    assert "1.5 MiB" in str(nn.summary(nn.Linear(40, 10**4, bias=False), (1, 40)))
    with pytest.raises(InputTypeError, match="summary: model must be a Module, got int"):
        nn.summary(3, (1, 2))


def test_summary_leaves_the_model_as_it_was_when_it_fails():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(4, 8))
    with pytest.raises(ShapeError):
        nn.summary(model, (1, 4))
    assert model.training
    assert all(not module._hooks for module in model.modules())

"""The doctor's findings in outputs, losses, inputs and targets: a sick and a healthy network for each."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from patients import CE, YES, X, Y, codes, net

import minigrad as mg
from minigrad import Tensor, nn
from minigrad.inspect.health.diagnosis import doctor
from minigrad.nn import functional as F

# ---- outputs and losses


def test_softmax_in_front_of_cross_entropy() -> None:
    model = net()
    (found,) = doctor(nn.Sequential(model, nn.Softmax(-1)), (X, Y), CE).findings
    assert ("softmax_before_cross_entropy", "error") == (found.code, found.severity)
    assert found.value == pytest.approx(math.log(1 + 3 / math.e))  # logits (1, 0, 0, 0)
    by_hand = doctor(lambda x: (lambda e: e / e.sum(1, keepdim=True))(model(x).exp()), (X, Y), CE)
    assert {"softmax_before_cross_entropy"} == codes(by_hand)
    in_the_loss = doctor(model, (X, Y), lambda y, t: F.cross_entropy(F.softmax(y, 1), t))
    assert {"softmax_before_cross_entropy"} == codes(in_the_loss)


def test_sigmoid_in_front_of_cross_entropy() -> None:
    assert {"sigmoid_on_multiclass"} == codes(doctor(net(head=nn.Sigmoid()), (X, Y), CE))


def test_sigmoids_over_classes_that_exclude_each_other() -> None:
    one_hot = F.one_hot(Y, 4).float()
    (found,) = doctor(net(), (X, one_hot), nn.BCEWithLogitsLoss()).findings
    assert ("sigmoid_on_multiclass", "warning") == (found.code, found.severity)
    several = mg.tensor((X.numpy()[:, :4] > 0).astype(np.float32))
    assert set() == codes(doctor(net(), (X, several), nn.BCEWithLogitsLoss()))


def test_sigmoids_over_classes_at_many_places() -> None:
    random = np.random.default_rng(0)
    inputs = mg.tensor(random.standard_normal((20, 3, 6)).astype(np.float32))
    chosen = np.moveaxis(np.eye(3, dtype=np.float32)[random.integers(0, 3, (20, 7))], -1, 1)
    (found,) = doctor(nn.Linear(6, 7), (inputs, mg.tensor(chosen)), nn.BCEWithLogitsLoss()).findings
    assert "Each of the 140 targets is exactly one of 3 classes" in found.message


def test_sigmoids_and_a_squared_error_over_classes() -> None:
    one_hot = F.one_hot(Y, 4).float()
    (found,) = doctor(net(head=nn.Sigmoid()), (X, one_hot), nn.MSELoss()).findings
    assert ("sigmoid_on_multiclass", "warning") == (found.code, found.severity)
    assert "cross_entropy" in found.remedy
    assert set() == codes(doctor(net(), (X, one_hot), nn.MSELoss()))
    several = mg.tensor((X.numpy()[:, :4] > 0).astype(np.float32))
    assert set() == codes(doctor(net(head=nn.Sigmoid()), (X, several), nn.MSELoss()))


def test_logits_into_bce() -> None:
    (found,) = doctor(net(last=1), (X, YES), nn.BCELoss()).findings
    assert ("logits_into_bce", "error") == (found.code, found.severity)
    inside = net(last=1)
    inside[4].weight.array[...] *= 1e-3
    inside[4].bias.array[...] = 0.5
    assert "logits_into_bce" in codes(doctor(inside, (X, YES), nn.BCELoss()))
    assert set() == codes(doctor(net(last=1, head=nn.Sigmoid()), (X, YES), nn.BCELoss()))


SEVERAL = mg.tensor((X.numpy()[:, :4] > 0).astype(np.float32))


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (nn.FocalLoss(), SEVERAL),
        (functools.partial(F.focal_loss, gamma=1.0), SEVERAL),
        (nn.MultiLabelSoftMarginLoss(), SEVERAL),
        (nn.SoftMarginLoss(), SEVERAL * 2 - 1),
        (lambda y, t: F.binary_cross_entropy_with_logits(y, t), SEVERAL),
    ],
)
def test_probabilities_into_kin_of_bce_with_logits(loss: Any, target: Tensor) -> None:
    (found,) = doctor(net(head=nn.Sigmoid()), (X, target), loss).findings
    assert ("probabilities_into_bce_with_logits", "error") == (found.code, found.severity)
    assert set() == codes(doctor(net(), (X, target), loss))


def test_focal_loss_over_classes_takes_logits() -> None:
    (found,) = doctor(net(head=nn.Softmax(1)), (X, Y), nn.FocalLoss()).findings
    assert "softmax_before_cross_entropy" == found.code
    assert "focal loss takes logits" in found.message
    assert "cannot fall below" not in found.message
    assert {"sigmoid_on_multiclass"} == codes(doctor(net(head=nn.Sigmoid()), (X, Y), nn.FocalLoss()))
    assert set() == codes(doctor(net(), (X, Y), nn.FocalLoss()))


@pytest.mark.parametrize(
    ("head", "severity"),
    [
        (lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6), "error"),
        (lambda z: 1 / (1 + (-z).exp()), "warning"),
        (lambda z: (8 * z).exp() / (1 + (8 * z).exp()), "warning"),
        (lambda z: z * 0.1 + 0.5, None),
        (lambda z: (z * 0.1 + 0.5).mean(1, keepdim=True).expand(-1, 4), None),
        (lambda z: z / 4, None),
    ],
)
def test_probabilities_written_by_hand(head: Any, severity: str | None) -> None:
    model = net()
    found = doctor(lambda x: head(model(x)), (X, SEVERAL), nn.BCEWithLogitsLoss()).by_code("probabilities_into_bce_with_logits")
    assert ([severity] if severity else []) == [finding.severity for finding in found]


def test_tanh_in_front_of_logits() -> None:
    (found,) = doctor(net(head=nn.Tanh()), (X, Y), CE).findings
    assert ("squashed_logits", "warning") == (found.code, found.severity)
    assert found.value == pytest.approx(math.log(1 + 3 / math.e**2))  # logits (1, −1, −1, −1)
    assert {"squashed_logits"} == codes(doctor(net(last=1, head=nn.Softsign()), (X, YES), nn.BCEWithLogitsLoss()))
    assert set() == codes(doctor(net(last=1, head=nn.Tanh()), (X, YES), nn.MSELoss()))


def test_softmax_over_the_samples() -> None:
    model = net()
    (found,) = doctor(lambda x: F.log_softmax(model(x), 0), [(X[:128], Y[:128]), (X[128:], Y[128:])], nn.NLLLoss()).findings
    assert "nll_without_log_softmax" == found.code
    assert "add up to 1 over the samples of a batch" in found.message
    assert "dim=1" in found.remedy


def test_probabilities_into_bce_with_logits() -> None:
    model = net(last=1, head=nn.Sigmoid())
    assert {"probabilities_into_bce_with_logits"} == codes(doctor(model, (X, YES), nn.BCEWithLogitsLoss()))
    assert set() == codes(doctor(net(last=1), (X, YES), nn.BCEWithLogitsLoss()))


@pytest.mark.parametrize(("head", "what"), [(None, "logits"), (nn.Softmax(-1), "probabilities"), (nn.LogSoftmax(-1), None)])
def test_what_nll_loss_takes(head: nn.Module | None, what: str | None) -> None:
    found = doctor(net(head=head), (X, Y), nn.NLLLoss()).findings
    assert (["nll_without_log_softmax"] if what else []) == [finding.code for finding in found]
    assert all(f"look like {what}" in finding.message for finding in found)


def test_constant_outputs() -> None:
    model = net()
    model[4].weight.array[...] = 0
    model[4].bias.array[...] = [0.1, 0.2, 0.3, 0.4]
    (found,) = doctor(model, (X, Y), CE).by_code("constant_output")
    assert "for all 256 samples" in found.message


def test_some_outputs_that_are_constant() -> None:
    model = net()
    model[4].weight.array[[1, 3]] = 0
    (found,) = doctor(model, (X, Y), CE).by_code("constant_output")
    assert "warning" == found.severity
    assert "2 of 4 outputs (1, 3, counted from 0) are the same for all 256 samples" in found.message
    model = net()
    model[4].weight.array[2] = 0
    target = mg.tensor(X.numpy()[:, :4].copy())
    (found,) = doctor(model, (X, target), nn.MSELoss()).by_code("constant_output")
    assert "1 of 4 outputs (2, counted from 0) is the same" in found.message
    target.array[:, 2] = 0  # then it does what is asked of it
    assert set() == codes(doctor(model, (X, target), nn.MSELoss()))


# ---- data


@pytest.mark.parametrize("shift", [1, -1, 100])
def test_labels_out_of_range(shift: int) -> None:
    labels = Y + shift
    (found,) = doctor(net(), (X, labels), CE).findings
    assert ("labels_out_of_range", "error") == (found.code, found.severity)
    assert f"go from {shift} to {shift + 3}" in found.message
    assert ("Subtract 1" in found.remedy) == (shift == 1)


def test_one_output_for_two_classes() -> None:
    model = nn.Linear(12, 1)
    (found,) = doctor(model, (X, (Y < 2).long()), CE).findings
    assert "one output makes one class, 0" in found.message
    assert "two outputs, or take BCEWithLogitsLoss" in found.remedy


def test_labels_to_be_ignored_are_in_range() -> None:
    labels = Y.clone()
    labels.array[::7] = -100
    assert set() == codes(doctor(net(), (X, labels), CE))
    labels.array[::7] = 9
    assert set() == codes(doctor(net(), (X, labels), nn.CrossEntropyLoss(ignore_index=9)))


def test_binary_targets_out_of_range() -> None:
    assert {"labels_out_of_range"} == codes(doctor(net(last=1), (X, YES * 2), nn.BCEWithLogitsLoss()))


def test_a_loss_that_fails_is_a_finding() -> None:
    (found,) = doctor(net(), (X, Y.float()), CE).findings
    assert ("loss_fails", "error") == (found.code, found.severity)
    assert "class indices of an integer dtype" in found.message
    (found,) = doctor(net(), (X, Y), nn.CrossEntropyLoss(reduction="none")).findings
    assert "it must be one number" in found.message


def test_unscaled_inputs() -> None:
    factor, offset = np.ones(12, np.float32), np.zeros(12, np.float32)
    assert set() == codes(doctor(net(), (X, Y), CE))
    offset[3] = 40
    (found,) = doctor(net(), (X + mg.tensor(offset), Y), CE).by_code("unscaled_inputs")
    assert found.value == pytest.approx(40, rel=0.02)
    assert "feature 3 has mean 39.9" in found.message
    factor[:] = 0.01
    factor[5] = 1
    (found,) = doctor(net(), (X * mg.tensor(factor), Y), CE).by_code("unscaled_inputs")
    assert "100 times the median" in found.message
    (found,) = doctor(net(), (X * 0.04, Y), CE).by_code("unscaled_inputs")
    assert found.value == pytest.approx(0.04 * math.sqrt(12), rel=0.02)
    assert "biases outweigh them" in found.message
    assert "unscaled_inputs" not in codes(doctor(net(), (X * 0.07, Y), CE))


def test_every_input_is_to_be_scaled() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            self.a, self.b, self.c = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 4)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.c((self.a(x) + self.b(y.float())).relu())

    assert set() == codes(doctor(Two(), [(X, X + 1, Y)], CE))
    (found,) = doctor(Two(), [(X, X * 1000, Y)], CE).by_code("unscaled_inputs")
    assert "Input 2 is not scaled" in found.message
    (found,) = doctor(Two(), [(X, (X * 100).long(), Y)], CE).by_code("unscaled_inputs")
    assert "Input 2 is not scaled" in found.message


def test_pixels_as_integers() -> None:
    pixels = mg.tensor(np.random.default_rng(0).integers(0, 256, (256, 12)).astype(np.uint8))
    model = net()
    assert "unscaled_inputs" in codes(doctor(lambda x: model(x.float()), (pixels, Y), CE))
    assert set() == codes(doctor(lambda x: model(x.float() / 255), (pixels, Y), CE))
    tokens = nn.Sequential(nn.Embedding(256, 4), nn.Flatten(), nn.Linear(48, 4))
    assert set() == codes(doctor(tokens, (pixels.long(), Y), CE))


def test_pixels_between_0_and_1_are_scaled() -> None:
    rim = np.where(np.arange(12) < 4, 0, 1).astype(np.float32)
    pixels = mg.tensor(np.clip(X.numpy() * 0.5, 0, 1) * rim)
    assert "unscaled_inputs" not in codes(doctor(net(), (pixels, Y), CE))


def test_class_imbalance() -> None:
    rare = mg.tensor((np.arange(256) % 20 == 0).astype(np.float32))
    (found,) = doctor(net(last=1), (X, rare), nn.BCEWithLogitsLoss()).findings
    assert ("class_imbalance", 243 / 256) == (found.code, found.value)
    assert "95 % of 256 targets are class 0" in found.message
    assert "is what the model does" not in found.message
    model = net(last=1)
    model[4].bias.array[...] = -9
    (found,) = doctor(model, (X, rare), nn.BCEWithLogitsLoss()).by_code("class_imbalance")
    assert "that is what the model does, for every sample" in found.message
    assert "class_imbalance" not in codes(doctor(net(), (X, Y), CE))


RARE = mg.tensor((np.arange(256) % 50 == 0).astype(np.float32))


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (nn.CrossEntropyLoss(weight=mg.tensor([1.0, 49.0])), RARE.long()),
        (nn.BCEWithLogitsLoss(pos_weight=mg.tensor(49.0)), mg.stack([RARE, RARE], 1)),
        (nn.FocalLoss(), mg.stack([RARE, RARE], 1)),
        (nn.FocalLoss(), RARE.long()),
    ],
)
def test_imbalance_that_is_weighed_against_is_a_note(loss: Any, target: Tensor) -> None:
    diagnosis = doctor(net(last=2), (X, target), loss)
    assert [("class_imbalance", "note")] == [(finding.code, finding.severity) for finding in diagnosis.findings]
    assert "weight" not in diagnosis.findings[0].remedy
    assert diagnosis.healthy


def test_imbalance_of_one_hot_targets() -> None:
    (found,) = doctor(net(last=2), (X, F.one_hot(RARE.long(), 2).float()), CE).findings
    assert ("class_imbalance", "warning", 250 / 256) == (found.code, found.severity, found.value)


def test_imbalance_of_several_labels() -> None:
    labels = mg.stack([RARE, 1 - RARE, YES, YES], 1)
    (found,) = doctor(net(), (X, labels), nn.BCEWithLogitsLoss()).findings
    assert ("class_imbalance", "warning", 250 / 256) == (found.code, found.severity, found.value)
    assert "2 of 4 labels are the same in 95 % of samples and more; label 0 is 0 in 98 % of 256" in found.message
    ten = mg.tensor((np.random.default_rng(0).random((256, 4)) < 0.1).astype(np.float32))
    assert set() == codes(doctor(net(), (X, ten), nn.BCEWithLogitsLoss()))


def test_data_of_one_class() -> None:
    (found,) = doctor(net(), (X, Y * 0 + 2), CE).findings
    assert "All 256 targets are class 2, and these are all the data: there is nothing to tell apart." == found.message
    assert "shuffle" not in found.remedy


def test_data_sorted_by_class() -> None:
    in_batches = [(X[:64], Y[:64] * 0 + 2)] * 2 + [(X[:64], Y[:64])]
    (found,) = doctor(net(), in_batches, CE, batches=2).findings
    assert "All 128 targets seen are class 2." == found.message
    assert "shuffle" in found.remedy

"""Predictions explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DomainError, InputTypeError, ShapeError
from minigrad.inspect.tracing.prediction import explain_prediction


def mlp(*sizes: int, bias: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def fixed_logits(*logits: float) -> nn.Linear:
    """A model whose logits for the input (1, 1) are these."""
    model = nn.Linear(2, len(logits))
    with mg.no_grad():
        model.weight.copy_(mg.tensor([[z, 0.0] for z in logits]))
        assert model.bias is not None
        model.bias.zero_()
    return model


def test_the_choice_the_runner_up_and_the_margins() -> None:
    seen = explain_prediction(fixed_logits(2.0, 1.0, 0.1), mg.ones(2), class_names=["cat", "dog", "bird"])
    np.testing.assert_allclose(seen.probabilities, [0.6590, 0.2424, 0.0986], atol=5e-5)
    assert (0, 1) == (seen.chosen, seen.runner_up)
    assert 1.0 == pytest.approx(seen.logit_margin)
    assert (
        "cat, with probability 0.6590; next is dog with 0.2424. The margin is 0.4166 in probability, 1 in logits." == seen.sentence
    )
    assert seen.sentence in " ".join(str(seen).split())


@pytest.mark.parametrize(("end", "kind"), [(nn.Softmax(dim=-1), "probabilities"), (nn.LogSoftmax(dim=-1), "log_probabilities")])
def test_a_model_that_ends_in_softmax_is_recognized(end: nn.Module, kind: str) -> None:
    model = fixed_logits(2.0, 1.0, 0.1)
    plain, ended = explain_prediction(model, mg.ones(2)), explain_prediction(nn.Sequential(model, end), mg.ones(1, 2))
    assert ("logits", kind) == (plain.outputs, ended.outputs)
    np.testing.assert_allclose(plain.probabilities, ended.probabilities, rtol=1e-6)
    assert plain.logit_margin == pytest.approx(ended.logit_margin, rel=1e-5)
    w = np.array([2.0, 1.0, 0.1])
    np.testing.assert_allclose(ended.saliency, [2 - plain.probabilities @ w, 0], rtol=1e-5)  # of log p, not of the logit
    assert "of the log-probability of 0" in str(ended)


@pytest.mark.parametrize("logit", [3.0, -3.0])
def test_two_classes_in_one_output(logit: float) -> None:
    model = fixed_logits(logit)
    plain, ended = explain_prediction(model, mg.ones(2)), explain_prediction(nn.Sequential(model, nn.Sigmoid()), mg.ones(2))
    chosen = int(logit > 0)
    for seen in (plain, ended):
        assert (chosen, 1 - chosen) == (seen.chosen, seen.runner_up)
        np.testing.assert_allclose(seen.probabilities[1], 1 / (1 + np.exp(-logit)), rtol=1e-6)
        assert 3.0 == pytest.approx(seen.logit_margin, rel=1e-5)
    np.testing.assert_allclose(plain.saliency, [3, 0], rtol=1e-6)  # of the chosen class: z or −z
    np.testing.assert_allclose(ended.saliency, [3 * (1 - ended.probabilities[chosen]), 0], rtol=1e-5)


def test_saliency_adds_up_to_the_logit_of_a_relu_network_without_biases() -> None:
    mg.manual_seed(0)
    seen = explain_prediction(mlp(6, 9, 7, 4, bias=False), mg.randn(6))
    assert seen.saliency is not None
    assert seen.explained == pytest.approx(seen.saliency.sum(), rel=1e-5)
    assert seen.explained == pytest.approx(seen.scores.max())
    biased = explain_prediction(mlp(6, 9, 7, 4), mg.randn(6))
    assert biased.saliency is not None
    assert biased.explained != pytest.approx(biased.saliency.sum(), rel=1e-3)


def test_saliency_is_gradient_times_input() -> None:
    mg.manual_seed(2)
    model, x = mlp(4, 5, 3), mg.randn(1, 4)
    seen = explain_prediction(model, x, feature_names=["a", "b", "c", "d"])
    leaf = mg.tensor(x.array, requires_grad=True)
    model(leaf)[0, seen.chosen].backward()
    assert leaf.grad is not None
    np.testing.assert_array_equal(leaf.grad.array[0], seen.gradient)
    np.testing.assert_array_equal(leaf.grad.array[0] * x.array[0], seen.saliency)
    table = str(seen)[str(seen).index("Gradient × value") :].splitlines()[2:]
    sizes = np.abs(seen.saliency)
    assert ["abcd"[i] for i in np.argsort(-sizes)] == [line.split()[0] for line in table[:4]]


def test_an_explanation_is_in_evaluation_mode_and_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 2))
    first, second, compiled = (explain_prediction(f, mg.ones(3)) for f in (model, model, mg.compile(model)))
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.scores, compiled.scores)
    assert all(module.training for module in model.modules())
    assert 0 == model[1].num_batches_tracked.item()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("model", "operation"),
    [
        (fixed_logits(2.0, 1.0, 0.1), "softmax"),
        (fixed_logits(1.0), "sigmoid"),
        (nn.Sequential(fixed_logits(2.0, 1.0), nn.LogSoftmax(dim=-1)), "exp"),
    ],
)
def test_the_stages_end_in_the_probabilities(model: nn.Module, operation: str) -> None:
    seen = explain_prediction(model, mg.ones(2))
    last, before = seen.stages[-1], seen.stages[-2]
    assert ("to probabilities", operation, before.number + 1) == (last.kind, last.operation, last.number)
    assert last.values.values is not None
    assert before.shape == last.shape
    np.testing.assert_allclose(last.values.values.ravel(), seen.probabilities[-last.values.values.size :], rtol=1e-6)
    assert f"to probabilities  {operation}" in str(seen)


def test_no_stage_is_added_to_a_model_that_ends_in_probabilities() -> None:
    seen = explain_prediction(nn.Sequential(fixed_logits(2.0, 1.0), nn.Softmax(dim=-1)), mg.ones(2))
    assert ["–", "linear", "softmax"] == [stage.operation for stage in seen.stages]


def test_what_a_page_calls_an_explanation_and_says_of_it() -> None:
    seen = explain_prediction(fixed_logits(2.0, 1.0), mg.ones(2), class_names=["cat", "dog"])
    assert ("Explanation", seen.sentence) == (seen.title, seen.headline())
    assert str(seen).startswith("Linear chooses cat\n\ncat, with probability 0.7311")


def test_integer_inputs_have_no_saliency() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    seen = explain_prediction(model, np.array([1, 3]))
    assert seen.saliency is None
    assert "The input holds integers" in str(seen)


def test_whole_numbers_of_python_are_floats_unless_the_model_takes_integers() -> None:
    model = mlp(4, 5, 3)
    whole, floats = explain_prediction(model, [1, 2, 3, 4]), explain_prediction(model, [1.0, 2.0, 3.0, 4.0])
    assert whole.saliency is not None
    np.testing.assert_array_equal(floats.saliency, whole.saliency)
    table = mg.randn(5, 3)
    embed = nn.Sequential(nn.Flatten(), nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    for taking in (embed, lambda i: table[i[:, 0]]):
        seen = explain_prediction(taking, [1, 3])
        assert seen.saliency is None
        np.testing.assert_array_equal(explain_prediction(taking, np.array([1, 3])).scores, seen.scores)


def test_what_a_function_sees_is_in_evaluation_mode() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 2))
    by_function = explain_prediction(lambda x: model(x), mg.ones(3))
    np.testing.assert_array_equal(explain_prediction(model, mg.ones(3)).scores, by_function.scores)
    assert "model.0" in {stage.layer for stage in by_function.stages}
    assert all(module.training for module in model.modules())


def test_pictures_are_said_to_be_guessed() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    x = mg.rand(64)
    assert "taken for a picture of 8 × 8" in " ".join(str(explain_prediction(model, x)).split())
    given = explain_prediction(model, x, image_shape=(4, 16))
    assert (4, 16) == given.image_shape
    assert "taken for" not in str(given)
    assert explain_prediction(model, x, feature_names=list(map(str, range(64)))).image_shape is None
    assert (8, 8) == explain_prediction(model, x.reshape(1, 1, 8, 8)).image_shape
    assert explain_prediction(nn.Linear(16, 3), mg.rand(16)).image_shape is None  # too small to guess


def colours() -> tuple[nn.Module, Any]:
    """A model of pictures of 3 colours, 4 rows, 8 columns, and a picture."""
    mg.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(96, 3)), mg.rand(3, 4, 8)


def test_colour_pictures() -> None:
    model, x = colours()
    last = x.permute(1, 2, 0)
    for given, shape, expected in [
        (x[None], None, (3, 4, 8)),
        (last[None], None, (4, 8, 3)),
        (x.reshape(-1), (3, 4, 8), (3, 4, 8)),
        (x.reshape(-1), [4, 8, 3], (4, 8, 3)),
        (x.reshape(-1), (1, 8, 12), (8, 12)),
        (x.reshape(1, 1, 8, 12), None, (8, 12)),
        (x.reshape(1, 2, 6, 8), None, None),  # no colours that one knows
    ]:
        assert expected == explain_prediction(model, given, image_shape=shape).image_shape


def test_the_saliency_of_colours_is_summed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    model, x = colours()
    seen = explain_prediction(model, x[None])
    assert seen.saliency is not None
    left, right, _ = seen.plot(tmp_path / "colours.png").axes
    np.testing.assert_allclose(right.images[0].get_array(), seen.saliency.sum(0), rtol=1e-6)
    np.testing.assert_array_equal(left.images[0].get_array(), x.array.transpose(1, 2, 0))
    last = explain_prediction(model, x.permute(1, 2, 0)[None] * 5 - 2)
    shown, summed, _ = last.plot().axes
    picture = shown.images[0].get_array()
    assert (4, 8, 3) == picture.shape
    assert (0.0, 1.0) == (picture.min(), picture.max())  # stretched
    np.testing.assert_allclose(summed.images[0].get_array(), last.saliency.sum(-1), rtol=1e-5, atol=1e-7)


def test_an_explanation_as_data_html_and_pictures(tmp_path: Path) -> None:
    table = explain_prediction(mlp(3, 4, 2), mg.ones(3), feature_names=["a", "b", "c"])
    image = explain_prediction(nn.Linear(64, 3), mg.rand(64))
    flat = explain_prediction(nn.Linear(64, 3), mg.zeros(64))
    assert json.loads(table.to_json())["probabilities"] == table.probabilities.tolist()
    assert "Gradient × value" in table._repr_html_()
    pytest.importorskip("matplotlib")
    for n, seen in enumerate((table, image, flat)):
        seen.plot(tmp_path / f"{n}.png")
        assert (tmp_path / f"{n}.png").stat().st_size > 3000


def test_a_saturated_output_says_that_its_gradient_is_zero() -> None:
    seen = explain_prediction(nn.Sequential(fixed_logits(100.0), nn.Sigmoid()), mg.ones(2))
    assert "more than" not in seen.sentence
    assert "1.0000" in seen.sentence
    assert "The gradient is 0 everywhere" in " ".join(str(seen).split())


@pytest.mark.parametrize("logits", [(1e3, -1e3, 0.0), (-1e3, 1e3)])
def test_large_logits_are_explained(logits: tuple[float, ...]) -> None:
    seen = explain_prediction(fixed_logits(*logits), mg.ones(2))
    assert int(np.argmax(logits)) == seen.chosen
    assert 1.0 == seen.probabilities.sum()
    json.loads(seen.to_json())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explain_prediction(nn.Linear(2, 2), mg.ones(3, 2)), ShapeError, r"one sample.*got shape \(3, 2\)"),
        (
            lambda: explain_prediction(nn.Linear(2, 2), mg.ones(2), class_names=["a"]),
            ArgumentError,
            "class_names must hold 2 names",
        ),
        (lambda: explain_prediction(nn.Linear(2, 2), mg.ones(2), feature_names="abc"), ArgumentError, "feature_names must hold 2"),
        (lambda: explain_prediction(nn.Linear(2, 2), mg.ones(2), outputs="odds"), ArgumentError, "outputs must be one of"),
        (lambda: explain_prediction(nn.Linear(2, 2), mg.ones(2), image_shape=(2, 2)), ShapeError, "of 2 inputs"),
        (lambda: explain_prediction(nn.Linear(16, 2), mg.ones(16), image_shape=(4, 2, 2)), ShapeError, r"\(3, rows, columns\)"),
        (
            lambda: explain_prediction(fixed_logits(1, 2), mg.ones(2), outputs="probabilities"),
            DomainError,
            "add up to 3 instead of 1",
        ),
        (lambda: explain_prediction(fixed_logits(2), mg.ones(2), outputs="probabilities"), DomainError, "the output is 2"),
        (lambda: explain_prediction(nn.Linear(2, 2), mg.tensor([1.0, np.nan])), DomainError, "holds NaN"),
        (lambda: explain_prediction(nn.Sequential(nn.Linear(2, 3), nn.Sigmoid()), mg.ones(2)), ArgumentError, "3 sigmoid outputs"),
        (lambda: explain_prediction(nn.Sequential(nn.Linear(2, 1), nn.Softmax(-1)), mg.ones(2)), ArgumentError, "over one output"),
        (lambda: explain_prediction(lambda x: (x, x), mg.ones(2)), InputTypeError, "must return a Tensor, got tuple"),
        (lambda: explain_prediction(lambda x: x.reshape(2, 1), mg.ones(2)), ShapeError, r"\(1, classes\)"),
        (lambda: explain_prediction(7, mg.ones(2)), InputTypeError, "model must be"),
    ],
)
def test_wrong_calls_of_explain_prediction(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()

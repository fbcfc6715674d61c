"""Traces of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.autograd import checkpoint
from minigrad.errors import ArgumentError, InputTypeError, ShapeError
from minigrad.inspect.tracing.flow import Trace, trace
from minigrad.inspect.values import Snapshot, short, written
from minigrad.nn import functional as F


def pipeline() -> tuple[nn.Module, mg.Tensor]:
    """The lesson's network and its input."""
    return nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Softmax(dim=-1)), mg.tensor([2.0, -1.0, 0.5, 3.0])


def minus_log(probabilities: mg.Tensor, target: mg.Tensor) -> mg.Tensor:
    return -mg.log(probabilities[target])


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def operations(seen: Trace) -> list[str]:
    return [stage.operation for stage in seen.stages]


def values(seen: Trace, number: int) -> Any:
    found = seen.stages[number].values.values
    assert found is not None
    return found


# ---- the lesson's example


def test_the_pipeline_of_the_lesson() -> None:
    model, x = pipeline()
    seen = trace(model, x, target=mg.tensor(3), loss=minus_log)
    assert ["–", "relu", "sigmoid", "softmax", "getitem", "log", "neg"] == operations(seen)
    expected = [
        [2, -1, 0.5, 3],
        [2, 0, 0.5, 3],
        [0.8808, 0.5, 0.6225, 0.9526],
        [0.2833, 0.1936, 0.2188, 0.3044],
    ]
    for number, row in enumerate(expected):
        np.testing.assert_allclose(values(seen, number), row, atol=5e-5)
    assert 1.18954 == pytest.approx(seen.loss, abs=5e-6)
    gradient = seen.stages[0].gradient
    assert gradient is not None
    np.testing.assert_allclose(gradient.values, [0.0297, 0, 0.0514, -0.0314], atol=5e-5)


def test_the_printed_trace_of_the_lesson() -> None:
    model, x = pipeline()
    text = str(trace(model, x, target=mg.tensor(3), loss=minus_log))
    for line in (
        "0  input            –          (4,)         –           [2, -1, 0.5, 3]",
        "1  0: ReLU          relu       (4,) → (4,)  –           [2, 0, 0.5, 3]",
        "2  1: Sigmoid       sigmoid    (4,) → (4,)  –           [0.8808, 0.5, 0.6225, 0.9526]",
        "3  2: Softmax       softmax    (4,) → (4,)  –           [0.2833, 0.1936, 0.2188, 0.3044]",
        "0  input            –          [0.0297, 0, 0.0514, -0.0314]       0.0672    0.0281",
        "1  0: ReLU           25 %   0.0000   1.3750   3.0000  1.1924",
    ):
        assert line in text


# ---- stages


def test_stages_equal_numpy_by_hand() -> None:
    mg.manual_seed(0)
    model = mlp(3, 4, 2)
    x = mg.randn(2, 3)
    seen = trace(model, x, limit=100)
    w, b, v, c = (p.array for p in model.parameters())
    hidden = x.array @ w.T + b
    for number, row in enumerate([x.array, hidden, np.maximum(hidden, 0), np.maximum(hidden, 0) @ v.T + c]):
        np.testing.assert_allclose(values(seen, number), row, rtol=1e-5, atol=1e-6)
    s = seen.stages[2].values.statistics
    positive = np.maximum(hidden, 0).astype(np.float64)
    expected = [(positive == 0).mean(), 0, positive.mean(), positive.max(), positive.std(), np.linalg.norm(positive)]
    np.testing.assert_allclose([s.zeros, s.min, s.mean, s.max, s.std, s.norm], expected, rtol=1e-5)


def test_shapes_layers_and_parameters_of_stages() -> None:
    seen = trace(mlp(3, 4, 2), mg.ones(5, 3))
    assert ["", "0", "1", "2"] == [stage.layer for stage in seen.stages]
    assert ["input", "Linear", "ReLU", "Linear"] == [stage.kind for stage in seen.stages]
    assert [0, 16, 0, 10] == [stage.parameters for stage in seen.stages]
    assert [(), ((5, 3),), ((5, 4),), ((5, 4),)] == [stage.inputs for stage in seen.stages]
    assert [(5, 3), (5, 4), (5, 4), (5, 2)] == [stage.shape for stage in seen.stages]
    assert [0, 1, 2, 3] == [stage.number for stage in seen.stages]


def test_large_values_are_summarized() -> None:
    seen = trace(nn.ReLU(), mg.tensor([[1.0, -1.0], [3.0, 5.0]]), limit=3)
    assert seen.stages[1].values.values is None
    assert "2.25 ± 1.9203" == str(seen.stages[1].values)
    assert "Of more than 3 values: mean ± standard deviation." in str(seen)


class Twice(nn.Module):
    """A layer called twice, with functions between."""

    def __init__(self) -> None:
        self.fc = nn.Linear(2, 2)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.fc(F.relu(self.fc(x)) + 1.0)


def test_a_shared_layer_is_numbered_and_functions_stand_under_their_module() -> None:
    seen = trace(Twice(), mg.ones(1, 2))
    expected = [("fc", "linear", 1), ("", "relu", 1), ("", "add", 1), ("fc", "linear", 2)]
    assert expected == [(stage.layer, stage.operation, stage.call) for stage in seen.stages[1:]]
    assert "fc: Linear (call 2)" in str(seen)
    assert "2  Twice " in str(seen)


def test_a_layer_that_hands_on_its_input_is_a_stage() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Identity(), nn.ReLU(inplace=True)).eval()
    seen = trace(model, mg.ones(3, 2), target=mg.zeros(3, 2), loss=nn.MSELoss())
    assert ["–", "linear", "–", "–", "relu", "mse_loss"] == operations(seen)
    np.testing.assert_array_equal(values(seen, 1), values(seen, 2))  # as it was before ReLU wrote into it
    assert seen.stages[1].gradient is not None
    assert seen.stages[3].gradient is not None
    np.testing.assert_array_equal(seen.stages[1].gradient.values, seen.stages[3].gradient.values)


def test_dropout_in_training_is_an_operation() -> None:
    seen = trace(nn.Dropout(0.5), mg.ones(1000))
    assert 0.4 < seen.stages[1].values.statistics.zeros < 0.6
    assert "in training mode" in str(seen)


def test_in_place_relu_leaves_the_input_and_the_stages_before_it() -> None:
    model, x = nn.Sequential(nn.ReLU(inplace=True), nn.ReLU(inplace=True)), mg.tensor([-1.0, 2.0])
    for more in ({}, {"target": mg.zeros(2), "loss": nn.MSELoss()}):
        seen = trace(model, x, **more)
        assert [-1.0, 2.0] == x.tolist()
        assert [[-1.0, 2.0], [0.0, 2.0]] == [values(seen, n).tolist() for n in (0, 1)]


def test_attention_embedding_and_tuples() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.embed, self.attend = nn.Embedding(5, 4), nn.MultiheadAttention(4, 2)

        def forward(self, i: mg.Tensor) -> Any:
            h = self.embed(i)
            return self.attend(h, h, h)

    def loss(output: Any, target: mg.Tensor) -> mg.Tensor:
        return F.mse_loss(output[0], target)

    model = Model()
    seen = trace(model, np.array([[0, 4, 2]]), target=mg.zeros(1, 3, 4), loss=loss)
    assert seen.error is None
    assert ["embed", "attend"] == [seen.stages[n].layer for n in (1, 2)]
    assert seen.stages[0].gradient is None  # integers
    assert "attend.out_proj" in {stage.layer for stage in seen.stages}
    assert {name for name, _ in model.named_parameters()} == set(seen.gradients)


def test_functions_and_several_inputs() -> None:
    w = mg.tensor([[1.0], [2.0]], requires_grad=True)

    def weigh(a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
        return (a + b) @ w

    seen = trace(weigh, mg.ones(1, 2), np.ones((1, 2), np.float32), target=mg.zeros(1, 1), loss=F.mse_loss)
    assert [(0, "input 1"), (0, "input 2"), (1, "weigh"), (2, "weigh")] == [(s.number, s.kind) for s in seen.stages[:4]]
    assert [[6.0]] == values(seen, 3).tolist()
    assert "w" in seen.gradients
    np.testing.assert_allclose(seen.gradients["w"].values, [[24.0], [24.0]])
    assert w.grad is None


def test_the_layers_that_a_function_sees_have_its_names_for_them() -> None:
    attend, x = nn.MultiheadAttention(4, 2), mg.ones(1, 3, 4)
    out = attend.out_proj
    seen = trace(lambda x: out(attend(x, x, x, need_weights=False)[0]), x)
    assert seen.error is None
    assert {"", "attend", "attend.out_proj"} == {stage.layer for stage in seen.stages}  # each by the first name for it
    assert ("attend.out_proj", 2) == (seen.stages[-1].layer, seen.stages[-1].call)
    fast = mg.compile(attend)
    layers = {stage.layer for stage in trace(lambda x: fast(x, x, x), x).stages}
    assert {"", "fast", "fast.out_proj"} == layers


def test_what_a_function_sees_is_left_as_it_was() -> None:
    norm = nn.BatchNorm1d(3)
    mean = norm.running_mean
    trace(lambda x: norm(x), mg.randn(8, 3))
    assert norm.running_mean is mean
    assert ([0.0] * 3, 0) == (mean.tolist(), norm.num_batches_tracked.item())
    assert "_hooks" not in vars(norm)


def test_a_compiled_model_is_traced_layer_by_layer_and_keeps_its_program() -> None:
    model = mlp(3, 4, 2)
    fast = mg.compile(model)
    x = mg.ones(2, 3)
    with mg.no_grad():
        for _ in range(4):
            fast(x)
        before = fast.stats()
        assert ["0", "1", "2"] == [stage.layer for stage in trace(fast, x).stages[1:]]
        fast(x)
    after = fast.stats()
    assert (before["recorded"], before["replayed"] + 1) == (after["recorded"], after["replayed"])


@pytest.mark.parametrize("given", [[[1.0, 2, 3]], np.array([[1.0, 2, 3]], np.float32), mg.tensor([[1.0, 2, 3]])])
def test_lists_of_numbers_and_arrays_are_inputs(given: Any) -> None:
    model = nn.Linear(3, 2)
    seen = trace(model, given, target=[1], loss=nn.CrossEntropyLoss())
    assert seen.error is None
    assert [[1.0, 2.0, 3.0]] == values(seen, 0).tolist()
    assert seen.stages[0].gradient is not None
    np.testing.assert_array_equal(seen.gradients["weight"].values.shape, (2, 3))


def test_other_objects_are_handed_on_as_they_are() -> None:
    came = []

    def function(parts: Any, pair: Any, count: Any, words: Any, nothing: Any) -> mg.Tensor:
        came.extend([parts, pair, count, words, nothing])
        return parts["x"] * count + pair[0]

    given = {"x": mg.ones(2)}, [mg.ones(2), mg.ones(2)], 3, ["a", [1]], None
    seen = trace(function, *given, target=(1.0, 2.0), loss=F.mse_loss)
    assert all(a is b for a, b in zip(given, came, strict=True))
    assert ["mul", "add", "mse_loss"] == operations(seen)
    assert [4.0, 4.0] == values(seen, 1).tolist()
    assert 6.5 == seen.stages[2].values.values


def test_a_target_of_other_things_is_handed_to_the_loss() -> None:
    def loss(y: mg.Tensor, target: Any) -> mg.Tensor:
        return F.mse_loss(y, target["y"])

    assert 1.0 == trace(nn.Linear(1, 1, bias=False), mg.zeros(1, 1), target={"y": mg.ones(1, 1)}, loss=loss).loss


def test_each_parameter_counts_once() -> None:
    attend, h = nn.MultiheadAttention(16, 2), mg.randn(1, 3, 16)
    seen = trace(attend, h, h, h)
    total = sum(p.numel() for p in attend.parameters())
    assert 1088 == total == seen.parameters == sum(stage.parameters for stage in seen.stages)
    assert "1,088 parameters, each counted where it is first used." in str(seen)
    twice = trace(Twice(), mg.ones(1, 2))
    assert [(0, False), (6, False), (0, False), (0, False), (0, True)] == [(s.parameters, s.shared) for s in twice.stages]
    assert "(1, 2) → (1, 2)      shared  " in str(twice)
    frozen = nn.Linear(2, 2).requires_grad_(False)
    assert "6 parameters.\n" in str(trace(frozen, mg.ones(1, 2)))


def test_parameters_that_are_not_used_are_told_of() -> None:
    model = mlp(2, 2)
    model.register_parameter("unused", nn.Parameter(mg.zeros(3)))
    assert "6 parameters of the model's 9 (the others were not used)." in str(trace(model, mg.ones(1, 2)))
    assert "parameters" not in str(trace(nn.ReLU(), mg.ones(1, 2)))


def test_a_failed_run_says_that_it_did_not_come_to_the_other_parameters() -> None:
    text = str(trace(nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2)), mg.ones(2, 3)))
    assert "16 parameters of the model's 28 (as far as the run came before it failed)." in text
    assert "not used" not in text


def test_many_stages_show_their_ends() -> None:
    def loop(x: mg.Tensor) -> mg.Tensor:
        for _ in range(500):
            x = x * 0.5
        return x

    seen = trace(loop, mg.ones(2))
    assert 501 == len(seen.stages)
    assert "421 more stages" in str(seen)
    assert 200 > len(str(seen).splitlines())
    assert 501 == len(seen.to_dict()["stages"])


def test_keyword_inputs_are_among_the_shapes_of_a_failure() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(3, 1)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.fc(input=x)

    seen = trace(Model(), mg.ones(4, 2))
    assert seen.failure is not None
    assert ("fc: Linear", ((4, 2),)) == (seen.failure.place, seen.failure.inputs)


# ---- gradients


def test_gradients_equal_those_of_backward() -> None:
    mg.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3))
    x, t = mg.randn(6, 3), mg.tensor([0, 1, 2, 0, 1, 2])
    seen = trace(model, x, target=t, loss=nn.CrossEntropyLoss(), limit=100)
    hidden = model[0](x)
    hidden.retain_grad()
    loss = F.cross_entropy(model[1:](hidden), t)
    loss.backward()
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.grad.array, seen.gradients[name].values)
    np.testing.assert_array_equal(hidden.grad.array, seen.stages[1].gradient.values)
    assert loss.item() == seen.loss
    assert [1.0] == [
        stage.gradient.statistics.norm for stage in seen.stages if stage.operation == "cross_entropy" and stage.gradient
    ]


def test_what_a_checkpoint_computes_again_is_no_stage() -> None:
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    seen = trace(lambda x: checkpoint(lambda v: (v * w).exp(), x), mg.ones(2), target=mg.zeros(2), loss=F.mse_loss)
    assert ["–", "mul", "exp", "mse_loss"] == operations(seen)
    assert seen.gradients["w"] is not None


def test_parameters_without_gradient_are_named() -> None:
    model = mlp(2, 2)
    model.register_parameter("unused", nn.Parameter(mg.zeros(3)))
    seen = trace(model, mg.ones(1, 2), target=mg.zeros(1, 2), loss=nn.MSELoss())
    assert seen.gradients["unused"] is None
    assert "no gradient: not used" in str(seen)


# ---- nothing is changed


def test_a_trace_changes_nothing() -> None:
    mg.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
    x, t = mg.randn(8, 3), mg.zeros(8, 2)
    F.mse_loss(model(x), t).backward()
    state = {name: tensor.array.copy() for name, tensor in model.state_dict().items()}
    grads = {name: (p.grad, p.grad.array.copy()) for name, p in model.named_parameters() if p.grad is not None}
    settings = {name: set(vars(module)) for name, module in model.named_modules()}
    mg.manual_seed(5)
    expected = mg.rand(3).tolist()
    mg.manual_seed(5)
    trace(model, x, target=t, loss=nn.MSELoss())
    assert expected == mg.rand(3).tolist()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(state[name], tensor.array)
    for name, parameter in model.named_parameters():
        assert parameter.grad is grads[name][0]
        np.testing.assert_array_equal(grads[name][1], parameter.grad.array)
    assert settings == {name: set(vars(module)) for name, module in model.named_modules()}
    assert x.grad is None
    assert all(module.training for module in model.modules())


def test_buffers_come_back_when_a_layer_fails() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(4, 2))
    assert trace(model, mg.randn(5, 3)).error is not None
    assert [0.0, 0.0, 0.0] == model[0].running_mean.tolist()
    assert 0 == model[0].num_batches_tracked.item()


def test_a_graph_from_before_a_trace_can_still_go_backward() -> None:
    model = nn.BatchNorm1d(2).eval()
    y = model(mg.ones(4, 2)).sum()
    model.train()
    trace(model, mg.randn(4, 2))
    y.backward()
    assert model.weight is not None
    assert model.weight.grad is not None


# ---- failures


def test_a_failing_layer_is_shown_after_what_ran() -> None:
    seen = trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(5, 2)), mg.ones(2, 3))
    assert ["–", "linear", "relu"] == operations(seen)
    assert isinstance(seen.error, ShapeError)
    assert seen.failure is not None
    assert ("2: Linear", ((2, 4),)) == (seen.failure.place, seen.failure.inputs)
    assert (("weight", (2, 5)), ("bias", (2,))) == seen.failure.parameters
    text = str(seen)
    assert "FAILED in 2: Linear\n  ShapeError: linear: x has 4 features but weight takes 5" in text
    assert "came in: (2, 4)\n  parameters: weight (2, 5), bias (2,)" in text


def test_a_failure_in_the_loss_or_in_a_function_is_placed() -> None:
    late = trace(mlp(2, 2), mg.ones(1, 2), target=mg.tensor([7]), loss=nn.CrossEntropyLoss())
    assert "FAILED in the loss, CrossEntropyLoss" in str(late)
    assert late.loss is None

    def odd(x: mg.Tensor) -> mg.Tensor:
        return F.relu(x) @ mg.ones(3, 2)

    early = trace(odd, mg.ones(1, 2))
    assert "relu" == early.stages[-1].operation
    assert "FAILED in the model (odd)" in str(early)
    assert "came in: (1, 2)" in str(early)


def test_a_loss_that_is_no_tensor_fails_in_the_backward_pass() -> None:
    seen = trace(nn.ReLU(), mg.ones(2), target=mg.zeros(2), loss=lambda y, t: 3.0)
    assert isinstance(seen.error, InputTypeError)
    assert "FAILED in the backward pass\n  InputTypeError: the loss must return a Tensor, got float" in str(seen)


def test_a_loss_without_a_graph_fails_in_the_backward_pass() -> None:
    seen = trace(lambda x: x.detach(), mg.ones(2), target=mg.zeros(2), loss=nn.MSELoss())
    assert "FAILED in the backward pass" in str(seen)


def test_a_failure_that_the_model_catches_is_none() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            self.wrong, self.right = nn.Linear(9, 1), nn.Linear(2, 1)

        def forward(self, x: mg.Tensor) -> Any:
            try:
                return self.wrong(x)
            except ShapeError:
                return self.right(x)

    seen = trace(Careful(), mg.ones(1, 2))
    assert seen.error is None
    assert "right" == seen.stages[-1].layer


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: trace(3, mg.ones(1)), InputTypeError, "model must be a Module or a function, got int"),
        (lambda: trace(nn.ReLU()), ArgumentError, "expected the inputs of the model"),
        (lambda: trace(nn.ReLU(), mg.ones(1), target=mg.ones(1)), ArgumentError, "got target without loss"),
        (lambda: trace(nn.ReLU(), mg.ones(1), loss=nn.MSELoss()), ArgumentError, "got loss without target"),
        (lambda: trace(nn.ReLU(), mg.ones(1), target=mg.ones(1), loss=3), InputTypeError, "loss must be"),
    ],
)
def test_wrong_calls_of_trace(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# ---- odd values, and how a trace is shown


def test_nan_empty_and_integers_are_shown() -> None:
    seen = trace(nn.ReLU(), mg.tensor([float("nan"), float("inf"), -1.0]))
    assert "[nan, inf, 0]" == str(seen.stages[1].values)
    assert "1 ± 0 (2 not finite)" == str(trace(nn.ReLU(), mg.tensor([np.inf, np.nan, 1.0]), limit=2).stages[0].values)
    assert "3 not finite" == str(Snapshot(np.full(3, np.nan), 2))
    empty = trace(nn.ReLU(), mg.ones(0, 3))
    assert "[]" == str(empty.stages[1].values)
    assert "1  ReLU   –      –    –     –    –" in str(empty)
    assert "nan" not in str(empty)
    json.loads(empty.to_json())
    json.loads(seen.to_json())


def test_one_nan_leaves_the_numbers_of_the_others() -> None:
    seen = trace(nn.ReLU(), mg.tensor([np.nan, np.inf, -1.0, 0.0, 4.0]))
    s = seen.stages[0].values.statistics
    assert (-1.0, 1.0, 4.0, 2) == (s.min, s.mean, s.max, s.not_finite)
    assert math.isnan(s.norm)
    assert "Std  NaN or inf" in str(seen)
    assert "0  input   20 %  -1.0000  1.0000  4.0000  2.1602           2" in str(seen)
    assert "NaN or inf" not in str(trace(nn.ReLU(), mg.ones(2)))


def test_what_a_page_calls_a_trace_and_says_of_it() -> None:
    model, x = pipeline()
    seen = trace(model, x, target=mg.tensor(3), loss=minus_log)
    assert ("Trace", "6 stages, loss 1.1895") == (seen.title, seen.headline())
    assert str(seen).startswith("Sequential, in training mode, from stage to stage\n\n")
    assert "failed in Linear" == trace(nn.Linear(3, 1), mg.ones(1, 2)).headline()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits(dtype: Any) -> None:
    seen = trace(nn.Softmax(dim=-1), mg.tensor(np.array([1e3, -1e3], dtype)), target=mg.tensor([1.0, 0.0]), loss=nn.MSELoss())
    assert [1.0, 0.0] == values(seen, 1).tolist()
    assert 0.0 == seen.loss


def test_a_trace_as_data_html_and_picture(tmp_path: Path) -> None:
    model, x = pipeline()
    seen = trace(model, x, target=mg.tensor(3), loss=minus_log)
    data = json.loads(seen.to_json())
    assert ["relu", [2.0, 0.0, 0.5, 3.0]] == [data["stages"][1]["operation"], data["stages"][1]["output"]["values"]]
    assert data["stages"][1]["output"]["zeros"] == 0.25
    assert "loss: minus_log" in seen._repr_html_()
    pytest.importorskip("matplotlib")
    for n, document in enumerate((seen, trace(nn.ReLU(), mg.full((20,), float("nan"))), trace(nn.ReLU(), mg.zeros(0)))):
        document.plot(tmp_path / f"{n}.png")
        assert (tmp_path / f"{n}.png").stat().st_size > 3000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0, "2"),
        (-0.0, "0"),
        (0.88079, "0.8808"),
        (0.029683, "0.0297"),
        (1234.5678, "1234.57"),
        (1e-5, "1e-05"),
        (3, "3"),
        (True, "True"),
    ],
)
def test_short_numbers(value: Any, expected: str) -> None:
    assert expected == short(value)


def test_a_mean_that_is_rounding_is_shown_as_zero() -> None:
    x = np.tile(np.array([0.1, -0.3, 0.2], np.float32), 3)
    assert 0 < abs(Snapshot(x, 1).statistics.mean) < 1e-8
    assert "0 ± 0.216" == str(Snapshot(x, 1))
    assert "-0.3000  0.0000  0.2000  0.2160" in str(trace(nn.Identity(), x, limit=1))
    assert "1e-06 ± 0.5" == str(Snapshot(np.array([0.500001, -0.499999]), 1))


def test_snapshots() -> None:
    assert "[[1, 2], [3, 4]]" == written(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array = np.array([3.0, -4.0])
    small, large = Snapshot(array, 2), Snapshot(array, 1)
    array[0] = 9.0
    assert "[3, -4]" == str(small)
    assert (5.0, 3.5) == (small.statistics.norm, small.statistics.mean_size)
    assert small.statistics == large.statistics

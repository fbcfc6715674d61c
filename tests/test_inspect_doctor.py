"""The doctor's findings in layers, gradients and NaN: a sick and a healthy network for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from patients import CE, YES, X, Y, codes, net, scaled, trained

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader, Subset, TensorDataset
from minigrad.inspect.health import checks_activations, checks_gradients
from minigrad.inspect.health.diagnosis import doctor
from minigrad.nn import functional as F

# ---- healthy networks


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.SiLU])
@pytest.mark.parametrize("epochs", [0, 15])
def test_nothing_is_found_in_a_healthy_network(activation: Any, epochs: int) -> None:
    model = net(activation)
    optimizer = trained(model, epochs=epochs)
    diagnosis = doctor(model, (X, Y), CE, optimizer=optimizer, validation=(X[:100], Y[:100]))
    assert [] == [finding for finding in diagnosis.findings if finding.severity != "note"]
    assert diagnosis.healthy


def test_nothing_is_found_in_a_network_trained_on_digits() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    x = ((x - x.mean(0)) / np.where(x.std(0) == 0, 1, x.std(0))).astype(np.float32)
    mg.manual_seed(0)
    train, other = (x[:1400], y[:1400]), (x[1400:], y[1400:])
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    fresh = doctor(model, train, CE, optimizer=optim.Adam(model.parameters()))
    assert [] == fresh.findings
    optimizer = optim.Adam(model.parameters())
    history = mg.train.fit(model, CE, optimizer, train, 10, validation=other, progress=False)
    diagnosis = doctor(model, train, CE, optimizer=optimizer, validation=other, history=history)
    assert [] == diagnosis.findings
    assert diagnosis.headline().startswith(
        "Healthy: nothing found in 1,400 samples in 2 batches, 3 layers and activations, 4 weight tensors."
    )


def test_regression_with_normalization_and_dropout_is_healthy() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 32), nn.LayerNorm(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    target = X[:, :1] * 2 + X[:, 1:2]
    trained(model, nn.MSELoss(), target)
    assert set() == codes(doctor(model, (X, target), nn.MSELoss(), validation=(X[:64], target[:64])))


# ---- activations


def test_dead_units_of_a_relu_are_counted() -> None:
    model = net()
    model[0].bias.array[:20] = -100
    found = doctor(model, (X, Y), CE).by_code("dead_relu")
    assert ["Layer 1 (ReLU)"] == [finding.place for finding in found]
    assert "Layer 1 (ReLU): 20 of 32 units (62 %) were 0 for all 256 samples: they no longer learn." == found[0].message
    assert (20 / 32, checks_activations.DEAD_SHARE, "warning") == (found[0].value, found[0].threshold, found[0].severity)
    assert "LeakyReLU" in found[0].remedy


@pytest.mark.parametrize(("dead", "severity"), [(9, None), (10, "note"), (16, "warning"), (29, "error"), (32, "error")])
def test_how_grave_dead_units_are(dead: int, severity: str | None) -> None:
    model = net(depth=1)
    model[0].bias.array[:dead] = -100
    found = doctor(model, (X, Y), CE).by_code("dead_relu")
    assert ([severity] if severity else []) == [finding.severity for finding in found]


def test_few_samples_prove_no_unit_dead() -> None:
    model = net(depth=1)
    model[0].bias.array[:20] = -100
    assert "dead_relu" not in codes(doctor(model, (X[:31], Y[:31]), CE))
    assert "dead_relu" in codes(doctor(model, (X[:32], Y[:32]), CE))


@pytest.mark.parametrize(("samples", "dead", "found"), [(16, 32, True), (16, 29, True), (16, 28, False), (1, 32, True)])
def test_nearly_all_units_silent_is_told_of_few_samples_too(samples: int, dead: int, found: bool) -> None:
    model = net(depth=1)
    model[0].bias.array[:dead] = -100
    model[0].bias.array[dead:] = 100
    findings = doctor(model, (X[:samples], Y[:samples]), CE).by_code("dead_relu")
    assert (["warning"] if found else []) == [finding.severity for finding in findings]
    assert all(f"on only {samples} sample" in finding.message for finding in findings)


def test_a_few_dead_units_are_told_in_the_headline() -> None:
    model = net(depth=1)
    model[0].bias.array[[3, 30]] = -100
    diagnosis = doctor(model, (X, Y), CE)
    assert [] == diagnosis.findings
    assert diagnosis.headline().endswith(" 2 of 32 units of Layer 1 (ReLU) never fired, which is usual below 30 %.")
    layers = {layer["layer"]: layer for layer in diagnosis.to_dict()["layers"]}
    assert (2 / 32, [3, 30]) == (layers["1 (ReLU)"]["dead"], layers["1 (ReLU)"]["dead_units"])
    assert [] == layers["0 (Linear)"]["dead_units"]
    assert "0.0625" in str(diagnosis)


def test_relu_in_a_forward_is_seen_as_well() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            self.first, self.last = nn.Linear(12, 8), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(F.relu(self.first(x)))

    model = Functional()
    model.first.bias.array[...] = -100
    assert ["relu"] == [finding.place for finding in doctor(model, (X, Y), CE).by_code("dead_relu")]


@pytest.mark.parametrize("relu", [lambda z: z.clamp(min=0), lambda z: mg.maximum(z, 0.0), lambda z: mg.maximum(mg.tensor(0.0), z)])
def test_a_relu_by_its_formula_is_seen_as_well(relu: Any) -> None:
    model = net(depth=1)
    model[0].bias.array[:20] = -100
    (found,) = doctor(lambda x: model[2](relu(model[0](x))), (X, Y), CE).by_code("dead_relu")
    assert ("relu", 20 / 32) == (found.place, found.value)
    assert [] == doctor(lambda x: model[2](relu(model[0](x) + 200)), (X, Y), CE).by_code("dead_relu")


SLOPES: dict[Any, Any] = {
    nn.Tanh: lambda x: 1 - np.tanh(x) ** 2,
    nn.Sigmoid: lambda x: np.exp(-abs(x)) / (1 + np.exp(-abs(x))) ** 2,
    nn.Softsign: lambda x: 1 / (1 + abs(x)) ** 2,
    nn.Hardsigmoid: lambda x: (abs(x) < 3) / 6,
    nn.Hardtanh: lambda x: abs(x) < 1,
}


@pytest.mark.parametrize("activation", SLOPES)
def test_saturated_activations(activation: Any) -> None:
    model, code = net(activation), f"saturated_{activation.__name__.lower()}"
    assert code not in codes(doctor(model, (X, Y), CE))
    model[0].weight.array[...] *= 100
    diagnosis = doctor(model, (X, Y), CE)
    found = diagnosis.by_code(code)[0]
    assert "Layer 1" in found.place
    assert found.value > checks_activations.SATURATED_SHARE
    slope = SLOPES[activation](model[0](X).detach().numpy().astype(np.float64))
    assert found.value == pytest.approx((slope < 0.05).mean(), abs=1e-3)
    assert found.value == diagnosis.to_dict()["layers"][1]["saturated"]


def test_hardtanh_is_saturated_at_its_own_bounds() -> None:
    model = net(lambda: nn.Hardtanh(-100.0, 100.0))
    assert 0 == doctor(model, (X, Y), CE).to_dict()["layers"][1]["saturated"]


def test_a_sure_sigmoid_at_the_head_is_not_saturated() -> None:
    model = scaled(net(last=1, head=nn.Sigmoid()), 10)
    assert "saturated_sigmoid" not in codes(doctor(model, (X, YES), nn.BCELoss()))


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_units_that_start_alike(value: float) -> None:
    model = net(nn.Tanh)
    assert {"duplicate_units", "duplicate_outputs"}.isdisjoint(codes(doctor(model, (X, Y), CE)))
    for p in model.parameters():
        p.array[...] = value
    diagnosis = doctor(model, (X, Y), CE)
    assert ["Layer 0 (Linear)", "Layer 2 (Linear)"] == [finding.place for finding in diagnosis.by_code("duplicate_units")]
    assert ["Layer 4 (Linear)"] == [finding.place for finding in diagnosis.by_code("duplicate_outputs")]


def test_two_outputs_that_are_the_same() -> None:
    model = net()
    model[4].weight.array[3], model[4].bias.array[3] = model[4].weight.array[1], model[4].bias.array[1]
    (found,) = doctor(model, (X, Y), CE).by_code("duplicate_outputs")
    assert found.value == 1 / 4


def test_units_of_very_different_sizes_are_no_copies() -> None:
    model = net()
    model[0].weight.array[0] *= 1e6
    model[4].weight.array[1] *= 1e6
    model[4].weight.array[3] = model[4].weight.array[2] * 2  # proportional, but of another size
    model[4].bias.array[...] = 0
    assert {"duplicate_units", "duplicate_outputs"}.isdisjoint(codes(doctor(model, (X, Y), CE)))
    model[4].weight.array[3] = model[4].weight.array[2]
    (found,) = doctor(model, (X, Y), CE).by_code("duplicate_outputs")
    assert found.value == 1 / 4


# ---- gradients and updates


def test_twenty_sigmoids_let_the_gradient_vanish() -> None:
    (found,) = doctor(net(nn.Sigmoid, depth=20), (X, Y), CE).by_code("vanishing_gradient")
    assert found.value < 1e-9 < found.threshold
    assert "Layer 0 (Linear)" == found.place
    assert "vanishing_gradient" not in codes(doctor(net(nn.Sigmoid, depth=2), (X, Y), CE))


def test_the_ratio_is_that_of_the_gradients() -> None:
    model = net(nn.Sigmoid, depth=20)
    (found,) = doctor(model, (X, Y), CE).by_code("vanishing_gradient")
    CE(model(X), Y).backward()
    sizes = [math.sqrt((p.grad.numpy().astype(np.float64) ** 2).mean()) for p in model.parameters() if p.ndim == 2]
    assert found.value == pytest.approx(sizes[0] / sizes[-1], rel=1e-3)


def test_weights_too_large_explode() -> None:
    model = scaled(net(depth=12), 8)
    outputs, weights = doctor(model, (X, Y), CE).by_code("exploding_gradient")
    assert weights.value > checks_gradients.OVERWHELMING
    assert "times that of the weights" in weights.message
    assert "of the outputs" in outputs.message
    first = model[0](X).detach().requires_grad_()
    last = mg.nn.Sequential(*list(model)[1:])(first)
    CE(last, Y).backward()
    logits = last.detach().requires_grad_()
    CE(logits, Y).backward()
    assert outputs.value == pytest.approx(np.linalg.norm(first.grad.numpy()) / np.linalg.norm(logits.grad.numpy()), rel=1e-3)
    assert "exploding_gradient" not in codes(doctor(net(depth=12), (X, Y), CE))


def test_a_gradient_that_grows_on_its_way_back_explodes() -> None:
    model = nn.Sequential(nn.Linear(12, 32), *[nn.Linear(32, 32, bias=False) for _ in range(8)], nn.Linear(32, 4))
    for layer in list(model)[1:]:
        layer.weight.array[...] *= 6
    model[0].weight.array[...] *= 1e-6
    model[0].bias.array[...] *= 1e-6
    found = doctor(model, (X, Y), CE).by_code("exploding_gradient")
    assert "on its way back" in found[0].message
    assert found[0].value > checks_gradients.EXPLODED


def test_a_loss_that_is_a_sum_does_not_explode() -> None:
    samples = [mg.concat([x] * 8) for x in (X, Y)]
    assert set() == codes(doctor(net(), tuple(samples), nn.CrossEntropyLoss(reduction="sum"), validation=(X, Y)))
    large = scaled(net(depth=12), 8)
    found = [doctor(large, (X, Y), nn.CrossEntropyLoss(reduction=how)).by_code("exploding_gradient") for how in ("mean", "sum")]
    ratios = [finding.value for findings in found for finding in findings if "times" in finding.message]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)


@pytest.mark.parametrize(("rate", "code"), [(50.0, "update_ratio_high"), (0.1, None), (1e-6, "update_ratio_low")])
def test_updates_out_of_the_range(rate: float, code: str | None) -> None:
    model = net()
    diagnosis = doctor(model, (X, Y), CE, optimizer=optim.SGD(model.parameters(), lr=rate))
    assert ({code} if code else set()) == codes(diagnosis)
    for finding in diagnosis.findings:
        assert "warning" == finding.severity


def test_the_ratio_is_that_of_the_next_step() -> None:
    model = net()
    optimizer = trained(model, epochs=1)
    weight = doctor(model, (X, Y), CE, optimizer=optimizer).statistics.matrices[0]
    before = model[0].weight.detach().clone().numpy()
    optimizer.zero_grad()
    CE(model(X), Y).backward()
    optimizer.step()
    step = np.linalg.norm(model[0].weight.detach().numpy() - before) / np.linalg.norm(before)
    assert weight.update == pytest.approx(step, rel=1e-3)


def test_an_optimizer_of_other_parameters() -> None:
    (found,) = doctor(net(), (X, Y), CE, optimizer=optim.Adam(net().parameters())).findings
    assert ("update_ratio_low", 0.0) == (found.code, found.value)
    assert "does not change the weights at all" in found.message


def test_a_learning_rate_of_zero_is_told_as_such() -> None:
    model = net()
    (found,) = doctor(model, (X, Y), CE, optimizer=optim.SGD(model.parameters(), lr=0.0)).findings
    assert "does not change the weights at all, as the learning rate is 0" in found.message
    assert "warm-up" in found.remedy
    assert "model.parameters()" not in found.remedy


def test_the_ratio_of_gradients_stands_under_the_table() -> None:
    model = net()
    diagnosis = doctor(model, (X, Y), CE)
    CE(model(X), Y).backward()
    first, last = (np.sqrt((model[n].weight.grad.numpy().astype(np.float64) ** 2).mean()) for n in (0, 4))
    assert diagnosis.to_dict()["gradient_ratio"] == pytest.approx(first / last, rel=1e-4)
    assert f"Gradient of the weights, an entry, first layer over last: {first / last:.4f}." in str(diagnosis)
    assert math.isnan(doctor(nn.Linear(12, 4), (X, Y), CE).to_dict()["gradient_ratio"])
    assert "first layer over last" not in str(doctor(nn.Linear(12, 4), (X, Y), CE))


def test_parameters_without_a_gradient() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            self.a, self.b = nn.Linear(12, 8), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).detach())

    (found,) = doctor(Detached(), (X, Y), CE).findings
    assert ("no_gradient", "Layer a (Linear)") == (found.code, found.place)
    assert "2 of 4 parameters get no gradient" in found.message
    assert "a.weight, a.bias" in found.message


# ---- NaN


def test_nan_in_the_data() -> None:
    x = X.clone()
    x.array[3, 5] = math.nan
    (found,) = doctor(net(), (x, Y), CE).by_code("nan")
    assert ("data", "error") == (found.place, found.severity)
    assert "the input" in found.message


def test_nan_in_a_parameter() -> None:
    model = net()
    model[2].weight.array[0, 0] = math.inf
    (found,) = doctor(model, (X, Y), CE).by_code("nan")
    assert "Layer 2 (Linear)" == found.place
    assert "2.weight" in found.message


def test_nan_born_in_the_forward_pass() -> None:
    class Log(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.log()

    (found,) = doctor(net(head=Log()), (X, Y), CE).by_code("nan")
    assert "Layer 5 (Log)" == found.place
    assert "the operation log made NaN of finite inputs (test_inspect_doctor.py, line " in found.message


def test_nan_born_in_the_backward_pass() -> None:
    class Norm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + (x * 0).pow(2).sum(1, keepdim=True).sqrt()

    (found,) = doctor(net(head=Norm()), (X, Y), CE).by_code("nan")
    assert "Layer 5 (Norm)" == found.place
    assert "backward" in found.message
    assert "sqrt" in found.message


def test_a_harmless_infinity_is_not_blamed() -> None:
    model = net()

    def masked(x: Tensor) -> Tensor:
        harmless = (x[:, :4] * 0).log()
        return mg.where(harmless < -10, mg.zeros(len(x), 4), harmless) + (model(x) - 100).sqrt()

    (found,) = doctor(masked, (X, Y), CE).by_code("nan")
    assert "the operation sqrt made NaN of finite inputs" in found.message


def test_nan_of_infinities_that_were_meant() -> None:
    model = net()
    (found,) = doctor(lambda x: model(x).masked_fill(x[:, :4] < 9, -math.inf), (X, Y), CE).by_code("nan")
    assert "the operation cross_entropy made NaN of infinite inputs" in found.message


def test_a_loss_that_fails_before_any_operation() -> None:
    def refuse(output: Tensor, target: Tensor) -> Tensor:
        raise ArithmeticError("no")

    assert {"loss_fails"} == codes(doctor(lambda x: x, (X, Y), refuse))


def test_nan_from_outside_the_graph() -> None:
    model = net()
    (found,) = doctor(lambda x: model(x) + mg.tensor((x[:, :4] * 0 - 1).log().numpy()), (X, Y), CE).by_code("nan")
    assert "the operation add made NaN of inputs that hold some" in found.message
    (found,) = doctor(lambda x: model(x) * math.nan, (X, Y), CE).by_code("nan")
    assert "the operation mul made NaN of inputs that hold some" in found.message


def test_numbers_that_are_too_large_are_no_fault_of_a_logarithm() -> None:
    model = net()
    (found,) = doctor(lambda x: model(x) * 1e30 * 1e30, (X, Y), CE).by_code("nan")
    assert "the operation mul made Inf of finite inputs" in found.message
    assert found.remedy.startswith("Numbers have grown too large")


def test_nan_in_the_validation_data() -> None:
    x = X.clone()
    x.array[3, 2] = math.nan
    (found,) = doctor(net(), (X, Y), CE, validation=[(X, Y), (x, Y)]).findings
    assert ("nan", "error", "validation") == (found.code, found.severity, found.place)
    assert "There are NaN or infinite values in validation; the data hold them already: the input." == found.message


def test_nan_that_only_validation_brings_about() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + 50).sqrt()

    (found,) = doctor(net(head=Root()), (X, Y), CE, validation=(X * 1e6, Y)).findings
    assert ("nan", "validation") == (found.code, found.place)
    assert "in validation; the operation sqrt made NaN of finite inputs" in found.message


# ---- data behind the batches that the model sees


@pytest.mark.parametrize("as_list", [True, False])
def test_what_is_wrong_with_later_batches_is_seen(as_list: bool) -> None:
    def found(x: Tensor, y: Tensor) -> list[tuple[str, str]]:
        parts = [(x[n : n + 32], y[n : n + 32]) for n in range(0, 256, 32)]
        data = parts if as_list else DataLoader(Subset(TensorDataset(x, y), range(256)), batch_size=32)
        return [(finding.code, finding.severity) for finding in doctor(net(), data, CE, batches=2).findings]

    assert [] == found(X, Y)
    x, y = X.clone(), Y.clone()
    x.array[200, 3] = math.nan
    assert [("nan", "error")] == found(x, Y)
    y.array[200] = 9
    assert [("labels_out_of_range", "error")] == found(X, y)
    rare = y.clone()
    rare.array[64:] = 0
    assert [("class_imbalance", "warning")] == found(X, rare)
    x = X.clone()
    x.array[64:, 3] *= 1000
    assert [("unscaled_inputs", "warning")] == found(x, Y)


def test_the_headline_says_which_batches_were_looked_at() -> None:
    loader = DataLoader(TensorDataset(X, Y), batch_size=32)
    assert "in 64 samples in the first 2 of 8 batches," in doctor(net(), loader, CE, batches=2).headline()
    assert "in 32 samples in the first of 8 batches," in doctor(net(), loader, CE, batches=1).headline()
    assert "in 256 samples in 8 batches," in doctor(net(), loader, CE).headline()
    assert "in 64 samples in the first 2 batches," in doctor(net(), iter(loader), CE, batches=2).headline()
    assert "in 256 samples in 8 batches," in doctor(net(), iter(loader), CE, batches=9).headline()

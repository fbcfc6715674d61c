"""The doctor leaves no trace, takes what it is given, shows itself, and watches trainings."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.errors import ArgumentError, InputTypeError
from minigrad.inspect.health.diagnosis import doctor
from minigrad.inspect.health.finding import SEVERITIES, percent
from minigrad.inspect.health.watch_training import DoctorCallback
from minigrad.nn import functional as F
from minigrad.train import fit

CE = nn.CrossEntropyLoss()
X = mg.tensor(np.random.default_rng(0).standard_normal((96, 6)).astype(np.float32))
Y = mg.tensor(X.numpy()[:, :3].argmax(1))


def net(*extra: nn.Module) -> nn.Sequential:
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), *extra, nn.ReLU(), nn.Linear(16, 3))


# ---- no trace


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
@pytest.mark.parametrize("steps", [0, 2])
def test_model_and_optimizer_are_left_as_they_were(make: Any, steps: int) -> None:
    model = net(nn.BatchNorm1d(16), nn.Dropout(0.3))
    optimizer = make(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        CE(model(X), Y).backward()
        optimizer.step()
    grads = [p.grad for p in model.parameters()]
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), [g.numpy().copy() for g in grads if g is not None]))
    mg.manual_seed(7)
    doctor(model, DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=True), CE, optimizer=optimizer, validation=(X, Y))
    after = model.state_dict(), optimizer.state_dict(), [p.grad.numpy() for p in model.parameters() if p.grad is not None]
    np.testing.assert_equal(_plain(after), _plain(before))
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    drawn = mg.rand(3).numpy()
    mg.manual_seed(7)
    np.testing.assert_array_equal(mg.rand(3).numpy(), drawn)
    assert not any(module._hooks for module in model.modules())
    assert all(module.training for module in model.modules())


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def test_the_training_goes_on_as_without_it() -> None:
    def train(look: bool) -> list[Any]:
        model = net(nn.BatchNorm1d(16), nn.Dropout(0.3))
        optimizer = optim.Adam(model.parameters())
        for _ in range(4):
            if look:
                doctor(model, (X, Y), CE, optimizer=optimizer)
            optimizer.zero_grad()
            CE(model(X), Y).backward()
            optimizer.step()
        return [value.numpy() for value in model.state_dict().values()]

    for a, b in zip(train(True), train(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_loaders_own_generator_is_put_back() -> None:
    generator = mg.Generator(3)
    loader = DataLoader(TensorDataset(X, Y), batch_size=16, shuffle=True, generator=generator)
    before = generator.get_state()
    doctor(net(), loader, CE, batches=2)
    assert before == generator.get_state()


def test_state_is_put_back_when_the_model_fails() -> None:
    model = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(5, 3))
    before = _plain(copy.deepcopy(model.state_dict()))
    with pytest.raises(RuntimeError, match="linear"):
        doctor(model, (X, Y), CE)
    np.testing.assert_equal(_plain(model.state_dict()), before)


def test_a_model_in_evaluation_mode_stays_in_it() -> None:
    model = net(nn.Dropout(0.5)).eval()
    assert doctor(model, (X, Y), CE).to_dict() == doctor(model, (X, Y), CE).to_dict()
    assert not model.training


# ---- what it takes


def test_arrays_datasets_loaders_and_lists_give_the_same() -> None:
    model = net()
    expected = doctor(model, (X, Y), CE).to_dict()
    batch = [(X, Y)]
    for data in ((X.numpy(), Y.numpy()), TensorDataset(X, Y), DataLoader(TensorDataset(X, Y), batch_size=96), batch):
        assert expected == doctor(model, data, CE).to_dict()


@pytest.mark.parametrize(("batches", "samples"), [(1, 10), (3, 30), (8, 80), (100, 96)])
def test_how_many_batches_it_looks_at(batches: int, samples: int) -> None:
    diagnosis = doctor(net(), DataLoader(TensorDataset(X, Y), batch_size=10), CE, batches=batches)
    assert samples == diagnosis.statistics.samples


def test_compiled_models_functions_and_several_inputs() -> None:
    model = net()
    expected = doctor(model, (X, Y), CE).to_dict()
    assert expected == doctor(mg.compile(model), (X, Y), CE).to_dict()
    weight = mg.tensor(np.ones((6, 3), np.float32) * [[1.0, 2.0, 3.0]], dtype=mg.float32).requires_grad_()
    plain = doctor(lambda a, b: (a + b) @ weight, [(X, X, Y)], CE)
    assert ["matmul.b"] == [w.name for w in plain.statistics.weights]
    assert weight.grad is None


def test_attention_embedding_and_shared_layers() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            self.embedding = nn.Embedding(20, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.shared = nn.Linear(8, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.embedding(tokens)
            x = x + self.attention(x, x, x)[0]
            return self.head(F.relu(self.shared(F.relu(self.shared(x)))).mean(1))

    mg.manual_seed(0)
    diagnosis = doctor(Reader(), (mg.randint(0, 20, (96, 5)), Y), CE)
    places = [activation.place for activation in diagnosis.statistics.activations]
    assert {"Layer embedding (Embedding)", "Layer shared (Linear)", "Layer shared (Linear), call 2", "relu", "relu 2"} <= set(
        places
    )
    assert diagnosis.healthy, diagnosis


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_and_one_sample(dtype: Any) -> None:
    model = net().to(dtype)
    model[2].weight.array[...] *= 1e3
    x = X.to(dtype)
    assert doctor(model, (x, Y), CE).by_code("nan") == []
    assert doctor(net().to(dtype), (x[:1], Y[:1]), CE).healthy


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3, (X, Y), CE), InputTypeError, "model must be a Module or a function, got 3"),
        ((nn.Linear, (X, Y), CE), InputTypeError, "got the class Linear, not one made of it"),
        (((X, Y), net(), CE), InputTypeError, r"got a tuple; call doctor\(model, data, loss\)$"),
        ((net(), (X, Y), nn.CrossEntropyLoss), InputTypeError, "loss must be a function of output and target"),
        ((net(), (X, Y), "mse"), InputTypeError, "got 'mse'"),
        ((net(), X, CE), InputTypeError, "doctor: data must be"),
        ((net(), [], CE), ArgumentError, "doctor: data has no batches"),
    ],
)
def test_arguments_of_a_wrong_kind(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        doctor(*arguments)


def test_settings_of_a_wrong_kind() -> None:
    with pytest.raises(ArgumentError, match="batches must be a whole number of at least 1, got 0"):
        doctor(net(), (X, Y), CE, batches=0)
    with pytest.raises(InputTypeError, match="optimizer must be an Optimizer, got float"):
        doctor(net(), (X, Y), CE, optimizer=0.1)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="every must be a whole number of at least 1, got 0"):
        DoctorCallback(every=0)


def test_validation_and_history_of_a_wrong_kind() -> None:
    with pytest.raises(InputTypeError, match="doctor: history must be the History that fit returns, got a list"):
        doctor(net(), (X, Y), CE, history=[1.0, 2.0])  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="doctor: validation: data must be a DataLoader"):
        doctor(net(), (X, Y), CE, validation=5)
    with pytest.raises(InputTypeError, match="doctor: validation: a batch must be"):
        doctor(net(), (X, Y), CE, validation=[1, 2])
    with pytest.raises(InputTypeError, match="doctor: data is an iterator, which can be gone through once"):
        doctor(net(), iter([(X, Y)]), CE, validation=(X, Y))
    assert doctor(net(), (X, Y), CE, validation=iter([(X, Y)])).healthy


# ---- how it shows itself


def test_one_is_no_plural() -> None:
    headline = doctor(nn.Linear(6, 3, bias=False), (X[:1], Y[:1]), CE).headline()
    assert "Healthy: nothing found in 1 sample in 1 batch, 1 layer or activation, 1 weight tensor." == headline


def test_columns_without_a_value_are_left_out() -> None:
    model, optimizer = net(), optim.SGD(net().parameters(), lr=0.1)
    heads = [str(doctor(model, (X, Y), CE, optimizer=given)) for given in (None, optimizer)]
    assert [False, True] == ["|w|  |dL/dw|  update" in head for head in heads]
    assert not any(" flat" in head for head in heads)


def test_gradients_of_the_outputs() -> None:
    model = net()
    layers = doctor(model, (X, Y), CE).to_dict()["layers"]
    logits = model(X).detach().requires_grad_()
    CE(logits, Y).backward()
    assert layers[2]["output_gradient"] == pytest.approx(np.linalg.norm(logits.grad.numpy()), rel=1e-5)


def test_statistics_of_the_layers() -> None:
    model = net()
    layers = doctor(model, DataLoader(TensorDataset(X, Y), batch_size=32), CE).to_dict()["layers"]
    hidden = F.relu(model[0](X)).detach().numpy().astype(np.float64)
    assert ["0 (Linear)", "1 (ReLU)", "2 (Linear)"] == [layer["layer"] for layer in layers]
    assert layers[1]["mean"] == pytest.approx(hidden.mean(), rel=1e-5)
    assert layers[1]["std"] == pytest.approx(hidden.std(), rel=1e-5)
    assert layers[1]["zeros"] == (hidden == 0).mean()
    assert layers[0]["weight_norm"] == pytest.approx(np.linalg.norm(model[0].weight.detach().numpy()), rel=1e-6)
    norms = []
    for start in range(0, 96, 32):
        model.zero_grad()
        CE(model(X[start : start + 32]), Y[start : start + 32]).backward()
        norms.append(np.linalg.norm(model[0].weight.grad.numpy()))
    assert layers[0]["gradient_norm"] == pytest.approx(np.sqrt(np.mean(np.square(norms))), rel=1e-5)


def test_the_gravest_findings_come_first() -> None:
    model = net()
    model[0].bias.array[:10] = -100
    diagnosis = doctor(nn.Sequential(model, nn.Softmax(-1)), (X * 30, Y), CE)
    severities = [finding.severity for finding in diagnosis.findings]
    assert ["error", "warning", "warning"] == severities == sorted(severities, key=SEVERITIES.index)
    assert not diagnosis.healthy
    text = str(diagnosis)
    assert text.startswith("Found 1 error, 2 warnings, looking at 96 samples in 1 batch,")
    assert text.index("ERROR softmax_before_cross_entropy") < text.index("WARNING") < text.index("Layer by layer")
    assert "→ Leave the softmax out" in text
    html = diagnosis._repr_html_()
    assert "<code>softmax_before_cross_entropy</code>" in html


def test_many_findings_of_a_kind_are_told_together() -> None:
    layers = [layer for _ in range(6) for layer in (nn.Linear(6, 6), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(6, 3))
    for n in range(0, 12, 2):
        model[n].bias.array[...] = -100
    diagnosis = doctor(model, (X, Y), CE)
    assert 6 == len(diagnosis.by_code("dead_relu"))
    assert "The same in 2 more: Layer 9 (ReLU), Layer 11 (ReLU)." in str(diagnosis)
    assert 1 == str(diagnosis).count("LeakyReLU")


def test_what_is_kept_as_json_is_plain() -> None:
    x = X.clone()
    x.array[0, 0] = np.nan
    data = json.loads(doctor(net(), (x, Y), CE, optimizer=optim.SGD(net().parameters(), lr=0.1)).to_json())
    assert data["findings"][0]["code"] == "nan"
    assert data["findings"][0]["threshold"] is None
    assert {"healthy", "findings", "samples", "batches", "loss", "gradient_ratio", "layers", "updates"} == data.keys()


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "0.4 %"), (0.0001, "under 0.1 %"), (0.32, "32 %"), (0.996, "99.6 %"), (1.0, "100 %")]
)
def test_shares_are_told_without_lies(share: float, text: str) -> None:
    assert text == percent(share)


def test_pictures(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    watcher = DoctorCallback((X, Y))
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))
    model[0].bias.array[:4] = -100
    fit(model, CE, optim.Adam(model.parameters()), (X, Y), 2, callbacks=[watcher], progress=False)
    assert watcher.diagnosis is not None
    figure = watcher.diagnosis.plot(tmp_path / "doctor.png")
    titles = {axis.get_title(loc="left") for part in figure.subfigs for axis in part.axes}
    assert {"Gradient flow, input at the top", "Dead units", "Update ratios", "Dead ReLU units"} <= titles
    assert any(title.startswith("3 (Tanh): ") for title in titles)
    assert (tmp_path / "doctor.png").stat().st_size > 10_000


def test_pictures_of_the_sick(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    model = net()
    for p in model.parameters():
        p.array[...] = 0
    doctor(model, (X, Y), CE).plot(tmp_path / "zeros.png")
    model[0].weight.array[0, 0] = np.nan
    doctor(model, (X, Y), CE).plot(tmp_path / "nan.png")

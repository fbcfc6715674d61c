"""Modules: what they hold, what is done to all of it, what is saved; layers, activations and losses as modules."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, IndexRangeError, InputTypeError, ShapeError, StateDictError
from minigrad.nn import functional as F


class Block(nn.Module):
    """Without super().__init__(), a parameter before and after a submodule, two buffers."""

    def __init__(self, size: int):
        self.scale = nn.Parameter(mg.ones(size))
        self.inner = nn.Linear(size, size)
        self.shift = nn.Parameter(mg.zeros(size))
        self.register_buffer("seen", mg.zeros(()))
        self.register_buffer("scratch", mg.ones(size), persistent=False)
        self.register_buffer("absent", None)
        self.constant = mg.ones(3)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.inner(x) * self.scale + self.shift


class Network(nn.Module):
    """Nested, with a parameter shared by two layers and a module under two names."""

    def __init__(self):
        self.first = Block(3)
        self.act = nn.ReLU()
        self.second = nn.Sequential(nn.Linear(3, 3), self.act, nn.Dropout(0.5))
        self.tied = nn.Linear(3, 3, bias=False)
        self.tied.weight = self.second[0].weight

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.tied(self.second(self.act(self.first(x))))


PARAMETERS = ["first.scale", "first.shift", "first.inner.weight", "first.inner.bias", "second.0.weight", "second.0.bias"]
STATE = [
    "first.scale", "first.shift", "first.seen", "first.inner.weight", "first.inner.bias",
    "second.0.weight", "second.0.bias", "tied.weight",
]  # fmt: skip


# ---- what a module holds


def test_parameters_come_in_order_and_shared_ones_once():
    net = Network()
    assert PARAMETERS == [name for name, _ in net.named_parameters()]
    assert [p for _, p in net.named_parameters()] == list(net.parameters())
    assert net.tied.weight is net.second[0].weight
    assert ["net.tied.weight"] == [name for name, _ in net.tied.named_parameters(prefix="net.tied")]
    assert ["scale", "shift"] == [name for name, _ in net.first.named_parameters(recurse=False)]
    assert [] == list(net.parameters(recurse=False))
    assert 3 + 3 + 9 + 3 + 9 + 3 == sum(p.numel() for p in net.parameters())


def test_a_replaced_parameter_keeps_its_place_and_a_deleted_one_goes():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(mg.zeros(2, 2))
    assert ["weight", "bias"] == [name for name, _ in layer.named_parameters()]
    assert [0.0] * 4 == next(layer.parameters()).reshape(-1).tolist()
    del layer.bias
    assert ["weight"] == [name for name, _ in layer.named_parameters()]
    layer.weight = None
    assert [] == list(layer.parameters())


def test_a_tensor_does_not_take_the_place_of_a_parameter():
    layer = nn.Linear(2, 2)
    with pytest.raises(InputTypeError, match=r"Linear: weight is a Parameter.*write its values: weight.data = …"):
        layer.weight = mg.ones(2, 2)
    assert isinstance(layer.weight, nn.Parameter)


def test_modules_and_children():
    net = Network()
    names = ["", "first", "first.inner", "act", "second", "second.0", "second.2", "tied"]
    assert names == [name for name, _ in net.named_modules()]
    assert [m for _, m in net.named_modules()] == list(net.modules())
    assert ["first", "act", "second", "tied"] == [name for name, _ in net.named_children()]
    assert [net.first, net.act, net.second, net.tied] == list(net.children())
    assert ["x", "x.inner"] == [name for name, _ in net.first.named_modules(prefix="x")]


def test_a_module_under_two_names_is_one_child_but_runs_twice():
    double = nn.Linear(1, 1, bias=False)
    double.weight.data = mg.tensor([[2.0]])
    model = nn.Sequential(double, nn.ReLU(), double)
    assert [0, 1] == [int(name) for name, _ in model.named_children()]
    assert 3 == len(model)
    assert [double, double] == [model[0], model[2]]
    assert [[12.0]] == model(mg.tensor([[3.0]])).tolist()
    calls = []
    model.apply(calls.append)
    assert [double, model[1], model] == calls
    assert ["0.weight", "2.weight"] == list(model.state_dict())


def test_buffers():
    block = Block(2)
    assert ["seen", "scratch"] == [name for name, _ in block.named_buffers()]
    assert [(), (2,)] == [buffer.shape for buffer in block.buffers()]
    assert ["first.seen", "first.scratch"] == [name for name, _ in Network().named_buffers()]
    assert [] == list(Network().buffers(recurse=False))
    assert "seen" in block.state_dict()
    assert "scratch" not in block.state_dict()
    block.seen = mg.tensor(5.0)
    assert 5.0 == block.state_dict()["seen"].item()
    block.register_buffer("scratch", block.seen)
    assert ["seen"] == [name for name, _ in block.named_buffers()]
    assert 5.0 == block.state_dict()["scratch"].item()
    with pytest.raises(InputTypeError, match="register_buffer: seen must be a Tensor or None, got float"):
        block.register_buffer("seen", 1.0)
    assert "seen" not in nn.Linear(1, 1)._buffer_names


def test_parameter():
    p = nn.Parameter(mg.ones(2, 2))
    assert isinstance(p, mg.Tensor)
    assert p.requires_grad
    assert p.is_leaf
    assert not nn.Parameter(mg.ones(2), requires_grad=False).requires_grad
    assert not isinstance(p * 2, nn.Parameter)
    assert not isinstance(p.detach(), nn.Parameter)
    assert "Parameter containing:\ntensor([[1., 1.],\n        [1., 1.]], requires_grad=True)" == repr(p)
    source = mg.ones(2)
    assert np.shares_memory(nn.Parameter(source).array, source.array)
    product = nn.Parameter(mg.ones(2, requires_grad=True) * 3)
    assert product.is_leaf
    assert np.float64 == nn.Parameter(np.ones(2)).dtype
    with pytest.raises(InputTypeError, match="Parameter: data must be a Tensor, got list"):
        nn.Parameter([1.0])


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))], ids=["deepcopy", "pickle"]
)
def test_copies_are_independent(duplicate):
    net = Network().double().eval()
    x = mg.tensor(np.random.default_rng(0).standard_normal((4, 3)))
    other = duplicate(net)
    assert np.array_equal(net(x).detach(), other(x).detach())
    assert other.tied.weight is other.second[0].weight
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in other.parameters())
    assert not other.second[2].training
    with mg.no_grad():
        other.first.scale.fill_(7)
    assert [1.0, 1.0, 1.0] == net.first.scale.tolist()


def test_attributes_may_be_set_while_looking():
    layer = nn.Linear(2, 2)
    for name, _ in layer.named_parameters():
        setattr(layer, f"{name}_norm", 1.0)
    assert {"weight_norm", "bias_norm"} <= set(vars(layer))


# ---- what is done to all


def test_train_and_eval_reach_every_module():
    net = Network()
    assert all(m.training for m in net.modules())
    assert net is net.eval()
    assert not any(m.training for m in net.modules())
    assert net.second is net.second.train()
    assert [net.act, net.second, net.second[0], net.second[2]] == [m for m in net.modules() if m.training]
    with pytest.raises(ArgumentError, match=r"Network\.train: mode must be True or False, got 'yes'"):
        net.train("yes")
    net.train(False)
    assert not any(m.training for m in net.modules())


def test_apply_visits_children_first():
    net = Network()
    order = []
    assert net is net.apply(order.append)
    first, second = net.first, net.second
    assert [first.inner, first, net.act, second[0], net.act, second[2], second, net.tied, net] == order


def test_to_converts_parameters_buffers_and_gradients_in_place():
    net = Network()
    net.first.register_buffer("count", mg.tensor([1, 2]))
    before = list(net.parameters())
    net(mg.ones(2, 3)).sum().backward()
    assert net is net.to(mg.float64)
    assert before == list(net.parameters())
    assert {np.dtype(np.float64)} == {p.dtype for p in net.parameters()}
    assert {np.dtype(np.float64)} == {p.grad.dtype for p in net.parameters()}
    assert ["float64", "float64", "int64"] == [b.dtype.name for b in net.buffers()]
    assert net.tied.weight is net.second[0].weight
    assert np.float32 == net.float().first.scale.dtype
    assert np.float64 == net.double().first.scale.dtype
    with pytest.raises(InputTypeError, match=r"Module.to: expected a floating-point dtype, got int64"):
        net.to(np.int64)


def test_requires_grad_and_zero_grad():
    net = Network().eval()
    assert net is net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(mg.ones(1, 3)).requires_grad
    net.requires_grad_()
    net(mg.ones(1, 3)).sum().backward()
    net.first.scale.grad = mg.tensor([np.nan, np.inf, 1.0])
    net.zero_grad(set_to_none=False)
    assert [0.0, 0.0, 0.0] == net.first.scale.grad.tolist()
    assert all(not p.grad.array.any() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_a_nested_module_trains():
    mg.manual_seed(0)
    net = Network().eval()
    x = mg.randn(64, 3)
    y = x @ mg.tensor([[1.0, 0.0, 0.5], [0.0, -1.0, 0.5], [0.3, 0.3, 0.0]])
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(200):
        loss = F.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert all((old != p.detach()).any() for old, p in zip(before, net.parameters(), strict=True))
    assert net.tied.weight is net.second[0].weight


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match="Module does not define forward"):
        nn.Module()(1)


# ---- hooks


def test_hooks_see_and_replace():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = mg.tensor([[1.0, 10.0]])
    seen: list[Any] = []
    x = mg.tensor([[1.0, 2.0]])

    first = layer.register_forward_hook(lambda module, args, output: seen.append((module, args, output.item())))
    assert 21.0 == layer(x).item()
    assert [(layer, (x,), 21.0)] == seen
    second = layer.register_forward_hook(lambda module, args, output: output + 1)
    third = layer.register_forward_hook(lambda module, args, output: output * 2)
    before = layer.register_forward_pre_hook(lambda module, args: args[0] * 3)
    as_tuple = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    assert 2 * (4.0 + 70.0 + 1) == layer(x).item()
    assert 74.0 == seen[-1][2]
    assert [[4.0, 7.0]] == seen[-1][1][0].tolist()

    first.remove()
    layer(x)
    assert 2 == len(seen)
    second.remove()
    assert 2 * 74.0 == layer(x).item()
    before.remove()
    before.remove()
    assert 2 * 32.0 == layer(x).item()
    third.remove()
    as_tuple.remove()
    assert 21.0 == layer(x).item()
    with layer.register_forward_hook(lambda module, args, output: output * 0):
        assert 0.0 == layer(x).item()
    assert 21.0 == layer(x).item()
    assert 0 == len(nn.Linear(1, 1)._hooks)


def test_a_hook_may_remove_itself():
    layer = nn.Identity()
    calls = []

    def hook(module, args, output):
        calls.append(output)
        handle.remove()

    handle = layer.register_forward_hook(hook)
    layer(1), layer(2)
    assert [1] == calls


# ---- how it looks


def test_repr_counts_parameters():
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10, bias=False))
    assert repr(model) == (
        "Sequential(  # 9,600 parameters\n"
        "  (0): Linear(in_features=64, out_features=128, bias=True)  # 8,320 parameters\n"
        "  (1): ReLU()\n"
        "  (2): Dropout(p=0.2, inplace=False)\n"
        "  (3): Linear(in_features=128, out_features=10, bias=False)  # 1,280 parameters\n"
        ")"
    )
    assert repr(Network()) == (
        "Network(  # 30 parameters\n"
        "  (first): Block(  # 18 parameters\n"
        "    (inner): Linear(in_features=3, out_features=3, bias=True)  # 12 parameters\n"
        "  )\n"
        "  (act): ReLU()\n"
        "  (second): Sequential(  # 12 parameters\n"
        "    (0): Linear(in_features=3, out_features=3, bias=True)  # 12 parameters\n"
        "    (1): ReLU()\n"
        "    (2): Dropout(p=0.5, inplace=False)\n"
        "  )\n"
        "  (tied): Linear(in_features=3, out_features=3, bias=False)  # 9 parameters\n"
        ")"
    )
    assert "Sequential()" == repr(nn.Sequential())
    assert "LeakyReLU(negative_slope=0.01)" == repr(nn.LeakyReLU())
    assert "GELU(approximate='tanh')" == repr(nn.GELU("tanh"))
    assert "Softmax(dim=1)" == repr(nn.Softmax(1))
    assert "Flatten(start_dim=1, end_dim=-1)" == repr(nn.Flatten())
    assert "MSELoss()" == repr(nn.MSELoss())
    assert "HuberLoss()" == repr(nn.HuberLoss("sum", 2.0))
    assert "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)" == repr(
        nn.TripletMarginWithDistanceLoss()
    )


# ---- Sequential


def test_sequential_indexing_and_slicing():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1), nn.Tanh()]
    model = nn.Sequential(*layers)
    assert layers == list(model)
    assert [layers[0], layers[3], layers[1]] == [model[0], model[-1], model[-3]]
    part = model[1:3]
    assert isinstance(part, nn.Sequential)
    assert [("1", layers[1]), ("2", layers[2])] == list(part.named_children())
    assert [layers[3], layers[1]] == list(model[::-2])
    for index in (4, -5):
        with pytest.raises(IndexRangeError, match=f"Sequential: index {index} is out of range for 4 modules"):
            model[index]
    x = mg.tensor([[1.0, -2.0]])
    expected = np.tanh(np.maximum(x.array @ layers[0].weight.array.T + layers[0].bias.array, 0) @ layers[2].weight.array.T)
    np.testing.assert_allclose(np.arctanh(model(x).array), np.arctanh(expected) + layers[2].bias.array, rtol=1e-4)
    assert x is nn.Sequential()(x)


def test_sequential_append_and_names():
    model = nn.Sequential({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    assert model is model.append(nn.Tanh()).append(nn.Sigmoid())
    assert ["a", "b", "2", "3"] == [name for name, _ in model.named_children()]
    assert ["a.weight", "a.bias"] == list(model.state_dict())
    assert model.a is model[0]
    part = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())[1:].append(nn.GELU())
    assert ["Tanh", "Sigmoid", "GELU"] == [type(m).__name__ for m in part]
    model.add_module("last", nn.SiLU())
    assert isinstance(model[-1], nn.SiLU)
    with pytest.raises(InputTypeError, match="Sequential: 1 must be a Module, got function"):
        nn.Sequential(nn.ReLU(), lambda x: x)
    for name in ("forward", "training", "a.b", ""):
        with pytest.raises(ArgumentError, match="cannot name a module"):
            nn.Sequential({name: nn.ReLU()})


# ---- state


def test_state_dict_round_trip_through_tensors_and_arrays():
    net, other = Network(), Network()
    with mg.no_grad():
        net.first.seen.fill_(42)
    state = net.state_dict()
    assert STATE == list(state)
    assert not any(tensor.requires_grad for tensor in state.values())
    assert all(np.shares_memory(state[name].array, p.array) for name, p in net.named_parameters())
    assert ([], []) == other.load_state_dict(state)
    assert 42 == other.first.seen.item()
    x = mg.randn(5, 3)
    assert np.array_equal(net.eval()(x).detach(), other.eval()(x).detach())
    assert not np.shares_memory(net.first.scale.array, other.first.scale.array)

    third = Network().double()
    arrays = {name: tensor.numpy().astype(np.float64) for name, tensor in state.items()}
    third.load_state_dict(arrays)
    assert all(np.array_equal(arrays[name], p.array) for name, p in third.named_parameters())
    assert np.float64 == third.first.scale.dtype
    fourth = Network()
    fourth.load_state_dict(arrays)
    assert np.float32 == fourth.first.scale.dtype
    assert all(p.requires_grad and p.is_leaf for p in fourth.parameters())


def test_all_that_does_not_fit_is_named_before_anything_is_changed():
    net = Network()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    wrong: dict[str, Any] = {name: mg.zeros(tensor.shape) for name, tensor in before.items()}
    del wrong["first.shift"], wrong["second.0.bias"]
    wrong |= {"extra": mg.ones(1), "first.scale": mg.ones(4), "first.inner.weight": np.ones((3, 2)), "first.scratch": mg.ones(3)}
    with pytest.raises(StateDictError) as caught:
        net.load_state_dict(wrong)
    assert str(caught.value) == (
        "Network.load_state_dict: missing keys: first.shift, second.0.bias; unexpected keys: extra, first.scratch; "
        "first.scale: expected shape (3,), got (4,); first.inner.weight: expected shape (3, 3), got (3, 2)"
    )
    with pytest.raises(
        StateDictError, match=r"^Network.load_state_dict: first.scale: expected shape \(3,\), got \(4,\); first.inner"
    ):
        net.load_state_dict(wrong, strict=False)
    assert all(np.array_equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_not_strict_returns_what_did_not_match():
    layer = nn.Linear(2, 1)
    bias = layer.bias.tolist()
    result = layer.load_state_dict({"weight": np.array([[5, 6]]), "other": mg.ones(3)}, strict=False)
    assert ["bias"] == result.missing_keys
    assert ["other"] == result.unexpected_keys
    assert [[5.0, 6.0]] == layer.weight.tolist()
    assert bias == layer.bias.tolist()


def test_loaded_values_are_seen_by_an_optimizer_made_before():
    layer = nn.Linear(2, 1, bias=False)
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    layer.load_state_dict({"weight": mg.tensor([[10.0, 20.0]])})
    layer(mg.ones(1, 2)).sum().backward()
    optimizer.step()
    assert [[9.5, 19.5]] == layer.weight.tolist()
    assert [[9.5, 19.5]] == layer.state_dict()["weight"].tolist()


# ---- activations and losses are their functions

X = np.array([[-3.0, -0.5, 0.0], [0.5, 2.0, 30.0]])
ACTIVATIONS = [
    (nn.ReLU(), F.relu),
    (nn.LeakyReLU(), lambda x: F.leaky_relu(x, 0.01)),
    (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3)),
    (nn.Sigmoid(), F.sigmoid),
    (nn.Tanh(), F.tanh),
    (nn.GELU(), F.gelu),
    (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    (nn.SiLU(), F.silu),
    (nn.Softplus(), F.softplus),
    (nn.Softplus(2.0, 5.0), lambda x: F.softplus(x, 2.0, 5.0)),
    (nn.Softmax(0), lambda x: F.softmax(x, 0)),
    (nn.Softmax(dim=-1), lambda x: F.softmax(x, dim=1)),
    (nn.LogSoftmax(1), lambda x: F.log_softmax(x, 1)),
    (nn.Softmin(0), lambda x: F.softmin(x, 0)),
    (nn.ReLU6(), F.relu6),
    (nn.ELU(), F.elu),
    (nn.ELU(0.5), lambda x: F.elu(x, 0.5)),
    (nn.CELU(2.0), lambda x: F.celu(x, 2.0)),
    (nn.SELU(), F.selu),
    (nn.Mish(), F.mish),
    (nn.Swish(), F.silu),
    (nn.Softsign(), F.softsign),
    (nn.Tanhshrink(), F.tanhshrink),
    (nn.Softshrink(), F.softshrink),
    (nn.Softshrink(1.0), lambda x: F.softshrink(x, 1.0)),
    (nn.Hardshrink(1.0), lambda x: F.hardshrink(x, 1.0)),
    (nn.Threshold(1.0, -7.0), lambda x: F.threshold(x, 1.0, -7.0)),
    (nn.Hardtanh(), F.hardtanh),
    (nn.Hardtanh(-2.0, 1.0), lambda x: F.hardtanh(x, -2.0, 1.0)),
    (nn.Hardsigmoid(), F.hardsigmoid),
    (nn.Hardswish(), F.hardswish),
    (nn.LogSigmoid(), F.logsigmoid),
    (nn.RReLU(0.1, 0.5).eval(), lambda x: F.leaky_relu(x, 0.3)),
    (nn.Identity("anything", at=all), lambda x: x),
    (nn.Flatten(0), lambda x: x.flatten()),
]


@pytest.mark.parametrize(("module", "function"), ACTIVATIONS, ids=[repr(module) for module, _ in ACTIVATIONS])
def test_an_activation_module_is_its_function(module, function):
    outputs, gradients = [], []
    for f in (module, function):
        x = mg.tensor(X, requires_grad=True)
        y = f(x)
        (y * mg.tensor(np.arange(1.0, 7.0).reshape(y.shape))).sum().backward()
        outputs.append(y.detach().numpy())
        gradients.append(x.grad.numpy())
    assert np.array_equal(*outputs)
    assert np.array_equal(*gradients)
    assert [] == list(module.parameters())


def test_activation_values():
    x = mg.tensor([-2.0, 1.0], dtype=np.float64)
    e = np.exp([-2.0, 1.0])
    expected = {
        nn.ReLU(): [0.0, 1.0],
        nn.LeakyReLU(0.1): [-0.2, 1.0],
        nn.Sigmoid(): e / (1 + e),
        nn.Tanh(): (e * e - 1) / (e * e + 1),
        nn.SiLU(): np.array([-2.0, 1.0]) * e / (1 + e),
        nn.Softplus(): np.log(1 + e),
        nn.Softplus(3.0, 2.0): [np.log(1 + np.exp(-6.0)) / 3, 1.0],
        nn.GELU(): [-2 * 0.022750131948179195, 0.8413447460685429],
        nn.Softmax(0): e / e.sum(),
        nn.LogSoftmax(0): np.log(e / e.sum()),
    }
    for module, values in expected.items():
        np.testing.assert_allclose(module(x).numpy(), values, rtol=1e-13, err_msg=repr(module))


IN_PLACE = [
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.Mish, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish,
    partial(nn.RReLU, 0.25, 0.25), partial(nn.Threshold, 0.5, 7.0),
]  # fmt: skip


@pytest.mark.parametrize("make", IN_PLACE, ids=lambda make: repr(make()))
def test_activation_in_place(make):
    x = mg.tensor([-1.0, 0.25, 2.0, 9.0])
    expected = make()(x).tolist()
    assert [-1.0, 0.25, 2.0, 9.0] == x.tolist()
    assert x is make(inplace=True)(x)
    assert expected == x.tolist()


def test_prelu():
    layer = nn.PReLU(3)
    assert [0.25] * 3 == layer.weight.tolist()
    assert ["weight"] == [name for name, _ in layer.named_parameters()]
    x = mg.tensor([[-1.0, 2.0, -3.0], [-4.0, -5.0, 6.0]])
    y = layer(x)
    assert [[-0.25, 2.0, -0.75], [-1.0, -1.25, 6.0]] == y.tolist()
    y.sum().backward()
    assert [-5.0, -5.0, -3.0] == layer.weight.grad.tolist()
    with mg.no_grad():
        layer.weight.mul_(0.0)
    layer.reset_parameters()
    assert [0.25] * 3 == layer.weight.tolist()
    assert [0.5] == nn.PReLU(init=0.5, dtype=np.float64).weight.tolist()
    assert np.float64 == nn.PReLU(dtype=np.float64).weight.dtype
    with pytest.raises(ArgumentError, match="PReLU: num_parameters must be a non-negative int, got -1"):
        nn.PReLU(-1)
    with pytest.raises(InputTypeError, match="PReLU: init must be a number, got 'x'"):
        nn.PReLU(1, "x")


def test_rrelu_draws_in_training_only():
    layer, x = nn.RReLU(), mg.full((1000,), -1.0)
    mg.manual_seed(0)
    drawn = -layer(x).numpy()
    assert 1 / 8 <= drawn.min() < 0.13
    assert 0.33 < drawn.max() <= 1 / 3
    mg.manual_seed(0)
    assert np.array_equal(drawn, -layer(x).numpy())
    np.testing.assert_allclose(layer.eval()(x.double()).numpy(), -11 / 48, rtol=1e-15)


def test_glu_module():
    x = mg.tensor([[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]])
    assert [[0.5, 1.0], [1.5, 2.0]] == nn.GLU()(x).tolist()
    assert (1, 4) == nn.GLU(0)(x).shape


def test_hardtanh_bounds():
    with pytest.raises(ArgumentError, match="Hardtanh: min_val must be below max_val, got min_val 2, max_val 1"):
        nn.Hardtanh(2, 1)


def test_activations_show_their_settings():
    """As PyTorch shows them."""
    shown = {
        nn.ReLU(True): "ReLU(inplace=True)",
        nn.ReLU6(): "ReLU6()",
        nn.LeakyReLU(0.2, True): "LeakyReLU(negative_slope=0.2, inplace=True)",
        nn.PReLU(3): "PReLU(num_parameters=3)  # 3 parameters",
        nn.RReLU(): "RReLU(lower=0.125, upper=0.3333333333333333)",
        nn.ELU(): "ELU(alpha=1.0)",
        nn.CELU(0.5, True): "CELU(alpha=0.5, inplace=True)",
        nn.SELU(): "SELU()",
        nn.Softplus(): "Softplus(beta=1.0, threshold=20.0)",
        nn.Softshrink(): "Softshrink(0.5)",
        nn.Hardshrink(1.5): "Hardshrink(1.5)",
        nn.Threshold(0.5, 2): "Threshold(threshold=0.5, value=2)",
        nn.Hardtanh(inplace=True): "Hardtanh(min_val=-1.0, max_val=1.0, inplace=True)",
        nn.Hardsigmoid(True): "Hardsigmoid()",
        nn.GLU(0): "GLU(dim=0)",
        nn.Softmin(): "Softmin(dim=None)",
        nn.Swish(): "SiLU()",
        nn.Mish(True): "Mish(inplace=True)",
    }
    assert list(shown.values()) == [repr(module) for module in shown]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((2,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 2, 2), 1)])
def test_softmax_without_axis_takes_pytorchs_and_warns_each_time(name, shape, dim):
    function, module = (
        getattr(nn.functional, name),
        {"softmax": nn.Softmax, "log_softmax": nn.LogSoftmax, "softmin": nn.Softmin}[name],
    )
    x = mg.randn(*shape)
    for call in (lambda: function(x), lambda: function(x, dim=None), lambda: module()(x), lambda: function(x)):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated.*include dim=X") as caught:
            y = call()
        assert __file__ == caught[0].filename
        np.testing.assert_array_equal(y.numpy(), function(x, dim).numpy())


P = 1 / (1 + np.exp(-X))
T = np.array([[0.0, 1.0, 0.5], [1.0, 0.25, 1.0]])
W = np.array([0.5, 2.0, 1.0])
C = np.array([2, 0])
S = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
LOSSES = [
    (nn.MSELoss, F.mse_loss, {}, X, T),
    (nn.L1Loss, F.l1_loss, {}, X, T),
    (nn.HuberLoss, F.huber_loss, {}, X, T),
    (nn.HuberLoss, F.huber_loss, {"delta": 0.3}, X, T),
    (nn.BCELoss, F.binary_cross_entropy, {}, P, T),
    (nn.BCELoss, F.binary_cross_entropy, {"weight": W}, P, T),
    (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, {}, X, T),
    (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, {"weight": W, "pos_weight": W * 3}, X, T),
    (nn.NLLLoss, F.nll_loss, {}, X, C),
    (nn.NLLLoss, F.nll_loss, {"weight": W, "ignore_index": 0}, X, C),
    (nn.CrossEntropyLoss, F.cross_entropy, {}, X, C),
    (nn.CrossEntropyLoss, F.cross_entropy, {"weight": W, "label_smoothing": 0.2}, X, C),
    (nn.CrossEntropyLoss, F.cross_entropy, {"ignore_index": 2}, X, C),
    (nn.CrossEntropyLoss, F.cross_entropy, {}, X, T),
    (nn.SmoothL1Loss, F.smooth_l1_loss, {}, X, T),
    (nn.SmoothL1Loss, F.smooth_l1_loss, {"beta": 0.3}, X, T),
    (nn.LogCoshLoss, F.log_cosh, {}, X, T),
    (nn.KLDivLoss, F.kl_div, {}, X, T),
    (nn.KLDivLoss, F.kl_div, {"log_target": True}, X, T),
    (nn.PoissonNLLLoss, F.poisson_nll_loss, {}, P, T),
    (nn.PoissonNLLLoss, F.poisson_nll_loss, {"log_input": False, "full": True, "eps": 0.1}, P, 3 * T),
    (nn.FocalLoss, F.focal_loss, {}, X, T),
    (nn.FocalLoss, F.focal_loss, {"gamma": 1.0, "alpha": 0.3}, X, T),
    (nn.FocalLoss, F.focal_loss, {"alpha": W}, X, C),
    (nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss, {}, X, T),
    (nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss, {"weight": W}, X, T),
    (nn.MultiMarginLoss, F.multi_margin_loss, {}, X, C),
    (nn.MultiLabelMarginLoss, F.multilabel_margin_loss, {}, X, np.array([[2, 0, -1], [1, -1, 7]])),
    (nn.MultiMarginLoss, F.multi_margin_loss, {"p": 2, "margin": 0.3, "weight": W}, X, C),
    (nn.SoftMarginLoss, F.soft_margin_loss, {}, X, S),
    (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, {}, X, S),
    (nn.HingeEmbeddingLoss, F.hinge_embedding_loss, {"margin": 0.3}, X, S),
]
LOSSES_OF_THREE = [
    (nn.GaussianNLLLoss, F.gaussian_nll_loss, {}, (X, T, P)),
    (nn.GaussianNLLLoss, F.gaussian_nll_loss, {"full": True, "eps": 0.7}, (X, T, P)),
    (nn.MarginRankingLoss, F.margin_ranking_loss, {}, (X, T, S)),
    (nn.MarginRankingLoss, F.margin_ranking_loss, {"margin": 0.3}, (X, T, S)),
    (nn.CosineEmbeddingLoss, F.cosine_embedding_loss, {}, (X, P, S[:, 0])),
    (nn.CosineEmbeddingLoss, F.cosine_embedding_loss, {"margin": -0.3}, (X, P, S[:, 0])),
    (nn.TripletMarginLoss, F.triplet_margin_loss, {}, (X, P, T)),
    (nn.TripletMarginLoss, F.triplet_margin_loss, {"margin": 50.0, "p": 1.0, "eps": 0.1, "swap": True}, (X, P, T)),
    (nn.TripletMarginWithDistanceLoss, F.triplet_margin_with_distance_loss, {}, (X, P, T)),
    (
        nn.TripletMarginWithDistanceLoss,
        F.triplet_margin_with_distance_loss,
        {"distance_function": nn.PairwiseDistance(1.0), "margin": 50.0, "swap": True},
        (X, P, T),
    ),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("module", "function", "settings", "x", "target"), LOSSES)
def test_a_loss_module_is_its_function(module, function, settings, x, target, reduction):
    kwargs = {name: mg.tensor(value) if isinstance(value, np.ndarray) else value for name, value in settings.items()}
    outputs, gradients = [], []
    for f in (module(**kwargs, reduction=reduction), lambda a, b: function(a, b, **kwargs, reduction=reduction)):
        a = mg.tensor(x, requires_grad=True)
        loss = f(a, mg.tensor(target))
        loss.sum().backward()
        outputs.append(loss.detach().numpy())
        gradients.append(a.grad.numpy())
    assert np.array_equal(*outputs)
    assert np.array_equal(*gradients)
    assert np.isfinite(outputs[0]).all()
    assert (outputs[0].ndim > 0) == (reduction == "none")


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("module", "function", "settings", "arrays"), LOSSES_OF_THREE)
def test_a_loss_module_of_three_inputs_is_its_function(module, function, settings, arrays, reduction):
    inputs = [mg.tensor(a) for a in arrays]
    expected = function(*inputs, **settings, reduction=reduction)
    actual = module(**settings, reduction=reduction)(*inputs)
    assert np.array_equal(expected.numpy(), actual.numpy())
    assert np.isfinite(actual.numpy()).all()
    assert actual.numpy().any()
    assert (actual.ndim > 0) == (reduction == "none")


def test_kl_divergence_by_batch():
    loss = nn.KLDivLoss(reduction="batchmean")(mg.tensor(X), mg.tensor(T))
    assert loss.item() == pytest.approx(F.kl_div(mg.tensor(X), mg.tensor(T), "sum").item() / len(X))


def test_pairwise_distance_module():
    x, y = mg.tensor(X), mg.tensor(P)
    for p, eps, keepdim in ((2.0, 1e-6, False), (1.0, 0.1, True)):
        expected = F.pairwise_distance(x, y, p, eps, keepdim).numpy()
        assert np.array_equal(expected, nn.PairwiseDistance(p, eps, keepdim)(x, y).numpy())


@pytest.mark.parametrize("kind", [nn.TripletMarginLoss, nn.TripletMarginWithDistanceLoss])
def test_triplet_modules_want_a_margin(kind):
    with pytest.raises(ArgumentError, match=f"{kind.__name__}: margin must be positive, got 0"):
        kind(margin=0)


def test_loss_values():
    x, p, t = mg.tensor(X), mg.tensor(P), mg.tensor(T)
    d = X - T
    log_p = X - np.log(np.exp(X).sum(1, keepdims=True))
    bce = -(T * np.log(P) + (1 - T) * np.log1p(-P))
    values = [
        (nn.MSELoss()(x, t), (d * d).mean()),
        (nn.L1Loss("sum")(x, t), abs(d).sum()),
        (nn.HuberLoss(delta=0.3)(x, t), np.where(abs(d) <= 0.3, d * d / 2, 0.3 * (abs(d) - 0.15)).mean()),
        (nn.BCELoss(mg.tensor(W))(p, t), (W * bce).mean()),
        (nn.BCEWithLogitsLoss()(x, t), bce.mean()),
        (nn.NLLLoss(mg.tensor(W))(x, mg.tensor(C)), -(W[2] * X[0, 2] + W[0] * X[1, 0]) / (W[2] + W[0])),
        (nn.CrossEntropyLoss()(x, mg.tensor(C)), -(log_p[0, 2] + log_p[1, 0]) / 2),
        (nn.CrossEntropyLoss()(x, t), -(T * log_p).sum() / 2),
        (nn.CrossEntropyLoss(label_smoothing=0.3)(x, mg.tensor(C)), -(0.7 * (log_p[0, 2] + log_p[1, 0]) + 0.1 * log_p.sum()) / 2),
    ]
    for loss, expected in values:
        assert expected == pytest.approx(loss.item(), rel=1e-12)


def test_loss_weights_are_buffers():
    loss = nn.CrossEntropyLoss(mg.tensor([1.0, 2.0]))
    assert ["weight"] == list(loss.state_dict())
    assert np.float64 == loss.double().weight.dtype
    assert {} == nn.CrossEntropyLoss().state_dict()
    for kind in {case[0] for case in (*LOSSES, *LOSSES_OF_THREE)}:
        with pytest.raises(ArgumentError, match=f"{kind.__name__}: reduction must be one of 'none', 'mean', 'sum', got 'average'"):
            kind(reduction="average")


def test_softmax_before_cross_entropy_warns_at_the_callers_line():
    logits = mg.tensor(X, requires_grad=True)
    target = mg.tensor(C)
    lines = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        F.cross_entropy(F.softmax(logits, 1), target)
        nn.CrossEntropyLoss()(nn.Sequential(nn.Softmax(1))(logits), target)
        F.cross_entropy(F.log_softmax(logits, 1), target)
        F.cross_entropy(logits, F.softmax(logits, 1))
    for number, line in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1):
        lines[line.strip()] = number
    expected = [
        lines["F.cross_entropy(F.softmax(logits, 1), target)"],
        lines["nn.CrossEntropyLoss()(nn.Sequential(nn.Softmax(1))(logits), target)"],
    ]
    assert expected == [warning.lineno for warning in caught]
    assert {str(Path(__file__))} == {warning.filename for warning in caught}
    assert "its input is the output of softmax, but it takes logits" in str(caught[0].message)


# ---- Linear, Dropout, Flatten


def test_linear():
    layer = nn.Linear(3, 2).double()
    w, b = layer.weight.array, layer.bias.array
    assert (2, 3) == w.shape
    assert (2,) == b.shape
    rng = np.random.default_rng(0)
    for shape in [(3,), (4, 3), (5, 4, 3), (0, 3), (2, 1, 2, 3)]:
        x = rng.standard_normal(shape)
        np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), x @ w.T + b, rtol=1e-13)
    x = mg.tensor(rng.standard_normal((5, 4, 3)), requires_grad=True)
    g = rng.standard_normal((5, 4, 2))
    layer(x).backward(mg.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), g @ w, rtol=1e-13)
    np.testing.assert_allclose(layer.weight.grad.numpy(), np.einsum("abo,abi->oi", g, x.array), rtol=1e-12)
    np.testing.assert_allclose(layer.bias.grad.numpy(), g.sum((0, 1)), rtol=1e-12)

    plain = nn.Linear(3, 2, bias=False)
    assert plain.bias is None
    assert ["weight"] == list(plain.state_dict())
    x32 = rng.standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_allclose(plain(mg.tensor(x32)).detach().numpy(), x32 @ plain.weight.array.T, rtol=1e-6)
    assert np.float64 == nn.Linear(1, 1, dtype=np.float64).weight.dtype


def test_linear_starts_uniform_in_one_over_root_in():
    mg.manual_seed(0)
    layer = nn.Linear(100, 300)
    for values in (layer.weight.array, layer.bias.array):
        assert abs(values).max() <= 0.1
        assert abs(values).max() > 0.098
        assert abs(values.mean()) < 0.01
        assert 0.1 / np.sqrt(3) == pytest.approx(values.std(), rel=0.1)
    again = layer.weight.array.copy()
    mg.manual_seed(0)
    assert np.array_equal(again, nn.Linear(100, 300).weight.array)
    layer.reset_parameters()
    assert (again != layer.weight.array).any()
    assert [0.0, 0.0] == nn.Linear(0, 2)(mg.ones(1, 0))[0].abs().tolist()


def test_linear_refuses():
    layer = nn.Linear(3, 2)
    with pytest.raises(ShapeError, match=r"linear: x has 4 features but weight takes 3 \(x \(5, 4\), weight \(2, 3\)\)"):
        layer(mg.ones(5, 4))
    with pytest.raises(ShapeError, match=r"linear: weight must have shape \(out, in\), x \(…, in\); got .* x \(\)"):
        layer(mg.tensor(1.0))
    with pytest.raises(InputTypeError, match=r"linear: x must be a Tensor or a number, got list; make it one with mg.tensor"):
        layer([1.0, 2.0, 3.0])
    for size in (-1, 2.0, True, "3"):
        with pytest.raises(ArgumentError, match="Linear: in_features must be a non-negative int, got"):
            nn.Linear(size, 1)
    with pytest.raises(ArgumentError, match="Linear: out_features must be a non-negative int, got -2"):
        nn.Linear(1, -2)


def test_dropout():
    mg.manual_seed(3)
    layer = nn.Dropout(0.25)
    x = mg.full((200, 500), 2.0, requires_grad=True)
    y = layer(x)
    kept = y.array != 0
    assert 0.75 == pytest.approx(kept.mean(), abs=0.005)
    assert 2.0 == pytest.approx(y.array.mean(), abs=0.02)
    np.testing.assert_allclose(y.array[kept], 2 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), kept / 0.75, rtol=1e-6)
    assert (layer(x).array != y.array).any()
    mg.manual_seed(3)
    assert np.array_equal(y.array, layer(x).array)
    assert x is layer.eval()(x)
    assert x is nn.Dropout(0.0)(x)
    nothing = nn.Dropout(1.0)(x)
    assert not nothing.array.any()
    x.grad = None
    nothing.sum().backward()
    assert not x.grad.array.any()
    values = mg.ones(1000)
    assert values is nn.Dropout(0.5, inplace=True)(values)
    assert {0.0, 2.0} == set(values.tolist())
    for p in (-0.1, 1.1):
        with pytest.raises(ArgumentError, match=r"Dropout: p must be a probability in \[0, 1\], got"):
            nn.Dropout(p)


def test_flatten():
    x = mg.arange(24).reshape(2, 3, 4)
    assert (2, 12) == nn.Flatten()(x).shape
    assert (24,) == nn.Flatten(0)(x).shape
    assert (6, 4) == nn.Flatten(0, 1)(x).shape
    assert list(range(24)) == nn.Flatten(0)(x).tolist()

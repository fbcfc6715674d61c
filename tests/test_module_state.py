"""Modules: hooks of saving and loading, tensors put in their places, members as dictionaries that write through."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import RegistrationError, StateDictError


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2))


# ---- hooks


def test_hooks_of_saving_run_module_by_module():
    model, seen = net(), []
    model[0].register_state_dict_pre_hook(lambda *args: seen.append(args))
    handle = model[0].register_state_dict_post_hook(lambda module, state, prefix, _: state.update({prefix + "note": module}))
    model.register_state_dict_post_hook(lambda module, state, prefix, _: seen.append(list(state)))
    names = ["0.weight", "0.bias", "0.note", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert names == list(model.state_dict(keep_vars=True))
    assert [(model[0], "0.", True), names] == seen
    handle.remove()
    assert "0.note" not in model.state_dict()


def test_state_is_added_to_a_destination():
    found = {"before": mg.ones(1)}
    assert found is nn.Linear(1, 1).state_dict(destination=found, prefix="layer.")
    assert ["before", "layer.weight", "layer.bias"] == list(found)


def test_a_hook_before_loading_may_rename_keys():
    layer, seen = nn.Linear(1, 1), []

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        seen.append((module, prefix, metadata, strict, missing, unexpected, errors))
        state[prefix + "weight"] = state.pop(prefix + "w")

    layer.register_load_state_dict_pre_hook(rename)
    given = {"0.w": mg.tensor([[3.0]]), "0.bias": mg.tensor([4.0])}
    nn.Sequential(layer).load_state_dict(given)
    assert ([[3.0]], [4.0]) == (layer.weight.tolist(), layer.bias.tolist())
    assert ["0.w", "0.bias"] == list(given)
    assert (layer, "0.", {}, True) == seen[0][:4]


def test_a_hook_before_loading_may_refuse():
    layer = nn.Linear(1, 1)
    before = layer.weight.item()
    layer.register_load_state_dict_pre_hook(lambda *args: args[-1].append("too old"))
    with pytest.raises(StateDictError, match=r"Linear\.load_state_dict: too old"):
        layer.load_state_dict({"weight": [[7.0]], "bias": [7.0]})
    assert before == layer.weight.item()


def test_a_hook_after_loading_may_forgive():
    layer, seen = nn.Linear(1, 1), []
    with pytest.raises(StateDictError, match="missing keys: bias"):
        layer.load_state_dict({"weight": [[7.0]]})
    handle = layer.register_load_state_dict_post_hook(lambda module, keys: seen.append((module, list(keys.missing_keys))))
    with pytest.raises(StateDictError, match="missing keys: bias"):
        layer.load_state_dict({"weight": [[7.0]]})
    layer.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    assert ([], []) == layer.load_state_dict({"weight": [[8.0]]})
    assert [(layer, ["bias"])] * 2 == seen
    assert 8.0 == layer.weight.item()
    handle.remove()


# ---- assign


def test_loading_may_put_the_tensors_themselves_in_place():
    model = net()
    frozen = model[0].bias.requires_grad_(False)
    given = {name: mg.zeros_like(t).to(mg.float64) if t.is_floating_point() else t for name, t in model.state_dict().items()}
    given["1.weight"] = nn.Parameter(mg.ones(2), requires_grad=False)
    assert ([], []) == model.load_state_dict(given, assign=True)
    assert frozen is not model[0].bias
    assert [True, False, True, True] == [p.requires_grad for p in model.parameters()]
    assert model[1].weight is given["1.weight"]
    assert model[1].running_mean is given["1.running_mean"]
    assert mg.float64 == model[0].weight.dtype
    assert np.shares_memory(model[0].weight.array, given["0.weight"].array)
    with pytest.raises(StateDictError, match=r"0.bias: expected shape \(2,\), got \(3,\)"):
        model.load_state_dict({**given, "0.bias": mg.ones(3)}, assign=True)


# ---- members


def test_members_are_dictionaries_that_write_through():
    model = net()
    assert ["0", "1"] == list(model._modules)
    assert (2, {}, {}) == (len(model._modules), model._parameters, model._buffers)
    for name, module in model._modules.items():
        if isinstance(module, nn.BatchNorm1d):
            model._modules[name] = nn.Identity()
    assert isinstance(model[1], nn.Identity)
    del model._modules["1"]
    assert repr({"0": model[0]}) == repr(model._modules)
    layer = model[0]
    weight = nn.Parameter(mg.ones(2, 1))
    layer._parameters["weight"] = weight
    layer._parameters["extra"] = nn.Parameter(mg.ones(1))
    assert layer.weight is weight
    assert ["weight", "bias", "extra"] == [name for name, _ in layer.named_parameters()] == list(layer._parameters)
    with pytest.raises(KeyError):
        del layer._parameters["forward"]
    norm = nn.BatchNorm1d(2)
    assert ["running_mean", "running_var", "num_batches_tracked"] == list(norm._buffers)
    norm._buffers["running_mean"] = mg.ones(2)
    assert [1.0, 1.0] == norm.running_mean.tolist()
    assert "BatchNorm1d" == norm._get_name()
    with pytest.raises(RegistrationError, match="'forward' cannot name a module"):
        model._modules["forward"] = nn.Identity()


def test_members_may_be_none():
    for layer in (
        nn.Linear(2, 3, bias=False),
        nn.LazyLinear(3, bias=False),
        nn.Bilinear(1, 1, 1, bias=False),
        nn.LayerNorm(2, bias=False),
    ):
        assert (True, None) == ("bias" in layer._parameters, layer._parameters["bias"])
        assert ["weight", "bias"] == list(layer._parameters)
        assert ["weight"] == [name for name, _ in layer.named_parameters()] == list(layer.state_dict())
    for layer in (nn.BatchNorm1d(2, affine=False), nn.GroupNorm(1, 2, affine=False), nn.InstanceNorm1d(2)):
        assert {"weight": None, "bias": None} == layer._parameters
    assert {"weight": None} == nn.RMSNorm(2, elementwise_affine=False)._parameters
    assert None is nn.MultiheadAttention(2, 1, bias=False)._parameters["in_proj_bias"]
    assert "weight" in nn.BCELoss()._buffers
    module = nn.Module()
    module.register_parameter("p", None)
    module.register_module("m", None)
    module.plain = None
    assert ({"p": None}, {"m": None}) == (module._parameters, module._modules)
    assert ([], []) == (list(module.children()), list(module.parameters()))
    weight = nn.Parameter(np.ones(1))
    module.register_parameter("p", weight)
    module.register_module("m", nn.ReLU())
    assert module.p is weight is module._parameters["p"]
    module.p = None
    module.m = None
    assert ({"p": None}, {"m": None}) == (module._parameters, module._modules)
    del module._parameters["p"]
    assert {} == module._parameters


def test_submodules_are_put_under_dotted_names():
    model = nn.Sequential(net(), nn.ReLU())
    model.set_submodule("0.1", nn.Identity())
    model.set_submodule("0.more", nn.Tanh())
    assert ["Linear", "Identity", "Tanh"] == [type(module).__name__ for module in model[0]]
    with pytest.raises(RegistrationError, match=r"there is no module '0\.none'"):
        model.set_submodule("0.none", nn.Tanh(), strict=True)
    twice = nn.Sequential(model[1], model[1])
    assert (2, 3) == (len(list(twice.modules())), len(list(twice.modules(remove_duplicate=False))))

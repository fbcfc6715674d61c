"""Layers that hold state, containers, what a module holds under names, and hooks."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import (
    ArgumentError,
    GraphError,
    IndexRangeError,
    InputTypeError,
    RegistrationError,
    ShapeError,
    StateDictError,
)
from minigrad.nn import functional as F

RNG = np.random.default_rng(0)


def tensor(*shape: int) -> mg.Tensor:
    return mg.tensor(RNG.standard_normal(shape), requires_grad=True)


# ---- a module is its function, bit by bit

SAME: list[tuple[nn.Module, Any, tuple[tuple[int, ...], ...]]] = [
    (nn.LayerNorm(4), lambda m, x: F.layer_norm(x, (4,), m.weight, m.bias), ((3, 4),)),
    (nn.LayerNorm([3, 4], 0.1, bias=False), lambda m, x: F.layer_norm(x, (3, 4), m.weight, None, 0.1), ((2, 3, 4),)),
    (nn.LayerNorm(4, elementwise_affine=False), lambda m, x: F.layer_norm(x, (4,)), ((3, 4),)),
    (nn.RMSNorm(4), lambda m, x: F.rms_norm(x, (4,), m.weight), ((3, 4),)),
    (nn.RMSNorm((3, 4), 0.1, False), lambda m, x: F.rms_norm(x, (3, 4), eps=0.1), ((2, 3, 4),)),
    (nn.GroupNorm(2, 4), lambda m, x: F.group_norm(x, 2, m.weight, m.bias), ((3, 4, 2),)),
    (nn.GroupNorm(2, 4, 0.1, affine=False), lambda m, x: F.group_norm(x, 2, eps=0.1), ((3, 4, 2),)),
    (nn.BatchNorm1d(4), lambda m, x: F.batch_norm(x, None, None, m.weight, m.bias, True), ((3, 4),)),
    (
        nn.BatchNorm1d(4, track_running_stats=False).eval(),
        lambda m, x: F.batch_norm(x, None, None, m.weight, m.bias, True),
        ((3, 4, 2),),
    ),
    (nn.InstanceNorm1d(4), lambda m, x: F.instance_norm(x), ((3, 4, 2),)),
    (nn.InstanceNorm1d(4), lambda m, x: F.instance_norm(x.unsqueeze(0)).squeeze(0), ((4, 2),)),
    (nn.Bilinear(3, 4, 2), lambda m, a, b: F.bilinear(a, b, m.weight, m.bias), ((5, 3), (5, 4))),
    (nn.CosineSimilarity(), F.cosine_similarity, ((3, 4), (3, 4))),
    (nn.PairwiseDistance(1.0, 0.1, True), lambda m, a, b: F.pairwise_distance(a, b, 1.0, 0.1, True), ((3, 4), (3, 4))),
    (nn.Unflatten(1, (2, -1)), lambda m, x: x.reshape(3, 2, 3, 2), ((3, 6, 2),)),
    (nn.Dropout1d(0.5).eval(), lambda m, x: x, ((3, 4, 2),)),
    (nn.AlphaDropout(0.5).eval(), lambda m, x: x, ((3, 4),)),
    (nn.FeatureAlphaDropout(0.5).eval(), lambda m, x: x, ((3, 4),)),
]


@pytest.mark.parametrize(("module", "function", "shapes"), SAME, ids=[str(i) for i in range(len(SAME))])
def test_a_layer_is_its_function(module, function, shapes):
    module.double()
    with mg.no_grad():
        for p in module.parameters():
            p.copy_(tensor(*p.shape))
    inputs = [tensor(*shape) for shape in shapes]
    found = []
    for run in (module, function if function is F.cosine_similarity else lambda *xs: function(module, *xs)):
        y = run(*inputs)
        leaves = [*inputs, *module.parameters()]
        seed = mg.tensor(np.arange(1.0, y.numel() + 1).reshape(y.shape))
        found.append([y.detach(), *mg.grad(y, leaves, seed)])
    for a, b in zip(*found, strict=True):
        assert np.array_equal(a, b)


# ---- batch normalization over time


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
def test_batch_norm_follows_mean_and_unbiased_variance(momentum, shape):
    layer = nn.BatchNorm1d(3, momentum=momentum).double()
    mean, var = np.zeros(3), np.ones(3)
    axes = (0,) if len(shape) == 2 else (0, 2)
    for step in range(1, 4):
        x = 2 * RNG.standard_normal(shape) + 5
        share = 1 / step if momentum is None else momentum
        mean, var = mean + share * (x.mean(axes) - mean), var + share * (x.var(axes, ddof=1) - var)
        layer(mg.tensor(x))
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
        assert step == layer.num_batches_tracked.item()
    layer.eval()
    before = {name: tensor.numpy().copy() for name, tensor in layer.state_dict().items()}
    x = RNG.standard_normal(shape)
    along = (3,) if len(shape) == 2 else (3, 1)
    expected = (x - mean.reshape(along)) / np.sqrt(var.reshape(along) + 1e-5)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)
    for name, kept in layer.state_dict().items():
        np.testing.assert_array_equal(before[name], kept.numpy())


def test_batch_norm_state():
    layer = nn.BatchNorm1d(3)
    assert ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"] == list(layer.state_dict())
    assert np.int64 == layer.double().num_batches_tracked.dtype
    assert np.float64 == layer.running_mean.dtype
    layer(tensor(5, 3))
    other = nn.BatchNorm1d(3)
    other.load_state_dict(pickle.loads(pickle.dumps(layer.state_dict())))
    assert 1 == other.num_batches_tracked.item()
    assert np.array_equal(layer.running_var.numpy().astype(np.float32), other.running_var)
    duplicate = copy.deepcopy(layer)
    duplicate(tensor(5, 3))
    assert (1, 2) == (layer.num_batches_tracked.item(), duplicate.num_batches_tracked.item())
    layer.reset_parameters()
    assert [0.0] * 3 == layer.running_mean.tolist()
    assert 0 == layer.num_batches_tracked.item()
    plain = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    assert {} == plain.state_dict()
    assert ["bias"] not in [name for name, _ in nn.BatchNorm1d(3, bias=False).named_parameters()]
    for wrong in (mg.ones(3), mg.ones(2, 3, 4, 5)):
        with pytest.raises(ShapeError, match="BatchNorm1d: input must have shape"):
            nn.BatchNorm1d(3)(wrong)
    with pytest.raises(ShapeError, match=r"running_mean must have one entry a channel, shape \(4,\), got \(3,\)"):
        nn.BatchNorm1d(3)(mg.ones(2, 4))
    with pytest.raises(ArgumentError, match="needs more than 1 value per channel"):
        nn.BatchNorm1d(3)(mg.ones(1, 3))
    with pytest.raises(ArgumentError, match="GroupNorm: num_groups 2 does not divide num_channels 3"):
        nn.GroupNorm(2, 3)
    with pytest.raises(ArgumentError, match=r"LayerNorm: normalized_shape must be a non-negative int, got 2\.0"):
        nn.LayerNorm(2.0)
    with pytest.raises(ShapeError, match="InstanceNorm1d: input must have shape"):
        nn.InstanceNorm1d(2)(mg.ones(2))
    with pytest.raises(ArgumentError, match="BatchNorm1d: device must be None or 'cpu', got 'cuda'"):
        nn.BatchNorm1d(2, device="cuda")


def test_instance_norm_follows_the_mean_of_its_examples():
    layer = nn.InstanceNorm1d(3, momentum=0.3, affine=True, track_running_stats=True).double()
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(2):
        x = RNG.standard_normal((4, 3, 5)) + 2
        mean, var = 0.7 * mean + 0.3 * x.mean(2).mean(0), 0.7 * var + 0.3 * x.var(2, ddof=1).mean(0)
        y = layer(mg.tensor(x)).detach().numpy()
        np.testing.assert_allclose(y.mean(2), 0, atol=1e-12)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    expected = (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-5)
    np.testing.assert_allclose(layer.eval()(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)


def test_an_output_in_use_survives_later_batches():
    """What evaluation saved for backward is not what training writes into."""
    layer = nn.BatchNorm1d(2).double().eval()
    x = tensor(4, 2)
    y = layer(x)
    layer.train()(tensor(4, 2))
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / math.sqrt(1 + 1e-5), rtol=1e-12)


# ---- a layer that finds its size


def test_a_lazy_layer_becomes_a_linear_one():
    mg.manual_seed(0)
    lazy = nn.LazyLinear(3)
    assert repr(lazy).startswith("LazyLinear(in_features=0, out_features=3, bias=True)")
    weight = lazy.weight
    model = nn.Sequential(lazy, nn.ReLU())
    model(mg.ones(2, 5)).sum().backward()
    assert type(lazy) is nn.Linear
    assert (5, (3, 5), True) == (lazy.in_features, lazy.weight.shape, lazy.weight is weight)
    assert (3, 5) == weight.grad.shape
    assert lazy.bias.array.any()
    assert np.abs(lazy.weight.array).max() <= 1 / math.sqrt(5)
    assert 0 == len(lazy._hooks)


@pytest.mark.parametrize("through", [lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_lazy_layer_is_settled_by_the_state_that_is_loaded(through):
    state = nn.Sequential(nn.Linear(4, 3)).state_dict()
    model = through(nn.Sequential(nn.LazyLinear(3)))
    model.load_state_dict(state)
    assert type(model[0]) is nn.Linear
    np.testing.assert_array_equal(state["0.weight"].numpy(), model[0].weight.array)
    with pytest.raises(ShapeError):
        model(mg.ones(2, 5))


@pytest.mark.parametrize(
    "wrong", [{"0.bias": np.zeros(4)}, {"0.weight": np.zeros((4, 4))}, {"0.weight": np.zeros(())}, {"more": np.zeros(1)}]
)
@pytest.mark.parametrize("assign", [False, True])
def test_a_state_that_is_refused_leaves_a_lazy_layer_as_it_is(wrong, assign):
    model = nn.Sequential(nn.LazyLinear(3))
    good = nn.Sequential(nn.Linear(4, 3)).state_dict()
    state = {**good, **{key: mg.tensor(value) for key, value in wrong.items()}}
    bias = model[0].bias.tolist()
    with pytest.raises(StateDictError):
        model.load_state_dict(state, assign=assign)
    assert (nn.LazyLinear, (3, 0), bias) == (type(model[0]), model[0].weight.shape, model[0].bias.tolist())
    model.load_state_dict(nn.Sequential(nn.LazyLinear(3)).state_dict())
    assert type(model[0]) is nn.LazyLinear
    model.load_state_dict(good, assign=assign)
    assert (nn.Linear, 4, (3, 4)) == (type(model[0]), model[0].in_features, model[0].weight.shape)


def test_a_lazy_layer_refuses_what_has_no_features():
    lazy = nn.LazyLinear(3)
    with pytest.raises(ShapeError, match=r"linear: weight must have shape \(out, in\), x \(…, in\)"):
        lazy(mg.tensor(1.0))
    with pytest.raises(InputTypeError, match="linear: x must be a Tensor"):
        lazy([1.0])
    assert type(lazy) is nn.LazyLinear


# ---- embedding, attention


def test_embedding():
    mg.manual_seed(0)
    layer = nn.Embedding(100, 50, padding_idx=-1)
    assert 99 == layer.padding_idx
    assert not layer.weight.array[99].any()
    assert 1.0 == pytest.approx(layer.weight.array[:99].std(), abs=0.05)
    layer(mg.tensor([[1, 99], [1, 2]])).sum().backward()
    assert {0.0: 98, 1.0: 1, 2.0: 1} == dict(zip(*np.unique(layer.weight.grad.array[:, 0], return_counts=True), strict=True))
    table = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    given = nn.Embedding.from_pretrained(table)
    assert not given.weight.requires_grad
    assert np.shares_memory(given.weight.array, table.array)
    assert [[3.0, 4.0], [1.0, 2.0]] == given(mg.tensor([1, 0])).tolist()
    assert nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0).weight.requires_grad
    assert "Embedding(2, 2)  # 4 parameters" == repr(given)
    with pytest.raises(ArgumentError, match=r"Embedding: padding_idx must be in \[-3, 2\] for 3 rows, got 3"):
        nn.Embedding(3, 2, padding_idx=3)
    with pytest.raises(ShapeError, match="from_pretrained: embeddings must have shape"):
        nn.Embedding.from_pretrained(mg.ones(3))


def test_embedding_shortens_the_rows_it_takes():
    table = np.array([[3.0, 4.0], [0.3, 0.4], [-6.0, 8.0], [30.0, 40.0]])
    for order, lengths in ((2.0, [5.0, 10.0]), (1.0, [7.0, 14.0])):
        layer = nn.Embedding.from_pretrained(mg.tensor(table), freeze=False, max_norm=2.0, norm_type=order)
        y = layer(mg.tensor([[2, 0], [1, 2]]))
        expected = table.copy()
        expected[[0, 2]] *= 2 / np.array(lengths)[:, None]
        np.testing.assert_allclose(layer.weight.array, expected, rtol=1e-6)
        np.testing.assert_array_equal(y.detach().numpy(), layer.weight.array[[[2, 0], [1, 2]]])
        y.sum().backward()
        assert [1.0, 1.0, 2.0, 0.0] == layer.weight.grad[:, 0].tolist()
    shown = nn.Embedding(3, 2, 0, 1.0, 1.0, True, True)
    assert repr(shown).startswith(
        "Embedding(3, 2, padding_idx=0, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True, sparse=True)"
    )


def test_embedding_divides_gradients_by_frequency():
    layer = nn.Embedding(4, 2, scale_grad_by_freq=True)
    layer(mg.tensor([1, 1, 1, 3])).sum().backward()
    np.testing.assert_allclose(layer.weight.grad[:, 0].tolist(), [0, 1, 0, 1], rtol=1e-6)


def test_embedding_of_a_given_table():
    table = mg.ones(3, 2)
    assert np.shares_memory(table.array, nn.Embedding(3, 2, _weight=table).weight.array)
    with pytest.raises(ShapeError, match=r"Embedding: the table must have shape \(3, 2\), got \(2, 3\)"):
        nn.Embedding(3, 2, _weight=mg.ones(2, 3))


@pytest.mark.parametrize("padded", [False, True])
def test_multihead_attention_to_more_than_the_keys(padded):
    """A learnt key and value, then zeros: they stand behind the keys, and no mask hides them."""
    layer = nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True).double()
    assert ["in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj.weight", "out_proj.bias"] == list(layer.state_dict())
    q, k = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 5, 4))
    hidden = np.array([[False] * 5, [True, False, False, True, True]]) if padded else np.zeros((2, 5), bool)
    out, weights = layer(*map(mg.tensor, (q, k, k)), key_padding_mask=mg.tensor(hidden) if padded else None)
    w, b = layer.in_proj_weight.array.reshape(3, 4, 4), layer.in_proj_bias.array.reshape(3, 4)
    expected, shares = np.zeros((2, 3, 4)), np.zeros((2, 3, 7))
    for n in range(2):
        query = q[n] @ w[0].T + b[0]
        key = np.concatenate([k[n] @ w[1].T + b[1], layer.bias_k.array[0], np.zeros((1, 4))])
        value = np.concatenate([k[n] @ w[2].T + b[2], layer.bias_v.array[0], np.zeros((1, 4))])
        seen = ~np.append(hidden[n], [False, False])
        for h in (slice(0, 2), slice(2, 4)):
            e = np.exp(query[:, h] @ key[:, h].T / math.sqrt(2)) * seen
            expected[n, :, h] = e / e.sum(1, keepdims=True) @ value[:, h]
            shares[n] += e / e.sum(1, keepdims=True) / 2
    np.testing.assert_allclose(weights.detach().numpy(), shares, rtol=1e-12)
    expected = expected @ layer.out_proj.weight.array.T + layer.out_proj.bias.array
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12)
    out.sum().backward()
    assert layer.bias_k.grad.array.any()
    assert layer.bias_v.grad.array.any()


def test_multihead_attention_head_by_head():
    layer = nn.MultiheadAttention(6, 2, batch_first=True).double()
    with mg.no_grad():
        layer.in_proj_bias.copy_(tensor(18))
    q, k = RNG.standard_normal((2, 3, 6)), RNG.standard_normal((2, 5, 6))
    blocked = np.triu(np.ones((3, 5), bool), 2)
    padding = np.array([[False] * 5, [False, False, True, False, True]])
    out, weights = layer(*map(mg.tensor, (q, k, k)), key_padding_mask=mg.tensor(padding), attn_mask=mg.tensor(blocked))

    w, b = layer.in_proj_weight.array.reshape(3, 2, 3, 6), layer.in_proj_bias.array.reshape(3, 2, 3)
    expected, shares = np.zeros((2, 3, 6)), np.zeros((2, 3, 5))
    for n in range(2):
        heads = []
        for h in range(2):
            query, key, value = (x[n] @ w[i, h].T + b[i, h] for i, x in enumerate((q, k, k)))
            e = np.exp(query @ key.T / math.sqrt(3)) * ~(blocked | padding[n])
            heads.append(e / e.sum(1, keepdims=True) @ value)
            shares[n] += e / e.sum(1, keepdims=True) / 2
        expected[n] = np.concatenate(heads, 1) @ layer.out_proj.weight.array.T + layer.out_proj.bias.array
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(weights.detach().numpy(), shares, rtol=1e-12)

    sequence = nn.MultiheadAttention(6, 2).double()
    sequence.load_state_dict(layer.state_dict())
    swapped, none = sequence(*(mg.tensor(x).transpose(0, 1) for x in (q, k, k)), need_weights=False)
    assert none is None
    np.testing.assert_allclose(
        swapped.transpose(0, 1).detach().numpy(), layer(*map(mg.tensor, (q, k, k)))[0].detach().numpy(), rtol=1e-12
    )
    single, seen = sequence(*(mg.tensor(x[0]) for x in (q, k, k)), average_attn_weights=False)
    assert ((3, 6), (2, 3, 5)) == (single.shape, seen.shape)


def test_multihead_attention_trains_and_refuses():
    layer = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, dropout=0.5).double()
    assert ["q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"] == list(
        layer.state_dict()
    )
    layer(tensor(3, 2, 4), tensor(5, 2, 3), tensor(5, 2, 5))[0].sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    plain = nn.MultiheadAttention(4, 2)
    x = mg.ones(3, 2, 4)
    with pytest.raises(ArgumentError, match="num_heads 3 does not divide embed_dim 4"):
        nn.MultiheadAttention(4, 3)
    with pytest.raises(ArgumentError, match="is_causal needs an attn_mask"):
        plain(x, x, x, is_causal=True)
    with pytest.raises(ShapeError, match=r"attn_mask must have shape \(3, 3\) or \(4, 3, 3\), got \(2, 2\)"):
        plain(x, x, x, attn_mask=mg.ones(2, 2))
    with pytest.raises(ShapeError, match="key must have 2 axes or, in a batch, 3"):
        plain(x, mg.ones(3, 4), x)


def test_alpha_dropout_keeps_mean_and_variance():
    mg.manual_seed(0)
    x = mg.randn(400, 500)
    y = nn.AlphaDropout(0.3)(x).numpy()
    assert 0.0 == pytest.approx(y.mean(), abs=0.01)
    assert 1.0 == pytest.approx(y.std(), abs=0.01)
    channels = nn.Dropout1d(0.5)(mg.ones(50, 20, 3)).numpy()
    assert (channels == channels[..., :1]).all()
    assert {0.0, 2.0} == set(channels.ravel().tolist())


def test_unflatten_refuses():
    with pytest.raises(InputTypeError, match="Unflatten: unflattened_size must be a tuple of ints, got 2"):
        nn.Unflatten(1, 2)
    with pytest.raises(ShapeError, match="do not fit"):
        nn.Unflatten(1, (2, 2))(mg.ones(2, 6))


# ---- lists and dictionaries


def layers(count: int) -> list[nn.Linear]:
    return [nn.Linear(1, 1) for _ in range(count)]


@pytest.mark.parametrize("kind", [nn.ModuleList, lambda modules: nn.Sequential(*modules)], ids=["ModuleList", "Sequential"])
def test_modules_in_a_list(kind):
    a, b, c, d = layers(4)
    found = kind([a, b])
    assert found is found.append(c)
    assert found is found.extend([d])
    assert [a, b, c, d] == list(found)
    assert 4 == len(found)
    assert c in found
    assert ["0", "1", "2", "3"] == [name for name, _ in found.named_children()]
    assert (a, d) == (found[0], found[-1])
    assert [b, c] == list(found[1:3])
    assert type(found) is type(found[1:3])
    found[1] = d
    assert [a, d, c] == list(found[:3])
    del found[1]
    assert [a, c, d] == list(found)
    assert ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"] == list(found.state_dict())
    found.insert(1, b)
    assert [a, b, c, d] == list(found)
    assert d is found.pop(-1)
    assert a is found.pop(0)
    assert [b, c] == list(found)
    found += [a]
    assert [b, c, a] == list(found)
    assert [b, c, a, d] == list(found + kind([d]))
    del found[:2]
    assert [a] == list(found)
    with pytest.raises(IndexRangeError, match="index 1 is out of range for 1 modules"):
        found[1]
    with pytest.raises(InputTypeError, match="must be a Module, got int"):
        found.append(1)
    assert 1 == len(pickle.loads(pickle.dumps(found)))
    assert 1 == len(copy.deepcopy(found))


def test_modules_in_a_dictionary():
    a, b, c = layers(3)
    found = nn.ModuleDict({"one": a, "two": b})
    found["three"] = c
    assert ["one", "two", "three"] == list(found) == list(found.keys())
    assert [a, b, c] == list(found.values())
    assert [("one", a), ("two", b), ("three", c)] == list(found.items())
    assert "two" in found
    assert 3 == len(found)
    assert b is found.pop("two")
    assert ["one.weight", "one.bias", "three.weight", "three.bias"] == list(found.state_dict())
    found.update([["one", b]])
    assert b is found["one"]
    del found["one"]
    with pytest.raises(RegistrationError, match="ModuleDict: there is no 'one'; there are 'three'") as caught:
        found["one"]
    assert isinstance(caught.value, KeyError)
    with pytest.raises(RegistrationError, match="'keys' cannot name a module"):
        found["keys"] = a
    with pytest.raises(InputTypeError, match="four must be a Module, got int"):
        found["four"] = 4
    found.clear()
    assert {} == dict(found)
    assert {found: 1}[found] == 1


def test_parameters_in_lists_and_dictionaries():
    found = nn.ParameterList([mg.ones(2), nn.Parameter(mg.zeros(1)), "text"])
    assert [nn.Parameter, nn.Parameter, str] == [type(value) for value in found]
    assert ["0", "1"] == [name for name, _ in found.named_parameters()]
    found.append(mg.ones(3)).extend([mg.ones(4)])
    found[0] = mg.full((5,), 7.0)
    assert [(5,), (1,), (3,), (4,)] == [p.shape for p in found.parameters()]
    assert "text" == found.pop(2)
    assert ["0", "1", "2", "3"] == list(found.state_dict())
    assert "ParameterList(0: Parameter (5,) float32, 1: Parameter (1,) float32" in repr(found)
    named = nn.ParameterDict({"w": mg.ones(2)})
    named["b"] = nn.Parameter(mg.zeros(1))
    named["note"] = 3
    assert ["w", "b"] == [name for name, _ in named.named_parameters()]
    assert ["w", "b", "note"] == list(named)
    assert isinstance(named["w"], nn.Parameter)
    assert named["w"] is named.get("w")
    assert named.get("missing") is None
    assert 3 == named.pop("note")
    assert (2, 2) == (len(named), len(named.copy()))
    assert named.copy()["b"] is named["b"]
    del named["w"]
    assert ["b"] == list(named.state_dict())
    with pytest.raises(KeyError, match="there is no 'w'"):
        named["w"]
    with pytest.raises(RegistrationError, match="'parameters' cannot name a parameter"):
        named["parameters"] = mg.ones(1)
    assert ["b"] == list(copy.deepcopy(named))


# ---- what a module holds under names


def test_registering_under_names():
    module = nn.Module()
    module.register_parameter("w", nn.Parameter(mg.ones(2)))
    module.register_parameter("none", None)
    module.add_module("inner", nn.Linear(1, 1))
    module.register_module("empty", None)
    module.register_buffer("seen", mg.zeros(1))
    assert ["w", "seen", "inner.weight", "inner.bias"] == list(module.state_dict())
    assert ["net.w", "net.seen", "net.inner.weight", "net.inner.bias"] == list(module.state_dict(prefix="net."))
    assert module.w is module.state_dict(keep_vars=True)["w"]
    assert module.none is None
    assert module.inner is module.get_submodule("inner")
    assert module is module.get_submodule("")
    assert module.inner.weight is module.get_parameter("inner.weight")
    assert module.seen is module.get_buffer("seen")
    del module.seen
    assert [] == list(module.buffers())
    module.register_buffer("seen", mg.ones(2))
    for wrong, find in (("x", "get_submodule"), ("inner.x", "get_parameter"), ("w.x", "get_parameter"), ("w", "get_buffer")):
        with pytest.raises(AttributeError, match="Module: there is no"):
            getattr(module, find)(wrong)
    refused = [
        (lambda: module.register_parameter("w.x", None), RegistrationError, "must not be empty or hold a dot"),
        (lambda: module.register_parameter("", None), KeyError, "must not be empty"),
        (lambda: module.register_parameter("forward", None), KeyError, "it is an attribute already"),
        (lambda: module.register_parameter("p", mg.ones(1)), TypeError, "p must be a Parameter or None, got Tensor"),
        (lambda: module.register_parameter(1, None), TypeError, "the name of a parameter must be a str, got int"),
        (lambda: module.register_buffer("w", None), KeyError, "'w' cannot name a buffer"),
        (lambda: module.add_module("w", nn.Linear(1, 1)), KeyError, "'w' cannot name a module"),
        (lambda: module.add_module("m", 1), TypeError, "m must be a Module, got int"),
        (lambda: setattr(module, "seen", 3.0), TypeError, "seen is a buffer, a Tensor or None, and cannot be float"),
    ]
    for call, error, message in refused:
        with pytest.raises(error, match=message):
            call()


def test_shared_members_come_again_where_asked_for():
    layer = nn.Linear(1, 1, bias=False)
    model = nn.Sequential(layer, layer)
    assert ["", "0"] == [name for name, _ in model.named_modules()]
    assert ["", "0", "1"] == [name for name, _ in model.named_modules(remove_duplicate=False)]
    assert ["0.weight", "1.weight"] == [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert ["x.0.weight"] == [name for name, _ in model.named_parameters("x")]


def test_to_takes_what_pytorch_takes():
    layer = nn.Linear(1, 1)
    assert np.float64 == layer.to("cpu", mg.float64).weight.dtype
    assert np.float32 == layer.to(dtype=mg.float32, device="cpu").weight.dtype
    assert np.float64 == layer.to(mg.ones(1, dtype=mg.float64)).weight.dtype
    assert np.float32 == layer.type(mg.float32).weight.dtype
    assert layer is layer.cpu()
    with pytest.raises(InputTypeError, match=r"Module\.to: expected a dtype, a Tensor or the device 'cpu'"):
        layer.to(mg.float32, mg.float64)
    with pytest.raises(ArgumentError, match="Linear: device must be None or 'cpu', got 'cuda'"):
        nn.Linear(1, 1, device="cuda")


# ---- hooks


def test_forward_hooks_in_order_and_with_keywords():
    class Scale(nn.Module):
        def forward(self, x, by=1.0):
            return x * by

    order: list[Any] = []
    module = Scale()
    module.register_forward_hook(lambda m, args, out: order.append("first"))
    module.register_forward_hook(lambda m, args, out: order.append("zeroth"), prepend=True)
    module.register_forward_hook(lambda m, args, kwargs, out: order.append(kwargs["by"]), with_kwargs=True)
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
    assert 9.0 == module(mg.tensor(3.0), by=2.0).item()
    assert ["zeroth", "first", 3.0] == order


def test_backward_hooks_see_and_replace():
    seen: list[Any] = []
    layer = nn.Linear(2, 2).double()
    layer.load_state_dict({"weight": np.arange(4.0).reshape(2, 2), "bias": np.ones(2)})
    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 2,))

    def hook(module, grad_input, grad_output):
        seen.append((module, grad_input[0] if grad_input[0] is None else grad_input[0].tolist(), grad_output[0].tolist()))
        return None if grad_input[0] is None else (grad_input[0] * 3,)

    handle = layer.register_full_backward_hook(hook)
    x = tensor(1, 2)
    y = (layer(x) * mg.tensor([1.0, 2.0])).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert [(layer, [[8.0, 14.0]], [[2.0, 4.0]])] * 2 == seen
    assert [[48.0, 84.0]] == x.grad.tolist()
    np.testing.assert_allclose(layer.weight.grad.numpy(), 2 * np.outer([2, 4], x.array[0]), rtol=1e-12)
    layer(mg.ones(1, 2).double()).sum().backward()
    assert (layer, None, [[2.0, 2.0]]) == seen[-1]
    handle.remove()
    layer(x).sum().backward()
    assert 3 == len(seen)


def test_backward_hooks_of_several_inputs_and_outputs():
    class Mix(nn.Module):
        def forward(self, a, b):
            return a * b, a + b

    seen: list[Any] = []
    module = Mix()
    module.register_full_backward_hook(lambda m, grads, outs: seen.append((grads, outs)) or (grads[1], grads[0]))
    a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(3.0, requires_grad=True)
    p, s = module(a, b)
    (p + 10 * s).backward()
    grads, outs = seen[0]
    assert ([13.0, 12.0], [1.0, 10.0]) == ([g.item() for g in grads], [g.item() for g in outs])
    assert (12.0, 13.0) == (a.grad.item(), b.grad.item())
    p, _ = module(a, b)
    p.backward()
    assert seen[1][1][1] is None
    assert all(not isinstance(value, tuple) or len(value) for value in seen)
    wrong = nn.Identity()
    wrong.register_full_backward_hook(lambda m, grads, outs: (grads[0], grads[0]))
    with pytest.raises(GraphError, match="backward hook: returned 2 gradients in the place of 1"):
        wrong(a).backward()

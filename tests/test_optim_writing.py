"""Optimizers: state written by hand, Tensors among the settings, PyTorch's words for its loops."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from optim_rules import AdamRule

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, ShapeError


def unit() -> nn.Parameter:
    return nn.Parameter(np.ones(()))


def stepped(optimizer: optim.Optimizer, *params: nn.Parameter) -> None:
    for p in params:
        p.grad = mg.ones_like(p)
    optimizer.step()


# ---- the state is written through


def moved(kind: Any, **settings: Any) -> tuple[nn.Parameter, nn.Parameter, optim.Optimizer]:
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    optimizer = kind([p, q], **settings)
    stepped(optimizer, p, q)
    return p, q, optimizer


def test_entries_of_the_state_are_written_through():
    p, q, optimizer = moved(optim.Adam, lr=0.1)
    optimizer.state[p]["exp_avg"].zero_()
    optimizer.state[q]["exp_avg"] = np.full(3, 0.5)
    optimizer.state[p]["step"] = 7
    assert ([0.0, 0.0], [0.5, 0.5, 0.5]) == tuple(optimizer.state[x]["exp_avg"].tolist() for x in (p, q))
    assert [7, 1] == [optimizer.state[x]["step"] for x in (p, q)]
    rule = AdamRule(lr=0.1)
    rule.t, rule.m, rule.v = 7, 0.0, 0.001
    expected = rule.step(p.detach().numpy(), np.ones(2))
    stepped(optimizer, p, q)
    np.testing.assert_allclose(p.tolist(), expected, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"optimizer.state: exp_avg must have shape \(2,\), got \(3,\)"):
        optimizer.state[p]["exp_avg"] = np.zeros(3)
    assert repr(dict(optimizer.state[p])) == repr(optimizer.state[p])
    assert "exp_avg_sq" in repr(optimizer.state)


@pytest.mark.parametrize("forget", [lambda o, p: o.state.pop(p), lambda o, p: o.state[p].clear(), lambda o, p: o.state.clear()])
def test_a_parameter_whose_state_is_taken_out_starts_anew(forget):
    p, q, optimizer = moved(optim.SGD, lr=0.1, momentum=0.9)
    forget(optimizer, p)
    assert p not in optimizer.state
    assert 0 == len(optimizer.state[p])
    assert None is optimizer.state.get(nn.Parameter(np.ones(1)))
    before = p.detach().numpy().copy()
    stepped(optimizer, p, q)
    np.testing.assert_allclose(p.detach().numpy(), before - 0.1, rtol=1e-12)
    assert [p, q] == list(optimizer.state)


def test_single_arrays_taken_out_start_from_0():
    p, _, optimizer = moved(optim.Adam)
    del optimizer.state[p]["exp_avg"]
    assert [0.0, 0.0] == optimizer.state[p]["exp_avg"].tolist()
    with pytest.raises(KeyError):
        del optimizer.state[p]["buffer"]
    del optimizer.state[p]["step"]
    assert p not in optimizer.state


def test_the_state_may_be_assigned_and_put_in():
    p, q, optimizer = moved(optim.Adam)
    saved = {x: dict(optimizer.state[x]) for x in (p, q)}
    saved = {x: {k: mg.tensor(v) if isinstance(v, mg.Tensor) else v for k, v in entry.items()} for x, entry in saved.items()}
    optimizer.state = {}
    assert {} == optimizer.state
    optimizer.state[p] = saved[p]
    assert [p] == list(optimizer.state)
    assert saved[p]["exp_avg"].tolist() == optimizer.state[p]["exp_avg"].tolist()
    optimizer.state = saved
    assert [p, q] == list(optimizer.state)
    assert saved[q]["exp_avg"].tolist() == optimizer.state[q].pop("exp_avg").tolist()
    assert [0.0] * 3 == optimizer.state[q]["exp_avg"].tolist()
    assert saved[p]["exp_avg"].tolist() == optimizer.state.pop(p)["exp_avg"].tolist()
    assert "none" == optimizer.state.pop(p, "none")


def test_an_array_put_in_before_the_first_step_counts_as_one():
    p = nn.Parameter(np.ones(2))
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    optimizer.state[p]["momentum_buffer"] = mg.tensor([2.0, 4.0])
    stepped(optimizer, p)
    np.testing.assert_allclose([1 - 2.0, 1 - 3.0], p.tolist())


def test_what_users_keep_in_the_state_is_saved():
    p, _, optimizer = moved(optim.Adam)
    optimizer.state[p]["note"] = ["mine"]
    assert ["mine"] == deepcopy(optimizer).state_dict()["state"][0]["note"]
    saved = optimizer.state_dict()
    other = optim.Adam([nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))])
    other.load_state_dict(saved)
    assert ["mine"] == other.state[other.param_groups[0]["params"][0]]["note"]
    del optimizer.state[p]["note"]
    assert "note" not in optimizer.state[p]


# ---- Tensors among the settings; PyTorch's words for its loops


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.Rprop, optim.ASGD, optim.Adadelta])
def test_a_learning_rate_may_be_a_tensor(kind):
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    lr = mg.tensor(0.25, dtype=mg.float64)
    one, other = kind([p], lr=lr), kind([q], lr=0.25)
    schedules = [optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (one, other)]
    for _ in range(3):
        stepped(one, p)
        stepped(other, q)
        for schedule in schedules:
            schedule.step()
    assert q.tolist() == p.tolist()
    assert one.param_groups[0]["lr"] is lr
    assert 0.25 / 8 == lr.item()
    assert [0.25 / 8] == schedules[0].get_last_lr()
    lr.fill_(0.0)
    before = p.tolist()
    if kind is not optim.Rprop and kind is not optim.ASGD:  # their steps are set by the rate that was
        stepped(one, p)
        assert before == p.tolist()


def test_betas_may_be_tensors():
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    one = optim.Adam([p], betas=(mg.tensor(0.5), mg.tensor(0.75)))
    other = optim.Adam([q], betas=(0.5, 0.75))
    for _ in range(3):
        stepped(one, p)
        stepped(other, q)
    assert q.tolist() == p.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": mg.ones(2)}, r"lr must be a number or a Tensor of 1 element, got shape \(2,\)"),
        ({"lr": mg.tensor(-1.0)}, "lr must be at least 0"),
        ({"betas": (mg.tensor(0.5), 0.9)}, "betas must be all numbers or all Tensors"),
        ({"foreach": True, "fused": True}, "foreach and fused cannot both be True"),
        ({"capturable": True}, "capturable must be False"),
        ({"differentiable": True}, "differentiable must be False"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        optim.Adam([unit()], **settings)


WAYS = {
    optim.SGD: ("foreach", "differentiable", "fused"),
    optim.Adam: ("foreach", "capturable", "differentiable", "fused"),
    optim.AdamW: ("foreach", "capturable", "differentiable", "fused"),
    optim.Adagrad: ("foreach", "differentiable", "fused"),
    **dict.fromkeys(
        (optim.NAdam, optim.RAdam, optim.Adamax, optim.RMSprop, optim.Adadelta, optim.Rprop, optim.ASGD),
        ("foreach", "capturable", "differentiable"),
    ),
}


@pytest.mark.parametrize("kind", WAYS, ids=lambda kind: kind.__name__)
def test_pytorchs_ways_to_run_an_update_change_nothing(kind):
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    plain, other = kind([p]), kind([q], **{name: name in ("foreach",) for name in WAYS[kind]})
    stepped(plain, p)
    stepped(other, q)
    assert p.tolist() == q.tolist()
    assert set(WAYS[kind]) <= plain.param_groups[0].keys()
    assert "foreach" not in repr(plain)


def test_parameters_with_names():
    model = nn.Linear(2, 3)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert ["weight", "bias"] == optimizer.state_dict()["param_groups"][0]["param_names"]
    for group in ({"params": [unit()]}, {"params": [unit(), ("name", unit())]}):
        with pytest.raises(ArgumentError, match="SGD: all parameters must come with names, or none"):
            optimizer.add_param_group(group)

"""Optimizers: state that is saved, copied and taken over; groups, hooks, closures, and what is refused."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from optim_rules import CASES, SHAPES, AdamRule, Run, SGDRule, each, gradient, start_values

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, InputTypeError, ShapeError, StateDictError

# ---- state


@pytest.mark.parametrize(("kind", "settings"), CASES[2:], ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in CASES[2:]])
@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
def test_saved_and_restored_in_mid_run(kind, settings, uneven):
    run = Run(kind, settings)
    for step in range(10):
        run.step(skipped=(0, 3) if uneven and step % 2 else ())
    saved = run.optimizer.state_dict()
    frozen = {n: {k: np.array(v) for k, v in values.items()} for n, values in saved["state"].items()}
    values = [p.array.copy() for p in run.params]
    run.optimizer.step()
    copy = Run(kind, {"lr": 123.0}, [nn.Parameter(value) for value in values])
    copy.optimizer.load_state_dict(saved)
    copy.rules, copy.expected, copy.count = run.rules, run.expected, run.count
    for _ in range(10):
        copy.step()
        copy.check()
    assert all(np.array_equal(value, saved["state"][n][k]) for n, values in frozen.items() for k, value in values.items())
    assert run.rules[0].lr == copy.optimizer.param_groups[0]["lr"]


def test_state_dict_holds_numbers_for_parameters():
    run = Run(optim.Adam, {"lr": 0.25})
    run.step(skipped=(1,))
    state = run.optimizer.state_dict()
    settings = {"lr": 0.25, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}
    settings |= {"amsgrad": False, "maximize": False, "decoupled_weight_decay": False}
    settings |= {"foreach": None, "fused": None, "capturable": False, "differentiable": False}
    assert [{**settings, "params": [0, 1, 2, 3, 4]}] == state["param_groups"]
    assert [0, 2, 3, 4] == list(state["state"])
    assert {"step", "exp_avg", "exp_avg_sq"} == set(state["state"][0])
    assert 1 == state["state"][0]["step"]
    g = gradient(0, 0, SHAPES[0])
    np.testing.assert_allclose(state["state"][0]["exp_avg"].array, 0.1 * g)
    np.testing.assert_allclose(state["state"][0]["exp_avg_sq"].array, 0.001 * g**2)
    momentum = Run(optim.SGD, {"momentum": 0.9})
    momentum.step()
    np.testing.assert_allclose(momentum.optimizer.state_dict()["state"][0]["momentum_buffer"].array, g)
    assert np.array_equal(momentum.optimizer.state[momentum.params[0]]["momentum_buffer"].array, g)


STATE_NAMES = {
    optim.SGD: {"momentum_buffer"},
    optim.Adam: {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    optim.AdamW: {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    optim.NAdam: {"exp_avg", "exp_avg_sq", "mu_product"},
    optim.RAdam: {"exp_avg", "exp_avg_sq"},
    optim.Adamax: {"exp_avg", "exp_inf"},
    optim.Adagrad: {"sum"},
    optim.RMSprop: {"square_avg", "momentum_buffer", "grad_avg"},
    optim.Adadelta: {"square_avg", "acc_delta"},
    optim.Rprop: {"prev", "step_size"},
}
MOST_STATE: dict[Any, dict[str, Any]] = {
    optim.SGD: {"momentum": 0.9},
    optim.Adam: {"amsgrad": True},
    optim.AdamW: {"amsgrad": True},
    optim.RMSprop: {"momentum": 0.9, "centered": True},
}


@pytest.mark.parametrize("kind", STATE_NAMES, ids=lambda kind: kind.__name__)
def test_state_has_the_names_that_pytorch_gives_it(kind):
    run = Run(kind, MOST_STATE.get(kind, {}))
    run.step()
    state = run.optimizer.state_dict()["state"][0]
    assert STATE_NAMES[kind] | {"step"} == set(state)
    assert {() if name == "mu_product" else SHAPES[0] for name in STATE_NAMES[kind]} == {state[n].shape for n in STATE_NAMES[kind]}


def test_a_state_of_pytorchs_layout_is_taken_over():
    """Arrays for tensors, the step a float array; settings of PyTorch's that are not here; momentum without a step."""
    run = Run(optim.Adam, {"lr": 0.1})
    run.step()
    saved = run.optimizer.state_dict()
    state = {n: {**{k: np.asarray(v) for k, v in e.items()}, "step": np.float32(1)} for n, e in saved["state"].items()}
    group = {**saved["param_groups"][0], "foreach": None, "fused": True, "capturable": True, "differentiable": False}
    copy = Run(optim.Adam, {}, [nn.Parameter(p.array.copy()) for p in run.params])
    copy.optimizer.load_state_dict({"state": state, "param_groups": [group]})
    assert (None, False) == tuple(copy.optimizer.param_groups[0][name] for name in ("fused", "capturable"))  # how, not what
    copy.rules, copy.expected, copy.count = run.rules, run.expected, 1
    copy.step()
    copy.check()

    p = nn.Parameter(np.zeros(2))
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5, dampening=0.5)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: {"momentum_buffer": mg.tensor([2.0, 4.0])}}})
    p.grad = mg.tensor(np.ones(2))
    optimizer.step()
    assert [-1.5, -2.5] == p.tolist()


@pytest.mark.parametrize("copier", [deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"])
@each
def test_a_copy_trains_the_copied_parameters(kind, settings, copier):
    run = Run(kind, settings)
    for step in range(3):
        run.step(skipped=(1,) if step == 0 else ())
    params, optimizer = copier((run.params, run.optimizer))
    copy = Run(kind, settings, params)
    copy.optimizer, copy.rules, copy.expected, copy.count = optimizer, deepcopy(run.rules), deepcopy(run.expected), run.count
    for _ in range(3):
        copy.step()
        copy.check()
    run.step()
    run.check()


def test_an_empty_state_resets_the_optimizer():
    run = Run(optim.Adam, {"lr": 0.1})
    fresh = run.optimizer.state_dict()
    run.step()
    run.optimizer.load_state_dict(fresh)
    run.rules = [AdamRule(lr=0.1) for _ in run.params]
    run.step()
    run.check()


def test_a_state_dict_that_does_not_fit_is_refused_before_anything_is_changed():
    run = Run(optim.Adam, {"lr": 0.1})
    run.step()
    before = run.optimizer.state_dict()
    other = Run(optim.Adam, {"lr": 0.7}, [nn.Parameter(np.ones(shape)) for shape in [*SHAPES[:4], (2, 2)]])
    other.step()
    with pytest.raises(StateDictError, match=r"exp_avg of parameter 4 must have shape \(1, 1\), got \(2, 2\)"):
        run.optimizer.load_state_dict(other.optimizer.state_dict())
    with pytest.raises(StateDictError, match=r"groups of \[1\] parameters do not fit groups of \[5\]"):
        run.optimizer.load_state_dict(optim.Adam([nn.Parameter(np.ones(1))]).state_dict())
    plain = Run(optim.SGD, {"lr": 0.1})
    plain.step()
    with pytest.raises(StateDictError, match=r"exp_avg of parameter 0 must have shape .*, got nothing"):
        run.optimizer.load_state_dict({**plain.optimizer.state_dict(), "param_groups": before["param_groups"]})
    with pytest.raises(ArgumentError, match="lr must be at least 0, got -1"):
        run.optimizer.load_state_dict({**before, "param_groups": [{**before["param_groups"][0], "lr": -1}]})
    after = run.optimizer.state_dict()
    assert before["param_groups"] == after["param_groups"]
    for n, values in before["state"].items():
        assert all(np.array_equal(value, after["state"][n][name]) for name, value in values.items())
    run.step()
    run.check()


# ---- the rest of the interface


def test_closure_records_and_its_loss_is_returned():
    p = nn.Parameter(np.array([3.0, -4.0]))
    optimizer = optim.SGD([p], lr=0.25)

    def closure() -> mg.Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mg.no_grad():
        assert 25.0 == optimizer.step(closure).item()
        assert not mg.is_grad_enabled()
    assert [1.5, -2.0] == p.tolist()
    assert 6.25 == optimizer.step(closure).item()
    assert optimizer.step() is None


def test_hooks_run_around_each_step():
    p = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([p], lr=1.0)
    seen: list[Any] = []
    before = optimizer.register_step_pre_hook(
        lambda o, args, kwargs: seen.append(("before", o is optimizer, args, kwargs, p.item()))
    )
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", o is optimizer, args, kwargs, p.item())))
    p.grad = mg.tensor(np.ones(1))
    optimizer.step()
    assert [("before", True, (optimizer,), {}, 0.0), ("after", True, (optimizer,), {}, -1.0)] == seen
    before.remove()
    optimizer.step()
    assert ["before", "after", "after"] == [name for name, *_ in seen]


def test_a_hook_may_change_the_arguments_of_a_step():
    optimizer = optim.SGD([one()], lr=1.0)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 5.0), kwargs))
    assert 5.0 == optimizer.step()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(ArgumentError, match=r"SGD.step: a hook must return None or \(args, kwargs\), got 3"):
        optimizer.step()


def test_edited_settings_are_checked_at_the_next_step():
    optimizer = optim.Adam([one()], lr=1.0)
    for name, value, message in (
        ("eps", -1, "eps must be at least 0, got -1"),
        ("betas", 0.9, "betas must be two numbers"),
        ("lr", "0.1", "lr must be a number, got '0.1'"),
        ("amsgrad", "no", "amsgrad must be True or False"),
    ):
        before = optimizer.param_groups[0][name]
        optimizer.param_groups[0][name] = value
        with pytest.raises(ArgumentError, match=f"Adam: {message}"):
            optimizer.step()
        optimizer.param_groups[0][name] = before
    optimizer.step()


def test_a_schedule_may_take_the_learning_rate_below_zero():
    p = one()
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.param_groups[0]["lr"] = -1e-17
    p.grad = mg.tensor(np.ones(2))
    optimizer.step()
    assert [1.0, 1.0] == p.tolist()


def test_notes_of_schedules_and_names_are_no_unknown_settings():
    optimizer = optim.SGD([{"params": [one()], "initial_lr": 0.5, "name": "head"}], lr=0.1)
    assert (0.1, 0.5, "head") == tuple(optimizer.param_groups[0][name] for name in ("lr", "initial_lr", "name"))


def test_named_parameters_will_do():
    model = nn.Linear(2, 3)
    assert list(model.parameters()) == optim.SGD(model.named_parameters(), lr=0.1).param_groups[0]["params"]
    assert list(model.parameters()) == optim.SGD([{"params": model.named_parameters()}]).param_groups[0]["params"]


def test_zero_grad_forgets_or_zeroes():
    params = [nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))]
    optimizer = optim.SGD([{"params": params[:1]}, {"params": params[1:]}])
    params[0].grad = mg.tensor([np.nan, np.inf])
    optimizer.zero_grad(set_to_none=False)
    assert [0.0, 0.0] == params[0].grad.tolist()
    assert params[1].grad is None
    params[1].grad = mg.tensor(np.ones(3))
    optimizer.zero_grad()
    assert params[0].grad is None
    assert params[1].grad is None


def test_add_param_group():
    values = start_values()
    params = [nn.Parameter(value.copy()) for value in values]
    optimizer = optim.SGD(params[:2], lr=0.1, momentum=0.5)
    rules = [
        SGDRule(lr=0.1, momentum=0.5),
        SGDRule(lr=0.1, momentum=0.5),
        SGDRule(lr=0.01, momentum=0.5),
        SGDRule(lr=0.1),
        SGDRule(lr=0.1),
    ]
    expected = list(values)

    def step(count: int, upto: int) -> None:
        for i, p in enumerate(params):
            p.grad = mg.tensor(gradient(count, i, p.shape))
            if i < upto:
                expected[i] = rules[i].step(expected[i], gradient(count, i, p.shape))
        optimizer.step()

    step(0, 2)
    optimizer.add_param_group({"params": params[2], "lr": 0.01})
    step(1, 3)
    optimizer.add_param_group({"params": (p for p in params[3:]), "momentum": 0})
    step(2, 5)
    for p, value in zip(params, expected, strict=True):
        np.testing.assert_allclose(p.array, value, rtol=1e-13)
    assert [2, 1, 2] == [len(group["params"]) for group in optimizer.param_groups]
    assert [[0, 1], [2], [3, 4]] == [group["params"] for group in optimizer.state_dict()["param_groups"]]


def test_params_may_be_any_iterable():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    assert list(model.parameters()) == optim.Adam(model.parameters()).param_groups[0]["params"]
    assert 1 == len(optim.SGD(model[0].parameters(recurse=False)).param_groups)
    assert [2, 2] == [len(g["params"]) for g in optim.SGD({"params": layer.parameters()} for layer in model).param_groups]


def test_repr_says_what_is_optimized():
    p = nn.Parameter(mg.zeros(1000, 2))
    q = nn.Parameter(mg.zeros(()))
    optimizer = optim.SGD([{"params": [p, q]}, {"params": nn.Parameter(mg.zeros(3)), "lr": 0.5}], lr=0.1, momentum=0.9)
    assert repr(optimizer) == (
        "SGD(\n"
        "  group 0: 2 tensors, 2,001 parameters; lr=0.1, momentum=0.9, dampening=0, weight_decay=0, nesterov=False, maximize=False\n"
        "  group 1: 1 tensors, 3 parameters; lr=0.5, momentum=0.9, dampening=0, weight_decay=0, nesterov=False, maximize=False\n"
        ")"
    )


def one() -> nn.Parameter:
    return nn.Parameter(np.ones(2))


def twice() -> Iterator[nn.Parameter]:
    p = one()
    return iter([p, p])


REFUSED: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no parameters", lambda: optim.Adam([]), ArgumentError, "Adam: the parameter list is empty"),
    ("an empty generator", lambda: optim.SGD(p for p in []), ArgumentError, "SGD: the parameter list is empty"),
    ("a group without parameters", lambda: optim.SGD([{"params": []}]), ArgumentError, "SGD: the parameter list is empty"),
    ("a Tensor", lambda: optim.AdamW(one()), InputTypeError, r"AdamW: params must be an iterable of Tensors, got a Tensor"),
    ("arrays", lambda: optim.SGD([np.ones(2)]), InputTypeError, r"SGD: params\[0\] must be a Tensor, got ndarray"),
    ("names", lambda: optim.SGD(["weight"]), InputTypeError, r"SGD: params\[0\] must be a Tensor, got str"),
    ("no leaf", lambda: optim.SGD([one(), one() * 2]), ArgumentError, r"params\[1\] must be a leaf of floating-point dtype"),
    ("integers", lambda: optim.SGD([mg.tensor([1, 2])]), ArgumentError, r"params\[0\] must be a leaf of floating-point dtype"),
    ("one parameter twice", lambda: optim.SGD(twice()), ArgumentError, r"params\[1\] is given twice"),
    ("negative lr", lambda: optim.SGD([one()], lr=-0.1), ArgumentError, "SGD: lr must be at least 0, got -0.1"),
    ("negative lr in a group", lambda: optim.Adam([{"params": [one()], "lr": -1}]), ArgumentError, "Adam: lr must be at least 0"),
    ("lr NaN", lambda: optim.SGD([one()], lr=float("nan")), ArgumentError, "SGD: lr must be at least 0, got nan"),
    ("negative momentum", lambda: optim.SGD([one()], momentum=-1), ArgumentError, "momentum must be at least 0, got -1"),
    ("negative decay", lambda: optim.AdamW([one()], weight_decay=-1), ArgumentError, "weight_decay must be at least 0, got -1"),
    ("negative eps", lambda: optim.Adam([one()], eps=-1e-8), ArgumentError, "eps must be at least 0, got -1e-08"),
    ("beta 1", lambda: optim.Adam([one()], betas=(0.9, 1.0)), ArgumentError, r"two numbers in \[0, 1\), got \(0.9, 1.0\)"),
    ("negative beta", lambda: optim.Adam([one()], betas=(-0.1, 0.9)), ArgumentError, r"betas must be two numbers in \[0, 1\)"),
    ("one beta", lambda: optim.Adam([one()], betas=(0.9,)), ArgumentError, r"betas must be two numbers in \[0, 1\)"),
    ("a number for betas", lambda: optim.Adam([one()], betas=0.9), ArgumentError, r"betas must be two numbers in \[0, 1\)"),
    ("nesterov without momentum", lambda: optim.SGD([one()], nesterov=True), ArgumentError, "nesterov needs a momentum above 0"),
    ("alpha", lambda: optim.RMSprop([one()], alpha=-1), ArgumentError, "RMSprop: alpha must be at least 0, got -1"),
    ("momentum of RMSprop", lambda: optim.RMSprop([one()], momentum=-1), ArgumentError, "RMSprop: momentum must be at least 0"),
    (
        "centered",
        lambda: optim.RMSprop([one()], centered="yes"),
        ArgumentError,
        "RMSprop: centered must be True or False, got 'yes'",
    ),
    ("lr_decay", lambda: optim.Adagrad([one()], lr_decay=-1), ArgumentError, "Adagrad: lr_decay must be at least 0, got -1"),
    (
        "accumulator",
        lambda: optim.Adagrad([one()], initial_accumulator_value=-1),
        ArgumentError,
        "Adagrad: initial_accumulator_value must be at least 0, got -1",
    ),
    ("rho", lambda: optim.Adadelta([one()], rho=1.5), ArgumentError, r"Adadelta: rho must be in \[0, 1\], got 1.5"),
    ("negative rho", lambda: optim.Adadelta([one()], rho=-0.5), ArgumentError, "Adadelta: rho must be at least 0, got -0.5"),
    ("momentum_decay", lambda: optim.NAdam([one()], momentum_decay=-1), ArgumentError, "NAdam: momentum_decay must be at least 0"),
    (
        "betas of RAdam",
        lambda: optim.RAdam([one()], betas=(0.5, 1)),
        ArgumentError,
        r"RAdam: betas must be two numbers in \[0, 1\)",
    ),
    ("betas of Adamax", lambda: optim.Adamax([one()], betas=(1, 0.5)), ArgumentError, r"Adamax: betas must be two numbers"),
    (
        "etas",
        lambda: optim.Rprop([one()], etas=(1.1, 1.2)),
        ArgumentError,
        r"Rprop: etas must be two numbers, the first in \(0, 1\)",
    ),
    ("step_sizes", lambda: optim.Rprop([one()], step_sizes=0.1), ArgumentError, "Rprop: step_sizes must be two numbers, got 0.1"),
    ("dampening", lambda: optim.SGD([one()], dampening="a"), ArgumentError, "SGD: dampening must be a number, got 'a'"),
    ("maximize", lambda: optim.SGD([one()], maximize=None), ArgumentError, "SGD: maximize must be True or False, got None"),
    ("a set", lambda: optim.SGD([{"params": {one()}}]), InputTypeError, "SGD: params must be in an order"),
    (
        "nesterov with dampening",
        lambda: optim.SGD([one()], momentum=0.9, dampening=0.1, nesterov=True),
        ArgumentError,
        "no dampening, got momentum 0.9, dampening 0.1",
    ),
    (
        "an unknown setting",
        lambda: optim.SGD([{"params": [one()], "momentun": 0.9}]),
        ArgumentError,
        "SGD: unknown setting 'momentun'; did you mean 'momentum'?",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_refused_group_is_not_added():
    p = one()
    optimizer = optim.SGD([p], lr=0.1)
    for group in ({"params": [p]}, {"params": [one()], "lr": -1}, {"params": []}, {"params": [one()], "dampning": 1}):
        with pytest.raises(ArgumentError):
            optimizer.add_param_group(group)
    assert 1 == len(optimizer.param_groups)
    p.grad = mg.tensor(np.ones(2))
    optimizer.step()
    assert [0.9, 0.9] == p.tolist()


def test_an_optimizer_of_ones_own_in_pytorchs_way():
    """Its own step, and what it likes in the state."""

    class Heavy(optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.1):
            super().__init__(params, {"lr": lr, "momentum": 0.5})

        @mg.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if not state:
                        state["speed"], state["count"] = mg.zeros_like(p), 0
                    state["count"] += 1
                    state["speed"].mul_(group["momentum"]).add_(p.grad)
                    p.add_(-group["lr"] * state["speed"])

    p, resting = nn.Parameter(np.zeros(2)), nn.Parameter(np.ones(1))
    optimizer = Heavy([p, resting], lr=1.0)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    p.grad = mg.tensor(np.array([1.0, -2.0]))
    optimizer.step()
    schedule.step()
    saved = optimizer.state_dict()
    optimizer.step()
    assert [-1.75, 3.5] == p.tolist()
    q = nn.Parameter(np.array([-1.0, 2.0]))
    copy = Heavy([q, nn.Parameter(np.ones(1))])
    copy.load_state_dict(saved)
    q.grad = p.grad
    copy.step()
    assert p.tolist() == q.tolist()
    assert (2, [1.5, -3.0]) == (copy.state[q]["count"], copy.state[q]["speed"].tolist())
    assert [0] == list(saved["state"])
    assert 1 == saved["state"][0]["count"]


def test_hooks_see_a_step_of_ones_own_once():
    class Own(optim.SGD):
        def step(self, closure: Any = None, times: int = 1) -> str:
            for _ in range(times):
                super().step(closure)
            return "own"

    class Below(Own):
        def step(self, *args: Any, **kwargs: Any) -> str:
            """Its docstring."""
            return super().step(*args, **kwargs) + " below"

    p = unit()
    optimizer = Below([p], lr=0.25)
    seen = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"times": 2}))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append((args == (o,), kwargs, p.item())))
    p.grad = mg.ones_like(p)
    assert "own below" == optimizer.step()
    assert [(True, {"times": 2}, 0.5)] == seen
    before.remove()
    optimizer.step()
    assert [(True, {}, 0.25)] == seen[1:]
    assert "Its docstring." == Below.step.__doc__


def test_the_state_is_one_object_until_parameters_are_added():
    p, q = unit(), unit()
    optimizer = optim.Adam([p])
    state = optimizer.state
    stepped(optimizer, p)
    assert state is optimizer.state
    assert 1 == state[p]["step"]
    optimizer.add_param_group({"params": [q]})
    stepped(optimizer, p, q)
    assert (2, 1) == (optimizer.state[p]["step"], optimizer.state[q]["step"])
    optimizer.param_groups[1]["params"] = [p]
    optimizer.param_groups[0]["params"] = [q]
    stepped(optimizer, p, q)
    assert (3, 2) == (optimizer.state[p]["step"], optimizer.state[q]["step"])
    copy = deepcopy(optimizer)
    (other, _) = (p for group in copy.param_groups for p in group["params"])
    copy.state[other]["step"] = 7
    assert (7, 2) == (copy.state[other]["step"], optimizer.state[q]["step"])


@pytest.mark.parametrize("size", [3, 1 << 18])
@pytest.mark.parametrize("shape", [(1,), (), (2, 2)])
def test_a_parameter_of_another_shape_than_it_had_is_refused(shape, size):
    p, q = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(size))
    for params, name in (([p, q], r"params\[1\]"), ([("first", p), ("second", q)], "second")):
        q.data = np.ones(size)
        optimizer = optim.SGD(params, lr=0.1)
        q.data = np.ones(shape)
        p.grad, q.grad = mg.ones_like(p), mg.ones_like(q)
        before = p.tolist()
        with pytest.raises(ShapeError, match=rf"^SGD\.step: {name} had shape \({size},\) when .* has {re.escape(str(shape))} now"):
            optimizer.step()
        assert before == p.tolist()


def test_an_optimizer_of_ones_own():
    class SignDescent(optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.1):
            super().__init__(params, {"lr": lr})

        def state_names(self, group):
            return ("count",)

        def update(self, group, step, p, g, state):
            state["count"] += step
            p -= group["lr"] * np.sign(g)

    p = nn.Parameter(np.zeros(3))
    optimizer = SignDescent([p], lr=0.5)
    for _ in range(2):
        p.grad = mg.tensor([2.0, 0.0, -3.0], dtype=np.float64)
        optimizer.step()
    assert [-1.0, 0.0, 1.0] == p.tolist()
    assert [3.0, 3.0, 3.0] == optimizer.state[p]["count"].tolist()


# ---- groups edited by hand


def unit() -> nn.Parameter:
    return nn.Parameter(np.ones(()))


def stepped(optimizer, *params):
    for p in params:
        p.grad = mg.ones_like(p)
    optimizer.step()
    return [p.item() for p in params]


def test_a_key_of_ones_own_stays_in_the_group():
    optimizer = optim.Adam([{"params": [unit()], "layer": "head"}])
    assert "head" == optimizer.param_groups[0]["layer"] == optimizer.state_dict()["param_groups"][0]["layer"]


def test_a_parameter_added_to_a_group_is_trained_and_the_others_keep_their_state():
    p, q = unit(), unit()
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    stepped(optimizer, p)
    optimizer.param_groups[0]["params"].append(q)
    before = p.item(), q.item()
    after = stepped(optimizer, p, q)
    np.testing.assert_allclose([before[0] - 0.1 * 1.9, before[1] - 0.1], after, rtol=1e-6)


def test_a_parameter_in_the_place_of_another_is_trained_and_the_other_no_more():
    p, q = unit(), unit()
    optimizer = optim.Adam([p], lr=0.1)
    stepped(optimizer, p)
    optimizer.param_groups[0]["params"] = [q]
    before = p.item(), q.item()
    after = stepped(optimizer, p, q)
    assert before[0] == after[0]
    np.testing.assert_allclose(before[1] - 0.1, after[1], rtol=1e-5)


def test_groups_taken_away_and_put_back():
    p, q = unit(), unit()
    optimizer = optim.SGD([{"params": [p]}, {"params": [q], "lr": 1.0}], lr=0.1)
    group = optimizer.param_groups.pop()
    before = p.item(), q.item()
    after = stepped(optimizer, p, q)
    np.testing.assert_allclose([before[0] - 0.1, before[1]], after, rtol=1e-6)
    optimizer.param_groups.append(group)
    np.testing.assert_allclose([after[0] - 0.1, after[1] - 1.0], stepped(optimizer, p, q), rtol=1e-6)


def test_what_is_no_parameter_put_into_a_group_is_refused():
    optimizer = optim.SGD([unit()], lr=0.1)
    optimizer.param_groups[0]["params"].append(3)
    with pytest.raises(TypeError, match=r"SGD: params\[1\] must be a Tensor, got int"):
        optimizer.step()
    assert 2 == len(optimizer.param_groups[0]["params"])

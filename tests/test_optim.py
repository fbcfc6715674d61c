"""Optimizers against their published rules in plain NumPy, and what may happen to parameters between two steps."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from optim_rules import CASES, RULES, SHAPES, TOLERANCE, Run, SGDRule, each, gradient, start_values

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, DtypeError, GraphError

# ---- trajectories


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "settings"), CASES, ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in CASES])
def test_thirty_steps_follow_the_published_rule(kind, settings, dtype):
    run = Run(kind, settings, dtype=dtype)
    before = [p.array.copy() for p in run.params]
    for _ in range(30):
        run.step()
        run.check()
    assert all(p.dtype == dtype for p in run.params)
    assert all((p.array != old).all() for p, old in zip(run.params, before, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_groups_have_their_own_settings_and_a_changed_learning_rate_counts_from_the_next_step(dtype):
    values = start_values(dtype)
    params = [nn.Parameter(value.copy()) for value in values]
    groups = [{"params": params[:2]}, {"params": params[2:4], "lr": 0.01, "momentum": 0.0}, {"params": params[4], "nesterov": True}]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)
    rules = [
        SGDRule(lr=0.1, momentum=0.9),
        SGDRule(lr=0.1, momentum=0.9),
        SGDRule(lr=0.01),
        SGDRule(lr=0.01),
        SGDRule(lr=0.1, momentum=0.9, nesterov=True),
    ]
    expected = [value.astype(np.float64) for value in values]
    for step in range(30):
        if step in (10, 20):
            for group in optimizer.param_groups:
                group["lr"] *= 0.3
            for rule in rules:
                rule.lr *= 0.3
        for i, p in enumerate(params):
            g = gradient(step, i, p.shape).astype(dtype)
            p.grad = mg.tensor(g)
            expected[i] = rules[i].step(expected[i], g.astype(np.float64))
        optimizer.step()
        for p, value in zip(params, expected, strict=True):
            np.testing.assert_allclose(p.array, value, **TOLERANCE[dtype])
    assert [0.1 * 0.3**2, 0.01 * 0.3**2, 0.1 * 0.3**2] == pytest.approx([group["lr"] for group in optimizer.param_groups])


@pytest.mark.parametrize(("kind", "settings"), CASES[3:], ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in CASES[3:]])
def test_a_parameter_without_gradient_rests_with_its_state(kind, settings):
    run = Run(kind, settings)
    skips: dict[int, tuple[int, ...]] = {0: (1, 3), 4: (0,), 5: (0, 1, 2, 3, 4), 9: (2,), 10: (2,)}
    for step in range(20):
        skipped = skips.get(step, ())
        before = {i: run.params[i].array.copy() for i in skipped}
        state = {i: run.optimizer.state.get(run.params[i]) for i in skipped}
        copied = {i: {k: np.array(v) for k, v in values.items()} for i, values in state.items() if values}
        run.step(skipped)
        run.check()
        for i in skipped:
            assert np.array_equal(before[i], run.params[i].array)
        for i, values in copied.items():
            now = run.optimizer.state[run.params[i]]
            assert all(np.array_equal(value, now[name]) for name, value in values.items())
    assert [18, 18, 17, 18, 19] == [run.optimizer.state[p]["step"] for p in run.params]


def test_a_step_without_any_gradient_changes_nothing():
    run = Run(optim.AdamW, {"lr": 0.1, "weight_decay": 0.5})
    run.step(skipped=range(len(SHAPES)))
    run.check()
    assert {} == run.optimizer.state


@each
def test_momentum_or_decay_settings_may_change_between_steps(kind, settings):
    run = Run(kind, settings)
    for weight_decay in (0.1, 0.4, 0.0):
        run.optimizer.param_groups[0]["weight_decay"] = weight_decay
        for rule in run.rules:
            rule.weight_decay = weight_decay
        run.step()
    run.check()


def test_momentum_switched_on_and_off_between_steps():
    run = Run(optim.SGD, {"lr": 0.1, "dampening": 0.5})
    for momentum in (0.0, 0.0, 0.9, 0.9, 0.5, 0.0, 0.0, 0.7):
        run.optimizer.param_groups[0]["momentum"] = momentum
        for rule in run.rules:
            rule.momentum = momentum
        run.step()
        run.check()


def test_amsgrad_switched_on_between_steps_starts_from_the_present_average():
    run = Run(optim.Adam, {"lr": 0.1, "betas": (0.8, 0.7)})
    for amsgrad in (False, False, True, True, False, True):
        run.optimizer.param_groups[0]["amsgrad"] = amsgrad
        for rule in run.rules:
            rule.amsgrad = amsgrad
        run.step()
        run.check()


def test_the_product_of_nadam_is_a_number_of_the_default_dtype(monkeypatch):
    monkeypatch.setattr(RULES[optim.NAdam], "product_dtype", np.float64)
    before = mg.get_default_dtype()
    mg.set_default_dtype(np.float64)
    try:
        run = Run(optim.NAdam, {"lr": 0.1})
        for _ in range(10):
            run.step()
            run.check()
    finally:
        mg.set_default_dtype(before)
    assert np.float64 == run.optimizer.state[run.params[0]]["mu_product"].dtype


def test_nadam_follows_settings_that_change():
    run = Run(optim.NAdam, {"lr": 0.1})
    for step in range(8):
        settings = {"betas": (0.9 - 0.1 * (step // 3), 0.99), "momentum_decay": 0.01 * step}
        run.optimizer.param_groups[0].update(settings)
        for rule in run.rules:
            vars(rule).update(settings)
        run.step(skipped=(2,) if step == 4 else ())
        run.check()


def test_infinite_gradients_go_where_the_rule_goes():
    p = nn.Parameter(np.zeros(2))
    optimizer = optim.SGD([p], lr=0.5, momentum=0.9)
    p.grad = mg.tensor(np.array([np.inf, -np.inf]))
    optimizer.step()
    assert [-np.inf, np.inf] == p.tolist()


@pytest.mark.parametrize(("kind", "settings"), CASES[3:], ids=[f"{k.__name__}-{'-'.join(s)}" for k, s in CASES[3:]])
def test_large_parameters_take_the_same_steps_as_small_ones(kind, settings):
    """Beyond 2¹⁷ elements the gradients are not gathered."""
    size = (1 << 17) + 999
    whole = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    large = [nn.Parameter(whole.copy())]
    small = [nn.Parameter(part.copy()) for part in np.array_split(whole, 7)]
    runs = [(large, kind(large, **settings))]
    runs += [([part], kind([part], **settings)) for part in small]
    for step in range(4):
        g = gradient(step, 0, (size,)).astype(np.float32)
        large[0].grad = mg.tensor(g)
        for part, piece in zip(small, np.array_split(g, 7), strict=True):
            part.grad = mg.tensor(piece)
        for _, optimizer in runs:
            optimizer.step()
    assert np.array_equal(large[0].array, np.concatenate([part.array for part in small]))
    assert np.abs(large[0].array - whole).max() > 1e-3


# ---- whose memory is it


@each
def test_arrays_shared_with_numpy_are_updated_in_place(kind, settings):
    arrays = start_values()
    run = Run(kind, settings, [mg.from_numpy(array).requires_grad_() for array in arrays])
    for _ in range(5):
        run.step()
        run.check()
        assert all(array is p.array for array, p in zip(arrays, run.params, strict=True))


def test_a_file_mapped_into_memory_is_trained(tmp_path):
    np.ones(4).tofile(tmp_path / "weights")
    p = mg.from_numpy(np.memmap(tmp_path / "weights", np.float64, "r+")).requires_grad_()
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = mg.tensor(np.array([0.0, 1.0, 2.0, 3.0]))
    optimizer.step()
    del p, optimizer
    assert [1.0, 0.5, 0.0, -0.5] == np.fromfile(tmp_path / "weights").tolist()


@each
def test_aliases_taken_before_and_after_the_first_step_see_the_updates(kind, settings):
    params = [nn.Parameter(value) for value in start_values()]
    early = [p.detach() for p in params]
    run = Run(kind, settings, params)
    run.step()
    late = [p.detach() for p in params]
    flat = [p.detach().reshape(-1) for p in params]
    arrays = [p.detach().numpy() for p in params]
    run.step()
    run.check()
    for p, *others in zip(params, early, late, flat, arrays, strict=True):
        assert all(np.array_equal(p.array.ravel(), np.asarray(other).ravel()) for other in others)


@each
def test_non_contiguous_parameters(kind, settings):
    memory = np.random.default_rng(3).standard_normal((6, 8))
    views = [memory[:, :2].T, memory[::2, 2:5], memory[::-1, 5], memory[1, 6:7]]
    rest = memory[:, 7].copy()
    run = Run(kind, settings, [mg.from_numpy(view).requires_grad_() for view in views])
    for _ in range(5):
        run.step()
    run.check()
    assert all(np.array_equal(view, expected) for view, expected in zip(views, [p.array for p in run.params], strict=True))
    assert np.array_equal(rest, memory[:, 7])
    fortran = nn.Parameter(np.asfortranarray(np.ones((2, 3))))
    other = Run(kind, settings, [fortran])
    other.step()
    other.check()


@each
def test_values_replaced_between_steps(kind, settings):
    run = Run(kind, settings)
    held = []
    for _ in range(6):
        run.step()
        i = run.count % len(SHAPES)
        new = np.asarray(np.random.default_rng(run.count).standard_normal(SHAPES[i]))
        run.expected[i] = new.copy()
        if run.count % 2:
            run.params[i].data = mg.tensor(new)
        else:
            held.append((run.params[i], new))
            run.params[i].data = mg.from_numpy(new)
    run.step()
    run.check()
    assert all(np.array_equal(new, p.array) for p, new in held if p.array is new)
    assert any(p.array is new for p, new in held)


@each
def test_data_of_another_parameter_stays_shared(kind, settings):
    run = Run(kind, settings)
    alias = nn.Parameter(np.zeros(4))
    run.step()
    alias.data = run.params[1].detach()
    second = kind([alias], **settings)
    run.step()
    assert np.array_equal(alias.array, run.params[1].array)
    alias.grad = mg.tensor(np.ones(4))
    second.step()
    assert np.array_equal(alias.array, run.params[1].array)


@each
def test_a_module_loaded_between_steps_is_trained_on(kind, settings):
    model = nn.Linear(4, 3).double()
    run = Run(kind, settings, list(model.parameters()))
    run.step()
    loaded = {"weight": np.full((3, 4), 0.5), "bias": mg.tensor([1.0, 2.0, 3.0])}
    model.load_state_dict(loaded)
    run.expected = [np.full((3, 4), 0.5), np.array([1.0, 2.0, 3.0])]
    run.step()
    run.check()
    assert np.array_equal(np.full((3, 4), 0.5), loaded["weight"])


@each
def test_two_optimizers_over_the_same_parameters(kind, settings):
    run = Run(kind, settings)
    other = kind(run.params, **settings)
    rules = {id(run.optimizer): run.rules, id(other): [RULES[kind](**settings) for _ in run.params]}
    for step in range(8):
        optimizer = (run.optimizer, other)[step % 3 == 1]
        run.rules = rules[id(optimizer)]
        run.step(optimizer=optimizer)
        run.check()


@each
def test_an_optimizer_made_anew_starts_from_the_present_values(kind, settings):
    run = Run(kind, settings)
    for _ in range(3):
        for _ in range(3):
            run.step()
        rows = [p.detach().reshape(-1)[:2] for p in run.params]
        run.optimizer = None
        gc.collect()
        run.optimizer = kind(run.params, **settings)
        run.rules = [RULES[kind](**settings) for _ in run.params]
        run.step()
        run.check()
        for row, p in zip(rows, run.params, strict=True):
            assert np.array_equal(p.array.ravel()[:2], row.array)


@each
def test_dtypes_may_be_mixed_and_stay(kind, settings):
    dtypes = ["float64", "float32", "float32", "float64", "float32"]
    params = [nn.Parameter(value.astype(dtype)) for value, dtype in zip(start_values(), dtypes, strict=True)]
    run = Run(kind, settings, params)
    for step in range(10):
        run.step(skipped=(1,) if step == 4 else ())
        run.check()
    assert dtypes == [p.dtype.name for p in params]
    copies = [nn.Parameter(p.array.copy()) for p in params]
    copy = kind(copies, **settings)
    copy.load_state_dict(run.optimizer.state_dict())
    name = "exp_avg" if kind in (optim.AdamW, optim.NAdam) else "momentum_buffer"
    assert dtypes == [copy.state[p][name].dtype.name for p in copies]
    assert [10, 9, 10, 10, 10] == [copy.state[p]["step"] for p in copies]


@each
def test_gradients_of_another_dtype_do_not_change_the_parameter(kind, settings):
    for dtype, other in (("float32", "float64"), ("float64", "float32"), ("float16", "float32")):
        for alone in (True, False):
            p, resting = nn.Parameter(np.ones((2, 2), dtype)), nn.Parameter(np.ones(2, dtype))
            optimizer = kind([p] if alone else [p, resting], **settings)
            rule, expected = RULES[kind](**settings), np.ones((2, 2))
            for _ in range(3):
                p.grad = mg.tensor(np.full((2, 2), 0.25, other))
                expected = rule.step(expected, np.full((2, 2), 0.25))
                optimizer.step()
            assert dtype == p.dtype
            np.testing.assert_allclose(p.array, expected, rtol=5e-3 if dtype == "float16" else 1e-6)


@each
def test_a_model_converted_after_the_optimizer_was_made_keeps_its_new_dtype(kind, settings):
    model = nn.Linear(4, 3)
    run = Run(kind, settings, list(model.parameters()))
    run.step()
    model.double()
    run.expected = [p.array.copy() for p in run.params]
    for _ in range(4):
        run.step()
    assert ["float64", "float64"] == [p.dtype.name for p in run.params]
    for p, expected in zip(run.params, run.expected, strict=True):
        np.testing.assert_allclose(p.array, expected, rtol=1e-5)  # the state carries one step in float32
    run.params[0].array = run.params[0].array.astype(np.float32)
    with pytest.raises(DtypeError, match="all float64 are now float32, float64"):
        run.step()


def test_a_read_only_array_is_refused():
    frozen = np.frombuffer(np.ones(3).tobytes())
    p = mg.from_numpy(frozen).requires_grad_()
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = mg.tensor(np.ones(3))
    with pytest.raises(ArgumentError, match="read-only"):
        optimizer.step()
    assert np.array_equal(np.ones(3), frozen)


def test_a_step_between_forward_and_backward_is_noticed():
    weight = nn.Parameter(mg.ones(2, 2))
    optimizer = optim.SGD([weight], lr=0.1)
    loss = (mg.ones(1, 2, requires_grad=True) @ weight).sum()
    weight.grad = mg.ones(2, 2)
    optimizer.step()
    with pytest.raises(GraphError, match=r"matmul needs .* but it was changed in place"):
        loss.backward()


# ---- real data


@pytest.mark.parametrize(
    ("make", "accuracy"),
    [
        (lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3), 0.97),
        (lambda params: optim.Adam(params, lr=0.01), 0.96),
        (lambda params: optim.AdamW(params, lr=0.01, weight_decay=0.05), 0.96),
        (lambda params: optim.NAdam(params, lr=0.01), 0.96),
        (lambda params: optim.RAdam(params, lr=0.02), 0.96),
        (lambda params: optim.Adamax(params, lr=0.02), 0.96),
        (lambda params: optim.Adagrad(params, lr=0.05), 0.96),
        (lambda params: optim.RMSprop(params, lr=0.005), 0.96),
        (lambda params: optim.Adadelta(params, lr=5.0), 0.96),
        (lambda params: optim.Rprop(params, lr=0.01), 0.94),
    ],
    ids=["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop", "Adadelta", "Rprop"],
)
def test_breast_cancer_is_learned(make, accuracy):
    from sklearn.datasets import load_breast_cancer

    data, classes = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(data))
    train, test = order[:400], order[400:]
    data = ((data - data[train].mean(0)) / data[train].std(0)).astype(np.float32)
    x, y, x_test = mg.tensor(data[train]), mg.tensor(classes[train]), mg.tensor(data[test])
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = make(model.parameters())
    first = None
    for _ in range(100):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first = first or loss.item()
    with mg.no_grad():
        predicted = model(x_test).argmax(1).numpy()
    assert loss.item() < 0.1 < first
    assert accuracy <= (predicted == classes[test]).mean()
    assert all(p.dtype == np.float32 for p in model.parameters())

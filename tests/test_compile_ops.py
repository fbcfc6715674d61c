"""Compiled functions: every operation replayed gives what it gives without, bit for bit, or is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from cases import CASES
from op_cases import OpCase, Sample, cotangent, outputs, tensors, tracked

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.compiler.compiled import Compiled
from minigrad.errors import ArgumentError, CompileError, DomainError, IndexRangeError, InputTypeError
from minigrad.nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters
from minigrad.optim.swa_utils import AveragedModel, get_ema_avg_fn

CALLS = 5
"""The first runs as it is, the second is recorded, the others are replays."""

REFUSED = {
    # what answers with a Python value
    "allclose": "allclose at .* looks at the values",
    "equal": "equal at .* looks at the values",
    "prod[array]": "numpy at .* looks at the values",
    # what has as many elements as the values say
    "bincount[vector]": "bincount at .* looks at the values",
    "getitem": r"x\[mask\] at .* looks at the values",
    "masked_scatter": "masked_scatter at .* looks at the values",
    "Tensor.masked_scatter_": "masked_scatter at .* looks at the values",
    "masked_select": "masked_select at .* looks at the values",
    "nonzero": "nonzero at .* looks at the values",
    "nonzero[as_tuple]": "nonzero at .* looks at the values",
    "one_hot": "one_hot without num_classes at .* looks at the values",
    "repeat_interleave[counts]": "repeat_interleave by a tensor of counts at .* looks at the values",
    "unique": "unique at .* looks at the values",
    "unique[dim]": "unique at .* looks at the values",
    "where[condition]": "nonzero at .* looks at the values",
    # arrays of NumPy
    **dict.fromkeys(
        (*(f"operator array {sign}" for sign in ("+", "-", "*", "/", "**")), "operator ** array", "array @"),
        "made of other data at .*: hand the data in as an argument",
    ),
}
"""The cases of which some sample is refused, with the words."""


def same(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def check_equal(plain: Any, compiled: Any, what: str) -> None:
    """Results of both ways: Tensors, None and plain values, nested."""
    if isinstance(plain, mg.Tensor):
        assert same(plain.detach().numpy(), compiled.detach().numpy()), f"{what}: {plain} is not {compiled}"
    elif isinstance(plain, (tuple, list)):
        assert len(plain) == len(compiled), what
        for a, b in zip(plain, compiled, strict=True):
            check_equal(a, b, what)
    else:
        assert plain == compiled, what


def check_sample(case: OpCase, sample: Sample) -> None:
    count = len(sample.draws)

    def step(*args: Any) -> list[mg.Tensor]:
        results = outputs(case.function(*args[:count], **sample.settings))
        live = [y for y in results if y.requires_grad]
        if live:
            mg.autograd.backward(live, list(args[count:]))
        return [y.detach() for y in results]

    compiled = Compiled(step)
    for seed in range(CALLS):
        drawn = sample.arguments(np.float32, seed)
        copies = [x.copy() if isinstance(x, np.ndarray) else x for x in drawn]
        mg.manual_seed(seed)
        probe = outputs(case.function(*tensors(copies, case.fixed), **sample.settings))
        seeds = [mg.from_numpy(cotangent(y, seed)) for y in probe if y.requires_grad]
        runs = []
        for function in (step, compiled):
            inputs = tensors([x.copy() if isinstance(x, np.ndarray) else x for x in drawn], case.fixed)
            mg.manual_seed(seed)
            runs.append((function(*inputs, *seeds), [x.grad for x in tracked(inputs)]))
        check_equal(*runs, f"{case.name}, {sample}, call {seed}")


def refusal(case: OpCase, sample: Sample) -> str | None:
    try:
        check_sample(case, sample)
    except CompileError as error:
        return str(error)
    return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_replays_give_what_the_function_gives(case: OpCase) -> None:
    said = [words for words in (refusal(case, sample) for sample in case.samples) if words is not None]
    expected = REFUSED.get(case.name)
    if expected is None:
        assert not said
    else:
        assert said
        assert all(re.search(expected, words) for words in said), said


# ---- what has no case in the table


def normals(*shape: int) -> Callable[[np.random.Generator], mg.Tensor]:
    return lambda rng: mg.from_numpy(rng.standard_normal(shape).astype(np.float32))


def numbers(high: int, *shape: int) -> Callable[[np.random.Generator], mg.Tensor]:
    return lambda rng: mg.from_numpy(rng.integers(0, high, shape))


Build = Callable[[], tuple[Callable[..., Any], Sequence[mg.Tensor]]]


def check(build: Build, *draws: Callable[[np.random.Generator], mg.Tensor]) -> None:
    """Two functions, each built with state of its own, one of them compiled: results, arguments and state stay equal."""
    mg.manual_seed(0)
    plain, plain_state = build()
    mg.manual_seed(0)
    function, state = build()
    compiled = Compiled(function)
    for call in range(CALLS):
        runs = []
        for run, held in ((plain, plain_state), (compiled, state)):
            rng = np.random.default_rng(call)
            args = [draw(rng) for draw in draws]
            mg.manual_seed(call)
            result = run(*args)
            runs.append([result, args, list(held), [x.grad for x in held if x.requires_grad], mg.rand(1)])
        check_equal(*runs, f"call {call}")
    assert compiled._replays, "nothing was recorded"
    assert len(compiled._replays) == 1, "recorded more than once"


def check_pure(function: Callable[..., Any], *draws: Callable[[np.random.Generator], mg.Tensor]) -> None:
    check(lambda: (function, ()), *draws)


def check_refused(function: Callable[..., Any], words: str, *args: Any) -> None:
    compiled = Compiled(function)
    compiled(*args)
    with pytest.raises(CompileError, match=words):
        compiled(*args)


def a_leaf(*shape: int) -> mg.Tensor:
    return mg.randn(*shape, requires_grad=True)


# values put into storage


WRITES: dict[str, Callable[[mg.Tensor, mg.Tensor], Any]] = {
    "number at an index": lambda x, v: x.__setitem__(0, 2.0),
    "list at a slice": lambda x, v: x.__setitem__(slice(0, 1), [[1, 2, 3, 4]]),
    "all": lambda x, v: x.__setitem__(..., v),
    "other dtype": lambda x, v: x.__setitem__(..., v.double()),
    "index tensor": lambda x, v: x.__setitem__((v[0] > 0).long(), 3.0),
    "pairs of index tensors": lambda x, v: x.__setitem__(((v[0] > 0).long(), (v[1] > 0).long()), v[2]),
    "list of places": lambda x, v: x.__setitem__([0, 2], v[:2]),
    "mask": lambda x, v: x.__setitem__(v > 0, -1.0),
    "add_": lambda x, v: x.add_(v, alpha=0.5),
    "mul_ by a number": lambda x, v: x.mul_(0.5),
    "copy_": lambda x, v: x.copy_(v[0]),
    "copy_ of numbers": lambda x, v: x.copy_(mg.tensor([1.0, 2.0, 3.0, 4.0])),
    "fill_": lambda x, v: x.fill_(7),
    "fill_ by a tensor": lambda x, v: x.fill_(v.sum()),
    "zero_": lambda x, v: x.zero_(),
    "eq_": lambda x, v: x.gt_(v),
    "a view": lambda x, v: x[1:].add_(v[1:]),
    "two views": lambda x, v: (x[1:].add_(v[1:]), x.T.mul_(2.0)),
    "itself, moved": lambda x, v: x[1:].copy_(x[:-1]),
    "data": lambda x, v: x.data.sub_(v),
    "detach": lambda x, v: x.detach().sub_(v),
    "relu": lambda x, v: F.relu(x, inplace=True),
    "uniform_": lambda x, v: x.uniform_(-1, 2),
    "normal_": lambda x, v: x.normal_(1, 3),
    "bernoulli_": lambda x, v: x.bernoulli_(0.25),
    "bernoulli_ by a tensor": lambda x, v: x.bernoulli_(v.sigmoid()),
    "init": lambda x, v: nn.init.xavier_uniform_(x),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_writes_into_storage(write: Callable[[mg.Tensor, mg.Tensor], Any]) -> None:
    """Into a leaf from outside, an argument, and a tensor made on the way, each read before and after."""

    def build() -> Any:
        w = a_leaf(3, 4)

        def step(x: mg.Tensor, v: mg.Tensor) -> Any:
            with mg.no_grad():
                y = (w * x).exp()
                made, before = w * x + v, (x * 2, w * 2, y * 2)
                write(w, v)
                write(x, v)
                write(made, v)
                return before, w * 2, x * 2, made * 2, (w * x).exp(), y

        return step, [w]

    check(build, normals(3, 4), normals(3, 4))


@pytest.mark.parametrize("name", [name for name in WRITES if name not in ("data", "detach", "init", "eq_")])
def test_writes_in_the_graph(name: str) -> None:
    """Recorded writes: gradients go through what was written."""

    def build() -> Any:
        w = a_leaf(3, 4)

        def step(x: mg.Tensor, v: mg.Tensor) -> Any:
            h = w * x
            WRITES[name](h, v * w)
            loss = (h * x).sum() + (w * w).sum()
            w.grad = None
            loss.backward()
            return loss, h

        return step, [w]

    check(build, normals(3, 4), normals(3, 4))


def test_a_view_sees_what_is_written_into_the_whole() -> None:
    def build() -> Any:
        w = mg.zeros(4, 3)
        part = w[1:3]

        def step(x: mg.Tensor) -> Any:
            before = part * 2
            w.add_(x)
            return before, part * 2

        return step, [w, part]

    check(build, normals(4, 3))


def test_a_constant_that_is_written_is_made_anew() -> None:
    def step(x: mg.Tensor) -> Any:
        total = mg.zeros(3)
        first = total + 1
        for row in x:
            total += row
        total[0] = 9
        return total, first

    check_pure(step, normals(4, 3))


def test_assigning_to_data() -> None:
    def on_the_way(x: mg.Tensor) -> mg.Tensor:
        y = x * 2
        y.data = x + 1
        return y * 3

    check_pure(on_the_way, normals(3))
    w = a_leaf(3)

    def replaced(x: mg.Tensor) -> mg.Tensor:
        w.data = w.data - x
        return w * 2

    check_refused(replaced, "was there before the call is given another array", mg.ones(3))

    def built() -> Any:
        p = a_leaf(3)

        def step(x: mg.Tensor) -> mg.Tensor:
            p.data -= x
            return p * 2

        return step, [p]

    check(built, normals(3))


def test_changes_of_arguments_other_than_in_their_values_are_refused() -> None:
    w = a_leaf(3, 3)
    for change, words in (
        (lambda x: x.t_() * 2, "given another shape"),
        (lambda x: x.mul_(w) * 2, "made another one by a recorded write"),
        (lambda x: (x.requires_grad_() * 2).detach(), "asked to require grad"),
    ):
        compiled = Compiled(change)
        compiled(mg.ones(3, 3))
        with pytest.raises(CompileError, match=words):
            compiled(mg.ones(3, 3))


# constants and data


def test_constants_are_taken_as_they_are() -> None:
    def step(x: mg.Tensor) -> Any:
        made = [
            mg.zeros(3),
            mg.ones(2, 3),
            mg.full((3,), 2.5),
            mg.arange(3),
            mg.linspace(0, 1, 3),
            mg.logspace(0, 1, 3),
            mg.eye(3),
            mg.tensor([1.0, 2.0, 3.0]),
            mg.tensor(2.0),
            mg.as_tensor([1, 2, 3]),
            x.new_zeros(3),
            x.new_tensor([1, 2, 3]),
            x.new_full((3,), 4),
            mg.zeros_like(x),
            mg.ones_like(x),
            mg.full_like(x, 0.5),
        ]
        places = mg.tril_indices(3, 3), mg.triu_indices(3, 3)
        return [x * c for c in made], [x[0] * p for p in places], made[0]

    check_pure(step, normals(3))


def test_data_of_tensors_is_not_frozen() -> None:
    x = mg.ones(3)
    check_refused(lambda x: x * mg.tensor(x), "tensor at .* looks at the values", x)
    check_refused(lambda x: x * mg.tensor([x[0], x[1], x[2]]), "tensor at .* looks at the values", x)
    check_refused(lambda x: x * mg.full((3,), x[0]), "full at .* looks at the values", x)
    check_refused(lambda x: x * mg.full_like(x, x[0]), "full at .* looks at the values", x)
    check_refused(lambda x: mg.arange(x[0]), "arange at .* looks at the values", x)
    check_refused(lambda x: x.__setitem__(slice(0, 2), [x[0], x[1]]), "constant at .* looks at the values", x)
    check_pure(lambda x: x * mg.as_tensor(x) * mg.as_tensor(x, np.float64), normals(3))


def test_arrays_are_not_frozen() -> None:
    x, array = mg.ones(3), np.ones(3, np.float32)
    words = "hand (the data|it) in as"
    check_refused(lambda x: x * mg.tensor(array), words, x)
    check_refused(lambda x: x * mg.from_numpy(array), words, x)
    check_refused(lambda x: x * mg.Tensor(array), words, x)
    check_refused(lambda x: x * mg.as_tensor(array), words, x)
    check_refused(lambda x: x * mg.tensor([array, array]).sum(0), words, x)
    check_refused(lambda x: x + array, words, x)
    check_refused(lambda x: x[np.array([0, 2])], words, x)
    check_refused(lambda x: x[np.array([True, False, True])], words, x)
    check_refused(lambda x: x.__setitem__(np.array([0, 2]), 1.0), words, x)
    check_refused(lambda x: x.__setitem__(..., array), words, x)
    check_refused(lambda x: x.copy_(array), words, x)
    check_refused(lambda x: mg.searchsorted(x, array), words, x)
    w = a_leaf(3)
    check_refused(lambda x: (w * x).backward(mg.tensor(array)), words, x)


def test_python_is_not_told_values() -> None:
    x = mg.ones(3)
    for name, look in {
        "item": lambda x: x[0].item(),
        "bool": lambda x: bool(x[0] > 0),
        "tolist": lambda x: x.tolist(),
        "numpy": lambda x: x.numpy(),
        "in": lambda x: 1.0 in x,
    }.items():
        check_refused(look, f"{name} at .* looks at the values", x)


# random draws


DRAWS: dict[str, Callable[[mg.Tensor], Any]] = {
    "rand": lambda x: mg.rand(3, 4),
    "randn": lambda x: mg.randn(3, 4, dtype=np.float64),
    "randint": lambda x: mg.randint(0, 9, (3,)),
    "randperm": lambda x: x[mg.randperm(3)],
    "rand_like": lambda x: mg.rand_like(x),
    "randn_like": lambda x: mg.randn_like(x),
    "randint_like": lambda x: mg.randint_like(x, 5),
    "normal": lambda x: mg.normal(0.0, 1.0, (3,)),
    "normal of tensors": lambda x: mg.normal(x, x.exp()),
    "bernoulli": lambda x: mg.bernoulli(x.sigmoid()),
    "multinomial": lambda x: mg.multinomial(x.exp(), 2),
    "one after the other": lambda x: mg.rand(3) * x[:, 0] + mg.randn(3) * x.exp()[:, 0] + mg.rand(3),
    "not used": lambda x: (mg.rand(3), x * 2)[1],
    "noise": lambda x: F.dropout(x, 0.3) + F.alpha_dropout(x, 0.3, True) + F.dropout(x.exp(), 0.3),
    "seeded anew": lambda x: (mg.rand(3), mg.manual_seed(3), mg.rand(3))[::2],
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_random_draws(draw: Callable[[mg.Tensor], Any]) -> None:
    check_pure(draw, normals(3, 4))


def test_generators() -> None:
    def build() -> Any:
        own = mg.Generator(5)

        def step(x: mg.Tensor) -> Any:
            state = own.get_state()
            first = mg.rand(3, generator=own)
            own.set_state(state)
            return first, mg.rand(3, generator=own) * x, mg.rand(3)

        return step, ()

    check(build, normals(3))


def test_checkpoints_draw_the_same_again() -> None:
    def build() -> Any:
        w = a_leaf(4, 4)

        def step(x: mg.Tensor) -> mg.Tensor:
            loss = mg.autograd.checkpoint(lambda h: F.dropout((h @ w).tanh(), 0.5), x * w.sum()).sum()
            loss.backward()
            return loss

        return step, [w]

    check(build, normals(3, 4))


# values that are looked at again in every replay


def after_two(function: Callable[..., Any], *good: mg.Tensor) -> Compiled:
    compiled = Compiled(function)
    for _ in range(3):
        compiled(*good)
    assert compiled._replays
    return compiled


def test_replays_check_values() -> None:
    x = mg.ones(3, 4)
    places = mg.zeros(3, 4).long()
    for function, error in (
        (lambda x, i: x.gather(1, i), IndexRangeError),
        (lambda x, i: x.scatter(1, i, 1.0), IndexRangeError),
        (lambda x, i: x.index_select(0, i[0]), IndexRangeError),
        (lambda x, i: x[i[0]], IndexRangeError),
        (lambda x, i: F.one_hot(i, 3), IndexRangeError),
        (lambda x, i: F.embedding(i, x), IndexRangeError),
    ):
        compiled = after_two(function, x, places)
        with pytest.raises(error):
            compiled(x, places + 9)
    for function, error in (
        (lambda x: F.gaussian_nll_loss(x, x, x), DomainError),
        (lambda x: mg.bernoulli(x), ArgumentError),
        (lambda x: mg.quantile(x, x[0, 0]), DomainError),
    ):
        compiled = after_two(function, x)
        with pytest.raises(error):
            compiled(x - 3)


def test_negative_places_may_come_later() -> None:
    compiled = Compiled(lambda x, index: x.take_along_dim(index, 1))
    x = mg.arange(12.0).reshape(3, 4)
    for values in ([[0], [1], [2]], [[0], [1], [2]], [[0], [1], [2]], [[-1], [1], [-2]]):
        check_equal(x.take_along_dim(mg.tensor(values), 1), compiled(x, mg.tensor(values)), "take_along_dim")
    powers = Compiled(lambda x, e: x**e)
    base = mg.tensor([1, -1, 3])
    for values in ([0, 1, 2], [1, 2, 3], [3, 2, 1], [-1, -3, -2]):
        check_equal(base ** mg.tensor(values), powers(base, mg.tensor(values)), "pow")


def test_gradients_of_gradients() -> None:
    def build() -> Any:
        model = nn.Sequential(nn.Linear(4, 5), nn.LeakyReLU(), nn.Linear(5, 1))

        def step(x: mg.Tensor, mask: mg.Tensor) -> mg.Tensor:
            model.zero_grad()
            x = x.clone().requires_grad_()
            y = mg.where(mask > 0, model(x), 0.0).masked_fill(mask > 1, 2.0)
            (g,) = mg.autograd.grad(y.sum(), x, create_graph=True)
            loss = ((g.norm(2, 1) - 1) ** 2).mean()
            loss.backward()
            return loss

        return step, list(model.parameters())

    check(build, normals(3, 4), normals(3, 1))


# gradients in bounds


@pytest.mark.parametrize(
    "bound",
    [
        lambda ps: clip_grad_norm_(ps, 0.5),
        lambda ps: clip_grad_norm_(ps, 0.5, norm_type=np.inf, error_if_nonfinite=True),
        lambda ps: clip_grad_norm_(ps, 1e9, norm_type=1),
        lambda ps: clip_grad_value_(ps, 0.1),
        lambda ps: nn.utils.get_total_norm([p.grad for p in ps]),
        lambda ps: [p.grad.mul_(0.5) for p in ps],
        lambda ps: [p.grad.data.clamp_(-0.1, 0.1) for p in ps],
        lambda ps: [p.grad.zero_() for p in ps],
    ],
)
@pytest.mark.parametrize("accumulate", [False, True])
def test_gradients_in_bounds(bound: Callable[[Sequence[mg.Tensor]], Any], accumulate: bool) -> None:
    def build() -> Any:
        model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
        parameters = list(model.parameters())
        for p in parameters:
            p.grad = mg.zeros_like(p)

        def step(x: mg.Tensor) -> Any:
            if not accumulate:
                model.zero_grad()
            loss = (model(x) ** 2).sum()
            loss.backward()
            result = bound(parameters)
            with mg.no_grad():
                for p in parameters:
                    p.sub_(p.grad, alpha=0.1)
            return loss, result

        return step, parameters

    check(build, normals(3, 4))


def test_a_norm_that_is_not_finite_is_refused_in_replays() -> None:
    w = a_leaf(3)

    def step(x: mg.Tensor) -> mg.Tensor:
        w.grad = None
        (w * x).sum().backward()
        return clip_grad_norm_([w], 1.0, error_if_nonfinite=True)

    compiled = after_two(step, mg.ones(3))
    with pytest.raises(DomainError):
        compiled(mg.full((3,), np.inf))


def test_zero_grad_to_zeros() -> None:
    def build() -> Any:
        model = nn.Linear(4, 2)
        for p in model.parameters():
            p.grad = mg.zeros_like(p)

        def step(x: mg.Tensor) -> mg.Tensor:
            model.zero_grad(set_to_none=False)
            loss = model(x).sum()
            loss.backward()
            return loss

        return step, list(model.parameters())

    check(build, normals(3, 4))


def test_parameters_as_a_vector() -> None:
    def build() -> Any:
        model = nn.Linear(4, 2)

        def step(x: mg.Tensor) -> mg.Tensor:
            vector = parameters_to_vector(model.parameters())
            model.zero_grad()
            (vector.sum() * model(x).sum()).backward()
            vector_to_parameters(vector * 0.5 + x.sum(), model.parameters())
            return vector

        return step, list(model.parameters())

    check(build, normals(3, 4))


# modules


def on_batches(*modules: Callable[[], nn.Module]) -> Build:
    """A step of training by hand."""

    def build() -> Any:
        model = nn.Sequential(*(make() for make in modules))

        def step(*inputs: mg.Tensor) -> mg.Tensor:
            model.zero_grad()
            y = model(*inputs)
            loss = (y * y).mean()
            loss.backward()
            with mg.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
            return loss

        return step, [*model.parameters(), *model.buffers()]

    return build


MODULES: dict[str, Callable[[], nn.Module]] = {
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "BatchNorm1d, not affine": lambda: nn.BatchNorm1d(4, momentum=0.3, affine=False),
    "BatchNorm1d, evaluated": lambda: nn.BatchNorm1d(4).eval(),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "Dropout": lambda: nn.Dropout(0.3),
    "Dropout1d": lambda: nn.Dropout1d(0.3),
    "AlphaDropout": lambda: nn.AlphaDropout(0.3),
    "FeatureAlphaDropout": lambda: nn.FeatureAlphaDropout(0.3),
    "RReLU": lambda: nn.RReLU(),
    "Dropout in place": lambda: nn.Dropout(0.3, inplace=True),
}


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_modules_with_a_state(module: Callable[[], nn.Module]) -> None:
    check(on_batches(lambda: nn.Linear(6, 6), module, lambda: nn.Linear(6, 3)), normals(5, 4, 6))


def test_a_plain_mean_over_batches_is_refused() -> None:
    model = nn.BatchNorm1d(4, momentum=None)
    check_refused(lambda x: model(x), "item at .* looks at the values", mg.ones(3, 4))


@pytest.mark.parametrize("settings", [{"max_norm": 0.5}, {"max_norm": 1.0, "norm_type": 1.0}, {"padding_idx": 1}])
def test_embedding(settings: dict[str, Any]) -> None:
    check(on_batches(lambda: nn.Embedding(7, 4, **settings), lambda: nn.Linear(4, 3)), numbers(7, 5, 2))


@pytest.mark.parametrize("settings", [{}, {"add_zero_attn": True}, {"add_bias_kv": True}, {"dropout": 0.3}])
@pytest.mark.parametrize("masked", [False, True])
def test_attention(settings: dict[str, Any], masked: bool) -> None:
    def build() -> Any:
        layer = nn.MultiheadAttention(6, 2, batch_first=True, **settings)

        def step(x: mg.Tensor) -> Any:
            layer.zero_grad()
            mask = mg.ones(4, 4).triu(1).bool() if masked else None
            y, weights = layer(x, x, x, key_padding_mask=x[:, :, 0] > 0 if masked else None, attn_mask=mask)
            y.sum().backward()
            return y, weights

        return step, list(layer.parameters())

    check(build, normals(3, 4, 6))


@pytest.mark.parametrize("average", [None, get_ema_avg_fn(0.9)])
def test_averages_of_weights(average: Any) -> None:
    def build() -> Any:
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        averaged = AveragedModel(model, avg_fn=average)

        def step(x: mg.Tensor) -> Any:
            model.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            with mg.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
            averaged.update_parameters(model)
            return loss

        return step, [*model.parameters(), *model.buffers(), *averaged.parameters(), *averaged.buffers()]

    check(build, normals(5, 4))


def test_schedules_step_in_every_replay() -> None:
    for make in (lambda o: mg.optim.lr_scheduler.StepLR(o, 2), mg.optim.lr_scheduler.ReduceLROnPlateau):
        model = nn.Linear(4, 3)
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
        optimizer.stepped = True
        schedule = make(optimizer)

        def step(x: mg.Tensor, schedule: Any = schedule) -> mg.Tensor:
            loss = x.sum()
            schedule.step(*([loss] if isinstance(schedule, mg.optim.lr_scheduler.ReduceLROnPlateau) else []))
            return loss

        compiled = Compiled(step)
        for call in range(CALLS):
            compiled(mg.full((3,), float(-call)))
        assert schedule.last_epoch == CALLS


class Doubled(mg.autograd.Function):
    """Twice x, by a rule of its own."""

    @staticmethod
    def forward(ctx: Any, x: mg.Tensor, view: bool) -> mg.Tensor:
        ctx.save_for_backward(x)
        return x[:] if view else x * 2

    @staticmethod
    def backward(ctx: Any, g: mg.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * 2 + x, None


@pytest.mark.parametrize("view", [False, True])
def test_functions_with_rules_of_their_own(view: bool) -> None:
    def build() -> Any:
        w = a_leaf(3)

        def step(x: mg.Tensor) -> mg.Tensor:
            w.grad = None
            y = Doubled.apply(w * x, view) * w
            y.sum().backward()
            return y

        return step, [w]

    check(build, normals(3))


def test_attributes_of_modules_are_not_left_behind() -> None:
    class Remembering(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.in_place = in_place
            self.register_buffer("seen", mg.zeros(3))

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            if self.in_place:
                self.seen.mul_(0.5).add_(x)
            else:
                self.seen = self.seen * 0.5 + x
            return self.seen * 2

    model = Remembering(False)
    check_refused(lambda x: model(x), "is replaced as Remembering.seen at", mg.ones(3))

    def build() -> Any:
        model = Remembering(True)
        return (lambda x: model(x)), [model.seen]

    check(build, normals(3))


def test_an_array_that_is_handed_in_twice() -> None:
    def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
        total = (x * 2 + y).sum()
        total.backward()
        with mg.no_grad():
            x.add_(1)
        return total * y.detach()

    compiled = Compiled(step)
    for pattern in "aa", "ab", "ab", "ab", "aa", "ab", "aa":
        runs = []
        for function in (step, compiled):
            made = {name: (mg.arange(3.0) + number).requires_grad_() for number, name in enumerate("ab")}
            x, y = (made[name] for name in pattern)
            runs.append([function(x, y), x, y, x.grad, y.grad])
        check_equal(*runs, pattern)
    assert len(compiled._replays) == 2


def test_a_gradient_from_outside() -> None:
    def build() -> Any:
        w, outer = a_leaf(3), mg.ones(3)

        def step(x: mg.Tensor) -> None:
            w.grad = None
            (w * x).backward(outer)
            outer.add_(x)

        return step, [w, outer]

    check(build, normals(3))


def test_indices_from_outside() -> None:
    def build() -> Any:
        w, places, chosen = a_leaf(4), mg.tensor([0, 2, 2]), mg.tensor([[1], [0]])

        def step(x: mg.Tensor) -> Any:
            w.grad = None
            y = w[places] * x
            z = x.reshape(1, 3).expand(2, 3).gather(1, chosen)
            y.sum().backward()
            places.add_(1).remainder_(4)
            chosen.add_(1).remainder_(3)
            return y, z

        return step, [w, places, chosen]

    check(build, normals(3))


def test_what_is_no_tensor_is_still_refused_by_name() -> None:
    with pytest.raises(InputTypeError):
        Compiled(lambda x: mg.unravel_index(x, (2, 3)))([1, 2])

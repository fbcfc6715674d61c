"""L-BFGS against the BFGS formula with a dense inverse Hessian, the Wolfe conditions, and problems whose solution is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, InputTypeError, StateDictError
from minigrad.optim.line_search import Point, strong_wolfe

NO_STOP = {"tolerance_grad": 0.0, "tolerance_change": 0.0}


def rosenbrock(x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] * x[:-1]) ** 2 + (1 - x[:-1]) ** 2).sum()


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    rise, rest = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    g = np.zeros_like(x)
    g[1:] += 200 * rise
    g[:-1] -= 400 * rise * x[:-1] + 2 * rest
    return g


def closure_of(optimizer: Any, loss: Callable[[], mg.Tensor], seen: list[float] | None = None) -> Callable[[], mg.Tensor]:
    def closure() -> mg.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        if seen is not None:
            seen.append(value.item())
        return value

    return closure


def dense_bfgs(
    x: np.ndarray, gradient: Callable[[np.ndarray], np.ndarray], moves: int, lr: float, history: int
) -> list[np.ndarray]:
    """x after each move of fixed length along −H g, with H by the BFGS formula from the last pairs of changes."""
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    identity, path = np.eye(x.size), []
    g = gradient(x)
    for move in range(moves):
        inverse = identity.copy()
        if pairs:
            s, y = pairs[-1]
            inverse *= (s @ y) / (y @ y)
        for s, y in pairs:
            left = identity - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        d = -inverse @ g
        t = lr if move else lr * min(1.0, 1 / np.abs(g).sum())
        new = x + t * d
        new_g = gradient(new)
        if (new_g - g) @ (new - x) > 1e-10:
            pairs = [*pairs, (new - x, new_g - g)][-history:]
        x, g = new, new_g
        path.append(x)
    return path


@pytest.mark.parametrize(("lr", "history"), [(1.0, 100), (0.4, 3), (0.7, 1)])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_moves_of_fixed_length_follow_the_bfgs_formula(lr, history, max_iter):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    matrix, start = root @ root.T + np.eye(6), rng.standard_normal(6)
    x = nn.Parameter(start.copy())
    optimizer = optim.LBFGS([x], lr=lr, max_iter=max_iter, history_size=history, **NO_STOP)
    closure = closure_of(optimizer, lambda: (x @ (mg.tensor(matrix) @ x)) / 2 + (x**4).sum())
    for expected in dense_bfgs(start, lambda v: matrix @ v + 4 * v**3, 12, lr, history)[max_iter - 1 :: max_iter]:
        optimizer.step(closure)
        np.testing.assert_allclose(x.array, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("size", [2, 10])
def test_rosenbrocks_valley_is_walked_to_its_end(size):
    x = nn.Parameter(np.where(np.arange(size) % 2, 1.0, -1.2))
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe", tolerance_change=0.0)
    closure = closure_of(optimizer, lambda: rosenbrock(x))
    first = optimizer.step(closure).item()
    for _ in range(6):
        optimizer.step(closure)
    np.testing.assert_allclose(rosenbrock(np.where(np.arange(size) % 2, 1.0, -1.2)), first)
    np.testing.assert_allclose(x.array, 1.0, atol=1e-6)
    assert optimizer.state[x]["func_evals"] < 150


@pytest.mark.parametrize("seed", range(10))
def test_moves_with_line_search_satisfy_the_strong_wolfe_conditions(seed):
    x = nn.Parameter(np.random.default_rng(seed).standard_normal(6))
    optimizer = optim.LBFGS([x], max_iter=1, max_eval=30, line_search_fn="strong_wolfe", **NO_STOP)
    for _ in range(15):
        before, g = x.array.copy(), rosenbrock_gradient(x.array)
        optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
        moved, slope = x.array - before, g @ (x.array - before)
        assert rosenbrock(x.array) <= rosenbrock(before) + 1e-4 * slope * (1 - 1e-9)
        assert abs(rosenbrock_gradient(x.array) @ moved) <= 0.9 * abs(slope) * (1 + 1e-9)


@pytest.mark.parametrize("t", [1e-6, 0.01, 1.0, 60.0])
def test_a_step_length_is_found_from_near_and_far(t):
    """Along a line the loss (t − 3)⁴ − 20 cos(t) has several valleys."""

    def at(t: float) -> Point:
        slope = 4 * (t - 3) ** 3 + 20 * np.sin(t)
        return Point(t, (t - 3) ** 4 - 20 * np.cos(t), np.array([slope]), slope)

    start = at(0.0)
    point, tried = strong_wolfe(at, start, t, 1.0, 1e-9, 25)
    assert tried <= 26
    assert point.loss <= start.loss + 1e-4 * point.t * start.slope
    assert abs(point.slope) <= 0.9 * abs(start.slope)


def test_several_parameters_and_one_without_gradient():
    rng = np.random.default_rng(0)
    x, y = mg.tensor(rng.standard_normal((40, 5))), mg.tensor(rng.standard_normal((40, 1)))
    weight, bias, resting = nn.Parameter(rng.standard_normal((5, 1))), nn.Parameter(np.zeros(())), nn.Parameter(np.ones((2, 2)))
    optimizer = optim.LBFGS([weight, resting, bias], tolerance_change=0.0)
    for _ in range(3):
        optimizer.step(closure_of(optimizer, lambda: ((x @ weight + bias - y) ** 2).mean()))
    design = np.hstack([x.array, np.ones((40, 1))])
    solution = np.linalg.lstsq(design, y.array, rcond=None)[0].ravel()
    np.testing.assert_allclose(np.append(weight.array.ravel(), bias.array), solution, atol=1e-6)
    assert np.array_equal(np.ones((2, 2)), resting.array)


@pytest.mark.parametrize("settings", [{"lr": 0.3}, {"line_search_fn": "strong_wolfe", "history_size": 4}], ids=["fixed", "wolfe"])
def test_saved_and_restored_in_mid_run(settings):
    def run(interrupted: bool) -> np.ndarray:
        x = nn.Parameter(np.linspace(-1, 1, 5))
        optimizer = optim.LBFGS([x], max_iter=3, **settings)
        for step in range(8):
            if interrupted and step in (0, 1, 5):
                saved = optimizer.state_dict()
                optimizer = optim.LBFGS([x])
                optimizer.load_state_dict(saved)
            optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
        return x.array

    assert np.array_equal(run(False), run(True))


def test_state_has_the_names_that_pytorch_gives_it():
    x = nn.Parameter(np.linspace(-1, 1, 5))
    optimizer = optim.LBFGS([x], max_iter=3, history_size=2)
    assert {} == optimizer.state
    for _ in range(2):
        optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
    state = optimizer.state_dict()["state"][0]
    assert {"func_evals", "n_iter", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss"} == set(state)
    assert (6, 4) == (state["func_evals"], state["n_iter"])
    assert [(5,), (5,)] == [y.shape for y in state["old_dirs"]]
    assert 2 == len(state["old_stps"]) == len(state["ro"])


def test_a_state_of_another_size_is_refused():
    x, y = nn.Parameter(np.linspace(-1, 1, 5)), nn.Parameter(np.ones(3))
    optimizer, other = optim.LBFGS([x]), optim.LBFGS([y])
    optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
    with pytest.raises(StateDictError, match=r"LBFGS.load_state_dict: d must hold 3 numbers"):
        other.load_state_dict(optimizer.state_dict())
    assert {} == other.state


def test_where_a_step_ends():
    def evaluations(start: float = 2.0, **settings: Any) -> int:
        x = nn.Parameter(np.array([start, 0.5, 1.0]))
        optimizer = optim.LBFGS([x], lr=0.1, **settings)
        seen: list[float] = []
        optimizer.step(closure_of(optimizer, lambda: (x**4).sum(), seen))
        assert len(seen) == optimizer.state[x]["func_evals"]
        return len(seen)

    assert 1 == evaluations(max_iter=1)  # where the last move leads is evaluated by the next step
    assert 7 == evaluations(max_iter=7)
    assert 25 == evaluations(max_iter=25)
    assert 5 == evaluations(max_iter=25, max_eval=5)
    assert 1 == evaluations(tolerance_grad=100.0)
    assert 2 == evaluations(tolerance_change=0.1)


def test_the_loss_that_is_returned_is_that_before_the_step():
    x = nn.Parameter(np.array([2.0]))
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe")
    with mg.no_grad():
        assert 4.0 == optimizer.step(closure_of(optimizer, lambda: (x * x).sum())).item()
    assert abs(x.item()) < 1e-6


def test_float32_parameters_stay_float32():
    x = nn.Parameter(np.array([-1.2, 1.0], np.float32))
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe")
    for _ in range(6):
        optimizer.step(closure_of(optimizer, lambda: rosenbrock(x)))
    assert np.float32 == x.dtype == x.array.dtype
    np.testing.assert_allclose(x.array, 1.0, atol=1e-3)


def test_divergence_and_nan_end_without_a_warning():
    for loss in (lambda x: (x**4).sum(), lambda x: (x - x).sum() * np.nan):
        x = nn.Parameter(np.full(3, 1e90))
        optimizer = optim.LBFGS([x], lr=1e6, max_iter=30)
        for _ in range(3):
            optimizer.step(closure_of(optimizer, lambda loss=loss, x=x: loss(x)))
        searching = optim.LBFGS([x], lr=1e6, line_search_fn="strong_wolfe")
        searching.step(closure_of(searching, lambda loss=loss, x=x: loss(x)))


def one() -> nn.Parameter:
    return nn.Parameter(np.ones(2))


REFUSED: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no closure", lambda: optim.LBFGS([one()]).step(), InputTypeError, "LBFGS.step: needs a closure"),
    ("two groups", lambda: optim.LBFGS([{"params": [one()]}, {"params": [one()]}]), ArgumentError, "LBFGS: takes one group"),
    (
        "line search",
        lambda: optim.LBFGS([one()], line_search_fn="armijo"),
        ArgumentError,
        "line_search_fn must be None or 'strong_wolfe'",
    ),
    ("history", lambda: optim.LBFGS([one()], history_size=0), ArgumentError, "history_size must be at least 1, got 0"),
    ("iterations", lambda: optim.LBFGS([one()], max_eval=2.5), ArgumentError, "max_eval must be an int, got 2.5"),
    ("tolerance", lambda: optim.LBFGS([one()], tolerance_grad="a"), ArgumentError, "tolerance_grad must be a number, got 'a'"),
    ("lr", lambda: optim.LBFGS([one()], lr=-1), ArgumentError, "LBFGS: lr must be at least 0, got -1"),
]


@pytest.mark.parametrize(("make", "error", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_breast_cancer_logistic_regression_reaches_its_optimum():
    from sklearn.datasets import load_breast_cancer

    data, classes = load_breast_cancer(return_X_y=True)
    x, y = mg.tensor((data - data.mean(0)) / data.std(0)), mg.tensor(classes.astype(np.float64))
    weight, bias = nn.Parameter(np.zeros(30)), nn.Parameter(np.zeros(()))
    optimizer = optim.LBFGS([weight, bias], line_search_fn="strong_wolfe", max_iter=100, tolerance_grad=1e-9, tolerance_change=0.0)

    def loss() -> mg.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y) + 0.005 * (weight * weight).sum()

    optimizer.step(closure_of(optimizer, loss))
    assert np.abs(weight.grad.array).max() < 1e-8
    assert ((x.array @ weight.array + bias.array > 0) == classes).mean() > 0.98

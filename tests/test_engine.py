"""The engine: in which order a graph is walked back, once or again, in part, and by its own gradients."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import leaf, train, values

import minigrad as mg
from minigrad.errors import ArgumentError, GraphError, InputTypeError, ShapeError

ROOT = Path(__file__).resolve().parents[1]


# ---- the walk


def test_a_shared_node_gets_the_sum_of_its_uses() -> None:
    x = leaf(3.0)
    y = x * x
    (y * y + y).backward()
    assert 4 * 3.0**3 + 2 * 3.0 == x.grad.item()


def test_a_leaf_used_many_times() -> None:
    x = leaf(2.0)
    total = x * 0
    for k in range(100):
        total = total + k * x
    total.backward()
    assert 4950.0 == x.grad.item()


@pytest.mark.parametrize("levels", [1, 2, 50])
def test_a_deep_diamond_visits_each_step_once(levels: int) -> None:
    calls = [0] * levels
    x = leaf(1.0)
    y = x

    def counter(level: int) -> Callable[[mg.Tensor], None]:
        def count(g: mg.Tensor) -> None:
            calls[level] += 1

        return count

    for level in range(levels):
        left, right = y * 1.0, y * 1.0
        y = left + right
        y.register_hook(counter(level))
    y.backward()
    assert 2.0**levels == x.grad.item()
    assert [1] * levels == calls


def test_a_wide_fan_out_and_fan_in() -> None:
    x = leaf(1.5)
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    mg.stack([y * k for k in range(50)]).sum().backward()
    assert [1225.0] == seen
    assert 2450.0 == x.grad.item()


def test_a_step_waits_for_all_of_its_uses_however_long_the_way() -> None:
    x = leaf(2.0)
    y = x * x
    far = y
    for _ in range(20):
        far = far + 1.0
    (far * y).backward()  # (y + 20) y
    assert (2 * 4.0 + 20) * 4.0 == x.grad.item()


def test_backward_calls_add_up() -> None:
    x = leaf(1.0, 2.0)
    for expected in ([2.0, 4.0], [4.0, 8.0], [6.0, 12.0]):
        (x * x).sum().backward()
        assert expected == values(x.grad)


def test_accumulation_makes_a_new_array() -> None:
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert [3.0, 3.0] == values(first)
    assert [6.0, 6.0] == values(x.grad)


def test_two_losses_share_the_graph_up_to_a_node() -> None:
    x = leaf(2.0)
    y = x * x
    a, b = y * 3, y + 1
    a.backward(retain_graph=True)
    b.backward()
    assert 3 * 4.0 + 4.0 == x.grad.item()


def test_backward_on_a_leaf_itself() -> None:
    x = leaf(2.0)
    x.backward()
    assert 1.0 == x.grad.item()


def test_gradients_take_dtype_and_shape_of_their_input() -> None:
    a, b = leaf(1.0, 2.0, dtype=np.float32), mg.tensor([[1.0], [2.0]], dtype=np.float64, requires_grad=True)
    (a * b).sum().backward()
    assert (np.float32, (2,)) == (a.grad.dtype, a.grad.shape)
    assert (np.float64, (2, 1)) == (b.grad.dtype, b.grad.shape)
    assert [3.0, 3.0] == values(a.grad)
    assert [[3.0], [3.0]] == values(b.grad)


def test_the_gradient_argument_weights_the_elements() -> None:
    x = leaf(1.0, 2.0, 3.0)
    (x * x).backward(mg.tensor([1.0, 10.0, 100.0], dtype=np.float64))
    assert [2.0, 40.0, 600.0] == values(x.grad)


def test_the_gradient_argument_takes_the_dtype_of_the_tensor() -> None:
    x = leaf(1.0, 2.0, dtype=np.float32)
    (x * x).backward(gradient=mg.tensor([1.0, 10.0], dtype=np.float64))
    assert np.float32 == x.grad.dtype
    assert [2.0, 40.0] == values(x.grad)


def test_a_one_element_tensor_of_any_shape_needs_no_gradient_argument() -> None:
    x = mg.tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    assert [[6.0]] == values(x.grad)


def test_a_gradient_is_needed_for_more_than_one_element() -> None:
    with pytest.raises(GraphError, match=r"backward: .*shape \(2,\).*pass gradient="):
        (leaf(1.0, 2.0) * 2).backward()


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"backward: gradient has shape \(3,\) but the tensor has shape \(2,\)"):
        (leaf(1.0, 2.0) * 2).backward(mg.ones(3))


def test_no_graph_no_backward() -> None:
    with pytest.raises(GraphError, match="does not require grad"):
        mg.tensor(1.0).backward()
    with pytest.raises(GraphError, match="does not require grad"):
        (mg.tensor(1.0) * 2).backward()


# ---- freed graphs


def test_backward_twice_over_saved_values_is_refused() -> None:
    x = leaf(2.0)
    y = (x * x).exp()
    y.backward()
    with pytest.raises(GraphError, match=r"freed by an earlier backward pass \(at exp\); pass retain_graph=True"):
        y.backward()
    assert math.isclose(4 * math.exp(4.0), x.grad.item(), rel_tol=1e-14)


def test_retain_graph_allows_another_pass() -> None:
    x = leaf(2.0)
    y = x * x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert 36.0 == x.grad.item()
    with pytest.raises(GraphError, match="freed"):
        y.backward()


def test_a_pass_that_frees_a_shared_part_is_noticed_by_the_next() -> None:
    x = leaf(2.0)
    y = x * x
    (y * 3).backward()
    with pytest.raises(GraphError, match=r"at mul"):
        (y + 1).backward()


def test_what_saves_nothing_can_be_walked_twice() -> None:
    x = leaf(2.0)
    y = x + 1.0
    y.backward()
    y.backward()
    assert 2.0 == x.grad.item()


def test_a_step_that_grad_stops_at_stays_usable() -> None:
    x = leaf(2.0)
    y = x * x
    (dy,) = mg.grad(y * y, y)
    assert 8.0 == dy.item()
    y.backward()
    assert 4.0 == x.grad.item()


# ---- grad and inputs=


def test_grad_at_leaf_and_inner_node_touches_no_grad() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * y * y
    dx, dy = mg.grad(z, [x, y])
    assert (6 * 2.0**5, 3 * 4.0**2) == (dx.item(), dy.item())
    assert x.grad is None
    assert y.grad is None


def test_grad_at_the_output_is_one() -> None:
    x = leaf(2.0)
    y = x * x
    dy, dx = mg.grad(y, [y, x])
    assert (1.0, 4.0) == (dy.item(), dx.item())
    assert 1.0 == mg.grad(x, x)[0].item()


def test_grad_between_inner_nodes() -> None:
    x = leaf(2.0)
    a = x * 3
    b = a * a
    c = b.exp()
    da, db = mg.grad(c, [a, b])
    assert math.isclose(math.exp(36.0) * 12.0, da.item(), rel_tol=1e-14)
    assert math.isclose(math.exp(36.0), db.item(), rel_tol=1e-14)


def test_grad_of_several_outputs_sums_them_weighted() -> None:
    x = leaf(1.0, 2.0)
    outputs = [x * x, x.sum() * 5]
    weights = [mg.tensor([1.0, 10.0], dtype=np.float64), None]
    (dx,) = mg.grad(outputs, [x], grad_outputs=weights)
    assert [2.0 + 5.0, 40.0 + 5.0] == values(dx)


def test_grad_of_one_output_named_twice() -> None:
    x = leaf(3.0)
    y = x * x
    assert 12.0 == mg.grad([y, y], x)[0].item()


def test_grad_where_one_output_is_an_ancestor_of_the_other() -> None:
    x = leaf(3.0)
    y = x * x
    z = y * 2
    assert 6.0 + 12.0 == mg.grad([z, y], x)[0].item()


def test_grad_unused_input() -> None:
    x, other = leaf(2.0), leaf(1.0)
    y = x * x
    with pytest.raises(GraphError, match=r"do not depend on inputs\[1\]; pass allow_unused=True"):
        mg.grad(y, [x, other], retain_graph=True)
    dx, nothing = mg.grad(y, [x, other], allow_unused=True)
    assert 4.0 == dx.item()
    assert nothing is None


def test_grad_refuses_inputs_that_require_none() -> None:
    x = leaf(2.0)
    with pytest.raises(GraphError, match=r"grad: inputs\[1\] does not require grad"):
        mg.grad(x * x, [x, mg.tensor(1.0)])


def test_grad_counts_its_grad_outputs() -> None:
    x = leaf(2.0)
    with pytest.raises(ArgumentError, match="grad_outputs has 2 entries for 1 outputs"):
        mg.grad(x * x, x, grad_outputs=[None, None])


def test_grad_refuses_what_is_no_tensor() -> None:
    with pytest.raises(InputTypeError, match="grad: expected a Tensor, got float"):
        mg.grad([1.0], [leaf(1.0)])


def test_grad_runs_hooks_on_the_way() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * 10)
    y = x * x
    y.register_hook(lambda g: g * 100)
    dx, dy = mg.grad(y * 3, [x, y])
    assert (3 * 100 * 4.0 * 10, 300.0) == (dx.item(), dy.item())


def test_grad_does_not_compute_what_nobody_asked_for(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    (db,) = mg.grad(product(a, b, c).sum(), b)
    assert ["b"] == ran
    assert [5.0, 12.0] == values(db)


def test_backward_inputs_touches_only_those() -> None:
    x, w = leaf(2.0), leaf(5.0)
    h = x * w
    (h * h).backward(inputs=[w])
    assert x.grad is None
    assert 2 * 10.0 * 2.0 == w.grad.item()


def test_backward_inputs_may_name_an_inner_node() -> None:
    x = leaf(2.0)
    y = x * x
    (y * 3).backward(inputs=[y])
    assert 3.0 == y.grad.item()
    assert x.grad is None


def test_backward_inputs_named_twice_counts_once() -> None:
    x = leaf(2.0)
    (x * x).backward(inputs=[x, x])
    assert 4.0 == x.grad.item()


def test_a_partial_graph_is_walked_only_from_its_output() -> None:
    x = leaf(2.0)
    ran = []
    y = x * x
    beyond = y * 5
    beyond.register_hook(lambda g: ran.append("beyond"))
    y.backward()
    assert 4.0 == x.grad.item()
    assert [] == ran


# ---- higher order


def test_three_derivatives_of_a_power() -> None:
    x = leaf(2.0)
    y = x**5
    (d1,) = mg.grad(y, x, create_graph=True)
    (d2,) = mg.grad(d1, x, create_graph=True)
    (d3,) = mg.grad(d2, x, create_graph=True)
    (d4,) = mg.grad(d3, x)
    assert [80.0, 160.0, 240.0, 240.0] == [d.item() for d in (d1, d2, d3, d4)]
    assert d3.requires_grad
    assert not d4.requires_grad


def test_three_derivatives_of_tanh() -> None:
    x = leaf(0.3, -1.2)
    t = np.tanh(x.detach().numpy())
    s = 1 - t * t
    d: mg.Tensor = x.tanh()
    for expected in (s, -2 * t * s, 2 * s * (3 * t * t - 1)):
        (d,) = mg.grad(d.sum(), x, create_graph=True)
        np.testing.assert_allclose(d.detach().numpy(), expected, rtol=1e-13)


def test_second_derivatives_through_broadcasting_and_matmul() -> None:
    A = np.array([[2.0, -1.0], [0.5, 3.0]])
    x = leaf(1.0, 2.0)
    (g,) = mg.grad(x @ mg.tensor(A) @ x + (x * x.sum()).sum(), x, create_graph=True)
    rows = [mg.grad(g[i], x, retain_graph=True)[0].tolist() for i in range(2)]
    assert (A + A.T + 2).tolist() == rows


def test_a_gradient_penalty_reaches_the_weights() -> None:
    w, x = leaf(3.0), leaf(2.0)
    (dx,) = mg.grad(w * x * x, x, create_graph=True)  # 2 w x
    (dx * dx).backward()
    assert 8 * 3.0 * 4.0 == w.grad.item()
    assert 8 * 9.0 * 2.0 == x.grad.item()


def test_backward_with_create_graph_records_the_gradients() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert 12.0 == x.grad.item()
    assert x.grad.requires_grad
    (d2,) = mg.grad(x.grad, x)
    assert 12.0 == d2.item()


def test_create_graph_works_within_no_grad() -> None:
    x = leaf(2.0)
    y = x**3
    with mg.no_grad():
        (d1,) = mg.grad(y, x, create_graph=True)
    assert 12.0 == mg.grad(d1, x)[0].item()


def test_without_create_graph_gradients_are_constants() -> None:
    x = leaf(2.0)
    (d1,) = mg.grad(x**3, x)
    assert not d1.requires_grad
    assert d1.grad_fn is None


# ---- threads and processes


def test_threads_that_train_get_what_one_after_another_gets() -> None:
    expected = [train(30, seed=1), train(30, seed=2, optimizer="SGD")]
    found: dict[int, list[float]] = {}
    start = threading.Barrier(2)

    def run(slot: int, seed: int, optimizer: str) -> None:
        start.wait(10)
        found[slot] = train(30, seed=seed, optimizer=optimizer)

    threads = [threading.Thread(target=run, args=args) for args in ((0, 1, "Adam"), (1, 2, "SGD"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected == [found[0], found[1]]


def test_a_graph_made_in_one_thread_is_walked_in_another() -> None:
    x = leaf(3.0)
    y = x * x
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert 6.0 == x.grad.item()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes_with_the_parents_kernels() -> None:
    script = textwrap.dedent("""
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from tests.graphs import train
        expected = train(5)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if train(5) == expected else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert train(5) == expected
        import multiprocessing as mp
        with mp.get_context("fork").Pool(2) as pool:
            assert pool.map(train, [5, 5]) == [expected, expected]
        print("same")
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ("same\n", 0) == (done.stdout, done.returncode), done.stderr

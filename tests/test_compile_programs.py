"""What became of a compiled function: its plan, the fused loops, and what program(), timeline(), stats() and verify show of it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiling import assert_same, batches, classifier, follow, training, values

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import ArgumentError, CompileError
from minigrad.kernels.cache import kernels_enabled

F = nn.functional
needs_kernels = pytest.mark.skipif(not kernels_enabled(), reason="there are no kernels in this run")


def compiled(function: Any, *arguments: Any, **settings: Any) -> Any:
    """The function, with a program for these arguments."""
    fast = mg.compile(function, **settings)
    for _ in range(3):
        fast(*arguments)
    assert fast.stats()["replayed"] == 1
    return fast


def lines(fast: Any) -> list[str]:
    """The steps of the program, without numbers, shapes and bytes."""
    return [line[6:].split("  ")[0] for line in str(fast.program()).splitlines()[1:] if line[:4].strip()]


def trained(**settings: Any) -> Any:
    mg.manual_seed(0)
    model = classifier()
    return compiled(training(model, optim.Adam(model.parameters())), *batches(1)[0](), **settings)


@needs_kernels
def test_the_program_of_a_training_step() -> None:
    fast = trained(fuse=False)
    text = str(fast.program())
    assert text.startswith(
        "step: 11 steps, 11 of them run by the machine; 832 B kept for what they make, where the recorded call allocated "
    )
    assert lines(fast) == [
        "linear = linear(x, 0.weight, 0.bias)",
        "relu = relu(linear)",
        "linear_2 = linear(relu, 2.weight, 2.bias)",
        "cross_entropy, residual = cross_entropy(linear_2, y)",
        "d relu = linear_backward(residual, 2.weight)",
        "d 2.weight = linear_backward(residual, relu)",
        "d 2.bias = linear_backward(residual)",
        "d linear = relu_backward(d relu, relu)",
        "d 0.weight = linear_backward(d linear, x)",
        "d 0.bias = linear_backward(d linear)",
        "Adam.step()",
    ]
    assert "(8, 5)  160 B  machine" in text
    assert "0.weight.grad ← d 0.weight" in text
    assert text.splitlines()[-1].strip() == "return cross_entropy"
    assert repr(fast.program()) == text


@needs_kernels
def test_bias_and_activation_are_one_loop() -> None:
    fast = trained(fuse=True)
    assert lines(fast)[:3] == [
        "linear = product(x, 0.weight)",
        "linear += 0.bias; relu = relu(linear)",
        "linear_2 = linear(relu, 2.weight, 2.bias)",
    ]
    assert fast.stats()["fused_programs"] == 1


@needs_kernels
def test_chains_and_trees_are_one_loop() -> None:
    def function(a: mg.Tensor, b: mg.Tensor, row: mg.Tensor) -> mg.Tensor:
        return mg.tanh(a * b + row) * mg.sigmoid(a - b)

    random = np.random.default_rng(0)
    a, b, row = (mg.tensor(random.standard_normal(shape)) for shape in ((20, 30), (20, 30), (30,)))
    fast = compiled(function, a, b, row, fuse=True)
    assert len(lines(fast)) == 1
    assert fast.stats()["planned_bytes"] == 20 * 30 * 8  # nothing but the result is stored
    np.testing.assert_array_equal(fast(a, b, row).array, function(a, b, row).array)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [57, 64, 131])
def test_a_large_gradient_is_summed_while_it_is_made(rows: int, dtype: Any) -> None:
    def make() -> Any:
        model = classifier(width=600).to(dtype)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return training(model, optimizer), [model, optimizer]

    assert follow(make, batches(4, rows, dtype=dtype), fuse=True).stats()["replayed"] == 2
    step, _ = make()
    fast = compiled(step, *batches(1, rows, dtype=dtype)[0](), fuse=True)
    assert "d linear = relu_backward(d relu, relu); d 0.bias = linear_backward(d linear)" in lines(fast)


@needs_kernels
def test_large_results_take_the_place_of_what_is_not_needed_any_more() -> None:
    def function(x: mg.Tensor) -> mg.Tensor:
        return mg.tanh(mg.matmul(x, x))  # nobody takes the product

    x = mg.tensor(np.random.default_rng(0).standard_normal((400, 400)))
    fast = compiled(function, x, fuse=True)
    assert fast.stats()["planned_bytes"] == 400 * 400 * 8
    np.testing.assert_array_equal(fast(x).array, function(x).array)


@needs_kernels
def test_a_loop_has_no_more_arrays_than_can_be_told_apart() -> None:
    def function(x: mg.Tensor) -> Any:
        return [mg.exp(x), mg.tanh(x), x * 2, x + 1, mg.sigmoid(x), x * x, mg.abs(x)]

    x = mg.tensor(np.random.default_rng(0).standard_normal(100))
    fast = compiled(function, x, fuse=True)
    assert 1 < len(lines(fast)) < 7
    for expected, actual in zip(function(x), fast(x), strict=True):
        np.testing.assert_array_equal(actual.array, expected.array)


def test_what_is_not_used_is_dropped_and_what_is_the_same_kept_once() -> None:
    def function(x: mg.Tensor) -> mg.Tensor:
        mg.exp(x)
        constant = mg.zeros(3) + 2
        return (x * constant) * (x * constant)  # type: ignore[no-any-return]

    x = mg.tensor([1.0, 2.0, 3.0])
    fast = compiled(function, x, fuse=False)
    assert len(lines(fast)) == 2
    assert fast(x).tolist() == [4, 16, 36]


@needs_kernels
def test_room_is_used_again() -> None:
    def function(x: mg.Tensor) -> mg.Tensor:
        for _ in range(50):
            x = mg.matmul(x, x) * 1e-3
        return x

    x = mg.tensor(np.random.default_rng(0).random((40, 40)))
    fast = compiled(function, x, fuse=False)
    stats = fast.stats()
    assert stats["eager_bytes"] == 100 * 40 * 40 * 8
    assert stats["planned_bytes"] <= 3 * 40 * 40 * 8
    np.testing.assert_array_equal(fast(x).array, function(x).array)


def test_results_that_share_memory_are_the_callers() -> None:
    def function(x: mg.Tensor) -> Any:
        y = x * 2
        return y, y[0], y.T, x

    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    fast = compiled(function, x)
    first = fast(x)
    second = fast(x + 1)
    assert [part.tolist() for part in first] == [[[2, 4], [6, 8]], [2, 4], [[2, 6], [4, 8]], [[1, 2], [3, 4]]]
    assert first[3] is x
    assert second[1].tolist() == [4, 6]


def test_the_timeline_puts_everything_back() -> None:
    mg.manual_seed(0)
    model = classifier(nn.Dropout(0.5), nn.BatchNorm1d(5))
    optimizer = optim.Adam(model.parameters())
    fast = mg.compile(training(model, optimizer))
    arguments = batches(1)[0]()
    for _ in range(3):
        fast(*arguments)
    before, drawn = values([model, optimizer]), mg.default_generator.get_state()
    for text in (str(fast.timeline()), str(fast.timeline(*arguments))):
        steps = [line for line in text.splitlines()[1:] if line[:4].strip()]
        assert len(steps) == len(lines(fast))
        assert all(line.endswith("µs") for line in steps)
        assert text.count("all steps") == 1
    assert_same(before, values([model, optimizer]))
    assert drawn == mg.default_generator.get_state()
    with pytest.raises(CompileError, match=r"timeline: the program of step takes Tensors of"):
        fast.timeline(mg.ones(2))


def test_names_of_several_modules_and_what_python_runs() -> None:
    mg.manual_seed(0)
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = optim.NAdam(generator.parameters())
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x: mg.Tensor) -> mg.Tensor:
        optimizer.zero_grad()
        loss = critic(generator(x)[:, 1:2].expand(-1, 2)).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    text = str(compiled(step, mg.ones(3, 2)).program())
    for part in ("generator.weight.grad ← d generator.weight", "critic.bias", "NAdam.step()", "ExponentialLR.step()"):
        assert part in text
    assert "d linear = getitem_backward(d getitem, :, 1:2)" in text


def test_verify_finds_what_a_replay_does_not_see() -> None:
    factor = mg.ones(())

    def honest(x: mg.Tensor) -> mg.Tensor:
        return x * 2  # type: ignore[no-any-return]

    def dishonest(x: mg.Tensor) -> mg.Tensor:
        return x * float(factor.array)  # type: ignore[no-any-return]  # behind the recorder's back

    x = mg.tensor([1.0, 2.0])
    fast = mg.compile(honest, verify=2)
    for _ in range(10):
        assert fast(x).tolist() == [2, 4]
    assert fast.stats()["verified"] == 4
    fast = mg.compile(dishonest, verify=3)
    for _ in range(4):
        fast(x)
    factor.fill_(5.0)
    with pytest.raises(
        CompileError, match=r"the result of dishonest differs from what an eager call gives: \[1\. 2\.\] instead of \[ 5\. 10\.\]"
    ):
        fast(x)


def test_verify_changes_nothing() -> None:
    def run(**settings: Any) -> Any:
        mg.manual_seed(0)
        model = classifier(nn.Dropout(0.5), nn.BatchNorm1d(5))
        optimizer = optim.Adam(model.parameters())
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        train = training(model, optimizer)

        def step(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
            loss = train(x, y)
            schedule.step()
            return loss

        fast = mg.compile(step, **settings)
        return (
            [values(fast(*make())) for make in batches(9)],
            values([model, optimizer, schedule]),
            mg.default_generator.get_state(),
        )

    plain, checked = run(), run(verify=2)
    assert_same(list(plain[:2]), list(checked[:2]))
    assert plain[2] == checked[2]


def test_settings() -> None:
    with pytest.raises(ArgumentError, match="compile: fuse must be True, False or None, got 2"):
        mg.compile(abs, fuse=2)  # type: ignore[arg-type]


def test_numbers_of_calls() -> None:
    fast = mg.compile(lambda x: x * 2)
    for _ in range(5):
        fast(mg.ones(2))
    for _ in range(2):
        fast(mg.ones(3))
    stats = fast.stats()
    assert (stats["calls"], stats["eager"], stats["recorded"], stats["replayed"], stats["programs"]) == (7, 2, 2, 3, 2)
    assert stats["recording_seconds"] > 0
    assert stats["planning_seconds"] > 0


# ---- kernels of a program's own, and the cache


SCRIPT = """
    import sys, time
    import numpy as np
    import minigrad as mg
    from minigrad import nn, optim
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = optim.Adam(model.parameters())

    @mg.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    random = np.random.default_rng(0)
    x, y = mg.tensor(random.standard_normal((8, 4)), dtype=mg.float32), mg.tensor(random.integers(0, 3, 8))
    calls, until = 0, time.monotonic() + float(sys.argv[1])
    while calls < 300 or (time.monotonic() < until and not step.stats()["fused_programs"]):
        loss = step(x, y)
        calls += 1
        if calls == 300:
            print(repr(loss.item()))
    print(step.stats()["fused_programs"])
"""


def run_script(folder: Path, seconds: float = 0.0) -> list[str]:
    environment = {**os.environ, "MINIGRAD_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT), str(seconds)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@needs_kernels
def test_fused_kernels_are_compiled_beside_and_there_for_the_next_process(tmp_path: Path) -> None:
    first = run_script(tmp_path, 120.0)
    assert first[1] == "1"
    assert run_script(tmp_path) == first
    for path in (tmp_path / "__pycache__").glob("*.nb*"):
        path.write_bytes(path.read_bytes()[:20])
    assert run_script(tmp_path) == first


@needs_kernels
def test_without_a_cache_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    loss, fused = run_script(tmp_path / "file" / "cache")
    assert loss == run_script(tmp_path / "cache")[0]
    assert fused == "0"


@needs_kernels
def test_two_processes_compile_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "MINIGRAD_CACHE": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), "120"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert found[0] == found[1]
    assert found[0][1] == "1"


@needs_kernels
def test_a_changed_rule_makes_another_kernel_and_leaves_the_others() -> None:
    def kernels(activation: Any) -> set[str]:
        mg.manual_seed(0)
        fast = mg.compile(lambda x, row: (activation(x + row) * 2, mg.exp(x) - row), fuse=True)
        for _ in range(3):
            fast(mg.ones(4, 3), mg.ones(3))
        return {kernel.source for replay in fast._replays for kernel in replay.program.schedule.built()}

    one, other = kernels(mg.tanh), kernels(mg.sigmoid)
    assert one
    assert one != other
    assert kernels(mg.tanh) == one

"""What is recorded, in which mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphs import leaf, shared, values

import minigrad as mg

ROOT = Path(__file__).resolve().parents[1]


def test_leaves_and_steps_know_what_they_are() -> None:
    x = leaf(2.0)
    y = x * 3
    assert x.is_leaf
    assert x.grad_fn is None
    assert not y.is_leaf
    assert "mul" == y.grad_fn.name
    assert ((x, 0),) == y.grad_fn.next_functions
    assert ((y.grad_fn, 0),) == (y + 1).grad_fn.next_functions


def test_nothing_is_recorded_without_need() -> None:
    a, b = mg.tensor([1.0]), mg.tensor([2.0])
    assert (a * b).grad_fn is None
    assert not (a * b).requires_grad
    x = leaf(1.0, 2.0)
    assert (x > 1).grad_fn is None
    assert x.argmax().grad_fn is None


def test_detach_cuts_the_graph() -> None:
    x = leaf(3.0)
    y = x * x
    (y.detach() * x).backward()
    assert 9.0 == x.grad.item()
    assert shared(y, y.detach())
    assert not y.detach().requires_grad


def test_no_grad_records_nothing() -> None:
    x = leaf(3.0)
    with mg.no_grad():
        y = x * x
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()
    assert y.is_leaf
    assert not y.requires_grad
    assert 9.0 == y.item()


def test_modes_nest() -> None:
    seen = []
    with mg.no_grad():
        seen.append(mg.is_grad_enabled())
        with mg.enable_grad():
            seen.append(mg.is_grad_enabled())
            with mg.set_grad_enabled(False):
                seen.append(mg.is_grad_enabled())
                with mg.set_grad_enabled(True):
                    seen.append(mg.is_grad_enabled())
                seen.append(mg.is_grad_enabled())
            seen.append(mg.is_grad_enabled())
        seen.append(mg.is_grad_enabled())
    seen.append(mg.is_grad_enabled())
    assert [False, True, False, True, False, True, False, True] == seen


def test_modes_end_with_an_exception() -> None:
    for mode in (mg.no_grad, lambda: mg.set_grad_enabled(False)):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert mg.is_grad_enabled()
    with mg.no_grad():
        with pytest.raises(KeyError), mg.enable_grad():
            raise KeyError
        assert not mg.is_grad_enabled()


def test_modes_decorate() -> None:
    @mg.no_grad()
    def evaluate(x: mg.Tensor, depth: int = 2) -> tuple[bool, mg.Tensor]:
        """Doc."""
        if depth:
            return evaluate(x, depth - 1)
        return mg.is_grad_enabled(), x * 2

    @mg.enable_grad()
    def differentiate(x: mg.Tensor) -> mg.Tensor:
        return x * 2

    x = leaf(1.0)
    enabled, y = evaluate(x)
    assert (False, False) == (enabled, y.requires_grad)
    assert ("evaluate", "Doc.") == (evaluate.__name__, evaluate.__doc__)
    with mg.no_grad():
        assert differentiate(x).requires_grad
    assert mg.is_grad_enabled()


def test_a_decorated_function_that_raises_restores_the_mode() -> None:
    @mg.no_grad()
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert mg.is_grad_enabled()


def test_one_mode_object_can_be_entered_again() -> None:
    mode = mg.no_grad()
    for _ in range(2):
        with mode, mode:
            assert not mg.is_grad_enabled()
        assert mg.is_grad_enabled()


def test_set_grad_enabled_works_as_a_statement() -> None:
    try:
        mg.set_grad_enabled(False)
        assert not mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)
    assert mg.is_grad_enabled()


def test_set_grad_enabled_decorates() -> None:
    try:

        @mg.set_grad_enabled(False)
        def evaluate() -> bool:
            return mg.is_grad_enabled()

        assert mg.is_grad_enabled()
        assert not evaluate()
        assert not evaluate()
        assert mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)


def test_set_grad_enabled_made_earlier_and_entered_later() -> None:
    try:
        mode = mg.set_grad_enabled(False)
        mg.set_grad_enabled(True)
        with mode:
            assert not mg.is_grad_enabled()
        assert mg.is_grad_enabled()
    finally:
        mg.set_grad_enabled(True)


def test_modes_decorate_without_parentheses() -> None:
    @mg.no_grad
    def evaluate() -> bool:
        return mg.is_grad_enabled()

    assert not evaluate()
    assert mg.is_grad_enabled()


def test_modes_decorate_generators() -> None:
    @mg.no_grad()
    def batches() -> Iterator[bool]:
        for _ in range(2):
            yield mg.is_grad_enabled()

    inside = []
    for enabled in batches():
        inside.append(enabled)
        assert mg.is_grad_enabled()
    assert [False, False] == inside


def test_the_mode_belongs_to_its_thread() -> None:
    seen = {}
    entered, asked = threading.Event(), threading.Event()

    def hold() -> None:
        with mg.no_grad():
            entered.set()
            asked.wait(10)
            seen["holder"] = mg.is_grad_enabled()

    def fresh() -> None:
        seen["fresh"] = mg.is_grad_enabled()

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    seen["main"] = mg.is_grad_enabled()
    with mg.no_grad():
        other = threading.Thread(target=fresh)
        other.start()
        other.join()
    asked.set()
    holder.join()
    assert {"holder": False, "main": True, "fresh": True} == seen


def test_no_rule_runs_for_an_input_that_requires_no_grad(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0], requires_grad=True), mg.tensor([5.0, 6.0])
    product(a, b, c).sum().backward()
    assert ["b"] == ran
    assert [5.0, 12.0] == values(b.grad)
    assert a.grad is None
    assert c.grad is None


def test_all_rules_run_once_where_all_inputs_require_grad(spy: tuple[Any, list[str]]) -> None:
    product, ran = spy
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    product(a, b, c).sum().backward()
    assert ["a", "b", "c"] == ran
    assert [[15.0, 24.0], [5.0, 12.0], [3.0, 8.0]] == [values(t.grad) for t in (a, b, c)]

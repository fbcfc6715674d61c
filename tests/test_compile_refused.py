"""mg.compile: what a replay would not do again is refused, with the line and the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, CompileError, InputTypeError

F = nn.functional


def _refused(function: Any, *arguments: Any) -> str:
    fast = mg.compile(function)
    fast(*arguments)
    with pytest.raises(CompileError) as caught:
        fast(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("item", lambda y: y.item()),
        ("numpy", lambda y: y.detach().numpy()),
        ("tolist", lambda y: y.tolist()),
        ("item", float),
        ("item", lambda y: int(y)),
        ("bool", bool),
        ("bool", lambda y: 1 if y > 0 else 2),
        ("item", lambda y: f"{y:.3f}"),
        ("numpy", lambda y: np.asarray(y.detach())),
    ],
)
def test_a_look_at_values_is_refused_with_the_line_and_the_way_out(name: str, look: Any) -> None:
    message = _refused(lambda x: look((x * x).sum()) and x, mg.tensor([1.0, 2.0]))
    assert f"compile: {name} at {__file__}:" in message
    assert "mg.where(condition, a, b)" in message


def test_arrays_inside_are_refused() -> None:
    message = _refused(lambda x: x + mg.tensor(np.ones(2)), mg.tensor([1.0, 2.0]))
    assert "made of other data at" in message
    assert __file__ in message


def test_arrays_as_arguments_are_refused() -> None:
    with pytest.raises(CompileError, match=r"called with x a NumPy array of shape \(2,\); hand in a Tensor, mg.from_numpy"):
        mg.compile(lambda x: mg.tensor(x) * 2)(np.ones(2))


def test_graphs_from_outside() -> None:
    w = mg.ones(2, requires_grad=True)
    outside = w * 3
    assert "that was computed outside of the function and carries its graph" in _refused(lambda x: x * outside, mg.ones(2))


def test_other_results_are_refused() -> None:
    assert "the function returned a float, which a replay would not compute again" in _refused(lambda x: 0.5, mg.ones(2))
    assert "the function returned a object" in _refused(lambda x: object(), mg.ones(2))


def test_settings_are_checked() -> None:
    with pytest.raises(InputTypeError, match="compile: function must be callable, got int"):
        mg.compile(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="compile: verify must be a number of calls, 0 for never, got -1"):
        mg.compile(lambda x: x, verify=-1)
    with pytest.raises(CompileError, match=r"program: .* has no program yet; the second call of a signature records one"):
        mg.compile(lambda x: x).program()

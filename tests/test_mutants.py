"""Backward rules spoilt on purpose: the gradient check of some case must notice each of them.

A mutant puts another function in the place of a rule (or of its kernel) while the checks run. Rules are spoilt in formula mode, where
they are called as they are written; kernels are spoilt where they run.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
from cases import CASES
from op_cases import OpCase, call, tensors, tracked

import minigrad as mg
from minigrad.core.op import Op
from minigrad.errors import MinigradError
from minigrad.kernels.arrays import sum_to
from minigrad.kernels.cache import kernels_enabled

LIBRARY = [operation for operation in Op.instances if operation.formula.__module__.startswith("minigrad.ops.")]
Function = Callable[..., Any]


class Mutant(NamedTuple):
    """A rule of an operation, the kind of damage, and the damaged function."""

    operation: Op[Any]
    argument: str
    damage: str
    spoilt: Function
    in_kernel: bool = False

    def __str__(self) -> str:
        return f"{self.operation.name}-{self.argument}-{self.damage}{'-kernel' * self.in_kernel}"


# Rules whose gradient is 0 everywhere: a sign, a factor or a lost gradient changes nothing there.
ALWAYS_ZERO = {
    ("floor", "x"), ("ceil", "x"), ("trunc", "x"), ("rint", "x"), ("round_scaled", "x"), ("sign", "x"),
    ("copysign", "b"), ("div_floor", "a"), ("div_floor", "b"), ("div_trunc", "a"), ("div_trunc", "b"),
    ("hinge_embedding_loss", "target"),
}  # fmt: skip

# Exchanges between which the rule cannot tell: it is symmetric in the two.
SYMMETRIC = {
    "copysign-a-a for y", "copysign-a-g for y", "combine_at-x-x for y",
    "lerp-end-g for weight", "exp2-x-g for y", "xlogy-b-g for a", "hypot-a-g for a", "hypot-b-g for b",
    "mul-a-g for b", "mul-b-g for a", "exp-x-g for y", "div-b-g for y", "pow_tensor-exponent-g for y", "clamp_both-max-x for min",
    "normal_pdf-x-g for x", "normal_pdf-x-g for y", "normal_pdf-x-x for y", "binary_cross_entropy-input-g for weight",
    "binary_cross_entropy-target-g for weight", "binary_cross_entropy_with_logits-input-g for weight",
    "binary_cross_entropy_with_logits-target-g for weight",
    "mse_loss-input-g for weight", "mse_loss-target-g for weight", "mse_loss-weight-input for target",
    "l1_loss-input-g for weight", "l1_loss-target-g for weight", "l1_loss-weight-input for target",
    "huber_loss-input-g for weight", "huber_loss-target-g for weight", "huber_loss-weight-input for target",
    "multilabel_terms-input-g for weight", "multilabel_terms-target-g for weight", "multilabel_terms-target-g for input",
    "multilabel_terms-target-input for weight",
    "focused-ce-g for alpha", "kl_div_of_probabilities-input-g for target", "gaussian_nll-var-input for target",
}  # fmt: skip

# Only at x = 0 do these rules look at the exponent or at a, and only at infinities at x: the special values see to that.
AT_A_POINT = {"pow_tensor-exponent-without exponent", "xlogy-a-without a", "nan_to_num-x-without x"}


def results_spoilt(rule: Function) -> dict[str, Function]:
    """What can be done to a rule's result."""
    return {
        "sign": lambda *args: -rule(*args),
        "factor": lambda *args: rule(*args) * 1.0009,
        "dropped": lambda *args: rule(*args) * 0.0,
        "shifted": lambda *args: rule(*args) + 1e-3,
    }


def arguments_spoilt(rule: Function, needs: tuple[str, ...], values: set[str]) -> dict[str, Function]:
    """What can be done to the arrays that a rule reads: taken for constants (a missing factor or term), or for each other."""

    def replaced(place: int) -> Function:
        return lambda *args: rule(*args[:place], _constant(args[place]), *args[place + 1 :])

    def exchanged(i: int, j: int) -> Function:
        def run(*args: Any) -> Any:
            swapped = list(args)
            swapped[i], swapped[j] = args[j], args[i]
            return rule(*swapped)

        return run

    arrays = [i for i, name in enumerate(needs) if name in values]
    found = {f"without {needs[i]}": replaced(i) for i in arrays}
    pairs = [(i, j) for i in arrays for j in arrays if i < j]
    return found | {f"{needs[i]} for {needs[j]}": exchanged(i, j) for i, j in pairs}


def _constant(value: Any) -> Any:
    """Ones in the place of floats, zeros in the place of indices and masks."""
    if not isinstance(value, np.ndarray):
        return value
    return np.ones_like(value) if value.dtype.kind == "f" else np.zeros_like(value)


def mutants() -> Iterator[Mutant]:
    for operation in LIBRARY:
        values = {"g", "y", *operation.inputs} - {operation.sequence}
        for argument, rule in operation.rules.items():
            spoilt = {**results_spoilt(rule.function), **arguments_spoilt(rule.function, rule.needs, values)}
            for damage, function in spoilt.items():
                if (operation.name, argument) not in ALWAYS_ZERO or damage == "shifted":
                    yield Mutant(operation, argument, damage, function)
            if rule.kernel is not None and kernels_enabled():
                for damage, function in results_spoilt(rule.kernel).items():
                    yield Mutant(operation, argument, damage, function, in_kernel=True)
    for operation in LIBRARY:
        texts = {argument: inspect.getsource(rule.function).split("\n", 1)[1] for argument, rule in operation.rules.items()}
        for argument, other in [(a, b) for a in texts for b in texts if a != b and texts[a] != texts[b]]:
            yield Mutant(operation, argument, f"the rule of {other}", operation.rules[other].function)


@contextmanager
def planted(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mutant in the place of the rule."""
    operation, argument = mutant.operation, mutant.argument
    original = operation.rules[argument]
    rule = copy.copy(original)
    if mutant.in_kernel:
        rule.kernel = mutant.spoilt
    else:
        rule.function = mutant.spoilt
        rule.kernel = None
        if mutant.damage.startswith("the rule of "):
            rule.needs = operation.rules[mutant.damage.removeprefix("the rule of ")].needs
        if rule.text is not None:
            rule.text = copy.copy(rule.text)
            rule.text.is_identity = False
        for module in ("minigrad.core.elementwise", "minigrad.core.op"):
            monkeypatch.setattr(sys.modules[module], "kernels_enabled", lambda: False)
    operation.rules[argument] = rule
    operation.plans.clear()
    try:
        yield
    finally:
        operation.rules[argument] = original
        monkeypatch.undo()
        for planned in Op.instances:  # others were planned without kernels meanwhile, which later tests would meet
            planned.plans.clear()


def gradients_agree(case: OpCase, number: int) -> bool:
    sample = case.samples[number]
    inputs = tensors(sample.arguments(), case.fixed)
    if not tracked(inputs):
        return True
    try:
        with np.errstate(all="ignore"):
            return all(
                mg.gradcheck(call(case, sample), inputs, eps=case.eps, mode=mode, raise_exception=False) for mode in case.modes
            )
    except (
        MinigradError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        ArithmeticError,
    ):  # shapes that no longer fit, None for an array
        return False


def noticed(operation: Op[Any]) -> bool:
    """Whether a gradient check of a case of this operation fails."""
    found = [case for case in CASES if operation in case.covers and case.order]
    return any(not gradients_agree(case, number) for case in found for number in range(len(case.samples)))


MUTANTS = list(mutants())


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if str(mutant) not in SYMMETRIC | AT_A_POINT], ids=str)
def test_every_mutant_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(mutant, monkeypatch):
        assert noticed(mutant.operation)


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if str(mutant) in SYMMETRIC], ids=str)
def test_symmetric_exchanges_are_no_damage(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(mutant, monkeypatch):
        assert not noticed(mutant.operation)


def test_exceptions_name_mutants() -> None:
    assert set() == (SYMMETRIC | AT_A_POINT) - {str(mutant) for mutant in MUTANTS}


@pytest.mark.parametrize("operation", [operation for operation in LIBRARY if operation.rules], ids=lambda op: op.name)
def test_planting_itself_changes_nothing(operation: Op[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule put in its own place is not noticed: what the mutants are caught by is their damage."""
    for argument, rule in operation.rules.items():
        with planted(Mutant(operation, argument, "none", rule.function), monkeypatch):
            assert not noticed(operation)


def _first_instead_of_sum(x: Any, shape: Any) -> Any:
    """The gradient of one element of each broadcast axis, in the place of their sum."""
    if x.shape == tuple(shape):
        return x
    if x.size == 0:
        return np.zeros(shape, x.dtype)
    x = x[(0,) * (x.ndim - len(shape))]
    return x[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


BROADCASTING = [
    op
    for op in LIBRARY
    if sum((op.name, argument) not in ALWAYS_ZERO for argument in op.rules) > 1
    and (op.broadcasts or isinstance(op, mg.Elementwise))
    and not getattr(op, "reduces", False)
]


@pytest.mark.parametrize("operation", BROADCASTING, ids=lambda op: op.name)
def test_a_missing_sum_over_broadcast_axes_is_noticed(operation: Op[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sum_to, "array", _first_instead_of_sum)
    operation.plans.clear()
    assert noticed(operation)
    operation.plans.clear()

"""Notebook 2, why backward: the costs of both modes, the order of a pass, and what breaks without sums and zero_grad."""

import re

import pytest
from notebook_runner import run_notebook

NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("02_reverse_mode", tmp_path_factory.mktemp("reverse_mode"))


def number(text, pattern):
    return float(re.search(rf"{pattern}\s*({NUMBER})", text).group(1))


def test_a_chain_of_jacobians_is_cheaper_from_the_end(shown):
    text = shown["jacobians"].text
    assert "32 × 64, 32 × 32, 1 × 32" in text
    assert 32 * 32 * 64 + 32 * 64 == number(text, "from the beginning")
    assert 32 * 32 + 32 * 64 == number(text, "from the end")
    assert 1e-14 > number(text, "minigrad's gradient:")


def test_forward_mode_costs_a_pass_for_each_input_and_reverse_mode_one(shown):
    text = shown["neuron"].text
    slopes = 100 + 2 * 99 + 1 + 1 + 2  # products, sums, tanh, the miss, its square
    assert f"forward mode: 100 passes, {100 * slopes} multiplications" in text
    assert f"reverse mode:   1 pass,  {slopes:6} multiplications" in text
    assert 1e-13 > number(text, "forward from reverse mode:")
    assert 1e-13 > number(text, "reverse mode from minigrad:")
    assert 1e-8 > number(text, r"\(200 losses\):")
    assert 200 == number(shown["cost"].text, "forward / reverse =") == number(shown["cost"].text, "reverse / forward =")


def test_reverse_mode_keeps_more_for_more_layers(shown):
    layers, kept = zip(*re.findall(r"(\d+) layers.* (\d+) KiB", shown["memory"].text), strict=True)
    assert ("5", "10", "20") == layers
    assert [25, 25] == [(int(b) - int(a)) // (m - n) for a, b, m, n in zip(kept, kept[1:], (10, 20), (5, 10), strict=False)]


def test_wrong_orders_give_wrong_gradients(shown):
    found = dict(re.findall(rf"^(\w+) +dL/dx = +({NUMBER})", shown["orders"].text, re.MULTILINE))
    x = 1.5
    assert 8 * x == float(found["youngest_first"]) == float(found["every_path"])
    assert 1 * 2 * x == float(found["nearest_first"])
    assert (1 + 4) * 2 * x == float(found["at_each_arrival"])
    assert 8 * x == number(shown["orders"].text, "by nudging x +dL/dx =")
    assert "visits: L b a x\n" in shown["orders"].text


def test_paths_multiply(shown):
    assert f"14 rungs: {2**15 - 1} visits against 15" in shown["ladder"].text
    assert f"40 rungs: {2.0**40:.1e} paths" in shown["ladder"].text


def test_minigrad_takes_the_youngest_first(shown):
    assert [("L", "1.0"), ("b", "1.0"), ("a", "4.0"), ("x", "12.0")] == re.findall(r"dL/d(\w) = +(\S+)", shown["watch"].text)


def test_overwriting_in_place_of_adding(shown):
    rows = [re.findall(rf" ({NUMBER})(?= |$)", line)[-3:] for line in shown["overwritten"].text.splitlines()[1:]]
    for nudged, added, _ in rows:
        assert pytest.approx(float(nudged), abs=2e-6) == float(added)
    assert [False, True, True, True] == [line.endswith("wrong") for line in shown["overwritten"].text.splitlines()[1:]]


def test_rules_for_arrays_are_those_of_differences_and_of_minigrad(shown):
    rows = re.findall(rf"^(\w.*?)  +(\(.*?\)) +(\(.*?\)) +({NUMBER})   ({NUMBER})$", shown["array-rules"].text, re.MULTILINE)
    shapes = {
        "bias": ("(4, 3)", "(3,)"),
        "sum": ("()", "(4, 3)"),
        "mean": ("()", "(4, 3)"),
        "matmul, A": ("(4, 2)", "(4, 3)"),
        "matmul, B": ("(4, 2)", "(3, 2)"),
        "look-up": ("(4, 3)", "(5, 3)"),
    }
    assert shapes == {name: (output, given) for name, output, given, *_ in rows}
    assert 1e-9 > max(float(from_differences) for *_, from_differences, _ in rows)
    assert 1e-14 > max(float(from_minigrad) for *_, from_minigrad in rows)


def test_without_zero_grad_the_loss_does_not_settle(shown):
    text = shown["forgotten"].text
    assert 1e-6 > number(text, "last loss with zero_grad")
    assert 8.5 < number(text, "last 15 steps without")
    assert text.endswith("momentum 1: True\n")
    assert 1e-14 > number(shown["parts"].text, "differ by")


@pytest.mark.parametrize(
    ("cell", "printed"), [("run-1", "110000"), ("run-2", "2.0"), ("run-3", "-0.2"), ("run-4", "the graph is gone")]
)
def test_questions(shown, cell, printed):
    question = shown[cell.replace("run", "question")].text
    assert f") {printed}\n" in question
    assert printed == shown[cell].text.splitlines()[0]


def test_pictures(shown):
    assert {"cost": 1, "order-picture": 1, "ladder": 1, "array-picture": 1, "forgotten": 1} == {
        name: found.pictures for name, found in shown.items() if found.pictures
    }


def test_the_exercise_waits_and_its_solution_is_right(shown):
    assert shown["dual"].text.startswith("Not yet.\n")
    assert "Right!\n" == shown["solved-dual"].text
    assert "learn.check" in shown["more-exercises"].text

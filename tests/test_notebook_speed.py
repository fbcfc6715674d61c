"""Notebook 9, how it is fast: the readers of a rule, counts of calls and arrays, the program, bits. No test reads a time."""

import math
import re
from types import SimpleNamespace

import pytest
from notebook_runner import run_notebook

POINTS = [-2.0, 0.0, 0.75, 3.0]


def declared(formula, name="mine", above="", rule=""):
    """The answer that declares an operation of this formula, and its rule, if there is one."""
    ruled = f"\n\n    @{name}.backward('x')\n    def _(g, x):\n        return {rule}" if rule else ""
    return f"    @mg.elementwise\n    def {name}(x):\n{above}        return {formula}{ruled}"


ANSWERS = {
    "mine": {
        "plain-function": "    def mine(x):\n        return 1 / (1 + x * x)",
        "library": "    mine = mg.tanh",
        "bell": declared("1 / (1 + x * x)", "bell", rule="-2 * g * x / ((1 + x * x) * (1 + x * x))") + "\n    mine = bell",
        "no-rule": declared("1 / (1 + x * x)"),
        "branch": declared("x", above="        if x < 0:\n            return -x\n"),
        "numpy": declared("np.sqrt(1 + x * x)"),
        "built-in": declared("x / (1 + abs(x))"),
    }
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return run_notebook("09_speed", tmp_path_factory.mktemp("speed"), ANSWERS)


def numbers(text, beginning):
    found = re.search(rf"^{re.escape(beginning)} *\[(.*)\]$", text, re.MULTILINE).group(1)
    return [float(number) for number in found.split(", ")]


def slope(x):
    return (1 + x * x) ** -1.5


def test_floats_and_arrays_read_formula_and_rule(shown):
    text = shown["declare"].text
    right = [x / math.sqrt(1 + x * x) for x in POINTS]
    assert right == numbers(text, "formula, floats")
    assert right == numbers(text, "formula, NumPy")
    assert pytest.approx([slope(x) for x in POINTS], rel=1e-14) == numbers(text, "rule, NumPy")


def test_numba_reads_loops(shown):
    forward, backward = shown["numba"].text.split("def ")[1:]
    assert "out[i] = x_x[i] / sqrt(T(1) + x_x[i] * x_x[i])" in forward
    assert "t_r = T(1) / sqrt(T(1) + x_x[i] * x_x[i])" in backward
    assert "out[i] = x_g[i] * t_r * t_r * t_r" in backward
    assert 1 == forward.count("for ") == backward.count("for ")


def test_tensors_read_the_rule_and_give_the_second_derivative(shown):
    text = shown["tensors-and-javascript"].text
    right = [(slope(x + 1e-5) - slope(x - 1e-5)) / 2e-5 for x in POINTS]
    assert pytest.approx(right, abs=1e-9) == numbers(text, "by the rule:")
    assert pytest.approx(right, abs=1e-9) == numbers(text, "on paper:")


def test_javascript_computes_the_same(shown):
    lines, result = re.search(
        r"^\(v_g, v_x\) => \{ (.*) return (\w+); \}$", shown["tensors-and-javascript"].text, re.MULTILINE
    ).groups()
    for x in POINTS:
        scope = {"v_g": 1.0, "v_x": x, "N": SimpleNamespace(sqrt=math.sqrt)}
        exec(lines.replace("const ", "").replace("; ", "\n"), scope)
        assert slope(x) == pytest.approx(scope[result], rel=1e-14)


def test_readers_agree_to_the_last_bit_and_with_finite_differences(shown):
    text = shown["finite-differences"].text
    assert ["floats", "NumPy", "Numba", "Tensors"] == re.findall(
        r"^(\w+) +differ from NumPy's in 0 of 161 points$", text, re.MULTILINE
    )
    assert float(re.search(r"at most (\S+) away", text).group(1)) < 1e-9
    assert "gradcheck says True" in text


def test_arrays_that_are_walked_over(shown):
    assert "NumPy walks over 9 arrays, the kernel over 2" in shown["walked"].text
    assert "NumPy walks over 17 arrays, the kernel over 3" in shown["walked"].text


@pytest.mark.parametrize(("number", "printed"), [(1, "9"), (2, "2"), (3, "0.0 1.0"), (4, "1.6")])
def test_questions(shown, number, printed):
    assert f") {printed}\n" in shown[f"question-{number}"].text
    assert printed == shown[f"run-{number}"].text.strip()


def test_a_replay_calls_few_functions(shown):
    eager = int(re.match(r"(\d+) calls in a step as it is", shown["step"].text).group(1))
    replay = int(re.match(r"(\d+) calls in a replay", shown["compiled"].text).group(1))
    assert 3 * replay < eager


def test_the_program_has_the_lines_that_the_text_explains(shown):
    text = shown["compiled"].text
    assert "step: 11 steps, 11 of them run by the machine" in text
    lines = dict(re.findall(r"^ +(\d+)  (.*?)  ", text, re.MULTILINE))
    explained = {
        1: "linear = product(X, hidden.weight)",
        2: "linear += hidden.bias; isru = isru(linear)",
        3: "linear_2 = linear(isru, out.weight, out.bias)",
        4: "cross_entropy, residual = cross_entropy(linear_2, target)",
        5: "d isru = linear_backward(residual, out.weight)",
        6: "d out.weight = linear_backward(residual, isru)",
        7: "d out.bias = linear_backward(residual)",
        8: "d linear = isru_backward(d isru, linear)",
        9: "d hidden.weight = linear_backward(d linear, X)",
        10: "d hidden.bias = linear_backward(d linear)",
        11: "Adam.step()",
    }
    assert {str(number): line for number, line in explained.items()} == lines
    assert 1 == text.count("machine, fused")


def test_replays_give_the_same_bits(shown):
    assert "0 of 200 losses differ, and 0 of 82 parameters" in shown["bits"].text
    assert "198 of the steps were replays" in shown["bits"].text


def test_fusion_makes_one_loop_and_leaves_the_mean_alone(shown):
    text = shown["chain"].text
    assert "chain: 6 steps" in text
    assert "chain: 2 steps" in text
    assert re.search(r"^ +2  mean = mean\(sub", text, re.MULTILINE)
    assert "the same bits: True" in text
    loop = text[text.index("def fused(") :]
    assert 1 == loop.count("for ")
    assert ["b0[i]"] == re.findall(r"^ +(\w+\[i\]) =", loop, re.MULTILINE)


def test_operations_are_placed_by_their_counts(shown):
    rows = re.findall(r"^(isru|chain|product) +(.*?) {2,}(\d+\.\d\d) ", shown["roofline"].text, re.MULTILINE)
    counted = {
        "Python's floats": 4 / 8,
        "NumPy": 4 / 36,
        "one kernel": 4 / 8,
        "apart": 9 / 48,
        "fused": 9 / 12,
        "matrix · vector": 2 / 4,
        **{f"{n} × {n}": n / 6 for n in (4, 16, 64, 256, 512)},
    }
    assert {name: f"{intensity:.2f}" for name, intensity in counted.items()} == {name: found for _, name, found in rows}


def test_gradcheck_tells_where_the_hasty_rule_is_wrong(shown):
    text = shown["own-hasty"].text
    assert "where x[0] = -3\n  analytic     4\n  numeric      0.25\n" in text
    assert "failing      2 of 25 entries" in text
    assert "It fails only where x is ≤ -0.5" in text


def test_the_right_rule_is_checked_and_has_kernels(shown):
    text = shown["own-checked"].text
    assert f"symlog of 3: {math.log(4):.6f}, " in text
    assert "gradcheck: True   gradgradcheck: True" in text
    assert float(re.search(r"from differences: (\S+)", text).group(1)) < 1e-9
    text = shown["own-kernel"].text
    assert "out[i] = log1p(maximum(x_x[i], T(0))) - log1p(maximum(-x_x[i], T(0)))" in text
    assert "out[i] = x_g[i] * exp(-absolute(x_y[i]))" in text


def test_a_network_is_trained_with_it_by_a_program_that_holds_its_rule(shown):
    text = shown["own-training"].text
    straight, bent = re.findall(r"loss (\S+) → (\S+)   right: (\d+)%", text)
    assert 0.2 < float(straight[1])
    assert 80 < int(straight[2]) < 95
    assert float(bent[1]) < 0.02
    assert "100" == bent[2]
    assert "598 of 600 steps were replays" in text
    lines = dict(re.findall(r"^ +(\d+)  (.*?)  ", text, re.MULTILINE))
    assert "linear += hidden.bias; symlog = symlog(linear)" == lines["2"]
    assert "linear_2 = linear(symlog, out.weight, out.bias)" == lines["3"]
    assert "d linear = symlog_backward(d symlog, symlog)" == lines["8"]


def test_an_operation_of_the_reader_s_own_is_awaited(shown):
    assert shown["mine"].text.startswith("Not yet.\nrelu is the library's.")
    assert "Right! Its network goes from loss 0." in shown["solved-mine"].text
    assert "8  d linear = mine_backward(d mine, mine)" in shown["solved-mine"].text


def test_an_operation_may_have_any_name(shown):
    assert shown["mine-bell"].text.startswith("Right! ")
    assert "8  d linear = bell_backward(d bell, linear)" in shown["mine-bell"].text


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("plain-function", "Declare it by @mg.elementwise"),
        ("library", "tanh is the library's"),
        ("no-rule", "mine: declares no backward rule"),
        ("branch", "a rule is straight-line assignments and one return, not `if x < 0:`"),
        ("numpy", "`np.sqrt(1 + x * x)` calls what is no function of the notation (sqrt, "),
        ("built-in", "`abs(x)` calls what is no function of the notation (absolute, "),
    ],
)
def test_usual_mistakes_are_told_apart(shown, answer, told):
    text = shown[f"mine-{answer}"].text
    assert text.startswith("Not yet.\n")
    assert told in text


def test_pictures(shown):
    cells = ("finite-differences", "per-element", "widths", "bandwidth", "roofline", "own-checked", "own-picture")
    drawn = {name: cell.pictures for name, cell in shown.items() if cell.pictures}
    assert dict.fromkeys(cells, 1) == drawn


def test_tasks_are_shown(shown):
    assert shown["sigmoid"].text.startswith("sigmoid: ")
    assert shown["adam"].text.startswith("adam: ")


def test_the_exercise_waits_and_its_solution_is_right(shown):
    assert shown["intensity"].text.startswith("Not yet: for n = 1 ")
    assert shown["solved-intensity"].text.startswith("Right!\n")
    assert re.search(r"^Bound by arithmetic from n = \d+ on$", shown["solved-intensity"].text, re.MULTILINE)

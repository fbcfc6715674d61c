"""The benchmarks' arithmetic, tables and arguments. Nothing here takes a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import (
    accuracy,
    chain,
    compiled,
    digits_race,
    first_steps,
    growth,
    inference,
    kernels,
    layers,
    looking,
    losses,
    memory,
    quiet,
    startup,
    steps,
)
from benchmarks.contenders import Eager, installed
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number, ratio
from benchmarks.timing import SAMPLE_SECONDS, calibrate
from benchmarks.workloads import NETS, data, dense, training
from minigrad.core.elementwise import Elementwise
from minigrad.core.op import Op


def results(**values: list[float]) -> Results:
    """One case, "step"."""
    made = Results()
    for contender, rounds in values.items():
        made.values[contender, "step"] = rounds
    return made


def test_ratio_is_the_peers_time_over_ours() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(None, 3.0) is None
    assert ratio(6.0, None) is None


def test_ratio_of_results_is_that_of_medians() -> None:
    made = results(minigrad=[1.0, 9.0, 2.0], torch=[4.0, 5.0, 100.0])
    assert made.ratio("torch", "step") == 2.5
    assert made.ratio("jax", "step") is None
    assert made.ratios("torch", "step") == [5 / 9, 4.0, 50.0]


def test_a_missing_contender_is_named() -> None:
    made = results(minigrad=[1.0])
    made.missing = {"jax"}
    assert made.cell("minigrad", "step", duration) == "1.00 s"
    assert made.cell("jax", "step", duration) == "not installed"
    assert made.cell("torch", "step", duration) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.831, "0.83"), (4.116, "4.12"), (57.31, "57.3"), (1240.4, "1240"), (2.1e6, "2e6"), (np.inf, "∞"), (None, "–")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.05, "2.05 s"), (0.0786, "78.6 ms"), (63.1e-6, "63.1 µs"), (859e-9, "859 ns"), (1e-10, "0.10 ns")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_table_as_text_and_markdown() -> None:
    table = Table("Steps", ("net", "ratio"), "A note.")
    table.add("moons", table.at_least("step, moons", 3.5, 4))
    table.add("mnist", table.at_least("step, mnist", 1.5, 1.3))
    assert table.text().splitlines() == ["Steps", "A note.", "", "net     ratio", "-----  ------", "moons  3.50 ✗", "mnist    1.50"]
    assert table.markdown().splitlines() == [
        "## Steps",
        "",
        "A note.",
        "",
        "| net | ratio |",
        "|---|---:|",
        "| moons | 3.50 ✗ |",
        "| mnist | 1.50 |",
    ]
    assert table.missed == ["step, moons: 3.50, at least 4"]
    with pytest.raises(ValueError, match="a row needs 2 cells, got 1"):
        table.add("wide")


def test_a_value_that_rounds_to_its_target_reaches_it() -> None:
    table = Table("t", ("a",))
    assert table.at_least("a", 0.996, 1.0) == "1.00"
    assert table.at_most("a", 0.704, 0.7) == "0.70"
    assert table.at_most("a", 0.71, 0.7) == "0.71 ✗"
    assert table.at_least("a", 0.1, None) == "0.10"
    assert table.at_least("a", None, 1.0) == "–"
    assert table.missed == ["a: 0.71, at most 0.7"]


def test_calibrate_reaches_the_length_of_a_sample() -> None:
    calls = calibrate(lambda calls: calls * 1e-6)
    assert SAMPLE_SECONDS <= calls * 1e-6 < 2 * SAMPLE_SECONDS
    assert calibrate(lambda calls: calls * 1.0) == 1


@pytest.mark.parametrize(
    ("arguments", "message"), [(["stepz"], "there is no section stepz"), (["--rounds", "0"], "at least 1, got 0")]
)
def test_argument_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.parse(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_only_a_full_run_writes_unasked() -> None:
    assert command.parse([]).write
    assert command.parse([]).sections == list(command.SECTIONS)
    assert not command.parse(["--quick"]).write
    assert not command.parse(["steps"]).write
    assert command.parse(["--quick", "--write"]).write
    assert command.parse(["chain", "steps"]).sections == ["steps", "chain"]


@pytest.mark.parametrize(
    "section",
    [
        steps,
        compiled,
        growth,
        inference,
        first_steps,
        digits_race,
        memory,
        kernels,
        losses,
        layers,
        looking,
        startup,
        chain,
        accuracy,
    ],
)
def test_tables_without_any_result(section: Any) -> None:
    nothing = Results()
    nothing.missing = {contender for contender, _ in section.JOBS}
    for table in section.tables(nothing):
        assert table.text()
        assert table.missed == []


def test_a_step_that_hooks_have_slowed_down_is_missed() -> None:
    made = Results()
    for case, seconds in {"eager, before": 1e-4, "eager, after": 1.2e-4, "compiled, before": 1e-5, "compiled, after": 1e-5}.items():
        made.values["minigrad", case] = [seconds]
    _, gone, _ = looking.tables(made)
    assert gone.rows == [("eager", "100 µs", "120 µs", "1.20 ✗", "1.10"), ("compiled", "10.0 µs", "10.0 µs", "1.00", "1.10")]
    assert gone.missed == ["eager step without hooks: 1.20, at most 1.1"]


def test_what_looks_on_in_the_benchmark_is_told_and_gone_afterwards() -> None:
    library = Eager("minigrad")
    model = dense(library, NETS["moons"].sizes)
    step = training(library, model)
    told = []
    model[0].register_forward_hook(lambda *call: told.append(call))
    looking.look_on(model, lambda: step(*map(library.tensor, data(NETS["moons"])[0])))
    assert len(told) == 1
    assert [len(module._hooks) for module in model.modules()] == [0, 1, 0, 0, 0, 0]
    assert not any(parameter.hooks for parameter in model.parameters())


def test_document_lists_what_was_missed_and_what_failed() -> None:
    table = Table("Steps", ("net", "ratio"))
    table.add("moons", table.at_least("step, moons", 3.5, 4))
    text = command.document([table], {"Python": "3"}, ["steps, wide: jax failed: reason"], quick=False)
    assert "- Python: 3\n" in text
    assert "Targets missed: 1\n\n- step, moons: 3.50, at least 4\n" in text
    assert "- steps, wide: jax failed: reason\n" in text
    assert text.endswith("| moons | 3.50 ✗ |\n")


def test_every_example_that_is_started_is_in_the_checkout_or_said_to_be_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "EXAMPLE", tmp_path / "moons.py")
    (imports,) = startup.tables(Results())
    assert "skipped" in imports.note


def test_the_page_on_accuracy_holds_its_tables() -> None:
    facts = dict.fromkeys(("minigrad", "numpy", "numba", "torch", "date"), "1")
    page = command.accuracy_page([Table("Accuracy", ("function", "ulp"), rows=[("exp", "0.9")])], facts)
    assert page.startswith("# How far elementwise functions are off\n")
    assert "(minigrad 1, numpy 1, numba 1, torch 1; 1)" in page
    assert "| exp | 0.9 |" in page


def test_what_other_processes_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = tmp_path / "stat"
    statistics.write_text("cpu  100 0 50 9999 7 0 0 0 0 0\ncpu0 1 2 3\n", encoding="ascii")
    monkeypatch.setattr(quiet, "STATISTICS", statistics)
    monkeypatch.setattr("os.sysconf", lambda name: 100)
    assert quiet.busy_seconds() == 1.5
    watch = quiet.Watch()
    statistics.write_text("cpu  900100 0 50 9999 7 0 0 0 0 0\n", encoding="ascii")
    assert watch.others() > quiet.TOLERATED
    statistics.unlink()
    assert quiet.busy_seconds() is None
    assert watch.others() == 0.0


def test_errors_in_ulp() -> None:
    nearest = np.array([1.0, 1.0, np.inf, np.nan, 1.0, 0.0], np.float32)
    values = np.array([1.0, 1.0 + 2**-23, np.inf, np.nan, np.inf, 2.0**-149])
    rest = np.array([0.25, 0.25, 0, 0, 0, 0])
    assert accuracy.errors(values, nearest, rest).tolist() == [0.25, 0.75, 0.0, 0.0, np.inf, 1.0]


@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_numpy_is_close_to_the_exact_functions(dtype: str) -> None:
    pytest.importorskip("mpmath")
    nearest, rest = (np.array(part) for part in accuracy.exact("exp", dtype, quick=True))
    with np.errstate(over="ignore", under="ignore"):
        values = np.exp(*accuracy.points("exp", dtype, quick=True))
    assert accuracy.errors(values.astype(np.float64), nearest.astype(dtype), rest).max() < 4


def test_every_elementwise_operation_has_a_row_of_accuracy_or_a_reason() -> None:
    operations = {op.name for op in Op.instances if isinstance(op, Elementwise) and op.formula.__module__.startswith("minigrad.")}
    rows = {accuracy.NAMES.get(name, name) for name in operations - accuracy.WITHOUT_A_ROW.keys()}
    composed = {"gelu", "square"}  # plain functions of such operations
    assert rows <= set(accuracy.ROWS)
    assert set(accuracy.ROWS) - rows <= composed
    assert accuracy.WITHOUT_A_ROW.keys() <= operations


def test_a_contender_needs_the_import_that_its_name_begins_with() -> None:
    assert installed("numba by hand")
    assert installed("python")
    assert not installed("no_such_library eager")


def test_the_name_of_a_net() -> None:
    assert str(NETS["moons"]) == "2-16-16-2, 100"
    assert str(compiled.NETS["deep"]) == "64-12×64-10, 64"


@pytest.mark.parametrize("order", ["in, out", "out, in"])
@pytest.mark.parametrize("exp", ["in the kernel", "NumPy's"])
def test_the_step_by_hand_does_what_minigrads_does(order: str, exp: str) -> None:
    from benchmarks.by_hand import ByHand

    net, rate, library = NETS["moons"], 1e-2, Eager("minigrad")
    by_hand, model = ByHand(*net, (order, exp), rate), dense(library, net.sizes)
    arrays = [array.T if order == "in, out" else array for array in by_hand.parameters]  # a bias is its own transpose
    with library.root.no_grad():
        for parameter, array in zip(model.parameters(), arrays, strict=True):
            parameter.copy_(library.tensor(array.copy()))
    step = training(library, model, rate)
    for x, y in data(net):
        assert by_hand.step(x, y) == pytest.approx(step(library.tensor(x), library.tensor(y)).item(), rel=1e-5)
    for parameter, array in zip(model.parameters(), arrays, strict=True):
        np.testing.assert_allclose(array, parameter.detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("net", inference.NAMES)
def test_inference_of_given_weights(net: str) -> None:
    sizes, x = inference.NAMES[net], np.random.default_rng(0).standard_normal((3, inference.NAMES[net][0]), np.float32)
    predict, tensor, mode = inference.forward("minigrad", sizes)
    with mode():
        for _ in range(3):
            np.testing.assert_allclose(np.asarray(predict(tensor(x))), inference.expected(sizes, x), rtol=1e-4, atol=1e-5)


def test_a_fit_finds_the_terms_of_a_sum_and_leaves_out_negative_ones() -> None:
    axis = growth.AXES["width"]
    w = np.array(axis.values, float)
    found = growth.fit(axis, 1e-5 + 2e-8 * w + 3e-9 * w**2)
    np.testing.assert_allclose(found.coefficients, [1e-5, 2e-8, 3e-9], rtol=1e-6)
    assert found.worst < 1e-6
    assert found.slope == pytest.approx(2, abs=0.02)
    assert growth.fit(axis, 1e-5 - 2e-8 * w + 3e-9 * w**2).coefficients.min() == 0


def test_a_table_with_a_picture() -> None:
    table = Table("Growth", ("net",), "A note.", picture="growth.png")
    assert "A note.\n\n![Growth](growth.png)\n\n| net |" in table.markdown()
    assert "png" not in table.text()


def test_the_picture_of_growth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    made = Results()
    for contender in growth.HEADS:
        for name, axis in growth.AXES.items():
            for value in axis.values:
                made.values[contender, growth.case(name, value)] = [1e-5 + 1e-6 * value]
    monkeypatch.setattr(growth, "PICTURE", tmp_path / "growth.png")
    growth.draw(made)
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    assert growth.tables(made)[0].picture == "growth.png"

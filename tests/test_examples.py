"""The examples: as functions, from the command line, their output and their pictures."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from examples import custom_op, digits, fraud, moons
from minigrad.evaluate import evaluate, evaluate_outputs

ROOT = Path(__file__).parent.parent
EXAMPLES = [custom_op, digits, fraud, moons]

needs_digits = pytest.mark.skipif(find_spec("sklearn") is None, reason="needs scikit-learn")
needs_plots = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")


def run(example, *flags, folder, code=None):
    """Run an example as a user does, in a folder of its own."""
    command = [sys.executable, *(["-c", code] if code else [ROOT / "examples" / f"{example}.py"]), *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, encoding="utf-8")


def command_line(example, *flags, monkeypatch):
    """Run an example's command line in this process; the exit code."""
    monkeypatch.setattr(sys, "argv", [f"{example.__name__.rpartition('.')[2]}.py", *flags])
    try:
        example.command_line()
    except SystemExit as error:
        return error.code
    return 0


def assert_picture(path):
    from matplotlib.image import imread

    pixels = imread(path)
    assert min(pixels.shape[:2]) > 200, "too small to read"
    assert np.ptp(pixels[..., :3]) == 1, "no ink, or no paper"
    assert 0.05 < pixels[..., :3].std(), "blank"


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def assert_promised(example, printed, within=0.02):
    """The last line printed is the one that the docstring ends with, up to what rounding makes of a training."""
    promised = example.__doc__.strip().splitlines()[-1].strip()
    assert re.sub(r"[\d.]+", "#", promised) == re.sub(r"[\d.]+", "#", printed)
    assert numbers(promised) == pytest.approx(numbers(printed), abs=within)


# ---- digits


@needs_digits
@needs_plots
def test_digits_in_full(tmp_path, capsys):
    accuracy = digits.main(out=tmp_path)
    assert accuracy >= 0.97
    lines = capsys.readouterr().out.splitlines()
    assert_promised(digits, lines[-1])
    assert [accuracy] == pytest.approx(numbers(lines[-1]), abs=1e-4)
    rows = [line.split()[:5] for line in lines if re.match(r" +\d+( +\d\.\d{4}){4}  [a-z]", line)]
    assert list(range(1, digits.EPOCHS + 1)) == [int(row[0]) for row in rows]
    train_loss, train_accuracy, validation_loss, validation_accuracy = np.array(rows, float)[:, 1:].T
    assert train_loss[-1] < train_loss[0]
    assert validation_loss[-1] < validation_loss[0]
    assert train_accuracy[-1] > 0.99
    assert validation_accuracy[-1] > 0.95
    assert "Confusion matrix: rows true, columns predicted" in lines
    for name in ("learning", "evaluation", "mistakes"):
        path = tmp_path / f"digits-{name}.png"
        assert any(line.endswith(str(path)) for line in lines)
        assert_picture(path)
    assert f"all on one page       {tmp_path / 'digits.html'}" in lines
    page = (tmp_path / "digits.html").read_text(encoding="utf-8")
    judged = ["Summary", "Training", "Evaluation", "Threshold", "Temperature scaling", "Diagnosis"]
    sections = [*judged, "Trace", "Backward pass", "Graph", "Explanation"]
    assert sections == re.findall(r"<section[^>]*><h2>(.*?)</h2>", page)
    assert f"Accuracy {accuracy:.4f}" in page
    assert "Diagnosis: Healthy" in page


@needs_digits
def test_digits_split_is_stratified_and_scaled_by_the_training_set():
    parts = digits.load_digits(seed=3)
    sizes = [len(part) for part in parts]
    assert 1797 == sum(sizes)
    assert sizes == pytest.approx([1797 * 0.65, 1797 * 0.15, 1797 * 0.2], abs=2)
    shares = np.array([np.bincount(part.tensors[1].numpy(), minlength=10) / len(part) for part in parts])
    assert np.ptp(shares, axis=0).max() < 0.01
    pixels = parts.train.tensors[0].numpy()
    assert (0, 1) == pytest.approx((pixels.mean(), pixels.std()), abs=1e-5)
    rows = np.concatenate([part.tensors[0].numpy() for part in parts])
    assert 1797 == len(np.unique(rows, axis=0)), "a digit stands in two parts"


@needs_digits
def test_digits_same_seed_same_result(capsys):
    runs = []
    for seed in (5, 5, 6):
        digits.main(seed=seed, epochs=2, hidden=(16,), out=None)
        runs.append(re.sub(r"trained for .* s\.", "", capsys.readouterr().out))
    assert runs[0] == runs[1] != runs[2]


@needs_digits
@pytest.mark.parametrize("activation", digits.ACTIVATIONS)
def test_digits_learn_with_every_activation(activation):
    assert digits.main(activation=activation, epochs=4, out=None) > 0.8


@needs_digits
def test_digits_keep_the_weights_of_the_lowest_validation_loss():
    mg.manual_seed(0)
    parts = digits.load_digits(seed=0)
    network = digits.make_network((16,), "relu")
    history = digits.train(network, parts, epochs=6, lr=0.05, batch_size=16)
    kept = evaluate(network, parts.validation, mg.nn.CrossEntropyLoss(label_smoothing=digits.LABEL_SMOOTHING))
    assert min(history.column("val_loss")) == pytest.approx(kept.loss, rel=1e-6)


@needs_digits
def test_compiled_and_eager_steps_learn_the_same(capsys):
    for example, settings in ((moons, {"epochs": 3}), (digits, {"epochs": 2}), (custom_op, {"steps": 40})):
        runs = []
        for eager in (False, True):
            accuracy = example.main(out=None, eager=eager, **settings)
            printed = re.sub(r"\d+\.\d+ s\b", "", capsys.readouterr().out)
            runs.append((accuracy, printed))
        assert runs[0] == runs[1]


@needs_digits
@needs_plots
def test_digits_from_the_command_line(tmp_path):
    flags = ("--epochs", "2", "--hidden", "32", "16", "--activation", "gelu", "--lr", "0.01", "--batch-size", "64", "--seed", "1")
    done = run("digits", *flags, "--out", "some/where", folder=tmp_path)
    assert (0, "") == (done.returncode, done.stderr)
    assert "Linear(in_features=32, out_features=16" in done.stdout
    assert "GELU" in done.stdout
    assert re.fullmatch(r"test accuracy 0\.\d{4} \(\d+ of 360 digits\)", done.stdout.splitlines()[-1])
    pictures = {f"digits-{name}.png" for name in ("learning", "evaluation", "mistakes")}
    assert {*pictures, "digits.html"} == set(os.listdir(tmp_path / "some/where"))


@needs_digits
@needs_plots
def test_digits_draw_a_single_epoch(tmp_path):
    digits.main(epochs=1, hidden=(16,), out=tmp_path)
    assert_picture(tmp_path / "digits-learning.png")
    assert (tmp_path / "digits.html").exists()


@needs_digits
def test_digits_without_plots_write_nothing(tmp_path):
    done = run("digits", "--epochs", "1", "--no-plots", folder=tmp_path)
    assert (0, "", []) == (done.returncode, done.stderr, os.listdir(tmp_path))


@needs_digits
def test_digits_that_diverge_say_so(tmp_path):
    done = run("digits", "--epochs", "3", "--lr", "1e30", "--no-plots", folder=tmp_path)
    assert 1 == done.returncode
    error = r"digits\.py: error: the loss became (nan|inf) in epoch 1, step \d+: try a smaller learning rate\n"
    assert re.fullmatch(error, done.stderr)


@needs_digits
@needs_plots
@pytest.mark.parametrize("wrong", [0, 1, 3, 9, 60])
def test_digits_mistakes_are_drawn_whatever_their_number(wrong, tmp_path):
    random = np.random.default_rng(0)
    true = random.integers(0, 10, 60)
    predicted = np.where(np.arange(60) < wrong, (true + 1) % 10, true)
    path = tmp_path / "mistakes.png"
    evaluation = evaluate_outputs(5.0 * np.eye(10)[predicted] + random.random((60, 10)), true)
    digits.plot_mistakes(evaluation, random.random((60, 64)), path)
    assert_picture(path)


@needs_digits
@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_digits_show_a_progress_bar_on_a_terminal():
    pytest.importorskip("tqdm")
    import pty
    import termios

    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (40, 100))
    flags = ("--epochs", "2", "--batch-size", "400", "--no-plots")
    command = [sys.executable, ROOT / "examples" / "digits.py", *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env=environment, text=True, encoding="utf-8") as process:
        out = process.communicate(timeout=60)[0]
    os.close(end)
    bar = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert 0 == process.returncode
    assert "epoch 2/2: 100%" in bar
    assert "/6 " in bar
    assert "100%" not in out
    assert re.search(r"^ +2( +\d\.\d{4}){4}  [a-z]", out, re.MULTILINE)


# ---- moons


def test_moons_in_full(tmp_path, capsys):
    out = tmp_path if find_spec("matplotlib") else None
    assert moons.main(out=out) >= 0.95
    assert_promised(moons, capsys.readouterr().out.splitlines()[-1])
    if out is not None:
        assert_picture(tmp_path / "moons.png")


def test_moons_load_no_library_of_the_extras_for_a_run_without_plots(tmp_path):
    code = (
        f"import runpy, sys; sys.argv = ['moons.py', '--epochs', '1', '--no-plots']; "
        f"runpy.run_path({str(ROOT / 'examples' / 'moons.py')!r}, run_name='__main__'); "
        "print(sorted({'sklearn', 'matplotlib', 'tqdm', 'pandas'} & set(sys.modules)))"
    )
    done = run("moons", folder=tmp_path, code=code)
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert re.search(r"^ +1 .* \d+\.\d\d s after the start$", lines[1])
    assert lines[-2].startswith("test accuracy ")
    assert "[]" == lines[-1]
    assert [] == os.listdir(tmp_path)


# ---- custom_op


def test_custom_op_in_full(tmp_path, capsys):
    out = tmp_path if find_spec("matplotlib") else None
    assert custom_op.main(out=out) < 0.08
    assert_promised(custom_op, capsys.readouterr().out.splitlines()[-1], within=0.05)
    if out is not None:
        assert_picture(tmp_path / "custom_op.png")


def test_custom_op_is_what_its_docstring_says():
    squareplus = custom_op.squareplus
    for x, b in ((-3.0, 4.0), (0.0, 1.0), (1.5, 4.0), (40.0, 0.1)):
        assert (x + np.sqrt(x * x + b)) / 2 == pytest.approx(squareplus.formula(x, b))
    assert 1e-8 == pytest.approx(squareplus.formula(-1e8, 4.0)), "cancelled"


# ---- fraud


@needs_digits
def test_fraud_in_full(tmp_path, capsys):
    out = tmp_path if find_spec("matplotlib") else None
    assert fraud.main(out=out) < 0.75
    lines = capsys.readouterr().out.splitlines()
    promised, printed = fraud.__doc__.strip().splitlines()[-1], lines[-1]
    costs = [[int(number.replace(",", "")) for number in re.findall(r"[\d,]+\d", line)] for line in (promised, printed)]
    assert costs[0] == pytest.approx(costs[1], rel=0.1)
    if out is not None:
        assert_picture(tmp_path / "fraud-threshold.png")

    headings = [line.split(":")[0] for line in lines if re.match(r"\d\. ", line)]
    assert ["1. As trained", "2. What the doctor says of it", "3. Mended"] == headings
    assert "49 : 1" in "\n".join(lines)

    table = lines[next(n for n, line in enumerate(lines) if line.startswith("What each way bought")) + 3 :][:9]
    rows = {line[:28].strip(): [float(word.replace(",", "")) for word in line[28:].split()] for line in table}
    _, accuracy, _, recall, *_ = rows["plain, at ½"]
    assert accuracy > 0.98, "as good as it looks"
    assert recall < 0.2, "as bad as it is"
    _, accuracy, _, recall, *_ = rows["class weights, at ½"]
    assert accuracy < 0.9
    assert recall > 0.7
    plain = rows["plain, at ½"][-2]
    for threshold, _, precision, recall, f1, missed, checked, cost, saved in rows.values():
        assert plain - cost == saved
        assert 0 < threshold < 1
        assert 2 / (1 / precision + 1 / recall) == pytest.approx(f1, abs=1e-3)
        assert fraud.MISSED * missed + fraud.CHECKED * checked == cost
        assert 200 * (1 - recall) == pytest.approx(missed)
    for name in ("plain", "class weights", "focal loss"):
        assert rows[f"{name}, lowest cost"][-2] == min(rows[f"{name}, {how}"][-2] for how in ("at ½", "best F1", "lowest cost"))
    assert f"saves {rows['plain, lowest cost'][-1] / plain:.0%} of the plain network's cost" in "\n".join(lines)


@needs_digits
def test_fraud_is_two_in_a_hundred_in_each_part():
    parts = fraud.make_payments(seed=1)
    assert list(fraud.SIZES) == [len(part) for part in parts]
    assert [0.02] * 3 == pytest.approx([part.tensors[1].numpy().mean() for part in parts])


# ---- all


@pytest.mark.parametrize("example", EXAMPLES)
def test_help_lists_the_flags(example, monkeypatch, capsys):
    assert 0 == command_line(example, "--help", monkeypatch=monkeypatch)
    assert {"--seed", "--out", "--no-plots"} <= set(re.findall(r"--[\w-]+", capsys.readouterr().out))


@pytest.mark.parametrize(
    ("example", "flags", "said"),
    [
        (digits, ("--epochs", "0"), "--epochs: must be a whole number from 1 to 1000000, got '0'"),
        (digits, ("--epochs", "many"), "--epochs: must be a whole number from 1 to 1000000, got 'many'"),
        (digits, ("--hidden", "64", "-3"), "unrecognized arguments: -3|--hidden: must be a whole number .* got '-3'"),
        (digits, ("--hidden",), "--hidden: expected at least one argument"),
        (digits, ("--activation", "sin"), "--activation: invalid choice: 'sin'"),
        (digits, ("--lr", "0"), "--lr: must be a number above 0, got '0'"),
        (digits, ("--lr", "nan"), "--lr: must be a number above 0, got 'nan'"),
        (digits, ("--lr", "fast"), "--lr: must be a number above 0, got 'fast'"),
        (digits, ("--batch-size", "1.5"), "--batch-size: must be a whole number from 1 to 1000000, got '1.5'"),
        (digits, ("--seed", "-1"), "--seed: must be a whole number from 0 to 4294967295, got '-1'"),
        (digits, ("--depth", "3"), "unrecognized arguments: --depth 3"),
        (moons, ("--epochs", "0"), "--epochs: must be a whole number from 1 to 1000000, got '0'"),
        (moons, ("--seed", "4294967296"), "--seed: must be a whole number from 0 to 4294967295, got '4294967296'"),
        (custom_op, ("--steps", ""), "--steps: must be a whole number from 1 to 1000000, got ''"),
    ],
)
def test_bad_flags_get_one_clear_line(example, flags, said, monkeypatch, capsys):
    assert 2 == command_line(example, *flags, monkeypatch=monkeypatch)
    out, err = capsys.readouterr()
    usage, error = err.splitlines()
    name = example.__name__.rpartition(".")[2]
    assert ("", f"usage: {name}.py [flags]") == (out, usage)
    assert error.startswith(f"{name}.py: error: ")
    assert re.search(said, error)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_folder_that_cannot_be_made_is_refused_before_training(example, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "is_installed", lambda module: True, raising=False)
    (tmp_path / "file").touch()
    assert 2 == command_line(example, "--out", str(tmp_path / "file"), monkeypatch=monkeypatch)
    out, err = capsys.readouterr()
    assert "" == out
    assert "error: argument --out: " in err.splitlines()[-1]
    assert str(tmp_path / "file") in err


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_missing_library_is_named_with_its_extra(example, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "is_installed", lambda module: False, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert 1 == command_line(example, "--out", str(tmp_path / "plots"), monkeypatch=monkeypatch)
    out, err = capsys.readouterr()
    assert "" == out
    assert re.fullmatch(r"\w+\.py: error: .*matplotlib.*: pip install '\.\[(examples|plots)\]'\n", err)
    assert not (tmp_path / "plots").exists()

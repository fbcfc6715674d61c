"""From the start of a process to 97 % on handwritten digits never seen: compiled against torch, JAX and scikit-learn's MLPClassifier."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.children import COLD, KEEPERS, OF_CACHES, WARM, surroundings
from benchmarks.contenders import Eager
from benchmarks.table import Table, duration, number
from benchmarks.workloads import dense, jax_training, training

if TYPE_CHECKING:
    from benchmarks.runner import Results

SIZES, BATCH, RATE = (64, 128, 10), 32, 1e-3
TRAIN = 44 * BATCH  # of 1,797 digits; whole batches only, so that nobody compiles for another size
GOAL, MOST_EPOCHS = 0.97, 100
SEEDS, QUICK_SEEDS = 5, 2  # of weights and order; the split is the same for all
HEADS = {
    "minigrad": "minigrad, compiled",
    "minigrad eager": "minigrad, eager",
    "torch": "torch",
    "jax": "jax jit",
    "sklearn": "MLPClassifier",
}
JOBS = tuple((contender, "digits") for contender in HEADS)
ROUNDS, TIMED = 3, True
EPOCHS = "epochs"

Arrays = tuple[np.ndarray, np.ndarray]
# Trains for one epoch on arrays in the order given, and classifies the rows of an array.
Learner = tuple[Callable[[np.ndarray, np.ndarray], object], Callable[[np.ndarray], np.ndarray]]


def environment(contender: str) -> dict[str, str]:
    return {} if contender.startswith("minigrad") or contender == "sklearn" else {"OPENBLAS_NUM_THREADS": "1"}


# ---- the child process


def batches(X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    for begin in range(0, TRAIN, BATCH):
        yield X[begin : begin + BATCH], y[begin : begin + BATCH]


def with_tensors(contender: str, seed: int) -> Learner:
    """minigrad and torch."""
    library = Eager(contender.split()[0])
    root = library.root
    root.manual_seed(seed)
    model = dense(library, SIZES)
    step = training(library, model, RATE)
    if contender == "minigrad":
        step = root.compile(step)

    def epoch(X: np.ndarray, y: np.ndarray) -> None:
        for batch in batches(root.from_numpy(X), root.from_numpy(y)):
            step(*batch)

    def classify(X: np.ndarray) -> np.ndarray:
        with root.no_grad():
            return np.asarray(model(root.from_numpy(X)).argmax(1))

    return epoch, classify


def with_jax(contender: str, seed: int) -> Learner:
    import jax.numpy as jnp

    state, update, forward = jax_training(SIZES, RATE, seed)

    def epoch(X: np.ndarray, y: np.ndarray) -> None:
        nonlocal state
        for x, labels in batches(X, y.astype(np.int32)):
            state, _ = update(state, x, labels)

    return epoch, lambda X: np.asarray(jnp.argmax(forward(state[0], X), 1))


def with_sklearn(contender: str, seed: int) -> Learner:
    from sklearn.neural_network import MLPClassifier

    settings = {"learning_rate_init": RATE, "batch_size": BATCH, "alpha": 0.0, "shuffle": False, "random_state": seed}
    model = MLPClassifier(SIZES[1:-1], **settings)
    classes = np.arange(SIZES[-1])
    return lambda X, y: model.partial_fit(X, y, classes=classes), model.predict


def train(contender: str, seed: int, file: str) -> None:
    """Epoch by epoch, until enough of the test digits are read; the digits come from a file."""
    make = {"jax": with_jax, "sklearn": with_sklearn}.get(contender, with_tensors)
    epoch, classify = make(contender, seed)
    with np.load(file) as digits:
        X, y = digits["X"], digits["y"]
    random = np.random.default_rng(seed)
    for turn in range(1, MOST_EPOCHS + 1):
        order = random.permutation(TRAIN)
        epoch(X[order], y[order])
        if (classify(X[TRAIN:]) == y[TRAIN:]).mean() >= GOAL:
            print(f"{EPOCHS} {turn}", flush=True)
            return
    raise SystemExit(f"{contender}, seed {seed}: below {GOAL} after {MOST_EPOCHS} epochs")


# ---- the worker


def write_digits(file: Path) -> None:
    """scikit-learn's digits, scaled and split once, so that only scikit-learn has to import itself."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    X = (X - X[:TRAIN].mean()) / X[:TRAIN].std()
    np.savez(file, X=X.astype(np.float32), y=y.astype(np.int64))


def run(contender: str, seed: int, file: Path, cache: str) -> tuple[float, int]:
    """The seconds that the process takes in all, and its epochs."""
    command = [sys.executable, "-m", __name__, contender, str(seed), str(file)]
    start = perf_counter()
    process = subprocess.run(command, env=surroundings(cache), capture_output=True, text=True, encoding="utf-8")
    elapsed = perf_counter() - start
    words = process.stdout.split()
    if process.returncode or words[:1] != [EPOCHS]:
        reason = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"{contender}: exit status {process.returncode}: {reason}")
    return elapsed, int(words[1])


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    with TemporaryDirectory() as folder:
        file, cache = Path(folder, "digits.npz"), str(Path(folder, "cache"))
        write_digits(file)
        if contender in KEEPERS:
            yield COLD, run(contender, 0, file, cache)[0]
        for seed in range(QUICK_SEEDS if quick else SEEDS):
            seconds, epochs = run(contender, seed, file, cache)
            yield WARM, seconds
            yield EPOCHS, epochs


def tables(results: Results) -> list[Table]:
    table = Table(
        "To 97 % on digits",
        ("contender", COLD, WARM, "fastest–slowest", EPOCHS, "to minigrad, compiled"),
        f"The whole process, until {GOAL:.0%} of the {1797 - TRAIN} test digits are read right, looked at after each epoch: medians over "
        f"rounds and {SEEDS} seeds (0 to {SEEDS - 1}) of weights and order. scikit-learn's 1,797 digits, one split for all, read from a "
        f"NumPy file; {'-'.join(map(str, SIZES))}, batch {BATCH}, Adam at {RATE:g}, no weight decay. JAX is a plain loop "
        f"around its compiled step; the epochs of MLPClassifier are calls of `partial_fit`. {OF_CACHES}",
    )
    for contender, head in HEADS.items():
        values = results.values.get((contender, WARM), ())
        table.add(
            head,
            results.cell(contender, COLD, duration),
            results.cell(contender, WARM, duration),
            f"{duration(min(values))}–{duration(max(values))}" if values else "–",
            results.cell(contender, EPOCHS, number),
            number(results.ratio(contender, WARM)),
        )
    return [table]


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), sys.argv[3])

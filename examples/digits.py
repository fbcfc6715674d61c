"""Learn to read handwritten digits, then face digits never seen before.

    make train                                     (with flags: make train ARGS="--epochs 5 --seed 1")
    python examples/digits.py --hidden 64 32 --activation gelu

The 1797 digits of scikit-learn's load_digits, 8 × 8 pixels each, are split into a training, a validation and a test set. The weights
that do best on the validation set are kept, and judged once, on the test set. The last line of the output (other processors round
differently, and may be a digit or two off):

    test accuracy 0.9806 (353 of 360 digits)
"""

import argparse
import importlib.util
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.errors import MissingExtraError
from minigrad.nn import functional as F

EPOCHS = 30
HIDDEN = (128,)
ACTIVATION = "relu"
LEARNING_RATE = 3e-3
BATCH_SIZE = 32
WEIGHT_DECAY = 0.01
LABEL_SMOOTHING = 0.1  # while learning; the losses shown are plain cross-entropy
VALIDATION, TEST = 0.15, 0.2  # shares of all digits
OUT = Path("out")
MISTAKES_SHOWN = 40
TABLE_HEAD = """\
             train           validation
epoch      loss  accuracy      loss  accuracy"""

Array = np.ndarray[Any, Any]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Digits(NamedTuple):
    """Images (n, 64) and classes (n,), in three parts."""

    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset


class Score(NamedTuple):
    """Mean cross-entropy, and the share of digits read correctly."""

    loss: float
    accuracy: float


class Epoch(NamedTuple):
    train: Score
    validation: Score


class Result(NamedTuple):
    """True and predicted class of each test digit, and the probability that the network gave to its prediction."""

    true: Array
    predicted: Array
    probability: Array


# ---- learning


def load_digits(seed: int) -> Digits:
    """Split with equal shares of the ten classes, and scale by what the training digits look like."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    images, classes = datasets.load_digits(return_X_y=True)
    rest, test = train_test_split(np.arange(len(classes)), test_size=TEST, stratify=classes, random_state=seed)
    share = VALIDATION / (1 - TEST)
    train, validation = train_test_split(rest, test_size=share, stratify=classes[rest], random_state=seed)
    mean, std = images[train].mean(), images[train].std()
    X = mg.tensor((images - mean) / std, dtype=mg.float32)
    y = mg.tensor(classes, dtype=mg.int64)
    return Digits(*(TensorDataset(X[part], y[part]) for part in (train, validation, test)))


def make_network(hidden: Sequence[int], activation: str) -> nn.Sequential:
    """64 pixels → hidden layers → 10 logits."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([64, *hidden, 10]):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def score(network: nn.Module, data: TensorDataset) -> Score:
    X, y = data.tensors
    with mg.no_grad():
        logits = network(X)
    correct = logits.argmax(dim=1) == y
    return Score(F.cross_entropy(logits, y).item(), correct.float().mean().item())


def train(network: nn.Module, digits: Digits, epochs: int, lr: float, batch_size: int, eager: bool = False) -> list[Epoch]:
    """Train, show a table row an epoch, and leave the network with the weights of its lowest validation loss."""
    loader = DataLoader(digits.train, batch_size=batch_size, shuffle=True)
    optimizer = optim.AdamW(network.parameters(), lr=lr, weight_decay=WEIGHT_DECAY)

    def learn(X: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(X), y, label_smoothing=LABEL_SMOOTHING)
        loss.backward()
        optimizer.step()

    step = learn if eager else mg.compile(learn)
    history: list[Epoch] = []
    best_weights: dict[str, Tensor] = {}
    with Progress(epochs * len(loader)) as progress:
        progress.line(TABLE_HEAD)
        for epoch in range(1, epochs + 1):
            for X, y in loader:
                step(X, y)
                progress.advance()
            history.append(Epoch(score(network, digits.train), score(network, digits.validation)))
            progress.line(row(epoch, history[-1]))
            if not math.isfinite(history[-1].validation.loss):
                raise FloatingPointError("the loss is no longer a number: try a smaller learning rate")
            if best_epoch(history) == epoch:
                best_weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(best_weights)
    return history


def best_epoch(history: list[Epoch]) -> int:
    """The epoch of the lowest validation loss, counted from 1."""
    losses = [epoch.validation.loss for epoch in history]
    return 1 + losses.index(min(losses))


def read(network: nn.Module, data: TensorDataset) -> Result:
    """What the network takes each digit for."""
    X, y = data.tensors
    with mg.no_grad():
        probabilities = network(X).softmax(dim=1).numpy()
    return Result(y.numpy(), probabilities.argmax(axis=1), probabilities.max(axis=1))


# ---- showing


class Progress:
    """A progress bar on a terminal (if tqdm is installed), nothing elsewhere; lines of text go above the bar."""

    def __init__(self, steps: int):
        self.bar: Any = None
        if sys.stderr.isatty() and is_installed("tqdm"):
            from tqdm import tqdm

            self.bar = tqdm(desc="training", total=steps, unit=" batches", leave=False)

    def advance(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def line(self, text: str) -> None:
        if self.bar is not None:
            self.bar.write(text)
        else:
            print(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


def row(epoch: int, scores: Epoch) -> str:
    train, validation = scores
    return f"{epoch:5}  {train.loss:8.4f}  {train.accuracy:8.4f}  {validation.loss:8.4f}  {validation.accuracy:8.4f}"


def confusion_table(matrix: Array) -> str:
    lines = ["      " + "".join(f"{name:5}" for name in range(10))]
    for true, counts in enumerate(matrix):
        lines.append(f"{true:6}" + "".join(f"{count:5}" if count else "    ·" for count in counts))
    return "\n".join(lines)


def report(result: Result) -> None:
    from sklearn.metrics import classification_report, confusion_matrix

    print("\nconfusion matrix of the test digits (rows: true class, columns: predicted class)")
    print(confusion_table(confusion_matrix(result.true, result.predicted, labels=range(10))))
    print("\nprecision, recall and F1 of each class (support: its number of test digits)")
    print(classification_report(result.true, result.predicted, labels=range(10), digits=4, zero_division=0))


def plot_curves(history: list[Epoch], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = range(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, color in (("train", "tab:blue"), ("validation", "tab:orange")):
            values = [getattr(getattr(scores, part), name) for scores in history]
            axes.plot(epochs, values, marker=".", color=color, label=part)
        axes.set(xlabel="epoch", title="cross-entropy" if name == "loss" else name)
        axes.axvline(best_epoch(history), color="gray", linestyle=":", label="weights kept")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=150)


def plot_confusion(result: Result, path: Path) -> None:
    from matplotlib.figure import Figure
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(result.true, result.predicted, labels=range(10))
    figure = Figure(figsize=(5.4, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues", norm="log", vmin=0.3)  # by the logarithm even a single mistake shows
    for true, predicted in zip(*matrix.nonzero(), strict=True):
        count = matrix[true, predicted]
        color = "white" if count > matrix.max() / 2 else "black"
        axes.text(predicted, true, str(count), ha="center", va="center", color=color)
    axes.set(xlabel="predicted class", ylabel="true class", title=f"{len(result.true)} test digits")
    axes.set(xticks=range(10), yticks=range(10))
    figure.savefig(path, dpi=150)


def plot_mistakes(result: Result, images: Array, path: Path) -> None:
    """The digits that were taken for another, the most confident mistake first."""
    from matplotlib.figure import Figure

    wrong = np.flatnonzero(result.true != result.predicted)
    shown = wrong[np.argsort(-result.probability[wrong])][:MISTAKES_SHOWN]
    columns = min(8, max(len(shown), 4))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = Figure(figsize=(1.35 * columns, 1.75 * rows + 0.4), layout="constrained")
    extent = "" if len(shown) == len(wrong) else f" (the {len(shown)} most confident)"
    figure.suptitle(f"{len(wrong)} of {len(result.true)} test digits misread{extent}")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, i in zip(grid, shown, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r")
        axes.set_title(f"true {result.true[i]}\npredicted {result.predicted[i]} ({result.probability[i]:.0%})", fontsize=8)
    figure.savefig(path, dpi=150)


def plot(history: list[Epoch], result: Result, images: Array, out: Path) -> None:
    curves, confusion, mistakes = (out / f"digits-{name}.png" for name in ("curves", "confusion", "mistakes"))
    plot_curves(history, curves)
    plot_confusion(result, confusion)
    plot_mistakes(result, images, mistakes)
    print(f"learning curves       {curves}\nconfusion matrix      {confusion}\nmisread digits        {mistakes}\n")


# ---- the whole


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def require(**libraries: str) -> None:
    """Refuse to begin what could not be finished."""
    missing = [name for module, name in libraries.items() if not is_installed(module)]
    if missing:
        raise MissingExtraError(f"{' and '.join(missing)} missing; in the repository's folder: pip install '.[examples]'")


def main(
    seed: int = 0,
    epochs: int = EPOCHS,
    hidden: Sequence[int] = HIDDEN,
    activation: str = ACTIVATION,
    lr: float = LEARNING_RATE,
    batch_size: int = BATCH_SIZE,
    out: Path | None = OUT,
    eager: bool = False,
) -> float:
    """Train and judge a network; the test accuracy. Plots go to the folder `out`, or nowhere if it is None."""
    require(sklearn="scikit-learn", **({} if out is None else {"matplotlib": "matplotlib"}))
    if out is not None:
        make_folder(out)
    mg.manual_seed(seed)
    digits = load_digits(seed)
    network = make_network(hidden, activation)
    sizes = ", ".join(f"{len(data)} {name}" for name, data in zip(digits._fields, digits, strict=True))
    print(f"digits: {sizes}\n{network}\n")

    start = time.perf_counter()
    history = train(network, digits, epochs, lr, batch_size, eager)
    seconds = time.perf_counter() - start
    print(f"trained for {seconds:.1f} s; kept the weights of epoch {best_epoch(history)}, where the validation loss is lowest")

    result = read(network, digits.test)
    report(result)
    if out is not None:
        plot(history, result, digits.test.tensors[0].numpy(), out)
    correct = int((result.true == result.predicted).sum())
    accuracy = correct / len(result.true)
    print(f"test accuracy {accuracy:.4f} ({correct} of {len(result.true)} digits)")
    return accuracy


# ---- the command line


def whole(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return parse


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK):
        raise PermissionError(f"{path} may not be written to")


def command_line() -> None:
    parser = argparse.ArgumentParser(description="Train a network on handwritten digits.", usage="%(prog)s [flags]")
    flag = parser.add_argument
    flag("--epochs", type=whole(1), default=EPOCHS, metavar="N", help="passes over the training set (default: %(default)s)")
    flag("--hidden", type=whole(1), default=HIDDEN, metavar="N", nargs="+", help="sizes of the hidden layers (default: 128)")
    flag("--activation", choices=ACTIVATIONS, default=ACTIVATION, help="between the layers (default: %(default)s)")
    flag("--lr", type=positive, default=LEARNING_RATE, metavar="X", help="learning rate (default: %(default)s)")
    flag("--batch-size", type=whole(1), default=BATCH_SIZE, metavar="N", help="digits a step (default: %(default)s)")
    flag("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of split, weights and order (default: %(default)s)")
    flag("--out", type=Path, default=OUT, metavar="FOLDER", help="where the plots go (default: %(default)s)")
    flag("--no-plots", action="store_const", dest="out", const=None, help="write no plots")
    flag("--eager", action="store_true", help="run the training steps operation by operation: slower, for a debugger")
    flags = parser.parse_args()
    try:
        main(**vars(flags))
    except OSError as error:
        parser.error(f"argument --out: {error}")
    except (MissingExtraError, FloatingPointError) as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    command_line()

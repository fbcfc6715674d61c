"""Learn to read handwritten digits, then face digits never seen before.

    make train                                     (with flags: make train ARGS="--epochs 5 --seed 1")
    python examples/digits.py --hidden 64 32 --activation gelu

The 1797 digits of scikit-learn's load_digits, 8 × 8 pixels each, are split into a training, a validation and a test set. The weights
that do best on the validation set are kept, and judged once, on the test set. The last line of the output (other processors round
differently, and may be a digit or two off):

    test accuracy 0.9861 (355 of 360 digits)
"""

import argparse
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.display import require
from minigrad.errors import MissingExtraError
from minigrad.evaluate import ClassificationReport, evaluate, temperature_scaling
from minigrad.inspect import doctor, explain_prediction, graph, report, trace, trace_backward
from minigrad.train import BestWeights, History, fit

EPOCHS = 30
HIDDEN = (128,)
ACTIVATION = "relu"
LEARNING_RATE = 3e-3
BATCH_SIZE = 32
WEIGHT_DECAY = 0.01
LABEL_SMOOTHING = 0.1  # while learning: the losses shown then cannot fall below 0.50
VALIDATION, TEST = 0.15, 0.2  # shares of all digits
OUT = Path("out")
MISTAKES_SHOWN = 40

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


def train(network: nn.Module, digits: Digits, epochs: int, lr: float, batch_size: int, eager: bool = False) -> History:
    """Train, show a line an epoch, and leave the network with the weights of its lowest validation loss."""
    loader = DataLoader(digits.train, batch_size=batch_size, shuffle=True)
    optimizer = optim.AdamW(network.parameters(), lr=lr, weight_decay=WEIGHT_DECAY)
    loss = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a loss that is no number: an error, below
        history = fit(
            network, loss, optimizer, loader, epochs,
            validation=digits.validation, callbacks=[BestWeights()], progress=True, compile=not eager,
        )  # fmt: skip
    if not math.isfinite(history.step_losses[-1]):
        raise FloatingPointError(f"{history.stopped}: try a smaller learning rate")
    return history


# ---- showing


def plot_mistakes(evaluation: ClassificationReport, images: Array, path: Path) -> None:
    """The digits that were taken for another, the most confident mistake first."""
    from matplotlib.figure import Figure

    true, predicted = evaluation.targets, evaluation.probabilities.argmax(axis=1)
    confidence = evaluation.probabilities.max(axis=1)
    wrong = np.flatnonzero(true != predicted)
    shown = wrong[np.argsort(-confidence[wrong])][:MISTAKES_SHOWN]
    columns = min(8, max(len(shown), 4))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = Figure(figsize=(1.35 * columns, 1.75 * rows + 0.4), layout="constrained")
    extent = "" if len(shown) == len(wrong) else f" (the {len(shown)} most confident)"
    figure.suptitle(f"{len(wrong)} of {len(true)} test digits misread{extent}")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, i in zip(grid, shown, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r")
        axes.set_title(f"true {true[i]}\npredicted {predicted[i]} ({confidence[i]:.0%})", fontsize=8)
    figure.savefig(path, dpi=150)


def show(network: nn.Module, digits: Digits, history: History, evaluation: ClassificationReport, out: Path) -> None:
    """Pictures, and one page with all that is to be seen."""
    X, y = digits.test.tensors
    held, truth = digits.validation.tensors
    learning, judged, mistakes = (out / f"digits-{name}.png" for name in ("learning", "evaluation", "mistakes"))
    history.plot(learning)
    evaluation.plot(judged)
    plot_mistakes(evaluation, X.numpy(), mistakes)

    loss = nn.CrossEntropyLoss()
    x, t = X[:1], y[:1]
    L = loss(network(x), t)
    backward = trace_backward(L, model=network)
    L.backward(retain_graph=True)
    misread = evaluation.predicted != y.numpy()
    surest = int(np.argmax(np.where(misread, evaluation.probabilities.max(axis=1), 0)))
    page = report(
        network,
        history,
        evaluation,
        temperature_scaling(network(held).detach(), truth),
        doctor(network, digits.train, loss, validation=digits.validation, history=history),
        trace(network, x, target=t, loss=loss),
        backward,
        graph(L, model=network, names={"x": x, "t": t}),
        explain_prediction(network, X[surest], image_shape=(8, 8)),
        path=out / "digits.html",
        title="A network that reads digits",
    )
    print(f"learning curves       {learning}\nevaluation            {judged}\nmisread digits        {mistakes}")
    print(f"all on one page       {page}\n")


# ---- the whole


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
    require("digits", "sklearn")
    if out is not None:
        require("digits", "matplotlib")
        make_folder(out)
    mg.manual_seed(seed)
    digits = load_digits(seed)
    network = make_network(hidden, activation)
    sizes = ", ".join(f"{len(data)} {name}" for name, data in zip(digits._fields, digits, strict=True))
    print(f"digits: {sizes}\n{network}\n")

    start = time.perf_counter()
    history = train(network, digits, epochs, lr, batch_size, eager)
    print(f"trained for {time.perf_counter() - start:.1f} s. {history.headline()}\n")

    evaluation = evaluate(network, digits.test, nn.CrossEntropyLoss())
    assert isinstance(evaluation, ClassificationReport)
    print(f"{evaluation}\n")
    if out is not None:
        show(network, digits, history, evaluation, out)
    print(f"test accuracy {evaluation.accuracy:.4f} ({round(evaluation.accuracy * evaluation.n)} of {evaluation.n} digits)")
    return evaluation.accuracy


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

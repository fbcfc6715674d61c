"""Tell two moons apart with a small network, and draw where it changes its mind.

    python examples/moons.py
    python examples/moons.py --epochs 1 --no-plots      (the quickest way to see the library train)
    python examples/moons.py --eager                    (the same numbers, each step run operation by operation)

The last line of the output is (other processors round differently, and may be a point or two off):

    test accuracy 1.0000 (100 of 100 points)
"""

import argparse
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

STARTED = perf_counter()  # before the library is imported

import minigrad as mg  # noqa: E402
from minigrad import nn, optim  # noqa: E402
from minigrad.data import DataLoader, TensorDataset, two_moons  # noqa: E402
from minigrad.errors import MissingExtraError  # noqa: E402
from minigrad.nn import functional as F  # noqa: E402

EPOCHS = 40
TRAIN, TEST = 300, 100  # points
NOISE = 0.15
HIDDEN = 16
LEARNING_RATE = 1e-2
BATCH_SIZE = 32
SHOWN = 10  # table rows
OUT = Path("out")


def make_network() -> nn.Sequential:
    """2 coordinates → 16 → 16 → 2 logits."""
    return nn.Sequential(
        nn.Linear(2, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, 2),
    )


def score(network: nn.Module, data: TensorDataset) -> tuple[float, int]:
    """Mean cross-entropy, and the number of points on their side of the boundary."""
    X, y = data.tensors
    with mg.no_grad():
        logits = network(X)
    correct = logits.argmax(dim=1) == y
    return F.cross_entropy(logits, y).item(), correct.sum().item()


def train(network: nn.Module, data: TensorDataset, epochs: int, eager: bool = False) -> None:
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True)
    optimizer = optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def learn(X: mg.Tensor, y: mg.Tensor) -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(X), y)
        loss.backward()
        optimizer.step()

    step = learn if eager else mg.compile(learn)
    print("epoch  train loss  train accuracy")
    for epoch in range(1, epochs + 1):
        for X, y in loader:
            step(X, y)
        if epoch == 1 or epoch == epochs or epoch * SHOWN // epochs > (epoch - 1) * SHOWN // epochs:
            mean_loss, correct = score(network, data)
            clock = f"   {perf_counter() - STARTED:.2f} s after the start" if epoch == 1 else ""
            print(f"{epoch:5}  {mean_loss:10.4f}  {correct / len(data):14.4f}{clock}")


def plot_boundary(network: nn.Module, parts: dict[str, TensorDataset], path: Path) -> None:
    """Shade the plane by the probability of class 1; the boundary is where it is ½."""
    import numpy as np
    from matplotlib.figure import Figure

    left, right, bottom, top = -1.8, 2.8, -1.4, 1.9
    across, up = np.meshgrid(np.linspace(left, right, 461), np.linspace(bottom, top, 331))
    grid = mg.tensor(np.stack([across.ravel(), up.ravel()], axis=1), dtype=mg.float32)
    with mg.no_grad():
        probability = network(grid).softmax(dim=1)[:, 1].numpy().reshape(across.shape)

    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    axes = figure.subplots()
    extent = (left, right, bottom, top)
    shading = axes.imshow(probability, extent=extent, origin="lower", cmap="RdBu_r", vmin=0, vmax=1, alpha=0.6)
    axes.contour(across, up, probability, levels=[0.5], colors="black", linewidths=1.5)
    for part, data in parts.items():
        X, y = (tensor.numpy() for tensor in data.tensors)
        marker, edge = ("o", "white") if part == "train" else ("^", "black")
        for label, color in enumerate(("tab:blue", "tab:red")):
            points, name = X[y == label], f"class {label}, {part}"
            axes.scatter(points[:, 0], points[:, 1], s=28, marker=marker, color=color, edgecolors=edge, linewidths=0.7, label=name)
    axes.set(xlabel="x₀", ylabel="x₁", title="Two moons, and the boundary that the network learned")
    axes.legend(loc="upper right", ncols=2, fontsize=8)
    figure.colorbar(shading, label="probability of class 1", shrink=0.9)
    figure.savefig(path, dpi=150)


def main(seed: int = 0, epochs: int = EPOCHS, out: Path | None = OUT, eager: bool = False) -> float:
    """Train a network and draw its boundary into the folder `out` (None: draw nothing); the test accuracy."""
    if out is not None:
        if not is_installed("matplotlib"):
            raise MissingExtraError(
                "matplotlib missing; pass --no-plots, or, in the repository's folder: pip install '.[examples]'"
            )
        make_folder(out)
    mg.manual_seed(seed)
    X, y = two_moons(TRAIN + TEST, noise=NOISE, seed=seed)
    train_set, test_set = TensorDataset(X[:TRAIN], y[:TRAIN]), TensorDataset(X[TRAIN:], y[TRAIN:])
    network = make_network()
    train(network, train_set, epochs, eager)
    if out is not None:
        path = out / "moons.png"
        plot_boundary(network, {"train": train_set, "test": test_set}, path)
        print(f"decision boundary: {path}")
    _, correct = score(network, test_set)
    print(f"test accuracy {correct / TEST:.4f} ({correct} of {TEST} points)")
    return correct / TEST


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def whole(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return parse


def make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK):
        raise PermissionError(f"{path} may not be written to")


def command_line() -> None:
    parser = argparse.ArgumentParser(description="Tell two moons apart.", usage="%(prog)s [flags]")
    flag = parser.add_argument
    flag("--epochs", type=whole(1), default=EPOCHS, metavar="N", help="passes over the training set (default: %(default)s)")
    flag("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of points, weights and order (default: %(default)s)")
    flag("--out", type=Path, default=OUT, metavar="FOLDER", help="where the plot goes (default: %(default)s)")
    flag("--no-plots", action="store_const", dest="out", const=None, help="write no plot")
    flag("--eager", action="store_true", help="run the training step operation by operation: slower, for a debugger")
    flags = parser.parse_args()
    try:
        main(**vars(flags))
    except OSError as error:
        parser.error(f"argument --out: {error}")
    except MissingExtraError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    command_line()

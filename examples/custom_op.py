"""An activation function of your own: declare it, check its gradient, train with it, compare it with ReLU.

    python examples/custom_op.py

Squareplus is a ReLU with its corner rounded off. It is declared here as every operation of the library is: a formula and, right under
it, a backward rule. A network with it learns a sine from noisy points, and so does one with ReLU. The last line of the output is
(other processors round differently):

    distance from the sine: squareplus 0.0452, relu 0.0511
"""

import argparse
import importlib.util
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.errors import MissingExtraError
from minigrad.kernels.notation import absolute, sqrt, where
from minigrad.nn import functional as F

STEPS = 1000
POINTS = 100
NOISE = 0.1
HIDDEN = 16
ROUNDNESS = 0.1  # squareplus's b
LEARNING_RATE = 1e-2
OUT = Path("out")

Array = np.ndarray[Any, Any]


# ---- the operation


@mg.elementwise
def squareplus(x: Tensor, b: float = 4.0) -> Any:
    """A ReLU with a round corner, (x + √(x² + b)) / 2; for x < 0 written as b / (2 (|x| + √(x² + b))), where nothing cancels.

    Backward: dL/dx = g y / √(x² + b), from the saved output y.
    Source: Barron 2021, "Squareplus: a softplus-like algebraic rectifier".
    """
    s = (absolute(x) + sqrt(x * x + b)) / 2
    return where(x > 0, s, b / (4 * s))


@squareplus.backward("x")
def _(g: Any, x: Any, y: Any, b: float) -> Any:
    return g * y / sqrt(x * x + b)


class Squareplus(nn.Module):
    """`squareplus` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        return squareplus(input, ROUNDNESS)


# ---- is the rule right?


def check() -> None:
    """The formula on plain floats beside the compiled loop on a tensor; first and second derivatives beside finite differences."""
    x = mg.tensor([-1000.0, -1.5, 0.0, 0.5, 3.0], dtype=mg.float64, requires_grad=True)
    y = squareplus(x)
    (slope,) = mg.grad(y.sum(), x)
    assert slope is not None
    print("squareplus, b = 4\n      x    formula     tensor   gradient")
    for row in zip(x.tolist(), map(squareplus.formula, x.tolist()), y.tolist(), slope.tolist(), strict=True):
        print("{:7.1f}  {:9.6f}  {:9.6f}  {:9.6f}".format(*row))

    mg.gradcheck(squareplus, x)
    mg.gradgradcheck(squareplus, x)
    print("gradcheck and gradgradcheck: both agree with finite differences\n")


# ---- is it any good?


class Fit(NamedTuple):
    """What a network made of the points: its curve, the slope of that, and how far the curve is from the sine (root mean square)."""

    curve: Array
    slope: Array
    distance: float


def sine(x: Array) -> Array:
    return np.asarray(np.sin(2 * x))


def make_points(seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    x = random.uniform(-3, 3, (POINTS, 1))
    y = sine(x) + NOISE * random.standard_normal(x.shape)
    return mg.tensor(x, dtype=mg.float32), mg.tensor(y, dtype=mg.float32)


def make_network(activation: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(1, HIDDEN),
        activation(),
        nn.Linear(HIDDEN, HIDDEN),
        activation(),
        nn.Linear(HIDDEN, 1),
    )


def train(network: nn.Module, x: Tensor, y: Tensor, steps: int, eager: bool = False) -> list[float]:
    """Full-batch steps; the loss of each."""
    optimizer = optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def learn(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = learn if eager else mg.compile(learn)
    return [step(x, y).item() for _ in range(steps)]


def look(network: nn.Module, grid: Array) -> Fit:
    x = mg.tensor(grid[:, None], dtype=mg.float32, requires_grad=True)
    y = network(x)
    (slope,) = mg.grad(y.sum(), x)
    assert slope is not None
    curve = y.detach().numpy()[:, 0]
    return Fit(curve, slope.numpy()[:, 0], float(np.sqrt(np.mean((curve - sine(grid)) ** 2))))


def loss_rows(losses: dict[str, list[float]]) -> Iterable[str]:
    steps = len(losses["relu"])
    yield "mean squared error on the noisy points\n step  squareplus     relu"
    for step in sorted({1, *range(steps, 0, -max(1, steps // 5))}):
        yield f"{step:5}  {losses['squareplus'][step - 1]:10.4f}  {losses['relu'][step - 1]:7.4f}"


def plot(points: tuple[Tensor, Tensor], grid: Array, fits: dict[str, Fit], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    rule, curve, slope = figure.subplots(1, 3)
    x = mg.linspace(-1.5, 1.5, 301)
    for name, f, color in (("squareplus", lambda x: squareplus(x, ROUNDNESS), "tab:red"), ("relu", F.relu, "tab:blue")):
        rule.plot(x.numpy(), f(x).numpy(), color=color, label=name)
        curve.plot(grid, fits[name].curve, color=color, label=f"{name}, {fits[name].distance:.3f} off")
        slope.plot(grid, fits[name].slope, color=color, label=name)
    curve.plot(grid, sine(grid), color="black", linestyle=":", label="sin 2x")
    curve.scatter(*(tensor.numpy() for tensor in points), s=8, color="gray", label="points")
    slope.plot(grid, 2 * np.cos(2 * grid), color="black", linestyle=":", label="2 cos 2x")
    rule.set(title=f"activation functions (b = {ROUNDNESS})", xlabel="x")
    curve.set(title="what the networks learned", xlabel="x", ylim=(-1.3, 2.1))
    slope.set(title="its slope, by mg.grad", xlabel="x", ylim=(-3.6, 4.6))
    for axes in (rule, curve, slope):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left" if axes is rule else "upper center", ncols=1 if axes is rule else 2, fontsize=8)
    figure.savefig(path, dpi=150)


def main(seed: int = 0, steps: int = STEPS, out: Path | None = OUT, eager: bool = False) -> float:
    """Check squareplus, and train with it and with ReLU; the distance of the curve learned with squareplus from the sine."""
    if out is not None:
        if not is_installed("matplotlib"):
            raise MissingExtraError(
                "matplotlib missing; pass --no-plots, or, in the repository's folder: pip install '.[examples]'"
            )
        make_folder(out)
    check()
    points, grid = make_points(seed), np.linspace(-3, 3, 601)
    losses, fits = {}, {}
    for name, activation in (("squareplus", Squareplus), ("relu", nn.ReLU)):
        mg.manual_seed(seed)  # both begin with the same weights
        network = make_network(activation)
        losses[name] = train(network, *points, steps, eager)
        fits[name] = look(network, grid)
    print(*loss_rows(losses), sep="\n")
    if out is not None:
        path = out / "custom_op.png"
        plot(points, grid, fits, path)
        print(f"picture: {path}")
    print("distance from the sine: " + ", ".join(f"{name} {fit.distance:.4f}" for name, fit in fits.items()))
    return fits["squareplus"].distance


# ---- the command line


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
    parser = argparse.ArgumentParser(description="Declare, check and train an operation of your own.", usage="%(prog)s [flags]")
    flag = parser.add_argument
    flag("--steps", type=whole(1), default=STEPS, metavar="N", help="training steps (default: %(default)s)")
    flag("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of points and weights (default: %(default)s)")
    flag("--out", type=Path, default=OUT, metavar="FOLDER", help="where the picture goes (default: %(default)s)")
    flag("--no-plots", action="store_const", dest="out", const=None, help="draw nothing")
    flag("--eager", action="store_true", help="run the training steps operation by operation: slower, for a debugger")
    try:
        main(**vars(parser.parse_args()))
    except OSError as error:
        parser.error(f"argument --out: {error}")
    except MissingExtraError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    command_line()

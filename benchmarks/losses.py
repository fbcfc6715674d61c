"""Losses: forward with backward against torch with one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure

PAIRS = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
SIGNS = ("hinge_embedding_loss", "soft_margin_loss")
PROBABLE = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "kl_div", "poisson_nll_loss")
VECTORS = ("cosine_embedding_loss", "triplet_margin_loss")
CLASSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
LABELS = ("multilabel_margin_loss",)  # three a row
LOSSES = (
    *PAIRS,
    *PROBABLE,
    "gaussian_nll_loss",
    *SIGNS,
    "margin_ranking_loss",
    *VECTORS,
    *CLASSES,
    *LABELS,
    "cross_entropy of probabilities",
)
IMAGES = ("cross_entropy", "nll_loss", "cross_entropy of probabilities")  # those that take more axes after the classes
SHAPES = {"(128, 10)": (128, 10), "(1000, 1000)": (1000, 1000)}
MORE_AXES = {"(16, 10, 32, 32)": (16, 10, 32, 32), "(32, 1000, 8)": (32, 1000, 8)}
CONTENDERS = ("minigrad", "torch")
JOBS = tuple((contender, loss) for loss in LOSSES for contender in CONTENDERS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.16, 0.05


def environment(contender: str) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def target(shape: str) -> float:
    """The ratio to reach."""
    return 2.0 if shape == "(128, 10)" else 1.0


def shapes(loss: str) -> dict[str, tuple[int, ...]]:
    return SHAPES | (MORE_AXES if loss in IMAGES else {})


def arguments(loss: str, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The input, and what it is compared with, as float32 or class indices."""
    random = np.random.default_rng(0)
    indices = random.integers(0, shape[1], (shape[0], *shape[2:]))
    scores, other, chances = random.standard_normal(shape), random.standard_normal(shape), random.uniform(0.05, 0.95, shape)
    signs = random.choice([-1.0, 1.0], shape)
    more: list[np.ndarray]
    if loss in CLASSES:
        more = [indices]
    elif loss in LABELS:
        more = [np.where(np.arange(shape[1]) < 3, random.integers(0, shape[1], shape), -1)]
    elif loss in VECTORS:
        more = [other, signs[:, 0] if loss.startswith("cosine") else chances]
    elif loss in PAIRS:
        more = [other]
    elif loss in SIGNS:
        more = [signs]
    else:
        more = {"gaussian_nll_loss": [other, chances], "margin_ranking_loss": [other, signs]}.get(loss, [chances])
    first = chances[::-1] if loss == "binary_cross_entropy" else scores
    return [x.astype(np.float32) if x.dtype.kind == "f" else x for x in (first, *more)]


def call(library: Eager, loss: str, shape: tuple[int, ...]) -> Callable[[], object]:
    """The mean loss and the gradient of its input."""
    function = getattr(import_module(f"{library.name}.nn.functional"), loss.split()[0])
    settings: dict[str, Any] = {"reduction": "batchmean"} if loss == "kl_div" else {}
    arrays = arguments(loss, shape)
    leaf, more = library.tensor(arrays[0], requires_grad=True), [library.tensor(x) for x in arrays[1:]]

    def both() -> None:
        leaf.grad = None
        function(leaf, *more, **settings).backward()

    return both


def case(loss: str, shape: str) -> str:
    return f"{loss}, {shape}"


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    library = Eager(contender)
    library.use_one_thread()
    for name, shape in shapes(group).items():
        yield case(group, name), measure(call(library, group, shape), QUICK_SECONDS if quick else SECONDS)


def tables(results: Results) -> list[Table]:
    made = Table(
        "Losses, forward + backward",
        ("loss, input", *CONTENDERS, "ratio", "at least"),
        "float32, one thread on both sides, the mean (kl_div: the mean over the batch), the gradient of the input. More axes than two: the "
        "classes are the second.",
    )
    for loss in LOSSES:
        for shape in shapes(loss):
            name = case(loss, shape)
            made.add(
                name,
                *(results.cell(contender, name, duration) for contender in CONTENDERS),
                made.at_least(name, results.ratio("torch", name), target(shape)),
                number(target(shape)),
            )
    return [made]

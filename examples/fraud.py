"""Find fraud among 40,000 payments, two in a hundred: why 98 % accuracy means nothing here, and three ways to do better.

    python examples/fraud.py

Always answering "no" is right 98 times in 100, and a network trained in the plain way does little else: it finds about one fraud in eight.
Then it is mended: by class weights and by focal loss, which change what is learned, and by the choice of a threshold, which changes what is
made of it. A missed fraud is taken to cost as much as 20 payments that are checked for nothing. The last line of the output is (other
processors round differently):

    cost on the test payments: 3,469 as trained, 2,159 with a threshold chosen for it
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigrad as mg
from minigrad import Tensor, nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.display import Cell, Table, require
from minigrad.errors import MissingExtraError
from minigrad.evaluate import ThresholdChoice, ThresholdCurve, evaluate, threshold_curve
from minigrad.inspect import doctor
from minigrad.nn import functional as F
from minigrad.train import BestWeights, fit

SIZES = (20_000, 10_000, 10_000)  # payments to train on, to choose by, to test on
FRAUD = 0.02
LARGE = (1.5, 1.2, 0.9, 0.0)  # how far fraud lies from the mean payment: sum, distance, hour, payments in a row
SMALL = (-1.3, 0.0, 0.4, 1.8)
EPOCHS = 12
LEARNING_RATE = 3e-3
MISSED, CHECKED = 20, 1  # what a missed fraud costs, and a payment that is checked for nothing
COSTS = [[0, CHECKED], [MISSED, 0]]  # [true][answer]
CLASSES = ("honest", "fraud")
GAMMA, ALPHA = 2.0, 0.9  # of the focal loss: how fast sure answers lose their weight, and the share of it that is fraud's
OUT = Path("out")


class Payments(NamedTuple):
    """Features (n, 4), and 1.0 for fraud (n, 1), in three parts."""

    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset


class Way(NamedTuple):
    """A way to decide, and what it brings on the test payments."""

    name: str
    choice: ThresholdChoice


def make_payments(seed: int) -> Payments:
    """Payments drawn at random, in each part the same share of fraud."""
    rng = np.random.default_rng(seed)
    return Payments(*(draw(rng, n) for n in SIZES))


def draw(rng: np.random.Generator, n: int) -> TensorDataset:
    """Fraud comes in two kinds, unlike each other: large sums far from home at night, and many small ones in a row; each overlaps with
    what honest people do."""
    fraud = rng.permutation(n) < round(FRAUD * n)
    large = fraud & (rng.random(n) < 0.5)
    small = fraud & ~large
    features = rng.normal(size=(n, 4)) + np.outer(large, LARGE) + np.outer(small, SMALL)
    return TensorDataset(mg.tensor(features, dtype=mg.float32), mg.tensor(fraud[:, None], dtype=mg.float32))


def learn(payments: Payments, loss: Callable[[Tensor, Tensor], Tensor], seed: int) -> nn.Module:
    """A small network, trained with a loss of logits; the weights of its best epoch on the validation payments."""
    mg.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = optim.Adam(network.parameters(), lr=LEARNING_RATE)
    loader = DataLoader(payments.train, batch_size=128, shuffle=True)
    fit(network, loss, optimizer, loader, EPOCHS, validation=payments.validation, callbacks=[BestWeights()])
    return network.eval()


def curve(network: nn.Module, payments: TensorDataset) -> ThresholdCurve:
    """What each threshold on the network's probabilities would bring."""
    X, y = payments.tensors
    with mg.no_grad():
        return threshold_curve(network(X).sigmoid(), y, outputs="probabilities", class_names=CLASSES)


def judge(network: nn.Module, payments: Payments) -> None:
    """The network as trained in the plain way, before a class."""
    loss = nn.BCEWithLogitsLoss()
    print("1. As trained: the network learned in the plain way, on the test payments\n")
    print(evaluate(network, payments.test, loss, class_names=CLASSES))
    print(f"\n\n2. What the doctor says of it\n\n{doctor(network, payments.test, loss)}\n")


def ways(name: str, network: nn.Module, payments: Payments) -> list[Way]:
    """A network decided at ½, and at the thresholds that were best on the validation payments."""
    validation, test = curve(network, payments.validation), curve(network, payments.test)
    thresholds = {"at ½": 0.5, "best F1": validation.best_f1().threshold, "lowest cost": validation.by_cost(COSTS).threshold}
    return [Way(f"{name}, {how}", test.at(threshold)) for how, threshold in thresholds.items()]


def cost(choice: ThresholdChoice) -> int:
    return MISSED * choice.fn + CHECKED * choice.fp


def means(weight: float) -> str:
    """What is done differently, a line each."""
    return (
        f"Class weights: a fraud weighs {weight:g} : 1 in the loss, for there are {weight:g} honest payments to each.\n"
        f"Focal loss: a payment whose class has probability p weighs (1 − p)^γ, γ = {GAMMA:g}: the hard ones count; "
        f"frauds α = {ALPHA:g} of it, the others {1 - ALPHA:.1g}.\n"
        "Thresholds: what is learned stays, and the answer is fraud from another probability on than ½."
    )


def table(found: list[Way]) -> Table:
    """What each way brings on the test payments, the cheapest in bold where bold can be shown."""
    plain, lowest = cost(found[0].choice), min(cost(choice) for _, choice in found)
    rates = ("threshold", "accuracy", "precision", "recall", "f1")
    rows = [
        [
            name, *(getattr(choice, rate) for rate in rates), choice.fn, choice.fp,
            Cell(cost(choice), strong=cost(choice) == lowest), plain - cost(choice),
        ]
        for name, choice in found
    ]  # fmt: skip
    head = ["", "threshold", "accuracy", "precision", "recall", "F1", "missed", "checked for nothing", "cost", "saved"]
    note = f"Cost: {MISSED} for a missed fraud, {CHECKED} for a payment checked for nothing. Thresholds chosen on the validation payments."
    return Table(head, rows, "What each way bought, on the test payments", note=note)


def conclusion(found: list[Way]) -> str:
    """What the table says."""
    saved = {name: 1 - cost(choice) / cost(found[0].choice) for name, choice in found}
    weights, focal = (saved[f"{name}, lowest cost"] for name in ("class weights", "focal loss"))
    return (
        f"A threshold chosen by cost saves {saved['plain, lowest cost']:.0%} of the plain network's cost, without training anew.\n"
        f"Class weights alone save {saved['class weights, at ½']:.0%}, with a threshold {weights:.0%}; "
        f"focal loss alone {saved['focal loss, at ½']:.0%}, with a threshold {focal:.0%}."
    )


def main(seed: int = 0, out: Path | None = OUT) -> float:
    """Train and decide in all ways; the share of the plain way's cost that is left in the cheapest. The threshold curve goes to the folder
    `out`, or nowhere if it is None."""
    require("fraud", "sklearn")
    if out is not None:
        require("fraud", "matplotlib")
        out.mkdir(parents=True, exist_ok=True)
    payments = make_payments(seed)
    positives = payments.train.tensors[1].sum().item()
    weight = (len(payments.train) - positives) / positives
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "plain": F.binary_cross_entropy_with_logits,
        "class weights": nn.BCEWithLogitsLoss(pos_weight=mg.tensor(weight)),
        "focal loss": nn.FocalLoss(gamma=GAMMA, alpha=ALPHA),
    }
    networks = {name: learn(payments, loss, seed) for name, loss in losses.items()}
    judge(networks["plain"], payments)
    found = [way for name, network in networks.items() for way in ways(name, network, payments)]
    print(f"\n3. Mended\n\n{means(weight)}\n\n{table(found).text()}\n\n{conclusion(found)}\n")
    if out is not None:
        curve(networks["plain"], payments.validation).by_cost(COSTS).plot(out / "fraud-threshold.png")
        print(f"threshold of the plain network, chosen by cost: {out / 'fraud-threshold.png'}")
    plain, chosen = cost(found[0].choice), cost(found[2].choice)
    print(f"cost on the test payments: {plain:,} as trained, {chosen:,} with a threshold chosen for it")
    return chosen / plain


def command_line() -> None:
    parser = argparse.ArgumentParser(description="Find fraud among payments.", usage="%(prog)s [flags]")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of payments, weights and order (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="where the plot goes (default: %(default)s)")
    parser.add_argument("--no-plots", action="store_const", dest="out", const=None, help="write no plot")
    flags = parser.parse_args()
    try:
        main(**vars(flags))
    except OSError as error:
        parser.error(f"argument --out: {error}")
    except MissingExtraError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    command_line()

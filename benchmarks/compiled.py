"""Compiled training steps: `mg.compile` against minigrad's eager step, torch with fused Adam, JAX's compiled step, and one by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number, ratio
from benchmarks.timing import measure
from benchmarks.workloads import NETS as OTHER_NETS
from benchmarks.workloads import Net, Step, compiled_step, data, eager_step, in_turn, jax_step

NETS = OTHER_NETS | {"deep": Net((64, *(64,) * 12, 10), 64)}
PEERS = ("jax", "torch", "minigrad eager")
TARGETS = {  # of PEERS, in their order
    "moons": (4.5, 10, 2.3),
    "digits-32": (3, 6.5, 1.6),
    "digits-128": (1.8, 3.5, 1.25),
    "mnist": (1.0, 1.5, 1.03),
    "wide": (1.1, 1.1, 1.0),
    "deep": (2, 6, 1.5),
}
BY_HAND, MOST_BY_HAND = "numba by hand", 1.05
WRITTEN_BY_HAND = ("moons", "digits-32", "digits-128", "mnist")
HEADS = {"minigrad": "compiled", "minigrad eager": "eager", BY_HAND: "by hand", "torch": "torch", "jax": "jax jit"}
JOBS = tuple((contender, net) for net in NETS for contender in HEADS if contender != BY_HAND or net in WRITTEN_BY_HAND)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 1.0, 0.2
PILOT_SECONDS = 0.1


def environment(contender: str) -> dict[str, str]:
    """Each library takes the threads that it takes by default; beside another library's pool, NumPy's stays empty."""
    return {"OPENBLAS_NUM_THREADS": "1"} if contender in ("torch", "jax") else {}


def step_by_hand(net: Net) -> Step:
    """The variant of it that is the fastest for this net."""
    from benchmarks.by_hand import VARIANTS, ByHand

    steps = [in_turn(ByHand(*net, variant).step, data(net)) for variant in VARIANTS]
    return min(steps, key=lambda step: measure(step, PILOT_SECONDS)), None


STEPS: dict[str, Callable[[Net], Step]] = {
    "minigrad": lambda net: compiled_step(Eager("minigrad"), net),
    "minigrad eager": lambda net: eager_step(Eager("minigrad"), net),
    "torch": lambda net: eager_step(Eager("torch"), net),
    "jax": jax_step,
    BY_HAND: step_by_hand,
}


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    step, finish = STEPS[contender](NETS[group])
    seconds = QUICK_SECONDS if quick else SECONDS
    end = perf_counter() + seconds
    while perf_counter() < end:  # what is compiled beside the first steps is to be done
        step()
        if finish is not None:
            finish()
    yield group, measure(step, seconds, finish)


def tables(results: Results) -> list[Table]:
    times = Table(
        "Compiled training steps",
        ("net, batch", *HEADS.values()),
        "The step of the section above, given to `mg.compile`; eager is minigrad without it, torch is eager with fused Adam, JAX compiles "
        "the whole step and hands its buffers on. By hand: np.dot into arrays that are kept and a Numba kernel for each thing between "
        "two products (`benchmarks/by_hand.py`), the fastest of its four variants for each net. Threads: each library's default.",
    )
    ratios = Table(
        "Compiled training steps, ratios",
        ("net", *(cell for peer in PEERS for cell in (f"{HEADS[peer]} / compiled", "at least")), "compiled / by hand", "at most"),
    )
    for name, net in NETS.items():
        times.add(f"{name} {net}", *(results.cell(contender, name, duration) for contender in HEADS))
        cells = []
        for peer, target in zip(PEERS, TARGETS[name], strict=True):
            cells += [ratios.at_least(f"compiled step against {HEADS[peer]}, {name}", results.ratio(peer, name), target)]
            cells += [number(target)]
        over = ratio(results.median("minigrad", name), results.median(BY_HAND, name))
        limit = MOST_BY_HAND if name in WRITTEN_BY_HAND else None
        ratios.add(name, *cells, ratios.at_most(f"compiled step over that by hand, {name}", over, limit), number(limit))
    return [times, ratios]

"""What looking at a network costs: traces, a diagnosis, a graph and a report of the mnist net; hooks that are no longer there; `train.fit`
beside a loop written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number, ratio
from benchmarks.timing import measure
from benchmarks.workloads import LEARNING_RATE, NETS, data, dense, tensors, training

JOBS = (("minigrad", "looks"), ("minigrad", "unused"), *(("minigrad", f"loop of {net}") for net in ("moons", "digits-32", "mnist")))
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.3, 0.05
BATCHES, EPOCHS = 40, 25
STEPS = ("eager", "compiled")
UNUSED = 1.1  # a step after hooks and a watcher were there, over one before
LIMITS = {"trace, with gradients": 1.0, "doctor, 8 batches": 1.0}  # seconds, the first time in a process too


def environment(contender: str) -> dict[str, str]:
    return {}


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    if group == "looks":
        yield from looks(QUICK_SECONDS if quick else SECONDS)
    elif group == "unused":
        yield from unused(QUICK_SECONDS if quick else SECONDS)
    else:
        yield from loops(group.removeprefix("loop of "))


def looks(seconds: float) -> Iterator[tuple[str, float]]:
    library = Eager("minigrad")
    net = NETS["mnist"]
    model = dense(library, net.sizes)
    batches = tensors(library, data(net, 8))
    loss = library.nn.CrossEntropyLoss()
    for name, call in calls(library.root, model, loss, batches):
        start = perf_counter()
        call()
        yield f"{name}, first", perf_counter() - start
        yield name, measure(call, seconds)


def calls(mg: Any, model: Any, loss: Any, batches: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    inspect, (x, y) = mg.inspect, batches[0]
    optimizer = mg.optim.Adam(model.parameters(), lr=1e-3)
    yield "trace, with gradients", lambda: inspect.trace(model, x, target=y, loss=loss)
    yield "trace_backward", lambda: inspect.trace_backward(loss(model(x), y))
    yield "explain_prediction", lambda: inspect.explain_prediction(model, x[0])
    yield "doctor, 8 batches", lambda: inspect.doctor(model, batches, loss, optimizer=optimizer)
    yield "graph, as SVG", lambda: inspect.graph(loss(model(x), y), model=model).to_svg()
    yield "evaluate, 1,024 samples", lambda: mg.evaluate.evaluate(model, batches, loss)
    evaluation, diagnosis = mg.evaluate.evaluate(model, batches, loss), inspect.doctor(model, batches, loss)
    with TemporaryDirectory() as folder:
        yield "report, with pictures", lambda: inspect.report(model, evaluation, diagnosis, path=Path(folder) / "report.html")


def unused(seconds: float) -> Iterator[tuple[str, float]]:
    """Seconds a step, before hooks and a watcher were ever there and after they were used and removed."""
    library = Eager("minigrad")
    (batch,) = tensors(library, data(NETS["moons"], 1))
    models = {name: dense(library, NETS["moons"].sizes) for name in STEPS}
    steps = {name: training(library, model) for name, model in models.items()}
    steps["compiled"] = library.root.compile(steps["compiled"])
    for when in ("before", "after"):
        for name, step in steps.items():
            yield f"{name}, {when}", measure(partial(step, *batch), seconds)
            look_on(models[name], partial(step, *batch))


def look_on(model: Any, step: Callable[[], object]) -> None:
    """One step with every module and parameter hooked, and watched."""
    from minigrad.core import Watcher, watching

    handles = [parameter.register_hook(lambda g: None) for parameter in model.parameters()]
    for module in model.modules():
        handles += [module.register_forward_hook(lambda *call: None), module.register_full_backward_hook(lambda *call: None)]
    with watching(Watcher()):
        step()
    for handle in handles:
        handle.remove()


def loops(name: str) -> Iterator[tuple[str, float]]:
    """Seconds a step, of a compiled loop written out that keeps its losses, and of `fit` with its metrics."""
    library = Eager("minigrad")
    mg, net = library.root, NETS[name]
    batches = tensors(library, data(net, BATCHES))
    step = mg.compile(training(library, dense(library, net.sizes)))
    model, loss = dense(library, net.sizes), library.function("cross_entropy")
    optimizer = mg.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses: list[float] = []

    def loop() -> None:
        for _ in range(EPOCHS):
            for x, y in batches:
                losses.append(step(x, y).item())

    loop()
    for case, call in (("written out", loop), ("fit", lambda: mg.train.fit(model, loss, optimizer, batches, EPOCHS))):
        yield f"{name}, {case}", measure(call, SECONDS) / (BATCHES * EPOCHS)


def tables(results: Results) -> list[Table]:
    looking = Table(
        "Looking: the mnist net",
        ("what", "first time in a process", "then", "first, at most, s"),
        f"{NETS['mnist']}. The first time includes what is imported (scikit-learn, matplotlib) and compiled or read from the cache.",
    )
    for contender, case in [key for key in results.values if key[1].endswith(", first")]:
        name = case.removesuffix(", first")
        first, limit = results.median(contender, case), LIMITS.get(name)
        looking.at_most(f"{name}, seconds", first, limit)
        looking.add(name, results.cell(contender, case, duration), results.cell(contender, name, duration), number(limit))
    gone = Table(
        "Hooks and watchers that are not there",
        ("step", "before any was there", "after", "after over before", "at most"),
        f"{NETS['moons']}. Between the two, a step ran with a watcher, and with hooks on every module and parameter; then they were removed.",
    )
    for name in STEPS:
        before, after = (results.median("minigrad", f"{name}, {when}") for when in ("before", "after"))
        cells = (results.cell("minigrad", f"{name}, {when}", duration) for when in ("before", "after"))
        gone.add(name, *cells, gone.at_most(f"{name} step without hooks", ratio(after, before), UNUSED), number(UNUSED))
    fitting = Table(
        "Training by fit",
        ("net", "fit, a step", "loop written out, a step", "fit over the loop"),
        f"{EPOCHS} epochs of {BATCHES} batches; the loop runs the compiled step and keeps its loss. What fit does more: it sets itself up and "
        "records its step anew in each call, runs every 200th step both ways, checks batches, adds up losses, judges accuracy once an epoch, "
        "takes the norm of the last gradients, writes its history.",
    )
    for _, group in JOBS[2:]:
        name = group.removeprefix("loop of ")
        fit, loop = (results.median("minigrad", f"{name}, {case}") for case in ("fit", "written out"))
        cells = (results.cell("minigrad", f"{name}, {case}", duration) for case in ("fit", "written out"))
        fitting.add(name, *cells, number(ratio(fit, loop)))
    return [looking, gone, fitting]

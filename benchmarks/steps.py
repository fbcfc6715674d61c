"""Training steps: forward, backward and Adam on five nets: eager against torch with fused Adam, and JAX's compiled step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure

NETS: dict[str, tuple[tuple[int, ...], int]] = {
    "moons": ((2, 16, 16, 2), 100),
    "digits-32": ((64, 128, 10), 32),
    "digits-128": ((64, 128, 10), 128),
    "mnist": ((784, 256, 128, 10), 128),
    "wide": ((784, 2048, 2048, 10), 512),
}
TARGETS = {"moons": 4.0, "digits-32": 4.0, "digits-128": 2.5, "mnist": 1.3, "wide": 1.0}
CONTENDERS = ("minigrad", "torch", "jax")
JOBS = tuple((contender, net) for net in NETS for contender in CONTENDERS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 1.0, 0.2
# No batch may be memorised: gradients would become denormal numbers, and everything slow. This rate changes nothing.
BATCHES = 8
LEARNING_RATE = 1e-8
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Step = tuple[Callable[[], object], Callable[[], object] | None]


def environment(contender: str) -> dict[str, str]:
    """Each library takes the threads that it takes by default; beside another library's pool, NumPy's stays empty."""
    return {} if contender == "minigrad" else {"OPENBLAS_NUM_THREADS": "1"}


def data(net: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of random inputs and labels."""
    sizes, batch = NETS[net]
    random = np.random.default_rng(0)
    return [
        (random.standard_normal((batch, sizes[0]), dtype=np.float32), random.integers(0, sizes[-1], batch)) for _ in range(BATCHES)
    ]


def eager_step(library: Eager, net: str) -> Step:
    """The step as a user writes it."""
    nn, cross_entropy = library.nn, library.function("cross_entropy")
    sizes = NETS[net][0]
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    optimizer = library.adam(model.parameters(), LEARNING_RATE)
    batches = [(library.tensor(x), library.tensor(y)) for x, y in data(net)]
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % BATCHES
        x, y = batches[turn]
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    return step, None


def jax_step(net: str) -> Step:
    """The same step under one `jax.jit`, its buffers handed on from step to step. A sample waits only for its last step."""
    import jax
    import jax.numpy as jnp

    sizes = NETS[net][0]
    random = np.random.default_rng(1)
    parameters = []
    for inputs, outputs in pairwise(sizes):
        weight = random.uniform(-1, 1, (inputs, outputs)) / np.sqrt(inputs)
        parameters.append((jnp.asarray(weight, jnp.float32), jnp.zeros(outputs, jnp.float32)))

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = parameters[-1]
        return -jnp.take_along_axis(jax.nn.log_softmax(x @ weight + bias), y[:, None], axis=1).mean()

    def adam(state: Any, x: Any, y: Any) -> Any:
        parameters, m, v, count = state
        value, gradient = jax.value_and_grad(loss)(parameters, x, y)
        count = count + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)
        size, root = LEARNING_RATE / (1 - BETA1**count), jnp.sqrt(1 - BETA2**count)
        parameters = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + EPS), parameters, m, v)
        return (parameters, m, v, count), value

    update = jax.jit(adam, donate_argnums=0)
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state: Any = (parameters, *zeros, jnp.zeros((), jnp.float32))
    batches = [(jnp.asarray(x), jnp.asarray(y, jnp.int32)) for x, y in data(net)]
    turn = 0

    def step() -> None:
        nonlocal state, turn
        turn = (turn + 1) % BATCHES
        state, _ = update(state, *batches[turn])

    return step, lambda: jax.block_until_ready(state)


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    step, finish = jax_step(group) if contender == "jax" else eager_step(Eager(contender), group)
    yield group, measure(step, QUICK_SECONDS if quick else SECONDS, finish)


def tables(results: Results) -> list[Table]:
    table = Table(
        "Training steps",
        ("net, batch", "minigrad", "torch", "jax jit", "torch ratio", "lowest–highest", "at least", "jax ratio"),
        "One step in float32: cross-entropy, ReLU hidden layers, backward, Adam (torch: fused). minigrad and torch run eagerly, "
        "JAX compiles the whole step. Threads: each library's default.",
    )
    for net, (sizes, batch) in NETS.items():
        rounds = results.ratios("torch", net)
        table.add(
            f"{net} {'-'.join(map(str, sizes))}, {batch}",
            *(results.cell(contender, net, duration) for contender in CONTENDERS),
            table.at_least(f"step, {net}", results.ratio("torch", net), TARGETS[net]),
            f"{number(rounds[0])}–{number(rounds[-1])}" if rounds else "–",
            number(TARGETS[net]),
            number(results.ratio("jax", net)),
        )
    return [table]

"""Training steps of dense networks as each library's users write them: ReLU between the layers, cross-entropy, Adam, float32.

Only NumPy is imported from here; the library is, when a step is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from benchmarks.contenders import Eager

BATCHES = 8
# No batch may be memorised: gradients would become denormal numbers, and everything slow. This rate changes nothing.
LEARNING_RATE = 1e-8
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Arrays = tuple[np.ndarray, np.ndarray]
Step = tuple[Callable[[], object], Callable[[], object] | None]


class Net(NamedTuple):
    """The sizes of the layers, the input's first, and how many rows a batch has."""

    sizes: tuple[int, ...]
    batch: int

    def __str__(self) -> str:
        return f"{'-'.join(self._layers())}, {self.batch}"

    def _layers(self) -> Iterator[str]:
        """The sizes; of more than two hidden layers that are alike, their number: 12×64."""
        yield str(self.sizes[0])
        for size, alike in groupby(self.sizes[1:-1]):
            count = len(list(alike))
            yield from [str(size)] * count if count < 3 else [f"{count}×{size}"]
        yield str(self.sizes[-1])


NETS = {
    "moons": Net((2, 16, 16, 2), 100),
    "digits-32": Net((64, 128, 10), 32),
    "digits-128": Net((64, 128, 10), 128),
    "mnist": Net((784, 256, 128, 10), 128),
    "wide": Net((784, 2048, 2048, 10), 512),
}


def data(net: Net, batches: int = BATCHES) -> list[Arrays]:
    """Batches of random inputs and labels."""
    random = np.random.default_rng(0)
    return [
        (random.standard_normal((net.batch, net.sizes[0]), dtype=np.float32), random.integers(0, net.sizes[-1], net.batch))
        for _ in range(batches)
    ]


def in_turn(step: Callable[[Any, Any], object], batches: Sequence[tuple[Any, Any]]) -> Callable[[], None]:
    """A call without arguments that takes the next batch."""
    turn = 0

    def call() -> None:
        nonlocal turn
        turn = (turn + 1) % len(batches)
        step(*batches[turn])

    return call


# ---- minigrad and torch


def dense(library: Eager, sizes: Sequence[int]) -> Any:
    nn = library.nn
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def training(library: Eager, model: Any, rate: float = LEARNING_RATE) -> Callable[[Any, Any], Any]:
    """The step as a user writes it: a function of inputs and labels that returns the loss."""
    cross_entropy, optimizer = library.function("cross_entropy"), library.adam(model.parameters(), rate)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def tensors(library: Eager, batches: Sequence[Arrays]) -> list[tuple[Any, Any]]:
    return [(library.tensor(x), library.tensor(y)) for x, y in batches]


def eager_step(library: Eager, net: Net) -> Step:
    return in_turn(training(library, dense(library, net.sizes)), tensors(library, data(net))), None


def compiled_step(library: Eager, net: Net) -> Step:
    """The same step, given to minigrad's `compile`."""
    step = library.root.compile(training(library, dense(library, net.sizes)))
    return in_turn(step, tensors(library, data(net))), None


# ---- JAX


def jax_training(sizes: Sequence[int], rate: float = LEARNING_RATE, seed: int = 1) -> tuple[Any, Any, Any]:
    """(state, update, forward): `update(state, x, y)`, one `jax.jit` over the whole step, gives the next state, in the same buffers, and
    the loss; `forward(parameters, x)` the logits. The parameters are state[0]."""
    import jax
    import jax.numpy as jnp

    random = np.random.default_rng(seed)
    parameters = []
    for inputs, outputs in pairwise(sizes):
        weight = random.uniform(-1, 1, (inputs, outputs)) / np.sqrt(inputs)
        parameters.append((jnp.asarray(weight, jnp.float32), jnp.zeros(outputs, jnp.float32)))

    def forward(parameters: Any, x: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = parameters[-1]
        return x @ weight + bias

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(parameters, x)), y[:, None], axis=1).mean()

    def adam(state: Any, x: Any, y: Any) -> Any:
        parameters, m, v, count = state
        value, gradient = jax.value_and_grad(loss)(parameters, x, y)
        count = count + 1
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)
        size, root = rate / (1 - BETA1**count), jnp.sqrt(1 - BETA2**count)
        parameters = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) / root + EPS), parameters, m, v)
        return (parameters, m, v, count), value

    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    return (parameters, *zeros, jnp.zeros((), jnp.float32)), jax.jit(adam, donate_argnums=0), jax.jit(forward)


def jax_step(net: Net) -> Step:
    """A sample waits only for its last step."""
    import jax
    import jax.numpy as jnp

    state, update, _ = jax_training(net.sizes)

    def step(x: Any, y: Any) -> None:
        nonlocal state
        state, _ = update(state, x, y)

    batches = [(jnp.asarray(x), jnp.asarray(y, jnp.int32)) for x, y in data(net)]
    return in_turn(step, batches), lambda: jax.block_until_ready(state)

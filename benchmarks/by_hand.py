"""One training step written by hand for a dense network: what `mg.compile` is held against.

np.dot into arrays that are there already, and one small Numba kernel for each thing that is to be done between two products; the
parameters, their gradients and Adam's averages lie in flat arrays. Its variants do the same arithmetic:

weights: (in, out), or (out, in) as PyTorch keeps them: BLAS is not equally fast in both.
exp: in the kernel, or NumPy's vectorized one between two kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, product

import numpy as np
from numba import njit

from benchmarks.workloads import BETA1, BETA2, EPS, LEARNING_RATE

ORDERS, EXPS = ("in, out", "out, in"), ("in the kernel", "NumPy's")
VARIANTS = tuple(product(ORDERS, EXPS))

# Sums may be taken in the order that suits vector instructions; no approximate divisions or roots.
kernel = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@kernel
def bias_relu(h, b):
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = max(h[i, j] + b[j], np.float32(0))


@kernel
def relu_backward(g, h, db):
    """g where h is positive, else 0, and the sums of its columns."""
    db[:] = np.float32(0)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            g[i, j] = g[i, j] if h[i, j] > np.float32(0) else np.float32(0)
            db[j] += g[i, j]


@kernel
def shifted(z, b):
    """z + b less the largest of the row; returns nothing of that largest: it cancels."""
    for i in range(z.shape[0]):
        top = np.float32(-np.inf)
        for j in range(z.shape[1]):
            z[i, j] += b[j]
            top = max(top, z[i, j])
        for j in range(z.shape[1]):
            z[i, j] -= top


@kernel
def own_logits(z, y, own):
    for i in range(z.shape[0]):
        own[i] = z[i, y[i]]


@kernel
def cross_entropy(e, y, own, db):
    """The mean of log Σ e − own, where e = exp(shifted logits); e becomes the gradient, and db the sums of its columns."""
    share = np.float32(1) / np.float32(e.shape[0])
    loss = np.float32(0)
    db[:] = np.float32(0)
    for i in range(e.shape[0]):
        total = np.float32(0)
        for j in range(e.shape[1]):
            total += e[i, j]
        loss += np.log(total) - own[i]
        scale = share / total
        for j in range(e.shape[1]):
            e[i, j] *= scale
        e[i, y[i]] -= share
        for j in range(e.shape[1]):
            db[j] += e[i, j]
    return loss * share


@kernel
def logits_cross_entropy(z, b, y, own, db):
    """The three above, and exp, in one call."""
    shifted(z, b)
    own_logits(z, y, own)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = np.exp(z[i, j])
    return cross_entropy(z, y, own, db)


@kernel
def shifted_logits(z, b, y, own):
    shifted(z, b)
    own_logits(z, y, own)


@kernel
def adam(p, m, v, g, size, eps):
    beta1, beta2 = np.float32(BETA1), np.float32(BETA2)
    size, eps = np.float32(size), np.float32(eps)
    for i in range(p.size):
        m[i] = beta1 * m[i] + (np.float32(1) - beta1) * g[i]
        v[i] = beta2 * v[i] + (np.float32(1) - beta2) * g[i] * g[i]
        p[i] -= size * m[i] / (np.sqrt(v[i]) + eps)


def slices(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> Iterator[np.ndarray]:
    begin = 0
    for shape in shapes:
        end = begin + math.prod(shape)
        yield flat[begin:end].reshape(shape)
        begin = end


class ByHand:
    """The network's arrays, and a step for batches of one size. `step(x, y)` returns the loss."""

    def __init__(self, sizes: Sequence[int], batch: int, variant: tuple[str, str], rate: float = LEARNING_RATE):
        self.turned, self.numpys_exp, self.rate = variant[0] == ORDERS[1], variant[1] == EXPS[1], rate
        shapes: list[tuple[int, ...]] = []
        for inputs, outputs in pairwise(sizes):
            shapes += [(outputs, inputs) if self.turned else (inputs, outputs), (outputs,)]
        self.flat = np.zeros((4, sum(map(math.prod, shapes))), np.float32)  # parameters, m, v, gradients
        self.parameters, self.gradients = list(slices(self.flat[0], shapes)), list(slices(self.flat[3], shapes))
        random = np.random.default_rng(1)
        for weight, inputs in zip(self.parameters[::2], sizes, strict=False):
            weight[:] = random.uniform(-1, 1, weight.shape) / np.sqrt(inputs)
        self.outputs = [np.empty((batch, size), np.float32) for size in sizes[1:]]
        self.step = self._written()

    def _written(self) -> Callable[[np.ndarray, np.ndarray], float]:
        turned, numpys_exp, rate = self.turned, self.numpys_exp, self.rate
        p, m, v, g = self.flat
        (weights, biases), (d_weights, d_biases) = ((a[::2], a[1::2]) for a in (self.parameters, self.gradients))
        outs = self.outputs
        d_outs = [*map(np.empty_like, outs[:-1]), outs[-1]]  # the gradient of the logits takes their place
        forth, back = [w.T if turned else w for w in weights], [w if turned else w.T for w in weights]
        links = list(zip(outs[:-1], biases[:-1], forth[1:], outs[1:], strict=True))
        sides = [(d.T, x) if turned else (x.T, d) for x, d in zip(outs[:-1], d_outs[1:], strict=True)]
        walk = list(zip(sides, d_weights[1:], d_outs[1:], back[1:], d_outs[:-1], outs[:-1], d_biases[:-1], strict=True))[::-1]
        first, logits, d_first, d_first_turned = outs[0], outs[-1], d_outs[0], d_outs[0].T
        first_weight, d_first_weight, last_bias, d_last_bias = forth[0], d_weights[0], biases[-1], d_biases[-1]
        own = np.empty(len(logits), np.float32)
        dot, exp, sqrt, count = np.dot, np.exp, math.sqrt, 0

        def step(x: np.ndarray, y: np.ndarray) -> float:
            nonlocal count
            dot(x, first_weight, first)
            for h, bias, weight, out in links:
                bias_relu(h, bias)
                dot(h, weight, out)
            if numpys_exp:
                shifted_logits(logits, last_bias, y, own)
                exp(logits, logits)
                loss = cross_entropy(logits, y, own, d_last_bias)
            else:
                loss = logits_cross_entropy(logits, last_bias, y, own, d_last_bias)
            for (left, right), d_weight, d, weight, d_h, h, d_bias in walk:
                dot(left, right, d_weight)
                dot(d, weight, d_h)
                relu_backward(d_h, h, d_bias)
            if turned:
                dot(d_first_turned, x, d_first_weight)
            else:
                dot(x.T, d_first, d_first_weight)
            count += 1
            root = sqrt(1 - BETA2**count)
            adam(p, m, v, g, rate * root / (1 - BETA1**count), EPS * root)
            return loss

        return step

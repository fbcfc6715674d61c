"""Right answers to the exercises, as a learner would write them."""

from __future__ import annotations

import math

import numpy as np

import minigrad as mg
from minigrad.kernels.notation import absolute, exp, log, log1p, maximum, minimum, sigmoid, sqrt, tanh, where

__all__ = ["RIGHT", "operation"]


def operation(name, formula, elementwise=False, **rules):
    """An operation from functions."""
    formula.__name__ = name
    made = mg.elementwise(formula) if elementwise else mg.op(formula)
    for argument, rule in rules.items():
        made.backward(argument)(rule)
    return made


def derivative(f, x):
    h = 1e-5
    return (f(x + h) - f(x - h)) / (2 * h)


@mg.elementwise
def mul(a, b):
    return a * b


@mul.backward("a")
def _(g, b):
    return g * b


@mul.backward("b")
def _(g, a):
    return g * a


@mg.elementwise
def div(a, b):
    return a / b


@div.backward("a")
def _(g, b):
    return g / b


@div.backward("b")
def _(g, b, y):
    return -g * y / b


@mg.op
def add(x, b):
    return x + b


@add.backward("x")
def _(g):
    return g


@add.backward("b")
def _(g):
    return g.sum(0)


@mg.op
def mean(x):
    return x.mean()


@mean.backward("x")
def _(g, x):
    return g * np.ones(x.shape, x.dtype) / math.prod(x.shape)


@mg.op
def matmul(a, b):
    return a @ b


@matmul.backward("a")
def _(g, b):
    return g @ b.T


@matmul.backward("b")
def _(g, a):
    return a.T @ g


@mg.elementwise
def relu(x):
    return where(x > 0, x, 0)


@relu.backward("x")
def _(g, x):
    return where(x > 0, g, 0)


@mg.elementwise
def leaky_relu(x):
    return where(x > 0, x, 0.01 * x)


@leaky_relu.backward("x")
def _(g, x):
    return where(x > 0, g, 0.01 * g)


@mg.elementwise
def sigmoid_of(x):
    return 1 / (1 + exp(-x))


@sigmoid_of.backward("x")
def _(g, y):
    return g * y * (1 - y)


@mg.elementwise
def tanh_of(x):
    return tanh(x)


@tanh_of.backward("x")
def _(g, y):
    return g * (1 - y * y)


@mg.elementwise
def silu(x):
    return x * sigmoid(x)


@silu.backward("x")
def _(g, x):
    s = sigmoid(x)
    return g * (s + x * s * (1 - s))


@mg.elementwise
def softplus(x):
    return maximum(x, 0) + log1p(exp(-absolute(x)))


@softplus.backward("x")
def _(g, x):
    return g * sigmoid(x)


@mg.op
def mse_loss(input, target):
    return ((input - target) ** 2).mean()


@mse_loss.backward("input")
def _(g, input, target):
    return g * 2 * (input - target) / math.prod(input.shape)


@mse_loss.backward("target")
def _(g, input, target):
    return g * 2 * (target - input) / math.prod(input.shape)


@mg.elementwise
def huber_loss(input, target):
    d = absolute(input - target)
    return where(d <= 1, 0.5 * d * d, d - 0.5)


@huber_loss.backward("input")
def _(g, input, target):
    return g * maximum(-1, minimum(1, input - target))


@huber_loss.backward("target")
def _(g, input, target):
    return g * maximum(-1, minimum(1, target - input))


@mg.elementwise
def bce_with_logits(x, target):
    return maximum(x, 0) - x * target + log1p(exp(-absolute(x)))


@bce_with_logits.backward("x")
def _(g, x, target):
    return g * (sigmoid(x) - target)


@bce_with_logits.backward("target")
def _(g, x, target):
    return -g * x


@mg.op
def logsumexp(x):
    m = x.max(1, keepdims=True)
    return log(exp(x - m).sum(1)) + m[:, 0]


@logsumexp.backward("x")
def _(g, x, y):
    return g[:, None] * exp(x - y[:, None])


@mg.op
def softmax(x):
    e = exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@softmax.backward("x")
def _(g, y):
    return y * (g - (g * y).sum(1, keepdims=True))


@mg.op
def log_softmax(x):
    shifted = x - x.max(1, keepdims=True)
    return shifted - log(exp(shifted).sum(1, keepdims=True))


@log_softmax.backward("x")
def _(g, y):
    return g - exp(y) * g.sum(1, keepdims=True)


@mg.op
def cross_entropy(x, target):
    shifted = x - x.max(1, keepdims=True)
    log_p = shifted - log(exp(shifted).sum(1, keepdims=True))
    return -log_p[range(len(x)), target].mean()


@cross_entropy.backward("x")
def _(g, x, target):
    e = exp(x - x.max(1, keepdims=True))
    return g * (e / e.sum(1, keepdims=True) - np.eye(x.shape[1])[target]) / len(x)


@mg.op
def linear(x, weight, bias):
    return x @ weight.T + bias


@linear.backward("x")
def _(g, weight):
    return g @ weight


@linear.backward("weight")
def _(g, x):
    return g.T @ x


@linear.backward("bias")
def _(g):
    return g.sum(0)


@mg.op
def embedding(weight, index):
    return weight[index]


@embedding.backward("weight")
def _(g, weight, index):
    found = np.zeros(weight.shape, weight.dtype)
    np.add.at(found, index, g)
    return found


@mg.op
def layer_norm(x):
    return (x - x.mean(1, keepdims=True)) / sqrt(x.var(1, keepdims=True) + 1e-5)


@layer_norm.backward("x")
def _(g, x, y):
    scale = sqrt(x.var(1, keepdims=True) + 1e-5)
    return (g - g.mean(1, keepdims=True) - y * (g * y).mean(1, keepdims=True)) / scale


def sgd(p, g, v, lr, momentum):
    v = momentum * v + g
    return p - lr * v, v


def adam(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def topological_order(end, inputs):
    order, seen, waiting = [], set(), [(end, False)]
    while waiting:
        value, ready = waiting.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            waiting += [(value, True), *((of, False) for of in inputs[value])]
    return order


class Value:
    def __init__(self, data, inputs=()):
        self.data, self.grad, self.inputs = data, 0.0, inputs

    def hand_on(self):
        for value, slope in self.inputs:
            value.grad += slope * self.grad

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return type(self)(self.data * other.data, ((self, other.data), (other, self.data)))

    __radd__, __rmul__ = __add__, __mul__

    def tanh(self):
        t = math.tanh(self.data)
        return type(self)(t, ((self, 1 - t * t),))

    def order(self):
        of = {}
        waiting = [self]
        while waiting:
            value = waiting.pop()
            of[value] = [given for given, _ in value.inputs]
            waiting += [given for given in of[value] if given not in of]
        return topological_order(self, of)

    def backward(self):
        self.grad = 1.0
        for value in reversed(self.order()):
            value.hand_on()


RIGHT = {
    **{
        function.__name__: function
        for function in (
            *(derivative, mul, div, add, mean, matmul, relu, leaky_relu, silu, softplus, mse_loss, huber_loss, bce_with_logits),
            *(logsumexp, softmax, log_softmax, cross_entropy, linear, embedding, layer_norm, sgd, adam, topological_order),
        )
    },
    "sigmoid": sigmoid_of,
    "tanh": tanh_of,
    "engine": Value,
}

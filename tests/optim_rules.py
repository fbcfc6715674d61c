"""The published rules of the optimizers in plain NumPy, one parameter each; the settings they are run with, and a run beside minigrad's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim


class Rule:
    """Settings as attributes, the step counted; `move` returns the new value."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, **settings: Any):
        self.t = 0
        self.maximize = False
        vars(self).update({"weight_decay": 0.0, **self.defaults, **settings})
        self.start()

    def start(self) -> None:
        """Set the state up."""

    def step(self, p: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.t += 1
        return self.move(p, -g if self.maximize else g)

    def move(self, p: np.ndarray, g: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def decayed(self, p: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The parameter after decoupled decay, and the gradient with the other kind."""
        if getattr(self, "decoupled_weight_decay", False):
            return p - self.lr * self.weight_decay * p, g
        return p, g + self.weight_decay * p


class SGDRule(Rule):
    """d = g + λ p; b = μ b + (1 − τ) d, at first d; p ← p − lr b, with Nesterov p − lr (d + μ b)."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "nesterov": False}
    buffer = None

    def move(self, p, g):
        d = g + self.weight_decay * p
        if self.momentum:
            first = self.buffer is None
            self.buffer = d if first else self.momentum * self.buffer + (1 - self.dampening) * d
            d = d + self.momentum * self.buffer if self.nesterov else self.buffer
        return p - self.lr * d


class ASGDRule(Rule):
    """p ← (1 − λ η) p − η d, ax = ax + μ (p − ax); then η = lr / (1 + λ lr t)^α, μ = 1 / max(1, t − t₀), as float32 numbers."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6}
    number = np.float32  # as the default dtype

    def start(self):
        self.eta, self.mu, self.ax = self.number(self.lr), self.number(1), 0.0

    def move(self, p, g):
        eta, mu = float(self.eta), float(self.mu)
        p = p - eta * (self.lambd * p + g + self.weight_decay * p)
        self.ax = self.ax + mu * (p - self.ax)
        self.eta = self.number(self.lr / (1 + self.lambd * self.lr * self.t) ** self.alpha)
        self.mu = self.number(1 / max(1, self.t - self.t0))
        return p


class AdamRule(Rule):
    """m = β₁ m + (1 − β₁) d; v = β₂ v + (1 − β₂) d²; p ← p − lr m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False}
    m = v = top = 0.0

    def moments(self, d):
        beta1, beta2 = self.betas
        self.m = beta1 * self.m + (1 - beta1) * d
        self.v = beta2 * self.v + (1 - beta2) * d**2
        return self.m / (1 - beta1**self.t), self.v / (1 - beta2**self.t)

    def move(self, p, g):
        p, d = self.decayed(p, g)
        m_hat, v_hat = self.moments(d)
        if self.amsgrad:
            self.top = np.maximum(self.top, self.v)
            v_hat = self.top / (1 - self.betas[1] ** self.t)
        return p - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


class AdamWRule(AdamRule):
    """Adam, with p ← p − lr λ p apart from the gradient."""

    defaults: ClassVar[dict[str, Any]] = {**AdamRule.defaults, "weight_decay": 1e-2, "decoupled_weight_decay": True}


class NAdamRule(AdamRule):
    """μₜ = β₁ (1 − ½ · 0.96^(t ψ)); m̂ = μₜ₊₁ m / (1 − μ₁ ⋯ μₜ₊₁) + (1 − μₜ) d / (1 − μ₁ ⋯ μₜ); p ← p − lr m̂ / (√v̂ + ε)."""

    defaults: ClassVar[dict[str, Any]] = {**AdamRule.defaults, "lr": 2e-3, "momentum_decay": 4e-3}
    product_dtype = np.float32  # as the default dtype, in which the product is kept

    def start(self):
        self.product = self.product_dtype(1)

    def mu(self, t):
        return self.betas[0] * (1 - 0.5 * 0.96 ** (t * self.momentum_decay))

    def move(self, p, g):
        p, d = self.decayed(p, g)
        _, v_hat = self.moments(d)
        mu, mu_next = self.mu(self.t), self.mu(self.t + 1)
        self.product = self.product_dtype(self.product * self.product_dtype(mu))
        product = float(self.product)
        m_hat = mu_next * self.m / (1 - product * mu_next) + (1 - mu) * d / (1 - product)
        return p - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


class RAdamRule(AdamRule):
    """ρ∞ = 2 / (1 − β₂) − 1, ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ); above 5 p ← p − lr r m̂ √(1 − β₂ᵗ) / (√v + ε), else p − lr m̂."""

    def move(self, p, g):
        p, d = self.decayed(p, g)
        m_hat, _ = self.moments(d)
        beta2 = self.betas[1]
        most = 2 / (1 - beta2) - 1
        rho = most - 2 * self.t * beta2**self.t / (1 - beta2**self.t)
        if rho <= 5:
            return p - self.lr * m_hat
        r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        return p - self.lr * r * m_hat * np.sqrt(1 - beta2**self.t) / (np.sqrt(self.v) + self.eps)


class AdamaxRule(AdamRule):
    """u = max(β₂ u, |d| + ε); p ← p − lr m / ((1 − β₁ᵗ) u)."""

    defaults: ClassVar[dict[str, Any]] = {**AdamRule.defaults, "lr": 2e-3}
    u = 0.0

    def move(self, p, g):
        d = g + self.weight_decay * p
        m_hat, _ = self.moments(d)
        self.u = np.maximum(self.betas[1] * self.u, np.abs(d) + self.eps)
        return p - self.lr * m_hat / self.u


class AdagradRule(Rule):
    """s = s + d²; p ← p − lr / (1 + (t − 1) η) d / (√s + ε)."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-2, "lr_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10}

    def start(self):
        self.total = self.initial_accumulator_value

    def move(self, p, g):
        d = g + self.weight_decay * p
        self.total = self.total + d**2
        return p - self.lr / (1 + (self.t - 1) * self.lr_decay) * d / (np.sqrt(self.total) + self.eps)


class RMSpropRule(Rule):
    """v = α v + (1 − α) d²; n = d / (√v + ε), centered d / (√(v − m²) + ε); p ← p − lr n, with momentum b = μ b + n, p ← p − lr b."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False}
    v = m = buffer = 0.0

    def move(self, p, g):
        d = g + self.weight_decay * p
        self.v = self.alpha * self.v + (1 - self.alpha) * d**2
        self.m = self.alpha * self.m + (1 - self.alpha) * d
        n = d / (np.sqrt(self.v - self.m**2 if self.centered else self.v) + self.eps)
        if self.momentum:
            self.buffer = n = self.momentum * self.buffer + n
        return p - self.lr * n


class AdadeltaRule(Rule):
    """v = ρ v + (1 − ρ) d²; δ = d √(u + ε) / √(v + ε); u = ρ u + (1 − ρ) δ²; p ← p − lr δ."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1.0, "rho": 0.9, "eps": 1e-6}
    u = v = 0.0

    def move(self, p, g):
        d = g + self.weight_decay * p
        self.v = self.rho * self.v + (1 - self.rho) * d**2
        delta = d * np.sqrt(self.u + self.eps) / np.sqrt(self.v + self.eps)
        self.u = self.rho * self.u + (1 - self.rho) * delta**2
        return p - self.lr * delta


class RpropRule(Rule):
    """s grows by η⁺ where the gradient kept its sign, shrinks by η⁻ where it turned; p ← p − sign(g) s, but not where it turned."""

    defaults: ClassVar[dict[str, Any]] = {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)}
    before = 0.0
    size = None

    def move(self, p, g):
        turn = np.sign(g * self.before)
        size = np.full(p.shape, self.lr) if self.size is None else self.size
        self.size = np.clip(size * np.choose((turn + 1).astype(int), [self.etas[0], 1.0, self.etas[1]]), *self.step_sizes)
        self.before = np.where(turn < 0, 0.0, g)
        return p - np.sign(self.before) * self.size


RULES: dict[Any, type[Rule]] = {
    optim.SGD: SGDRule,
    optim.ASGD: ASGDRule,
    optim.Adam: AdamRule,
    optim.AdamW: AdamWRule,
    optim.NAdam: NAdamRule,
    optim.RAdam: RAdamRule,
    optim.Adamax: AdamaxRule,
    optim.Adagrad: AdagradRule,
    optim.RMSprop: RMSpropRule,
    optim.Adadelta: AdadeltaRule,
    optim.Rprop: RpropRule,
}
CASES: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {}),
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "weight_decay": 0.3}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.8, "dampening": 0.4, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    (optim.ASGD, {}),
    (optim.ASGD, {"lr": 0.1, "lambd": 0.05, "alpha": 0.6, "t0": 4.0, "weight_decay": 0.2, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"lr": 0.1, "betas": (0.6, 0.95), "eps": 0.01, "weight_decay": 0.2}),
    (optim.Adam, {"lr": 0.05, "betas": (0.0, 0.0)}),
    (optim.Adam, {"lr": 0.1, "amsgrad": True, "betas": (0.8, 0.7), "weight_decay": 0.1}),
    (optim.Adam, {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2, "maximize": True}),
    (optim.AdamW, {}),
    (optim.AdamW, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5}),
    (optim.AdamW, {"lr": 0.1, "amsgrad": True, "betas": (0.8, 0.7), "maximize": True}),
    (optim.NAdam, {}),
    (optim.NAdam, {"lr": 0.1, "betas": (0.7, 0.9), "weight_decay": 0.2, "momentum_decay": 0.3, "maximize": True}),
    (optim.NAdam, {"lr": 0.1, "weight_decay": 0.2, "decoupled_weight_decay": True, "eps": 0.01}),
    (optim.RAdam, {}),
    (optim.RAdam, {"lr": 0.1, "betas": (0.7, 0.9), "weight_decay": 0.2, "eps": 0.01, "maximize": True}),
    (optim.RAdam, {"lr": 0.1, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    (optim.Adamax, {}),
    (optim.Adamax, {"lr": 0.1, "betas": (0.7, 0.8), "weight_decay": 0.2, "eps": 0.01, "maximize": True}),
    (optim.Adagrad, {}),
    (
        optim.Adagrad,
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 0.01, "maximize": True},
    ),
    (optim.RMSprop, {}),
    (
        optim.RMSprop,
        {"lr": 0.1, "alpha": 0.7, "eps": 0.01, "weight_decay": 0.1, "momentum": 0.8, "centered": True, "maximize": True},
    ),
    (optim.RMSprop, {"lr": 0.1, "momentum": 0.8}),
    (optim.RMSprop, {"lr": 0.1, "alpha": 0.6, "eps": 0.01, "centered": True}),
    (optim.Adadelta, {}),
    (optim.Adadelta, {"lr": 0.5, "rho": 0.7, "eps": 0.01, "weight_decay": 0.2, "maximize": True}),
    (optim.Rprop, {}),
    (optim.Rprop, {"lr": 0.1, "etas": (0.4, 1.7), "step_sizes": (0.03, 0.5), "maximize": True}),
]

EACH = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.NAdam, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.RMSprop, {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.5, "centered": True, "maximize": True}),
]
each = pytest.mark.parametrize(("kind", "settings"), EACH, ids=["SGD", "AdamW", "NAdam", "RMSprop"])


SHAPES = [(3, 4), (4,), (2, 1, 3), (), (1, 1)]
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}


def start_values(dtype: Any = np.float64, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def gradient(step: int, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Varies in sign and in size over three orders of magnitude."""
    rng = np.random.default_rng((step, i))
    return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 2))


class Run:
    """Parameters under an optimizer, and beside them the same under the published rule in float64."""

    def __init__(self, kind: Any, settings: dict[str, Any], params: Sequence[mg.Tensor] | None = None, dtype: Any = np.float64):
        self.params = [nn.Parameter(value) for value in start_values(dtype)] if params is None else list(params)
        self.optimizer = kind(self.params, **settings)
        self.rules = [RULES[kind](**settings) for _ in self.params]
        self.expected = [np.asarray(p.array, np.float64).copy() for p in self.params]
        self.count = 0

    def step(self, skipped: Sequence[int] = (), optimizer: Any = None) -> None:
        for i, p in enumerate(self.params):
            g = gradient(self.count, i, p.shape).astype(p.dtype)
            p.grad = None if i in skipped else mg.tensor(g)
            if i not in skipped:
                self.expected[i] = self.rules[i].step(self.expected[i], g.astype(np.float64))
        (optimizer or self.optimizer).step()
        self.count += 1

    def check(self) -> None:
        for p, expected in zip(self.params, self.expected, strict=True):
            np.testing.assert_allclose(p.array, expected, **TOLERANCE[p.dtype.name])
            assert p.grad is None or p.grad.dtype == p.dtype

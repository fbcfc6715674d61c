"""Focal loss: binary and over classes."""

from __future__ import annotations

from ..core import Operand, Tensor, check_number, elementwise
from ..errors import ArgumentError, ShapeError
from ..kernels.notation import exp, expm1, sigmoid, softplus, where
from .classification import class_axis, cross_entropy
from .loss import check_call, check_probabilities, same_shape


@elementwise(static=("gamma",))
def binary_focal_loss(
    input: Tensor, target: Tensor, positive: float, negative: float, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Focal loss of σ(input), α_t qᵞ ce: ce the binary cross-entropy with logits, q = σ(x) (1 − t) + σ(−x) t the probability of the
    other class, α_t = positive t + negative (1 − t).

    Backward: dL/dx = g α_t qᵞ (γ q′ ce / q + σ(x) − t), q′ = (1 − 2t) σ(x) σ(−x);
    dL/dt = g qᵞ ((positive − negative) ce + α_t (γ (σ(−x) − σ(x)) ce / q − x)). Edge values: ce / q = 1 where both are 0.
    """
    ce = (1 - target) * softplus(input) + target * softplus(-input)
    q = (1 - target) * sigmoid(input) + target * sigmoid(-input)
    return (positive * target + negative * (1 - target)) * q**gamma * ce


@binary_focal_loss.check
def _(input, target, positive, negative, gamma, reduction):
    same_shape("focal_loss", input, target)


@binary_focal_loss.guarded
def _(input, target):
    check_probabilities("focal_loss", target=target)


@binary_focal_loss.backward("input")
def _(g, input, target, positive, negative, gamma):
    up = sigmoid(input)
    down = sigmoid(-input)
    ce = (1 - target) * softplus(input) + target * softplus(-input)
    q = (1 - target) * up + target * down
    ratio = where(q > 0, ce / where(q > 0, q, 1), 1)  # of two that vanish together
    slope = gamma * ((1 - 2 * target) * (up * down)) * ratio + (1 - target) * up - target * down
    return g * ((positive * target + negative * (1 - target)) * q**gamma * slope)


@binary_focal_loss.backward("target")
def _(g, input, target, positive, negative, gamma):
    up = sigmoid(input)
    down = sigmoid(-input)
    ce = (1 - target) * softplus(input) + target * softplus(-input)
    q = (1 - target) * up + target * down
    ratio = where(q > 0, ce / where(q > 0, q, 1), 1)
    slope = gamma * (down - up) * ratio - input
    return g * (q**gamma * ((positive - negative) * ce + (positive * target + negative * (1 - target)) * slope))


@elementwise(static=("gamma",))
def focused(ce: Tensor, alpha: Operand, gamma: float = 2.0, reduction: str = "mean") -> Tensor:
    """α (1 − p)ᵞ ce, where ce = −log p. Backward: dL/dce = g α qᵞ (1 + γ p ce / q), q = 1 − p = −expm1(−ce); dL/dα = g qᵞ ce."""
    return alpha * (-expm1(-ce)) ** gamma * ce


@focused.backward("ce")
def _(g, ce, alpha, gamma):
    q = -expm1(-ce)
    ratio = where(q > 0, ce / where(q > 0, q, 1), 1)
    return g * (alpha * q**gamma * (1 + gamma * exp(-ce) * ratio))


@focused.backward("alpha")
def _(g, ce, gamma):
    return g * ((-expm1(-ce)) ** gamma * ce)


def focal_loss(
    input: Tensor, target: Tensor, gamma: float = 2.0, alpha: float | Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Focal loss of logits, −α_t (1 − p_t)ᵞ log p_t, p_t the probability of the target: what is classified well counts little.

    Binary where the target has input's shape: p = σ(input), the target 1, 0 or a probability between (as torchvision's
    `sigmoid_focal_loss`); α weighs the ones, 1 − α the zeros. Multi-class where it holds class indices, shape input's without the class
    axis (axis 1, or 0 of a vector): p = softmax(input); α is one weight or a tensor of one a class.
    The mean divides by the number of targets. γ = 0 is cross-entropy; without α nothing is weighted.
    Errors: as `cross_entropy`, DomainError for a target outside [0, 1] (deviation: torchvision takes any); ArgumentError for a
    negative gamma. Source: Lin et al. 2017, "Focal loss for dense object detection".
    """
    check_call("focal_loss", reduction, input=input, target=target)
    check_number("focal_loss", gamma=gamma)
    if not gamma >= 0:
        raise ArgumentError(f"focal_loss: gamma must not be negative, got {gamma}")
    if target.shape == input.shape:
        positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
        return binary_focal_loss(input, target, positive, negative, gamma, reduction)
    ce = cross_entropy(input, target, reduction="none")
    if isinstance(alpha, Tensor):
        if alpha.shape != (input.shape[class_axis(input)],):
            raise ShapeError(f"focal_loss: alpha must have one entry a class, got shape {alpha.shape} for input {input.shape}")
        alpha = alpha[target.long()]
    return focused(ce, 1.0 if alpha is None else alpha, gamma, reduction)

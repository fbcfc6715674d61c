"""Activation functions made of pieces, linear or exponential: rectifiers, thresholds, shrinkage."""

from __future__ import annotations

from ..core import Tensor, check_number, elementwise
from ..errors import ArgumentError, ShapeError
from ..kernels.notation import exp, expm1, maximum, minimum, where
from .convert import check_tensors, float_only
from .inplace import in_place
from .random import Generator, uniform

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_SELU_PRODUCT = 1.7580993408473768  # rounded once


@elementwise(integers=True)
def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """Rectifier, max(x, 0).

    Backward: dL/dx = g where y > 0, else 0: the mask of the saved output. At the kink x = 0 the gradient is 0.
    Edge values: NaN stays NaN, with gradient g.
    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".

    >>> relu.formula(-3.0), relu.formula(2.0)
    (0.0, 2.0)
    """
    return maximum(x, 0)


@relu.backward("x")
def _(g, y):
    return where(y <= 0, 0, g)


@elementwise(integers=True)
def relu6(x: Tensor, inplace: bool = False) -> Tensor:
    """Rectifier with a ceiling, min(max(x, 0), 6).

    Backward: dL/dx = g where 0 < y < 6, else 0; at both kinks 0.
    Edge values: NaN stays NaN, with gradient g.
    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10".
    """
    return minimum(maximum(x, 0), 6)


@relu6.backward("x")
def _(g, y):
    return where((y <= 0) | (y >= 6), 0, g)


@elementwise(integers=True)
def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Piecewise linear tanh, x limited to [min_val, max_val].

    Backward: dL/dx = g where min_val < y < max_val, else 0; at both kinks 0.
    Edge values: NaN stays NaN, with gradient g. Errors: ArgumentError where min_val is above max_val.
    Source: Collobert 2004, "Large scale machine learning".
    """
    return minimum(maximum(x, min_val), max_val)


@hardtanh.backward("x")
def _(g, y, min_val, max_val):
    return where((y <= min_val) | (y >= max_val), 0, g)


@hardtanh.check
def _(x, min_val, max_val):
    if min_val > max_val:
        raise ArgumentError(f"hardtanh: min_val must not be above max_val, got min_val {min_val}, max_val {max_val}")


@elementwise(integers=True)
def threshold(x: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value.

    Backward: dL/dx = g where x > threshold, else 0; at the threshold 0.
    Edge values: NaN stays NaN, with gradient g.
    """
    return where(x <= threshold, value, x)


@threshold.backward("x")
def _(g, x, threshold):
    return where(x <= threshold, 0, g)


@elementwise
def leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Leaky rectifier, x for x > 0, else αx with α = negative_slope.

    Backward: dL/dx = g for x > 0, else α g; at the kink x = 0 it is α g.
    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".

    >>> leaky_relu.formula(-2.0)
    -0.02
    """
    return where(x > 0, x, negative_slope * x)


@leaky_relu.backward("x")
def _(g, x, negative_slope):
    return where(x > 0, g, negative_slope * g)


@elementwise
def scale_negative(x: Tensor, slope: Tensor) -> Tensor:
    """x for x > 0, else slope · x: `prelu` once the slopes stand beside what they scale.

    Backward: dL/dx = g for x > 0, else slope · g; dL/dslope = 0 for x > 0, else x g. At the kink x = 0: slope · g, and 0.
    """
    return where(x > 0, x, slope * x)


@scale_negative.backward("x")
def _(g, x, slope):
    return where(x > 0, g, slope * g)


@scale_negative.backward("slope")
def _(g, x):
    return where(x > 0, 0, x * g)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Rectifier with learnt slopes, x for x > 0, else weight · x.

    Shapes: weight has one element, or one for each channel, the axis 1 of input.
    Backward: dL/dx = g for x > 0, else weight · g; dL/dweight = Σ x g over x ≤ 0 of its channel. At the kink x = 0: weight · g.
    Errors: ShapeError for another number of weights. Deviation: dtypes that differ are promoted, as everywhere.
    Source: He, Zhang, Ren & Sun 2015, "Delving deep into rectifiers".
    """
    if not (isinstance(input, Tensor) and isinstance(weight, Tensor)):
        check_tensors("prelu", input=input, weight=weight)
    axes, slopes = input.array.ndim, weight.array.size
    if slopes == 1 and weight.array.ndim <= min(axes, 1):
        return scale_negative(input, weight)
    channels = input.shape[1] if axes > 1 else 1
    if weight.ndim > 1 or slopes not in (1, channels):
        raise ShapeError(
            f"prelu: weight must have one element, or one for each of the {channels} channels of input {input.shape}; got {weight.shape}"
        )
    if slopes == 1:
        return scale_negative(input, weight.reshape(()))
    return scale_negative(input, weight if axes == 2 else weight.reshape(-1, *[1] * (axes - 2)))


@elementwise
def scale_negative_between(x: Tensor, u: Tensor, lower: float, upper: float) -> Tensor:
    """x for x > 0, else αx with α = lower + (upper − lower) u: `rrelu` for given uniform numbers u.

    Backward: dL/dx = g for x > 0, else α g.
    """
    return where(x > 0, x, (lower + (upper - lower) * u) * x)


@scale_negative_between.backward("x")
def _(g, x, u, lower, upper):
    return where(x > 0, g, (lower + (upper - lower) * u) * g)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Randomized leaky rectifier, x for x > 0, else αx, where α is drawn from [lower, upper) for each element in training, and is
    (lower + upper) / 2 otherwise.

    Backward: dL/dx = g for x > 0, else α g with the same α; at the kink x = 0 it is α g.
    Errors: ArgumentError where lower is above upper.
    Source: Xu, Wang, Chen & Li 2015, "Empirical evaluation of rectified activations in convolutional network".
    """
    check_number("rrelu", lower=lower, upper=upper)
    if lower > upper:
        raise ArgumentError(f"rrelu: lower must not be above upper, got lower {lower}, upper {upper}")
    if inplace:
        return rrelu_(input, lower, upper, training, generator=generator)
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    float_only("rrelu", input)
    return scale_negative_between(input, uniform(input.dtype, input.shape, generator), lower, upper)


@elementwise
def elu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit, x for x > 0, else α (eˣ − 1).

    Backward: dL/dx = g for x > 0, else g α eˣ; at the kink x = 0 it is α g, and the second derivative 0.
    Edge values: NaN stays NaN, with gradient g.
    Source: Clevert, Unterthiner & Hochreiter 2015, "Fast and accurate deep network learning by exponential linear units".
    """
    return where(x > 0, x, alpha * expm1(x))


@elu.backward("x")
def _(g, x, alpha):
    return where(x <= 0, g * (alpha * exp(where(x < 0, x, 0))), g)  # nothing overflows in what is not chosen


@elementwise
def celu(x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit with a continuous slope, x for x > 0, else α (e^(x/α) − 1).

    Backward: dL/dx = g for x > 0, else g e^(x/α); at x = 0 it is g, and the second derivative 0.
    Edge values: NaN stays NaN, with gradient g. Errors: ArgumentError for α = 0.
    Deviation: the gradient is right in float64 too (PyTorch rounds 1/α to float32 there, an error of up to 6e-8).
    Source: Barron 2017, "Continuously differentiable exponential linear units".
    """
    return where(x > 0, x, alpha * expm1(x / alpha))


@celu.backward("x")
def _(g, x, alpha):
    return where(x <= 0, g * exp(where(x < 0, x, 0) / alpha), g)


@celu.check
def _(x, alpha):
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0")


@elementwise
def selu(x: Tensor, inplace: bool = False) -> Tensor:
    """Self-normalizing exponential linear unit, λx for x > 0, else λα (eˣ − 1), λ ≈ 1.0507, α ≈ 1.6733.

    Backward: dL/dx = λ g for x > 0, else g λα eˣ; at the kink x = 0 it is λα g, and the second derivative 0.
    Edge values: NaN stays NaN, with gradient λ g.
    Source: Klambauer, Unterthiner, Mayr & Hochreiter 2017, "Self-normalizing neural networks".
    """
    return where(x > 0, _SELU_SCALE * x, _SELU_PRODUCT * expm1(x))


@selu.backward("x")
def _(g, x):
    return g * where(x <= 0, _SELU_PRODUCT * exp(where(x < 0, x, 0)), _SELU_SCALE)


@elementwise
def hardsigmoid(x: Tensor, inplace: bool = False) -> Tensor:
    """Piecewise linear sigmoid, min(max(x + 3, 0), 6) / 6.

    Backward: dL/dx = g / 6 for −3 < x < 3, else 0; at both kinks, and where x is NaN, 0.
    Deviation: the gradient is g / 6 in float64 too (PyTorch's is float32's 1/6); it can be differentiated again.
    Source: Howard et al. 2019, "Searching for MobileNetV3".
    """
    return minimum(maximum(x + 3, 0), 6) / 6


@hardsigmoid.backward("x")
def _(g, x):
    return where((x > -3) & (x < 3), g / 6, 0)


@elementwise
def hardswish(x: Tensor, inplace: bool = False) -> Tensor:
    """Piecewise quadratic swish, x · hardsigmoid(x): 0 for x ≤ −3, x for x ≥ 3, x (x + 3) / 6 between.

    Backward: dL/dx = 0 for x ≤ −3, g for x ≥ 3, else g (x/3 + ½); so 0 and g at the kinks.
    Edge values: NaN at −∞, with gradient 0; NaN stays NaN, with gradient g.
    Source: Howard et al. 2019, "Searching for MobileNetV3".
    """
    return x * (minimum(maximum(x + 3, 0), 6) / 6)


@hardswish.backward("x")
def _(g, x):
    return where(x <= -3, 0, where(x < 3, g * (x / 3 + 0.5), g))


@elementwise
def hardshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """0 for −λ ≤ x ≤ λ, else x.

    Backward: dL/dx = 0 for −λ ≤ x ≤ λ, so at both kinks, else g.
    Edge values: NaN stays NaN, with gradient g. A negative λ leaves x as it is.
    """
    return where((x >= -lambd) & (x <= lambd), 0, x)


@hardshrink.backward("x")
def _(g, x, lambd):
    return where((x >= -lambd) & (x <= lambd), 0, g)


@elementwise
def softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """x drawn towards 0 by λ, and 0 for −λ ≤ x ≤ λ: x − min(max(x, −λ), λ).

    Backward: dL/dx = 0 for −λ ≤ x ≤ λ, so at both kinks, else g.
    Edge values: NaN stays NaN, with gradient g. Errors: ArgumentError for a negative λ.
    Source: Donoho 1995, "De-noising by soft-thresholding".
    """
    return x - minimum(maximum(x, -lambd), lambd)


@softshrink.backward("x")
def _(g, x, lambd):
    return where((x >= -lambd) & (x <= lambd), 0, g)


@softshrink.check
def _(x, lambd):
    if not lambd >= 0:
        raise ArgumentError(f"softshrink: lambd must not be negative, got {lambd}")


relu_, leaky_relu_, rrelu_ = in_place(relu, "relu_"), in_place(leaky_relu, "leaky_relu_"), in_place(rrelu, "rrelu_")
elu_, celu_, selu_ = in_place(elu, "elu_"), in_place(celu, "celu_"), in_place(selu, "selu_")
threshold_, hardtanh_ = in_place(threshold, "threshold_"), in_place(hardtanh, "hardtanh_")

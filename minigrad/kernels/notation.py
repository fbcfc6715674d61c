"""The names that rules of elementwise operations are written in: `exp`, `log`, `where`, … for floats, NumPy arrays and Tensors.

Numba is the fourth reader: `lift` puts vector_math's function of the same name in their place. A Tensor class takes part by
carrying a dictionary `__notation__` from these names to its operations.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NAMES",
    "Notation",
    "absolute",
    "acos",
    "asin",
    "atan",
    "atan2",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "fmod",
    "gelu_slope",
    "gelu_tanh_slope",
    "log",
    "log1p",
    "log2",
    "log10",
    "maximum",
    "minimum",
    "normal_cdf",
    "normal_pdf",
    "rint",
    "scaled_exp",
    "scaled_gelu_exp",
    "scaled_normal_cdf",
    "sigmoid",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    "where",
]

Array = NDArray[Any]


class Notation:
    """One name of the notation, read by plain numbers, arrays and Tensors."""

    def __init__(self, name: str, array: Callable[..., Any], doc: str, arity: int = 1):
        self.name, self.array, self.__doc__, self.arity = name, array, doc, arity

    def __call__(self, *args: Any) -> Any:
        for arg in args:
            readers = getattr(type(arg), "__notation__", None)
            if readers is not None:
                return readers[self.name](*args)
        if any(isinstance(arg, (np.ndarray, np.generic)) for arg in args):
            return self.array(*args)
        with np.errstate(all="ignore"):
            return self.array(*args).item()

    def __repr__(self) -> str:
        return f"<notation {self.name}: {self.__doc__}>"


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.absolute(x))
    c = np.where(x >= 0, 1, e)
    return np.where((x > 0) & (1 + e == 1), 1, c - c * (e / (1 + e)))[()]


def _by_element(function: Callable[[float], float]) -> Callable[[Any], Any]:
    """A `math` function over arrays; NumPy has no error function and SciPy is no dependency."""
    vectorized = np.vectorize(function, otypes=[np.float64])

    def over_array(x: Any) -> Any:
        x = np.asarray(x)
        return vectorized(x).astype(x.dtype if x.dtype.kind == "f" else np.float64)

    return over_array


def _normal_cdf(x: float) -> float:
    """½ erfc(−x/√2), with the rounding error of x/√2 made good by erfc's slope: the tail keeps its digits."""
    scaled = -x * math.sqrt(0.5)
    if not 1 < scaled < 40:
        return 0.5 * math.erfc(scaled)
    # Exact rational arithmetic: −x is a float, and 1/√2 is known to 110 bits.
    numerator, denominator = (-x).as_integer_ratio()
    here_numerator, here_denominator = scaled.as_integer_ratio()
    rest = (numerator * _SQRT_HALF * here_denominator - (here_numerator * denominator << 110)) / (
        denominator * here_denominator << 110
    )
    return 0.5 * math.erfc(scaled) * math.exp(-2 * scaled * rest)


_PI = np.longdouble("3.14159265358979323846264338327950288")
_SQRT_HALF = math.isqrt(1 << 219)  # √½ · 2¹¹⁰


def _normal_pdf(x: float) -> float:
    """exp(−x²/2) / √(2π), the square split so that it is exact."""
    if not abs(x) < 40:
        return x if math.isnan(x) else 0.0
    high = math.ldexp(round(math.ldexp(x, 20)), -20)
    return math.exp(-0.5 * high * high) * math.exp(-0.5 * (x - high) * (x + high)) / math.sqrt(2 * math.pi)


def _scaled_gelu_exp(x: Any, factor: Any) -> Any:
    return (factor * _gelu_exp(x)).astype(np.result_type(x, factor))


def _gelu_exp(x: Any) -> Any:
    """e^−|2u| with the digits of NumPy's longest float: the rounding error of 2u would be multiplied by |2u|."""
    a = np.absolute(np.asarray(x, np.longdouble))
    return np.exp(-2 * np.sqrt(2 / _PI) * (a + 44715 * (a * a * a) / 10**6))


def _gelu_tanh_slope(x: Any) -> Any:
    a, e = np.absolute(np.asarray(x, np.longdouble)), _gelu_exp(x)
    y = e * (1 + e - 2 * np.sqrt(2 / _PI) * (a + 134145 * (a * a * a) / 10**6)) / (1 + e) ** 2
    return np.where(x > 0, 1 - y, y).astype(np.result_type(x))


exp = Notation("exp", np.exp, "eˣ")
scaled_exp = Notation(
    "scaled_exp", lambda x, factor: factor * np.exp(x / 2) * np.exp(x / 2), "factor · eˣ, also where eˣ is subnormal", 2
)
exp2 = Notation("exp2", np.exp2, "2ˣ")
expm1 = Notation("expm1", np.expm1, "eˣ − 1")
log = Notation("log", np.log, "natural logarithm")
log1p = Notation("log1p", np.log1p, "log(1 + x)")
log2 = Notation("log2", np.log2, "logarithm to base 2")
log10 = Notation("log10", np.log10, "logarithm to base 10")
sin = Notation("sin", np.sin, "sine")
cos = Notation("cos", np.cos, "cosine")
tan = Notation("tan", np.tan, "tangent")
asin = Notation("asin", np.arcsin, "inverse sine")
acos = Notation("acos", np.arccos, "inverse cosine")
atan = Notation("atan", np.arctan, "inverse tangent")
atan2 = Notation("atan2", np.arctan2, "the angle of the point (second, first)", 2)
sinh = Notation("sinh", np.sinh, "hyperbolic sine")
cosh = Notation("cosh", np.cosh, "hyperbolic cosine")
tanh = Notation("tanh", np.tanh, "hyperbolic tangent")
sigmoid = Notation("sigmoid", _sigmoid, "σ(x) = 1 / (1 + e⁻ˣ)")
softplus = Notation("softplus", lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x))), "log(1 + eˣ)")
erf = Notation("erf", _by_element(math.erf), "error function")
erfc = Notation("erfc", _by_element(math.erfc), "1 − erf(x)")
normal_cdf = Notation("normal_cdf", _by_element(_normal_cdf), "Φ(x) = ½ erfc(−x/√2)")
scaled_normal_cdf = Notation(
    "scaled_normal_cdf",
    lambda x, factor: factor * normal_cdf.array(x),
    "factor · Φ(x), in compiled code also where Φ(x) is subnormal",
    2,
)
normal_pdf = Notation("normal_pdf", _by_element(_normal_pdf), "φ(x) = exp(−x²/2) / √(2π)")
gelu_slope = Notation("gelu_slope", lambda x: normal_cdf.array(x) + x * normal_pdf.array(x), "the slope of x Φ(x), Φ(x) + x φ(x)")
scaled_gelu_exp = Notation("scaled_gelu_exp", _scaled_gelu_exp, "factor · e^−|2u|, u = √(2/π) (x + 0.044715 x³)", 2)
gelu_tanh_slope = Notation("gelu_tanh_slope", _gelu_tanh_slope, "the slope of x σ(2u), u = √(2/π) (x + 0.044715 x³)")
sqrt = Notation("sqrt", np.sqrt, "square root")
absolute = Notation("absolute", np.absolute, "|x|")
floor = Notation("floor", np.floor, "the largest integer not above x")
ceil = Notation("ceil", np.ceil, "the smallest integer not below x")
trunc = Notation("trunc", np.trunc, "x without its fraction")
rint = Notation("rint", np.rint, "the integer next to x, halves to the even one")
fmod = Notation("fmod", np.fmod, "the rest of a / b, with the sign of a", 2)
maximum = Notation("maximum", np.maximum, "the larger; NaN if either is", 2)
minimum = Notation("minimum", np.minimum, "the smaller; NaN if either is", 2)
where = Notation("where", np.where, "a where the condition holds, else b", 3)

NAMES: dict[str, Notation] = {value.name: value for value in list(globals().values()) if isinstance(value, Notation)}

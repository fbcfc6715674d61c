"""Accuracy: the largest error in ulp of each elementwise operation over the whole range, against mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, number

# Limit in ulp, and where the function is neither trivial nor out of range, in float32 and float64.
FUNCTIONS: dict[str, tuple[float, dict[str, tuple[float, float]]]] = {
    "exp": (2, {"float32": (-104, 89), "float64": (-746, 710)}),
    "log": (2, {"float32": (0.3, 3), "float64": (0.3, 3)}),
    "log1p": (2, {"float32": (-0.9999, 2), "float64": (-0.9999, 2)}),
    "expm1": (2, {"float32": (-20, 89), "float64": (-40, 710)}),
    "exp2": (2, {"float32": (-150, 128), "float64": (-1075, 1024)}),
    "log2": (2, {"float32": (0.3, 3), "float64": (0.3, 3)}),
    "log10": (2, {"float32": (0.3, 3), "float64": (0.3, 3)}),
    "sqrt": (2, {"float32": (0, 9), "float64": (0, 9)}),
    "rsqrt": (2, {"float32": (0, 9), "float64": (0, 9)}),
    "reciprocal": (2, {"float32": (-3, 3), "float64": (-3, 3)}),
    "square": (2, {"float32": (-3, 3), "float64": (-3, 3)}),
    "sin": (2, {"float32": (-50, 50), "float64": (-50, 50)}),
    "cos": (2, {"float32": (-50, 50), "float64": (-50, 50)}),
    "tan": (2, {"float32": (-50, 50), "float64": (-50, 50)}),
    "asin": (2, {"float32": (-1, 1), "float64": (-1, 1)}),
    "acos": (2, {"float32": (-1, 1), "float64": (-1, 1)}),
    "atan": (2, {"float32": (-5, 5), "float64": (-5, 5)}),
    "sinh": (2, {"float32": (-89.5, 89.5), "float64": (-711, 711)}),
    "cosh": (2, {"float32": (-89.5, 89.5), "float64": (-711, 711)}),
    "asinh": (2, {"float32": (-5, 5), "float64": (-5, 5)}),
    "acosh": (2, {"float32": (1, 5), "float64": (1, 5)}),
    "atanh": (2, {"float32": (-1, 1), "float64": (-1, 1)}),
    "tanh": (2, {"float32": (-10, 10), "float64": (-20, 20)}),
    "sigmoid": (2, {"float32": (-104, 20), "float64": (-746, 40)}),
    "softplus": (2, {"float32": (-104, 40), "float64": (-746, 40)}),
    "silu": (2, {"float32": (-104, 20), "float64": (-746, 40)}),
    "erf": (4, {"float32": (-4, 4), "float64": (-6, 6)}),
    "erfc": (4, {"float32": (-4, 10.1), "float64": (-6, 27.3)}),
    "gelu": (4, {"float32": (-14.5, 6), "float64": (-38.6, 9)}),
    "elu": (2, {"float32": (-20, 3), "float64": (-40, 3)}),
    "selu": (2, {"float32": (-20, 3), "float64": (-40, 3)}),
    "softsign": (2, {"float32": (-5, 5), "float64": (-5, 5)}),
    "tanhshrink": (2, {"float32": (-5, 5), "float64": (-5, 5)}),
    "logsigmoid": (2, {"float32": (-40, 104), "float64": (-40, 746)}),
    "mish": (4, {"float32": (-104, 20), "float64": (-746, 40)}),
    "gelu_tanh": (4, {"float32": (-10.5, 6), "float64": (-22, 9)}),
    "normal_cdf": (4, {"float32": (-14.5, 6), "float64": (-38.6, 9)}),
    "normal_pdf": (2, {"float32": (-14.5, 14.5), "float64": (-38.6, 38.6)}),
    "celu": (2, {"float32": (-20, 3), "float64": (-40, 3)}),
    "log_cosh": (2, {"float32": (-5, 5), "float64": (-5, 5)}),
    "erfinv": (4, {"float32": (-1, 1), "float64": (-1, 1)}),
    "logit": (2, {"float32": (0, 1), "float64": (0, 1)}),
    **dict.fromkeys(("deg2rad", "rad2deg", "frac"), (2, {"float32": (-400, 400), "float64": (-400, 400)})),
    **dict.fromkeys(
        (
            "relu",
            "relu6",
            "hardtanh",
            "leaky_relu",
            "prelu",
            "threshold",
            "hardshrink",
            "softshrink",
            "hardsigmoid",
            "hardswish",
            "cube",
        ),
        (2, {"float32": (-7, 7), "float64": (-7, 7)}),
    ),
}
# Functions of several arguments: limit, the interesting interval of each argument, and whether other binades are looked at too.
POSITIVE, BOTH = (0.01, 100), (-10, 10)
SEVERAL: dict[str, tuple[float, tuple[tuple[float, float], ...], bool]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "atan2", "hypot", "remainder", "fmod"), (2, (BOTH, BOTH), True)),
    "pow": (2, (POSITIVE, BOTH), True),
    "logaddexp": (2, ((0, 30), (-100, 30)), False),  # where the sum of the powers is near 1, their logarithm is near 0
    "xlogy": (2, (BOTH, POSITIVE), True),
    "lerp": (2, (POSITIVE, POSITIVE, (0, 1)), False),  # between numbers of two signs, the result can be near 0
}
# Elementwise operations whose row has another name, and those for which a row would say nothing, with the reason.
NAMES = {"gelu_exact": "gelu", "pow_tensor": "pow", "pow_scalar": "cube", "scale_negative": "prelu", "log_odds": "logit"}
_PICKS, _LOSS = "gives one of its arguments or a constant", "a loss: tests hold it to mpmath"
WITHOUT_A_ROW = {
    **dict.fromkeys(
        ("maximum", "minimum", "fmax", "fmin", "clamp_min", "clamp_max", "clamp_both", "where", "nan_to_num", "raised"), _PICKS
    ),
    **dict.fromkeys(("neg", "abs", "sign", "copysign"), "exact: changes no digit"),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint"), "exact: gives an integer"),
    **dict.fromkeys(("div_trunc", "div_floor"), "gives an integer, next to the quotient as it is rounded"),
    "round_scaled": "rounds the decimals of a binary number",
    **dict.fromkeys(("keep_above", "scale_negative_between"), "random"),
    **dict.fromkeys(("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_focal_loss", "focused"), _LOSS),
    **dict.fromkeys(
        ("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div_of_logs", "kl_div_of_probabilities"), _LOSS
    ),
    **dict.fromkeys(("poisson_nll_loss", "gaussian_nll", "soft_margin_loss", "hinge_embedding_loss", "margin_ranking_loss"), _LOSS),
    **dict.fromkeys(("cosine_hinge", "triplet_hinge", "multilabel_terms"), _LOSS),
}
# Calls that name more than the points.
CALLS: dict[str, Callable[..., Any]] = {
    "gelu_tanh": lambda library, x: library.function("gelu")(x, approximate="tanh"),
    "log_cosh": lambda library, x: library.function("log_cosh")(x, library.root.zeros_like(x), reduction="none"),
    "threshold": lambda library, x: library.function("threshold")(x, 0.5, -0.5),
    "prelu": lambda library, x: library.function("prelu")(x, library.root.full((1,), 0.25, dtype=x.dtype)),
    "cube": lambda library, x: x**3,
    "normal_cdf": lambda library, x: library.root.special.ndtr(x) if library.name == "torch" else library.function("normal_cdf")(x),
}
DTYPES = ("float32", "float64")
CONTENDERS = ("minigrad", "torch")
TORCH_LACKS = ("log_cosh", "normal_pdf")
ROWS = (*FUNCTIONS, *SEVERAL)
JOBS = tuple((contender, function) for function in ROWS for contender in ("mpmath", *CONTENDERS))
ROUNDS, TIMED = 1, False
BITS = 140
DENSE, A_BINADE = 12000, {"float32": 8, "float64": 1}
SELU, SELU_SLOPE = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"  # Klambauer et al. 2017
BEYOND = 2000  # every function here has overflowed, underflowed or settled at this distance from 0
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 20.0)


def environment(contender: str) -> dict[str, str]:
    return {}


def points(function: str, dtype: str, quick: bool) -> list[NDArray[Any]]:
    """The arguments: every binade of both signs, the neighbours of each power of two, the interesting interval, and special points."""
    random = np.random.default_rng(0)
    information = np.finfo(dtype)
    powers = np.ldexp(np.ones((), dtype), np.arange(information.minexp - information.nmant, information.maxexp))
    shares = random.uniform(1, 2, (1 if quick else A_BINADE[dtype], powers.size)).astype(dtype)
    binades = np.concatenate([powers, np.nextafter(powers, 0, dtype=dtype), (powers * shares).ravel()])
    sparse = binades[:: 5 if quick else 1]
    sparse = np.concatenate([sparse[sparse != 0], -sparse[sparse != 0]])
    count = DENSE // 5 if quick else DENSE
    if function in FUNCTIONS:
        dense = random.uniform(*FUNCTIONS[function][1][dtype], count)
        return [np.concatenate([sparse, dense, SPECIAL, [information.max, -information.max]]).astype(dtype)]
    _, intervals, everywhere = SEVERAL[function]
    columns = [random.uniform(*interval, count) for interval in intervals]
    if everywhere:
        columns = [np.concatenate([random.permutation(sparse), column]) for column in columns]
    return [column.astype(dtype) for column in columns]


def exact_functions() -> dict[str, Callable[[Any], Any]]:
    """The functions in high precision, on finite arguments."""
    from mpmath import mp

    mp.prec = BITS

    def exp(x: Any) -> Any:
        return mp.exp(max(-BEYOND, min(x, BEYOND)))

    def erfc(x: Any) -> Any:
        return mp.erfc(max(-BEYOND, min(x, BEYOND)))

    def log(x: Any) -> Any:
        return mp.log(x) if x > 0 else mp.mpf("-inf" if x == 0 else "nan")

    def arc(function: Any) -> Any:
        return lambda x: function(x) if abs(x) <= 1 else mp.mpf("nan")

    def root(x: Any) -> Any:
        return mp.sqrt(x) if x >= 0 else mp.mpf("nan")

    return {
        "exp": exp,
        "exp2": lambda x: exp(x * mp.log(2)),
        "log": log,
        "log2": lambda x: log(x) / mp.log(2),
        "log10": lambda x: log(x) / mp.log(10),
        "sqrt": root,
        "rsqrt": lambda x: 1 / root(x),
        "reciprocal": lambda x: 1 / x,
        "square": lambda x: x * x,
        "sin": mp.sin,
        "cos": mp.cos,
        "tan": mp.tan,
        "asin": arc(mp.asin),
        "acos": arc(mp.acos),
        "atan": mp.atan,
        "asinh": mp.asinh,
        "acosh": lambda x: mp.acosh(x) if x >= 1 else mp.mpf("nan"),
        "atanh": arc(lambda x: mp.atanh(x) if abs(x) < 1 else x * mp.inf),
        "sinh": lambda x: mp.sinh(max(-BEYOND, min(x, BEYOND))),
        "cosh": lambda x: mp.cosh(max(-BEYOND, min(x, BEYOND))),
        "log1p": lambda x: mp.log1p(x) if x > -1 else log(1 + x),
        "expm1": lambda x: mp.expm1(x) if abs(x) < 1 else exp(x) - 1,
        "tanh": lambda x: mp.tanh(max(-BEYOND, min(x, BEYOND))),
        "sigmoid": lambda x: 1 / (1 + exp(-x)),
        "softplus": lambda x: max(x, mp.mpf(0)) + mp.log1p(exp(-abs(x))),
        "silu": lambda x: x / (1 + exp(-x)),
        "erf": lambda x: mp.erf(max(-BEYOND, min(x, BEYOND))),
        "erfc": erfc,
        "gelu": lambda x: x * erfc(-x / mp.sqrt(2)) / 2,
        "elu": lambda x: x if x > 0 else mp.expm1(max(-BEYOND, x)),
        "selu": lambda x: mp.mpf(SELU) * (x if x > 0 else mp.mpf(SELU_SLOPE) * mp.expm1(max(-BEYOND, x))),
        "softsign": lambda x: x / (1 + abs(x)),
        "tanhshrink": lambda x: (
            x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315 if abs(x) < 1e-9 else x - mp.tanh(max(-BEYOND, min(x, BEYOND)))
        ),
        "logsigmoid": lambda x: min(x, mp.mpf(0)) - mp.log1p(exp(-abs(x))),
        "mish": lambda x: x * mp.tanh(max(x, mp.mpf(0)) + mp.log1p(exp(-abs(x)))) if x < BEYOND else x,
        "gelu_tanh": lambda x: x / (1 + exp(-2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))),
        "normal_cdf": lambda x: erfc(-x / mp.sqrt(2)) / 2,
        "normal_pdf": lambda x: exp(-x * x / 2) / mp.sqrt(2 * mp.pi),
        "celu": lambda x: x if x > 0 else mp.expm1(max(-BEYOND, x)),
        "log_cosh": lambda x: mp.log1p(2 * mp.sinh(x / 2) ** 2) if abs(x) < BEYOND else abs(x) - mp.log(2),
        "erfinv": lambda x: mp.erfinv(x) if abs(x) < 1 else x * mp.inf if abs(x) == 1 else mp.mpf("nan"),
        "logit": lambda x: log(x) - mp.log1p(-x) if 0 < x < 1 else mp.mpf("-inf" if x == 0 else "inf" if x == 1 else "nan"),
        "deg2rad": lambda x: x * mp.pi / 180,
        "rad2deg": lambda x: x * 180 / mp.pi,
        "frac": lambda x: x - int(x),
        "relu": lambda x: max(x, mp.mpf(0)),
        "relu6": lambda x: min(max(x, mp.mpf(0)), mp.mpf(6)),
        "hardtanh": lambda x: min(max(x, mp.mpf(-1)), mp.mpf(1)),
        "leaky_relu": lambda x: x if x > 0 else x / 100,
        "prelu": lambda x: x if x > 0 else x / 4,
        "threshold": lambda x: x if x > 0.5 else mp.mpf(-0.5),
        "hardshrink": lambda x: x if abs(x) > 0.5 else mp.mpf(0),
        "softshrink": lambda x: x - min(max(x, mp.mpf(-0.5)), mp.mpf(0.5)),
        "hardsigmoid": lambda x: min(max(x + 3, mp.mpf(0)), mp.mpf(6)) / 6,
        "hardswish": lambda x: x * min(max(x + 3, mp.mpf(0)), mp.mpf(6)) / 6,
        "cube": lambda x: x**3,
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "atan2": mp.atan2,
        "hypot": mp.hypot,
        "fmod": lambda a, b: mp.mpf(math.fmod(a, b)),  # exact
        "remainder": lambda a, b: (lambda rest: rest + b if rest * b < 0 else rest)(mp.mpf(math.fmod(a, b))),
        "pow": lambda a, b: (
            exp(b * mp.log(a))
            if a > 0
            else (-1) ** int(math.fmod(b, 2)) * exp(b * mp.log(-a))
            if b == mp.floor(b)
            else mp.mpf("nan")
        ),
        "logaddexp": lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))),
        "xlogy": lambda a, b: a * log(b),
        "lerp": lambda a, b, weight: a + weight * (b - a),
    }


# Values at ∞ and at −∞. At −∞, silu and gelu are −∞ · 0, NaN by IEEE 754 and in both libraries.
INF, NAN = float("inf"), float("nan")
LIMITS = {
    **dict.fromkeys(("exp", "exp2", "softplus"), (INF, 0.0)),
    **dict.fromkeys(("log", "log2", "log10", "log1p", "sqrt", "acosh", "silu", "gelu"), (INF, NAN)),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atanh", "erfinv", "logit", "frac"), (NAN, NAN)),
    **dict.fromkeys(("cosh", "square"), (INF, INF)),
    **dict.fromkeys(("tanh", "erf"), (1.0, -1.0)),
    "expm1": (INF, -1.0),
    **dict.fromkeys(("sinh", "asinh"), (INF, -INF)),
    "atan": (np.pi / 2, -np.pi / 2),
    "reciprocal": (0.0, 0.0),
    "rsqrt": (0.0, NAN),
    "sigmoid": (1.0, 0.0),
    "erfc": (0.0, 2.0),
    "elu": (INF, -1.0),
    "selu": (INF, -float(SELU) * float(SELU_SLOPE)),
    "softsign": (NAN, NAN),
    "tanhshrink": (INF, -INF),
    "logsigmoid": (0.0, -INF),
    "mish": (INF, NAN),
    "gelu_tanh": (INF, NAN),
    "normal_cdf": (1.0, 0.0),
    "normal_pdf": (0.0, 0.0),
    "celu": (INF, -1.0),
    "log_cosh": (INF, INF),
    "relu": (INF, 0.0),
    "relu6": (6.0, 0.0),
    "hardtanh": (1.0, -1.0),
    **dict.fromkeys(("leaky_relu", "prelu", "hardshrink", "softshrink", "cube", "deg2rad", "rad2deg"), (INF, -INF)),
    "threshold": (INF, -0.5),
    "hardsigmoid": (1.0, 0.0),
    "hardswish": (INF, NAN),
}


def limit_value(function: str, x: float) -> float:
    """The value at ±∞ and NaN, and at a pole in 0, where mpmath knows no sign."""
    if x == 0:
        return float(np.copysign(INF, x))
    return x if np.isnan(x) else LIMITS[function][x < 0]


def exact(function: str, dtype: str, quick: bool) -> tuple[list[float], list[float]]:
    """At every point: a value of the dtype next to the exact one, and what it lacks to the exact one, in ulp."""
    from mpmath import mp

    evaluate, scalar = exact_functions()[function], np.dtype(dtype).type
    nearest, rest = [], []
    with np.errstate(over="ignore", under="ignore"):
        for arguments in zip(*(column.tolist() for column in points(function, dtype, quick)), strict=True):
            x = arguments[0]
            smooth = np.isfinite(x) and (x != 0 or function not in ("reciprocal", "rsqrt"))
            value = evaluate(*map(mp.mpf, arguments)) if smooth else limit_value(function, x)
            rounded = scalar(float(value))
            nearest.append(float(rounded))
            finite = np.isfinite(rounded)
            rest.append(float((value - mp.mpf(float(rounded))) / mp.mpf(float(np.spacing(abs(rounded))))) if finite else 0.0)
    return nearest, rest


def errors(values: np.ndarray, nearest: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """|value − exact| in ulp of the exact value; ∞ where one of them is NaN or infinite and the other is not."""
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.abs(nearest)).astype(np.float64)
        distance = np.abs((values.astype(np.float64) - nearest) / spacing - rest)
    equal = (values == nearest) & ~np.isfinite(nearest) | np.isnan(values) & np.isnan(nearest)
    return np.where(equal, 0.0, np.where(np.isfinite(values) & np.isfinite(nearest), distance, np.inf))


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, Any]]:
    for dtype in DTYPES:
        if contender == "mpmath":
            yield f"{group} {dtype}", exact(group, dtype, quick)
        elif contender == "minigrad" or group not in TORCH_LACKS:
            columns = points(group, dtype, quick)
            values = Eager(contender).evaluate(CALLS.get(group, group), *columns)
            yield f"{group} {dtype}", [[column.tolist() for column in columns], values.tolist()]


def tables(results: Results) -> list[Table]:
    columns = [f"{contender} {dtype}" for dtype in DTYPES for contender in CONTENDERS]
    normal = Table(
        "Accuracy",
        ("function", *columns, "at most", "worst minigrad float32 at", "float64 at"),
        "The largest error in ulp, over all binades of both signs, where the exact result is a normal number, 0, infinite or NaN; "
        "∞: a wrong infinity or NaN. logaddexp and lerp: where the result is not near 0.",
    )
    tiny = Table(
        "Accuracy below the normal range",
        ("function", *columns),
        "The largest error in spacings of the subnormal numbers, where the exact result is one.",
    )
    for function in ROWS:
        limit = (FUNCTIONS.get(function) or SEVERAL[function])[0]
        worst = {column: largest(results, function, *column.split()) for column in columns}
        cells = []
        for column in columns:
            aim = limit if column.startswith("minigrad") else None
            cells.append(normal.at_most(f"{function}, ulp, {column.split()[1]}", worst[column][0], aim))
        places = [worst[f"minigrad {dtype}"][1] for dtype in DTYPES]
        normal.add(function, *cells, number(limit), *places)
        if any(entry[2] is not None for entry in worst.values()):
            tiny.add(function, *(number(worst[column][2]) for column in columns))
    if "mpmath" in results.missing:
        normal.note += " mpmath is not installed: nothing could be measured."
    return [normal, tiny] if tiny.rows else [normal]


def largest(results: Results, function: str, contender: str, dtype: str) -> tuple[float | None, str, float | None]:
    """The largest error among normal results, the arguments where it is, and the largest among subnormal results."""
    case = f"{function} {dtype}"
    if not (results.values.get(("mpmath", case)) and results.values.get((contender, case))):
        return None, "–", None
    nearest, rest = (np.array(part) for part in results.values["mpmath", case][0])
    columns, values = (np.array(part) for part in results.values[contender, case][0])
    nearest = nearest.astype(dtype)
    error = errors(values, nearest, rest)
    subnormal = (np.abs(nearest) < np.finfo(dtype).smallest_normal) & (nearest != 0)
    at = int(np.argmax(np.where(subnormal, -1.0, error)))
    place = ", ".join(f"{column[at]:.7g}" for column in columns)
    return float(error[at]), place, float(error[subnormal].max()) if subnormal.any() else None

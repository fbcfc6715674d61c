"""Random numbers: generators with a seed, random tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, by_replay, check_number, check_probability, checked_dtype
from ..core.check import check_kind
from ..errors import ArgumentError, DomainError, DtypeError, InputTypeError, ShapeError
from .convert import dtype_or_default, float_only, on_cpu, on_tensor, plain
from .shape import new_shape


class _State(dict[str, Any]):
    """Where a stream stands: an object, into which every replay writes anew."""


class Generator:
    """A stream of random numbers with a seed of its own (NumPy's PCG64)."""

    def __init__(self, seed: int | None = None):
        if seed is None:
            self._start(np.random.SeedSequence().entropy)
        else:
            self.manual_seed(seed)

    def _start(self, seed: Any) -> None:
        self._seed = seed
        self.bits = np.random.Generator(np.random.PCG64(seed))

    @by_replay("free")
    def manual_seed(self, seed: int) -> Generator:
        """Begin the stream that belongs to `seed` anew."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ArgumentError(f"manual_seed: seed must be a non-negative int, got {seed!r}")
        self._start(int(seed))
        return self

    def initial_seed(self) -> int:
        """The seed that the stream began with."""
        return int(self._seed)

    def get_state(self) -> dict[str, Any]:
        """Where the stream stands, for `set_state`."""
        state = _State()
        self._note(state)
        return state

    @by_replay("free")
    def _note(self, state: _State) -> None:
        state.update(self.bits.bit_generator.state)

    @by_replay("free")
    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        self.bits.bit_generator.state = state


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, which all random functions use unless they are handed another."""
    return default_generator.manual_seed(seed)


def _bits(generator: Generator | None) -> np.random.Generator:
    if generator is None:
        return default_generator.bits
    if not isinstance(generator, Generator):
        raise InputTypeError(f"generator must be a minigrad Generator, got {type(generator).__name__}")
    return generator.bits


def _dtype(name: str, dtype: Any) -> np.dtype[Any]:
    wanted = dtype_or_default(name, dtype)
    if wanted.name not in ("float32", "float64"):
        raise DtypeError(f"{name}: draws float32 or float64, not {wanted}")
    return wanted


@on_cpu
@by_replay("free")
def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return Tensor(np.asarray(_bits(generator).random(new_shape(size), _dtype("rand", dtype).type)), requires_grad)


@by_replay("free")
def uniform(dtype: np.dtype[Any], shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    """`rand`, for what draws in every training step: it asks nothing else."""
    return Tensor(_bits(generator).random(shape, dtype.type if dtype.char in "fd" else _dtype("rand", dtype).type))


@on_cpu
@by_replay("free")
def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers."""
    return Tensor(np.asarray(_bits(generator).standard_normal(new_shape(size), _dtype("randn", dtype).type)), requires_grad)


@on_cpu
@by_replay("free")
def randint(
    low: int,
    high: int | Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers in [low, high); `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high  # type: ignore[assignment]
    elif high is None:
        low, high = 0, low
    if not all(isinstance(bound, (int, np.integer)) for bound in (low, high)):
        raise InputTypeError(f"randint: low and high must be ints, got {low!r} and {high!r}")
    if not low < high:
        raise ArgumentError(f"randint: low must be below high, got low {low}, high {high}")
    kind = np.dtype(np.int64) if dtype is None else checked_dtype("randint", dtype)
    return Tensor(_bits(generator).integers(low, high, new_shape((size,))).astype(kind), requires_grad)


@on_cpu
@by_replay("free")
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """The integers 0 … n − 1 in random order (int64, unless another dtype is asked for)."""
    order = _bits(generator).permutation(*new_shape((n,)))
    return Tensor(order if dtype is None else order.astype(checked_dtype("randperm", dtype)), requires_grad)


@on_tensor
@by_replay("free")
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element says (or that `p` says for all), else 0."""
    if p is not None:
        check_probability("bernoulli", p)
        return Tensor((_bits(generator).random(input.shape) < p).astype(input.dtype))
    float_only("bernoulli", input)
    _check_chances("bernoulli", input.array)
    return Tensor((_bits(generator).random(input.shape, input.dtype.type) < input.array).astype(input.dtype))


def _check_chances(name: str, chances: Any) -> None:
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ArgumentError(f"{name}: expected probabilities in [0, 1], got values from {chances.min()} to {chances.max()}")


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with uniform numbers in [a, b), in place."""
    float_only("uniform_", self)
    check_number("uniform_", a=a, b=b)
    if not a <= b:
        raise ArgumentError(f"uniform_: a must not be above b, got a {a}, b {b}")
    return self.copy_(_uniform_between(a, b, self.shape, self.dtype.type, generator))


@by_replay("free")
def _uniform_between(a: float, b: float, shape: tuple[int, ...], kind: Any, generator: Generator | None) -> Tensor:
    return _scaled(_bits(generator).random(shape, kind), kind(b - a), kind(a))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, in place."""
    float_only("normal_", self)
    check_number("normal_", mean=mean, std=std)
    if std < 0:
        raise ArgumentError(f"normal_: std must not be negative, got {std}")
    return self.copy_(_normal_around(mean, std, self.shape, self.dtype.type, generator))


@by_replay("free")
def _normal_around(mean: float, std: float, shape: tuple[int, ...], kind: Any, generator: Generator | None) -> Tensor:
    return _scaled(_bits(generator).standard_normal(shape, kind), kind(std), kind(mean))


def _scaled(drawn: Any, factor: Any, offset: Any) -> Tensor:
    """drawn · factor + offset, in its place: large temporary arrays would stay with the process."""
    drawn = np.asarray(drawn)
    drawn *= factor
    drawn += offset
    return Tensor(drawn)


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 by a probability (or one for each element, as a tensor that broadcasts), else 0, in place."""
    return self.copy_(_hits(p, self.shape, generator))


@by_replay("free")
def _hits(p: float | Tensor, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    """True by a probability."""
    chances = p.array if isinstance(p, Tensor) else p
    if isinstance(chances, np.ndarray):
        _check_chances("bernoulli_", chances)
    else:
        check_probability("bernoulli_", chances)
    return Tensor(np.asarray(_bits(generator).random(shape) < chances))


@on_cpu
@by_replay("free")
def normal(
    mean: float | Tensor,
    std: float | Tensor = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers with a mean and a standard deviation: one for all, in a shape, or one an element, as tensors that broadcast."""
    given = [value for value in (mean, std) if isinstance(value, Tensor)]
    for value in given:
        float_only("normal", value)
    centre, spread = plain(mean), plain(std)
    check_number("normal", **{name: value for name, value in (("mean", centre), ("std", spread)) if np.ndim(value) == 0})
    if np.any(np.less(spread, 0)):
        raise DomainError(f"normal: std must not be negative, got {std}")
    if bool(given) == (size is not None):
        raise InputTypeError("normal: expected a size for a mean and a std that are numbers, and for tensors none")
    try:
        shape = new_shape((size,)) if size is not None else np.broadcast_shapes(np.shape(centre), np.shape(spread))
    except ValueError:
        raise ShapeError(f"normal: shapes do not broadcast: mean {np.shape(centre)}, std {np.shape(spread)}") from None
    kind = given[0].dtype if given and dtype is None else _dtype("normal", dtype)
    drawn = _bits(generator).standard_normal(shape, kind.type)
    return Tensor(np.asarray(drawn * spread + centre, kind), requires_grad)


@on_tensor
@by_replay("free")
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices (int64) drawn by weights, in each row `num_samples`; without replacement no index twice.

    Shapes: (n) or (rows, n). The weights need not add up to 1.
    Deviation: without replacement, only indices with a positive weight are drawn; where there are too few, it is refused.
    """
    float_only("multinomial", input)
    check_kind("multinomial", "num_samples", num_samples, "int")
    weights = input.array.astype(np.float64)
    if weights.ndim not in (1, 2):
        raise ShapeError(f"multinomial: input must be (n) or (rows, n), got shape {input.shape}")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights.sum(-1) > 0).all():
        raise DomainError("multinomial: the weights must be finite, not negative, and not all 0")
    most = int((weights > 0).sum(-1).min()) if weights.size else 0
    if num_samples < 1 or (num_samples > most and not replacement):
        raise ArgumentError(f"multinomial: num_samples must be at least 1, without replacement at most {most}, got {num_samples}")
    if replacement:
        bounds = np.cumsum(weights, -1)
        drawn = _bits(generator).random((*weights.shape[:-1], num_samples)) * bounds[..., -1:]
        rows = zip(bounds.reshape(-1, weights.shape[-1]), drawn.reshape(-1, num_samples), strict=True)
        return Tensor(
            np.reshape([np.searchsorted(row, values, side="right") for row, values in rows], drawn.shape).astype(np.int64)
        )
    with np.errstate(divide="ignore"):
        times = _bits(generator).standard_exponential(weights.shape) / weights  # the first to arrive
    return Tensor(np.argsort(times, -1)[..., :num_samples])

"""Random numbers: generators with a seed, random tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Tensor, check_number, check_probability, checked_dtype
from ..errors import ArgumentError, DtypeError, InputTypeError
from .convert import dtype_or_default, float_only, on_cpu, on_tensor
from .shape import new_shape


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
        return dict(self.bits.bit_generator.state)

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
def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return Tensor(np.asarray(_bits(generator).random(new_shape(size), _dtype("rand", dtype).type)), requires_grad)


@on_cpu
def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers."""
    return Tensor(np.asarray(_bits(generator).standard_normal(new_shape(size), _dtype("randn", dtype).type)), requires_grad)


@on_cpu
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
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """The integers 0 … n − 1 in random order (int64, unless another dtype is asked for)."""
    order = _bits(generator).permutation(*new_shape((n,)))
    return Tensor(order if dtype is None else order.astype(checked_dtype("randperm", dtype)), requires_grad)


@on_tensor
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element says (or that `p` says for all), else 0."""
    if p is not None:
        check_probability("bernoulli", p)
    array = input.array if p is None else np.full_like(input.array, p)
    if not ((array >= 0) & (array <= 1)).all():
        raise ArgumentError("bernoulli: input must hold probabilities in [0, 1]")
    return Tensor((_bits(generator).random(array.shape, array.dtype.type) < array).astype(array.dtype))


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with uniform numbers in [a, b), in place."""
    float_only("uniform_", self)
    check_number("uniform_", a=a, b=b)
    if not a <= b:
        raise ArgumentError(f"uniform_: a must not be above b, got a {a}, b {b}")
    drawn = _bits(generator).random(self.shape, self.dtype.type)
    return self.copy_(Tensor(np.asarray(drawn * self.dtype.type(b - a) + self.dtype.type(a))))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, in place."""
    float_only("normal_", self)
    check_number("normal_", mean=mean, std=std)
    if std < 0:
        raise ArgumentError(f"normal_: std must not be negative, got {std}")
    drawn = _bits(generator).standard_normal(self.shape, self.dtype.type)
    return self.copy_(Tensor(np.asarray(drawn * self.dtype.type(std) + self.dtype.type(mean))))

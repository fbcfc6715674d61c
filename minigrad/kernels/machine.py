"""A machine that runs compiled kernels one after the other, with no Python between them.

Its code is a table with a line a call: the addresses of a trampoline, of a kernel, and of the kernel's arguments, which are words of 8
bytes. A trampoline makes arrays and numbers of the words and calls the kernel; there is one for each form of arguments, for all kernels
of that form. So the kernels are those that run without the machine too, and give the same results, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import blas
from .cache import compiled, file_digest, in_cache, native

__all__ = ["Area", "Built", "Code", "Element", "Routine", "may_fail", "runner"]

Array = np.ndarray[Any, Any]


class Area(NamedTuple):
    """An argument: the values of something that has an address, as an array with one or two sizes."""

    value: Any
    sizes: tuple[int, ...]


class Element(NamedTuple):
    """An argument: the one number of something that has an address, times a factor."""

    value: Any
    factor: float


class Built(NamedTuple):
    """A kernel that is compiled when the machine is to run it: its source, the function's name, and Numba's names of the arguments'
    types."""

    source: str
    function: str
    kinds: tuple[str, ...]

    def entry(self) -> Any:
        from numba.core.sigutils import normalize_signature

        arguments, _ = normalize_signature(f"void({', '.join(self.kinds)})")  # type: ignore[no-untyped-call]
        return compiled(self.source, self.function, list(arguments))

    def ready(self) -> bool:
        """Whether the cache has it."""
        return in_cache(self.source, self.function)


class Routine(NamedTuple):
    """A product by BLAS: "gemm" or "gemv", in a dtype."""

    name: str
    dtype: str


def may_fail(entry: Any) -> bool:
    """Whether a kernel tells how it went."""
    return not isinstance(entry, (Built, Routine)) and str(native(entry).result) != "none"


class Code:
    """Lines for the machine, and the words that they work on. `values` are the addresses to be filled in: what has the address, and the
    number of the word."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, int]] = []  # with the number of the first word for the address of the arguments
        self._bits: list[int] = []
        self.values: list[tuple[Any, int]] = []

    def __len__(self) -> int:
        return len(self._lines)

    def call(self, entry: Any, arguments: Sequence[Any]) -> list[int]:
        """Add a line that calls a kernel (what `compiled` returns) or a Routine. For each argument the number of its first word."""
        if isinstance(entry, Built):
            entry = entry.entry()
        if isinstance(entry, Routine):
            trampoline, function = _routine_trampoline(entry), blas.address(*entry) or 0
        else:
            function, kinds, result = native(entry)
            forms = tuple(_form(argument, kind) for argument, kind in zip(arguments, kinds, strict=True))
            trampoline = _trampoline(forms, str(result))
        self._lines.append((trampoline, function, len(self._bits)))
        return [self._append(argument) for argument in arguments]

    def fetch(self, at: int, words: Sequence[int]) -> int:
        """Put in a line, ahead of that with the number `at`, that looks where the values of an ndarray are, and writes that into words.
        The word that must hold the ndarray's id is returned. (The address of the values is the first thing in an ndarray, behind what
        every object begins with.)"""
        start = len(self._bits)
        self._lines.insert(at, (_address(_FETCH, "fetch"), 0, start))
        self._bits += [0, object.__basicsize__, len(words), *(8 * (n - start) for n in words)]
        return start

    def _append(self, argument: Any) -> int:
        start = len(self._bits)
        if isinstance(argument, Area):
            self.values.append((argument.value, start))
            self._bits += [0, *argument.sizes]
        elif isinstance(argument, Element):
            self.values.append((argument.value, start))
            self._bits += [0, _bits(argument.factor)]
        else:
            self._bits.append(_bits(argument) if isinstance(argument, float) else int(argument))
        return start

    def words(self) -> Array:
        """The words, in memory that stays where it is."""
        return np.array(self._bits, np.int64)

    def table(self, words: Array) -> Array:
        """The lines, for words that are there."""
        start = words.ctypes.data
        return np.array([(t, f, start + 8 * n) for t, f, n in self._lines], np.int64).reshape(-1, 3)


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


def _form(argument: Any, kind: Any) -> str:
    """How a trampoline makes an argument of Numba's type from words."""
    if isinstance(argument, Area):
        return f"array {kind.dtype} {kind.ndim}"
    if isinstance(argument, Element):
        return f"element {argument.value.dtype.name}"
    return str(kind)


@cache
def runner() -> Callable[[Array, int, int], int]:
    """The machine: runs the lines of a table from one number up to another, and returns −1, or the number of the first line that gave
    up."""
    from numba import types

    return compiled(_source(_RUN), "run", [types.Array(types.int64, 2, "C"), types.int64, types.int64])


def _source(text: str) -> str:
    """The text of a module, whose name is to change with what it imports."""
    from . import addresses

    return f"# {file_digest(addresses.__file__)}\n{_HEAD}{text}"


_HEAD = """\
from numba import njit, types
from numba.extending import intrinsic
from minigrad.kernels import addresses
from minigrad.kernels.addresses import instruction, number, store, word
import numpy as np
"""

_RUN = """
@njit(cache=CACHE, nogil=True, error_model="numpy")
def run(table, start, stop):
    for n in range(start, stop):
        if instruction(table[n, 0], table[n, 1], table[n, 2]) != 0:
            return n
    return -1
"""

# The words: the ndarray's id, where in it the address of its values stands, and where to write it, counted from here.
_FETCH = """
@njit(cache=CACHE, nogil=True, error_model="numpy")
def fetch(function, block):
    data = word(word(block, 0) + word(block, 1), 0)
    for n in range(word(block, 2)):
        store(block + word(block, 3 + n), data)
    return 0
"""

_TRAMPOLINE = """
{makers}

@intrinsic
def call(typingctx, function, {parameters}):
    kinds = [{parameters}]
    return types.{result}(types.int64, *kinds), addresses.caller(types.{result}, kinds)

@njit(cache=CACHE, nogil=True, error_model="numpy")
def enter(function, block):
    {body}
"""

# What a result says about how the call went: a word of 0 is well, and so is True.
_RESULTS = {"none": "{call}\n    return 0", "int64": "return {call}", "bool": "return 0 if {call} else 1"}


@cache
def _trampoline(forms: tuple[str, ...], result: str) -> int:
    makers, terms, place = dict[str, str](), [], 0
    for form in forms:
        kind, *rest = form.split()
        size = 1
        if kind == "array":
            dtype, size = rest[0], 1 + int(rest[1])
            maker = makers.setdefault(f"addresses.array({_NUMBA.get(dtype, dtype)!r}, {rest[1]})", f"make{len(makers)}")
            terms.append(f"{maker}({', '.join(f'word(block, {place + n})' for n in range(size))})")
        elif kind == "element":
            size = 2
            maker = makers.setdefault(f"addresses.element({rest[0]!r})", f"make{len(makers)}")
            terms.append(f"np.float64({maker}(word(block, {place}))) * number(block, {place + 1})")
        else:
            terms.append(_PLAIN[kind].format(place))
        place += size
    source = _TRAMPOLINE.format(
        makers="\n".join(f"{name} = {text}" for text, name in makers.items()),
        parameters=", ".join(f"a{n}" for n in range(len(forms))),
        result=_NUMBA.get(result, result),
        body=_RESULTS[result].format(call=f"call(function, {', '.join(terms)})"),
    )
    return _address(source, "enter")


_NUMBA = {"bool": "boolean"}  # Numba's name of a dtype, where it has one of its own
_PLAIN = {"float64": "number(block, {})", "int64": "word(block, {})", "bool": "word(block, {}) != 0"}


# The arguments of a product, all words: for gemm the order, which operands are transposed, three sizes, and three matrices with the
# lengths of their rows; for gemv the order, whether the matrix is transposed, its sizes, then the matrix with its length of rows, the
# vector with its stride, the result with its own. α is 1, β is 0.
_GEMM = """
emit = addresses.foreign("iiiwww{c}pwpw{c}pw")

@intrinsic
def call(typingctx, f, o, s, t, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    return types.none(f, o, s, t, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), emit

@njit(cache=CACHE, nogil=True, error_model="numpy")
def enter(function, block):
    call(function, np.int32(word(block, 0)), np.int32(word(block, 1)), np.int32(word(block, 2)), word(block, 3), word(block, 4),
         word(block, 5), np.{dtype}(1), word(block, 6), word(block, 7), word(block, 8), word(block, 9), np.{dtype}(0),
         word(block, 10), word(block, 11))
    return 0
"""
_GEMV = """
emit = addresses.foreign("iiww{c}pwpw{c}pw")

@intrinsic
def call(typingctx, f, o, t, m, n, alpha, a, lda, x, incx, beta, y, incy):
    return types.none(f, o, t, m, n, alpha, a, lda, x, incx, beta, y, incy), emit

@njit(cache=CACHE, nogil=True, error_model="numpy")
def enter(function, block):
    call(function, np.int32(word(block, 0)), np.int32(word(block, 1)), word(block, 2), word(block, 3), np.{dtype}(1), word(block, 4),
         word(block, 5), word(block, 6), word(block, 7), np.{dtype}(0), word(block, 8), word(block, 9))
    return 0
"""


@cache
def _routine_trampoline(routine: Routine) -> int:
    text = {"gemm": _GEMM, "gemv": _GEMV}[routine.name]
    return _address(text.format(c={"float32": "f", "float64": "d"}[routine.dtype], dtype=routine.dtype), "enter")


@cache
def _address(source: str, function: str) -> int:
    """The address at which C code would call a function of two words."""
    from numba import types

    return native(compiled(_source(source), function, [types.int64, types.int64]), for_c=True).address

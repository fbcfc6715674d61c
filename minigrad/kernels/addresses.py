"""What compiled code needs in order to go by addresses alone, for which Numba has no word: words of memory, arrays over memory, calls
of what stands at an address.

Each is a few lines of LLVM's own language. Nothing is checked here: who writes the addresses answers for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

__all__ = [
    "add_up", "array", "call", "caller", "element", "foreign", "instruction", "look", "number", "publish", "rest", "start", "store",
    "swap", "word",
]  # fmt: skip

_WORD = ir.IntType(64)


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of LLVM's own, in code that is being written; llvmlite cannot declare those of vectors, and others, itself."""
    form = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.module.globals.get(name) or ir.Function(builder.module, form, name), arguments)


def _loaded(result: Any, kind: Any) -> Any:
    """Reads item `n` of the array of LLVM type `kind` that stands at an address."""

    @intrinsic
    def load(typingctx: Any, address: Any, n: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start = builder.inttoptr(arguments[0], kind.as_pointer())
            return builder.load(builder.gep(start, [arguments[1]]))

        return result(types.int64, types.int64), emit

    return load


word = _loaded(types.int64, _WORD)
number = _loaded(types.float64, ir.DoubleType())


@intrinsic
def store(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a word to an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def look(typingctx: Any, address: Any) -> Any:
    """The word at an address that other threads write to; what they wrote before it is there too."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(arguments[0], _WORD.as_pointer()), "acquire", 8)

    return types.int64(types.int64), emit


@intrinsic
def publish(typingctx: Any, address: Any, value: Any) -> Any:
    """Write a word for other threads, after all that was written before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def add_up(typingctx: Any, address: Any, value: Any) -> Any:
    """Add to a word that other threads add to as well; the word before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(arguments[0], _WORD.as_pointer()), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def swap(typingctx: Any, address: Any, old: Any, new: Any) -> Any:
    """Write a word where the old one still stands; whether it did."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], _WORD.as_pointer())
        return builder.extract_value(builder.cmpxchg(place, arguments[1], arguments[2], "seq_cst", "seq_cst"), 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def rest(typingctx: Any) -> Any:
    """Let a processor that waits in a loop take breath (x86)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        call(builder, "llvm.x86.sse2.pause", ir.VoidType())
        return context.get_dummy_value()

    return types.none(), emit


def array(dtype: str, ndim: int) -> Any:
    """A function of an address and of `ndim` sizes: the row-major array of Numba's dtype over that memory."""
    kind = types.Array(getattr(types, dtype), ndim, "C")

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
        element = context.get_data_type(kind.dtype)
        itemsize = _WORD(context.get_abi_sizeof(element))
        shape, strides = list(arguments[1:]), [itemsize]
        for size in shape[:0:-1]:
            strides.insert(0, builder.mul(size, strides[0]))
        data = builder.inttoptr(arguments[0], element.as_pointer())
        populate_array(  # type: ignore[no-untyped-call]
            made, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None
        )
        return made._getvalue()

    @intrinsic
    def vector(typingctx: Any, address: Any, size: Any) -> Any:
        return kind(types.int64, types.int64), emit

    @intrinsic
    def matrix(typingctx: Any, address: Any, rows: Any, columns: Any) -> Any:
        return kind(types.int64, types.int64, types.int64), emit

    return vector if ndim == 1 else matrix


def element(dtype: str) -> Any:
    """A function of an address: the number there."""
    kind: Any = getattr(types, dtype)

    @intrinsic
    def load(typingctx: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], context.get_data_type(kind).as_pointer()))

        return kind(types.int64), emit

    return load


def caller(result: Any, kinds: Any) -> Callable[..., Any]:
    """What emits the call of a compiled kernel at an address, with arguments of these Numba types."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form = context.call_conv.get_function_type(result, kinds)
        function = builder.inttoptr(arguments[0], form.as_pointer())
        _, value = context.call_conv.call_function(builder, function, result, kinds, arguments[1:])
        return context.get_dummy_value() if result == types.none else value

    return emit


@intrinsic
def start(typingctx: Any, given: Any) -> Any:
    """The address of the values of an array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = make_array(given)(context, builder, arguments[0]).data  # type: ignore[no-untyped-call]
        return builder.ptrtoint(data, _WORD)

    return types.int64(given), emit


@intrinsic
def instruction(typingctx: Any, trampoline: Any, function: Any, block: Any) -> Any:
    """Call a trampoline, as C does, with two words; it returns one."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form = ir.FunctionType(_WORD, [_WORD, _WORD])
        return builder.call(builder.inttoptr(arguments[0], form.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, types.int64), emit


def foreign(letters: str) -> Callable[..., Any]:
    """What emits the call of a C function at an address that returns nothing; a letter an argument: i int, w word, f float, d double,
    p pointer, given as a word."""
    c = {"i": ir.IntType(32), "w": _WORD, "f": ir.FloatType(), "d": ir.DoubleType(), "p": ir.IntType(8).as_pointer()}

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form = ir.FunctionType(ir.VoidType(), [c[letter] for letter in letters])
        values = [builder.inttoptr(a, c["p"]) if letter == "p" else a for letter, a in zip(letters, arguments[1:], strict=True)]
        builder.call(builder.inttoptr(arguments[0], form.as_pointer()), values)
        return context.get_dummy_value()

    return emit

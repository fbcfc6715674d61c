"""The fifth reader of a rule: the same text that floats, arrays, Numba and Tensors read, run on symbols, gives JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ...kernels.notation import NAMES

__all__ = ["COMPARISONS", "javascript"]

COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "===", "ne": "!=="}


class _Symbol:
    """A value of a program that is being written: what is done with it becomes a line."""

    __notation__: ClassVar[dict[str, Callable[..., Any]]] = {}
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str, lines: list[str]):
        self.text, self.lines = text, lines

    def made(self, text: str) -> _Symbol:
        name = f"t{len(self.lines)}"
        self.lines.append(f"const {name} = {text};")
        return _Symbol(name, self.lines)

    def __bool__(self) -> bool:
        raise TypeError("a rule that asks in Python what a value is cannot be written down")

    def __neg__(self) -> _Symbol:
        return self.made(f"-{self.text}")

    def __pos__(self) -> _Symbol:
        return self

    def __abs__(self) -> _Symbol:
        return self.made(f"Math.abs({self.text})")

    def __invert__(self) -> _Symbol:
        return self.made(f"!{self.text}")


def _binary(form: str) -> Callable[[_Symbol, Any], _Symbol]:
    return lambda self, other: self.made(form.format(self.text, _text(other)))


def _mirrored(form: str) -> Callable[[_Symbol, Any], _Symbol]:
    return lambda self, other: self.made(form.format(_text(other), self.text))


for _name, _form in {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "truediv": "{} / {}",
    "pow": "Math.pow({}, {})",
    "floordiv": "Math.floor({} / {})",
    "mod": "N.mod({}, {})",
    "and": "{} && {}",
    "or": "{} || {}",
    "xor": "{} !== {}",
}.items():
    setattr(_Symbol, f"__{_name}__", _binary(_form))
    setattr(_Symbol, f"__r{_name}__", _mirrored(_form))
for _name, _form in COMPARISONS.items():
    setattr(_Symbol, f"__{_name}__", _binary(f"{{}} {_form} {{}}"))


def _call(name: str) -> Callable[..., _Symbol]:
    def write(*args: Any) -> _Symbol:
        symbol = next(arg for arg in args if isinstance(arg, _Symbol))
        return symbol.made(f"N.{name}({', '.join(map(_text, args))})")

    return write


_Symbol.__notation__.update({name: _call(name) for name in NAMES})


def _text(value: Any) -> str:
    if isinstance(value, _Symbol):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value) if value >= 0 else f"({value!r})"


def javascript(rule: Callable[..., Any], symbols: Sequence[str], constants: Mapping[str, Any]) -> str:
    """A rule as a JavaScript function of the named symbols; what it names beside them are constants."""
    lines: list[str] = []
    result = rule(**{name: _Symbol(f"v_{name}", lines) for name in symbols}, **constants)
    return f"({', '.join(f'v_{name}' for name in symbols)}) => {{ {' '.join(lines)} return {_text(result)}; }}"

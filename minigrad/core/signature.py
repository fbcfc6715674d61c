"""The parameters of an operation, and how its calls are read: who is an input, who a setting, which Tensors came.

Calls and readers are functions written out for each form of a call, so that sorting the arguments costs no loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from ..errors import ArgumentError, InputTypeError, RuleError
from .check import NUMPY_WORDS
from .engine import apply
from .plan import closure
from .tensor import Tensor

__all__ = ["Signature"]

_MAX_READERS = 1024
_WRITTEN_OUT = 256  # inputs for which a reader is written out; Python refuses expressions of some thousand terms


class Signature:
    """The parameters of a forward: inputs (Tensors or numbers) or attributes (settings).

    A parameter is an attribute if its annotation does not speak of Tensors, or, without annotation, if it has a default or is
    keyword-only. An input whose default is None may be absent; another default takes the place of None. A last parameter `inplace` is
    neither: where it is True, the result takes the first input's place.
    """

    overwrite: ClassVar[Callable[..., Tensor]]  # takes the place of `apply` where inplace=True; `ops` sets it

    def __init__(self, function: FunctionType, live: Sequence[str]):
        self.name = function.__name__
        self.formula: Callable[..., Any] = function
        self.live = tuple(live)
        self._variants: dict[str | int, Callable[..., Any]] = {}
        self._for_none: dict[str, Callable[[Any], Any]] = {}
        self._callers: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._readers: dict[tuple[type, ...], Callable[..., Any]] = {}
        self.read: Callable[[Sequence[Any], tuple[Any, ...]], Any] = lambda inputs, attrs: None
        self.parameters: list[str] = []
        self.inputs: list[str] = []
        self.attributes: list[str] = []
        self.sequence: str | None = None
        self._tensors_only: list[str] = []
        self._several: set[str] = set()
        self._annotations: dict[str, str] = {}
        self._defaults: dict[str, Any] = {}
        self._positional = 0
        for p in inspect.signature(function).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise RuleError(f"{self.name}: an operation has a fixed list of parameters, not *{p.name}")
            note = "" if p.annotation is p.empty else str(p.annotation)
            bare = not note and p.default is p.empty and p.kind != p.KEYWORD_ONLY
            if "Tensor" in note or "Operand" in note or bare:
                self.inputs.append(p.name)
                if "Sequence" in note:
                    self.sequence = p.name
                elif "Operand" not in note and p.default is p.empty:
                    self._tensors_only.append(p.name)
            elif p.name not in (*self.live, "inplace"):
                self.attributes.append(p.name)
                if "Sequence" in note or "Dims" in note or "tuple" in note:
                    self._several.add(p.name)
            self.parameters.append(p.name)
            self._annotations[p.name] = note
            self._defaults[p.name] = p.default
            self._positional += p.kind != p.KEYWORD_ONLY
        # The number of arguments of a call that needs no binding.
        bare = self.inputs == [name for name in self.parameters if name != "inplace"] and self.sequence is None
        self._bare = len(self.inputs) if bare else -1

    def default(self, name: str) -> Any:
        """The default of a parameter."""
        return self._defaults[name]

    # ---- calls

    def _make_caller(self, count: int, keywords: tuple[str, ...]) -> Callable[..., Any]:
        """For calls with `count` positional arguments and these keywords: a function that sorts them and runs the operation."""
        variant = next((self._variants[key] for key in (count, *keywords) if key in self._variants), None)
        if variant is not None:
            return self._callers.setdefault((count, *keywords), lambda args, kwargs: variant(*args, **kwargs))
        if count > self._positional:
            raise InputTypeError(f"{self.name}: takes {self._positional} positional arguments, got {count} ({self._usage()})")
        source = {name: f"args[{i}]" for i, name in enumerate(self.parameters[:count])}
        for keyword in keywords:
            name = keyword if keyword in self.parameters else self._alias(keyword)
            if name is None:
                raise InputTypeError(f"{self.name}: unexpected argument {keyword!r} ({self._usage()})")
            if name in source:
                raise InputTypeError(f"{self.name}: argument {name!r} was given twice")
            source[name] = f"kwargs[{keyword!r}]"
        for name in self.parameters:
            if name not in source and self._defaults[name] is inspect.Parameter.empty:
                raise InputTypeError(f"{self.name}: argument {name!r} is missing ({self._usage()})")
            if name != "inplace":
                source.setdefault(name, f"defaults[{name!r}]")
        inputs = "".join(f"{source[name]}, " for name in self.inputs)
        if self.sequence is not None:
            inputs = f"*sequence({source[self.sequence]}),"
        settings = {name: f"freeze({source[name]})" if name in self._several else source[name] for name in self.attributes}
        for name in self._for_none:
            settings[name] = f"for_none[{name!r}]({source[self.inputs[0]]}) if {source[name]} is None else {settings[name]}"
        attrs = "".join(f"{settings[name]}, " for name in self.attributes)
        lives = "".join(f"{source[name]}, " for name in self.live)
        run = f"(op.overwrite if {source['inplace']} else apply)" if "inplace" in source else "apply"
        body = f"return {run}(op, ({inputs}), ({attrs}), ({lives}))"
        free = {"op": self, "apply": apply, "defaults": self._defaults, "sequence": self._sequence, "freeze": _freeze}
        call = closure("args, kwargs", body, for_none=self._for_none, **free)
        return self._callers.setdefault((count, *keywords), call)

    def _alias(self, key: str) -> str | None:
        """The parameter that another library's word means: input and other for the first two inputs, axis and keepdims."""
        if key in ("input", "other"):
            return dict(zip(("input", "other"), self.inputs, strict=False)).get(key)
        name = NUMPY_WORDS.get(key)
        return name if name in self.parameters else None

    def _usage(self) -> str:
        """The signature without annotations: softmax(x, dim, dtype=None)."""
        plain = [p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(self.formula).parameters.values()]
        return f"{self.name}{inspect.Signature(plain)}"

    def _sequence(self, value: Any) -> Sequence[Any]:
        if isinstance(value, Tensor) or not isinstance(value, Sequence):
            raise InputTypeError(f"{self.name}: {self.sequence} must be a list or tuple of Tensors, got {type(value).__name__}")
        if not value:
            raise ArgumentError(f"{self.name}: {self.sequence} must hold at least one Tensor, got none")
        return value

    def accept(self, inputs: Sequence[Any]) -> list[Any]:
        """Inputs with arrays and NumPy scalars made into what `apply` takes, and None into the default. Refuses the rest."""
        converted: list[Any] = []
        for position, value in enumerate(inputs):
            if isinstance(value, (Tensor, bool, int, float)) and not isinstance(value, np.generic):
                converted.append(value)
                continue
            if value is None and self.sequence is None:
                default = self._defaults[self.inputs[position]]
                if default is not inspect.Parameter.empty:
                    converted.append(default)
                    continue
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                value = Tensor(value)
            elif isinstance(value, np.generic) and value.dtype.kind in "fiub":
                value = value.item()
            else:
                raise InputTypeError(
                    f"{self.name}: {self.input_name(position)} must be a Tensor or a number, got {type(value).__name__}"
                    + ("; make it one with mg.tensor(...)" if isinstance(value, (list, tuple, np.ndarray)) else "")
                )
            converted.append(value)
        if not any(isinstance(value, Tensor) for value in converted):
            kinds = ", ".join(type(value).__name__ for value in inputs)
            raise InputTypeError(f"{self.name}: needs a Tensor, got {kinds}; make one with mg.tensor(...)")
        return converted

    def input_name(self, position: int) -> str:
        """The name of an input (or of the output) for messages."""
        if self.sequence is not None:
            return f"{self.sequence}[{position}]"
        return self.inputs[position] if position < len(self.inputs) else "its output"

    # ---- readers

    def reader(self, inputs: Sequence[Any]) -> Callable[..., Any]:
        """The reader for inputs of these classes, which from now on is tried first."""
        kinds = tuple(map(type, inputs))
        if kinds not in self._readers:
            if len(self._readers) >= _MAX_READERS:
                self._readers.clear()
            self._readers[kinds] = self._make_reader(kinds)
        self.read = self._readers[kinds]
        return self.read

    def _make_reader(self, kinds: tuple[type, ...]) -> Callable[..., Any]:
        """A function of inputs and attributes: arrays, signature, and the bit mask of the inputs that require grad.

        None if the inputs are not of these classes.
        """
        if len(kinds) > _WRITTEN_OUT:
            return lambda inputs, attrs: _read(inputs, attrs, kinds)
        tensors = [i for i, kind in enumerate(kinds) if issubclass(kind, Tensor)]
        names = [f"t{i}" for i in range(len(kinds))]
        fits = " and ".join(f"{name}.__class__ is k{i}" for i, name in enumerate(names))
        arrays = "".join(f"x{i} = t{i}.array\n" for i in tensors)
        values = ", ".join(f"x{i}" if i in tensors else f"t{i}" for i in range(len(kinds)))
        signature = "".join(f"x{i}.shape, x{i}.dtype, " if i in tensors else f"k{i}, " for i in range(len(kinds)))
        tracked = " + ".join(f"{1 << i} * t{i}._requires_grad" for i in tensors)
        body = (
            f"if len(inputs) != {len(kinds)}:\n    return None\n"
            f"{', '.join(names)}, = inputs\n"
            f"if not ({fits}):\n    return None\n"
            f"{arrays}return [{values}], (attrs, {signature}), {tracked}"
        )
        return closure("inputs, attrs", body, **{f"k{i}": kind for i, kind in enumerate(kinds)})


def _read(inputs: Sequence[Any], attrs: tuple[Any, ...], kinds: tuple[type, ...]) -> Any:
    """What a reader of these classes gives, by a loop."""
    if tuple(map(type, inputs)) != kinds:
        return None
    given = [x.array if isinstance(x, Tensor) else x for x in inputs]
    signature = (part for x in given for part in ((x.shape, x.dtype) if isinstance(x, np.ndarray) else (type(x),)))
    tracked = sum(1 << i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x._requires_grad)
    return given, (attrs, *signature), tracked


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

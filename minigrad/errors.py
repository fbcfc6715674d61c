"""The family of exceptions: each is also the built-in class that PyTorch raises in its place.

A message names the operation, the argument, what came and what was expected.
"""

__all__ = [
    "AnomalyError",
    "ArgumentError",
    "CompileError",
    "DimError",
    "DomainError",
    "DtypeError",
    "GraphError",
    "IndexRangeError",
    "InputTypeError",
    "MinigradError",
    "MissingExtraError",
    "RegistrationError",
    "RuleError",
    "ShapeError",
    "StateDictError",
]


class MinigradError(Exception):
    """Base of everything that minigrad raises on purpose."""


class ShapeError(MinigradError, RuntimeError, ValueError):
    """Shapes that do not fit each other (PyTorch: RuntimeError, in losses ValueError)."""


class DtypeError(MinigradError, TypeError, NotImplementedError):
    """An element type that the operation cannot take (PyTorch: TypeError, RuntimeError or NotImplementedError, which is one)."""


class InputTypeError(MinigradError, TypeError):
    """An argument of a Python type that the operation cannot take, or a call that does not fit its signature."""


class DimError(MinigradError, IndexError):
    """An axis that the tensor does not have."""


class IndexRangeError(MinigradError, IndexError, RuntimeError):
    """An element or class index outside its range (PyTorch: IndexError, in gather, scatter and narrow RuntimeError)."""


class ArgumentError(MinigradError, ValueError, RuntimeError):
    """A setting outside what it may be (PyTorch: mostly ValueError, in some operations RuntimeError)."""


class RegistrationError(ArgumentError, KeyError, AttributeError):
    """A name under which a module cannot hold something, or holds nothing."""

    __str__ = Exception.__str__  # a KeyError would show its message in quotes


class DomainError(MinigradError, RuntimeError, ValueError):
    """Tensor values outside the domain of the operation (a probability above 1)."""


class GraphError(MinigradError, RuntimeError):
    """A misuse of the recorded graph: backward twice, a saved value changed in place, no gradient to be had."""


class AnomalyError(GraphError):
    """Anomaly mode met a NaN or an infinity."""


class CompileError(MinigradError, RuntimeError):
    """A function that `compile` cannot record, because a replay would not do the same."""


class RuleError(MinigradError, TypeError):
    """A declaration that `elementwise` or `op` refuses."""


class StateDictError(MinigradError, RuntimeError, ValueError):
    """A state_dict whose keys or shapes do not fit (PyTorch: RuntimeError for modules, ValueError for optimizers)."""


class MissingExtraError(MinigradError, ImportError):
    """An optional library that is not installed; the message names the extra that brings it."""

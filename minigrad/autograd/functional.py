"""Products of vectors with Jacobians and Hessians, and these themselves.

They take a function of Tensors that returns a Tensor or a tuple of them, and the point: a Tensor or a tuple. Results have the structure
of what they belong to. Inside, every input is a fresh tensor that requires grad, whatever the one that was handed in is; what comes back
has no graph unless `create_graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import Tensor, enable_grad, grad
from ..errors import ArgumentError, GraphError, InputTypeError, ShapeError
from ..ops import stack

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]
Tensors = tuple[Tensor, ...]


# ---- products with the Jacobian


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(*inputs), vᵀ J): one backward pass. v has the shapes of the outputs; without it the output must be one number.

    An input that the outputs do not depend on gets zeros; with `strict` that is a GraphError.
    Errors: InputTypeError for what is no Tensor, ShapeError for a v that does not fit.

    >>> vjp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([2., 40.]))
    """
    return _vjp("vjp", func, inputs, v, create_graph, strict)


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(*inputs), J v). v has the shapes of the inputs; without it the input must be one number.

    Computed by two backward passes: w ↦ wᵀ J is linear, and its derivative along v is J v. So every rule that func runs must be
    differentiable itself. `strict` and errors: as for `vjp`.

    >>> jvp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([2., 40.]))
    """
    return _jvp("jvp", func, inputs, v, create_graph, strict)


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """dfunc/dinputs, of shape (*output.shape, *input.shape): one backward pass for each element of the outputs.

    A tuple over the outputs if there is one, of tuples over the inputs if those are one. `strict`: as for `vjp`. `vectorize` and
    `strategy` ("reverse-mode" or "forward-mode") choose among PyTorch's ways to the same result; here there is one.

    >>> jacobian(lambda x: x * x, mg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _check_way("jacobian", strict, vectorize, "strategy", strategy)
    return _jacobian("jacobian", func, inputs, create_graph, strict)


# ---- second derivatives of functions with one number as output


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a func that returns one number, of shape (*input.shape, *input.shape); for a tuple of inputs a tuple
    of tuples, [i][j] by the i-th and the j-th. One backward pass through the gradient for each of its elements. `vectorize` and
    `outer_jacobian_strategy`: as `jacobian`.

    >>> hessian(lambda x: (x * x * x).sum(), mg.tensor([1.0, 2.0]))
    tensor([[6., 0.],
            [0., 12.]])
    """
    _check_way("hessian", strict, vectorize, "outer_jacobian_strategy", outer_jacobian_strategy)
    many, given = _as_tuple("hessian", "inputs", inputs)
    found = _jacobian("hessian", _gradient("hessian", func, strict), given, create_graph, strict)
    return found if many else found[0][0]


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(*inputs), vᵀ H) for a func that returns one number: a backward pass through the backward pass. v has the shapes of the
    inputs."""
    return _second("vhp", _vjp, func, inputs, v, create_graph, strict)


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(*inputs), H v) for a func that returns one number, by `jvp` of its gradient. Where func is twice continuously
    differentiable this is `vhp`, which costs a pass less."""
    return _second("hvp", _jvp, func, inputs, v, create_graph, strict)


def _second(name: str, product: Function, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, Any]:
    many, given = _as_tuple(name, "inputs", inputs)
    values: list[Tensor] = []
    _, found = product(name, _gradient(name, func, strict, values), given, v, create_graph, strict)
    return _handed_out(values, False, create_graph), found if many else found[0]


def _gradient(name: str, func: Function, strict: bool, values: list[Tensor] | None = None) -> Function:
    """The function from inputs to the gradients of func at them; func's own values are added to `values`."""

    def gradient(*inputs: Tensor) -> Tensors:
        many, outputs = _as_tuple(name, "what func returns", func(*inputs))
        if many or outputs[0].numel() != 1:
            what = "a tuple" if many else f"one of shape {outputs[0].shape}"
            raise ShapeError(f"{name}: func must return a Tensor with a single element, got {what}")
        if values is not None:
            values.extend(outputs)
        found = _complete(name, _pull(outputs, inputs, [None], True), inputs, strict, False)
        if strict and not all(g.requires_grad for g in found):
            raise GraphError(f"{name}: the gradient of func is constant in one of the inputs, which strict=True forbids")
        return found

    return gradient


# ---- what they share


def _check_way(name: str, strict: bool, vectorize: bool, argument: str, strategy: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(f"{name}: {argument} must be 'reverse-mode' or 'forward-mode', got {strategy!r}")
    if strict and vectorize:
        raise ArgumentError(f"{name}: strict and vectorize cannot both be True")


def _vjp(name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, Any]:
    many_inputs, given = _as_tuple(name, "inputs", inputs)
    with enable_grad():
        given, many_outputs, outputs = _run(name, func, given, create_graph, strict)
        vectors = _vectors(name, v, outputs, create_graph)
        found = _complete(name, _pull(outputs, given, vectors, create_graph), given, strict, create_graph)
    return _handed_out(outputs, many_outputs, create_graph), _handed_out(found, many_inputs, create_graph)


def _jvp(name: str, func: Function, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, Any]:
    _, given = _as_tuple(name, "inputs", inputs)
    with enable_grad():
        given, many_outputs, outputs = _run(name, func, given, create_graph, strict)
        vectors = _vectors(name, v, given, create_graph)
        seeds = [Tensor(np.zeros(y.shape, y.dtype), y.dtype.kind == "f") for y in outputs]  # any would do: the product is linear
        pulled = _pull(outputs, given, seeds, True)
        _complete(name, pulled, given, strict, False)
        found = _complete(name, _pull(pulled, seeds, vectors, create_graph), outputs, strict, create_graph)
    return _handed_out(outputs, many_outputs, create_graph), _handed_out(found, many_outputs, create_graph)


def _jacobian(name: str, func: Function, inputs: Any, create_graph: bool, strict: bool) -> Any:
    many_inputs, given = _as_tuple(name, "inputs", inputs)
    with enable_grad():
        given, many_outputs, outputs = _run(name, func, given, create_graph, strict)
        found = []
        for y in outputs:
            rows = [
                _complete(name, _pull([y], given, [unit], create_graph, True), given, strict, create_graph) for unit in _units(y)
            ]
            blocks = [stack(column) for column in zip(*rows, strict=True)] or [Tensor(np.zeros(0, x.dtype)) for x in given]
            shaped = [block.reshape((*y.shape, *x.shape)) for block, x in zip(blocks, given, strict=True)]
            found.append(_handed_out(shaped, many_inputs, create_graph))
    return tuple(found) if many_outputs else found[0]


def _units(y: Tensor) -> Iterator[Tensor]:
    """For each element the gradient that picks it."""
    for element in range(y.numel()):
        unit = np.zeros(y.shape, y.dtype)
        unit.flat[element] = 1
        yield Tensor(unit)


def _as_tuple(name: str, what: str, value: Any) -> tuple[bool, Tensors]:
    """Whether it is a tuple, and it as one."""
    many = isinstance(value, tuple)
    several = value if many else (value,)
    for i, entry in enumerate(several):
        if not isinstance(entry, Tensor):
            where = f"entry {i} is" if many else "got"
            raise InputTypeError(f"{name}: {what} must be a Tensor or a tuple of Tensors, {where} {type(entry).__name__}")
    return many, several


def _run(name: str, func: Function, inputs: Tensors, create_graph: bool, strict: bool) -> tuple[Tensors, bool, Tensors]:
    """Fresh inputs that require grad, whether func returns a tuple, and what it returns, as one."""
    given = tuple(_fresh(x, create_graph).requires_grad_() for x in inputs)
    many, outputs = _as_tuple(name, "what func returns", func(*given))
    for i, y in enumerate(outputs):
        if strict and not y.requires_grad:
            raise GraphError(f"{name}: output {i} of func does not depend on the inputs, which strict=True forbids")
    return given, many, outputs


def _fresh(x: Tensor, create_graph: bool) -> Tensor:
    """Another tensor of the same value, in the graph of x if that is asked for. What func captures is not taken for an input."""
    return x.clone() if create_graph and x.requires_grad else x.detach()


def _vectors(name: str, v: Any, like: Tensors, create_graph: bool) -> Sequence[Tensor | None]:
    """The vector of a product, as a tuple that fits `like`."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise GraphError(f"{name}: v can be left out only beside one tensor with one element, not {_shapes(like)}")
        return [Tensor(np.ones(like[0].shape, like[0].dtype))]
    _, vectors = _as_tuple(name, "v", v)
    if [x.shape for x in vectors] != [y.shape for y in like]:
        raise ShapeError(f"{name}: v must have the shapes {_shapes(like)}, got {_shapes(vectors)}")
    return [_fresh(x, create_graph) for x in vectors]


def _shapes(tensors: Tensors) -> str:
    return ", ".join(str(x.shape) for x in tensors)


def _pull(
    outputs: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    vectors: Sequence[Tensor | None],
    create_graph: bool,
    retain_graph: bool | None = None,
) -> Sequence[Tensor | None]:
    """The gradients of those outputs that have any; None for inputs that they do not depend on."""
    pairs = [(y, v) for y, v in zip(outputs, vectors, strict=True) if y is not None and y.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    if not pairs or not wanted:
        return [None] * len(inputs)
    found = iter(grad([y for y, _ in pairs], wanted, [v for _, v in pairs], retain_graph, create_graph, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in inputs]


def _complete(name: str, found: Sequence[Tensor | None], like: Sequence[Tensor], strict: bool, create_graph: bool) -> Tensors:
    """Zeros for None, which `strict` forbids, as it does a constant where a graph was asked for."""
    for i, g in enumerate(found):
        if strict and (g is None or (create_graph and not g.requires_grad)):
            what = "is zero" if g is None else "is constant"
            raise GraphError(f"{name}: the derivative at position {i} {what} whatever the inputs are, which strict=True forbids")
    return tuple(Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for g, x in zip(found, like, strict=True))


def _handed_out(tensors: Sequence[Tensor], many: bool, create_graph: bool) -> Any:
    """Results without their graph, unless that was asked for; as a tuple or as the one that there is."""
    out = tuple(tensors if create_graph else (x.detach() for x in tensors))
    return out if many else out[0]

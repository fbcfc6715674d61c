"""The data's way through a model: what each layer is given, what it makes of it, and what gradient comes back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from ...autograd.recompute import steps_behind
from ...core import Tensor, enable_grad, grad
from ...display import Block, Document, Pre, Table, Text
from ...errors import ArgumentError, InputTypeError
from ...nn import Module
from ...ops.create import as_tensor
from ..capture import Capture, capturing, preserving, uncompiled
from ..naming import Names, variables
from ..values import Snapshot, short
from .flow_picture import flow_picture
from .stages import (
    NOTHING,
    Stage,
    flow_table,
    gradient_table,
    input_stages,
    kind_of,
    own_label,
    parameter_count,
    stages_of,
    statistics_table,
)

__all__ = ["Failure", "Trace", "fresh_inputs", "trace"]


@dataclass(frozen=True)
class Failure:
    """Where a run ended: the place, the exception's class and message, the shapes of the Tensors that came in there, and of the
    parameters there, by name."""

    place: str
    error: str
    inputs: tuple[tuple[int, ...], ...] = ()
    parameters: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __str__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        parameters = ", ".join(f"{name} {shape}" for name, shape in self.parameters)
        lines = [f"FAILED in {self.place}", self.error, inputs and f"came in: {inputs}", parameters and f"parameters: {parameters}"]
        return "\n  ".join(filter(None, lines))


@dataclass(frozen=True, repr=False)
class Trace(Document):
    """What `trace` saw: `stages` in order, with their values and gradients; `gradients`, those of the leaves (parameters) by name, None
    where none came; `loss`, if there is one; `parameters`, how many the model has. If the run failed, `error` is the exception, and
    `failure` says where and on what."""

    model: str
    stages: tuple[Stage, ...]
    gradients: dict[str, Snapshot | None]
    limit: int
    training: bool | None = None
    loss: float | None = None
    error: Exception | None = None
    failure: Failure | None = None
    parameters: int = 0

    title = "Trace"

    def headline(self) -> str:
        if self.failure is not None:
            return f"failed in {self.failure.place}"
        loss = "" if self.loss is None else f", loss {short(self.loss)}"
        return f"{self.stages[-1].number} stages{loss}" if self.stages else ""

    def blocks(self) -> Sequence[Block]:
        mode = "" if self.training is None else f", in {'training' if self.training else 'evaluation'} mode"
        found: list[Block] = [Text(f"{self.model}{mode}, from stage to stage", 3)]
        if self.stages:
            flow = flow_table(self.stages, self.limit, self.parameters, failed=self.failure is not None)
            found += [flow, statistics_table(self.stages)]
        if self.loss is not None:
            found.append(gradient_table(self.stages))
        if self.gradients:
            found.append(self._parameters())
        if self.failure is not None:
            found.append(Pre(str(self.failure)))
        return [*found, flow_picture(self.stages)] if self.stages else found

    def _parameters(self) -> Table:
        rows: list[list[Any]] = []
        for name, g in self.gradients.items():
            seen = ["no gradient: not used"] if g is None else [str(g)]
            numbers = [NOTHING] * 2 if g is None else [g.statistics.norm, g.statistics.mean_size]
            rows.append([name, str(g.shape) if g else NOTHING, *seen, *numbers])
        return Table(["Parameter", "Shape", "dL/dparameter", "Norm", "Mean |g|"], rows, title="Gradients of the parameters")

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "training": self.training,
            "parameters": self.parameters,
            "stages": [stage.to_dict() for stage in self.stages],
            "loss": self.loss,
            "gradients": {name: g.to_dict() if g else None for name, g in self.gradients.items()},
            "error": str(self.failure) if self.failure else None,
        }


def trace(
    model: Callable[..., Any], *inputs: Any, target: Any = None, loss: Callable[..., Any] | None = None, limit: int = 8
) -> Trace:
    """Run a batch through a model, in the mode that it is in, and list the stages: layer, operation, shapes, parameters, values.

    Values are shown in full up to `limit` elements, else as mean ± standard deviation. With `target` and `loss`, called as
    loss(output, target), a backward pass is run as well, and each stage has its gradient. The model may be a function, or compiled; the
    modules that a function sees are layers by their names in it: trace(lambda x: attend(x, x, x, need_weights=False), x).
    Arrays and lists of numbers become Tensors; other inputs (dictionaries, numbers, None) are handed on as they are.
    Nothing is changed: not the model's buffers or gradients, nor the random numbers to come; the inputs' Tensors and arrays are copied.

    If a layer fails, so does not `trace`: it shows what ran until then, and at the end the layer, the exception and the shapes that
    came in; `Trace.error` is the exception.
    Errors: InputTypeError for what is no model; ArgumentError without inputs, for a loss without target and the reverse.

        >>> from minigrad import nn
        >>> model = nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.Softmax(dim=-1))
        >>> [str(stage.values) for stage in mg.inspect.trace(model, mg.tensor([2.0, -1.0, 0.5, 3.0])).stages][:3]
        ['[2, -1, 0.5, 3]', '[2, 0, 0.5, 3]', '[0.8808, 0.5, 0.6225, 0.9526]']
    """
    _check(model, inputs, target, loss)
    names = Names("trace", None, model, variables(sys._getframe(1)))
    leaves, given = fresh_inputs(inputs, loss is not None)
    run = _Run(model, given, loss, _as_target(target))
    came = [run.gradients.get(leaf) if isinstance(leaf, Tensor) else None for leaf in leaves]
    stages = stages_of(run.capture, model, limit, run.forward, kind_of(loss))
    return Trace(
        kind_of(model),
        (*input_stages(leaves, came, limit), *stages),
        dict(_leaf_gradients(run, names, model, leaves, limit)),
        limit,
        getattr(uncompiled(model), "training", None),
        run.value,
        run.error,
        run.failure(),
        parameter_count(model),
    )


def _check(model: Any, inputs: Sequence[Any], target: Any, loss: Any) -> None:
    for name, value in (("model", model), ("loss", loss)):
        if not callable(value) and not (name == "loss" and value is None):
            raise InputTypeError(f"trace: {name} must be a Module or a function, got {type(value).__name__}")
    if not inputs:
        raise ArgumentError("trace: expected the inputs of the model, got none")
    if (target is None) != (loss is None):
        given, missing = ("loss", "target") if target is None else ("target", "loss")
        raise ArgumentError(f"trace: got {given} without {missing}; a backward pass needs both, loss(output, target)")


def fresh_inputs(inputs: Sequence[Any], differentiate: bool) -> tuple[list[Any], list[Any]]:
    """Copies of data, for their gradients, and what a model is to be given: those, behind an operation where they require grad, so that
    it may write into them."""
    leaves, given = [], []
    for x in inputs:
        if is_data(x):
            array = as_tensor(x).array
            x = Tensor(array.copy(), requires_grad=differentiate and array.dtype.kind == "f")
        leaves.append(x)
        with enable_grad():
            given.append(x.clone() if isinstance(x, Tensor) else x)
    return leaves, given


def is_data(x: Any) -> bool:
    """Whether it is a Tensor, an array or a list of numbers; a list of other things means what its reader takes it for."""
    if not isinstance(x, list):
        return isinstance(x, (Tensor, np.ndarray))
    return all(isinstance(part, (Number, np.ndarray)) or (isinstance(part, list) and is_data(part)) for part in x)


def _as_target(target: Any) -> Any:
    """What a loss is given: numbers, in lists or tuples too, as a Tensor."""
    numbers = isinstance(target, Number) or is_data(list(target) if isinstance(target, tuple) else target)
    return as_tensor(target) if numbers else target


class _Run:
    """A forward pass, with a loss also a backward pass, as far as it went."""

    def __init__(self, model: Callable[..., Any], given: Sequence[Any], loss: Callable[..., Any] | None, target: Any):
        self.model, self.given, self.loss = model, given, loss
        self.capture = Capture()
        self.forward = 0
        self.value: float | None = None
        self.gradients: dict[Tensor, Tensor] = {}
        self.error: Exception | None = None
        self.doing = "the model"
        self.came: Sequence[Any] = given
        try:
            with preserving(model):
                with capturing(model, within=True) as self.capture:
                    value = self._forward(target)
                if self.loss is not None:  # a checkpoint runs again now, which is no further stage
                    self._backward(value)
        except Exception as error:  # noqa: BLE001  (whatever a layer raises is shown)
            self.error = error
            self.forward = self.forward or len(self.capture.operations)

    def _forward(self, target: Any) -> Any:
        output = self.model(*self.given)
        self.forward = len(self.capture.operations)
        if self.loss is None:
            return None
        self.doing, self.came = f"the loss, {kind_of(self.loss)}", (output, target)
        return self.loss(output, target)

    def _backward(self, value: Any) -> None:
        self.doing, self.came = "the backward pass", (value,)
        if not isinstance(value, Tensor):
            raise InputTypeError(f"the loss must return a Tensor, got {type(value).__name__}")
        leaves = {edge: None for step in steps_behind([value]) for edge in step.edges if isinstance(edge, Tensor)}
        self.gradients = dict(zip(leaves, grad(value, list(leaves)), strict=True))  # type: ignore[arg-type]
        self.value = value.item()

    def failure(self) -> Failure | None:
        """What is to be said of the error, if there was one."""
        if self.error is None:
            return None
        message = f"{type(self.error).__name__}: {self.error}"
        layer = self.capture.failed
        if layer is None:
            return Failure(
                f"{self.doing} ({kind_of(self.model)})" if self.doing == "the model" else self.doing, message, shapes(self.came)
            )
        parameters = tuple((name, p.shape) for name, p in layer.module.named_parameters(recurse=False))
        place = own_label(layer.name, type(layer.module).__name__, layer.call)
        return Failure(place, message, shapes(layer.inputs), parameters)


def shapes(values: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(x.shape for x in values if isinstance(x, Tensor))


def _leaf_gradients(
    run: _Run, names: Names, model: Callable[..., Any], leaves: Sequence[Any], limit: int
) -> Iterator[tuple[str, Snapshot | None]]:
    """The gradients of the parameters, those of the model first, then of other Tensors that a function took from outside."""
    if run.value is None:
        return
    module = uncompiled(model)
    known = dict(module.named_parameters()) if isinstance(module, Module) else {}
    for name, parameter in known.items():
        if parameter.requires_grad:
            g = run.gradients.get(parameter)
            yield name, None if g is None else Snapshot(g.array, limit)
    seen = {id(x) for x in (*known.values(), *leaves)}
    others = [leaf for leaf in run.gradients if id(leaf) not in seen]
    for n, leaf in enumerate(others, 1):
        yield names.of(leaf) or f"tensor_{n}", Snapshot(run.gradients[leaf].array, limit)

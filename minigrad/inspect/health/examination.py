"""Goes through batches of data with a model, gathers statistics, and leaves no trace in either."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from ...core import Tensor, grad, no_grad, watching
from ...core.mode import user_line
from ...core.tensor import Array
from ...data import Batch, batches
from ...errors import ArgumentError, InputTypeError
from ...kernels.arrays import euclidean_norm
from ...nn import Module
from ...nn.utils import evaluating
from ...ops.random import Generator
from ...optim import LBFGS, Optimizer
from ..capture import Capture, Ran, capturing, preserving
from .births import Births, finite
from .places import Places, origin
from .statistics import RECTIFIERS, Birth, Judgement, Statistics, Weight

__all__ = ["birth_of", "check_arguments", "dead_shares", "examine", "judged"]

_LOSSES = frozenset({
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "l1_loss", "mse_loss",
    "multi_margin_loss", "multilabel_terms", "nll_loss", "smooth_l1_loss",
})  # fmt: skip


@contextmanager
def _untouched(model: Any, data: Any) -> Iterator[None]:
    """After it, buffers of the model and random generators, the data's own too, are as they were."""
    sources = (data, getattr(data, "sampler", None), getattr(data, "batch_sampler", None))
    own = [getattr(source, "generator", None) for source in sources]
    states = [(generator, generator.get_state()) for generator in own if isinstance(generator, Generator)]
    try:
        with preserving(model):
            yield
    finally:
        for generator, state in states:
            generator.set_state(state)


def examine(model: Any, data: Any, loss: Callable[..., Tensor], optimizer: Optimizer | None, limit: int) -> Statistics:
    """Statistics of up to `limit` batches, forward and backward, in the mode that the model is in."""
    found = _Examination(model, loss)
    with _untouched(model, data), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what operations warn of, the doctor finds himself
        for batch in islice(batches("doctor", data), limit):
            found.take(batch)
            if found.statistics.failure is not None or found.statistics.birth is not None:
                break
        else:
            found.statistics.complete = _complete(data, found.statistics, limit)
    if optimizer is not None and found.gradients:
        found.try_step(optimizer)
    found.statistics.activations = found.places.activations
    return found.statistics


def birth_of(model: Any, batch: Batch, loss: Callable[..., Tensor]) -> Birth | None:
    """Where NaN or infinities come up when a batch goes through the model as it is, forward and backward."""
    found = _Examination(model, loss)
    with _untouched(model, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.take(batch)
    return found.statistics.birth


def _complete(data: Any, statistics: Statistics, limit: int) -> bool:
    """Whether all batches that there are have been looked at, as far as that can be known."""
    whole = data[0] if isinstance(data, tuple) else data
    return statistics.batches < limit or getattr(whole, "__len__", lambda: None)() in (statistics.batches, statistics.samples)


class _Examination:
    def __init__(self, model: Any, loss: Callable[..., Tensor]):
        self.model, self.loss, self.places, self.outside = model, loss, Places(model), user_line()
        self.statistics = Statistics(ignore_index=getattr(loss, "ignore_index", -100))
        self.named = list(model.named_parameters()) if isinstance(model, Module) else []
        self.names = {id(p): name for name, p in self.named}
        self.parameters: dict[int, tuple[Tensor, Weight]] = {}
        self.gradients: dict[int, Array] = {}  # those of the last batch

    def take(self, batch: Batch) -> None:
        """One batch, forward and backward."""
        with capturing(self.model) as capture, watching(births := Births(capture, self.outside)):
            output = self.model(*batch.inputs)
            end = len(capture.operations)
            value = self._loss(output, batch.target)
            given = self._handed_to_loss(capture.operations[end:], output)
            self._note_data(batch, given)
            self.places.note(capture, capture.operations[:end], given)
            self._note_parameters(capture, {id(x) for x in batch.inputs})
            if value is not None:
                self._backward(value)
                self.places.note_gradients()
        if value is None or not finite(value) or not all(map(finite, self.gradients.values())):
            self.statistics.birth = births.told(batch, self.parameters.values(), self.places)

    def _loss(self, output: Any, target: Tensor) -> Tensor | None:
        """The loss; None, with the failure noted, if it cannot be computed."""
        try:
            value = self.loss(output, target)
            if not isinstance(value, Tensor) or value.numel() != 1:
                what = f"a Tensor of shape {value.shape}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
                raise ArgumentError(f"loss: it must be one number, for backward to start from, got {what}")
        except Exception as error:  # noqa: BLE001  (whatever a loss raises is a finding)
            self.statistics.failure = error
            return None
        self.statistics.losses.append(value.item())
        return value

    def _handed_to_loss(self, operations: Sequence[Ran], output: Any) -> Tensor | None:
        """What the loss took as its input, as far as that can be seen; else the model's output."""
        statistics = self.statistics
        ran = next((ran for ran in operations if ran.op.name in _LOSSES), None)
        if ran is not None:
            weighted = any(isinstance(x, Tensor) for x in ran.inputs[2:])
            statistics.loss, statistics.comparable = ran.op.name, ran.attrs.get("reduction") == "mean" and not weighted
            output = ran.inputs[0]
        elif statistics.failure is not None:
            failed = str(statistics.failure).partition(":")[0]  # messages begin with the operation
            statistics.loss = failed if failed in _LOSSES else ""
        if not isinstance(output, Tensor):
            return None
        statistics.head = origin(output)
        return output

    def _note_data(self, batch: Batch, given: Tensor | None) -> None:
        statistics = self.statistics
        statistics.batches += 1
        statistics.samples += len(batch)
        if batch.inputs[0].dtype.kind == "f":
            statistics.inputs.add(batch.inputs[0].array)
        statistics.targets.append(batch.target.array)
        if given is not None:
            statistics.outputs.append(given.array.copy())

    def _note_parameters(self, capture: Capture, inputs: set[int]) -> None:
        """The leaves that require gradients, in the order of their use; behind them those that are not used."""
        for ran in capture.operations:
            for i, x in enumerate(ran.inputs):
                if isinstance(x, Tensor) and x.step is None and x.requires_grad and id(x) not in inputs:
                    self._add(x, self.names.get(id(x)) or f"{ran.op.name}.{ran.op.input_name(i)}")
        for name, x in self.named:
            if x.requires_grad:
                self._add(x, name)

    def _add(self, x: Tensor, name: str) -> None:
        if id(x) not in self.parameters:
            layer = name.rpartition(".")[0]
            place = self.places.layer(layer) if layer in self.places.modules and layer else f"Parameter {name}"
            weight = Weight(name, layer if layer in self.places.modules else "", place, x.shape, euclidean_norm(x.array))
            self.parameters[id(x)] = x, weight
            self.statistics.weights.append(weight)

    def _backward(self, value: Tensor) -> None:
        """The gradients of the parameters, without a touch of any `.grad`."""
        known = list(self.parameters.values())
        found: Sequence[Tensor | None] = [None] * len(known)
        if known and value.requires_grad:
            found = grad(value, [x for x, _ in known], allow_unused=True)
        self.gradients = {}
        for (x, weight), g in zip(known, found, strict=True):
            weight.missing = g is None
            if g is not None:
                self.gradients[id(x)] = g.array
                weight.gradients.append(euclidean_norm(g.array))

    def try_step(self, optimizer: Optimizer) -> None:
        """One step of a copy of the optimizer on copies of the parameters: how far would each go?"""
        self.statistics.fresh_optimizer = not optimizer.state
        if isinstance(optimizer, LBFGS):
            return  # it asks for the loss again and again
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        known = [(x, weight) for x, weight in self.parameters.values() if id(x) in self.gradients]
        copies, trial = copy.deepcopy(([x for x, _ in known], optimizer))
        before = [x.array.copy() for x in copies]
        for (x, _), twin in zip(known, copies, strict=True):
            twin.grad = Tensor(self.gradients[id(x)].copy())
        trial.step()
        for (x, weight), twin, old in zip(known, copies, before, strict=True):
            if size := euclidean_norm(old):
                weight.updates = [(0, euclidean_norm(twin.array - old) / size if id(x) in held else 0.0)]


def dead_shares(model: Any, data: Any, limit: int) -> dict[str, float]:
    """The share of dead units in each layer of ReLUs, over up to `limit` batches, in evaluation mode and forward only."""
    places = Places(model)
    with _untouched(model, data), evaluating(model):
        for batch in islice(batches("DoctorCallback", data), limit):
            with capturing(model) as capture:
                model(*batch.inputs)
            places.note(capture, capture.operations, None)
    return {layer.place: layer.dead_share for layer in places.activations if layer.op in RECTIFIERS and layer.samples}


def judged(model: Any, data: Any, loss: Callable[..., Tensor], limit: int, threshold: float) -> Judgement:
    """How a model does on up to `limit` batches, in evaluation mode; `threshold` is where a single output says yes."""
    losses, hits, samples = 0.0, 0.0, 0
    with _untouched(model, data), evaluating(model), no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for batch in islice(batches("doctor", data), limit):
            output = model(*batch.inputs)
            losses += loss(output, batch.target).item() * len(batch)
            hits += _hits(output.array, batch.target.array, threshold) * len(batch)
            samples += len(batch)
    return Judgement(losses / samples, hits / samples, samples)


def _hits(output: Array, target: Array, threshold: float) -> float:
    """The share of targets that the outputs hit; NaN unless the targets are classes, or yes and no."""
    if target.dtype.kind in "iu" and output.ndim == target.ndim + 1:
        return float((output.argmax(1) == target).mean())
    if output.shape == target.shape and np.isin(target, (0, 1)).all():
        return float(((output >= threshold) == (target > 0.5)).mean())
    return float("nan")


def check_arguments(model: Any, loss: Any, optimizer: Any, limit: Any) -> None:
    """Refuse what cannot be examined."""
    if isinstance(model, type) or not callable(model):
        raise InputTypeError(f"doctor: model must be a Module or a function, got {_named(model)}; call doctor(model, data, loss)")
    if isinstance(loss, type) or not callable(loss):
        raise InputTypeError(
            f"doctor: loss must be a function of output and target, such as nn.CrossEntropyLoss(), got {_named(loss)}"
        )
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise InputTypeError(f"doctor: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ArgumentError(f"doctor: batches must be a whole number of at least 1, got {limit!r}")


def _named(value: Any) -> str:
    """What a message calls it: small values as they are, others by their type."""
    if isinstance(value, type):
        return f"the class {value.__name__}, not one made of it"
    return repr(value) if value is None or isinstance(value, (int, float, str)) else f"a {type(value).__name__}"

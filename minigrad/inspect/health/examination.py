"""Goes through batches of data with a model, gathers statistics, and leaves no trace in either."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from ...core import Tensor, grad, no_grad, watching
from ...core.mode import user_line
from ...core.tensor import Array
from ...data import Batch, Subset, TensorDataset, batches, loader_of
from ...errors import ArgumentError, InputTypeError
from ...evaluate.reading import setting_of
from ...evaluate.targets import hits
from ...kernels.arrays import euclidean_norm
from ...nn import Module
from ...nn.utils import evaluating
from ...ops.random import Generator
from ...optim import LBFGS, Optimizer
from ...optim.lr_scheduler.base import rate_of
from ...train import History
from ..capture import Capture, Ran, capturing, preserving
from .births import Births, finite
from .losses import failed_loss, loss_that_ran
from .places import Places, origin
from .statistics import LINEAR, RECTIFIERS, Birth, Judgement, Moments, Statistics, Weight

__all__ = ["birth_in", "birth_of", "check_arguments", "dead_shares", "examine", "first_batches", "judged", "rates_of"]


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
    statistics = found.statistics
    with _untouched(model, data), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what operations warn of, the doctor finds himself
        loader = loader_of("doctor", data)
        statistics.total = _length(loader)
        looked_at = statistics.total if statistics.total is not None and _in_memory(loader) else limit
        for batch in islice(batches("doctor", loader), max(looked_at, limit)):
            (found.take if statistics.batches < limit else found.glance)(batch)
            if statistics.failure is not None or statistics.birth is not None:
                break
        else:
            if statistics.batches < limit:
                statistics.total = statistics.batches
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


def birth_in(model: Any, data: Any, loss: Callable[..., Tensor]) -> Birth | None:
    """The same for the first of several batches that has some, in evaluation mode."""
    with evaluating(model):
        return next(filter(None, (birth_of(model, batch, loss) for batch in batches("doctor", data))), None)


def first_batches(name: str, data: Any, limit: int) -> list[tuple[Tensor, ...]]:
    """Up to `limit` batches of data, whose random generators are left as they were."""
    with _untouched(None, data):
        return [(*batch.inputs, batch.target) for batch in islice(batches(name, data), limit)]


def _length(loader: Any) -> int | None:
    """How many batches there are, if that is known before."""
    try:
        return len(loader)
    except TypeError:
        return None


def _in_memory(loader: Any) -> bool:
    """Whether batches cost next to nothing: a list of them, or rows of Tensors."""
    held = getattr(loader, "dataset", loader)
    while isinstance(held, Subset):
        held = held.dataset
    return isinstance(held, (list, tuple, TensorDataset))


class _Examination:
    def __init__(self, model: Any, loss: Callable[..., Tensor]):
        self.model, self.loss, self.places, self.outside = model, loss, Places(model), user_line()
        self.statistics = Statistics(ignore_index=setting_of(loss, "ignore_index", -100))
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
            given = self._handed_to_loss(capture.operations[end:], output, batch.target)
            self._note_data(batch, given, capture.operations[:end])
            self.places.note(capture, capture.operations[:end], given)
            self._note_parameters(capture, {id(x) for x in batch.inputs})
            if value is not None:
                self._backward(value)
                self.places.note_gradients()
        if value is None or not finite(value) or not all(map(finite, self.gradients.values())):
            self.statistics.birth = births.told(batch, self.parameters.values(), self.places, value)

    def glance(self, batch: Batch) -> None:
        """The data of one more batch; the model runs only if they hold NaN or infinities."""
        seen = self.statistics
        if seen.whole is None:
            seen.whole = replace(seen, inputs=copy.deepcopy(seen.inputs), targets=list(seen.targets))
        _note_rows(seen.whole, batch)
        if not all(map(finite, (*batch.inputs, batch.target))):
            seen.birth = birth_of(self.model, batch, self.loss)

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

    def _handed_to_loss(self, operations: Sequence[Ran], output: Any, target: Tensor) -> Tensor | None:
        """What the loss took as its input, as far as that can be seen; else the model's output."""
        statistics = self.statistics
        statistics.loss, taken = loss_that_ran(operations, target.array)
        if taken is None and statistics.failure is not None:
            statistics.loss = failed_loss(statistics.failure)
        given = output if taken is None else taken
        if not isinstance(given, Tensor):
            return None
        statistics.head = origin(given)
        return given

    def _note_data(self, batch: Batch, given: Tensor | None, operations: Sequence[Ran]) -> None:
        for n, x in enumerate(batch.inputs):
            if (n == 0 and x.dtype.kind == "f") or _enters_layer(x.array, operations):
                self.statistics.inputs.setdefault(n, Moments())
        _note_rows(self.statistics, batch)
        if given is not None:
            self.statistics.outputs.append(given.array.copy())

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
        rates = rates_of(optimizer)
        known = [(x, weight) for x, weight in self.parameters.values() if id(x) in self.gradients]
        copies, trial = copy.deepcopy(([x for x, _ in known], optimizer))
        before = [x.array.copy() for x in copies]
        for (x, _), twin in zip(known, copies, strict=True):
            twin.grad = Tensor(self.gradients[id(x)].copy())
        trial.step()
        for (x, weight), twin, old in zip(known, copies, before, strict=True):
            weight.rate = rates.get(id(x), math.nan)
            if size := euclidean_norm(old):
                weight.updates = [(0, euclidean_norm(twin.array - old) / size if id(x) in rates else 0.0)]


def rates_of(optimizer: Optimizer) -> dict[int, float]:
    """The learning rates of the parameters that an optimizer holds, by their ids."""
    return {id(p): rate_of(group) for group in optimizer.param_groups for p in group["params"]}


def _note_rows(statistics: Statistics, batch: Batch) -> None:
    """Take in the inputs and targets of a batch."""
    statistics.batches += 1
    statistics.samples += len(batch)
    for n, moments in statistics.inputs.items():
        moments.add(batch.inputs[n].array)
    statistics.targets.append(batch.target.array)


def dead_shares(model: Any, data: Any, limit: int) -> dict[str, float]:
    """The share of dead units in each layer of ReLUs, over up to `limit` batches, in evaluation mode and forward only."""
    places = Places(model)
    with _untouched(model, data), evaluating(model):
        for batch in islice(batches("DoctorCallback", data), limit):
            with capturing(model) as capture:
                model(*batch.inputs)
            places.note(capture, capture.operations, None)
    return {layer.place: layer.dead_share for layer in places.activations if layer.op in RECTIFIERS and layer.samples}


def _enters_layer(x: Array, operations: Sequence[Ran]) -> bool:
    """Whether a layer with weights takes an input's values as they are; tokens, which are looked up, are no numbers."""
    return any(
        isinstance(ran.inputs[0], Tensor)
        and (ran.inputs[0].dtype.kind == "f" or ran.op.name in LINEAR)
        and any(isinstance(w, Tensor) and w.requires_grad and w.step is None for w in ran.inputs[1:])
        and np.array_equal(ran.inputs[0].array.ravel(), x.ravel())
        for ran in operations
    )


def judged(model: Any, data: Any, loss: Callable[..., Tensor], limit: int, known: Statistics) -> Judgement:
    """How a model does on up to `limit` batches, in evaluation mode; `known` tells what its outputs mean."""
    losses, found, samples = 0.0, [np.zeros(0, np.bool_)], 0
    with _untouched(model, data), evaluating(model), no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for batch in islice(batches("doctor", data), limit):
            output = model(*batch.inputs)
            losses += loss(output, batch.target).item() * (1 if known.loss.reduction == "sum" else len(batch))
            found.append(_hits(output.array, batch.target.array, known))
            samples += len(batch)
    every = np.concatenate(found)
    return Judgement(losses / samples, float(every.mean()) if every.size else math.nan, samples)


def _hits(output: Array, target: Array, known: Statistics) -> Array:
    """Which targets the outputs hit; empty unless the targets are classes, or yes and no."""
    alike, task = output.shape == target.shape, known.loss.task
    if (target.dtype.kind in "iu" and output.ndim == target.ndim + 1) or (alike and output.ndim > 1 and task == "multiclass"):
        return hits(output, target, ignored=known.ignore_index).ravel()
    if alike and task == "sigmoid":
        return hits(output, target, threshold=known.threshold).ravel()
    return np.zeros(0, np.bool_)


def check_arguments(model: Any, data: Any, loss: Any, optimizer: Any, validation: Any, history: Any, limit: Any) -> None:
    """Refuse what cannot be examined."""
    if isinstance(model, type) or not callable(model):
        raise InputTypeError(f"doctor: model must be a Module or a function, got {_named(model)}; call doctor(model, data, loss)")
    if isinstance(loss, type) or not callable(loss):
        raise InputTypeError(
            f"doctor: loss must be a function of output and target, such as nn.CrossEntropyLoss(), got {_named(loss)}"
        )
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise InputTypeError(f"doctor: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    if validation is not None:
        loader_of("doctor: validation", validation)
        if hasattr(data, "__next__"):
            raise InputTypeError(
                "doctor: data is an iterator, which can be gone through once, but with validation= it is gone through again; give a "
                "DataLoader or a list of batches"
            )
    if history is not None and not isinstance(history, History):
        raise InputTypeError(f"doctor: history must be the History that fit returns, got {_named(history)}")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ArgumentError(f"doctor: batches must be a whole number of at least 1, got {limit!r}")


def _named(value: Any) -> str:
    """What a message calls it: small values as they are, others by their type."""
    if isinstance(value, type):
        return f"the class {value.__name__}, not one made of it"
    return repr(value) if value is None or isinstance(value, (int, float, str)) else f"a {type(value).__name__}"

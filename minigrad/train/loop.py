"""The training loop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ..compiler import compile as compiled
from ..core import Tensor, check_number, no_grad
from ..data import Batch, batches, loader_of
from ..errors import ArgumentError, CompileError, InputTypeError
from ..evaluate.judge import loss_of, outputs_of
from ..evaluate.reading import setting_of
from ..nn import Module
from ..nn.utils import clip_grad_norm_, evaluating, get_total_norm
from ..optim import LBFGS, Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..optim.lr_scheduler.base import rate_of
from .callbacks import Callback, Callbacks, Run, Schedule, given
from .history import Epoch, History
from .metrics import Metrics
from .progress import Interrupt, Progress

__all__ = ["fit"]

_VERIFY = 200  # steps between two that run both ways


def fit(
    model: Module,
    loss: Callable[..., Tensor],
    optimizer: Optimizer,
    data: Any,
    epochs: int,
    *,
    validation: Any = None,
    metrics: Mapping[str, Any] | Sequence[Any] | None = None,
    scheduler: LRScheduler | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Callback | Callable[[Run], Any]] = (),
    progress: bool | None = None,
    compile: bool = True,
) -> History:
    """Train a model; the history of its epochs.

    - loss: called as loss(output, target). In training the losses of the batches are averaged by their sizes; that of the validation data is
      taken of all samples together. Losses with reduction="sum" are shown a sample.
    - data, validation: batches of inputs and, last, the target: a DataLoader, any iterable of batches that can be gone through again, a Dataset
      or a tuple of Tensors (X, y); of the last two, `data` comes in shuffled batches of 32.
    - metrics: "accuracy", functions of (outputs, targets) of all samples of an epoch, or a dictionary of functions by name. Default: the
      accuracy, if the targets are classes. In training they judge the outputs that the steps made, in train mode, while the weights changed.
    - scheduler: a learning-rate schedule, see `Schedule`. clip_norm: scale gradients down to this norm, all together.
    - callbacks: see `Callback`; EarlyStopping and BestWeights are some.
    - progress: True for a line an epoch, and on terminals and in notebooks a bar (tqdm); False for silence; None for the bar alone, where it
      can be had.
    - compile: whether the step is compiled (`mg.compile`) or runs operation by operation. Where a number that the loss or the model take
      from outside by name is another one, the step is recorded anew: one that changes at every step should be a Tensor. Every 200th
      step runs both ways, and a difference is an error.

    Each epoch trains in train mode, but modules of a model in train mode that were in evaluation mode when fit began (a frozen BatchNorm)
    stay in that. The model is left in the modes it was in, also by an error; callbacks are told of the end in any case.
    Ctrl-C, or a loss that is no number, ends the training after the step; the history says so.
    Errors: ArgumentError for settings out of range or no batches; CompileError if the step cannot be compiled (then try compile=False);
    MissingExtraError for progress=True without tqdm where a bar would be shown.
    """
    _check(model, loss, optimizer, epochs, clip_norm, scheduler)
    loader = _reusable("data", loader_of("fit", data, batch_size=32, shuffle=True))
    judged = None if validation is None else _reusable("validation", loader_of("fit: validation", validation))
    hooks = Callbacks([*([] if scheduler is None else [Schedule(scheduler)]), *given(callbacks)])
    run = Run(model, loss, optimizer, History(), int(epochs), validated=judged is not None)
    measures = Metrics(metrics, loss)
    frozen = [module for module in model.modules() if model.training and not module.training]

    # What the model and the loss take from outside is looked at because they are arguments.
    def learn(model: Module, loss: Callable[..., Tensor], *batch: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        *inputs, target = batch
        optimizer.zero_grad()
        output = model(*inputs)
        if not isinstance(output, Tensor):
            raise InputTypeError(f"fit: the model must return a Tensor, got {type(output).__name__}; for others, write the loop")
        value = loss(output, target)
        value.backward()
        norm = None if clip_norm is None else clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        return value, output.detach(), norm

    step = compiled(learn, verify=_VERIFY) if compile else learn
    predict = compiled(model) if compile else model
    with Progress(progress, run.epochs, loader) as shown, Interrupt() as interrupt, evaluating(model):  # whose modes it brings back
        hooks.tell("on_start", run)
        try:
            while run.epoch < run.epochs and not run.stopped:
                run.epoch += 1
                model.train()
                for module in frozen:
                    module.training = False
                row = _epoch(run, step, loader, measures, hooks, interrupt, shown)
                whole = not run.stopped
                if judged is not None and whole:
                    row.validation = _judge(run, predict, judged, measures)
                run.history.append(row)
                if whole:
                    hooks.tell("on_epoch", run)
                shown.epoch(run.history)
                if interrupt:
                    run.stop(f"interrupted after epoch {run.epoch}")
        finally:
            run.history.stopped = run.stopped
            hooks.tell("on_end", run)
    return run.history


def _epoch(
    run: Run,
    step: Callable[..., tuple[Tensor, Tensor, Tensor | None]],
    loader: Any,
    measures: Metrics,
    hooks: Callbacks,
    interrupt: Interrupt,
    shown: Progress,
) -> Epoch:
    """One pass over the data, and what became of it."""
    start, rate = perf_counter(), rate_of(run.optimizer.param_groups[0])
    losses, total, samples = run.history.step_losses, 0.0, 0
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    norm: Tensor | None = None
    summed = setting_of(run.loss, "reduction", None) == "sum"
    for run.step, batch in enumerate(batches("fit", loader), 1):
        run.batch = batch
        hooks.tell("before_step", run)
        value, output, norm = _run(step, run, batch)
        loss, size = value.item(), len(batch)
        losses.append(loss)
        total += loss if summed else loss * size
        samples += size
        if measures.wanted(output, batch.target):
            outputs.append(output)
            targets.append(batch.target)
        hooks.tell("after_step", run)
        shown.step()
        if not math.isfinite(loss):
            run.stop(f"the loss became {loss} in epoch {run.epoch}, step {run.step}")
            warnings.warn(f"fit: {run.stopped}; the training ends here", RuntimeWarning, stacklevel=3)
        if interrupt:
            run.stop(f"interrupted in epoch {run.epoch}, after step {run.step}")
        if run.stopped:
            break
    norm = get_total_norm([p.grad for p in run.model.parameters() if p.grad is not None]) if norm is None else norm
    row = Epoch(run.epoch, total / samples, measures.of(outputs, targets), {}, rate, norm.item(), perf_counter() - start, run.step)
    if run.stopped and math.isfinite(total):
        row.observation = f"stopped after step {run.step}"
    return row


def _run(step: Callable[..., Any], run: Run, batch: Batch) -> Any:
    try:
        return step(run.model, run.loss, *batch.inputs, batch.target)
    except CompileError as error:
        error.add_note("fit compiles the training step; with compile=False it runs operation by operation")
        raise


def _judge(run: Run, predict: Callable[..., Tensor], loader: Any, measures: Metrics) -> dict[str, float]:
    """Loss and metrics on the validation data, in evaluation mode; the loss is that of all samples together."""
    with evaluating(run.model), no_grad():
        outputs, targets = outputs_of("fit: validation", predict, loader)
        loss = loss_of(run.loss, outputs, targets)
    return {"loss": loss, **measures.of([outputs], [targets])}


def _check(model: Any, loss: Any, optimizer: Any, epochs: Any, clip_norm: Any, scheduler: Any) -> None:
    if not isinstance(model, Module):
        raise InputTypeError(f"fit: model must be a Module, got {type(model).__name__}")
    if isinstance(loss, type) or not callable(loss):
        raise InputTypeError(f"fit: loss must be a function of output and target, such as nn.CrossEntropyLoss(), got {loss!r}")
    if not isinstance(optimizer, Optimizer):
        raise InputTypeError(f"fit: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    if isinstance(optimizer, LBFGS):
        raise ArgumentError("fit: LBFGS asks for the loss several times a step; write the loop, with optimizer.step(closure)")
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise ArgumentError(f"fit: epochs must be a whole number of at least 1, got {epochs!r}")
    if clip_norm is not None:
        check_number("fit", clip_norm=clip_norm)
        if not clip_norm > 0:
            raise ArgumentError(f"fit: clip_norm must be above 0, got {clip_norm!r}")
    if scheduler is not None and not isinstance(scheduler, LRScheduler):
        raise InputTypeError(f"fit: scheduler must be a schedule of optim.lr_scheduler, got {type(scheduler).__name__}")
    held = {id(p) for p in model.parameters()}
    if not any(id(p) in held for group in optimizer.param_groups for p in group["params"]):
        raise ArgumentError("fit: the optimizer holds none of the model's parameters; make it of model.parameters()")


def _reusable(name: str, loader: Any) -> Any:
    """Batches that can be gone through once an epoch."""
    if hasattr(loader, "__next__"):
        raise InputTypeError(f"fit: {name} is an iterator, which can be gone through once; give a DataLoader or a list of batches")
    return loader

"""What a model's outputs mean: the task and the scale, from the loss, or else from shapes and values; and the probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import nn
from ..core import Tensor
from ..core.tensor import Array
from ..errors import ArgumentError, DomainError, IndexRangeError, InputTypeError, ShapeError
from ..nn import functional as F
from .scales import is_one, probabilities, scale_of, seem_probabilities
from .targets import is_one_hot

__all__ = ["Reading", "known_loss", "labels_of", "names_of", "numbers", "read", "scores_and_targets", "setting_of", "single"]

TASKS = ("multiclass", "binary", "multilabel", "regression")
SCALES = ("logits", "probabilities", "log_probabilities")

# Module, function, the task and the scale of the outputs. "sigmoid" is binary or multilabel, "focal" these or multiclass: the shapes say.
_LOSSES: tuple[tuple[type[nn.Module], Any, str, str], ...] = (
    (nn.CrossEntropyLoss, F.cross_entropy, "multiclass", "logits"),
    (nn.NLLLoss, F.nll_loss, "multiclass", "log_probabilities"),
    (nn.MultiMarginLoss, F.multi_margin_loss, "multiclass", "logits"),
    (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits, "sigmoid", "logits"),
    (nn.BCELoss, F.binary_cross_entropy, "sigmoid", "probabilities"),
    (nn.FocalLoss, F.focal_loss, "focal", "logits"),
    (nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss, "multilabel", "logits"),
    (nn.MSELoss, F.mse_loss, "regression", ""),
    (nn.L1Loss, F.l1_loss, "regression", ""),
    (nn.HuberLoss, F.huber_loss, "regression", ""),
    (nn.SmoothL1Loss, F.smooth_l1_loss, "regression", ""),
    (nn.LogCoshLoss, F.log_cosh, "regression", ""),
)


@dataclass(frozen=True, eq=False)
class Reading:
    """Outputs and targets as they were understood.

    `values` are probabilities in float64: (n) of class 1 if binary, (n, K) if multiclass, (n, L) if multilabel; in regression the outputs,
    (n, m). `scores` rank the samples, in the same shape, and tell apart what is rounded to one probability. `targets` are class indices (n),
    zeros and ones in the shape of values, or numbers (n, m). `words` says what was taken for what, and why; `doubt` why that seems wrong, or
    nothing; `notes` what else the reader must know of it.
    """

    task: str
    outputs: str
    values: Array
    scores: Array
    targets: Array
    words: str
    doubt: str = ""
    notes: tuple[str, ...] = ()


def read(
    name: str,
    predictions: Any,
    targets: Any,
    task: str | None = None,
    outputs: str | None = None,
    loss: Callable[..., Any] | None = None,
) -> Reading:
    """Understand the outputs of a model. What is not given is taken from the loss, or else from shapes and values.

    Errors: ShapeError, DomainError (NaN, targets that are no classes, numbers that are no probabilities), IndexRangeError (a class
    index too high), ArgumentError for a setting that is none of the known ones and where shapes and values can be read in two ways.
    """
    _check_setting(name, "task", task, TASKS)
    _check_setting(name, "outputs", outputs, SCALES)
    y, t = numbers(name, "outputs", predictions, deep=True), numbers(name, "targets", targets, deep=True)
    if len(y) != len(t):
        raise ShapeError(f"{name}: outputs and targets must be as many, got {len(y)} outputs and {len(t)} targets")
    known, known_task, known_scale = _from_loss(loss, y, t)
    task, why = _first(
        (task, "as asked"), (known_task, known), lambda: (_task_of(name, *_positions(name, y, t)), "from shapes and values")
    )
    if task == "regression":
        y, t = _regression(name, y, t)
        return Reading(task, "", y, y, t, f"Task: regression ({why}).")
    notes = [f"Outputs {y.shape}: each position counts as a sample, {y.size // y.shape[1]:,} in all."] if y.ndim > 2 else []
    y, t = _positions(name, y, t)
    if task == "multiclass":
        y, t, dropped = _counted(name, y, t, loss)
        y, t, doubtful = _multiclass(name, y, t)
        notes += dropped + doubtful
    else:
        y, t = labels_of(name, y, t, single_column=task == "binary")
    scale, reason = _first((outputs, "as asked"), (known_scale, known), lambda: (scale_of(name, task, y), "from their values"))
    looks = seem_probabilities(task, y) if scale == "logits" and outputs is None else ""
    words = f"Task: {task} ({why}). Outputs: {scale.replace('_', '-')} ({reason})."
    p = probabilities(name, task, scale, y)
    return Reading(task, scale, p, _scores(task, scale, y, p), t, words, _doubled(task, looks), tuple(notes))


def _scores(task: str, scale: str, y: Array, p: Array) -> Array:
    """What ranks the samples: of single outputs and of two classes the logits, of more the probabilities."""
    if scale == "probabilities" or (task == "multiclass" and y.shape[1] > 2):
        return p
    z = y.astype(np.float64)
    return z - z[:, ::-1] if task == "multiclass" else z


def _doubled(task: str, looks: str) -> str:
    """What to do where outputs that are read as logits look like probabilities already."""
    if not looks:
        return ""
    layer, loss = ("softmax", "nn.NLLLoss after nn.LogSoftmax") if task == "multiclass" else ("sigmoid", "nn.BCELoss")
    return (
        f"The outputs look like probabilities ({looks}), but the loss takes logits, and so they are read: remove the {layer} from the model, "
        f'or take the loss for probabilities ({loss}), or say outputs="probabilities".'
    )


def _check_setting(name: str, what: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise ArgumentError(f"{name}: {what} must be one of {', '.join(map(repr, known))}, got {value!r}")


def _first(given: tuple[str | None, str], known: tuple[str, str], guess: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    if given[0] is not None:
        return given[0], given[1]
    return known if known[0] else guess()


def numbers(name: str, what: str, value: Any, deep: bool = False) -> Array:
    """The numbers of a Tensor, an array or a list, one row a sample, without NaN; `deep` allows more than two dimensions."""
    found = value.array if isinstance(value, Tensor) else np.asarray(value)
    if found.dtype.kind not in "fiub":
        raise InputTypeError(f"{name}: {what} must be numbers in a Tensor or an array, got {type(value).__name__} of {found.dtype}")
    if not found.ndim or (found.ndim > 2 and not deep):
        raise ShapeError(f"{name}: {what} must have shape (n) or (n, columns{', …' if deep else ''}), got {found.shape}")
    if not found.size:
        raise ArgumentError(f"{name}: {what} hold nothing, shape {found.shape}")
    if found.dtype.kind == "f":
        missing = np.isnan(found).reshape(len(found), -1).any(1)
        if missing.any():
            raise DomainError(
                f"{name}: {what} hold NaN in {missing.sum()} of {len(found)} samples, first in sample {missing.argmax()}"
            )
    return found


def single(x: Array) -> bool:
    """Whether there is one number a sample (or a position), in shape (n) or (n, 1, …)."""
    return x.ndim == 1 or x.shape[1] == 1


def names_of(name: str, given: Sequence[str] | None, count: int, kind: str = "class") -> tuple[str, ...]:
    """The names that were given, one for each, or else their numbers."""
    if given is None:
        return tuple(map(str, range(count)))
    if isinstance(given, str) or len(given) != count:
        raise ArgumentError(f"{name}: class_names must be {count} names, one a {kind}, got {given!r}")
    return tuple(map(str, given))


# ---- the task


def _from_loss(loss: Callable[..., Any] | None, y: Array, t: Array) -> tuple[str, str, str]:
    """What a known loss says: its name in words, the task, and the scale; empty if it says nothing."""
    task, scale = known_loss(loss)
    if not task:
        return "", "", ""
    if task == "focal":
        task = "sigmoid" if y.shape == t.shape else "multiclass"
    if task == "sigmoid":
        task = "binary" if single(y) else "multilabel"
    inner: Any = _inner(loss)
    named = type(inner).__name__ if isinstance(inner, nn.Module) else getattr(inner, "name", getattr(inner, "__name__", ""))
    return f"from the loss, {named}", task, scale


def known_loss(loss: Any) -> tuple[str, str]:
    """The task that a loss is for, as the table of losses has it, and the scale of the outputs that it takes; empty if it is not known."""
    inner = _inner(loss)
    return next(
        ((task, scale) for kind, function, task, scale in _LOSSES if inner is function or isinstance(inner, kind)), ("", "")
    )


def setting_of(loss: Any, name: str, default: Any) -> Any:
    """A setting of a loss: an attribute of a Module, a keyword bound to a function by `functools.partial`."""
    while isinstance(loss, partial):
        if name in loss.keywords:
            return loss.keywords[name]
        loss = loss.func
    return getattr(loss, name, default)


def _inner(loss: Any) -> Any:
    """A loss without what `functools.partial` bound to it."""
    while isinstance(loss, partial):
        loss = loss.func
    return loss


def _task_of(name: str, y: Array, t: Array) -> str:
    whole = bool((t == np.floor(t)).all())
    if single(t) and not single(y) and whole:
        return "multiclass"
    if single(t) != single(y) or t.size != y.size:
        raise ShapeError(
            f"{name}: outputs {y.shape} and targets {t.shape} fit no task: expected targets of the same shape, "
            "or (n) class indices for (n, classes) outputs"
        )
    if not np.isin(t, (0, 1)).all():
        if t.dtype.kind == "f":
            return "regression"
        raise ArgumentError(
            f"{name}: it is not clear what the task is: targets are whole numbers from {t.min():g} to {t.max():g}, "
            'outputs one a sample; say task="regression", or give one output a class'
        )
    if single(y):
        return "binary"
    if is_one_hot(t):
        raise ArgumentError(
            f"{name}: it is not clear what the task is: each row of the targets holds one 1; "
            'say task="multiclass" (one-hot) or task="multilabel"'
        )
    return "multilabel"


# ---- outputs and targets of a task


def _positions(name: str, y: Array, t: Array) -> tuple[Array, Array]:
    """Outputs (n, K, d, …) as (n·d·…, K), one row a position; with them targets (n, d, …), or of the shape of the outputs."""
    if y.ndim < 3:
        return y, t
    if t.shape == y.shape:
        return _rows(y), _rows(t)
    if t.shape != (len(y), *y.shape[2:]):
        raise ShapeError(
            f"{name}: for outputs {y.shape}, (n, K, …), targets must have shape {(len(y), *y.shape[2:])} or that of the outputs, got {t.shape}"
        )
    return _rows(y), t.ravel()


def _rows(x: Array) -> Array:
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def _counted(name: str, y: Array, t: Array, loss: Any) -> tuple[Array, Array, list[str]]:
    """Outputs and targets without those that the loss ignores, and a note that says how many."""
    if loss is None or t.shape == y.shape:
        return y, t, []
    ignored = setting_of(loss, "ignore_index", -100)
    counted = t.ravel() != ignored
    if counted.all():
        return y, t, []
    if not counted.any():
        raise ArgumentError(f"{name}: all {len(t)} targets are {ignored}, the ignore_index of the loss")
    note = f"{(~counted).sum():,} of {len(t):,} targets are {ignored}, the ignore_index of the loss: they don't count."
    return y[counted], t.ravel()[counted], [note]


def _regression(name: str, y: Array, t: Array) -> tuple[Array, Array]:
    if y.reshape(len(y), -1).shape != t.reshape(len(t), -1).shape:
        raise ShapeError(f"{name}: in regression outputs and targets must have the same shape, got {y.shape} and {t.shape}")
    for what, x in (("outputs", y), ("targets", t)):
        if not np.isfinite(x).all():
            raise DomainError(f"{name}: {what} must be finite, got an infinity")
    return y.reshape(len(y), -1).astype(np.float64), t.reshape(len(t), -1).astype(np.float64)


def _multiclass(name: str, y: Array, t: Array) -> tuple[Array, Array, list[str]]:
    """Outputs (n, K), class indices (n), and a note where these were probabilities."""
    if single(y):
        raise ShapeError(
            f'{name}: multiclass outputs must have shape (n, classes), at least 2 classes, got {y.shape}; one output a sample is task="binary"'
        )
    if t.shape == y.shape:
        if (t < 0).any() or not is_one(t.sum(1, dtype=np.float64)):
            raise DomainError(
                f"{name}: multiclass targets of shape {t.shape} must be one-hot, or probabilities that add up to 1 in a row"
            )
        soft = not np.isin(t, (0, 1)).all()
        return y, t.argmax(1), ["Targets are probabilities: the most probable class counts as the true one."] if soft else []
    if not single(t):
        raise ShapeError(f"{name}: for outputs {y.shape} targets must be class indices (n) or one-hot {y.shape}, got {t.shape}")
    t = t.ravel()
    if not (t == np.floor(t)).all():
        raise DomainError(f"{name}: multiclass targets must be class indices, got {t[t != np.floor(t)][0]:g}")
    bad = (t < 0) | (t >= y.shape[1])
    if bad.any():
        at = int(bad.argmax())
        raise IndexRangeError(
            f"{name}: targets[{at}] is {t[at]:g}, but there are {y.shape[1]} classes, numbered 0 to {y.shape[1] - 1}"
        )
    return y, t.astype(np.int64), []


def labels_of(name: str, y: Array, t: Array, single_column: bool) -> tuple[Array, Array]:
    """Outputs and targets of 0 or 1, both (n) or both (n, labels)."""
    if single_column and not (single(y) and single(t)):
        raise ShapeError(f"{name}: binary outputs and targets must have shape (n) or (n, 1), got {y.shape} and {t.shape}")
    if single_column:
        y, t = y.ravel(), t.ravel()
    if y.ndim < 1 + (not single_column) or y.shape != t.shape:
        raise ShapeError(f"{name}: multilabel outputs and targets must both have shape (n, labels), got {y.shape} and {t.shape}")
    if not single_column and single(y):
        raise ShapeError(f'{name}: one label, outputs of shape {y.shape}, is a task of two classes; say task="binary"')
    other = ~np.isin(t, (0, 1))
    if other.any():
        raise DomainError(f"{name}: {'binary' if single_column else 'multilabel'} targets must be 0 or 1, got {t[other][0]:g}")
    return y, t.astype(np.int64)


def scores_and_targets(name: str, scores: Any, targets: Any, outputs: str | None) -> tuple[Array, Array, str]:
    """Scores (n) or (n, labels) in float64 on their own scale, targets of 0 or 1 in that shape, and what the scores are."""
    _check_setting(name, "outputs", outputs, SCALES[:2])
    y, t = numbers(name, "scores", scores), numbers(name, "targets", targets)
    if y.ndim == 2 and y.shape[1] == 2 and single(t):
        raise ShapeError(f"{name}: scores have 2 columns, one a class; pass column 1, scores[:, 1], for one target a sample")
    y, t = labels_of(name, y, t, single_column=single(y))
    scale = outputs or scale_of(name, "binary", y)
    probabilities(name, "binary", scale, y)  # refuses what is none
    if np.isinf(y).any():
        raise DomainError(f"{name}: scores must be finite, got {y[np.isinf(y)][0]:g}")
    return y.astype(np.float64), t, scale

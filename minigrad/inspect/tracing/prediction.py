"""One prediction explained: layer by layer to the probabilities, what was chosen, and which inputs spoke for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import Tensor, enable_grad, get_default_dtype, grad
from ...core.tensor import Array
from ...display import Block, Cell, Document, Table, Text
from ...errors import ArgumentError, DtypeError, IndexRangeError, InputTypeError, ShapeError
from ...nn import ModuleList
from ...nn.utils import evaluating
from ...ops.create import as_tensor
from ..capture import Capture, capturing, modules_of, preserving
from ..values import short
from .class_scores import class_scores, explained_score, kind_of_outputs, logit_margin, probability_stage
from .flow import fresh_inputs
from .prediction_pictures import bars, image, picture_shape
from .stages import Stage, flow_table, input_stages, kind_of, parameter_count, stages_of

__all__ = ["Explanation", "explain_prediction"]

_LIMIT = 6  # values that are shown in full
_MOST = 10  # rows of classes, and of features


@dataclass(frozen=True, repr=False)
class Explanation(Document):
    """What `explain_prediction` found of one sample.

    `outputs` says what the model's outputs are; `scores` are logits (z and −z for two classes in one logit), or log-probabilities where
    the model gives probabilities. `probabilities` add up to 1. `chosen` and `runner_up` are numbers of classes, `margin` the difference
    of their probabilities, `logit_margin` that of their logits, which is that of their log-probabilities. `gradient` is that of
    `explained`, the chosen class's logit or log-probability, at the input, and `saliency` = gradient · input; both are None where the
    input holds integers. `parameters` counts those of the model.
    """

    model: str
    stages: tuple[Stage, ...]
    outputs: str
    class_names: tuple[str, ...]
    scores: Array
    probabilities: Array
    input: Array
    gradient: Array | None
    explained: float
    logit_margin: float
    feature_names: tuple[str, ...] | None = None
    image_shape: tuple[int, ...] | None = None
    guessed: bool = False
    parameters: int = 0

    title = "Explanation"

    def headline(self) -> str:
        return self.sentence

    @property
    def chosen(self) -> int:
        return int(self.scores.argmax())

    @property
    def runner_up(self) -> int:
        return int(np.argsort(-self.scores, kind="stable")[1])

    @property
    def margin(self) -> float:
        return float(self.probabilities[self.chosen] - self.probabilities[self.runner_up])

    @property
    def saliency(self) -> Array | None:
        return None if self.gradient is None else self.gradient * self.input

    @property
    def sentence(self) -> str:
        """The choice in words."""
        first, second = self.class_names[self.chosen], self.class_names[self.runner_up]
        return (
            f"{first}, with probability {_share(self.probabilities[self.chosen])}; next is {second} with "
            f"{_share(self.probabilities[self.runner_up])}. The margin is {_share(self.margin)} in probability, {short(self.logit_margin)} in "
            "logits."
        )

    def blocks(self) -> Sequence[Block]:
        title = f"{self.model} chooses {self.class_names[self.chosen]}"
        flow = flow_table(self.stages, _LIMIT, self.parameters, "From the input to the probabilities")
        found: list[Block] = [Text(title, 3), Text(self.sentence), flow, self._classes(), Text(self._saliency_in_words())]
        if self.saliency is None:
            return found
        if self.image_shape is not None:
            return [*found, image(self.input, self.saliency, self.image_shape)]
        order = np.argsort(-np.abs(self.saliency).ravel(), kind="stable")[:_MOST]
        names = [self._feature(i) for i in order]
        return [*found, self._features(order, names), bars(names, self.saliency.ravel()[order])]

    def _classes(self) -> Table:
        order = np.argsort(-self.scores, kind="stable")[:_MOST]
        rows = [
            [
                self.class_names[i],
                float(self.scores[i]),
                Cell(float(self.probabilities[i]), float(np.nan_to_num(self.probabilities[i]))),
            ]
            for i in order
        ]
        more = len(self.scores) - len(order)
        score = "Logit" if self.outputs == "logits" else "Log-probability"
        return Table(["Class", score, "Probability"], rows, title="Classes", note=f"and {more:,} more" if more else "")

    def _what(self) -> str:
        name = self.class_names[self.chosen]
        return f"the logit of {name}" if self.outputs == "logits" else f"the log-probability of {name}"

    def _saliency_in_words(self) -> str:
        if self.saliency is None:
            return "The input holds integers, at which there is no gradient: nothing can be said of single inputs."
        text = f"Input saliency: gradient × input, of {self._what()}. It adds up to {short(self.saliency.sum())}"
        if self.outputs == "logits":
            text += f"; the logit is {short(self.explained)} (for a ReLU network without biases the two are equal)"
        text += "."
        if not self.gradient.any():  # type: ignore[union-attr]
            text += " The gradient is 0 everywhere: the output does not react to small changes of the input."
        if self.guessed and self.image_shape is not None:
            size = " × ".join(map(str, self.image_shape))
            text += f" The {self.input.size} inputs are taken for a picture of {size}; image_shape= or feature_names= "
            text += "says otherwise."
        return text

    def _feature(self, i: int) -> str:
        return self.feature_names[i] if self.feature_names else f"feature {i}"

    def _features(self, order: Array, names: Sequence[str]) -> Table:
        assert self.saliency is not None
        assert self.gradient is not None
        columns = [values.ravel()[order].tolist() for values in (self.input, self.gradient, self.saliency)]
        more = self.input.size - len(order)
        note = f"The largest of {self.input.size:,}, by size." if more else ""
        rows = [list(row) for row in zip(names, *columns, strict=True)]
        return Table(["Feature", "Value", "Gradient", "Gradient × value"], rows, title="Saliency", note=note)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "outputs": self.outputs,
            "chosen": self.class_names[self.chosen],
            "runner_up": self.class_names[self.runner_up],
            "margin": self.margin,
            "logit_margin": self.logit_margin,
            "sentence": self.sentence,
            "class_names": list(self.class_names),
            "scores": self.scores.tolist(),
            "probabilities": self.probabilities.tolist(),
            "explained": self.explained,
            "gradient": None if self.gradient is None else self.gradient.tolist(),
            "saliency": None if self.saliency is None else self.saliency.tolist(),
            "feature_names": list(self.feature_names) if self.feature_names else None,
            "image_shape": list(self.image_shape) if self.image_shape else None,
            "stages": [stage.to_dict() for stage in self.stages],
        }


def explain_prediction(
    model: Callable[..., Any],
    x: Any,
    *,
    class_names: Sequence[str] | None = None,
    outputs: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    feature_names: Sequence[str] | None = None,
) -> Explanation:
    """Run one sample through a classifier, in evaluation mode, and say what it chose, by how much, and what in the input spoke for it.

    `outputs` ("logits", "probabilities", "log_probabilities") says what the model gives; by default it is seen from the last operation:
    probabilities after softmax or sigmoid, log-probabilities after log_softmax, else logits.
    The saliency is gradient · input, of the chosen class's logit; where the model gives probabilities, of its log-probability. Of two
    classes in one logit z, that of the first is −z. `image_shape` makes it a picture: (rows, columns), or with three colours
    (3, rows, columns) or (rows, columns, 3), whose saliency is summed over the colours. Inputs (1, rows, columns) and (1, …) of these
    shapes are pictures anyway; without `feature_names`, 64 or more inputs that fill a square are taken for one, which the text says. The
    stages end in the probabilities, by the softmax, sigmoid or exp that the model itself lacks. The model is left as it was.
    A list of whole numbers is taken for floats, unless the model takes integers only (an embedding does).
    Shapes: x (features,), which gets a batch axis, or (1, …); the model gives (1, K) for K classes, or one number for two classes: the
    logit or the probability of the second.
    Errors: ShapeError for more than one sample, or an output or a picture that does not fit; ArgumentError for names that do not fit;
    DomainError for outputs that are NaN, or no probabilities.
    Source: Simonyan, Vedaldi & Zisserman 2013; Shrikumar, Greenside & Kundaje 2017 for gradient · input.

        >>> from minigrad import nn
        >>> mg.inspect.explain_prediction(nn.Softmax(dim=-1), mg.tensor([2.0, 1.0, 0.1])).sentence
        '0, with probability 0.6590; next is 1 with 0.2424. The margin is 0.4166 in probability, 1 in logits.'
    """
    if not callable(model):
        raise InputTypeError(f"explain_prediction: model must be a Module or a function, got {type(model).__name__}")
    sample = as_tensor(x)
    sample = sample.reshape(1, -1) if sample.ndim == 1 else sample
    if sample.ndim == 0 or sample.shape[0] != 1:
        raise ShapeError(f"explain_prediction: x must be one sample, (features,) or (1, …); got shape {sample.shape}")
    leaf, output, capture = _run_of_numbers(model, sample) if isinstance(x, (list, tuple)) else _run(model, sample)
    kind = kind_of_outputs(output, outputs)
    with enable_grad():
        values = output.reshape(-1)
        scores, probabilities = class_scores(values.detach().array.astype(np.float64), kind)
        chosen = int(scores.argmax())
        explained = explained_score(values, kind, chosen)
    gradient = _gradient(explained, leaf)
    stages = [*input_stages([leaf], [None], _LIMIT), *stages_of(capture, model, _LIMIT, len(capture.operations))]
    last = probability_stage(stages[-1].number + 1, output, kind, probabilities, _LIMIT)
    picture, guessed = picture_shape(leaf.shape, image_shape, feature_names is not None)
    return Explanation(
        kind_of(model),
        (*stages, *filter(None, [last])),
        kind,
        _names("class_names", class_names, len(scores)) or tuple(map(str, range(len(scores)))),
        scores,
        probabilities,
        leaf.array[0],
        gradient,
        explained.item(),
        logit_margin(scores, kind, output.numel()),
        _names("feature_names", feature_names, leaf.numel()),
        picture,
        guessed,
        parameter_count(model),
    )


def _run(model: Callable[..., Any], sample: Tensor) -> tuple[Tensor, Any, Capture]:
    """A copy of the sample, what the model makes of it in evaluation mode, and how."""
    (leaf,), given = fresh_inputs([sample], differentiate=True)
    modules = ModuleList(module for _, module in modules_of(model))
    with evaluating(modules), preserving(model), capturing(model, within=True) as capture:
        return leaf, model(*given), capture


def _run_of_numbers(model: Callable[..., Any], sample: Tensor) -> tuple[Tensor, Any, Capture]:
    """Python's whole numbers have no dtype of their own: they are floats, with a gradient, unless the model takes integers only."""
    if sample.dtype.kind not in "iu":
        return _run(model, sample)
    try:
        return _run(model, sample.to(get_default_dtype()))
    except (DtypeError, IndexRangeError):
        return _run(model, sample)


def _share(p: float) -> str:
    """A probability in four decimals, 0 and 1 only where it is that."""
    if 0 < p < 0.00005 or 0.99995 <= p < 1:
        return "less than 0.0001" if p < 0.5 else "more than 0.9999"
    return f"{p:.4f}"


def _names(argument: str, names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(names) != count:
        raise ArgumentError(f"explain_prediction: {argument} must hold {count} names, got {len(names)}")
    return tuple(map(str, names))


def _gradient(explained: Tensor, leaf: Tensor) -> Array | None:
    """The gradient at the sample, without its batch axis; 0 where the output does not depend on it."""
    if not leaf.requires_grad:
        return None
    if not explained.requires_grad:
        return np.asarray(np.zeros_like(leaf.array[0]))
    (g,) = grad(explained, [leaf], materialize_grads=True)
    assert g is not None
    return np.asarray(g.array[0])

"""What is known of the loss that ran: its name, what it is for, on which scale it takes outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...core import Tensor
from ...core.tensor import Array
from ...evaluate.reading import known_loss
from ...nn import functional as F
from ..capture import Ran

__all__ = ["KnownLoss", "failed_loss", "loss_that_ran"]

_PARTS = {"binary_focal_loss": "focal_loss", "focused": "focal_loss", "multilabel_terms": "multilabel_soft_margin_loss"}
"""Operations that are the work of a function of another name."""


class KnownLoss(NamedTuple):
    """`name` is that in nn.functional, `task` "multiclass", "sigmoid" (yes or no, each output for itself) or "regression", `scale` that of
    the outputs; all empty where nothing is known. `reduction` as it was, `weighted` whether classes or labels count differently."""

    name: str = ""
    task: str = ""
    scale: str = ""
    reduction: str = ""
    weighted: bool = False

    @property
    def words(self) -> str:
        """What messages call it."""
        return self.name.replace("cross_entropy", "cross-entropy").replace("_", " ")


def loss_that_ran(operations: Sequence[Ran], target: Array) -> tuple[KnownLoss, Tensor | None]:
    """The loss among the operations that ran in it, and the Tensor that it took as outputs."""
    known = [(_PARTS.get(ran.op.name, ran.op.name), ran) for ran in operations]
    known = [(name, ran) for name, ran in known if _known(name)[0]]
    if not known:
        return KnownLoss(), None
    outputs = known[0][1].inputs[0]
    name, ran = next((pair for pair in known if pair[0] == "focal_loss"), known[0])  # which has cross-entropy for a part
    task, scale = _known(name)
    if task == "focal":
        task = "sigmoid" if outputs.shape == target.shape else "multiclass"
    weighted = name == "focal_loss" or any(isinstance(x, Tensor) for x in ran.inputs[2:])
    return KnownLoss(name, "sigmoid" if task == "multilabel" else task, scale, str(ran.attrs.get("reduction")), weighted), outputs


def failed_loss(error: Exception) -> KnownLoss:
    """The loss that raised: messages begin with its name."""
    name = str(error).partition(":")[0]
    task, scale = _known(name)
    return KnownLoss(name, task, scale) if task else KnownLoss()


def _known(name: str) -> tuple[str, str]:
    """The task and the scale of a function of nn.functional."""
    return ("sigmoid", "logits") if name == "soft_margin_loss" else known_loss(getattr(F, name, None))

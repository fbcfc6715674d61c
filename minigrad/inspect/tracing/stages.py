"""The stages of a run, from the inputs on: each operation in its layer, what came in and what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...core import Tensor
from ...display import Table
from ...nn import Module, Parameter
from ..capture import Capture, Layer, Ran, uncompiled
from ..values import Snapshot

__all__ = [
    "NOTHING",
    "Stage",
    "Table",
    "flow_table",
    "gradient_table",
    "input_stages",
    "kind_of",
    "own_label",
    "parameter_count",
    "stages_of",
    "statistics_table",
]

NOTHING = "–"  # where there is no such thing
ENDS = 40  # stages that tables show from the beginning, and from the end


@dataclass(frozen=True)
class Stage:
    """An operation in a layer, an input (number 0), or a layer that hands on what it is given (its operation is "–").

    `layer` is the dotted name in the model ("" for the model itself), `kind` its class, `call` which call of it this is. `inputs` are
    the shapes of the Tensors that came in; `parameters` counts the elements of those that are parameters and that no stage before had;
    `shared` says whether one had some.
    """

    number: int
    layer: str
    kind: str
    operation: str
    values: Snapshot
    inputs: tuple[tuple[int, ...], ...] = ()
    parameters: int = 0
    call: int = 1
    gradient: Snapshot | None = None
    shared: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def to_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "layer": self.layer,
            "kind": self.kind,
            "call": self.call,
            "operation": self.operation,
            "inputs": [list(shape) for shape in self.inputs],
            "parameters": self.parameters,
            "shared": self.shared,
            "output": self.values.to_dict(),
            "gradient": self.gradient.to_dict() if self.gradient else None,
        }


def kind_of(model: Any) -> str:
    """The class of a module, the name of a function."""
    model = uncompiled(model)
    return type(model).__name__ if isinstance(model, Module) else getattr(model, "__name__", type(model).__name__)


def parameter_count(model: Any) -> int:
    """How many parameters a module has; of a function nobody knows, 0."""
    model = uncompiled(model)
    return sum(parameter.numel() for parameter in model.parameters()) if isinstance(model, Module) else 0


def own_label(name: str, kind: str, call: int = 1) -> str:
    """What a layer is called in tables: "encoder.0: Linear"."""
    again = f" (call {call})" if call > 1 else ""
    return f"{name}: {kind}{again}" if name else f"{kind}{again}"


def input_stages(inputs: Sequence[Any], gradients: Sequence[Any], limit: int) -> Iterator[Stage]:
    """The stages number 0: what the model is given."""
    for n, (x, g) in enumerate(zip(inputs, gradients, strict=True)):
        if isinstance(x, Tensor):
            name = "input" if len(inputs) == 1 else f"input {n + 1}"
            yield Stage(0, "", name, NOTHING, Snapshot(x.array, limit), gradient=None if g is None else Snapshot(g.array, limit))


def stages_of(capture: Capture, model: Callable[..., Any], limit: int, forward: int, loss: str = "") -> Iterator[Stage]:
    """The stages of what ran, numbered from 1; operations after the first `forward` ones are those of the loss."""
    silent = [layer for layer in capture.layers if layer.values is not None and not any(layer.module.children())]
    count, waiting, met = 0, iter([*silent, None]), set[int]()
    layer = next(waiting)
    for position in range(len(capture.operations) + 1):
        while layer is not None and layer.begin == position:
            count += 1
            yield _handed_on(count, layer, limit)
            layer = next(waiting)
        if position < len(capture.operations):
            count += 1
            place = ("loss", loss) if position >= forward else None
            yield _stage(count, capture.operations[position], place, kind_of(model), limit, met)


def _handed_on(number: int, layer: Layer, limit: int) -> Stage:
    assert layer.values is not None
    shapes = tuple(x.shape for x in layer.inputs if isinstance(x, Tensor))
    gradient = None if layer.gradient is None else Snapshot(layer.gradient, limit)
    values = Snapshot(layer.values, limit)
    return Stage(number, layer.name, type(layer.module).__name__, NOTHING, values, shapes, call=layer.call, gradient=gradient)


def _stage(number: int, ran: Ran, place: tuple[str, str] | None, model: str, limit: int, met: set[int]) -> Stage:
    """`met`: the parameters that stages before this one had, to which its own are added."""
    name, kind = place or (ran.layer, model if ran.module is None else type(ran.module).__name__)
    tensors = [x for x in ran.inputs if isinstance(x, Tensor)]
    parameters = [x for x in tensors if isinstance(x, Parameter) or (x.requires_grad and x.is_leaf)]
    held = {id(x) for x in parameters} | ({id(x) for x in ran.module.buffers()} if ran.module else set())
    shapes = tuple(shape for x, shape in zip(tensors, ran.shapes, strict=True) if id(x) not in held)
    gradient = None if ran.gradient is None else Snapshot(ran.gradient, limit)
    fresh = {id(x): x.numel() for x in parameters if id(x) not in met}
    shared = any(id(x) in met for x in parameters)
    met.update(fresh)
    call, size, values = 1 if place else ran.call, sum(fresh.values()), Snapshot(ran.values, limit)
    return Stage(number, name, kind, ran.op.name, values, shapes or ran.shapes, size, call, gradient, shared)


def flow_table(stages: Sequence[Stage], limit: int, total: int, title: str = "Data flow", failed: bool = False) -> Table:
    """What flows from stage to stage, through a model of `total` parameters; `failed`: the run ended before its time."""
    rows = []
    for stage, name in zip(stages, labels(stages), strict=True):
        came = ", ".join(map(str, stage.inputs))
        rows.append(
            [
                stage.number,
                name,
                stage.operation,
                f"{came} → {stage.shape}" if came else str(stage.shape),
                stage.parameters or ("shared" if stage.shared else NOTHING),
                str(stage.values),
            ]
        )
    many = any(stage.values.values is None for stage in stages)
    notes = [_count(stages, total, failed), f"Of more than {limit} values: mean ± standard deviation." if many else ""]
    note = " ".join(filter(None, notes))
    return Table(["#", "Layer", "Operation", "Shape", "Parameters", "Values"], _ends(rows), title=title, note=note)


def _count(stages: Sequence[Stage], total: int, failed: bool) -> str:
    """What the column of parameters adds up to."""
    used = sum(stage.parameters for stage in stages)
    if not used:
        return ""
    why = "as far as the run came before it failed" if failed else "the others were not used"
    rest = f" of the model's {total:,} ({why})" if used < total else ""
    once = ", each counted where it is first used" if any(stage.shared for stage in stages) else ""
    return f"{used:,} parameters{rest}{once}."


def statistics_table(stages: Sequence[Stage]) -> Table:
    """How the values of each stage are distributed."""
    odd = any(stage.values.statistics.not_finite for stage in stages)
    head, rows = ["#", "Layer", "Zeros", "Min", "Mean", "Max", "Std"], []
    for stage, name in zip(stages, labels(stages), strict=True):
        s = stage.values.statistics
        zeros = NOTHING if math.isnan(s.zeros) else f"{100 * s.zeros:3.0f} %"
        numbers = [NOTHING if math.isnan(value) else value for value in (s.min, s.shown_mean, s.max, s.std)]
        rows.append([stage.number, name, zeros, *numbers, *[s.not_finite or NOTHING] * odd])
    note = "Min, mean, max and std are those of the finite values." if odd else ""
    return Table([*head, *["NaN or inf"] * odd], _ends(rows), title="Values", note=note)


def labels(stages: Sequence[Stage]) -> list[str]:
    """The layers' names, each where it begins."""
    names = [own_label(stage.layer, stage.kind, stage.call) for stage in stages]
    return [name if n == 0 or name != names[n - 1] else "" for n, name in enumerate(names)]


def gradient_table(stages: Sequence[Stage]) -> Table:
    """What comes back to the output of each stage."""
    rows: list[list[Any]] = []
    for stage, name in zip(stages, labels(stages), strict=True):
        g = stage.gradient
        seen = [NOTHING] * 3 if g is None else [str(g), g.statistics.norm, g.statistics.mean_size]
        rows.append([stage.number, name, stage.operation, *seen])
    return Table(["#", "Layer", "Operation", "dL/doutput", "Norm", "Mean |g|"], _ends(rows), title="Gradients")


def _ends(rows: list[list[Any]]) -> list[list[Any]]:
    """The first rows and the last, and between them how many there are."""
    between = len(rows) - 2 * ENDS
    if between <= 1:
        return rows
    return [*rows[:ENDS], ["⋮", f"{between:,} more stages", *[""] * (len(rows[0]) - 2)], *rows[-ENDS:]]

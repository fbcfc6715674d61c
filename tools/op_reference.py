"""The reference of all operations, as pages of the documentation: `make docs` writes and builds them.

Everything in it is read from the operations: signatures, docstrings, formulas and backward rules as they stand in the source. The
pictures of the activation functions are drawn from the library's own values and gradients.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import ops
from minigrad.errors import MinigradError, MissingExtraError
from minigrad.nn import functional as F
from minigrad.ops import methods

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference" / "operations"

HEADER = """# Operations

An operation is a formula and, under it, one backward rule per argument. A rule's parameters name what it needs: `g` is the incoming
gradient, `y` the output, `x_shape` the shape of argument `x`, the rest are the formula's own arguments. *Keeps* says which arrays the
rules name: these, and no others, stay in memory until the backward pass. Rules are differentiable themselves, so each serves second
derivatives too. Where a formula names no axis, the operation maps over elements. Unless *Complexity* says otherwise, an operation takes
time and memory in proportion to the sizes of its arguments and its result: one visit of each element, forward and backward. How far
elementwise operations are off, in units in the last place, stands in [Accuracy](../../accuracy.md).
"""

# By subject.
CHAPTERS = (
    "create", "random", "convert", "arithmetic", "exponential", "trigonometry", "rounding", "signs", "comparison", "reduction", "moments",
    "extremes", "scan", "ordering", "linalg", "contraction", "distance", "shape", "arranging", "joining", "indexing", "picking",
    "scattering", "inplace", "activation", "rectifier", "softmax", "normalization", "channels", "attention", "noise", "loss",
    "classification", "focal", "likelihood", "margin", "class_margin", "platform", "tensor",
)  # fmt: skip

SECTIONS = ("Shapes", "Backward", "Edge values", "Complexity", "Deviation", "Errors", "Source")
SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@", "eq": "==",
    "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip

# What activation functions are drawn with where a call needs more than x, and how far where the usual range would not do.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "prelu": {"weight": mg.tensor(0.25, dtype=mg.float64)},
    "threshold": {"threshold": 0.5, "value": -0.5},
}
RANGES = {"relu6": 8.0}
RANGE, STEPS = 4.0, 100  # STEPS points a unit: kinks at hundredths are points of the curve
JUMP = 0.1  # more than that from one point to the next is drawn as a gap

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


# ---- what there is


@dataclass(frozen=True)
class Entry:
    """An operation, or a public function made of operations."""

    name: str
    object: Any

    @property
    def function(self) -> Any:
        return self.object.formula if isinstance(self.object, mg.Op) else self.object

    @property
    def module(self) -> str:
        return str(self.function.__module__)

    @property
    def line(self) -> int:
        return inspect.getsourcelines(self.function)[1]

    @property
    def signature(self) -> str:
        plain = (
            getattr(F, self.name.rstrip("_"), self.object) if self.name in F.__all__ else self.object
        )  # relu_ takes what relu takes
        function = plain.formula if isinstance(plain, mg.Op) else plain
        return re.sub(r"<class 'numpy\.(\w+)'>", r"mg.\1", f"{self.name}{plain_signature(function)}")

    @cached_property
    def places(self) -> list[str]:
        """Under which public names it is found."""
        found = [f"mg.{name}" for name in ops.__all__ if getattr(mg, name) is self.object]
        found += [f"Tensor.{name}" for name, value in vars(mg.Tensor).items() if value is self.object]
        found += [f"nn.functional.{name}" for name in F.__all__ if getattr(F, name) is self.object]
        found += [f"linalg.{name}" for name in mg.linalg.__all__ if getattr(mg.linalg, name) is self.object]
        if self.object in methods.IN_PLACE:
            found.append(f"Tensor.{self.name}_")
        return found + [SYMBOLS[name] for name, value in methods.OPERATORS.items() if value is self.object]

    @cached_property
    def runs(self) -> list[str]:
        """The operations and public functions that the text of a function names."""
        return [] if isinstance(self.object, (mg.Op, type)) else named_in(self.object)


def plain_signature(function: Any) -> inspect.Signature:
    """The signature without annotations."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return inspect.Signature()
    empty = inspect.Parameter.empty
    plain = [p.replace(annotation=empty) for p in signature.parameters.values() if p.name != "self"]
    return inspect.Signature(plain)


def named_in(function: Any) -> list[str]:
    function = inspect.unwrap(function)
    names = {node.id for node in ast.walk(source_tree(function)) if isinstance(node, ast.Name)}
    named = [function.__globals__.get(name) for name in names]
    public = [value for value in named if inspect.isfunction(value) and value.__name__ in {*ops.__all__, *F.__all__}]
    return sorted({value.name for value in named if isinstance(value, mg.Op)} | {value.__name__ for value in public})


def source_tree(function: Any) -> ast.FunctionDef:
    return ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]  # type: ignore[return-value]


def entries() -> list[Entry]:
    """Every operation of the library and every public function, each once, by module and line."""
    public = [getattr(mg, name) for name in ops.__all__] + [getattr(F, name) for name in F.__all__]
    methods = [f for f in vars(mg.Tensor).values() if inspect.isfunction(f) and not f.__name__.startswith("_")]
    public += [f for f in methods if f.__module__.startswith("minigrad.ops.") and "<locals>" not in f.__qualname__]
    objects = [op for op in mg.Op.instances if op.formula.__module__.startswith("minigrad.ops.")]
    objects += [f for f in public if inspect.isfunction(f) or inspect.isclass(f)]
    found = [Entry(o.name if isinstance(o, mg.Op) else o.__name__, o) for o in dict.fromkeys(objects)]
    return sorted(found, key=lambda entry: (CHAPTERS.index(page_name(entry.module)), not entry.places, entry.line))


# ---- text


def pages() -> dict[str, str]:
    """The pages by name: one for each module of operations, and an index."""
    everything = entries()
    users: dict[str, list[str]] = {}
    for entry in everything:
        for name in entry.runs:
            users.setdefault(name, []).append(entry.name)
    chapters: dict[str, list[Entry]] = {}
    for entry in everything:
        chapters.setdefault(entry.module, []).append(entry)
    found = {page_name(module): chapter(module, known, users) for module, known in chapters.items()}
    return {"index": index(chapters), **found, "notation": notation()}


def page_name(module: str) -> str:
    return module.rpartition(".")[2]


def index(chapters: dict[str, list[Entry]]) -> str:
    """What leads to the chapters and to the sections of what is public."""
    rows = []
    for module, found in chapters.items():
        links = ", ".join(f"[{entry.name}](#{anchor(entry)})" for entry in found if entry.places)
        rows.append(f"| [{title(module)}]({page_name(module)}.md) | {links} |")
    rows.append(
        "| [The notation of rules](notation.md) | " + ", ".join(f"`mg.notation.{name}`" for name in mg.notation.NAMES) + " |"
    )
    names = "\n".join([*map(page_name, chapters), "notation"])
    return "\n".join([HEADER, "| page | operations |", "|---|---|", *rows, "", f"```{{toctree}}\n:hidden:\n\n{names}\n```", ""])


def anchor(entry: Entry) -> str:
    return f"operation-{page_name(entry.module)}-{entry.name}"


def chapter(module: str, found: list[Entry], users: dict[str, list[str]]) -> str:
    """The page of a module: what is public, and what that is made of."""
    sections = [section(entry, users.get(entry.name, []), entry.name in activations()) for entry in found]
    public = sum(bool(entry.places) for entry in found)
    helpers = ["## What they run\n\nOperations without a public name: those above are made of them.\n"] * (public < len(found))
    return "\n".join([f"# {title(module)}\n\n`{module.replace('.', '/')}.py`\n", *sections[:public], *helpers, *sections[public:]])


def notation() -> str:
    """The page of what rules are written in."""
    parts = ["# The notation of rules\n\n`minigrad/kernels/notation.py`, public as `mg.notation`\n"]
    parts.append("For numbers, arrays, Tensors and compiled loops, beside arithmetic and comparisons.\n")
    for name in mg.notation.NAMES:
        arguments = ", ".join("xyz"[: mg.notation.NAMES[name].arity])
        parts += [target(f"notation.{name}"), f"- `{name}({arguments})`: {prose(mg.notation.NAMES[name].__doc__ or '')}\n"]
    return "\n".join(parts)


def title(module: str) -> str:
    """What a chapter is called: the first words of its module's docstring."""
    return re.split(r"[:;.]\s", f"{sys.modules[module].__doc__} ".strip("\n"))[0].strip()


def section(entry: Entry, users: list[str], drawn: bool) -> str:
    """What is said of one operation."""
    about, named, example = parsed(inspect.getdoc(entry.object) or "")
    heading = f"({anchor(entry)})=\n{'##' if entry.places else '###'} {entry.name}\n"
    parts = [heading, *targets(entry), f"`{entry.signature}`\n", f"{about}\n"]
    if drawn:
        parts.append(f"![{entry.name} and its derivative]({entry.name}.png)\n")
    code = source(entry.object) if isinstance(entry.object, mg.Op) else ""
    if code:
        parts.append(f"```python\n{code}```\n")
    facts = {**named, **(facts_of(entry.object) if isinstance(entry.object, mg.Op) else {})}
    if "Backward" not in facts and not entry.name.endswith("_"):
        if entry.runs:
            facts["Backward"] = "by the operations that it runs"
        elif isinstance(entry.object, mg.Op) and not entry.object.rules:
            facts["Backward"] = "none: no gradient"
    if entry.places:
        facts["Names"] = ", ".join(f"`{place}`" for place in entry.places)
    if entry.runs or users:
        facts["Runs" if entry.runs else "Run by"] = ", ".join(f"`{name}`" for name in entry.runs or users)
    if facts:
        parts.append("\n".join(f"- *{name}*: {value}" for name, value in facts.items()) + "\n")
    if example:
        parts.append(f"```pycon\n{example}\n```\n")
    return "\n".join(parts)


def targets(entry: Entry) -> list[str]:
    """What links and the search find the section by: its public names, but for what has a section of its own (relu_)."""
    own = {f"Tensor.{entry.name}_"} if f"{entry.name}_" in F.__all__ else set()
    names = [place for place in entry.places if place[0].isalpha() and place not in own]
    return [target(name.removeprefix("mg.")) for name in names]


def target(name: str) -> str:
    return f"```{{py:function}} minigrad.{name}\n:no-typesetting:\n```\n"


def parsed(doc: str) -> tuple[str, dict[str, str], str]:
    """A docstring as what it says first, its named sections, and its example."""
    words, arrow, example = doc.partition(">>>")
    about, named = named_sections(words)
    ordered = {name: prose(named[name]) for name in SECTIONS if name in named}
    return prose(about), ordered, f"{arrow}{example}".strip()


def named_sections(words: str) -> tuple[str, dict[str, str]]:
    """What stands before the named sections of a docstring, and what stands in each."""
    about, *rest = re.split(rf"(?:^|(?<=\s))({'|'.join(SECTIONS)}): ", words)
    return about, dict(zip(rest[::2], rest[1::2], strict=True))


def prose(words: str) -> str:
    """Running text in one line a paragraph, with what Markdown would take for its own marked as text."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in words.strip().split("\n\n")]
    pieces = re.split(r"(`[^`]*`)", "\n\n".join(paragraphs))
    return "".join(piece if i % 2 else re.sub(r"([*<\[\]])", r"\\\1", piece) for i, piece in enumerate(pieces))


def facts_of(operation: mg.Op[Any]) -> dict[str, str]:
    """What the record of an operation says of it."""
    facts = {}
    values = [*operation.inputs, *operation.live, "y", "residual"]
    kept = {name for rule in operation.rules.values() for name in (*rule.needs, *rule.kernel_needs)}
    if operation.rules:
        facts["Keeps"] = ", ".join(f"`{name}`" for name in values if name in kept) or "nothing"
    kernels = ["forward"] * (operation._kernel is not None)
    kernels += [f"backward of `{name}`" for name, rule in operation.rules.items() if rule.kernel is not None]
    if kernels:
        facts["Kernel written by hand"] = ", ".join(kernels)
    return facts


def source(operation: mg.Op[Any]) -> str:
    """The formula of an operation, and the backward rules."""
    pieces = [f"def {operation.name}{plain_signature(operation.formula)}:\n{body_of(operation.formula)}"]
    for argument, rule in operation.rules.items():
        head = f'@{operation.name}.backward("{argument}")\ndef _{inspect.signature(rule.function)}:\n'
        pieces.append(head + body_of(rule.function))
    return "\n".join(pieces)


def body_of(function: Any) -> str:
    """The body as it stands in the source, without the docstring."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    statements = source_tree(function).body
    if isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant):
        del statements[0]
    start = statements[0].lineno - 1
    while lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return "".join(f"{line}\n" for line in lines[start:])


# ---- pictures


def curve(function: Callable[..., Any], name: str) -> Curve | None:
    """x, f(x) and f′(x), by the library; None for what is no function of one element."""
    reach = RANGES.get(name, RANGE)
    points = np.arange(-reach * STEPS, reach * STEPS + 1) / STEPS
    settings = ARGUMENTS.get(name, {})
    x = mg.tensor(points, requires_grad=True)
    try:
        y = function(x, **settings)
        alone = [function(x[i : i + 1], **settings) for i in range(0, points.size, STEPS // 2)]
    except (MinigradError, TypeError):
        if settings:
            raise
        return None
    if y is x or not isinstance(y, mg.Tensor) or y.shape != x.shape:  # x itself: dropout outside training
        return None
    if not np.allclose(mg.cat(alone).detach(), y.detach()[:: STEPS // 2]):
        return None
    return points, y.detach().numpy(), mg.grad(y.sum(), x)[0].numpy()  # type: ignore[union-attr]


@cache
def activations() -> dict[str, Curve]:
    """The functions of `nn.functional` that map one element to one element, with their curves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some that are none ask for a dim
        curves = {name: curve(getattr(F, name), name) for name in F.__all__ if getattr(F, name).__name__ == name}
    return {name: found for name, found in curves.items() if found is not None}


def draw(name: str, found: Curve, folder: Path) -> None:
    """One picture: the function, its derivative, and what the derivative is at its jumps."""
    from matplotlib.figure import Figure

    points, values, slopes = found
    figure = Figure(figsize=(4.4, 2.75), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="0.75", linewidth=0.8)
    axes.axvline(0, color="0.75", linewidth=0.8)
    for y, colour, label in ((values, "#1f5fa8", name), (slopes, "#d9730d", "derivative")):
        jumps = np.flatnonzero(np.abs(np.diff(y)) > JUMP)
        gaps = np.insert(points, jumps + 1, np.nan), np.insert(y, jumps + 1, np.nan)
        axes.plot(*gaps, color=colour, linewidth=1.8, linestyle="-" if y is values else (0, (5, 1.5)), label=label)
        ends = [i for k in jumps for i in (k, k + 1) if abs(points[i] * 10 - round(points[i] * 10)) < 1e-9]  # kinks are at tenths
        axes.plot(points[ends], y[ends], "o", color=colour, markersize=4)
    axes.set_xlim(points[0], points[-1])
    axes.margins(y=0.06)
    axes.locator_params(nbins=6)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    figure.savefig(folder / f"{name}.png", dpi=120, metadata={"Software": None})


def write() -> None:
    """Write the pages and the pictures. Errors: MissingExtraError without matplotlib."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (FOLDER / f"{name}.md").write_text(page, encoding="utf-8")
    try:
        for name, found in activations().items():
            draw(name, found, FOLDER)
    except ImportError:
        raise MissingExtraError("op_reference: needs matplotlib; pip install '.[plots]'") from None

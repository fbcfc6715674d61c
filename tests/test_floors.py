"""The floors of the package: a file imports only from lower floors or from its own room; and what an import brings in."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "minigrad"

FLOORS = {
    "errors": 0,
    "kernels": 1, "display": 1,
    "core": 2,
    "ops": 3,
    "autograd": 4, "testing": 4, "nn": 4, "linalg": 4,
    "optim": 5, "data": 5,
    "compiler": 6, "evaluate": 6, "io": 6,
    "train": 7,
    "inspect": 8,
    "learn": 9,
    "__init__": 10,
}  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"), key=str)

# Beside the standard library; anything else is imported inside the function that needs it.
EVERYWHERE = {"numpy"}
COMPILERS = {"numba", "llvmlite"}


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[str, int]]:
    """The absolute names of what a module imports, with line numbers; `from a import b` counts as a.b."""
    inside = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = inside.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def room_of(name: str) -> str:
    """The room of minigrad that an absolute name stands in."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "__init__"


def offences(source: str, module: str, is_package: bool = False) -> list[str]:
    """The imports of a module that its floor does not allow."""
    room = room_of(module)
    found = []
    for name, line in imported(ast.parse(source), module, is_package):
        if name.split(".")[0] != "minigrad":
            continue
        other = room_of(name)
        if other != room and FLOORS[other] >= FLOORS[room]:
            found.append(f"{module}:{line} (floor {FLOORS[room]}, {room}) imports {name} (floor {FLOORS[other]}, {other})")
    return found


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_room_has_a_floor() -> None:
    rooms = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in FILES}
    assert {"errors", "kernels", "core", "ops", "__init__"} <= rooms
    assert rooms <= FLOORS.keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_come_from_lower_floors(file: Path) -> None:
    assert [] == offences(file.read_text(encoding="utf-8"), module_name(file), file.name == "__init__.py")


@pytest.mark.parametrize(
    ("module", "source", "allowed"),
    [
        ("minigrad.core.engine", "from .tensor import Tensor", True),
        ("minigrad.core.engine", "from ..kernels import lift", True),
        ("minigrad.core.engine", "from ..ops import add", False),
        ("minigrad.core.engine", "from .. import ops", False),
        ("minigrad.core.engine", "def f():\n    import minigrad.nn", False),
        ("minigrad.core.engine", "import minigrad", False),
        ("minigrad.core.engine", "if TYPE_CHECKING:\n    from ..nn.module import Module", False),
        ("minigrad.kernels.lift", "from minigrad.core import Tensor", False),
        ("minigrad.kernels.lift", "from ..errors import RuleError", True),
        ("minigrad.nn.layers", "from ..ops.create import zeros", True),
        ("minigrad.nn.layers", "from ..optim import SGD", False),
        ("minigrad.optim.adam", "from ..data import DataLoader", False),
        ("minigrad.optim.swa_utils", "from ..nn import Module", True),
        ("minigrad.train", "from .nn import Module", True),
        ("minigrad.evaluate", "from .compiler import compile", False),
        ("minigrad.nn.layers", "import numpy, collections.abc", True),
    ],
)
def test_the_check_itself(module: str, source: str, allowed: bool) -> None:
    assert allowed == (offences(source, module) == [])


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert [("minigrad.nn.layers.Linear", 1)] == list(imported(ast.parse("from .layers import Linear"), "minigrad.nn", True))
    assert [("minigrad.ops.add", 1)] == list(imported(ast.parse("from ..ops import add"), "minigrad.nn", True))
    assert [] == offences("from .layers import Linear\nfrom ..ops import add", "minigrad.nn", True)
    assert [] != offences("from ..optim import Adam", "minigrad.nn", True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_only_numpy_is_imported_at_the_top_of_a_module(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]:
        function.body = [ast.Pass()]
    tops = {name.split(".")[0] for name, _ in imported(tree, module_name(file), file.name == "__init__.py")}
    allowed = {"minigrad", *EVERYWHERE, *sys.stdlib_module_names}
    if file.relative_to(PACKAGE).parts[0] == "kernels":
        allowed |= COMPILERS
    assert set() == tops - allowed


# ---- what an import brings in

REFUSE = """
    import importlib.abc, sys

    class Refuse(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in ALLOWED:
                raise ModuleNotFoundError(f"No module named {top!r} (refused)", name=name)

    sys.meta_path.insert(0, Refuse())
"""

TRAIN = """
    import minigrad as mg
    from minigrad import nn
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = mg.optim.AdamW(model.parameters(), lr=0.01)
    x, t = mg.randn(16, 4), mg.randint(0, 3, (16,))
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], losses
"""


def run(*parts: str, allowed: set[str] | None = None, **environment: str) -> str:
    """The output of a fresh interpreter, in which only the libraries `allowed` can be imported."""
    script = "".join(textwrap.dedent(part) for part in parts)
    if allowed is not None:
        script = f"ALLOWED = {sorted({'minigrad', *allowed})}\n{textwrap.dedent(REFUSE)}{script}"
    search = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": search, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numpy_and_numba_are_enough() -> None:
    run(TRAIN, "import sys; assert 'numba' in sys.modules", allowed={"numpy", "numba", "llvmlite"}, MINIGRAD_KERNELS="numba")


def test_numpy_alone_is_enough_without_kernels() -> None:
    run(TRAIN, allowed={"numpy"}, MINIGRAD_KERNELS="numpy")


def test_the_refusal_itself() -> None:
    script = """
        import numpy
        for name in ("sklearn", "matplotlib", "tqdm", "scipy", "torch", "numba"):
            try:
                __import__(name)
            except ImportError as error:
                print(name, "refused" in str(error))
    """
    expected = "".join(f"{name} True\n" for name in ("sklearn", "matplotlib", "tqdm", "scipy", "torch", "numba"))
    assert expected == run(script, allowed={"numpy"})


def test_import_is_lazy() -> None:
    """The compiler and all optional libraries are loaded when they are needed, not by `import minigrad`."""
    loaded = run("import sys, minigrad; print(*sorted({name.partition('.')[0] for name in sys.modules}))").split()
    assert "numpy" in loaded
    assert set() == {"numba", "llvmlite", "scipy", "sklearn", "matplotlib", "tqdm", "torch", "pandas", "IPython"} & set(loaded)


def test_import_writes_nothing(tmp_path: Path) -> None:
    run("import minigrad", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    assert [] == list(tmp_path.iterdir())

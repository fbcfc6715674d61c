"""Every operation, driven from the table in `cases`: values, gradients, dtypes, layouts, special values and errors.

Run as a script, `python tests/test_ops.py FILE`, it writes the results of all samples to FILE: so one process with Numba and one without
are held to each other.
"""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES
from op_cases import Array, Edge, OpCase, Refused, Sample, Typed, call, cotangent, edge_arguments, outputs, tensors, tracked

import minigrad as mg
from minigrad.core import Elementwise
from minigrad.core.op import Op
from minigrad.errors import MinigradError

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = [operation for operation in Op.instances if operation.formula.__module__.startswith("minigrad.ops.")]
DTYPES = ("float32", "float64")

# Made from data, shapes or random numbers alone: no operation is recorded.
CREATION = {
    "Generator", "arange", "as_tensor", "bernoulli", "default_generator", "empty", "eye", "from_dlpack", "from_numpy", "full",
    "full_like", "linspace", "manual_seed", "ones", "ones_like", "rand", "randint", "randn", "randperm", "tensor", "zeros", "zeros_like",
    "empty_like", "is_tensor", "logspace", "rand_like", "randint_like", "randn_like", "tril_indices", "triu_indices", "normal", "multinomial",
    "backends", "finfo", "get_default_device", "iinfo", "set_default_device", "is_floating_point",
}  # fmt: skip


def rows(kind: str) -> list[Any]:
    """The cases with one of their samples, edges, … each."""
    return [pytest.param(case, row, id=f"{case.name}-{number}") for case in CASES for number, row in enumerate(getattr(case, kind))]


def run(case: OpCase, inputs: list[Any], settings: dict[str, Any]) -> list[mg.Tensor]:
    return outputs(case.function(*inputs, **settings))


def gradients(results: list[mg.Tensor], inputs: list[Any], seeds: list[Array] | None = None) -> list[Array]:
    """The gradients of the differentiable outputs, weighted, at the inputs that require them."""
    roots = [y for y in results if y.requires_grad]
    weights = [cotangent(y) for y in roots] if seeds is None else seeds
    found = mg.grad(roots, tracked(inputs), [mg.from_numpy(w) for w in weights], allow_unused=True)
    return [np.zeros(x.shape, x.dtype) if g is None else g.numpy() for g, x in zip(found, tracked(inputs), strict=True)]


# ---- the table is complete


def test_every_operation_has_a_case_and_every_case_an_operation() -> None:
    covered = {operation for case in CASES for operation in case.covers}
    assert set() == {operation.name for operation in LIBRARY if operation not in covered}
    assert set() == {operation.name for operation in covered if operation not in LIBRARY}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_samples_run_what_the_case_covers(case: OpCase) -> None:
    for operation in case.covers:
        operation.plans.clear()
    for sample in case.samples:
        run(case, tensors(sample.arguments(), case.fixed), sample.settings)
    assert [] == [operation.name for operation in case.covers if not operation.plans]


def test_every_public_function_has_a_case() -> None:
    named = {case.name.split("[")[0].removeprefix("Tensor.") for case in CASES} | {operation.name for operation in LIBRARY}
    public = {name for name in mg.ops.__all__ if callable(getattr(mg, name)) and not isinstance(getattr(mg, name), np.dtype)}
    functions = [case.function for case in CASES]  # an alias is the function itself
    assert set() == {name for name in public - CREATION - named if getattr(mg, name) not in functions}
    assert public >= CREATION - {"default_generator"}
    assert set() == {name for name in mg.nn.functional.__all__ if name not in named}


def test_every_writing_method_has_a_case() -> None:
    writing = {name for name in dir(mg.Tensor) if name.endswith("_") and not name.startswith("_")}
    assert set() == {f"Tensor.{name}" for name in writing - {"requires_grad_", "uniform_", "normal_", "bernoulli_"}} - {
        case.name for case in CASES
    }


def test_methods_are_the_public_functions() -> None:
    """One object and one docstring: mg.sigmoid, Tensor.sigmoid, nn.functional.sigmoid."""
    methods = {name: getattr(mg, name) for name in mg.ops.__all__ if name in vars(mg.Tensor) and name != "where"}
    assert {"add", "sigmoid", "softmax", "sum", "max", "reshape", "matmul", "clamp", "t"} <= methods.keys()
    assert [] == [name for name, function in methods.items() if vars(mg.Tensor)[name] is not function]
    shared = set(mg.nn.functional.__all__) & set(mg.ops.__all__)
    assert [] == [name for name in shared if getattr(mg.nn.functional, name) is not getattr(mg, name)]
    assert [] == [operation.name for operation in LIBRARY if not operation.__doc__]


def test_case_names_are_unique() -> None:
    assert len(CASES) == len({case.name for case in CASES})


# ---- values

IN_EACH_DTYPE = [
    pytest.param(*row.values, dtype, id=f"{row.id}-{dtype}") for row in rows("samples") for dtype in row.values[0].dtypes
]


def close(case: OpCase, expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> None:
    """Equal to 1e-12 (float64) or 1e-6 (float32); where terms are summed, of the largest value."""
    assert actual.shape == expected.shape
    if actual.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    tolerance = 1e-6 if actual.dtype == np.float32 else 1e-12
    largest = np.abs(expected).max(initial=0, where=np.isfinite(expected))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * largest if case.close else 0)


@pytest.mark.parametrize(("case", "sample", "dtype"), IN_EACH_DTYPE)
def test_values_match_the_reference(case: OpCase, sample: Sample, dtype: str) -> None:
    with np.errstate(all="ignore"):
        expected = case.reference(*sample.arguments(), **sample.settings)
    expected = expected if isinstance(expected, tuple) else (expected,)
    results = run(case, tensors(sample.arguments(dtype), case.fixed), sample.settings)
    assert len(expected) == len(results)
    for reference, y in zip(expected, results, strict=True):
        close(case, np.asarray(reference), y.detach().numpy())


@pytest.mark.parametrize(("case", "typed"), rows("typed"))
def test_dtypes(case: OpCase, typed: Typed) -> None:
    y = run(case, tensors(typed.arguments, requires_grad=False), typed.settings)[0]
    assert typed.dtype == y.dtype.name
    values = [x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in typed.arguments]
    settings = {name: value for name, value in typed.settings.items() if name != "dtype"}
    with np.errstate(all="ignore"):
        expected = case.reference(*values, **settings)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_allclose(y.numpy(), np.asarray(expected).astype(y.dtype), rtol=1e-6)


@pytest.mark.parametrize(("case", "edge"), rows("edges"))
def test_special_values(case: OpCase, edge: Edge) -> None:
    for dtype in edge.dtypes:
        inputs = tensors(edge_arguments(edge, dtype), case.fixed)
        with np.errstate(all="ignore"):  # np.dot warns of NaN
            results = run(case, inputs, edge.settings)
        tolerance = 2e-6 if dtype == "float32" else 1e-12
        for expected, y in zip(edge.value if isinstance(edge.value, tuple) else (edge.value,), results, strict=True):
            assert np.shape(expected) == y.shape
            np.testing.assert_allclose(y.detach().numpy(), expected, rtol=tolerance, atol=1e-37)
        for position, expected in enumerate(edge.grads):
            if expected is None:
                continue
            y = results[0]
            g = mg.grad(y, inputs[position], mg.from_numpy(np.full(y.shape, 2, y.dtype)), retain_graph=True)[0]
            assert g is not None
            np.testing.assert_allclose(g.numpy() / 2, np.asarray(expected, np.float64), rtol=tolerance, atol=1e-37)


def of_a_tensor(case: OpCase) -> bool:
    """Whether the case is a public function, as it stands, whose first argument is one Tensor."""
    function = inspect.unwrap(case.function)
    plain = isinstance(function, mg.Op) or (function.__module__.startswith("minigrad.") and "<lambda>" not in function.__qualname__)
    return plain and isinstance(case.samples[0].arguments()[0], np.ndarray)


@pytest.mark.parametrize("case", [case for case in CASES if of_a_tensor(case)], ids=repr)
def test_what_is_no_tensor_is_refused_by_name(case: OpCase) -> None:
    _, *others = tensors(case.samples[0].arguments(), case.fixed)
    with pytest.raises(MinigradError, match=r"^[\w.]+: .*(must be|expected)"):
        case.function("a", *others, **case.samples[0].settings)


@pytest.mark.parametrize(("case", "refused"), rows("refused"))
def test_errors(case: OpCase, refused: Refused) -> None:
    classes = refused.error if isinstance(refused.error, tuple) else (refused.error,)
    with pytest.raises(classes[0], match=refused.match) as caught:
        refused.call()
    assert all(isinstance(caught.value, error) for error in classes)
    if "unsupported operand" not in refused.match and "not supported between" not in refused.match:
        assert isinstance(caught.value, MinigradError)


@pytest.mark.parametrize(
    "operation", [op for op in LIBRARY if isinstance(op, Elementwise) and not op.reduces], ids=lambda op: op.name
)
def test_formulas_read_python_floats(operation: Elementwise[Any]) -> None:
    """The first reader: plain numbers in, a plain number out, and the same as by Tensors."""
    numbers = [
        True if name in operation.text.conditions else value
        for name, value in zip(operation.inputs, (0.75, 0.5, 1.25), strict=False)
    ]
    needed = {
        "pow_scalar": {"exponent": 2.5},
        "keep_above": {"p": 0.25},
        "threshold": {"threshold": 0.5, "value": 0.25},
        "scale_negative_between": {"lower": 0.25, "upper": 0.75},
        "round_scaled": {"up": 10.0, "down": 1.0},
    }
    settings = needed.get(operation.name, {})
    value = operation.formula(*numbers, **settings)
    assert isinstance(value, (float, int))
    y = operation(*(mg.tensor(x, dtype=None if isinstance(x, bool) else mg.float64) for x in numbers), **settings)
    np.testing.assert_allclose(y.item(), value, rtol=1e-15 * 8)


# ---- gradients

DIFFERENTIABLE = [
    row for row in rows("samples") if row.values[0].order > 0 and tracked(tensors(row.values[1].arguments(), row.values[0].fixed))
]


@pytest.mark.parametrize(("case", "sample"), DIFFERENTIABLE)
def test_gradients_match_differences(case: OpCase, sample: Sample) -> None:
    inputs = tensors(sample.arguments(), case.fixed)
    for mode in case.modes:  # the whole Jacobian, row by row; then random directions and a random cotangent
        mg.gradcheck(call(case, sample), inputs, eps=case.eps, mode=mode)


@pytest.mark.parametrize(("case", "sample"), [row for row in DIFFERENTIABLE if row.values[0].order > 1])
def test_second_gradients_match_differences(case: OpCase, sample: Sample) -> None:
    mg.gradgradcheck(call(case, sample), tensors(sample.arguments(), case.fixed), eps=case.eps)


@pytest.mark.parametrize(("case", "sample"), [row for row in DIFFERENTIABLE if len(row.values[0].dtypes) == 2])
def test_float32_gradients_match_float64(case: OpCase, sample: Sample) -> None:
    found = {}
    for dtype in DTYPES:
        inputs = tensors(sample.arguments(dtype), case.fixed)
        found[dtype] = gradients(run(case, inputs, sample.settings), inputs) if tracked(inputs) else []
    for single, double in zip(found["float32"], found["float64"], strict=True):
        assert (single.dtype, double.dtype) == (np.float32, np.float64)
        largest = np.abs(double).max(initial=0)
        np.testing.assert_allclose(single, double, rtol=2e-6, atol=1e-6 * largest)


MIXED = [
    row
    for row in rows("typed")
    if row.values[0].order > 0 and any(isinstance(x, Array) and x.dtype.kind == "f" for x in row.values[1].arguments)
]


@pytest.mark.parametrize(("case", "typed"), MIXED)
def test_gradients_keep_the_dtype_of_their_input(case: OpCase, typed: Typed) -> None:
    """Whatever the other operands are: the gradient is that of the same numbers in float64, rounded."""
    found = []
    for widen in (False, True):
        arguments = [x.astype(np.float64) if widen and isinstance(x, Array) and x.dtype.kind == "f" else x for x in typed.arguments]
        settings = {name: np.float64 if widen and name == "dtype" else value for name, value in typed.settings.items()}
        inputs = tensors(arguments, case.fixed)
        results = run(case, inputs, settings)
        if not results[0].requires_grad:
            return
        found.append(gradients(results[:1], inputs))
    floats = [x.dtype for x in typed.arguments if isinstance(x, Array) and x.dtype.kind == "f"]
    assert floats[: len(found[0])] == [g.dtype for g in found[0]]
    for narrow, wide in zip(*found, strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=2e-6, atol=1e-6 * np.abs(wide).max(initial=0))


@pytest.mark.parametrize("case", [case for case in CASES if case.order == 0], ids=str)
def test_no_gradient_where_there_is_none(case: OpCase) -> None:
    for sample in case.samples:
        arguments = sample.arguments()
        floats = [
            x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "i" and case.name in mg.ops.__all__ else x
            for x in arguments
        ]
        for y in run(case, tensors(floats), sample.settings):
            assert not y.requires_grad
            assert y.is_leaf


# ---- layouts


def layouts(x: np.ndarray[Any, Any]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """The same values in memory that is not a plain block: transposed, every other element, backwards, read-only."""
    yield "transposed", np.ascontiguousarray(x.T).T
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    every_other = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    every_other[...] = x
    yield "strided", every_other
    backwards = tuple(slice(None, None, -1) for _ in x.shape)
    yield "backwards", x[backwards].copy()[backwards]
    fixed = x.copy()
    fixed.flags.writeable = False
    yield "read-only", fixed


def relaid(arguments: list[Any], number: int) -> list[Any]:
    """Every array in the layout of that number."""
    return [list(layouts(x))[number][1] if isinstance(x, np.ndarray) and x.ndim else x for x in arguments]


@pytest.mark.parametrize("number", range(4), ids=["transposed", "strided", "backwards", "read-only"])
@pytest.mark.parametrize("case", [case for case in CASES if case.name != "view"], ids=str)  # a view asks for the layout
def test_layouts_make_no_difference_and_inputs_stay_as_they_are(case: OpCase, number: int) -> None:
    for sample in case.samples:
        plain = tensors(sample.arguments(), case.fixed)
        arguments = relaid(sample.arguments(), number)
        before = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        inputs = tensors(arguments, case.fixed)
        expected, results = run(case, plain, sample.settings), run(case, inputs, sample.settings)
        for y, z in zip(expected, results, strict=True):
            np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-14, atol=1e-14 if case.close else 0)
        if tracked(inputs):
            seeds = [relaid([cotangent(y)], number)[0] for y in results if y.requires_grad]
            untouched = [seed.copy() for seed in seeds]
            actual = gradients(results, inputs, seeds)
            for g, h in zip(gradients(expected, plain), actual, strict=True):
                np.testing.assert_allclose(h, g, rtol=1e-13, atol=1e-14)
            for seed, copy in zip(seeds, untouched, strict=True):
                np.testing.assert_array_equal(seed, copy)
        for x, copy in zip(arguments, before, strict=True):
            if isinstance(x, np.ndarray):
                np.testing.assert_array_equal(x, copy)


# ---- kernels


Results = dict[tuple[str, str, str], list[Array]]


def all_results() -> Results:
    """Outputs and gradients of every sample and edge, in both dtypes."""
    found = {}
    for case in CASES:
        calls = {
            (f"sample {i}", dtype): (s.arguments(dtype), s.settings) for i, s in enumerate(case.samples) for dtype in case.dtypes
        }
        calls |= {
            (f"edge {i}", dtype): (edge_arguments(e, dtype), e.settings) for i, e in enumerate(case.edges) for dtype in e.dtypes
        }
        for (row, dtype), (arguments, settings) in calls.items():
            inputs = tensors(arguments, case.fixed)
            with np.errstate(all="ignore"):
                results = run(case, inputs, settings)
                arrays = [y.detach().numpy() for y in results]
                if any(y.requires_grad for y in results):
                    arrays += gradients(results, inputs)
            found[case.name, row, dtype] = [np.array(a) for a in arrays]
    return found


@pytest.fixture(scope="session")
def without_numba(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of one process that has no kernels."""
    file = tmp_path_factory.mktemp("results") / "numpy.pkl"
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "MINIGRAD_KERNELS": "numpy", "PYTHONPATH": paths}
    subprocess.run([sys.executable, __file__, str(file)], check=True, env=environment, timeout=300)
    results: Results = pickle.loads(file.read_bytes())
    return results


def test_kernels_equal_formulas(without_numba: Results) -> None:
    """Within a few units in the last place: forward as it is, gradients and sums relative to their largest value."""
    by_name = {case.name: case for case in CASES}
    compiled = all_results()
    assert compiled.keys() == without_numba.keys()
    wrong = []
    for key, arrays in compiled.items():
        for place, (kernel, formula) in enumerate(zip(arrays, without_numba[key], strict=True)):
            assert (kernel.shape, kernel.dtype) == (formula.shape, formula.dtype), key
            unit = np.finfo(kernel.dtype).eps if kernel.dtype.kind == "f" else 0
            sums = kernel.dtype.kind == "f" and (place > 0 or by_name[key[0]].close)
            largest = np.abs(formula).max(initial=0, where=np.isfinite(formula)) if sums else 0
            if not np.allclose(kernel, formula, rtol=8 * unit, atol=8 * unit * largest, equal_nan=True):
                wrong.append((*key, place, kernel.tolist(), formula.tolist()))
    assert wrong == []


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps(all_results()))

"""Inference, one row and 1,000 rows: compiled and eager against torch's inference mode and ONNX Runtime, one thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.contenders import Eager
from benchmarks.runner import Results
from benchmarks.table import Table, duration, number
from benchmarks.timing import measure
from benchmarks.workloads import NETS, dense

NAMES = {"digits": NETS["digits-32"].sizes, "mnist": NETS["mnist"].sizes}
ROWS = (1, 1000)
BATCHES = 8
HEADS = {"minigrad": "compiled", "minigrad eager": "eager", "torch": "torch", "onnxruntime": "ONNX Runtime"}
JOBS = tuple((contender, net) for net in NAMES for contender in HEADS)
ROUNDS, TIMED = 5, True
SECONDS, QUICK_SECONDS = 0.5, 0.1
OPSET, IR_VERSION = 17, 8  # known to every ONNX Runtime of recent years
TOLERANCE = 1e-4

Predict = Callable[[Any], Any]


def environment(contender: str) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def weights(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """A weight (out, in) and a bias for each layer, the same for all contenders."""
    random = np.random.default_rng(1)
    made = []
    for inputs, outputs in pairwise(sizes):
        made += [random.uniform(-1, 1, shape) / np.sqrt(inputs) for shape in ((outputs, inputs), (outputs,))]
    return [array.astype(np.float32) for array in made]


def expected(sizes: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    arrays = weights(sizes)
    for weight, bias in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        x = np.maximum(x @ weight.T + bias, 0)
    return x @ arrays[-2].T + arrays[-1]


def module(library: Eager, sizes: tuple[int, ...]) -> Any:
    model = dense(library, sizes)
    names = list(model.state_dict())
    model.load_state_dict(dict(zip(names, map(library.tensor, weights(sizes)), strict=True)))
    return model.eval()


def onnx_model(sizes: tuple[int, ...]) -> bytes:
    """Gemm and Relu nodes, layer by layer; the number of rows is left open."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, initializers, last = [], [], len(sizes) - 2
    arrays = weights(sizes)
    for k, (weight, bias) in enumerate(zip(arrays[::2], arrays[1::2], strict=True)):
        initializers += [numpy_helper.from_array(weight, f"weight{k}"), numpy_helper.from_array(bias, f"bias{k}")]
        x = f"h{k - 1}" if k else "x"
        nodes.append(helper.make_node("Gemm", [x, f"weight{k}", f"bias{k}"], ["logits" if k == last else f"z{k}"], transB=1))
        if k < last:
            nodes.append(helper.make_node("Relu", [f"z{k}"], [f"h{k}"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n]) for name, n in (("x", sizes[0]), ("logits", sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def onnx_session(sizes: tuple[int, ...]) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_model(sizes), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def forward(contender: str, sizes: tuple[int, ...]) -> tuple[Predict, Predict, Callable[[], AbstractContextManager[Any]]]:
    """The call, what makes its input of an array, and the mode that it runs in."""
    if contender == "onnxruntime":
        return onnx_session(sizes), lambda x: x, nullcontext
    library = Eager(contender.split()[0])
    library.use_one_thread()
    model = module(library, sizes)
    mode = library.root.inference_mode if contender == "torch" else library.root.no_grad
    return library.root.compile(model) if contender == "minigrad" else model, library.tensor, mode


def work(contender: str, group: str, quick: bool) -> Iterator[tuple[str, float]]:
    sizes = NAMES[group]
    predict, tensor, mode = forward(contender, sizes)
    random = np.random.default_rng(0)
    for rows in ROWS:
        arrays = [random.standard_normal((rows, sizes[0]), dtype=np.float32) for _ in range(BATCHES)]
        inputs = list(map(tensor, arrays))
        turn = 0

        def call(inputs: list[Any] = inputs) -> None:
            nonlocal turn
            turn = (turn + 1) % BATCHES
            predict(inputs[turn])

        with mode():
            yield case(group, rows), measure(call, QUICK_SECONDS if quick else SECONDS)
            off = np.abs(np.asarray(predict(inputs[0])) - expected(sizes, arrays[0])).max()
        if not off < TOLERANCE:
            raise SystemExit(f"inference, {case(group, rows)}: {contender} is off by {off}")


def case(net: str, rows: int) -> str:
    return f"{net}, {rows:,} row{'s' * (rows > 1)}"


def tables(results: Results) -> list[Table]:
    table = Table(
        "Inference",
        ("net, rows", *HEADS.values(), *(f"{HEADS[peer]} / compiled" for peer in HEADS if peer != "minigrad")),
        "Logits of "
        + " and ".join(f"{'-'.join(map(str, sizes))} ({name})" for name, sizes in NAMES.items())
        + ", float32, one thread each, another batch each call, the same weights everywhere (the results are compared). minigrad runs under "
        "`no_grad`, torch eagerly in `inference_mode`; ONNX Runtime runs Gemm and Relu nodes from and to NumPy arrays.",
    )
    for net in NAMES:
        for rows in ROWS:
            name = case(net, rows)
            table.add(
                name,
                *(results.cell(contender, name, duration) for contender in HEADS),
                *(number(results.ratio(peer, name)) for peer in HEADS if peer != "minigrad"),
            )
    return [table]

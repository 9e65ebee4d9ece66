"""Small ONNX models in the style of Triton's examples, written into a model repository."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dim = int | str | None
BATCHING = "max_batch_size: 8\ndynamic_batching {}\n"


def put(root: Path, name: str, model: onnx.ModelProto | bytes, config: str | None = None, version: int = 1) -> Path:
    """Write `<root>/<name>/<version>/model.onnx`; the model's folder."""
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    data = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    if config is not None:
        (folder.parent / "config.pbtxt").write_text(config)
    return folder.parent


def identity(kind: int = TensorProto.FLOAT, dims: Sequence[Dim] = ("N", 4)) -> onnx.ModelProto:
    """y = x."""
    return _model([helper.make_node("Identity", ["x"], ["y"])], [("x", kind, dims)], [("y", kind, dims)])


def add_sub(kind: int = TensorProto.INT32, dims: Sequence[Dim] = ("N", 4)) -> onnx.ModelProto:
    """Triton's `simple`: OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1."""
    nodes = [
        helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
        helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
    ]
    return _model(
        nodes,
        [("INPUT0", kind, dims), ("INPUT1", kind, dims)],
        [("OUTPUT0", kind, dims), ("OUTPUT1", kind, dims)],
    )


def classifier(features: int = 4, classes: int = 3, seed: int = 0) -> onnx.ModelProto:
    """A linear classifier with softmax: x -> probabilities."""
    random = np.random.default_rng(seed)
    weights = numpy_helper.from_array(random.standard_normal((features, classes)).astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    return _model(
        nodes,
        [("x", TensorProto.FLOAT, ("N", features))],
        [("probabilities", TensorProto.FLOAT, ("N", classes))],
        [weights],
    )


def constant(value: float, dims: Sequence[Dim] = ("N", 1)) -> onnx.ModelProto:
    """y = x * 0 + value: tells which version answered."""
    nodes = [helper.make_node("Mul", ["x", "zero"], ["z"]), helper.make_node("Add", ["z", "value"], ["y"])]
    return _model(
        nodes,
        [("x", TensorProto.FLOAT, dims)],
        [("y", TensorProto.FLOAT, dims)],
        [
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(value, np.float32), "value"),
        ],
    )


def picky(limit: int = 10) -> onnx.ModelProto:
    """y = table[x]: an index over `limit` makes the run fail, as a poison request does."""
    table = numpy_helper.from_array(np.arange(limit, dtype=np.float32), "table")
    return _model(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        [("x", TensorProto.INT64, ("N", 1))],
        [("y", TensorProto.FLOAT, ("N", 1))],
        [table],
    )


def slow(loops: int = 40, size: int = 256) -> onnx.ModelProto:
    """y = x, after some tens of milliseconds of matrix products."""
    random = np.random.default_rng(0)
    nodes: list[Any] = [helper.make_node("MatMul", ["w", "w"], ["m0"])]
    for index in range(loops):
        nodes.append(helper.make_node("MatMul", [f"m{index}", "w"], [f"p{index}"]))
        nodes.append(helper.make_node("Tanh", [f"p{index}"], [f"m{index + 1}"]))
    nodes += [
        # The products depend on the input, or they would be folded into a constant.
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Mul", ["s", "tiny"], ["t"]),
        helper.make_node("Add", [f"m{loops}", "t"], ["u"]),
        helper.make_node("ReduceMax", ["u"], ["v"], keepdims=0),
        helper.make_node("Mul", ["v", "zero"], ["n"]),
        helper.make_node("Add", ["x", "n"], ["y"]),
    ]
    weights = (random.standard_normal((size, size)) / size).astype(np.float32)
    nodes[0] = helper.make_node("Add", ["w", "t"], ["m0"])
    order = [nodes[-6], nodes[-5], nodes[0], *nodes[1:-6], *nodes[-4:]]
    return _model(
        order,
        [("x", TensorProto.FLOAT, ("N", 1))],
        [("y", TensorProto.FLOAT, ("N", 1))],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(1e-30, np.float32), "tiny"),
        ],
    )


def counting() -> onnx.ModelProto:
    """y = x, after counting to x: as long as a client likes, and no time at all for zeros, as the warm-up sends."""
    cond, index = (helper.make_tensor_value_info(name, kind, ()) for name, kind in (("c", TensorProto.BOOL), ("i", 7)))
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["go_on"]), helper.make_node("Add", ["n", "one"], ["m"])],
        "body",
        [index, cond, helper.make_tensor_value_info("n", TensorProto.FLOAT, ())],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, ()), helper.make_tensor_value_info("m", 1, ())],
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["times"], to=TensorProto.INT64),
        helper.make_node("Loop", ["times", "", "zero"], ["counted"], body=body),
        helper.make_node("Mul", ["counted", "zero"], ["z"]),
        helper.make_node("Add", ["x", "z"], ["y"]),
    ]
    return _model(
        nodes,
        [("x", TensorProto.FLOAT, ("N", "M"))],  # two dynamic axes: it runs in a thread, however quick the warm-up was
        [("y", TensorProto.FLOAT, ("N", "M"))],
        [
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(1, np.float32), "one"),
        ],
    )


def _model(
    nodes: list[Any],
    inputs: list[tuple[str, int, Sequence[Dim]]],
    outputs: list[tuple[str, int, Sequence[Dim]]],
    constants: list[Any] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*tensor) for tensor in inputs],
        [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        constants or [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model

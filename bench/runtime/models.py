"""The models of the benchmark: a tiny MLP (overhead), a middle one (batching), a net of some 10 ms an item."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPES: dict[str, tuple[int, ...]] = {"tiny": (4,), "middle": (256,), "conv": (3, 96, 96)}
OUTPUTS = {"tiny": 3, "middle": 10, "conv": 128}
MAX_BATCH_SIZE = {"tiny": 64, "middle": 64, "conv": 8}


def write_repository(root: Path, queue_delay_us: int = 0) -> None:
    """A model repository in Triton's layout."""
    made = {"tiny": _mlp(4, 16, 3), "middle": _mlp(256, 1024, 1024, 1024, 10), "conv": _conv()}
    for name, model in made.items():
        folder = root / name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / "model.onnx")
        (folder.parent / "config.pbtxt").write_text(
            f"max_batch_size: {MAX_BATCH_SIZE[name]}\n"
            f"dynamic_batching {{ max_queue_delay_microseconds: {queue_delay_us} }}\n"
        )


def example(name: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """One item, with the batch axis."""
    return np.random.default_rng(1).random((1, *SHAPES[name])).astype(np.float32).round(4)


def _mlp(*sizes: int) -> Any:
    random, nodes, weights, x = np.random.default_rng(0), [], [], "x"
    last = len(sizes) - 2
    for layer, (width, out) in enumerate(pairwise(sizes)):
        weights.append(_weights(random, f"w{layer}", (width, out), width))
        nodes.append(helper.make_node("MatMul", [x, f"w{layer}"], [f"m{layer}"]))
        kind, x = ("Softmax", "y") if layer == last else ("Relu", f"r{layer}")
        nodes.append(helper.make_node(kind, [f"m{layer}"], [x]))
    return _model(nodes, weights, ("N", sizes[0]), ("N", sizes[-1]))


def _conv() -> Any:
    random, nodes, weights, x, channels = np.random.default_rng(0), [], [], "x", 3
    for layer, (out, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)]):
        weights.append(_weights(random, f"w{layer}", (out, channels, 3, 3), channels * 9))
        nodes.append(helper.make_node("Conv", [x, f"w{layer}"], [f"c{layer}"], strides=[stride] * 2, pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        x, channels = f"r{layer}", out
    nodes += [helper.make_node("GlobalAveragePool", [x], ["p"]), helper.make_node("Flatten", ["p"], ["y"])]
    return _model(nodes, weights, ("N", 3, 96, 96), ("N", 128))


def _weights(random: Any, name: str, shape: tuple[int, ...], fan_in: int) -> Any:
    return numpy_helper.from_array((random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32), name)


def _model(nodes: list[Any], weights: list[Any], given: Any, out: Any) -> Any:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

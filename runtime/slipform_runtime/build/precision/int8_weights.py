"""INT8 weights alone, as OpenVINO wants them for INT8 sums whose activations it quantises anew for each request."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.onnxfile import at_least_opset
from slipform_runtime.build.pruning.weights import Weights

_PER_CHANNEL_OPSET = 13
_LARGEST = 127
_PRODUCTS = {"MatMul", "Gemm"}


def to_int8_weights(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The model whose products take INT8 weights through DequantizeLinear nodes, one scale a channel, and how many."""
    made = onnx.ModelProto()
    made.CopyFrom(at_least_opset(model, _PER_CHANNEL_OPSET, 17))
    graph, weights = made.graph, Weights(made.graph)
    found = [
        node
        for node in graph.node
        if node.op_type in _PRODUCTS and node.input[1] in weights and len(weights.shape(node.input[1])) == 2
    ]
    if not found:
        raise BadInput(
            "precision int8-dynamic quantises matrix products with constant weights, and this model has none; for "
            "convolutions use int8-static with calibration"
        )
    names = dict.fromkeys(node.input[1] for node in found)
    transposed = {node.input[1] for node in found if any(a.name == "transB" and a.i for a in node.attribute)}
    dequantised = [_dequantised(graph, name, weights[name], 0 if name in transposed else 1) for name in names]
    for node in found:
        node.input[1] = _output(node.input[1])
    kept = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name not in names or tensor.name in kept]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    nodes = [*dequantised, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return made, f"weights of {len(found)} matrix products in INT8 by channel"


def _dequantised(graph: onnx.GraphProto, name: str, weight: np.ndarray, axis: int) -> onnx.NodeProto:
    largest = np.abs(weight).max(axis=1 - axis, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / _LARGEST).astype(np.float32)
    whole = np.clip(np.rint(weight / scale), -_LARGEST, _LARGEST).astype(np.int8)
    graph.initializer.append(numpy_helper.from_array(whole, f"{name}_int8"))
    graph.initializer.append(numpy_helper.from_array(scale.ravel(), f"{name}_scale"))
    return helper.make_node(
        "DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [_output(name)], name=_output(name), axis=axis
    )


def _output(name: str) -> str:
    return f"{name}_dequantised"

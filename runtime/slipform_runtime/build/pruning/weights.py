"""The weights that pruning looks at: those of matrix products and convolutions, kept in the graph as constants."""

from collections import Counter
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from slipform_runtime.build.onnxfile import nodes

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class Weights:
    """A graph's FP32 constants by name, read when they are asked for, written back when they are changed."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        fed = {value.name for value in graph.input}
        self._tensors = {
            tensor.name: tensor
            for tensor in graph.initializer
            if tensor.data_type == TensorProto.FLOAT and tensor.name not in fed
        }
        self._uses = Counter(name for node in nodes(graph) for name in node.input)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._tensors[name])

    def __setitem__(self, name: str, value: NDArray[Any]) -> None:
        self._tensors[name].CopyFrom(numpy_helper.from_array(value, name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading it."""
        return tuple(self._tensors[name].dims)

    def used_once(self, name: str) -> bool:
        """Whether one node alone takes it."""
        return self._uses[name] == 1

    @property
    def count(self) -> int:
        """Numbers in all of them."""
        total = 0
        for name in self._tensors:
            size = 1
            for axis in self.shape(name):
                size *= axis
            total += size
        return total


def of_products(graph: onnx.GraphProto, weights: Weights) -> list[str]:
    """The names of the constants that products and convolutions multiply with, each once."""
    found = dict.fromkeys(
        name
        for node in nodes(graph)
        if node.op_type in OPERATORS and node.domain in ("", "ai.onnx")
        for name in node.input[:2]
        if name in weights and len(weights.shape(name)) > 1
    )
    return list(found)

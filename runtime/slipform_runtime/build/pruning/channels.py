"""Which channels belong together: what is taken from one tensor must be taken from all that meet it.

A convolution or product with constant weights makes channels. They pass through operators that treat each alone, are
tied to others' where two tensors are added, and end where another product takes them in. A group is *fixed* where
something else looks at them: an output of the model, or any operator that is not known here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import onnx

from slipform_runtime.build.onnxfile import nodes
from slipform_runtime.build.pruning.weights import Weights

_EACH_ALONE = {
    "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Erf", "Gelu",
    "Softplus", "Softsign", "Mish", "Clip", "Identity", "Dropout", "Neg", "Abs", "Sqrt", "Exp",
}  # fmt: skip
_POOLS = {"MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"}
_PAIRS = {"Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"}


@dataclass(frozen=True)
class Slice:
    """The axis of a constant that counts the channels; `role` says what the constant does to them."""

    name: str
    axis: int
    role: str
    """`makes`, `takes` or `follows`."""


@dataclass(eq=False)
class Group:
    """Channels that live and die together."""

    size: int
    fixed: bool = False
    slices: list[Slice] = field(default_factory=list)
    depthwise: list[onnx.NodeProto] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """Where a tensor has its group's channels; `flat`: each of them as a run of elements."""

    axis: int
    flat: bool = False


class Channels:
    """The groups of one graph."""

    def __init__(self, model: onnx.ModelProto, weights: Weights) -> None:
        self._weights = weights
        self._groups: dict[str, Group] = {}
        self._places: dict[str, _Place] = {}
        self._ranks = _ranks(model)
        for node in model.graph.node:
            if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
                self._fix(_captured(node))
            else:
                self._rule(node)(node)
        self._fix([value.name for value in model.graph.output])

    def free(self) -> list[Group]:
        """The groups that something makes, something takes, and nothing fixes."""
        found = dict.fromkeys(self._groups.values())
        return [group for group in found if not group.fixed and {"makes", "takes"} <= {s.role for s in group.slices}]

    def _rule(self, node: onnx.NodeProto) -> Callable[[onnx.NodeProto], None]:
        if node.domain not in ("", "ai.onnx"):
            return self._unknown
        if node.op_type in _EACH_ALONE:
            return self._follow
        if node.op_type in _POOLS:
            return self._follow_images
        if node.op_type in _PAIRS:
            return self._pair
        rules = {
            "Conv": self._conv,
            "Gemm": self._gemm,
            "MatMul": self._matmul,
            "BatchNormalization": self._batch_norm,
            "Flatten": self._flatten,
            "Transpose": self._transpose,
        }
        return rules.get(node.op_type, self._unknown)

    def _conv(self, node: onnx.NodeProto) -> None:
        weight, groups = node.input[1], _attribute(node, "group", 1)
        if weight not in self._weights:
            return self._unknown(node)
        shape, given = self._weights.shape(weight), self._groups.get(node.input[0])
        if groups == 1:
            self._take(node.input[0], weight, 1)
            return self._make(node, weight, 0, _Place(1))
        if given is None or groups != shape[0] or shape[1] != 1 or given.size != groups:
            return self._unknown(node)
        for name in node.input[1:]:
            self._slice(given, name, 0, "follows")
        given.depthwise.append(node)
        return self._same(node, node.input[0])

    def _gemm(self, node: onnx.NodeProto) -> None:
        weight = node.input[1]
        if weight not in self._weights or _attribute(node, "transA", 0):
            return self._unknown(node)
        out = 0 if _attribute(node, "transB", 0) else 1
        self._take(node.input[0], weight, 1 - out)
        return self._make(node, weight, out, _Place(1))

    def _matmul(self, node: onnx.NodeProto) -> None:
        weight, rank = node.input[1], self._ranks.get(node.output[0])
        if weight not in self._weights or len(self._weights.shape(weight)) != 2 or rank is None:
            return self._unknown(node)
        self._take(node.input[0], weight, 0)
        return self._make(node, weight, 1, _Place(rank - 1))

    def _batch_norm(self, node: onnx.NodeProto) -> None:
        group, place = self._groups.get(node.input[0]), self._places.get(node.input[0])
        if group is None or place != _Place(1) or len(node.output) > 1:
            return self._unknown(node)
        for name in node.input[1:5]:
            self._slice(group, name, 0, "follows")
        return self._same(node, node.input[0])

    def _flatten(self, node: onnx.NodeProto) -> None:
        place = self._places.get(node.input[0])
        if place is None or place.axis != 1 or _attribute(node, "axis", 1) != 1:
            return self._unknown(node)
        self._same(node, node.input[0])
        self._places[node.output[0]] = _Place(1, flat=True)
        return None

    def _transpose(self, node: onnx.NodeProto) -> None:
        place = self._places.get(node.input[0])
        order = next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), None)
        if place is None or place.flat or order is None:
            return self._unknown(node)
        self._same(node, node.input[0])
        self._places[node.output[0]] = _Place(order.index(place.axis))
        return None

    def _follow(self, node: onnx.NodeProto) -> None:
        self._same(node, node.input[0])

    def _follow_images(self, node: onnx.NodeProto) -> None:
        if self._places.get(node.input[0], _Place(1)) != _Place(1) or len(node.output) > 1:
            return self._unknown(node)
        return self._same(node, node.input[0])

    def _pair(self, node: onnx.NodeProto) -> None:
        """An operator that broadcasts: a constant is cut with the channels, two tensors' channels become one group."""
        if len(node.input) != 2:
            return self._unknown(node)
        first, second = node.input
        if first in self._weights:
            first, second = second, first
        group, place, rank = self._groups.get(first), self._places.get(first), self._ranks.get(first)
        if group is None or place is None or place.flat or rank is None:
            return self._unknown(node)
        if second in self._weights:
            return self._constant(node, first, second, group, place.axis - rank)
        other = self._groups.get(second)
        alike = self._places.get(second) == place and self._ranks.get(second) == rank
        if other is None or other.size != group.size or not alike:
            return self._unknown(node)
        self._merge(group, other)
        return self._same(node, first)

    def _constant(self, node: onnx.NodeProto, first: str, constant: str, group: Group, from_end: int) -> None:
        shape = self._weights.shape(constant)
        axis = len(shape) + from_end
        if len(shape) > self._ranks[first] or (axis >= 0 and shape[axis] not in (1, group.size)):
            return self._unknown(node)
        if axis >= 0 and shape[axis] == group.size:
            self._slice(group, constant, axis, "follows")
        return self._same(node, first)

    def _unknown(self, node: onnx.NodeProto) -> None:
        self._fix(node.input)

    def _make(self, node: onnx.NodeProto, weight: str, axis: int, place: _Place) -> None:
        group = Group(self._weights.shape(weight)[axis])
        self._groups[node.output[0]], self._places[node.output[0]] = group, place
        self._slice(group, weight, axis, "makes")
        for bias in node.input[2:]:
            shape = self._weights.shape(bias) if bias in self._weights else ()
            if shape and shape[-1] == group.size:
                self._slice(group, bias, len(shape) - 1, "follows")
            elif bias not in self._weights or shape not in ((), (1,)):
                group.fixed = True

    def _take(self, tensor: str, weight: str, axis: int) -> None:
        group, place, rank = self._groups.get(tensor), self._places.get(tensor), self._ranks.get(tensor)
        if group is None or place is None:
            return
        size = self._weights.shape(weight)[axis]
        images = len(self._weights.shape(weight)) > 2
        where = place.axis == 1 if images else rank is not None and place.axis == rank - 1
        if not where or (size != group.size if not place.flat else size % group.size):
            group.fixed = True
        self._slice(group, weight, axis, "takes")

    def _slice(self, group: Group, name: str, axis: int, role: str) -> None:
        """A constant that two nodes share can't be cut for one of them."""
        if name not in self._weights or not self._weights.used_once(name):
            group.fixed = True
        group.slices.append(Slice(name, axis, role))

    def _same(self, node: onnx.NodeProto, source: str) -> None:
        group = self._groups.get(source)
        if group is not None:
            self._groups[node.output[0]], self._places[node.output[0]] = group, self._places[source]
            group.fixed |= len(node.output) > 1

    def _merge(self, group: Group, other: Group) -> None:
        if group is other:
            return
        group.fixed |= other.fixed
        group.slices += other.slices
        group.depthwise += other.depthwise
        for tensor, owner in self._groups.items():
            if owner is other:
                self._groups[tensor] = group

    def _fix(self, tensors: Iterable[str]) -> None:
        for tensor in tensors:
            if tensor in self._groups:
                self._groups[tensor].fixed = True


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def _captured(node: onnx.NodeProto) -> list[str]:
    """What the node and its subgraphs take."""
    inner = (graph for attribute in node.attribute for graph in (*attribute.graphs, attribute.g))
    return [*node.input, *(name for graph in inner for each in nodes(graph) for name in each.input)]


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in values
        if value.type.tensor_type.HasField("shape")
    }

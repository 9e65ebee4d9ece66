"""Small ONNX models, made by ONNX's own helpers and by skl2onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None] | None


def tensor(name: str, shape: Shape, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def network(
    file: Path,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    nodes: Sequence[onnx.NodeProto] = (),
    initializers: Sequence[onnx.TensorProto] = (),
) -> Path:
    """A model of these tensors; without ``nodes`` each output is its input."""
    each = zip(inputs, outputs, strict=False)
    nodes = nodes or [helper.make_node("Identity", [one.name], [other.name]) for one, other in each]
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(initializers))
    file.parent.mkdir(parents=True, exist_ok=True)
    versions = {"": 17, "ai.onnx.ml": 3}
    imports = [helper.make_opsetid(domain, versions[domain]) for domain in sorted({node.domain for node in nodes})]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), file)
    return file


def identity(file: Path, shape: Shape, dtype: int = TensorProto.FLOAT) -> Path:
    """One input ``x`` and one output ``y`` of this shape."""
    return network(file, [tensor("x", shape, dtype)], [tensor("y", shape, dtype)])


def classifier(file: Path, labels: Sequence[str]) -> Path:
    """scikit-learn's logistic regression of two measurements."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    kinds = np.arange(60) % len(labels)
    table = (random.normal(size=(60, 2)) * 0.1 + np.stack([kinds, kinds], axis=1)).astype(np.float32)
    fitted = LogisticRegression(max_iter=1000).fit(table, np.array(labels)[kinds])
    made = to_onnx(fitted, table[:1], options={"zipmap": False}, target_opset=17)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.SerializeToString())
    return file


def with_weights_beside_it(file: Path, weights: str) -> Path:
    """``y = x + w``, whose ``w`` lies in another file."""
    values: np.ndarray[Any, Any] = np.arange(4, dtype=np.float32)
    node = helper.make_node("Add", ["x", "w"], ["y"])
    network(
        file, [tensor("x", ["batch", 4])], [tensor("y", ["batch", 4])], [node], [numpy_helper.from_array(values, "w")]
    )
    model = onnx.load(file)
    onnx.save(model, file, save_as_external_data=True, location=weights, size_threshold=0)
    return file

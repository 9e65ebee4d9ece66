"""Small real models, manifests for them, and builds that measure only as long as a test needs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from slipform_runtime.build.manifest import BuildManifest, parse_manifest
from slipform_runtime.build.pipeline import Options, Outcome, build
from slipform_runtime.build.progress import Progress
from slipform_runtime.build.proof.latency import Effort

QUICK = Effort(least_runs=5, least_seconds=0, most_runs=20, most_seconds=0.2)


def perceptron(width: int = 8, hidden: int = 32, classes: int = 4) -> onnx.ModelProto:
    """Two matrix products: x -> probabilities."""
    random = np.random.default_rng(0)
    first = random.standard_normal((width, hidden)).astype(np.float32) / 3
    second = random.standard_normal((hidden, classes)).astype(np.float32) / 3
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["h"], name="first_product"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "second"], ["s"], name="second_product"),
        helper.make_node("Softmax", ["s"], ["probabilities"], axis=1),
    ]
    constants = [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")]
    return model(nodes, [("x", ("N", width))], [("probabilities", ("N", classes))], constants)


def model(
    nodes: list[Any],
    inputs: list[tuple[str, tuple[int | str, ...]]],
    outputs: list[tuple[str, tuple[int | str, ...]]],
    constants: list[Any] | None = None,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """A graph of FP32 tensors."""

    def floats(tensors: list[tuple[str, tuple[int | str, ...]]]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors]

    graph = helper.make_graph(nodes, "graph", floats(inputs), floats(outputs), constants or [])
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class Workshop:
    """A folder with a model's versions, a manifest for it, and a place for what is built."""

    def __init__(self, root: Path) -> None:
        self.root, self.models, self.built = root, root / "models", root / "built"
        self.manifest: dict[str, Any] = {
            "name": "wine",
            "version": 3,
            "key": "0123456789abcdef",
            "source": {"uri": f"file://{self.models}", "format": "onnx", "filename": "model.onnx"},
            "output": {"uri": f"file://{self.built}", "filename": "model.onnx"},
            "target": "onnx",
            "max_batch_size": 2,
            "inputs": [{"name": "x", "dtype": "FP32", "shape": [8]}],
            "outputs": [{"name": "probabilities", "dtype": "FP32", "shape": [4]}],
        }
        self.put(perceptron())

    def put(self, model: onnx.ModelProto | bytes, name: str = "model.onnx") -> Path:
        """Make `model` the version's file."""
        file = self.models / "3" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return file

    def samples(self, count: int = 12, **arrays: Any) -> str:
        """A .npz file's URI."""
        file = self.root / "samples.npz"
        random = np.random.default_rng(1)
        np.savez(file, **(arrays or {"x": random.standard_normal((count, 8)).astype(np.float32)}))
        return f"file://{file}"

    def parsed(self, **changes: Any) -> BuildManifest:
        """The manifest with changes."""
        return parse_manifest(json.dumps(self.manifest | changes).encode())

    def build(self, options: dict[str, Any] | None = None, **changes: Any) -> Outcome:
        """Build, quickly."""
        return build(self.parsed(**changes), Options(effort=QUICK, **(options or {})), Progress())

    def write(self, **changes: Any) -> Path:
        """The manifest's file."""
        file = self.root / "build.json"
        file.write_text(json.dumps(self.manifest | changes))
        return file

    def left(self) -> list[str]:
        """What is below the output folder, hidden files too."""
        return sorted(path.name for path in self.built.iterdir()) if self.built.exists() else []

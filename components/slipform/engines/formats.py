"""Formats of model files as Triton names them; the bundled runtime reads the same repository."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.modelspec import ModelSpec


@dataclass(frozen=True)
class Backend:
    """What runs a format: Triton's backend, its platform (empty where it has none) and the file that it looks for."""

    name: str
    platform: str
    filename: str


BACKENDS = {
    "onnx": Backend("onnxruntime", "onnxruntime_onnx", "model.onnx"),
    "torchscript": Backend("pytorch", "pytorch_libtorch", "model.pt"),
    "tensorflow": Backend("tensorflow", "tensorflow_savedmodel", "model.savedmodel"),
    "tensorrt": Backend("tensorrt", "tensorrt_plan", "model.plan"),
    "openvino": Backend("openvino", "", "model.xml"),
}
"""By model format or build target, as in Triton's core (constants.h)."""

BUILT = {
    **{target: BACKENDS[target].filename for target in ("onnx", "tensorrt", "openvino")},
    "ort": "model.ort",
    "tflite": "model.tflite",
    "coreml": "model.mlpackage",
}
"""The file that a build writes, by target; the last three are for devices, and no server loads them."""

FILENAMES = {**{format: backend.filename for format, backend in BACKENDS.items()}, "mar": "model.mar"}
"""The model's file in a version's folder, by model format or build target."""

NEEDS_TENSORS = frozenset({"torchscript"})
"""Formats whose files don't name their inputs and outputs."""

PROCESSORS_ONLY = frozenset({"openvino"})
"""Formats whose backend runs on processors only."""


def served_format(spec: ModelSpec) -> str | None:
    """The format that a server is given: what is built of the model, else the model's own; of an ensemble None."""
    return spec.build.target if spec.build else spec.model.format

"""An ONNX graph that ONNX Runtime serves, optimised and in another precision."""

from pathlib import Path

from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend, OnnxInstance
from slipform_runtime.build.errors import ToolFailed
from slipform_runtime.build.onnxfile import nodes, save
from slipform_runtime.build.optimise import fold, fuse_transformer
from slipform_runtime.build.precision.convert import Plan, in_precision
from slipform_runtime.build.targets.base import Made
from slipform_runtime.cpus import available_cpus
from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InferenceError, ModelLoadError


class OnnxRunner:
    """The bundled runtime's own backend, with all of the processors that it would have."""

    def __init__(self, instance: OnnxInstance, device: str) -> None:
        self._instance = instance
        self.device = device

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute."""
        try:
            return self._instance.run(inputs, None)
        except InferenceError as error:
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
            raise ToolFailed(f"ONNX Runtime fails on {shapes}: {error}") from error

    def close(self) -> None:
        """Free the session."""
        self._instance.close()


class OnnxTarget:
    """Folded, in the manifest's precision, and fused where it is a transformer."""

    name = "onnx"
    tools: tuple[str, ...] = ("onnx", "onnxruntime")

    def check(self, plan: Plan) -> None:
        """Nothing but the model itself can stand in the way."""

    def build(self, plan: Plan, to: Path) -> Made:
        """Write the graph."""
        given = sum(1 for _ in nodes(plan.model.graph))
        model = fold(plan.model, plan.work)
        folded = sum(1 for _ in nodes(model.graph))
        steps = [f"{given} nodes became {folded}: constants folded, what has no effect removed"]
        model, converted = in_precision(model, plan)
        # Afterwards: neither the converter to FP16 nor the quantisers know the operators that fusion makes.
        model, fused = fuse_transformer(model)
        save(model, to)
        return Made([*steps, *converted, *fused], {"graph_optimization_level": "basic"})

    def load(self, path: Path) -> OnnxRunner:
        """A session on the processor."""
        try:
            return OnnxRunner(OnnxBackend().load(path, Device(threads=available_cpus()), None), "cpu")
        except ModelLoadError as error:
            raise ToolFailed(str(error)) from error

"""TensorFlow Lite models, compared and timed by LiteRT on this machine's processor."""

from importlib import import_module
from pathlib import Path
from typing import Any

from slipform_runtime.build.errors import Missing, ToolFailed
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.targets import onnx2tf
from slipform_runtime.build.targets.base import Made
from slipform_runtime.build.targets.devices import convert, must_not_prune
from slipform_runtime.cpus import available_cpus
from slipform_runtime.datatypes import Tensor

_OWN = ("tensorflow", "keras")
"""Formats of TensorFlow's own converter; every other model is ONNX by then."""


class TfliteRunner:
    """One interpreter; its inputs grow with the batch."""

    device = "cpu"

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._signature = interpreter.get_signature_runner()

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute."""
        try:
            found: dict[str, Tensor] = self._signature(**inputs)
        except (RuntimeError, ValueError) as error:
            raise ToolFailed(f"LiteRT fails: {error}") from error
        return found

    def close(self) -> None:
        """Free the interpreter."""
        del self._signature, self._interpreter


class TfliteTarget:
    """Made by TensorFlow's converter from a SavedModel or a Keras file, and by onnx2tf from an ONNX graph."""

    name = "tflite"
    tools: tuple[str, ...] = ("onnx", "onnxruntime", "ai_edge_litert")

    def check(self, plan: Plan) -> None:
        """A model that one of the two takes, and the interpreter that proves the result."""
        if plan.imported.kind in _OWN:
            must_not_prune(plan, self.name)
        else:
            onnx2tf.must_be_convertible(plan)
        _interpreter()

    def build(self, plan: Plan, to: Path) -> Made:
        """Convert."""
        return convert(plan, to) if plan.imported.kind in _OWN else onnx2tf.convert(plan, to)

    def load(self, path: Path) -> TfliteRunner:
        """Load for the processor, with the threads that a server would have."""
        try:
            return TfliteRunner(_interpreter()(model_path=str(path), num_threads=available_cpus()))
        except (RuntimeError, ValueError) as error:
            raise ToolFailed(f"LiteRT refuses {path.name}: {error}") from error


def _interpreter() -> Any:
    try:
        return import_module("ai_edge_litert.interpreter").Interpreter
    except ImportError as error:
        raise Missing("target tflite needs an extra; install slipform-runtime[tflite]") from error

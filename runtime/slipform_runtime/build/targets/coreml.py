"""Core ML programs. They are converted anywhere and executed on macOS alone, so only there can one be proven."""

import platform
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.targets.base import Made
from slipform_runtime.build.targets.devices import convert, must_come_from
from slipform_runtime.datatypes import Tensor


class CoreMLRunner:
    """One program, on whatever of the machine's processors Core ML thinks best."""

    device = "macos"

    def __init__(self, model: Any) -> None:
        self._model = model

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute."""
        try:
            found = self._model.predict(inputs)
        except RuntimeError as error:
            raise ToolFailed(f"Core ML fails: {error}") from error
        return {name: np.asarray(value) for name, value in found.items()}

    def close(self) -> None:
        """Free the model."""
        del self._model


class CoreMLTarget:
    """Made by coremltools from a program of torch.export or TorchScript."""

    name = "coreml"
    tools: tuple[str, ...] = ("onnx", "onnxruntime", "coremltools")

    def check(self, plan: Plan) -> None:
        """A PyTorch model, a precision that Core ML has, and a Mac."""
        must_come_from(plan, ("pytorch", "torchscript"), self.name, "coremltools has no reader of ONNX any more")
        if plan.manifest.precision not in ("fp32", "fp16"):
            raise BadInput(f"target coreml is made in fp32 or fp16, not {plan.manifest.precision}")
        if platform.system() != "Darwin":
            raise Missing(
                "Core ML programs are executed on macOS alone: here one could be made and not proven; build it on a Mac"
            )
        _coremltools()

    def build(self, plan: Plan, to: Path) -> Made:
        """Convert."""
        return convert(plan, to)

    def load(self, path: Path) -> CoreMLRunner:
        """Compile and load."""
        try:
            return CoreMLRunner(_coremltools().models.MLModel(str(path)))
        except Exception as error:  # coremltools raises what macOS says
            raise ToolFailed(f"Core ML refuses {path.name}: {error}") from error


def _coremltools() -> Any:
    try:
        return import_module("coremltools")
    except ImportError as error:
        raise Missing("target coreml needs an extra; install slipform-runtime[coreml]") from error

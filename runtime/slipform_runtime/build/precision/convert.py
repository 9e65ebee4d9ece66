"""The manifest's number format, put into the graph."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.imports.wanted import Imported
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.precision.fp16 import to_fp16
from slipform_runtime.build.precision.int8_dynamic import to_int8_dynamic
from slipform_runtime.build.precision.int8_static import to_int8_static
from slipform_runtime.build.samples import Samples
from slipform_runtime.build.signature import Signature


@dataclass(frozen=True)
class Plan:
    """What a target builds from: the checked model, what the manifest wants of it, and a folder for scratch files."""

    model: onnx.ModelProto
    manifest: BuildManifest
    signature: Signature
    calibration: Samples | None
    work: Path
    imported: Imported
    pruned: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """What was done to come to `model`, for the report."""
        return (*self.imported.steps, *self.pruned)


def in_precision(model: onnx.ModelProto, plan: Plan, *, symmetric: bool = False) -> tuple[onnx.ModelProto, list[str]]:
    """The model in the plan's precision, and what was done; `symmetric` INT8 is what TensorRT takes."""
    precision = plan.manifest.precision
    if precision == "fp16":
        return to_fp16(model), ["weights and sums in FP16, inputs and outputs as they were"]
    if precision == "int8-dynamic":
        quantised, step = to_int8_dynamic(model, plan.work)
        return quantised, [step]
    if precision == "int8-static":
        if plan.calibration is None or plan.manifest.calibration is None:
            raise BadInput("precision int8-static needs samples: add calibration: {uri: …/samples.npz}")
        method, batched = plan.manifest.calibration.method, plan.signature.batched
        quantised, step = to_int8_static(
            model, plan.calibration, method, plan.work, batched=batched, symmetric=symmetric
        )
        return quantised, [step]
    return model, []

"""Core ML programs, from PyTorch's: coremltools reads these and no ONNX any more."""

import sys
from importlib import import_module
from typing import Any

import numpy as np

from slipform_runtime.build.imports.files import is_torchscript
from slipform_runtime.build.imports.wanted import Wanted
from slipform_runtime.datatypes import NUMPY


def coreml(wanted: Wanted) -> list[str]:
    """Convert, with the manifest's names for the tensors; one sample at a time where the axis is not the program's."""
    # Where both are, coremltools takes TensorFlow in too, and the two libraries do not live in one process.
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    tools: Any = import_module("coremltools")
    torch: Any = import_module("torch")
    half = wanted.precision == "fp16"
    options = {
        "minimum_deployment_target": tools.target.iOS17,
        "compute_precision": tools.precision.FLOAT16 if half else tools.precision.FLOAT32,
        "convert_to": "mlprogram",
    }
    if is_torchscript(wanted.path):
        module = torch.jit.load(str(wanted.path), map_location="cpu").eval()
        types = [
            tools.TensorType(name=tensor.name, shape=wanted.shape(tensor, 1), dtype=NUMPY[tensor.dtype].type)
            for tensor in wanted.inputs
        ]
        made = _converted(tools, module, options | {"inputs": types})
    else:
        made = _converted(tools, torch.export.load(wanted.path).run_decompositions({}), options)
    _named(tools, made, wanted).save(str(wanted.target))
    return [f"converted to a Core ML program for iOS 17 and macOS 14 or later, sums in {'FP16' if half else 'FP32'}"]


def _converted(tools: Any, program: Any, options: dict[str, Any]) -> Any:
    """With outputs as the model has them: sums in FP16 would make FP16 of those as well, unless they are all named."""
    made = tools.convert(program, **options)
    half = tools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT16
    halves = [feature.type.multiArrayType.dataType == half for feature in made.get_spec().description.output]
    if not any(halves):
        return made
    types = [tools.TensorType(dtype=np.float32 if each else np.int32) for each in halves]
    return tools.convert(program, outputs=types, **options)


def _named(tools: Any, made: Any, wanted: Wanted) -> Any:
    spec = made.get_spec()
    for features, names in (
        (spec.description.input, [tensor.name for tensor in wanted.inputs]),
        (spec.description.output, wanted.outputs),
    ):
        own = [feature.name for feature in features]
        for old, new in zip(own, names, strict=False):
            if old != new and set(names) != set(own):
                tools.utils.rename_feature(spec, old, new)
    return tools.models.MLModel(spec, weights_dir=made.weights_dir, skip_model_load=True)

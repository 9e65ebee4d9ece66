"""Which target a manifest means."""

from slipform_runtime.build.targets.base import Target
from slipform_runtime.build.targets.coreml import CoreMLTarget
from slipform_runtime.build.targets.onnx import OnnxTarget
from slipform_runtime.build.targets.openvino import OpenVinoTarget
from slipform_runtime.build.targets.ort import OrtTarget
from slipform_runtime.build.targets.tensorrt import TensorRTTarget
from slipform_runtime.build.targets.tflite import TfliteTarget

_TARGETS: dict[str, type[Target]] = {
    "coreml": CoreMLTarget,
    "onnx": OnnxTarget,
    "openvino": OpenVinoTarget,
    "ort": OrtTarget,
    "tensorrt": TensorRTTarget,
    "tflite": TfliteTarget,
}


def target_for(name: str) -> Target:
    """The target of that name; the manifest's reader knows no other names."""
    return _TARGETS[name]()

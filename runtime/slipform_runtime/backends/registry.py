"""Which backend a config means."""

from importlib import import_module
from pathlib import Path
from typing import Any

from slipform_runtime.backends.base import Backend
from slipform_runtime.errors import ModelLoadError

_CLASSES = {
    "onnxruntime": ("slipform_runtime.backends.onnx", "OnnxBackend"),
    "openvino": ("slipform_runtime.backends.openvino", "OpenVinoBackend"),
    "tensorrt": ("slipform_runtime.backends.tensorrt", "TensorRTBackend"),
}
"""By Triton's names; imported where a model asks for one, since each is an extra or takes its time."""

_PLATFORMS = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}
_FILES = {"model.onnx": "onnxruntime", "model.xml": "openvino", "model.plan": "tensorrt"}


def backend_for(config: Any, folder: Path) -> Backend:
    """The backend of a ModelConfig: by its name, its platform, or the file in the version's `folder`, as in Triton."""
    name = config.backend or _PLATFORMS.get(config.platform, config.platform) or _backend_of_files(folder)
    try:
        module, kind = _CLASSES[name]
    except KeyError:
        known = ", ".join(sorted(_CLASSES))
        raise ModelLoadError(f"backend or platform '{name}' is not one of this server's: {known}") from None
    backend: Backend = getattr(import_module(module), kind)()
    return backend


def _backend_of_files(folder: Path) -> str:
    return next((name for file, name in _FILES.items() if (folder / file).is_file()), "onnxruntime")

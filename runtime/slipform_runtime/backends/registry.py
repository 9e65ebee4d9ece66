"""Which backend a config means."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from slipform_runtime.backends.base import Backend
from slipform_runtime.errors import ModelLoadError


def _onnx() -> Backend:
    module = import_module("slipform_runtime.backends.onnx")
    backend: Backend = module.OnnxBackend()
    return backend


_FACTORIES: dict[str, Callable[[], Backend]] = {"onnxruntime": _onnx}
_PLATFORMS = {"onnxruntime_onnx": "onnxruntime"}


def backend_for(config: Any) -> Backend:
    """The backend of a ModelConfig: by its name, its platform, or ONNX Runtime where it names neither."""
    name = config.backend or _PLATFORMS.get(config.platform, config.platform) or "onnxruntime"
    try:
        factory = _FACTORIES[name]
    except KeyError:
        known = ", ".join(sorted(_FACTORIES))
        raise ModelLoadError(f"backend or platform '{name}' is not one of this server's: {known}") from None
    return factory()

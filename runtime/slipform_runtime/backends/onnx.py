"""ONNX Runtime, on the CPU or on CUDA."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from slipform_runtime.backends.base import Device
from slipform_runtime.backends.reasons import first_line
from slipform_runtime.datatypes import FROM_ONNX, Tensor
from slipform_runtime.errors import ExecutionFailed, InvalidRequest, ModelLoadError, OutOfMemory
from slipform_runtime.inference import TensorSpec
from slipform_runtime.protos import ModelConfig

# ONNX Runtime has no exception type for it, only this text (BFCArena::AllocateRawInternal).
_OUT_OF_MEMORY = ("Failed to allocate memory for requested buffer", "out of memory", "bad_alloc")

_PARAMETERS = ("intra_op_thread_count", "inter_op_thread_count", "execution_mode")
_LEVELS = onnxruntime.GraphOptimizationLevel
_GRAPH_LEVELS = {
    -1: _LEVELS.ORT_ENABLE_BASIC,
    0: _LEVELS.ORT_ENABLE_ALL,
    1: _LEVELS.ORT_ENABLE_EXTENDED,
    2: _LEVELS.ORT_DISABLE_ALL,
}


class OnnxInstance:
    """One session."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.inputs = [_spec(node, "input") for node in session.get_inputs()]
        self.outputs = [_spec(node, "output") for node in session.get_outputs()]
        self._session = session
        self._names = [output.name for output in self.outputs]
        self._texts = [spec.name for spec in self.inputs if spec.datatype == "BYTES"]

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        """Execute on the calling thread; the interpreter's lock is free meanwhile."""
        names = self._names if outputs is None else list(outputs)
        for name in self._texts:
            inputs = {**inputs, name: _text(name, inputs[name])}
        try:
            return dict(zip(names, self._session.run(names, inputs), strict=True))
        except Exception as error:
            text = str(error)
            if any(sign in text for sign in _OUT_OF_MEMORY):
                raise OutOfMemory("the device has no memory for this batch") from error
            raise ExecutionFailed(_reason(text)) from error

    def close(self) -> None:
        """Free the session."""
        del self._session


class OnnxBackend:
    """Loads `.onnx` files."""

    name = "onnxruntime"
    platform = "onnxruntime_onnx"
    default_filename = "model.onnx"
    follows = ("optimization.graph", *(f"parameters.{name}" for name in _PARAMETERS))

    def load(self, path: Path, device: Device, config: Any) -> OnnxInstance:
        """A session on `device`; external data outside the model's folder is refused by ONNX Runtime."""
        options, providers = _options(device, config or ModelConfig()), _providers(device)
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:
            raise ModelLoadError(f"ONNX Runtime refuses {path.name}: {_reason(str(error))}") from error
        if device.kind == "gpu" and "CUDAExecutionProvider" not in session.get_providers():
            # It would serve from the processor, at a fraction of the speed, and say so nowhere but in its own log.
            raise ModelLoadError(
                "instance_group asks for KIND_GPU and ONNX Runtime cannot use CUDA here: the GPU, its driver or CUDA's "
                "libraries are missing (nvidia-smi shows the first two; onnxruntime-gpu[cuda,cudnn] brings the third)"
            )
        return OnnxInstance(session)


def _options(device: Device, config: Any) -> onnxruntime.SessionOptions:
    """The device's, and what the config sets in the words of Triton's ONNX Runtime backend."""
    threads, between, parallel = (_number(config, name) for name in _PARAMETERS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or device.threads
    options.inter_op_num_threads = between or 1
    if parallel:
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    level = config.optimization.graph.level
    if level not in _GRAPH_LEVELS:
        raise ModelLoadError(f"optimization graph level {level} is not one of {', '.join(map(str, _GRAPH_LEVELS))}")
    options.graph_optimization_level = _GRAPH_LEVELS[level]
    # Sessions share the cores with each other and with the event loop: a thread that waits must sleep.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors come as exceptions, which the log has as JSON
    return options


def _number(config: Any, name: str) -> int:
    """A parameter of the config, 0 where it is not set."""
    text = config.parameters[name].string_value if name in config.parameters else "0"
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise ModelLoadError(f"parameter '{name}' is '{text}', it must be a whole number from 0")
    return int(text)


def _providers(device: Device) -> list[Any]:
    if device.kind == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ModelLoadError(
            "instance_group asks for KIND_GPU and this ONNX Runtime has no CUDA; install onnxruntime-gpu in its place"
        )
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries from NVIDIA's wheels, where the image has them so
    cuda = {"device_id": device.index, "arena_extend_strategy": "kSameAsRequested"}
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


def _spec(node: Any, role: str) -> TensorSpec:
    datatype = FROM_ONNX.get(node.type)
    if datatype is None:
        remedy = "; export the classifier with zipmap=False" if node.type.startswith(("seq(", "map(")) else ""
        raise ModelLoadError(
            f"{role} '{node.name}' is a {node.type}, which is no tensor of the protocol's types{remedy}"
        )
    dims = tuple(dim if isinstance(dim, int) and dim >= 0 else -1 for dim in node.shape)
    return TensorSpec(node.name, datatype, dims)


def _text(name: str, tensor: Tensor) -> Tensor:
    """ONNX strings are text: the bytes of a BYTES tensor must be UTF-8."""
    decoded = np.empty(tensor.size, np.object_)
    for index, element in enumerate(tensor.ravel()):
        try:
            decoded[index] = element.decode() if isinstance(element, bytes) else element
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"input '{name}': BYTES element {index} is not UTF-8, a string must be") from error
    return decoded.reshape(tensor.shape)


def _reason(text: str) -> str:
    """The message without where in ONNX Runtime's own source it arose."""
    return first_line(text.split("] : ", 1)[-1])

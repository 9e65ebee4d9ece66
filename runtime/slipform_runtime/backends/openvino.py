"""OpenVINO's intermediate representation (`model.xml` with `model.bin` beside it), on the processor."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from slipform_runtime.backends.base import Device
from slipform_runtime.backends.reasons import last_line
from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import ExecutionFailed, ModelLoadError, OutOfMemory
from slipform_runtime.inference import TensorSpec

_FROM_OPENVINO = {
    "boolean": "BOOL",
    "u8": "UINT8", "u16": "UINT16", "u32": "UINT32", "u64": "UINT64",
    "i8": "INT8", "i16": "INT16", "i32": "INT32", "i64": "INT64",
    "f16": "FP16", "f32": "FP32", "f64": "FP64",
}  # fmt: skip
# What oneDNN and the standard library say; OpenVINO has no exception type for it.
_OUT_OF_MEMORY = ("bad_alloc", "could not allocate", "out of memory")


class OpenVinoInstance:
    """One compiled model with one request, which one thread at a time may run."""

    def __init__(self, compiled: Any) -> None:
        self.inputs = [_spec(port, "input") for port in compiled.inputs]
        self.outputs = [_spec(port, "output") for port in compiled.outputs]
        self._places = {spec.name: index for index, spec in enumerate(self.outputs)}
        self._names = tuple(self._places)
        self._request = compiled.create_infer_request()

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        """Execute on the calling thread; the interpreter's lock is free meanwhile."""
        try:
            # What comes back lies in the request's own memory, which its next run overwrites.
            found = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        except (RuntimeError, MemoryError) as error:
            text = str(error)
            if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
                raise OutOfMemory("the machine has no memory for this batch") from error
            raise ExecutionFailed(last_line(text)) from error
        return {name: found[self._places[name]].copy() for name in (outputs or self._names)}

    def close(self) -> None:
        """Free the request and what it was compiled to."""
        del self._request


class OpenVinoBackend:
    """Loads `.xml` files."""

    name = "openvino"
    platform = ""
    default_filename = "model.xml"
    follows = ()

    def load(self, path: Path, device: Device, config: Any) -> OpenVinoInstance:
        """Compile for the processor, with the threads of `device`."""
        if device.kind != "cpu":
            raise ModelLoadError("backend openvino runs on processors; write instance_group [ { kind: KIND_CPU } ]")
        openvino = _openvino()
        settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": device.threads}
        try:
            return OpenVinoInstance(openvino.Core().compile_model(path, "CPU", settings))
        except RuntimeError as error:
            raise ModelLoadError(f"OpenVINO refuses {path.name}: {last_line(str(error))}") from error


def _spec(port: Any, role: str) -> TensorSpec:
    name, kind = port.get_any_name(), port.get_element_type().get_type_name()
    datatype = _FROM_OPENVINO.get(kind)
    if datatype is None:
        raise ModelLoadError(f"{role} '{name}' is a {kind}, which is none of the protocol's types")
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise ModelLoadError(f"{role} '{name}' may have any number of axes; give it a shape in the model")
    return TensorSpec(name, datatype, tuple(-1 if axis.is_dynamic else axis.get_length() for axis in shape))


def import_openvino() -> Any:
    """The library, without its reporter, which tells its maker of each use from the import on; raises ImportError.

    It has a stand-in of its own for where the reporter is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: there is no such module
    return import_module("openvino")


def _openvino() -> Any:
    try:
        return import_openvino()
    except ImportError as error:
        raise ModelLoadError(
            f"backend openvino needs OpenVINO ({error}); install slipform-runtime[openvino]"
        ) from error

"""TensorRT engines (`.plan`), on one GPU.

Not yet run on a GPU: written against the API of TensorRT 10 and 11, and tested up to the calls of the library.
"""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from slipform_runtime.backends.base import Device
from slipform_runtime.backends.cuda import CudaDevice
from slipform_runtime.datatypes import FROM_NUMPY, Tensor
from slipform_runtime.errors import ExecutionFailed, InferenceError, InvalidRequest, ModelLoadError
from slipform_runtime.inference import TensorSpec


class TensorRTInstance:
    """One engine with its execution context: what one thread at a time may run."""

    def __init__(self, trt: Any, engine: Any, device: CudaDevice) -> None:
        self._engine, self._device = engine, device
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelLoadError("TensorRT makes no execution context; its log says why: mostly the GPU is full")
        self._profile = -1
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        given = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._dtypes = {name: _dtype(trt, engine, name) for name in names}
        self.inputs = [self._spec(name) for name in given]
        self.outputs = [self._spec(name) for name in names if name not in given]
        self._limits = [
            {name: engine.get_tensor_profile_shape(name, profile) for name in given}
            for profile in range(engine.num_optimization_profiles)
        ]

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        """Copy in, execute, copy out, wait. InvalidRequest where no optimisation profile holds the shapes."""
        self._device.use()
        self._choose_profile(inputs)
        for spec in self.inputs:
            tensor = np.ascontiguousarray(inputs[spec.name])
            if not self._context.set_input_shape(spec.name, tensor.shape):
                raise ExecutionFailed(f"TensorRT refuses the shape {list(tensor.shape)} of '{spec.name}'")
            self._device.send(tensor, self._place(spec.name, tensor.nbytes))
        made = {spec.name: self._output(spec.name) for spec in self.outputs}
        places = {name: self._place(name, tensor.nbytes) for name, tensor in made.items()}
        if not self._context.execute_async_v3(self._device.stream_handle):
            raise ExecutionFailed("TensorRT could not execute the engine; its log says why")
        wanted = made if outputs is None else {name: made[name] for name in outputs}
        for name, tensor in wanted.items():
            self._device.fetch(tensor, places[name])
        self._device.wait()
        return wanted

    def close(self) -> None:
        """Give the GPU its memory back."""
        self._device.close()
        del self._context, self._engine

    def _spec(self, name: str) -> TensorSpec:
        return TensorSpec(name, FROM_NUMPY[self._dtypes[name]], tuple(self._engine.get_tensor_shape(name)))

    def _choose_profile(self, inputs: dict[str, Tensor]) -> None:
        """The first whose sizes hold these inputs."""
        for index, limits in enumerate(self._limits):
            if all(_holds(limits[spec.name], inputs[spec.name].shape) for spec in self.inputs):
                if index != self._profile:
                    self._context.set_optimization_profile_async(index, self._device.stream_handle)
                    self._device.wait()
                    self._profile = index
                return
        shapes = ", ".join(f"{spec.name} {list(inputs[spec.name].shape)}" for spec in self.inputs)
        raise InvalidRequest(f"no optimisation profile of the engine holds {shapes}")

    def _output(self, name: str) -> Tensor:
        shape = tuple(self._context.get_tensor_shape(name))
        if any(size < 0 for size in shape):
            raise ExecutionFailed(f"the shape of output '{name}' depends on the data, which this backend does not take")
        return np.empty(shape, self._dtypes[name])

    def _place(self, name: str, size: int) -> int:
        address = self._device.buffer(name, size)
        self._context.set_tensor_address(name, address)
        return address


class TensorRTBackend:
    """Loads `.plan` files, which only the TensorRT and the model of GPU that built them can."""

    name = "tensorrt"
    platform = "tensorrt_plan"
    default_filename = "model.plan"
    follows = ()

    def load(self, path: Path, device: Device, config: Any) -> TensorRTInstance:
        """Deserialise on the GPU that `device` names."""
        if device.kind != "gpu":
            raise ModelLoadError("a TensorRT engine runs on a GPU; write instance_group [ { kind: KIND_GPU } ]")
        trt = _tensorrt()
        try:
            on = CudaDevice(device.index)
        except InferenceError as error:
            raise ModelLoadError(f"GPU {device.index} cannot be used: {error}") from error
        engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            on.close()
            raise ModelLoadError(
                f"TensorRT {trt.__version__} refuses {path.name}: an engine loads only in the version of TensorRT and "
                "on the model of GPU that it was built for; the library's own log says which differs"
            )
        return TensorRTInstance(trt, engine, on)


def _holds(limits: Any, shape: tuple[int, ...]) -> bool:
    least, _, most = limits
    return all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))


def _dtype(trt: Any, engine: Any, name: str) -> np.dtype[Any]:
    kind = engine.get_tensor_dtype(name)
    with suppress(TypeError):  # numpy has no BF16, FP8 or INT4
        dtype: np.dtype[Any] = np.dtype(trt.nptype(kind))
        if dtype in FROM_NUMPY:
            return dtype
    raise ModelLoadError(f"tensor '{name}' is a {kind}, which is none of the protocol's types")


def _tensorrt() -> Any:
    try:
        return import_module("tensorrt")
    except ImportError as error:
        raise ModelLoadError(
            f"backend tensorrt needs TensorRT ({error}); install slipform-runtime[tensorrt]"
        ) from error

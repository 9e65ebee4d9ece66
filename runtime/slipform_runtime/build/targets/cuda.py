"""Executes a TensorRT engine through CUDA's own Python bindings, for the comparison with the original."""

from importlib import import_module
from typing import Any

import numpy as np

from slipform_runtime.build.errors import Missing, ToolFailed
from slipform_runtime.datatypes import Tensor


class EngineRunner:
    """One engine, context and stream; device buffers grow to what the largest batch has needed."""

    device = "cuda:0"

    def __init__(self, trt: Any, engine: bytes) -> None:
        self._trt, self._cuda = trt, _cuda()
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise ToolFailed(f"TensorRT {trt.__version__} refuses the engine that was built; its log says why")
        self._context = self._engine.create_execution_context()
        self._stream = self._checked(self._cuda.cudaStreamCreate())
        self._buffers: dict[str, tuple[int, int]] = {}
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        inputs = trt.TensorIOMode.INPUT
        self._inputs = [name for name in names if self._engine.get_tensor_mode(name) == inputs]
        self._outputs = [name for name in names if self._engine.get_tensor_mode(name) != inputs]
        self._profile = -1

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Copy in, execute, copy out, wait."""
        self._choose_profile(inputs)
        for name in self._inputs:
            array = np.ascontiguousarray(inputs[name])
            self._context.set_input_shape(name, array.shape)
            address = self._address(name, array.nbytes)
            self._copy(address, array.ctypes.data, array.nbytes, self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice)
        made = {name: self._output(name) for name in self._outputs}
        if not self._context.execute_async_v3(self._stream):
            raise ToolFailed("TensorRT could not execute the engine; its log says why")
        for name, array in made.items():
            address = self._buffers[name][0]
            self._copy(array.ctypes.data, address, array.nbytes, self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        self._checked(self._cuda.cudaStreamSynchronize(self._stream))
        return made

    def close(self) -> None:
        """Give the device its memory back."""
        for address, _ in self._buffers.values():
            self._checked(self._cuda.cudaFree(address))
        self._buffers.clear()
        self._checked(self._cuda.cudaStreamDestroy(self._stream))
        del self._context, self._engine, self._runtime

    def _choose_profile(self, inputs: dict[str, Tensor]) -> None:
        """The first whose sizes hold these inputs."""
        for index in range(self._engine.num_optimization_profiles):
            if all(self._holds(index, name, inputs[name].shape) for name in self._inputs):
                if index != self._profile:
                    self._context.set_optimization_profile_async(index, self._stream)
                    self._profile = index
                return
        shapes = ", ".join(f"{name} {list(inputs[name].shape)}" for name in self._inputs)
        raise ToolFailed(f"no optimisation profile of the engine holds {shapes}")

    def _holds(self, profile: int, name: str, shape: tuple[int, ...]) -> bool:
        least, _, most = self._engine.get_tensor_profile_shape(name, profile)
        return all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))

    def _output(self, name: str) -> Tensor:
        shape = tuple(self._context.get_tensor_shape(name))
        array = np.empty(shape, self._trt.nptype(self._engine.get_tensor_dtype(name)))
        self._address(name, array.nbytes)
        return array

    def _address(self, name: str, size: int) -> int:
        address, capacity = self._buffers.get(name, (0, 0))
        if size > capacity:
            if capacity:
                self._checked(self._cuda.cudaFree(address))
            address, capacity = int(self._checked(self._cuda.cudaMalloc(size))), size
            self._buffers[name] = address, capacity
        self._context.set_tensor_address(name, address)
        return address

    def _copy(self, to: int, source: int, size: int, kind: Any) -> None:
        self._checked(self._cuda.cudaMemcpyAsync(to, source, size, kind, self._stream))

    def _checked(self, answer: tuple[Any, ...]) -> Any:
        """CUDA's functions answer (error, value)."""
        if int(answer[0]):
            raise ToolFailed(f"CUDA: {self._cuda.cudaGetErrorName(answer[0])[1].decode()}")
        return answer[1] if len(answer) > 1 else None


def _cuda() -> Any:
    try:
        return import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise Missing(
            f"a TensorRT engine is run through cuda-python ({error}); install slipform-runtime[tensorrt]"
        ) from error

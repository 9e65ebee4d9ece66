"""A device's memory and its stream, through CUDA's own Python bindings."""

from importlib import import_module
from typing import Any

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import ExecutionFailed, InferenceError, ModelLoadError, OutOfMemory


class CudaDevice:
    """One stream on one GPU, with named buffers that grow to what the largest tensor of their name has needed."""

    def __init__(self, index: int = 0) -> None:
        self._cuda = _bindings()
        self._index = index
        self._buffers: dict[str, tuple[int, int]] = {}
        self.use()
        self._stream = self._checked(self._cuda.cudaStreamCreate())

    @property
    def stream_handle(self) -> int:
        """The stream as other libraries take it."""
        return int(self._stream)

    def use(self) -> None:
        """Make it the calling thread's: CUDA keeps for each thread which GPU it means."""
        self._checked(self._cuda.cudaSetDevice(self._index))

    def buffer(self, name: str, size: int) -> int:
        """The address of at least `size` bytes; a tensor without elements has one too. Raises OutOfMemory."""
        address, capacity = self._buffers.get(name, (0, 0))
        if size > capacity or not address:
            if address:
                del self._buffers[name]
                self._checked(self._cuda.cudaFree(address))
            capacity = max(size, 1)
            address = int(self._checked(self._cuda.cudaMalloc(capacity)))
            self._buffers[name] = address, capacity
        return address

    def send(self, tensor: Tensor, address: int) -> None:
        """Copy to the device."""
        self._copy(address, tensor.ctypes.data, tensor.nbytes, self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice)

    def fetch(self, tensor: Tensor, address: int) -> None:
        """Copy from the device, once what was asked of it before is done."""
        self._copy(tensor.ctypes.data, address, tensor.nbytes, self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost)

    def wait(self) -> None:
        """Until everything is done."""
        self._checked(self._cuda.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        """Give the device its memory back."""
        self.use()
        while self._buffers:
            _, (address, _) = self._buffers.popitem()
            self._checked(self._cuda.cudaFree(address))
        self._checked(self._cuda.cudaStreamDestroy(self._stream))

    def _copy(self, to: int, source: int, size: int, kind: Any) -> None:
        self._checked(self._cuda.cudaMemcpyAsync(to, source, size, kind, self._stream))

    def _checked(self, answer: tuple[Any, ...]) -> Any:
        """CUDA's functions answer (error, value)."""
        if answer[0] != self._cuda.cudaError_t.cudaSuccess:
            raise self._error(answer[0])
        return answer[1] if len(answer) > 1 else None

    def _error(self, code: Any) -> InferenceError:
        if code == self._cuda.cudaError_t.cudaErrorMemoryAllocation:
            return OutOfMemory("the GPU has no memory for this batch")
        return ExecutionFailed(f"CUDA: {self._cuda.cudaGetErrorName(code)[1].decode()}")


def _bindings() -> Any:
    try:
        return import_module("cuda.bindings.runtime")
    except ImportError as error:
        raise ModelLoadError(
            f"a TensorRT engine is run through cuda-python ({error}); install slipform-runtime[tensorrt]"
        ) from error

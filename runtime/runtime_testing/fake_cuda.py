"""The part of ``cuda.bindings.runtime`` that moves tensors, on the host's own memory."""

# ruff: noqa: N802  (NVIDIA's names)

from __future__ import annotations

import ctypes
from enum import IntEnum


class cudaError_t(IntEnum):  # noqa: N801  (NVIDIA's name)
    cudaSuccess = 0  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815
    cudaErrorInvalidDevice = 101  # noqa: N815


class cudaMemcpyKind(IntEnum):  # noqa: N801
    cudaMemcpyHostToDevice = 1  # noqa: N815
    cudaMemcpyDeviceToHost = 2  # noqa: N815


LIMIT = 1 << 20
GPUS = 2
memory: dict[int, ctypes.Array[ctypes.c_char]] = {}


def cudaSetDevice(device: int) -> tuple[cudaError_t]:
    return (cudaError_t.cudaSuccess if device < GPUS else cudaError_t.cudaErrorInvalidDevice,)


def cudaMalloc(size: int) -> tuple[cudaError_t, int | None]:
    if size > LIMIT:
        return cudaError_t.cudaErrorMemoryAllocation, None
    buffer = ctypes.create_string_buffer(size)
    memory[ctypes.addressof(buffer)] = buffer
    return cudaError_t.cudaSuccess, ctypes.addressof(buffer)


def cudaFree(address: int) -> tuple[cudaError_t]:
    del memory[address]
    return (cudaError_t.cudaSuccess,)


def cudaMemcpyAsync(to: int, source: int, size: int, kind: int, stream: int) -> tuple[cudaError_t]:
    ctypes.memmove(to, source, size)
    return (cudaError_t.cudaSuccess,)


def cudaStreamCreate() -> tuple[cudaError_t, int]:
    return cudaError_t.cudaSuccess, 1


def cudaStreamSynchronize(stream: int) -> tuple[cudaError_t]:
    return (cudaError_t.cudaSuccess,)


def cudaStreamDestroy(stream: int) -> tuple[cudaError_t]:
    return (cudaError_t.cudaSuccess,)


def cudaGetErrorName(error: cudaError_t) -> tuple[cudaError_t, bytes]:
    return cudaError_t.cudaSuccess, error.name.encode()

"""The part of TensorRT's Python API that builds and loads engines, typed as NVIDIA's documentation has it.

It stands in where the library can't load: it records what it is told, and an engine of it is the graph's own bytes. The
names are held against the real bindings in tests/build/test_tensorrt.py, where their wheel is installed.
"""

# ruff: noqa: S101  (it is a test's)

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

Dims = tuple[int, ...]


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(Enum):
    WORKSPACE = 0


class BuilderFlag(Enum):
    """Without FP16 and INT8: version 11 has none, so touching one fails."""

    VERSION_COMPATIBLE = 0


class HardwareCompatibilityLevel(Enum):
    NONE = 0
    AMPERE_PLUS = 1


class Logger:
    WARNING = 2

    def __init__(self, min_severity: int) -> None:
        self.min_severity = min_severity


@dataclass
class ParserError:
    operator: str
    name: str
    text: str

    def node_operator(self) -> str:
        return self.operator

    def node_name(self) -> str:
        return self.name

    def desc(self) -> str:
        return self.text


@dataclass
class INetworkDefinition:
    flags: int
    graph: bytes = b""


class OnnxParser:
    """Takes every graph but those with operators of a foreign domain."""

    def __init__(self, network: INetworkDefinition, logger: Logger) -> None:
        self._network, self._errors = network, list[ParserError]()

    def parse_from_file(self, model: str) -> bool:
        self._network.graph = Path(model).read_bytes()
        for node in onnx.load_from_string(self._network.graph).graph.node:
            if node.domain not in ("", "ai.onnx"):
                self._errors.append(ParserError(node.op_type, node.name, "Plugin not found"))
        return not self._errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]


@dataclass
class IOptimizationProfile:
    shapes: dict[str, tuple[Dims, Dims, Dims]] = field(default_factory=dict)

    def set_shape(self, input: str, min: Dims, opt: Dims, max: Dims) -> None:
        self.shapes[input] = min, opt, max


@dataclass
class ITimingCache:
    data: bytes

    def serialize(self) -> bytes:
        return self.data or b"timings"


@dataclass
class IBuilderConfig:
    pools: dict[MemoryPoolType, int] = field(default_factory=dict)
    flags: set[BuilderFlag] = field(default_factory=set)
    profiles: list[IOptimizationProfile] = field(default_factory=list)
    hardware_compatibility_level: HardwareCompatibilityLevel = HardwareCompatibilityLevel.NONE
    cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.pools[pool] = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        self.flags.add(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if cache.data == b"of another version":
            return False
        self.cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache:
        assert self.cache is not None
        return self.cache


class Builder:
    made: list[tuple[INetworkDefinition, IBuilderConfig]]

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes | None:
        Builder.made.append((network, config))
        return network.graph or None


float32 = np.dtype(np.float32)


def nptype(trt_type: np.dtype[np.float32]) -> type[np.float32]:
    assert trt_type == float32
    return np.float32


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class ICudaEngine:
    """An engine that is the graph, with the profiles 1 to 4 and 5 to 8 on the batch axis."""

    num_optimization_profiles = 2

    def __init__(self, graph: bytes) -> None:
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        self.names = [*self.inputs, *(tensor.name for tensor in self.session.get_outputs())]

    @property
    def num_io_tensors(self) -> int:
        return len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return str(self.names[index])

    def get_tensor_shape(self, name: str) -> Dims:
        return (-1, 8) if name in self.inputs else (-1, 4)

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> np.dtype[np.float32]:
        return float32

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[Dims]:
        return [(1, 8), (2, 8), (4, 8)] if profile == 0 else [(5, 8), (6, 8), (8, 8)]

    def create_execution_context(self) -> IExecutionContext:
        return IExecutionContext(self)


class IExecutionContext:
    """Executes on the host, from and to the addresses that it is given."""

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine, self.addresses, self.shapes, self.profile = engine, dict[str, int](), dict[str, Dims](), 0

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self.profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: Dims) -> bool:
        least, _, most = self.engine.get_tensor_profile_shape(name, self.profile)
        assert least[0] <= shape[0] <= most[0], "the profile has to be set first"
        self.shapes[name] = shape
        return True

    def get_tensor_shape(self, name: str) -> Dims:
        return (self.shapes[self.engine.inputs[0]][0], 4)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        given = {name: self._array(name, self.shapes[name]).copy() for name in self.engine.inputs}
        for name, value in zip(self.engine.names[len(given) :], self.engine.session.run(None, given), strict=True):
            self._array(name, value.shape)[...] = value
        return True

    def _array(self, name: str, shape: Dims) -> np.ndarray[Any, np.dtype[np.float32]]:
        memory = (ctypes.c_float * int(np.prod(shape))).from_address(self.addresses[name])
        return np.ctypeslib.as_array(memory).reshape(shape)


class Runtime:
    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        return ICudaEngine(serialized_engine) if serialized_engine else None

"""The interface that every backend implements."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from slipform_runtime.datatypes import Tensor
from slipform_runtime.inference import TensorSpec


@dataclass(frozen=True, slots=True)
class Device:
    """Where an instance runs: `kind` is `cpu` or `gpu`; `threads` is the CPU threads that it may use."""

    kind: str = "cpu"
    index: int = 0
    threads: int = 1


class BackendInstance(Protocol):
    """One loaded copy of a model, ready to execute. `inputs` and `outputs` have all axes, -1 where dynamic."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        """Execute; the wanted outputs by name (None: all). Raises OutOfMemory or ExecutionFailed."""
        ...

    def close(self) -> None:
        """Free what the instance holds."""
        ...


class Backend(Protocol):
    """A way to load models."""

    name: str
    platform: str
    default_filename: str
    follows: tuple[str, ...]
    """What of a ModelConfig `load` follows besides the instance groups, which are the device: dotted paths."""

    def load(self, path: Path, device: Device, config: Any) -> BackendInstance:
        """Load the model file; raises ModelLoadError, whose text says what is wrong with it."""
        ...

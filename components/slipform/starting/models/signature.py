"""What was read of a model: its tensors with all their axes, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...spec.findings import SlipformError


class Unreadable(SlipformError):
    """No model of which a spec can be made; the message says what it is instead, and what to do."""


@dataclass(frozen=True)
class Axis:
    """A size, or one that varies (None); ``name`` is what the file calls it, if it does."""

    size: int | None = None
    name: str = ""


@dataclass(frozen=True)
class FoundTensor:
    """A tensor with its batch axis, if it has one. ``shape`` None: the file does not say."""

    name: str
    dtype: str
    shape: tuple[Axis, ...] | None
    labels: tuple[str, ...] = ()

    def described(self) -> str:
        if self.shape is None:
            return f"{self.name} {self.dtype}, of a shape that the file leaves out"
        axes = (str(axis.size) if axis.size is not None else axis.name or "?" for axis in self.shape)
        return f"{self.name} {self.dtype} [{', '.join(axes)}]"


@dataclass(frozen=True)
class Signature:
    """A model's file or folder.

    ``format`` is a word of ``model.format``; ``files`` are all that belong to it, ``main`` among them; ``origin`` is a
    phrase for people: the format's version and what made the file. ``trust_pickle``: building from it runs its code,
    and somebody has said that it may.
    """

    format: str
    main: Path
    files: tuple[Path, ...]
    inputs: tuple[FoundTensor, ...]
    outputs: tuple[FoundTensor, ...]
    origin: str
    trust_pickle: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)

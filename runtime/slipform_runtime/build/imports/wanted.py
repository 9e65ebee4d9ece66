"""What the importing process is asked for, and where it leaves what it says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from slipform_runtime.build.manifest import BATCH, BuildManifest, Precision, TensorInfo
from slipform_runtime.build.signature import DEFAULT_AXIS_SIZE

ROWS = 64
"""How many random samples the export is compared with the framework on: enough to pass through most of a tree."""


@dataclass(frozen=True)
class Imported:
    """The model as ONNX, what was done to make it that, and the file or folder that it was made of."""

    path: Path
    steps: tuple[str, ...]
    kind: str
    given: Path
    trusted: bool


class Wanted(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One conversion: `path` of the format `kind` becomes `target`, an ONNX file or what a device takes."""

    kind: str
    path: Path
    target: Path
    inputs: list[TensorInfo]
    outputs: list[str]
    """Names, in the model's order; empty: those that the exporter gives."""

    batched: bool
    sizes: dict[str, int] = {}
    """The tuned size of each axis that varies, by its name."""

    to: Literal["onnx", "tflite", "coreml"] = "onnx"
    precision: Precision = "fp32"
    samples: Path | None = None
    """Of a device's format: what calibrates INT8, a .npz file."""

    trusted: bool = False
    """Whether the file may run code while it is read."""

    def shape(self, tensor: TensorInfo, batch: int) -> tuple[int, ...]:
        """The whole shape of an input, with `batch` samples where there is a batch axis."""
        dims = (axis if isinstance(axis, int) else self.sizes.get(axis, DEFAULT_AXIS_SIZE) for axis in tensor.shape)
        return (batch, *dims) if self.batched else tuple(dims)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the process says: the steps that it took, or why it took none."""

    steps: list[str] = []
    missing: str = ""
    """The module that this machine lacks."""

    error: str = ""


class Refused(Exception):
    """The file can't become ONNX, for a reason that its maker can act on."""


def wanted_of(manifest: BuildManifest, kind: str, path: Path, target: Path, *, trusted: bool) -> Wanted:
    """The conversion to ONNX that the manifest means."""
    tuned = {axis: size.opt for profile in manifest.profiles[:1] for axis, size in profile.items() if axis != BATCH}
    return Wanted(
        kind=kind,
        path=path.absolute(),
        target=target,
        inputs=manifest.inputs,
        outputs=[tensor.name for tensor in manifest.outputs],
        batched=manifest.max_batch_size > 0,
        sizes=tuned,
        trusted=trusted,
    )


def encoded(wanted: Wanted) -> bytes:
    """As the process reads it."""
    return msgspec.json.encode(wanted, enc_hook=str)


def decoded(text: bytes) -> Wanted:
    """As the process was given it."""
    return msgspec.json.decode(text, type=Wanted, dec_hook=_made)


def _made(kind: type, given: Any) -> Any:
    return kind(given)

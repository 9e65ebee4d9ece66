"""`build.json`: what is built, of what, for what, and how good it must be."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from slipform_runtime.build.errors import BadInput
from slipform_runtime.fetch.manifest import Digest, FileName, ModelName, VersionNumber

Precision = Literal["fp32", "fp16", "int8-dynamic", "int8-static"]
Method = Literal["minmax", "entropy", "percentile"]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(gt=0)]
Axis = Count | str

BATCH = "batch"
"""The name of the implied axis in `profiles`."""


class Source(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The trained model: `<uri>/<version>/…`, or the one file that `uri` names."""

    uri: str
    format: str
    filename: str = ""
    sha256: Digest | None = None


class Output(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the artefact goes: `<uri>/<version>/<filename>`."""

    uri: str
    filename: FileName


class TensorInfo(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One input or output, without the batch axis; a text names an axis whose size varies."""

    name: str
    dtype: str
    shape: list[Axis]


class Size(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The sizes of one axis: the least, the one that is tuned for, the most."""

    min: Count
    opt: Count
    max: Count

    def __post_init__(self) -> None:
        if not self.min <= self.opt <= self.max:
            raise ValueError(f"min {self.min}, opt {self.opt}, max {self.max} must rise")


class Accept(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The gates; an absent one is not measured against."""

    max_abs_error: Positive | None = None
    min_top1_agreement: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    min_speedup: Positive | None = None
    max_size_bytes: Count | None = None
    max_p95_latency_ms: Positive | None = None


class Calibration(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Samples for static quantisation: a .npz file with one array an input, the samples along its first axis."""

    uri: str
    method: Method = "entropy"


class Pruning(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which weights are given up, and how many of them."""

    sparsity: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    method: Literal["magnitude", "structured"] = "magnitude"
    scope: Literal["tensor", "global"] = "tensor"
    """Of `magnitude`: whether each tensor loses the share, or all of them together."""


class TensorRT(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What an engine depends on besides the model."""

    loader: str = ""
    """What will load the engine: `triton-<release>`, or `image-<digest>` for the image that also builds."""

    workspace_bytes: Count = 4 << 30
    compute_capability: str | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False


class BuildManifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    name: ModelName
    version: VersionNumber
    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8,64}$")]
    source: Source
    output: Output
    target: Literal["onnx", "tensorrt", "openvino", "ort", "tflite", "coreml"]
    precision: Precision = "fp32"
    max_batch_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    """0: the model has no batch axis, and shapes are whole."""

    profiles: list[dict[str, Size]] = []
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    accept: Accept = Accept()
    pruning: Pruning | None = None
    calibration: Calibration | None = None
    samples: str | None = None
    """A .npz file like calibration's, on which the artefact is compared with the original."""

    tensorrt: TensorRT | None = None
    trust_pickle: bool = False
    """Whether a model file that runs code when it is read may be read, in a process of its own."""


def read_manifest(path: Path) -> BuildManifest:
    """The manifest in `path`; raises BadInput, which names the field."""
    try:
        return parse_manifest(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def parse_manifest(text: bytes) -> BuildManifest:
    """The manifest in `text`; raises BadInput."""
    try:
        manifest = msgspec.json.decode(text, type=BuildManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(str(error)) from error
    if manifest.precision == "int8-static" and manifest.calibration is None:
        raise BadInput("precision int8-static needs samples: add calibration: {uri: …/samples.npz}")
    if manifest.target == "tensorrt" and manifest.precision == "int8-dynamic":
        raise BadInput("TensorRT has no dynamic INT8; use precision int8-static with calibration, or fp16")
    for tensors in (manifest.inputs, manifest.outputs):
        names = [tensor.name for tensor in tensors]
        if len(set(names)) != len(names):
            raise BadInput(f"a tensor is listed twice: {', '.join(names)}")
    return manifest


def as_json(manifest: BuildManifest) -> dict[str, Any]:
    """The manifest as plain data, without what is absent."""
    plain: dict[str, Any] = msgspec.to_builtins(manifest)
    return {name: value for name, value in plain.items() if value not in (None, [], {})}

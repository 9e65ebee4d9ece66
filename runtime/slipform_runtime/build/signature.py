"""What goes in and out of a model: from its graph, held against the manifest, and as whole shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.manifest import BATCH, Axis, BuildManifest, Size, TensorInfo

DEFAULT_AXIS_SIZE = 64
"""The size of an axis that varies and that no profile bounds."""

UNKNOWN = "unknown"
"""The one axis of a tensor whose shape the graph leaves out."""

DTYPES: dict[int, str] = {
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.STRING: "BYTES",
}


@dataclass(frozen=True)
class Signature:
    """The tensors, without the batch axis where `max_batch_size` is over 0, and the sizes that axes may have."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    max_batch_size: int
    profiles: tuple[dict[str, Size], ...]

    @property
    def batched(self) -> bool:
        """Whether the first axis of every tensor counts the samples of a batch."""
        return self.max_batch_size > 0

    def shape(self, tensor: TensorInfo, batch: int) -> tuple[int, ...]:
        """The whole shape with the first profile's tuned size on each named axis."""
        first = self.profiles[0] if self.profiles else {}
        dims = (
            axis if isinstance(axis, int) else first[axis].opt if axis in first else DEFAULT_AXIS_SIZE
            for axis in tensor.shape
        )
        return (batch, *dims) if self.batched else tuple(dims)

    def sizes(self, tensor: TensorInfo, profile: dict[str, Size]) -> tuple[tuple[int, ...], ...]:
        """The least, the tuned and the largest whole shape in `profile`; raises BadInput for an unbounded axis."""
        axes: list[Axis] = [BATCH, *tensor.shape] if self.batched else list(tensor.shape)
        default = Size(1, self.max_batch_size, self.max_batch_size) if self.batched else None
        found = []
        for axis in axes:
            size = Size(axis, axis, axis) if isinstance(axis, int) else profile.get(axis)
            size = size or (default if axis == BATCH else None)
            if size is None:
                raise BadInput(
                    f"input '{tensor.name}' has the axis '{axis}', which no profile bounds; "
                    f"add {axis}: {{min: …, opt: …, max: …}} to build.profiles"
                )
            found.append(size)
        return tuple(tuple(getattr(size, which) for size in found) for which in ("min", "opt", "max"))

    @property
    def tuned_batch(self) -> int:
        """The batch size that the artefact is tuned for: the first profile's; without one the largest."""
        if not self.batched:
            return 1
        first = self.profiles[0] if self.profiles else {}
        return first[BATCH].opt if BATCH in first else self.max_batch_size

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """What is worth measuring: one, the tuned and the largest, and every fourfold between; 1 without the axis."""
        if not self.batched:
            return (1,)
        steps = {4**power for power in range(8) if 4**power < self.max_batch_size}
        return tuple(sorted({1, self.tuned_batch, self.max_batch_size} | steps))


def signature(model: onnx.ModelProto, manifest: BuildManifest) -> Signature:
    """The model's tensors as the manifest names them; raises BadInput with every contradiction between the two."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    wrong: list[str] = []
    found = tuple(
        _compared(role, values, declared, manifest.max_batch_size, wrong)
        for role, values, declared in (
            ("input", inputs, manifest.inputs),
            ("output", list(model.graph.output), manifest.outputs),
        )
    )
    if not inputs:
        wrong.append("the model has no inputs, and so always the same answer")
    elif not wrong:
        wrong.extend(_foreign_axes(found[0], manifest))
    if wrong:
        raise BadInput("the model is not what the manifest says:\n  " + "\n  ".join(wrong))
    return Signature(found[0], found[1], manifest.max_batch_size, tuple(manifest.profiles))


def _foreign_axes(inputs: Sequence[TensorInfo], manifest: BuildManifest) -> Iterator[str]:
    named = {axis for tensor in inputs for axis in tensor.shape if isinstance(axis, str)}
    known = named | {BATCH} if manifest.max_batch_size else named
    words = ", ".join(sorted(known)) or "none"
    for axis in dict.fromkeys(axis for profile in manifest.profiles for axis in profile):
        if axis not in known:
            yield f"profiles give sizes of '{axis}', an axis that no input has; there are {words}"


def _compared(
    role: str,
    values: Sequence[onnx.ValueInfoProto],
    declared: Sequence[TensorInfo],
    max_batch_size: int,
    wrong: list[str],
) -> tuple[TensorInfo, ...]:
    own = {value.name: value for value in values}
    names = {tensor.name for tensor in declared}
    if declared:
        wrong.extend(f"{role} '{name}' is not in the model, which has {', '.join(own)}" for name in names - set(own))
    if declared and role == "input":
        wrong.extend(f"the model's input '{name}' is not in the manifest" for name in own if name not in names)
    chosen = []
    for value in values:
        tensor = _tensor(role, value, max_batch_size, wrong)
        stated = next((one for one in declared if one.name == value.name), None)
        if tensor is not None and stated is not None:
            _contradictions(role, tensor, stated, wrong)
        if tensor is not None and (stated is not None or not declared):
            chosen.append(stated or tensor)
    return tuple(chosen)


def _tensor(role: str, value: onnx.ValueInfoProto, max_batch_size: int, wrong: list[str]) -> TensorInfo | None:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in DTYPES:
        wrong.append(
            f"{role} '{value.name}' is no tensor of the protocol's types; export a classifier with zipmap=False"
        )
        return None
    if not kind.HasField("shape"):
        return TensorInfo(value.name, DTYPES[kind.elem_type], [UNKNOWN])
    dims: list[Axis] = [
        dim.dim_value if dim.dim_value > 0 else _axis_name(value.name, index, dim.dim_param)
        for index, dim in enumerate(kind.shape.dim)
    ]
    if max_batch_size and (not dims or isinstance(dims[0], int)):
        size = f"a first axis of {dims[0]}" if dims else "no axis"
        wrong.append(
            f"{role} '{value.name}' has {size}, and max_batch_size {max_batch_size} needs one that varies; "
            "export the model with a dynamic batch axis, or set max_batch_size: 0"
        )
        return None
    return TensorInfo(value.name, DTYPES[kind.elem_type], dims[1:] if max_batch_size else dims)


def _axis_name(tensor: str, index: int, parameter: str) -> str:
    return parameter if parameter.isidentifier() else f"{tensor}_{index}"


def _contradictions(role: str, own: TensorInfo, stated: TensorInfo, wrong: list[str]) -> None:
    if own.dtype != stated.dtype:
        wrong.append(f"{role} '{own.name}' is {own.dtype} in the model, {stated.dtype} in the manifest")
    known = own.shape != [UNKNOWN]
    if known and (
        len(own.shape) != len(stated.shape)
        or any(isinstance(mine, int) and mine != other for mine, other in zip(own.shape, stated.shape, strict=True))
    ):
        wrong.append(
            f"{role} '{own.name}' has shape {_shown(own.shape)} in the model, {_shown(stated.shape)} in the manifest"
        )


def _shown(shape: Sequence[Axis]) -> str:
    return f"[{', '.join(map(str, shape))}]"

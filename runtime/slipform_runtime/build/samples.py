"""Inputs on which two models are compared: those that a .npz file holds, or generated ones."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.manifest import TensorInfo
from slipform_runtime.build.onnxfile import nodes
from slipform_runtime.build.signature import Signature
from slipform_runtime.datatypes import FROM_NUMPY, NUMPY, Tensor

GENERATED = 32
"""Samples that are made where none are given."""

HELD_BACK = 0.2
"""The share of a calibration set that calibrates nothing, so that it can judge the result."""

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Samples:
    """Arrays by input, the samples along the first axis: `(n, *shape without the batch axis)`."""

    arrays: Batch
    origin: str
    """Where they come from, in words for the report."""

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def batches(self, size: int, *, batched: bool) -> list[Batch]:
        """All samples in batches of at most `size`; without a batch axis one by one, as the model takes them."""
        if not batched:
            return [{name: array[index] for name, array in self.arrays.items()} for index in range(len(self))]
        return [
            {name: array[start : start + size] for name, array in self.arrays.items()}
            for start in range(0, len(self), size)
        ]

    def batch(self, size: int, *, batched: bool) -> Batch:
        """One batch of exactly `size`, the samples repeated where there are fewer."""
        if not batched:
            return self.batches(1, batched=False)[0]
        return {name: np.resize(array, (size, *array.shape[1:])) for name, array in self.arrays.items()}

    def split(self) -> tuple["Samples", "Samples"]:
        """What calibrates and what judges: apart where there are ten or more, else the same."""
        if len(self) < 10:
            return self, self
        cut = round(len(self) * (1 - HELD_BACK))
        first = {name: array[:cut] for name, array in self.arrays.items()}
        rest = {name: array[cut:] for name, array in self.arrays.items()}
        return (
            Samples(first, f"the first {cut} of {self.origin}"),
            Samples(rest, f"the last {len(self) - cut} of {self.origin}, which calibrated nothing"),
        )


def read(path: Path, signature: Signature, shown: str, *, finite: bool = False) -> Samples:
    """The samples in a .npz file; raises BadInput with every array that does not fit the model.

    `finite`: of numbers alone, as ranges are taken from; a model of tables may well take NaN for what is missing.
    """
    arrays = _arrays(path, shown)
    wrong = [
        problem for tensor in signature.inputs for problem in _problems(tensor, arrays.get(tensor.name), sorted(arrays))
    ]
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if not wrong and len(lengths) != 1:
        counts = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        wrong.append(f"every array needs as many samples as the others: {counts}")
    if not wrong and lengths == {0}:
        wrong.append("there are no samples in it")
    if not wrong and finite:
        wrong.extend(
            f"'{tensor.name}' has NaN or infinity in {count} of its {len(arrays[tensor.name])} samples, from which no "
            "range can be taken"
            for tensor in signature.inputs
            if (count := _not_finite(arrays[tensor.name]))
        )
    if wrong:
        raise BadInput(f"{shown} does not fit the model:\n  " + "\n  ".join(wrong))
    chosen = {tensor.name: arrays[tensor.name] for tensor in signature.inputs}
    return Samples(chosen, f"{next(iter(lengths))} samples of {shown}")


def generate(signature: Signature, model: onnx.ModelProto, count: int = GENERATED) -> Samples:
    """Random samples of the declared shapes and types, the same in every run; raises BadInput for texts."""
    random = np.random.default_rng(0)
    arrays = {}
    for tensor in signature.inputs:
        shape = signature.shape(tensor, 1)[1:] if signature.batched else signature.shape(tensor, 1)
        arrays[tensor.name] = _generated(random, tensor, (count, *shape), model)
    return Samples(arrays, f"{count} generated samples (seed 0), which say less than real ones")


def _arrays(path: Path, shown: str) -> Batch:
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise BadInput(f"{shown} holds one array without a name; numpy.savez(FILE, INPUT_NAME=array) names it")
        with file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"{shown} is not a .npz file of plain arrays: {error}") from error


def _not_finite(array: Tensor) -> int:
    """The samples that hold something else than numbers."""
    if array.dtype.kind != "f":
        return 0
    return int(np.count_nonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1)))


def _problems(tensor: TensorInfo, array: Tensor | None, known: list[str]) -> list[str]:
    if array is None:
        return [f"no array '{tensor.name}'; it has {', '.join(known) or 'none'}"]
    wanted = f"(samples, {', '.join(map(str, tensor.shape))})" if tensor.shape else "(samples,)"
    found = []
    if array.dtype != NUMPY[tensor.dtype] and not (tensor.dtype == "BYTES" and array.dtype.kind in "SU"):
        given = FROM_NUMPY.get(array.dtype, str(array.dtype))
        found.append(f"'{tensor.name}' is {given}, the model takes {tensor.dtype}")
    fits = array.ndim == len(tensor.shape) + 1 and all(
        isinstance(axis, str) or axis == size for axis, size in zip(tensor.shape, array.shape[1:], strict=True)
    )
    if not fits:
        found.append(f"'{tensor.name}' has shape {array.shape}, the model takes {wanted}")
    return found


def _generated(
    random: np.random.Generator, tensor: TensorInfo, shape: tuple[int, ...], model: onnx.ModelProto
) -> Tensor:
    dtype = NUMPY[tensor.dtype]
    if dtype.kind == "O":
        raise BadInput(f"input '{tensor.name}' takes texts, which can't be made up; give samples: …/samples.npz")
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    if "mask" in tensor.name.lower():
        return np.ones(shape, dtype)
    limit = _index_limit(model, tensor.name) or (2 if "type" in tensor.name.lower() else 100)
    return random.integers(0, min(limit, np.iinfo(dtype).max), shape).astype(dtype)


_KEEP_INDICES = {
    "Cast", "Identity", "Add", "Mul", "Where", "Concat", "Slice", "Expand",
    "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose",
}  # fmt: skip
"""Through these an index comes to its table: as it is, or with what negative ones need added."""


def _index_limit(model: onnx.ModelProto, name: str) -> int | None:
    """The rows of the smallest table that an input picks from, so that no generated index lies beyond it."""
    same, limits = {name}, []
    tables = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    for node in nodes(model.graph):
        if node.op_type in _KEEP_INDICES and same.intersection(node.input):
            same.update(node.output)
        if node.op_type == "Gather" and node.input[1] in same and node.input[0] in tables:
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
            limits.append(int(tables[node.input[0]][axis]))
    return min(limits, default=None)

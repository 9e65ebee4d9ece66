"""Do a spec's tensors agree with the ONNX file that lies in the project? Elsewhere the server finds out, at loading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..spec.findings import FieldPath, Finding, did_you_mean
from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from .sources import files_of, local_folder

if TYPE_CHECKING:
    from ..starting.models.signature import FoundTensor, Signature


def problems(spec: ModelSpec, root: Path) -> Iterator[Finding]:
    """What the served version's file contradicts; of a candidate as well, for it has the same tensors."""
    if spec.model.format != "onnx":
        return
    for source in spec.sources:
        if source.uri is None or not source.uri.startswith("file:"):
            continue
        if file := _onnx(local_folder(source.uri, source.version, root)):
            yield from _contradictions(spec, file, file.relative_to(root))


def _onnx(version: Path) -> Path | None:
    """The version's model; None where there is none, or more than one and none of the usual name."""
    found = [file for file in files_of(version) if file.suffix == ".onnx"]
    usual = [file for file in found if file.name == "model.onnx"]
    return (usual or found)[0] if len(usual or found) == 1 else None


def _contradictions(spec: ModelSpec, file: Path, name: Path) -> Iterator[Finding]:
    from ..starting.models.onnx import read
    from ..starting.models.signature import Unreadable

    try:
        signature = read(file)
    except Unreadable as problem:
        said = str(problem).replace(str(file), str(name))
        yield Finding(said, path=("model", "uri"), given=spec.model.uri)
        return
    yield from _batch_axis(spec, signature, name)
    yield from _side(("model", "inputs"), spec, spec.model.inputs, signature.inputs, name, whole=True)
    yield from _side(("model", "outputs"), spec, spec.model.outputs, signature.outputs, name, whole=False)


def _batched(spec: ModelSpec) -> bool:
    return spec.serving.batching.max_batch_size > 0


def _batch_axis(spec: ModelSpec, signature: Signature, name: Path) -> Iterator[Finding]:
    fixed = [tensor for tensor in signature.inputs if tensor.shape and tensor.shape[0].size is not None]
    if fixed and _batched(spec):
        yield Finding(
            f"{name} takes no batches: {fixed[0].described()} has a first axis that never varies",
            path=("serving", "batching", "max_batch_size"),
            given=str(spec.serving.batching.max_batch_size),
            allowed="0, and shapes with all axes",
            remedy="export the model with a first axis that varies, and several requests run at once",
        )


def _side(
    path: FieldPath, spec: ModelSpec, said: Sequence[Tensor], found: Sequence[FoundTensor], name: Path, *, whole: bool
) -> Iterator[Finding]:
    """Inputs have to be all there (``whole``); of the outputs a spec names those that it wants."""
    known = {tensor.name: tensor for tensor in found}
    for index, tensor in enumerate(said):
        where = (*path, index)
        if tensor.name not in known:
            yield Finding(
                f"{name} has no {'input' if whole else 'output'} of that name",
                path=(*where, "name"),
                given=tensor.name,
                allowed=", ".join(each.described() for each in found),
                remedy=did_you_mean(tensor.name, known),
            )
        else:
            yield from _tensor(where, spec, tensor, known[tensor.name], name)
    if whole and said and all(tensor.name in known for tensor in said):
        for missing in sorted(known.keys() - {tensor.name for tensor in said}):
            yield Finding(f"{name} takes another input: {known[missing].described()}", path=path,
                          remedy="add it: a request without it can't be answered")  # fmt: skip


def _tensor(path: FieldPath, spec: ModelSpec, said: Tensor, found: FoundTensor, name: Path) -> Iterator[Finding]:
    if said.dtype != found.dtype:
        yield Finding(f"{name} has another type", path=(*path, "dtype"), given=said.dtype, allowed=found.dtype)
    if found.shape is None or (_batched(spec) and found.shape and found.shape[0].size is not None):
        return  # the file leaves it out, or its batch axis is what is wrong
    axes = found.shape[_batched(spec) :]
    fits = len(axes) == len(said.shape) and all(
        axis.size is None or axis.size == size for axis, size in zip(axes, said.shape, strict=True)
    )
    if not fits:
        yield Finding(
            f"{name} has another shape",
            path=(*path, "shape"),
            given=_written(said.shape),
            allowed=_written([axis.size or axis.name or "?" for axis in axes])
            + (", the batch axis left out" if _batched(spec) else ""),
        )


def _written(axes: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, axes))}]"

"""ONNX files: read with every check that can be made without running them, and written."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper, version_converter

from slipform_runtime.build.errors import BadInput, ToolFailed

_EMBEDDED_LIMIT = (1 << 31) - (64 << 20)
"""A protobuf message ends at 2 GiB; larger weights go into a file beside it."""

WEIGHTS = "model.onnx.data"


def read(path: Path) -> onnx.ModelProto:
    """The model with its external data; raises BadInput for what is no whole, valid ONNX model."""
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise BadInput(_not_onnx(path)) from error
    except OSError as error:
        raise BadInput(f"{path.name}: {error.strerror or error}") from error
    if not model.ir_version or not model.opset_import or not model.HasField("graph") or not model.graph.output:
        raise BadInput(_not_onnx(path))
    _external_data_must_be_inside(model, path.parent)
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        raise BadInput(f"{path.name} is not a valid ONNX model: {_first_line(error)}") from error
    external_data_helper.load_external_data_for_model(model, str(path.parent))
    return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the model; weights that a protobuf can't hold go beside it."""
    large = model.ByteSize() > _EMBEDDED_LIMIT
    onnx.save_model(model, path, save_as_external_data=large, location=WEIGHTS if large else None)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from nodes(subgraph)


def described(node: onnx.NodeProto) -> str:
    """The node as people find it in a viewer."""
    operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return f"{operator} (node '{node.name}')" if node.name else f"{operator} (the node that makes '{node.output[0]}')"


def opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def at_least_opset(model: onnx.ModelProto, version: int, to: int) -> onnx.ModelProto:
    """The model with at least that opset: `to`, where its own is older than `version`."""
    if opset(model) >= version:
        return model
    try:
        return version_converter.convert_version(model, to)
    except Exception as error:  # the converter's C++ raises RuntimeError and its own types
        raise ToolFailed(
            f"the model's opset {opset(model)} must become {to}, and ONNX's converter fails: {_first_line(error)}; "
            f"export the model anew with opset {to}"
        ) from error


def with_used_domains(model: onnx.ModelProto) -> onnx.ModelProto:
    """ONNX Runtime's optimiser of graphs declares every domain that it knows, that of transformers not even its own."""
    used = {node.domain for node in nodes(model.graph)} | {
        node.domain for function in model.functions for node in function.node
    }
    kept = [entry for entry in model.opset_import if entry.domain in used or entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    missing = used - {entry.domain for entry in kept} - {"", "ai.onnx"}
    model.opset_import.extend(onnx.helper.make_opsetid(domain, 1) for domain in sorted(missing))
    return model


def _external_data_must_be_inside(model: onnx.ModelProto, folder: Path) -> None:
    for tensor in _tensors(model):
        if not external_data_helper.uses_external_data(tensor):
            continue
        fields = {entry.key: entry.value for entry in tensor.external_data}
        location = fields.get("location", "")
        relative = PurePosixPath(location)
        inside = (folder / location).resolve().is_relative_to(folder.resolve())
        if not location or relative.is_absolute() or ".." in relative.parts or not inside:
            raise BadInput(
                f"tensor '{tensor.name}' has its data in '{location}', outside the model's folder; "
                "save the model again with its data beside it"
            )
        file = folder / location
        if not file.is_file():
            raise BadInput(f"tensor '{tensor.name}' has its data in '{location}', which is not beside the model")
        if not all((fields.get(key) or "0").isdigit() for key in ("offset", "length")):
            raise BadInput(f"tensor '{tensor.name}' has a place in '{location}' that is no number")
        end = int(fields.get("offset") or 0) + int(fields.get("length") or 0)
        if end > file.stat().st_size:
            raise BadInput(
                f"tensor '{tensor.name}' ends at byte {end} of '{location}', which has {file.stat().st_size}"
            )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _node_tensors(node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield from attribute.tensors
        if attribute.HasField("t"):
            yield attribute.t
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            yield from _graph_tensors(graph)


def _not_onnx(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
    if not size:
        return f"{path.name} is empty"
    if start.startswith(b"version https://git-lfs"):
        return f"{path.name} is a pointer of Git LFS, not the model: run git lfs pull"
    return f"{path.name} ({size} bytes) is not a whole ONNX model: truncated, or of another format"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

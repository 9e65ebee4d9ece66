"""ONNX: the graph's inputs and outputs, where its weights are, and the names of a classifier's classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from ...protobuf import message_type
from .signature import Axis, FoundTensor, Signature, Unreadable

_MESSAGES = {
    "ModelProto": {
        "ir_version": (1, "int64"),
        "producer_name": (2, "string"),
        "producer_version": (3, "string"),
        "graph": (7, "GraphProto"),
        "opset_import": (8, "*OperatorSetIdProto"),
    },
    "OperatorSetIdProto": {"domain": (1, "string"), "version": (2, "int64")},
    "GraphProto": {
        "node": (1, "*NodeProto"),
        "initializer": (5, "*TensorProto"),
        "input": (11, "*ValueInfoProto"),
        "output": (12, "*ValueInfoProto"),
    },
    "NodeProto": {
        "output": (2, "*string"),
        "op_type": (4, "string"),
        "attribute": (5, "*AttributeProto"),
        "domain": (7, "string"),
    },
    "AttributeProto": {"name": (1, "string"), "ints": (8, "*int64"), "strings": (9, "*bytes")},
    "TensorProto": {"name": (8, "string"), "external_data": (13, "*StringStringEntryProto")},
    "StringStringEntryProto": {"key": (1, "string"), "value": (2, "string")},
    "ValueInfoProto": {"name": (1, "string"), "type": (2, "TypeProto")},
    "TypeProto": {
        "tensor_type": (1, "TensorTypeProto"),
        "sequence_type": (4, "OtherTypeProto"),
        "map_type": (5, "OtherTypeProto"),
        "sparse_tensor_type": (8, "OtherTypeProto"),
        "optional_type": (9, "OtherTypeProto"),
    },
    "TensorTypeProto": {"elem_type": (1, "int32"), "shape": (2, "TensorShapeProto")},
    "OtherTypeProto": {},
    "TensorShapeProto": {"dim": (1, "*Dimension")},
    "Dimension": {"dim_value": (1, "int64"), "dim_param": (2, "string")},
}
"""The part of onnx.proto that says what goes in and out."""

_DTYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "BYTES", 9: "BOOL",
    10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64",
}  # fmt: skip
"""TensorProto.DataType, as far as the protocol has a word and the runtimes a type for it."""
_FOREIGN = {14: "complex64", 15: "complex128", 16: "bfloat16", 21: "uint4", 22: "int4"}

MAX_BYTES = 1 << 31
"""Where a protobuf message ends."""


def read(file: Path) -> Signature:
    """What the model in ``file`` says. Raises Unreadable for what is no whole ONNX model, or one that can't serve."""
    if file.stat().st_size >= MAX_BYTES:
        raise Unreadable(f"{file} has 2 GiB or more, which no ONNX file can: save it with its weights as external data")
    model = _parsed(file)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    wrong = [problem for value in (*inputs, *graph.output) if (problem := _problem(value))]
    if wrong:
        raise Unreadable(f"{file} can't be served:\n" + "\n".join(f"    {line}" for line in wrong))
    if shapeless := [value.name for value in inputs if not value.type.tensor_type.HasField("shape")]:
        raise Unreadable(
            f"{file} does not say what shape {', '.join(shapeless)} has: export it again with its inputs' shapes"
        )
    if not inputs:
        raise Unreadable(f"{file} has no input, and so nothing to ask it")
    labels = _labels(graph)
    return Signature(
        format="onnx",
        main=file,
        files=(file, *_weights(file, graph)),
        inputs=tuple(_tensor(value) for value in inputs),
        outputs=tuple(_tensor(value, labels) for value in graph.output),
        origin=_origin(model),
    )


@cache
def _model_type() -> Any:
    return message_type("slipform.onnx", "ModelProto", _MESSAGES)


def _parsed(file: Path) -> Any:
    from google.protobuf.message import DecodeError

    try:
        model = _model_type().FromString(file.read_bytes())
    except DecodeError:
        model = None
    if model is None or not model.ir_version or not model.graph.output or not _imports_what_it_uses(model):
        raise Unreadable(
            f"{file} is no whole ONNX model: cut off, or of another format\n"
            "    read are ONNX, PyTorch's programs, SavedModel, Keras, XGBoost, LightGBM, skops and folders of MLflow"
        )
    return model


def _imports_what_it_uses(model: Any) -> bool:
    """The imports stand at a file's end: one that is cut off between two of them lacks the second."""
    imported = {entry.domain or "ai.onnx" for entry in model.opset_import}
    used = {node.domain or "ai.onnx" for node in model.graph.node}
    return bool(imported) and imported >= used & {"ai.onnx", "ai.onnx.ml"}


def _problem(value: Any) -> str | None:
    """Why a tensor can't be one of a request or an answer."""
    kind = value.type
    if not kind.HasField("tensor_type"):
        what = next((field.name.removesuffix("_type") for field, _ in kind.ListFields()), "nothing that is declared")
        return f"{value.name} is a {what}, no tensor; with scikit-learn: to_onnx(…, options={{'zipmap': False}})"
    if kind.tensor_type.elem_type not in _DTYPES:
        dtype = _FOREIGN.get(kind.tensor_type.elem_type, f"of ONNX's type {kind.tensor_type.elem_type}")
        return f"{value.name} is {dtype}, which clients can't send; cast it to float32 inside the model"
    return None


def _tensor(value: Any, labels: tuple[str, ...] = ()) -> FoundTensor:
    kind = value.type.tensor_type
    shape = tuple(_axis(dim) for dim in kind.shape.dim) if kind.HasField("shape") else None
    dtype = _DTYPES[kind.elem_type]
    fits = shape and dtype.startswith("FP") and shape[-1].size == len(labels)
    return FoundTensor(value.name, dtype, shape, labels if fits else ())


def _axis(dim: Any) -> Axis:
    return Axis(dim.dim_value) if dim.dim_value > 0 else Axis(None, dim.dim_param)


def _labels(graph: Any) -> tuple[str, ...]:
    """The classes' names, where one node at the end is a classifier of ONNX's operators for classical models."""
    found = {
        tuple(each.decode("utf-8", "replace") for each in attribute.strings)
        for node in graph.node
        for attribute in node.attribute
        if node.op_type.endswith("Classifier") and attribute.name == "classlabels_strings" and attribute.strings
    }
    return found.pop() if len(found) == 1 else ()


def _weights(file: Path, graph: Any) -> Iterator[Path]:
    """Files beside the model that hold its weights. Raises Unreadable where one is missing, or lies elsewhere."""
    places = {entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"}
    for place in sorted(places):
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts:
            raise Unreadable(f"{file} has weights in {place}, outside its folder: save it again with them beside it")
        if not (file.parent / path).is_file():
            raise Unreadable(f"{file} has weights in {place}, which is not beside it: copy that file there too")
        yield file.parent / path


def _origin(model: Any) -> str:
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    made_by = f", made by {model.producer_name} {model.producer_version}".rstrip() if model.producer_name else ""
    return f"ONNX opset {opset}{made_by}"

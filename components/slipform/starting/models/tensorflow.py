"""TensorFlow's SavedModel: the signature that TensorFlow Serving serves."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ...protobuf import message_type
from .signature import Axis, FoundTensor, Signature, Unreadable

FILE = "saved_model.pb"
_SERVED = ("serving_default", "serve")
_MESSAGES = {
    "SavedModel": {"meta_graphs": (2, "*MetaGraphDef")},
    "MetaGraphDef": {"meta_info_def": (1, "MetaInfoDef"), "signature_def": (5, "*SignatureEntry")},
    "MetaInfoDef": {"tags": (4, "*string"), "tensorflow_version": (5, "string")},
    "SignatureEntry": {"key": (1, "string"), "value": (2, "SignatureDef")},
    "SignatureDef": {"inputs": (1, "*TensorEntry"), "outputs": (2, "*TensorEntry")},
    "TensorEntry": {"key": (1, "string"), "value": (2, "TensorInfo")},
    "TensorInfo": {"dtype": (2, "int32"), "tensor_shape": (3, "TensorShapeProto")},
    "TensorShapeProto": {"dim": (2, "*Dim"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64")},
}
"""The part of saved_model.proto and meta_graph.proto that says what goes in and out."""

_DTYPES = {
    1: "FP32", 2: "FP64", 3: "INT32", 4: "UINT8", 5: "INT16", 6: "INT8", 7: "BYTES", 9: "INT64", 10: "BOOL",
    17: "UINT16", 19: "FP16", 22: "UINT32", 23: "UINT64",
}  # fmt: skip


def read(folder: Path) -> Signature:
    """The model in ``folder``. Raises Unreadable where it is none, or names nothing to serve."""
    graph = _served_graph(folder / FILE)
    signatures = {entry.key: entry.value for entry in graph.signature_def if not entry.key.startswith("__")}
    name = next((each for each in _SERVED if each in signatures), None) or (
        next(iter(signatures)) if len(signatures) == 1 else None
    )
    if name is None or not signatures[name].inputs:
        raise Unreadable(
            f"{folder} has no signature serving_default with inputs: it has {', '.join(signatures) or 'none'}\n"
            "    tf.saved_model.save(model, folder, signatures={'serving_default': function}) gives it one"
        )
    inputs, outputs = (
        tuple(_tensor(folder, entry) for entry in sorted(entries, key=lambda entry: str(entry.key)))
        for entries in (signatures[name].inputs, signatures[name].outputs)
    )
    return Signature(
        format="tensorflow",
        main=folder / FILE,
        files=(folder / FILE, *sorted(f for f in folder.rglob("*") if f.is_file() and f != folder / FILE)),
        inputs=inputs,
        outputs=outputs,
        origin=f"SavedModel of TensorFlow {graph.meta_info_def.tensorflow_version}, signature {name}",
    )


@cache
def _type() -> Any:
    return message_type("slipform.tensorflow", "SavedModel", _MESSAGES)


def _served_graph(file: Path) -> Any:
    from google.protobuf.message import DecodeError

    try:
        graphs = _type().FromString(file.read_bytes()).meta_graphs
    except DecodeError:
        graphs = []
    if not graphs:
        raise Unreadable(f"{file} is no whole SavedModel: cut off, or of another format")
    return next((graph for graph in graphs if "serve" in graph.meta_info_def.tags), graphs[0])


def _tensor(folder: Path, entry: Any) -> FoundTensor:
    info = entry.value
    if info.dtype not in _DTYPES:
        raise Unreadable(f"{folder}: {entry.key} is of TensorFlow's type {info.dtype}, which clients can't send")
    if info.tensor_shape.unknown_rank:
        raise Unreadable(f"{folder} does not say what shape {entry.key} has: give its tf.TensorSpec one")
    shape = tuple(Axis(dim.size if dim.size > 0 else None) for dim in info.tensor_shape.dim)
    return FoundTensor(entry.key, _DTYPES[info.dtype], shape)

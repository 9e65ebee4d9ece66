"""Keras' own archives: config.json says how the layers are joined, and so what goes in."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .signature import Axis, FoundTensor, Signature, Unreadable

CONFIG = "config.json"
_DTYPES = {
    "float16": "FP16", "float32": "FP32", "float64": "FP64", "bool": "BOOL", "string": "BYTES",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
}  # fmt: skip


def read(file: Path) -> Signature:
    """A model that ``model.save('….keras')`` wrote; what comes out is the build's to say. Raises Unreadable."""
    try:
        with zipfile.ZipFile(file) as archive:
            model = json.loads(archive.read(CONFIG))
            about = json.loads(archive.read("metadata.json")) if "metadata.json" in archive.namelist() else {}
        inputs = tuple(_inputs(model))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, zipfile.BadZipFile):
        inputs, about = (), {}
    if not inputs:
        raise Unreadable(
            f"{file} is Keras' own format, and does not say what its inputs are\n"
            "    model.export('model.onnx', format='onnx') makes ONNX of it (Keras 3)"
        )
    return Signature("keras", file, (file,), inputs, (), f"Keras {about.get('keras_version', 'of unknown version')}")


def _inputs(model: dict[str, Any]) -> Iterator[FoundTensor]:
    """In the order in which the model takes them. Without an input layer of its own a chain of layers is told by what
    it was built for."""
    config = model["config"]
    layers = {layer["config"]["name"]: layer for layer in config["layers"] if layer["class_name"] == "InputLayer"}
    names = list(_names(config["input_layers"])) if "input_layers" in config else list(layers)
    for name in names:
        yield _tensor(name, layers[name]["config"]["batch_shape"], layers[name]["config"]["dtype"])
    if not names:
        yield _tensor("input", model["build_config"]["input_shape"], "float32")


def _names(places: Any) -> Iterator[str]:
    """``["x", 0, 0]``, a list of such, or a mapping to such."""
    if isinstance(places, dict):
        places = list(places.values())
    if isinstance(places[0], str):
        yield places[0]
        return
    for place in places:
        yield from _names(place)


def _tensor(name: str, shape: list[int | None], dtype: Any) -> FoundTensor:
    kind = dtype["config"]["name"] if isinstance(dtype, dict) else dtype  # a policy of mixed precision
    return FoundTensor(name, _DTYPES[kind], tuple(Axis(size) for size in shape))

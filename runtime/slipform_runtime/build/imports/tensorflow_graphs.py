"""TensorFlow: SavedModels through tf2onnx, and Keras' own files through Keras' exporter."""

import os
from importlib import import_module
from typing import Any

import numpy as np

from slipform_runtime.build.imports.compared import Answer, renamed
from slipform_runtime.build.imports.wanted import Refused, Wanted
from slipform_runtime.build.signature import DEFAULT_AXIS_SIZE

_OPSET = 17
_SERVED = ("serving_default", "serve")


def tensorflow(wanted: Wanted) -> Answer:
    """Export the signature that TensorFlow Serving serves."""
    if wanted.path.is_file():
        return keras(wanted)
    library: Any = import_module("tensorflow")
    tf2onnx = _tf2onnx()
    loaded = library.saved_model.load(str(wanted.path))
    found = dict(loaded.signatures)
    name = next((name for name in _SERVED if name in found), next(iter(found)) if len(found) == 1 else "")
    if not name:
        raise Refused(f"has no signature serving_default; it has {', '.join(found) or 'none'}")
    served = found[name]
    specs = [
        library.TensorSpec(spec.shape, spec.dtype, name=key)
        for key, spec in served.structured_input_signature[1].items()
    ]
    keys = [spec.name for spec in specs]
    function = library.function(lambda *tensors: served(**dict(zip(keys, tensors, strict=True))))
    tf2onnx.convert.from_function(function, input_signature=specs, opset=_OPSET, output_path=str(wanted.target))
    renamed(wanted)

    def answer(arrays: list[Any]) -> list[Any]:
        tensors = dict(zip(keys, map(library.constant, arrays), strict=True))
        return [tensor.numpy() for tensor in library.nest.flatten(served(**tensors))]

    return answer


def keras(wanted: Wanted) -> Answer:
    """Export a `.keras` or `.h5` file; a Lambda layer in it is code, and refused where it is not trusted."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    library: Any = import_module("keras")
    _tf2onnx()
    model = library.saving.load_model(wanted.path, compile=False, safe_mode=not wanted.trusted)
    _call(library, model)  # Keras exports no model that has not answered yet
    model.export(str(wanted.target), format="onnx", opset_version=_OPSET, verbose=False)
    renamed(wanted)

    def answer(arrays: list[Any]) -> list[Any]:
        found = model(arrays if len(arrays) > 1 else arrays[0], training=False)
        return [np.asarray(tensor) for tensor in library.tree.flatten(found)]

    return answer


def _call(library: Any, model: Any) -> None:
    tensors = [
        library.ops.zeros([1, *(size or DEFAULT_AXIS_SIZE for size in tensor.shape[1:])], dtype=tensor.dtype)
        for tensor in model.inputs
    ]
    model(tensors if len(tensors) > 1 else tensors[0], training=False)


def _tf2onnx() -> Any:
    """It asks numpy for a name that numpy has no more."""
    if "object" not in vars(np):
        vars(np)["object"] = object
    return import_module("tf2onnx")

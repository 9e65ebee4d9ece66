"""TensorFlow: SavedModels through tf2onnx, and Keras' own files through Keras' exporter."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
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
    loaded, serve, specs = served(wanted.path)
    function = library.function(serve)
    tf2onnx.convert.from_function(function, input_signature=specs, opset=_OPSET, output_path=str(wanted.target))
    renamed(wanted)

    def answer(arrays: list[Any]) -> list[Any]:
        _ = loaded  # it holds the weights
        return [tensor.numpy() for tensor in serve(*map(library.constant, arrays))]

    return answer


def served(folder: Path) -> tuple[Any, Callable[..., list[Any]], list[Any]]:
    """A SavedModel, which holds the weights, its signature from tensors to tensors, and what each tensor is."""
    library: Any = import_module("tensorflow")
    loaded = library.saved_model.load(str(folder))
    found = dict(loaded.signatures)
    name = next((name for name in _SERVED if name in found), next(iter(found)) if len(found) == 1 else "")
    if not name:
        raise Refused(f"has no signature serving_default; it has {', '.join(found) or 'none'}")
    inputs = found[name].structured_input_signature[1]
    specs = [library.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in inputs.items()]

    def serve(*tensors: Any) -> list[Any]:
        return list(library.nest.flatten(found[name](**dict(zip(inputs, tensors, strict=True)))))

    return loaded, serve, specs


def keras(wanted: Wanted) -> Answer:
    """Export a `.keras` or `.h5` file; a Lambda layer in it is code, and refused where it is not trusted."""
    library, model = loaded_keras(wanted)
    _tf2onnx()
    model.export(str(wanted.target), format="onnx", opset_version=_OPSET, verbose=False)
    renamed(wanted, _output_names(model))

    def answer(arrays: list[Any]) -> list[Any]:
        found = model(arrays if len(arrays) > 1 else arrays[0], training=False)
        return [np.asarray(tensor) for tensor in library.tree.flatten(found)]

    return answer


def _output_names(model: Any) -> list[str]:
    """As Keras calls them: by the layers that they come from."""
    names = list(getattr(model, "output_names", ()))
    return names if len(set(names)) == len(model.outputs) else [f"output_{at}" for at in range(len(model.outputs))]


def loaded_keras(wanted: Wanted) -> tuple[Any, Any]:
    """Keras and the model, which has answered once: Keras exports none that has not."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    library: Any = import_module("keras")
    model = library.saving.load_model(wanted.path, compile=False, safe_mode=not wanted.trusted)
    tensors = [
        library.ops.zeros([1, *(size or DEFAULT_AXIS_SIZE for size in tensor.shape[1:])], dtype=tensor.dtype)
        for tensor in model.inputs
    ]
    model(tensors if len(tensors) > 1 else tensors[0], training=False)
    return library, model


def _tf2onnx() -> Any:
    """It asks numpy for a name that numpy has no more."""
    if "object" not in vars(np):
        vars(np)["object"] = object
    return import_module("tf2onnx")

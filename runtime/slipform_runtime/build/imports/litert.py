"""TensorFlow Lite's format, from TensorFlow's own converter: what LiteRT runs on phones and small boards."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from slipform_runtime.build.imports.tensorflow_graphs import loaded_keras, served
from slipform_runtime.build.imports.wanted import Wanted
from slipform_runtime.datatypes import Tensor

_STEPS = {
    "fp32": "weights and sums in FP32",
    "fp16": "weights in FP16, sums in what the device computes them in",
    "int8-dynamic": "weights in INT8, activations quantised anew for each request",
    "int8-static": "weights and activations in INT8, ranges the least and the largest of the samples",
}


def tflite(wanted: Wanted) -> list[str]:
    """Convert, with the manifest's names for the tensors."""
    tensorflow: Any = import_module("tensorflow")
    with TemporaryDirectory() as scratch:
        renamed = Path(scratch) / "renamed"
        _rename(wanted, _saved_model(wanted, Path(scratch)), renamed)
        converter = tensorflow.lite.TFLiteConverter.from_saved_model(str(renamed))
        if wanted.precision != "fp32":
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        if wanted.precision == "fp16":
            converter.target_spec.supported_types = [tensorflow.float16]
        if wanted.precision == "int8-static":
            converter.representative_dataset = lambda: _samples(wanted)
        wanted.target.write_bytes(converter.convert())
    return [f"converted to TensorFlow Lite's format: {_STEPS[wanted.precision]}"]


def _saved_model(wanted: Wanted, scratch: Path) -> Path:
    if wanted.path.is_dir():
        return wanted.path
    _, model = loaded_keras(wanted)
    model.export(str(scratch / "exported"), verbose=False)
    return scratch / "exported"


def _rename(wanted: Wanted, given: Path, to: Path) -> None:
    """The same model whose one signature has the names of `wanted`."""
    tensorflow: Any = import_module("tensorflow")
    loaded, serve, specs = served(given)
    names = [tensor.name for tensor in wanted.inputs]
    kept = names if len(names) == len(specs) and not set(names) <= {spec.name for spec in specs} else None
    signature = [
        tensorflow.TensorSpec(spec.shape, spec.dtype, name=name)
        for spec, name in zip(specs, kept or [spec.name for spec in specs], strict=True)
    ]

    def answer(*tensors: Any) -> dict[str, Any]:
        return dict(zip(wanted.outputs, serve(*tensors), strict=True))

    module = tensorflow.Module()
    module.loaded = loaded  # its weights are saved with what it belongs to
    tensorflow.saved_model.save(
        module, str(to), signatures=tensorflow.function(answer, input_signature=signature).get_concrete_function()
    )


def _samples(wanted: Wanted) -> Iterator[dict[str, Tensor]]:
    with np.load(str(wanted.samples)) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    for index in range(len(next(iter(held.values())))):
        yield {name: array[index : index + 1] if wanted.batched else array[index] for name, array in held.items()}

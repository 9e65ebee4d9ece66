"""Which importer a format means."""

from pathlib import Path

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.imports.isolation import run_apart
from slipform_runtime.build.manifest import BuildManifest, TensorInfo
from slipform_runtime.build.source import Fetched

_CONVERTED = ("sklearn", "xgboost")
_NOT_YET = {
    "pytorch": "torch.onnx.export(model, inputs, 'model.onnx', dynamo=True) makes ONNX of it",
    "torchscript": "torch.onnx.export(model, inputs, 'model.onnx', dynamo=True) makes ONNX of its source",
    "tensorflow": "python -m tf2onnx.convert --saved-model DIR --output model.onnx makes ONNX of it",
    "mlflow": "log the model's ONNX flavour, and give format onnx",
}


def import_model(
    manifest: BuildManifest, fetched: Fetched, work: Path, *, trust_pickle: bool
) -> tuple[Path, list[str]]:
    """The model as an ONNX file, and what was done to make it one. Raises a BuildError."""
    kind = manifest.source.format
    if kind == "onnx":
        return fetched.path, []
    if kind not in _CONVERTED:
        allowed = ", ".join(("onnx", *_CONVERTED))
        remedy = f"; {_NOT_YET[kind]}" if kind in _NOT_YET else ""
        raise BadInput(f"source.format '{kind}' can't be built from, {allowed} can{remedy}")
    if not fetched.path.is_file():
        raise BadInput(f"'{fetched.facts.uri}' has several files; name the model's in source.uri")
    columns = _columns(manifest)
    unpickled = needs_unpickling(fetched.path)
    if unpickled and not trust_pickle:
        raise BadInput(
            f"{fetched.path.name} is a pickle: whoever made it decides what runs when it is read. If you trust its "
            "maker, say --trust-pickle or trust_pickle: true; a safe form is ONNX"
            + (", or XGBoost's own: booster.save_model('model.ubj')" if kind == "xgboost" else "")
        )
    target = work / "imported" / "model.onnx"
    target.parent.mkdir()
    return target, run_apart(kind, fetched.path, target, columns, unpickled=unpickled)


def needs_unpickling(path: Path) -> bool:
    """Whether the file is not one of the formats that are data only: XGBoost's JSON and UBJSON begin with a brace."""
    with path.open("rb") as file:
        return not file.read(1).startswith(b"{")


def _columns(manifest: BuildManifest) -> TensorInfo:
    """These models take one table of numbers: the manifest says how wide."""
    kind = manifest.source.format
    if (
        len(manifest.inputs) != 1
        or len(manifest.inputs[0].shape) != 1
        or not isinstance(manifest.inputs[0].shape[0], int)
    ):
        raise BadInput(
            f"a model of format {kind} needs one input: inputs: [{{name: features, dtype: FP32, shape: [N]}}]"
        )
    if manifest.inputs[0].dtype != "FP32":
        raise BadInput(
            f"a model of format {kind} is exported with an FP32 input, the manifest says {manifest.inputs[0].dtype}"
        )
    if not manifest.max_batch_size:
        raise BadInput(f"a model of format {kind} has a batch axis; set max_batch_size over 0")
    return manifest.inputs[0]

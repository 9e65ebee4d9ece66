"""Which importer a format means, and whether the file may be read at all."""

from pathlib import Path

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.imports.files import must_be_whole, runs_code
from slipform_runtime.build.imports.isolation import run_apart
from slipform_runtime.build.imports.mlmodel import flavour
from slipform_runtime.build.imports.wanted import Imported, wanted_of
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.source import Fetched

TABLES = ("sklearn", "xgboost", "lightgbm")
"""Formats whose models take one table of numbers; the manifest says how wide."""

FORMATS = ("onnx", *TABLES, "pytorch", "torchscript", "tensorflow", "keras", "mlflow")
_SAFE_FORMS = {
    "sklearn": "skops.io.dump(model, 'model.skops')",
    "xgboost": "booster.save_model('model.ubj')",
    "lightgbm": "booster.save_model('model.txt')",
}


def import_model(manifest: BuildManifest, fetched: Fetched, work: Path, *, trust_pickle: bool) -> Imported:
    """The model as an ONNX file. Raises a BuildError."""
    kind, path, steps = manifest.source.format, fetched.path, []
    if kind not in FORMATS:
        raise BadInput(f"source.format '{kind}' can't be built from; {', '.join(FORMATS)} can")
    if kind == "mlflow":
        kind, path = flavour(path if path.is_dir() else fetched.folder)
        steps = [f"the flavour {kind} of the MLflow model, {path.name}"]
    if kind == "onnx":
        return Imported(path, tuple(steps), kind, path, trust_pickle)
    must_be_whole(kind, path, fetched.facts.uri)
    if kind in TABLES:
        _must_take_a_table(kind, manifest)
    unpickled = runs_code(kind, path)
    if unpickled and not trust_pickle:
        raise BadInput(
            f"{path.name} is a pickle: whoever made it decides what runs when it is read. If you trust its maker, say "
            f"--trust-pickle or trust_pickle: true; a safe form is ONNX, or what {_SAFE_FORMS[kind]} writes"
        )
    target = work / "imported" / "model.onnx"
    target.parent.mkdir()
    wanted = wanted_of(manifest, kind, path, target, trusted=trust_pickle)
    steps += run_apart(wanted, work, unpickled=unpickled)
    return Imported(target, tuple(steps), kind, path, trust_pickle)


def _must_take_a_table(kind: str, manifest: BuildManifest) -> None:
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

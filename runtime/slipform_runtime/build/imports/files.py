"""What a framework's file is, told without the framework: by its first bytes and the names inside."""

import zipfile
from pathlib import Path

from slipform_runtime.build.errors import BadInput

_NO_PROGRAM = (
    "holds weights, or a pickled module, without the program that they belong to; save that with them: "
    "torch.export.save(torch.export.export(model, inputs, dynamic_shapes=…), 'model.pt2')"
)


def must_be_whole(kind: str, path: Path, uri: str) -> None:
    """Raise BadInput where the file or folder is not one of the format."""
    if kind == "tensorflow":
        if path.suffix not in (".keras", ".h5") and not (path / "saved_model.pb").is_file():
            raise BadInput(f"'{uri}' is no SavedModel: there is no saved_model.pb in {path.name}")
        return
    if not path.is_file():
        raise BadInput(f"'{uri}' has several files; name the model's in source.uri")
    if kind in ("pytorch", "torchscript"):
        _must_be_a_program(kind, path)


def runs_code(kind: str, path: Path) -> bool:
    """Whether reading the file unpickles it. XGBoost's own files begin with a brace, LightGBM's with `tree`, those of
    skops are archives with a schema, and the other formats are read by readers that run nothing."""
    if kind == "sklearn":
        return "schema.json" not in _names(path)
    with path.open("rb") if path.is_file() else (path / "saved_model.pb").open("rb") as file:
        start = file.read(4)
    return {"xgboost": not start.startswith(b"{"), "lightgbm": start != b"tree"}.get(kind, False)


def is_exported_program(path: Path) -> bool:
    """Whether torch.export has saved it; else it is TorchScript."""
    return not is_torchscript(path)


def is_torchscript(path: Path) -> bool:
    """Whether torch.jit has saved it."""
    return any("/code/" in name for name in _names(path))


def _must_be_a_program(kind: str, path: Path) -> None:
    names = _names(path)
    if not names:
        raise BadInput(f"{path.name} is no archive of PyTorch: truncated, of another format, or older than PyTorch 1.6")
    exported = any(name.endswith(("models/model.json", "serialized_exported_program.json")) for name in names)
    if not exported and not is_torchscript(path):
        raise BadInput(f"{path.name} {_NO_PROGRAM}")
    if kind == "torchscript" and exported:
        raise BadInput(f"{path.name} is a program of torch.export: write format pytorch")


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return []

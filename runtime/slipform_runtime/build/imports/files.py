"""What a framework's file is, told without the framework: by its first bytes and the names inside."""

import zipfile
from pathlib import Path

from slipform_runtime.build.errors import BadInput

_NO_PROGRAM = (
    "holds weights, or a pickled module, without the program that they belong to; save that with them: "
    "torch.export.save(torch.export.export(model, inputs, dynamic_shapes=…), 'model.pt2')"
)
_STARTS = {"xgboost": b"{", "lightgbm": b"tree"}
"""How their own files begin, JSON, UBJSON and text; those of skops are archives with a schema."""


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
    """Whether reading the file unpickles it; the formats that are not named here have readers that run nothing."""
    if kind == "sklearn":
        return "schema.json" not in _names(path)
    if kind not in _STARTS:
        return False
    with path.open("rb") as file:
        return not file.read(4).startswith(_STARTS[kind])


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

"""MLflow models: a folder whose file MLmodel says which of the other formats is in it."""

from importlib import import_module
from pathlib import Path
from typing import Any

from slipform_runtime.build.errors import BadInput, Missing

_ORDER = ("onnx", "xgboost", "lightgbm", "pytorch", "tensorflow", "keras", "sklearn")
"""The flavours that are read, those first that need no trust."""

_PLACES = ("data", "pickled_model", "model_data", "saved_model_dir")
"""The fields that name the file or folder, by flavour."""

_PYTORCH_FILES = ("*.pt2", "*.pth", "*.pt")


def flavour(folder: Path) -> tuple[str, Path]:
    """The format to read, and the file or folder of it. Raises BadInput or Missing; nothing is unpickled."""
    described = _read(folder)
    flavours = described.get("flavors")
    if not isinstance(flavours, dict):
        raise BadInput("MLmodel names no flavors")
    for name in _ORDER:
        if isinstance(flavours.get(name), dict):
            return _of(name, _place(folder, name, flavours[name]))
    found = ", ".join(map(str, flavours)) or "none"
    raise BadInput(f"the MLflow model has the flavors {found}; {', '.join(_ORDER)} can be built from")


def _of(name: str, path: Path) -> tuple[str, Path]:
    """The file inside the flavour's folder, where it has one."""
    if path.is_dir() and name == "pytorch":
        files = [file for pattern in _PYTORCH_FILES for file in sorted(path.glob(pattern))]
        if not files:
            raise BadInput(f"the flavor pytorch has no .pt2, .pth or .pt file in {path.name}")
        return name, files[0]
    if path.is_dir() and name in ("tensorflow", "keras"):
        archives = [*sorted(path.glob("*.keras")), *sorted(path.glob("*.h5"))]
        nested = path / "model"
        return ("keras", archives[0]) if archives else ("tensorflow", nested if nested.is_dir() else path)
    return name, path


def _place(folder: Path, name: str, fields: dict[str, Any]) -> Path:
    given = next((str(fields[field]) for field in _PLACES if fields.get(field)), "")
    path = folder / given
    if not given or not path.exists():
        raise BadInput(f"the flavor {name} of MLmodel names '{given}', which is not in the model's folder")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"the flavor {name} of MLmodel names '{given}', outside the model's folder")
    return path


def _read(folder: Path) -> dict[str, Any]:
    try:
        yaml = import_module("yaml")
    except ModuleNotFoundError as error:
        raise Missing("format mlflow needs the module 'yaml'; install slipform-runtime[mlflow]") from error
    file = folder / "MLmodel"
    if not file.is_file():
        raise BadInput("there is no file MLmodel in the model's folder")
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"MLmodel is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise BadInput("MLmodel is no mapping")
    return found

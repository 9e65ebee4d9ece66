"""MLflow's folders: which of the other formats is inside."""

from __future__ import annotations

from pathlib import Path

from ...spec.document import read
from ...spec.findings import InvalidSpec
from .signature import Unreadable

FILE = "MLmodel"
_FLAVOURS = {
    "onnx": "data",
    "xgboost": "data",
    "lightgbm": "data",
    "pytorch": "model_data",
    "tensorflow": "saved_model_dir",
    "keras": "data",
    "sklearn": "pickled_model",
}
"""The field that names the file or folder, by flavour; those first that are never a pickle."""


def model(folder: Path) -> Path:
    """The model's file or folder in ``folder``. Raises Unreadable where it is of no flavour that is read."""
    try:
        described = read(folder / FILE).data
    except InvalidSpec as invalid:
        raise Unreadable(str(invalid)) from None
    flavours = described.get("flavors") if isinstance(described, dict) else None
    flavours = flavours if isinstance(flavours, dict) else {}
    for name, field in _FLAVOURS.items():
        fields = flavours.get(name)
        place = fields.get(field) if isinstance(fields, dict) else None
        if isinstance(place, str) and (folder / place).resolve().is_relative_to(folder.resolve()):
            inner = folder / place / "model"
            return inner if inner.is_dir() else folder / place
    raise Unreadable(
        f"{folder} is MLflow's, of the flavours {', '.join(flavours) or 'none'}; read here are {', '.join(_FLAVOURS)}\n"
        "    mlflow.onnx.log_model logs one as ONNX; or write a spec with format: mlflow and engine: mlflow, which "
        "serves any that has the flavour python_function"
    )

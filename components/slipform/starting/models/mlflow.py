"""MLflow's folders: which of the other formats is inside."""

from __future__ import annotations

from pathlib import Path

from ...review.sources import files_of
from ...spec.document import read
from ...spec.findings import InvalidSpec
from .signature import Signature, Unreadable

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


def model(folder: Path) -> Path | Signature:
    """The model's file or folder in ``folder``; of no flavour that is read, what MLflow's own server serves of it.

    Raises Unreadable where it is neither.
    """
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
    if "python_function" in flavours:
        return Signature("mlflow", folder / FILE, files_of(folder), (), (), f"MLflow's, flavours {', '.join(flavours)}")
    raise Unreadable(
        f"{folder} is MLflow's, of the flavours {', '.join(flavours) or 'none'}; read here are {', '.join(_FLAVOURS)}\n"
        "    mlflow.onnx.log_model logs one as ONNX; MLflow's own server takes any that has the flavour python_function"
    )

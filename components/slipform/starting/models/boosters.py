"""Boosted trees in their libraries' own data formats: XGBoost's JSON and UBJSON, LightGBM's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import ubjson
from .signature import Axis, FoundTensor, Signature, Unreadable


def xgboost(file: Path) -> Signature:
    """A model that ``booster.save_model`` wrote. Raises Unreadable for other JSON."""
    content = file.read_bytes()
    try:
        model = json.loads(content) if _is_text(content) else ubjson.parse(content)
        learner = model["learner"]
        features = int(learner["learner_model_param"]["num_feature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable(f"{file} is JSON, and no whole model of XGBoost\n    booster.save_model writes one") from None
    return _table(file, "xgboost", features, f"XGBoost {_version(model)}, {_objective(learner)}")


def lightgbm(file: Path) -> Signature:
    """A model that ``booster.save_model`` wrote. Raises Unreadable where it is cut off."""
    text = file.read_text(encoding="utf-8", errors="replace")
    header = text.partition("\nTree=")[0].splitlines()
    facts = {name: value for name, _, value in (line.partition("=") for line in header)}
    if not facts.get("max_feature_idx", "").isdigit() or "\nend of trees" not in text:
        raise Unreadable(f"{file} is no whole model of LightGBM: cut off\n    booster.save_model writes one")
    origin = f"LightGBM's format {facts.get('version', '')}, {facts.get('objective', 'no objective')}"
    return _table(file, "lightgbm", int(facts["max_feature_idx"]) + 1, origin)


def _table(file: Path, format: str, features: int, origin: str) -> Signature:
    """One row of numbers for each request; what comes out is the build's to say."""
    if features < 1:
        raise Unreadable(f"{file} was trained on no features")
    row = FoundTensor("features", "FP32", (Axis(None, "batch"), Axis(features)))
    return Signature(format, file, (file,), (row,), (), origin)


def _is_text(content: bytes) -> bool:
    """UBJSON begins with a brace as well; then comes a length's type, which no JSON has there."""
    return content[1:2].isspace() or content[1:2] in (b'"', b"}")


def _version(model: dict[str, Any]) -> str:
    version = model.get("version")
    return ".".join(map(str, version)) if isinstance(version, list) and version else "of unknown version"


def _objective(learner: dict[str, Any]) -> str:
    objective = learner.get("objective")
    return str(objective.get("name", "no objective")) if isinstance(objective, dict) else "no objective"

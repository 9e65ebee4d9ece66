"""``repository.json``: what the init container (``slipform-runtime fetch``) makes the model repository of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .base import ServedModel

MANIFEST = "repository.json"


def config_file(name: str) -> str:
    """The file beside the manifest that becomes a model's ``config.pbtxt``."""
    return f"{name}.config.pbtxt"


def manifest(models: Sequence[ServedModel]) -> str:
    """The manifest's text: the same for the same models in any order."""
    entries = [_entry(model) for model in sorted(models, key=lambda model: model.name)]
    return json.dumps({"models": entries}, indent=2) + "\n"


def _entry(model: ServedModel) -> dict[str, Any]:
    version: dict[str, Any] = {"version": model.version}
    if model.artifact is not None:
        version["uri"] = model.artifact.uri
        if model.artifact.sha256 is not None:
            version["sha256"] = model.artifact.sha256
        version["filename"] = model.artifact.filename
    return {"name": model.name, "config": config_file(model.name), "versions": [version]}

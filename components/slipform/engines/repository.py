"""``repository.json``: what the init container (``slipform-runtime fetch``) makes the model repository of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .base import ServedModel

MANIFEST = "repository.json"


def config_file(name: str) -> str:
    """The file beside the manifest that becomes a model's ``config.pbtxt``."""
    return beside_file(name, "config.pbtxt")


def beside_file(name: str, path: str) -> str:
    """The file beside the manifest that becomes ``path`` in a model's folder; keys of a ConfigMap hold no slash."""
    return f"{name}.{path.replace('/', '.')}"


def manifest(models: Sequence[ServedModel], files: Mapping[str, Sequence[str]] | None = None) -> str:
    """The manifest's text: the same for the same models in any order.

    ``files`` are paths in the models' folders by the model's name; absent: each has a ``config.pbtxt``.
    """
    entries = [_entry(model, files) for model in sorted(models, key=lambda model: model.name)]
    return json.dumps({"models": entries}, indent=2) + "\n"


def _entry(model: ServedModel, files: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    version: dict[str, Any] = {"version": model.version}
    if model.artifact is not None:
        version["uri"] = model.artifact.uri
        if model.artifact.sha256 is not None:
            version["sha256"] = model.artifact.sha256
        if model.artifact.filename:
            version["filename"] = model.artifact.filename
    entry: dict[str, Any] = {"name": model.name}
    if files is None:
        entry["config"] = config_file(model.name)
    elif paths := files.get(model.name):
        entry["files"] = {path: beside_file(model.name, path) for path in sorted(paths)}
    return {**entry, "versions": [version]}

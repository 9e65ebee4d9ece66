"""Files of the project that travel with a server: small models and handlers, read here so that pods need no bucket."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..engines.base import Server
from ..review.sources import files_of, local_folder
from ..spec.modelspec import ModelSpec


def handler_texts(specs: Iterable[ModelSpec], root: Path) -> dict[str, str]:
    """The handlers' texts by the paths that the specs name."""
    paths = {spec.serving.handler for spec in specs if spec.serving.handler}
    return {path: (root / path).read_text(encoding="utf-8") for path in sorted(paths)}


def model_files(server: Server, root: Path) -> dict[str, dict[str, bytes]]:
    """The files of models with a ``file:`` address, by the folder that they lie in, then by name.

    The fetching container sees them under the same paths, so that an address means the same there as here.
    """
    found: dict[str, dict[str, bytes]] = {}
    for model in server.models:
        if model.artifact is None or not model.artifact.uri.startswith("file:"):
            continue
        for file in files_of(local_folder(model.artifact.uri, model.version, root)):
            folder = file.parent.relative_to(root).as_posix()
            found.setdefault(folder, {})[file.name] = file.read_bytes()
    return found

"""The servers that specs make: one for the stable version, one beside it for a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .artifact import served_artifact
from .base import ServedModel, Server

Track = Literal["stable", "candidate"]
STABLE: Final = "stable"
CANDIDATE: Final = "candidate"


def server(
    name: str,
    specs: Sequence[ModelSpec],
    stack: StackConfig,
    track: Track = "stable",
    texts: Mapping[str, str] | None = None,
) -> Server:
    """The server of one track; ``texts`` are the files of the project that the specs name, by path."""
    models = (ServedModel(spec, v, served_artifact(spec, v, stack)) for spec in specs for v in (version(spec, track),))
    return Server(name, tuple(models), stack, dict(texts or {}))


def version(spec: ModelSpec, track: Track) -> int:
    """The version that serves on a track; a spec without a candidate serves the same one on both."""
    candidate = spec.candidate
    return candidate.version if track == "candidate" and candidate is not None else spec.model.version

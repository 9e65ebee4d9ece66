"""Which version a spec names, and which of its versions answer; read from plain data, since old specs may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec.findings import FieldPath

OF_A_VERSION = ("format", "uri", "version", "sha256", "size", "ensemble", "inputs", "outputs")
"""Fields of ``model`` that describe a version's files; ``credentials`` are the platform's."""


def layer(data: Any, path: FieldPath) -> dict[str, Any] | None:
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data if isinstance(data, dict) else None


def version(data: dict[str, Any], prefix: FieldPath) -> Any:
    """The version that a spec, or a stack's entry in it, names; a spec that names none means 1."""
    model = layer(data, ("model",))
    named = None if model is None else model.get("version", None if prefix else 1)
    return int(named) if isinstance(named, str) and named.isdecimal() else named


def same(one: dict[str, Any], other: dict[str, Any], prefix: FieldPath) -> bool:
    """The same version of the same files: a digest tells, else the address; a digest filled in changes nothing."""
    if version(one, prefix) != version(other, prefix):
        return False
    mine, theirs = one["model"], other["model"]
    if mine.get("sha256") and theirs.get("sha256"):
        return bool(mine["sha256"] == theirs["sha256"])
    return all(mine.get(name) == theirs.get(name) for name in ("uri", "ensemble"))


def called(data: dict[str, Any], prefix: FieldPath) -> str:
    sha256 = data["model"].get("sha256")
    return f"version {version(data, prefix)}" + (f" (sha256 {str(sha256)[:12]}…)" if sha256 else "")


def candidate(data: dict[str, Any]) -> Any:
    return (layer(data, ("rollout", "candidate")) or {}).get("version")


def answering_candidate(data: dict[str, Any]) -> Any:
    """The candidate's version, if some clients get its answers."""
    newer = candidate(data)
    rollout = layer(data, ("rollout",)) or {}
    match rollout.get("strategy"):
        case "canary":
            answers = bool(rollout.get("weight"))
        case "blue-green":
            answers = rollout.get("active") == newer
        case strategy:
            answers = strategy == "ab"
    return newer if answers else None

"""A stack's differences laid over a spec: mappings merge, lists and scalars replace."""

from __future__ import annotations

from typing import Any

from .document import Document
from .findings import FieldPath, Location


def overlay(document: Document, stack: str) -> tuple[Document, frozenset[FieldPath]]:
    """The document with ``stacks.<stack>`` merged in, and the paths whose values came from there.

    Places follow the values, so that a finding points at the line that is to blame.
    """
    patch = (document.data.get("stacks") or {}).get(stack) if isinstance(document.data, dict) else None
    if not isinstance(patch, dict):
        return document, frozenset()
    keys, values = dict(document.keys), dict(document.values)
    changed: set[FieldPath] = set()
    prefix: FieldPath = ("stacks", stack)

    def take(path: FieldPath) -> None:
        for places, source in ((keys, document.keys), (values, document.values)):
            _forget(places, path)
            at = (*prefix, *path)
            places.update({path + p[len(at) :]: place for p, place in source.items() if p[: len(at)] == at})
        changed.add(path)

    def merge(base: Any, over: Any, path: FieldPath) -> Any:
        if not (isinstance(base, dict) and isinstance(over, dict)) or _another_kind(base, over, path):
            take(path)
            return over
        merged = dict(base)
        for key, value in over.items():
            merged[key] = merge(base.get(key, _ABSENT), value, (*path, key))
        return merged

    data = merge(document.data, patch, ())
    return Document(document.file, data, keys, values), frozenset(changed)


_ABSENT = object()


def _another_kind(base: dict[str, Any], over: dict[str, Any], path: FieldPath) -> bool:
    """A part that becomes another kind (a canary a shadow, own nodes a pool) replaces: their fields don't mix."""
    if path == ("rollout",):
        return "strategy" in over and over["strategy"] != base.get("strategy")
    if path == ("nodes",):
        return ("pool" in over and "pool" not in base) or ("provisioner" in over and "pool" in base)
    return False


def _forget(places: dict[FieldPath, Location], path: FieldPath) -> None:
    for known in [p for p in places if p[: len(path)] == path]:
        del places[known]

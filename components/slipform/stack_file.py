"""A stack's config file: the part of it that is Slipform's, and what was meant to be part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .spec.document import Document
from .spec.findings import FieldPath, Finding, nearest

OURS = "slipform:"


def part_of_ours(document: Document) -> Document:
    """``config``'s keys under ``slipform:``, without that prefix; each stands where it did."""
    config = _config(document)
    mine = {key: str(key).removeprefix(OURS) for key in config if str(key).startswith(OURS)}

    def moved(places: Mapping[FieldPath, Any]) -> dict[FieldPath, Any]:
        inside = {p: place for p, place in places.items() if len(p) > 1 and p[0] == "config" and p[1] in mine}
        around = places.get(("config",))
        return ({(): around} if around else {}) | {(mine[p[1]], *p[2:]): place for p, place in inside.items()}

    # `pulumi config set` rewrites the file with each scalar as a text: "false" is what it makes of false.
    data = {short: parsed(config[key]) if isinstance(config[key], str) else config[key] for key, short in mine.items()}
    return Document(document.file, data, moved(document.keys), moved(document.values))


def parsed(text: str) -> Any:
    """A value as the engine hands it over: structures are JSON, everything else is its text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def misplaced(document: Document) -> Iterator[Finding]:
    """What Pulumi would take for another program's: keys beside ``config``, and under a misspelt namespace."""
    beside = document.data if isinstance(document.data, dict) else {}
    for key in beside:
        if str(key).startswith(OURS):
            where = document.location((key,), key=True)
            yield Finding(f"{key} stands beside config", remedy=f"indent it below config:, as {key}", location=where)
    if not isinstance(beside.get("config", {}), dict | None):
        yield Finding(
            "not a mapping",
            ("config",),
            allowed="a mapping with slipform:cluster and others",
            location=document.location(("config",)),
        )
    for key in _config(document):
        namespace, colon, name = str(key).partition(":")
        if colon and f"{namespace}:" != OURS and nearest(namespace, [OURS[:-1]]):
            yield Finding(
                f"nobody reads the namespace {namespace}",
                ("config", key),
                severity="warning",
                remedy=f"did you mean {OURS}{name}?",
                location=document.location(("config", key), key=True),
            )


def _config(document: Document) -> Mapping[Any, Any]:
    config = document.data.get("config") if isinstance(document.data, dict) else None
    return config if isinstance(config, dict) else {}

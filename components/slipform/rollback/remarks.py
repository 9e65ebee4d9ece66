"""What a reviewer has to know about what a rollback does not touch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ..spec.findings import FieldPath, dotted
from .versions import OF_A_VERSION, candidate, layer, version


def remarks(now: dict[str, Any], then: dict[str, Any], prefix: FieldPath) -> Iterator[str]:
    ours = {("model", name) for name in OF_A_VERSION}
    others = [
        change
        for change in _differences(then, now, ())
        if change[0][:2] not in ours and change[0][0] not in ("rollout", "stacks")
    ]
    if others:
        listed = "".join(f"\n  {dotted(path)}: {_short(old)} → {_short(new)}" for path, old, new in others)
        yield f"changed since then, and left as it is:{listed}"
    for stack, entry in (now.get("stacks") or {}).items() if not prefix else ():
        if isinstance(entry, dict) and version(entry, ("stacks",)) is not None:
            yield f"stack {stack} has a version of its own, {entry['model']['version']}: -s {stack} takes that one back"
    if (layer(now, ("rollout",)) or {}).get("strategy") and candidate(now) is None:
        yield "rollout is progressive: a version still on its way goes at once, one that has arrived goes step by step"


def _differences(old: Any, new: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path, old, new


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= 60 else f"{text[:59]}…"

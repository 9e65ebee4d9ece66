"""Makes a checkout's own packages come from another copy of it.

A package that is installed in editable mode from a checkout is found through that checkout's path. A program that
runs from a worktree of another revision must find that revision's package. The environment itself, which often lies
in the checkout, stays where it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any


def move_imports(moved: Iterable[tuple[str, str]]) -> None:
    """Replaces each old folder by its new one wherever modules are looked for."""
    for old, new in moved:
        sys.path[:] = [_moved(entry, old, new) for entry in sys.path]
        for mapping in _finders_mappings():
            for name, place in mapping.items():
                mapping[name] = _moved(place, old, new)


def _moved(place: Any, old: str, new: str) -> Any:
    if isinstance(place, list):
        return [_moved(each, old, new) for each in place]
    if isinstance(place, str) and _is_in(place, old) and not _is_in(place, sys.prefix):
        return new + place[len(old) :]
    return place


def _is_in(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder + os.sep)


def _finders_mappings() -> list[dict[str, Any]]:
    """Module name to path, from the import hooks that setuptools and `editables` (hatchling, flit) install."""
    mappings = []
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        candidates = (
            getattr(module, "MAPPING", None) if "__editable__" in getattr(finder, "__module__", "") else None,
            getattr(finder, "_redirections", None),
        )
        mappings += [candidate for candidate in candidates if isinstance(candidate, dict)]
    return mappings

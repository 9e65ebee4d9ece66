"""What is told apart from an ordinary replacement: objects that carry a hash of their content in their name.

A changed content gives them a new name, so they are replaced; what refers to them follows. That is how a change of
config reaches the pods, and it is nothing that a reviewer has to fear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..graph import Resource
from ..kubernetes import is_object, metadata
from ..values import Value

_HASHED = re.compile(r"(?P<stem>.+)-[0-9a-f]{8,64}")
_KINDS = frozenset({"ConfigMap", "Secret"})


def new_name(before: Resource, after: Resource) -> str | None:
    """The new name of an object of which only the hash at the end differs, None for what is no such object."""
    old, new = (metadata(each).get("name") for each in (before, after))
    if not is_object(after) or after.kind not in _KINDS or old == new:
        return None
    stems = [_HASHED.fullmatch(each) if isinstance(each, str) else None for each in (old, new)]
    if not all(stems) or len({match["stem"] for match in stems if match}) != 1:
        return None
    return str(new)


def names(pairs: Iterable[tuple[Resource, Resource]]) -> Mapping[Value, tuple[str, str]]:
    """Of all that are renewed: new name and kind by old name."""
    return {
        metadata(before).get("name"): (new, after.kind)
        for before, after in pairs
        if (new := new_name(before, after)) is not None
    }

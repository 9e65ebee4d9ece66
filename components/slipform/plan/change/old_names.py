"""A model under a new name is, for the engine, one that goes and one that comes. This notices that it may be one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ..graph import Graph, Resource
from ..values import Value

ENOUGH = 0.9
_HASH = re.compile(r"-[0-9a-f]{8,64}\b")


def likely_old_name(new: Resource, gone: Iterable[Resource], base: Graph, head: Graph) -> str:
    """The deleted model of which nine tenths of all values come again but for the name; empty for none."""
    comes = values(head, new)
    shares = []
    for old in gone:
        went = values(base, old)
        shares.append(((went & comes).total() / max(went.total(), comes.total(), 1), old.name))
    share, name = max(shares, default=(0.0, ""))
    return name if share >= ENOUGH else ""


def values(graph: Graph, model: Resource) -> Counter[tuple[str, ...]]:
    """Each value of each resource with its place, names and hashes taken out."""
    return Counter(
        (each.type, *place, _HASH.sub("", text.replace(model.name, "\0")))
        for each in graph.descendants(model)
        if each.custom
        for place, text in _leaves(each.inputs)
    )


def _leaves(value: Value, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, (*place, "[]"))
    else:
        yield place, str(value)

"""Which part of the spec stands at a path: the types behind pydantic's errors and behind a field's explanation."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .findings import FieldPath


def value_at(data: Any, path: FieldPath) -> Any:
    """The value at ``path`` of plain data, or None."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def field_at(model: type[BaseModel], path: FieldPath, data: Any) -> FieldInfo | None:
    """The field that ``path`` names, in the spec that ``data`` is."""
    part = part_at(model, path[:-1], data) if path else None
    return part.model_fields.get(str(path[-1])) if part else None


def part_at(model: type[BaseModel], path: FieldPath, data: Any) -> type[BaseModel] | None:
    """The part that the mapping at ``path`` is read as; of a union, the branch that the mapping in ``data`` chooses."""
    annotation: Any = model
    for part in path:
        found = list(_branches(annotation))
        if isinstance(part, int):
            annotation = next((typing.get_args(t)[0] for t in found if typing.get_origin(t) is tuple), None)
        elif home := next((m for m in _parts(found) if part in m.model_fields), None):
            annotation = home.model_fields[part].annotation
        else:
            annotation = next((typing.get_args(t)[1] for t in found if typing.get_origin(t) is dict), None)
    parts = _parts(_branches(annotation))
    mapping = value_at(data, path)
    if len(parts) > 1 and isinstance(mapping, dict):
        by_strategy = [m for m in parts if strategy_of(m) == mapping.get("strategy")]
        parts = by_strategy or [m for m in parts if ("pool" in m.model_fields) == ("pool" in mapping)]
    return parts[0] if parts else None


def strategy_of(part: type[BaseModel]) -> str | None:
    """The rollout strategy whose shape ``part`` is; "" for a part that is none."""
    field = part.model_fields.get("strategy")
    return str(typing.get_args(field.annotation)[0]) if field else ""


def _parts(annotations: Iterable[Any]) -> list[type[BaseModel]]:
    return [t for t in annotations if isinstance(t, type) and issubclass(t, BaseModel)]


def _branches(annotation: Any) -> Iterator[Any]:
    """The types that an annotation stands for, without Annotated, Optional and unions."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _branches(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for branch in typing.get_args(annotation):
            yield from _branches(branch)
    else:
        yield annotation

"""``slipform plan --explain FIELD``: what a field is, its value in each spec, and who says so."""

from __future__ import annotations

import re
from typing import Any

import typer

from ..project import LoadedSpec, Project
from ..spec.findings import FieldPath, SlipformError, did_you_mean, dotted
from ..spec.modelspec import ModelSpec
from ..spec.shape import field_at, part_at
from ..spec.wording import shown


def explain(project: Project, field: str) -> None:
    """Raises SlipformError where no spec has such a field."""
    path = parse(field)
    for loaded in project.loaded:
        info = field_at(ModelSpec, path, loaded.document.data)
        if info is None and not _inside_a_mapping(path, loaded):
            part = part_at(ModelSpec, path[:-1], loaded.document.data)
            known = list(part.model_fields) if part else []
            hint = did_you_mean(str(path[-1]), known) or f"there are: {', '.join(known or ModelSpec.model_fields)}"
            raise SlipformError(f"no field {field!r}: {hint}")
        value, origin = _value(loaded, path), _origin(loaded, path, project.stack_name)
        typer.echo(f"{loaded.spec.name}: {field} = {shown(value)}")
        typer.echo(f"    from:    {origin}")
        if info is not None and info.description:
            typer.echo(f"    meaning: {info.description}")


def parse(field: str) -> FieldPath:
    """``build.profiles[0].batch`` as a path."""
    if not re.fullmatch(r"[\w-]+(\[\d+\])*(\.[\w-]+(\[\d+\])*)*", field):
        raise SlipformError(f"{field!r} is not a field; write it like scaling.max_replicas or build.profiles[0].batch")
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", field))


def _value(loaded: LoadedSpec, path: FieldPath) -> Any:
    """The value as the spec has it, defaults included, in the words of a spec."""
    value: Any = loaded.spec.model_dump(mode="json")
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _origin(loaded: LoadedSpec, path: FieldPath, stack: str) -> str:
    document = loaded.document
    if path not in document.values:
        inner = sorted(p for p in document.values if p[: len(path)] == path)
        return f"{document.location(inner[0])} and defaults" if inner else "the default"
    by_stack = any(path[: len(over)] == over for over in loaded.overlaid)
    within = f", in stacks.{stack}" if by_stack else ""
    mixed = [over for over in loaded.overlaid if len(over) > len(path) and over[: len(path)] == path]
    also = f"; {', '.join(dotted(over) for over in sorted(mixed, key=dotted))} by stacks.{stack}" if mixed else ""
    return f"{document.location(path)}{within}{also}"


def _inside_a_mapping(path: FieldPath, loaded: LoadedSpec) -> bool:
    """A key that the user chose, as in labels or profiles: known where the spec has it."""
    return path in loaded.document.values

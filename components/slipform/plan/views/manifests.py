"""Kubernetes manifests: the objects of a graph as YAML files, ready to read, to diff and to apply."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ..graph import Graph, Resource
from ..kubernetes import apply_order, is_object, manifest, metadata, name, namespace
from ..values import KNOWN_AFTER_APPLY, Secret, contains
from .folder import Written, write

Per = Literal["model", "resource"]
SHARED = "shared"
NAMESPACES = "0-namespaces"
"""`kubectl apply -f DIR` takes files by name, and refuses what is in a namespace that is not there yet."""


@dataclass(frozen=True)
class Rendered:
    """What `render` wrote, and what it could not.

    `left_out` holds (resource, reason); `unfinished` are objects with a name or another value that is known only after
    apply: they are written, but cannot be applied as they are.
    """

    written: Written
    left_out: tuple[tuple[Resource, str], ...]
    unfinished: tuple[Resource, ...]


def render(graph: Graph, directory: Path, per: Per = "model") -> Rendered:
    """Writes one file per model (`<model>.yaml`, and `shared.yaml` for what belongs to none) or one per resource.

    Namespaces have a file that comes before all others by its name. Within a file, what others need comes first. The
    same graph gives the same bytes. Files that an earlier render wrote and this one does not are removed; files that
    somebody else wrote are never touched. Raises RenderError.
    """
    left_out = tuple((resource, reason) for resource in graph.resources if (reason := _why_not(resource)))
    objects = [resource for resource in graph.resources if is_object(resource) and not _why_not(resource)]
    texts = _per_model(graph, objects) if per == "model" else _per_resource(graph, objects)
    return Rendered(
        written=write(directory, texts),
        left_out=tuple(each for each in left_out if each[1] != _QUIET),
        unfinished=tuple(each for each in objects if _is_unfinished(each)),
    )


_QUIET = "no object of its own"


def _why_not(resource: Resource) -> str:
    """Why a resource has no manifest; empty where it has one."""
    if not resource.custom or resource.is_provider:
        return _QUIET
    if resource.read:
        return "is only read: somebody else made it"
    if not is_object(resource):
        return f"is no Kubernetes object ({resource.type})"
    if resource.type.endswith("Patch"):
        return "patches an object that somebody else made"
    return ""


def _is_unfinished(resource: Resource) -> bool:
    return "name" not in metadata(resource) or contains(dict(resource.inputs), KNOWN_AFTER_APPLY)


def _per_model(graph: Graph, objects: Iterable[Resource]) -> dict[str, str]:
    stems = _stems(graph)
    files: dict[str, list[Resource]] = {}
    for resource in objects:
        stem = NAMESPACES if _is_namespace(resource) else stems[graph.top(resource).urn]
        files.setdefault(stem, []).append(resource)
    return {
        f"{stem}.yaml": "---\n".join(_document(graph, resource) for resource in apply_order(resources))
        for stem, resources in sorted(files.items())
    }


def _per_resource(graph: Graph, objects: Iterable[Resource]) -> dict[str, str]:
    stems = _stems(graph)
    texts: dict[str, str] = {}
    for resource in apply_order(objects):
        folder = stems[graph.top(resource).urn]
        kind = str(resource.inputs["kind"]).lower()
        wished = f"{folder}/{_file_name(f'{kind}-{name(resource)}')}"
        if _is_namespace(resource):
            wished = f"{NAMESPACES}/{_file_name(name(resource))}"
        within = namespace(graph, resource)
        choices = (wished, f"{wished}-{within}", *(f"{wished}-{number}" for number in range(2, len(texts) + 3)))
        path = next(f"{choice}.yaml" for choice in choices if f"{choice}.yaml" not in texts)
        texts[path] = _document(graph, resource)
    return dict(sorted(texts.items()))


def _is_namespace(resource: Resource) -> bool:
    return bool(resource.inputs["kind"] == "Namespace")


def _stems(graph: Graph) -> dict[str, str]:
    """A file name for each resource under the stack: a component's own name, its type added where two share it."""
    tops = graph.children(None)
    stems: dict[str, str] = {}
    taken: dict[str, int] = {SHARED: 1}
    for top in tops:
        if not top.custom:
            taken[_file_name(top.name)] = taken.get(_file_name(top.name), 0) + 1
    for top in tops:
        stem = SHARED if top.custom else _file_name(top.name)
        stems[top.urn] = stem if top.custom or taken[stem] == 1 else f"{stem}-{top.kind.lower()}"
    return stems


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in text).strip(".") or "unnamed"


def _document(graph: Graph, resource: Resource) -> str:
    """One YAML document. With a hidden value it is commented out, so that no placeholder is ever applied."""
    document = manifest(graph, resource)
    hides = contains(document, Secret)
    text = yaml.dump(_ordered(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    if hides:
        commented = "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
        return f"# Left out: its values are secret, and no view shows them. `pulumi up` creates it.\n{commented}"
    return text


# -- YAML ------------------------------------------------------------------------------------------

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_BASE):  # type: ignore[misc]
    """PyYAML's safe dumper that writes several lines as a block and never refers back to an earlier value."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Texts that PyYAML writes plain and Kubernetes' parser, which follows other rules, would read as a number or a boolean:
# 1e3, 08, 0o14, y.
_AMBIGUOUS = re.compile(r"[yYnN]|[-+]?\.?[0-9][0-9a-fA-F_.xXoO+-]*")


def _represent_text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else "'" if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Secret, _represent_text)

# The order in which people write these keys; all others follow by the alphabet.
_FIRST = ("apiVersion", "kind", "metadata", "type", "name", "namespace", "spec")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        rank = {key: index for index, key in enumerate(_FIRST)}
        keys = sorted(value, key=lambda key: (rank.get(key, len(rank)), key))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value

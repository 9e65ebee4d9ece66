"""The counts under a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..graph import Graph
from ..kubernetes import is_object
from ..values import Value


def counts(graph: Graph) -> str:
    """`2 models, 18 resources: 12 Kubernetes objects, 3 of aws, 5 components`."""
    components = [resource for resource in graph.resources if not resource.custom]
    objects = [resource for resource in graph.resources if is_object(resource)]
    others: dict[str, int] = {}
    for resource in graph.resources:
        if resource.custom and not is_object(resource) and not resource.is_provider:
            package = resource.type.partition(":")[0]
            others[package] = others.get(package, 0) + 1
    parts = [
        _count(len(objects), "Kubernetes object"),
        *(f"{count} of {package}" for package, count in sorted(others.items())),
        _count(len(components), "component"),
        _count(sum(resource.is_provider for resource in graph.resources), "provider"),
    ]
    models = sum(resource.kind == "ModelService" for resource in graph.children(None))
    heading = f"{_count(models, 'model')}, " if models else ""
    total = f"{heading}{_count(len(graph.resources), 'resource') or '0 resources'}"
    return ": ".join(part for part in (total, ", ".join(part for part in parts if part)) if part)


def _count(number: int, noun: str) -> str:
    if not number:
        return ""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def leaves(outputs: Mapping[str, Value], above: str = "") -> Iterator[tuple[str, Value]]:
    """Nested outputs as dotted names with their values: `iris.endpoints.rest`."""
    for name, value in outputs.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value

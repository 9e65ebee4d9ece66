"""What runs pods, and what runs the pods of something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..graph import Graph, Resource
from ..kubernetes import name

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout"})


def runner_of(workload: Resource, among: Iterable[Resource]) -> Resource | None:
    """The Rollout that takes its pods' template from this workload, and runs them itself."""
    wanted = (workload.kind, name(workload))
    for each in among:
        spec = each.inputs.get("spec") if each.kind == "Rollout" else None
        reference = spec.get("workloadRef") if isinstance(spec, Mapping) else None
        if isinstance(reference, Mapping) and (reference.get("kind"), reference.get("name")) == wanted:
            return each
    return None


def beside(graph: Graph, resource: Resource) -> Iterable[Resource]:
    """All that belongs to the same model: what lies under the same component of the stack."""
    top = graph.top(resource)
    return (top, *graph.descendants(top)) if not top.custom else graph.children(None)

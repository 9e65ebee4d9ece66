"""What runs pods, and what runs the pods of something else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..graph import Graph, Resource
from ..kubernetes import name

_PODS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout"), ("spec", "template")),
    # KServe makes a Deployment of it.
    "InferenceService": ("spec", "predictor"),
}
"""Where each kind has what its pods are made of: a template, or the PodSpec itself."""
_BESIDE_PODS = frozenset({"deploymentStrategy"})
WORKLOADS = frozenset(_PODS)


def makes_pods_anew(workload: Resource, path: tuple[str, ...]) -> bool:
    """Whether the field is one of its pods', so that they are replaced when it changes."""
    where = _PODS.get(workload.kind)
    return where is not None and path[: len(where)] == where and not _BESIDE_PODS.intersection(path[len(where) :][:1])


def containers(workload: Resource) -> list[Any]:
    """Those of its pods; none of what runs no pods or declares none."""
    where = _PODS.get(workload.kind, ())
    found: Any = workload.inputs
    for key in (*where, *(("spec",) if where[-1:] == ("template",) else ()), "containers"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else []


def scaled_as(workload: Resource) -> tuple[str, str]:
    """Kind and name by which an autoscaler knows it."""
    if workload.kind == "InferenceService":
        return "Deployment", f"{name(workload)}-predictor"
    return workload.kind, name(workload)


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

"""What a model asks of its cluster, from its fewest pods to its most: the part of a change that somebody pays for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...spec import instances
from ..graph import Resource
from ..kubernetes import name
from . import quantity
from .workloads import containers, runner_of, scaled_as

# In the order in which they are shown.
KINDS = ("pods", "GPU", "CPU", "memory", "nodes", "nodes' CPU", "nodes' GPU")
_COUNTED = ("Deployment", "StatefulSet", "Rollout", "InferenceService")
_RESOURCES = {"nvidia.com/gpu": "GPU", "cpu": "CPU", "memory": "memory"}


@dataclass(frozen=True)
class Span:
    """From the fewest to the most; memory in bytes, CPU in cores."""

    low: Decimal
    high: Decimal

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def times(self, amount: Decimal) -> Span:
        return Span(self.low * amount, self.high * amount)


Demand = Mapping[str, Span]


def of(resources: Iterable[Resource]) -> Demand:
    """What the workloads' containers request and the node groups have. Jobs are left out: they come and go."""
    found: dict[str, Span] = {}
    everything = list(resources)
    for resource in everything:
        asked = _node_group(resource.inputs) if resource.kind == "NodeGroup" else _workload(resource, everything)
        for kind, span in asked.items():
            found[kind] = found[kind] + span if kind in found else span
    return {kind: found[kind] for kind in KINDS if kind in found}


def _workload(workload: Resource, everything: list[Resource]) -> Demand:
    if workload.kind not in _COUNTED or not (found := containers(workload)):
        return {}
    pods = _pods(workload, everything)
    asked = {"pods": pods}
    for container in found:
        wanted = {**(_at(container, "resources", "limits") or {}), **(_at(container, "resources", "requests") or {})}
        for key, kind in _RESOURCES.items():
            amount = quantity.parse(wanted.get(key))
            if amount is not None:
                asked[kind] = asked.get(kind, Span(Decimal(), Decimal())) + pods.times(amount)
    return asked


def _pods(workload: Resource, everything: list[Resource]) -> Span:
    """As many as its autoscaler says, or that of the Rollout which runs its pods; else as it declares."""
    own = {scaled_as(workload)}
    runner = runner_of(workload, everything)
    if runner is not None:
        own.add((runner.kind, name(runner)))
    for each in everything:
        target = _at(each.inputs, "spec", "scaleTargetRef")
        if isinstance(target, Mapping) and (target.get("kind", "Deployment"), target.get("name")) in own:
            spec = each.inputs["spec"]
            low, high = (
                ("minReplicas", "maxReplicas")
                if each.kind == "HorizontalPodAutoscaler"
                else ("minReplicaCount", "maxReplicaCount")
            )
            return Span(_count(spec.get(low)), _count(spec.get(high)))
    replicas = _count(_at((runner or workload).inputs, "spec", "replicas"))
    return Span(replicas, replicas)


def _node_group(inputs: Mapping[str, Any]) -> Demand:
    """Its nodes; and what is on them, where it has one type of machine that we know."""
    low, high = _at(inputs, "scalingConfig", "minSize"), _at(inputs, "scalingConfig", "maxSize")
    if not isinstance(low, int) or not isinstance(high, int):
        return {}
    nodes = Span(Decimal(low), Decimal(high))
    types = inputs.get("instanceTypes")
    machine = instances.capacity(types[0]) if isinstance(types, list) and len(types) == 1 else None
    if machine is None:
        return {"nodes": nodes}
    asked = {"nodes": nodes, "nodes' CPU": nodes.times(Decimal(machine.vcpus))}
    if machine.has_nvidia_gpu:
        asked["nodes' GPU"] = nodes.times(Decimal(machine.accelerator_count))
    return asked


def _count(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, int) else Decimal(1)


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value

"""What is a Kubernetes object among a graph's resources, and the order in which objects are applied."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from .graph import Graph, Resource
from .values import Value

# Helm's install order, with the custom resources that serving uses put after what they refer to.
# https://github.com/helm/helm/blob/main/pkg/release/v1/util/kind_sorter.go
_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "EC2NodeClass",
    "NodePool",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicaSet",
    "Job",
    "Deployment",
    "StatefulSet",
    "Rollout",
    "HorizontalPodAutoscaler",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
_RANK = {kind: rank for rank, kind in enumerate(_ORDER)}

# Kinds without a namespace: the core API's, and those of controllers that a stack may have.
# fmt: off
_CLUSTER_SCOPED = frozenset(
    {
        "APIService", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "ClusterServingRuntime",
        "ComponentStatus", "CSIDriver", "CSINode", "CustomResourceDefinition", "DeviceClass", "EC2NodeClass",
        "FlowSchema", "GatewayClass", "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node",
        "NodeClaim", "NodePool", "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration",
        "ResourceSlice", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment",
    }
)
# fmt: on


def is_object(resource: Resource) -> bool:
    """Whether the resource is one object of a cluster, with an apiVersion and a kind."""
    return resource.type.startswith("kubernetes:") and "kind" in resource.inputs and "apiVersion" in resource.inputs


def metadata(resource: Resource) -> Mapping[str, Value]:
    found = resource.inputs.get("metadata")
    return found if isinstance(found, Mapping) else {}


def name(resource: Resource) -> str:
    """The object's name in the cluster; the resource's own where the provider will make one up from it."""
    found = metadata(resource).get("name")
    return found if isinstance(found, str) else resource.name


def namespace(graph: Graph, resource: Resource) -> str | None:
    """The object's namespace: its own, else its provider's. None for kinds that have none, or where nobody says."""
    if resource.inputs.get("kind") in _CLUSTER_SCOPED:
        return None
    own = metadata(resource).get("namespace")
    if own is None and resource.provider is not None and resource.provider in graph.by_urn:
        own = graph.by_urn[resource.provider].inputs.get("namespace")
    return own if isinstance(own, str) else None


def effective_inputs(graph: Graph, resource: Resource) -> dict[str, Any]:
    """The inputs, for an object with its provider's namespace written out: what reaches the cluster."""
    within = namespace(graph, resource) if is_object(resource) else None
    if within is None:
        return dict(resource.inputs)
    return {**resource.inputs, "metadata": {**metadata(resource), "namespace": within}}


def manifest(graph: Graph, resource: Resource) -> dict[str, Any]:
    """The object as it would be applied; with a prefix for a name that is yet to be made up."""
    document = effective_inputs(graph, resource)
    if "name" not in metadata(resource):
        document["metadata"] = {"generateName": f"{resource.name}-", **document.get("metadata", {})}
    return document


def apply_order(resources: Iterable[Resource]) -> list[Resource]:
    """What others depend on first; where nothing depends on anything, by kind and name."""
    chosen = {resource.urn: resource for resource in resources}
    waiting = {urn: {each for each in chosen[urn].dependencies if each in chosen} for urn in chosen}
    dependents: dict[str, list[str]] = {}
    for urn, needs in waiting.items():
        for need in needs:
            dependents.setdefault(need, []).append(urn)
    ready = [(_place(chosen[urn]), urn) for urn, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    order: list[Resource] = []
    while ready:
        _, urn = heapq.heappop(ready)
        order.append(chosen[urn])
        for dependent in dependents.get(urn, ()):
            waiting[dependent].discard(urn)
            if not waiting[dependent]:
                heapq.heappush(ready, (_place(chosen[dependent]), dependent))
    return order


def _place(resource: Resource) -> tuple[Any, ...]:
    kind = str(resource.inputs.get("kind", resource.kind))
    return (_RANK.get(kind, len(_RANK)), kind, name(resource))

"""What was seen of a cluster: plain data, so that it can be judged without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ApiService:
    """Who answers an aggregated API, such as metrics.k8s.io; ``server`` is "namespace/name" of its Service."""

    available: bool
    server: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Workload:
    """A Deployment or DaemonSet, of any namespace."""

    kind: str
    namespace: str
    name: str
    images: tuple[str, ...]
    """Of its containers, without registry, tag and digest: ``nvidia/k8s-device-plugin``."""
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Node:
    """A node; ``gpus`` are those that it can give to pods."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0


@dataclass(frozen=True)
class Prometheus:
    """One that the operator runs; the labels are those by which it selects rules and monitors."""

    name: str
    rule_labels: Mapping[str, str] = field(default_factory=dict)
    monitor_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Permission:
    """A verb on a kind, in a namespace or (None) in the whole cluster."""

    api_version: str
    kind: str
    verb: str
    namespace: str | None = None


@dataclass(frozen=True)
class Seen:
    """A cluster, as far as the user may look: what is None could not be seen."""

    version: str
    kinds: Mapping[str, Mapping[str, str]]
    """By group and version ("networking.istio.io/v1"): kinds, with the name of their resource ("virtualservices")."""
    api_services: Mapping[str, ApiService]
    """By group: metrics.k8s.io, custom.metrics.k8s.io, external.metrics.k8s.io; those that are registered."""
    namespace_exists: bool | None = None
    nodes: tuple[Node, ...] | None = None
    workloads: tuple[Workload, ...] | None = None
    prometheuses: tuple[Prometheus, ...] | None = None
    refused: frozenset[Permission] = frozenset()
    """Of the permissions that were asked about, those that the user lacks."""

    def serves(self, api_version: str, kind: str) -> bool:
        return kind in self.kinds.get(api_version, {})

    def versions(self, group: str) -> tuple[str, ...]:
        """The versions in which a group is served."""
        return tuple(sorted(each.partition("/")[2] for each in self.kinds if each.partition("/")[0] == group))

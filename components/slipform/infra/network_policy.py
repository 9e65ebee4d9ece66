"""NetworkPolicy: who may open a connection to a server's pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from ..engines.base import Port, Server
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .platform import Platform, selector
from .routes import served_ports

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
SIDECAR_METRICS_PORTS = (15020, 15090)
"""Istio's agent, which merges the pod's metrics with its own, and Envoy."""


def is_restricted(stack: StackConfig) -> bool:
    """True where the cluster's network keeps to policies; elsewhere one would only look like a protection."""
    return not stack.lacks("network-policy")


@dataclass(frozen=True)
class NetworkPolicyArgs:
    """What a NetworkPolicy is made from."""

    platform: Platform
    server: Server
    ports: Sequence[Port]
    """The ports that the server's container listens on."""
    scraped: bool = True
    """Whether the engine itself answers Prometheus."""


class NetworkPolicy(pulumi.ComponentResource):
    """Lets in clients on the serving ports and Prometheus on the metrics port, and nobody else.

    Connections out of the pods are not restricted: models and credentials come from anywhere. A node's own
    connections (the kubelet's probes) are not subject to policies. In Istio's ambient mode pods are reached
    through another port, which this does not open.
    """

    def __init__(self, name: str, args: NetworkPolicyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:network:NetworkPolicy", name, {}, opts)
        self._name, self._args = name, args
        self._create_policy()
        self.register_outputs({})

    def _create_policy(self) -> k8s.networking.v1.NetworkPolicy:
        platform, server = self._args.platform, self._args.server
        return k8s.networking.v1.NetworkPolicy(
            self._name,
            metadata=ObjectMetaArgs(
                name=server.name,
                namespace=platform.namespace,
                labels=platform.labels(server.name, server.spec, "network"),
            ),
            spec=NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels=selector(server.name)),
                policy_types=["Ingress"],
                ingress=[
                    NetworkPolicyIngressRuleArgs(from_=list(rule.peers), ports=_tcp(rule.ports))
                    for rule in ingress(server, self._args.ports, scraped=self._args.scraped)
                ],
            ),
            opts=platform.options(self),
        )


@dataclass(frozen=True)
class Rule:
    """Who may connect to which ports."""

    peers: tuple[NetworkPolicyPeerArgs, ...]
    ports: tuple[int, ...]


def ingress(server: Server, ports: Sequence[Port], *, scraped: bool = True) -> Iterator[Rule]:
    """Clients, the gateway where the model has an address outside, and Prometheus where somebody answers it."""
    spec, stack = server.spec, server.stack
    serving = tuple(served_ports(ports).values())
    yield Rule(_clients(spec), serving)
    if spec.expose and stack.gateway:
        yield Rule((_namespace(stack.gateway.namespace, stack.gateway.selector),), serving)
    sidecar = () if stack.lacks("istio") else SIDECAR_METRICS_PORTS
    if measured := (*((_metrics_port(ports),) if scraped else ()), *sidecar):
        yield Rule((_namespace(stack.prometheus.namespace),), measured)


def _clients(spec: ModelSpec) -> tuple[NetworkPolicyPeerArgs, ...]:
    if spec.traffic.clients is None:
        return (NetworkPolicyPeerArgs(namespace_selector=LabelSelectorArgs()),)  # every namespace, nothing outside
    return tuple(_namespace(name) for name in spec.traffic.clients)


def _metrics_port(ports: Sequence[Port]) -> int:
    """A port of its own, or that of HTTP where the engine answers /metrics there."""
    numbers = {port.name: port.number for port in ports}
    return numbers["metrics"] if "metrics" in numbers else numbers["http"]


def _namespace(name: str, pods: Mapping[str, str] | None = None) -> NetworkPolicyPeerArgs:
    return NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={NAMESPACE_LABEL: name}),
        pod_selector=LabelSelectorArgs(match_labels=dict(pods)) if pods else None,
    )


def _tcp(ports: Sequence[int]) -> list[NetworkPolicyPortArgs]:
    return [NetworkPolicyPortArgs(protocol="TCP", port=port) for port in ports]

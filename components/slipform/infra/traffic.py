"""TrafficRoute: who gets which request, inside the cluster and from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from ..engines.base import Port, Server
from ..spec.stack import Gateway, StackConfig
from ..spec.traffic import Expose
from . import destinations, gateway, routes
from .platform import Platform

NETWORKING, SECURITY = "networking.istio.io/v1", "security.istio.io/v1"


def is_routed(stack: StackConfig) -> bool:
    """True where a server gets a TrafficRoute; elsewhere its Service alone spreads the connections."""
    return not stack.lacks("istio")


@dataclass(frozen=True)
class TrafficRouteArgs:
    """What a TrafficRoute is made from."""

    platform: Platform
    server: Server
    """The stable track's server; a declared candidate is found by its pods' track label."""
    ports: Sequence[Port]
    """The ports of the server's Service, which has the server's name and one port of the same name and number each."""


class TrafficRoute(pulumi.ComponentResource):
    """Routes of one server in Istio: a VirtualService and a DestinationRule for clients inside the cluster and, where
    the spec exposes it, a Gateway, a VirtualService for what may be called from outside, and the check of tokens.

    For a progressive canary the weights are in a VirtualService per protocol, to which the others delegate. Argo
    Rollouts owns those, so we ignore their routes; all that a spec can change (timeout, retries, hosts, paths) is in
    the others, which nobody else writes to, and so arrives at once, even during a rollout.

    It acts in sidecars and gateways (Istio's sidecar mode): clients without a sidecar reach the Service directly.
    """

    endpoints: pulumi.Output[dict[str, str]]
    """Addresses by kind: ``rest``, ``grpc`` (``host:port``) and ``public``; a kind that is not served is left out."""

    def __init__(self, name: str, args: TrafficRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:traffic:TrafficRoute", name, {}, opts)
        self._name, self._args = name, args
        self._spec, self._stack = args.server.spec, args.platform.stack

        self._destinations = self._create_destinations()
        self._delegates = self._create_delegates()
        self._mesh = self._create_mesh_route()
        if self._spec.expose and self._stack.gateway:
            self._create_public_route(self._spec.expose, self._stack.gateway)

        self.endpoints = pulumi.Output.from_input(routes.endpoints(args.server, args.ports).outputs())
        self.register_outputs({"endpoints": self.endpoints})

    def _create_destinations(self) -> CustomResource:
        server = self._args.server
        # Argo Rollouts writes the pods' hash into the subsets.
        ignored = ["spec.subsets"] if routes.delegated(self._spec) else []
        return self._resource(
            "-progressive" if routes.delegated(self._spec) else "",
            "DestinationRule",
            destinations.destination_rule(server),
            named=destinations.destination_rule_name(server.name, self._spec),
            ignore_changes=ignored,
        )

    def _create_delegates(self) -> list[CustomResource]:
        """The weights of a progressive canary, one object a protocol."""
        if not routes.delegated(self._spec):
            return []
        server = self._args.server
        return [
            self._resource(
                f"-{protocol}",
                "VirtualService",
                routes.delegate(server, port),
                named=routes.delegate_name(server.name, protocol),
                depends_on=[self._destinations],
                # Argo Rollouts moves the weights; single indices in the path would never match.
                ignore_changes=["spec.http"],
            )
            for protocol, port in routes.served_ports(self._args.ports).items()
        ]

    def _create_mesh_route(self) -> CustomResource:
        server = self._args.server
        legs = routes.mesh_legs(server, self._args.ports)
        return self._resource(
            "",
            "VirtualService",
            routes.virtual_service(server, [server.name], ["mesh"], legs),
            depends_on=[self._destinations, *self._delegates],
            protect=self._stack.protected,
        )

    def _create_public_route(self, expose: Expose, entry: Gateway) -> None:
        server = self._args.server
        before: list[pulumi.Resource] = [self._destinations, *self._delegates]
        if expose.auth == "jwt":
            # First the lock, then the door.
            before += self._create_token_check(expose, entry)
        if entry.name is None:
            before.append(self._create_gateway(expose, entry))
        legs = gateway.public_legs(server, self._args.ports)
        self._resource(
            "-public",
            "VirtualService",
            routes.virtual_service(server, [expose.host], [gateway.gateway_name(server, entry)], legs),
            named=f"{server.name}-public",
            depends_on=before,
            protect=self._stack.protected,
        )

    def _create_gateway(self, expose: Expose, entry: Gateway) -> CustomResource:
        server = self._args.server
        return self._resource(
            "",
            "Gateway",
            gateway.gateway_spec(server, expose, entry),
            named=gateway.own_gateway_name(server),
            namespace=entry.namespace,
            protect=self._stack.protected,
        )

    def _create_token_check(self, expose: Expose, entry: Gateway) -> list[CustomResource]:
        server = self._args.server
        policies = {
            "RequestAuthentication": gateway.request_authentication(server, entry),
            "AuthorizationPolicy": gateway.authorization_policy(server, expose, entry),
        }
        return [self._resource("", kind, spec, api_version=SECURITY) for kind, spec in policies.items()]

    def _resource(
        self,
        suffix: str,
        kind: str,
        spec: routes.Spec,
        *,
        api_version: str = NETWORKING,
        named: str | None = None,
        namespace: str | None = None,
        **options: object,
    ) -> CustomResource:
        platform, server = self._args.platform, self._args.server
        return CustomResource(
            f"{self._name}{suffix}",
            api_version=api_version,
            kind=kind,
            metadata=ObjectMetaArgs(
                name=named or server.name,
                namespace=namespace or platform.namespace,
                labels=platform.labels(server.name, self._spec, "traffic"),
            ),
            spec=spec,
            opts=platform.options(self, **options),
        )

"""The Service of a server: one stable name and address for all its tracks."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes import core, meta

from ..engines.base import Port, Server
from .platform import Platform, selector

_APP_PROTOCOLS = {"http": "http", "grpc": "grpc", "metrics": "http"}
"""How a mesh speaks to each port, by the words of the Service's appProtocol."""


def create_service(
    name: str,
    platform: Platform,
    server: Server,
    ports: Sequence[Port],
    parent: pulumi.Resource,
) -> core.v1.Service:
    """The Service, which finds the pods of every track: routes decide between them."""
    spec = server.spec
    blue_green = spec.progressive and spec.rollout is not None and spec.rollout.strategy == "blue-green"
    return core.v1.Service(
        name,
        metadata=meta.v1.ObjectMetaArgs(
            name=server.name,
            namespace=platform.namespace,
            labels=platform.labels(server.name, spec, "server"),
            # Pulumi would wait for its pods on one of the few workers that are to make them: eight new models on two
            # cores would never come up. The Deployments are waited for, and the routes come after both.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=selector(server.name),
            ports=[
                core.v1.ServicePortArgs(
                    name=port.name,
                    port=port.number,
                    target_port=port.name,
                    app_protocol=_APP_PROTOCOLS[port.name],
                )
                for port in ports
                if port.exposed
            ],
        ),
        opts=platform.options(
            parent,
            # Argo Rollouts switches between the versions by the selector.
            ignore_changes=["spec.selector"] if blue_green else None,
        ),
    )

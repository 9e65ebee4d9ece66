"""Dashboard: what Grafana shows of one server."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import core, meta

from ...engines.metrics import Metrics
from ..platform import Platform
from ..rules.server import Server
from .board import board


@dataclass(frozen=True)
class DashboardArgs:
    """Arguments of Dashboard."""

    platform: Platform
    server: Server
    metrics: Metrics
    """What the engine measures in this stack."""


class Dashboard(pulumi.ComponentResource):
    """A ConfigMap that the sidecar of Grafana's Helm chart finds by its labels and hands to Grafana."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:monitoring:Dashboard", name, {}, opts)
        self._name = name
        self._args = args

        self.config_map = self._create_config_map()
        self.register_outputs({})

    def _create_config_map(self) -> core.v1.ConfigMap:
        platform, server = self._args.platform, self._args.server
        labels = platform.labels(server.name, server.spec, "monitoring")
        grafana = platform.stack.grafana
        return core.v1.ConfigMap(
            f"{self._name}-dashboard",
            metadata=meta.v1.ObjectMetaArgs(
                name=f"{server.name}-dashboard",
                namespace=platform.namespace,
                # The sidecar selects by its own label, so that wins.
                labels={**labels, **grafana.labels},
                annotations=dict(grafana.annotations) or None,
            ),
            # One folder may hold the dashboards of many namespaces, as files.
            data={f"slipform-{platform.namespace}-{server.name}.json": board(server, self._args.metrics)},
            opts=platform.options(self),
        )

"""ServiceLevelRules: what Prometheus scrapes of a server, records and alerts on."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes import apiextensions, meta

from ...engines.metrics import Metrics
from ..platform import TRACK_LABEL, VERSION_LABEL, Platform, selector
from .groups import rule_groups
from .kinds import Group
from .server import Server


@dataclass(frozen=True)
class ServiceLevelRulesArgs:
    """Arguments of ServiceLevelRules: one server and the models that it serves."""

    platform: Platform
    server: Server
    metrics: Metrics
    """What the engine measures in this stack."""
    metrics_port: str = "metrics"
    """The Service's port that answers Prometheus, by name, where the engine does."""


class ServiceLevelRules(pulumi.ComponentResource):
    """A PrometheusRule and, where the engine answers it, a ServiceMonitor: both need the Prometheus operator."""

    groups: tuple[Group, ...]
    """The rules, from which ``promtool`` writes their tests."""

    def __init__(self, name: str, args: ServiceLevelRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:monitoring:ServiceLevelRules", name, {}, opts)
        self._name = name
        self._args = args
        self.groups = rule_groups(args.server, args.metrics)

        self.service_monitor = self._create_service_monitor() if args.metrics.path is not None else None
        self.prometheus_rule = self._create_prometheus_rule()
        self.register_outputs({"alerts": self.alerts})

    @property
    def alerts(self) -> list[str]:
        """The names of the alerts, each once."""
        return sorted({alert.name for group in self.groups for alert in group.alerts})

    def _create_service_monitor(self) -> apiextensions.CustomResource:
        args = self._args
        interval = args.platform.stack.prometheus.scrape_interval
        return apiextensions.CustomResource(
            f"{self._name}-monitor",
            api_version="monitoring.coreos.com/v1",
            kind="ServiceMonitor",
            metadata=self._metadata(),
            spec={
                "jobLabel": "app.kubernetes.io/name",
                "selector": {"matchLabels": selector(args.server.name)},
                "namespaceSelector": {"matchNames": [args.platform.namespace]},
                "podTargetLabels": [TRACK_LABEL, VERSION_LABEL],
                "endpoints": [
                    {
                        "port": args.metrics_port,
                        "path": args.metrics.path,
                        "interval": f"{interval}s",
                        "scrapeTimeout": f"{min(10, interval)}s",
                        # Without the Service's name a pod behind two Services is one target, and is counted once.
                        "relabelings": [{"action": "labeldrop", "regex": "service|endpoint"}],
                    }
                ],
            },
            opts=args.platform.options(self),
        )

    def _create_prometheus_rule(self) -> apiextensions.CustomResource:
        return apiextensions.CustomResource(
            f"{self._name}-rules",
            api_version="monitoring.coreos.com/v1",
            kind="PrometheusRule",
            metadata=self._metadata(),
            spec={"groups": [group.rules for group in self.groups]},
            opts=self._args.platform.options(self),
        )

    def _metadata(self) -> meta.v1.ObjectMetaArgs:
        args = self._args
        labels = args.platform.labels(args.server.name, args.server.spec, "monitoring")
        return meta.v1.ObjectMetaArgs(
            name=args.server.name,
            namespace=args.platform.namespace,
            # Prometheus selects monitors and rules by its own labels, so those win.
            labels={**labels, **args.platform.stack.prometheus.labels},
        )

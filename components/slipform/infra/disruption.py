"""PodDisruptionBudget: how many replicas a drained node may take away at once."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from ..engines.base import Server
from .platform import Platform, selector

MAX_UNAVAILABLE = "10%"
"""Rounded up by Kubernetes, so one of a few and a tenth of many, and it follows the autoscaler. As ``minAvailable``
a server with one replica would keep its node from being drained for ever."""


@dataclass(frozen=True)
class PodDisruptionBudgetArgs:
    """What a PodDisruptionBudget is made from."""

    platform: Platform
    server: Server


class PodDisruptionBudget(pulumi.ComponentResource):
    """A budget for all pods of a server, whichever track they belong to. Pods that are not ready may always go:
    they serve nobody, and one that never starts would hold its node."""

    def __init__(self, name: str, args: PodDisruptionBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:availability:PodDisruptionBudget", name, {}, opts)
        self._name, self._args = name, args
        self._create_budget()
        self.register_outputs({})

    def _create_budget(self) -> k8s.policy.v1.PodDisruptionBudget:
        platform, server = self._args.platform, self._args.server
        return k8s.policy.v1.PodDisruptionBudget(
            self._name,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=server.name,
                namespace=platform.namespace,
                labels=platform.labels(server.name, server.spec, "availability"),
            ),
            spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
                max_unavailable=MAX_UNAVAILABLE,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=selector(server.name)),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=platform.options(self),
        )

"""Shared: what a stack has once, for all its models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes import core, meta

from ..engines import registry
from ..spec.stack import StackConfig
from .adapter import AdapterRules, AdapterRulesArgs
from .nodes import GpuNodePool, GpuNodePoolArgs
from .platform import Platform


@dataclass(frozen=True)
class SharedArgs:
    """The stack, and what its models make necessary."""

    stack_name: str
    stack: StackConfig
    engines: Iterable[str]
    """The engines that at least one model runs on."""


class Shared(pulumi.ComponentResource):
    """The cluster's provider, the namespace, the pools that models share, and the engines' rules for the adapter."""

    def __init__(self, name: str, args: SharedArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:platform:Shared", name, {}, opts)
        self._args = args

        self.platform = Platform(args.stack_name, args.stack, self._create_provider())
        self.namespace = self._create_namespace()
        self.pools = {pool: self._create_pool(pool) for pool in sorted(args.stack.node_pools)}
        self._create_adapter_rules()
        self.register_outputs({"namespace": self.platform.namespace, "pools": sorted(self.pools)})

    def _create_provider(self) -> k8s.Provider:
        """Never the ambient context: a stack has one cluster, and says which."""
        cluster = self._args.stack.cluster
        return k8s.Provider(
            "cluster",
            context=cluster.context,
            kubeconfig=cluster.kubeconfig,
            # So another context replaces everything, which the plugin would else leave in the old cluster unsaid;
            # and another place or age of the kubeconfig replaces nothing.
            cluster_identifier=cluster.context,
            namespace=cluster.namespace,
            # What pods read lies in ConfigMaps that are named by their content; others, as dashboards, may change in
            # place: replaced, one is gone for a moment.
            enable_config_map_mutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_namespace(self) -> core.v1.Namespace | None:
        cluster, stack = self._args.stack.cluster, self._args.stack
        if not cluster.create_namespace:
            return None
        injection = {} if stack.lacks("istio") else {"istio-injection": "enabled"}
        labels = {**stack.labels, **injection, "app.kubernetes.io/managed-by": "slipform"}
        return core.v1.Namespace(
            cluster.namespace,
            metadata=meta.v1.ObjectMetaArgs(
                # What our pods keep to anyway; and whoever else comes here has to.
                labels=labels | {"pod-security.kubernetes.io/enforce": "restricted"}
                if stack.lacks("istio")
                else labels,
                name=cluster.namespace,
            ),
            # With the namespace goes all that is in it.
            opts=self.platform.options(self, protect=stack.protected),
        )

    def _create_pool(self, name: str) -> GpuNodePool:
        pool = self._args.stack.node_pools[name]
        return GpuNodePool(
            f"pool-{name}", GpuNodePoolArgs(self.platform, name, pool), opts=pulumi.ResourceOptions(parent=self)
        )

    def _create_adapter_rules(self) -> None:
        if self._args.stack.lacks("prometheus-adapter"):
            return
        for name in sorted(set(self._args.engines)):
            metrics: Any = registry.engine(name).metrics(self._args.stack)
            if metrics.requests is None:
                continue  # nobody measures anything that replicas could follow
            args = AdapterRulesArgs(self.platform, name, metrics)
            AdapterRules(f"adapter-rules-{name}", args, opts=pulumi.ResourceOptions(parent=self))

"""ModelService: everything that the models of one server need in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import core

from ..engines import registry
from ..engines.base import CustomResource
from ..review.capacity import pool_of
from ..spec.modelspec import ModelSpec
from ..spec.nodes import PoolReference
from .autoscaler import Autoscaler, AutoscalerArgs
from .build import EngineBuild, EngineBuildArgs
from .dashboard.component import Dashboard, DashboardArgs
from .disruption import PodDisruptionBudget, PodDisruptionBudgetArgs
from .identity import WorkloadIdentity, WorkloadIdentityArgs, existing_account, served_uris
from .network_policy import NetworkPolicy, NetworkPolicyArgs, is_restricted
from .nodes import GpuNodePool, GpuNodePoolArgs
from .placement import Placement, placement
from .platform import STABLE, Platform
from .progressive import ProgressiveRollout, ProgressiveRolloutArgs
from .project_files import model_files
from .routes import endpoints
from .rules.component import ServiceLevelRules, ServiceLevelRulesArgs
from .scaling import scaling_plan
from .service import create_service
from .serving import ServingDeployment, ServingDeploymentArgs
from .serving_resource import ServingResource
from .tracks import deployment_name, replicas
from .traffic import TrafficRoute, TrafficRouteArgs, is_routed
from .watched import watched
from .workloads import workloads


@dataclass(frozen=True)
class ModelServiceArgs:
    """What a ModelService is made from; ``review`` has seen that the specs work in the stack."""

    platform: Platform
    specs: tuple[ModelSpec, ...]
    """The spec of the model, or those of all models that share the server; the first says how the server runs."""
    root: Path
    """The project's folder, to which paths in the specs are relative."""
    shared_pools: Mapping[str, pulumi.Resource]
    """The stack's node pools by name, so that pods come after their machines."""


class ModelService(pulumi.ComponentResource):
    """One server with its models: machines, builds, pods, scaling, routes and rules."""

    def __init__(self, name: str, args: ModelServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:serving:ModelService", name, {}, opts)
        self._name = name
        self._args = args
        self._platform = args.platform
        self._spec = args.specs[0]
        self._engine = registry.engine(self._spec.serving.engine)
        self._measured = self._engine.runtime(self._spec)
        self._metrics = self._measured.metrics(args.platform.stack)
        self._workloads = workloads(self._engine, name, args.specs, args.platform.stack, args.root)
        self._watched = watched(name, args.specs, self._workloads, args.platform.stack)
        self._servers = self._workloads.servers
        self._ports = self._workloads.ports
        self._plan = scaling_plan(
            args.specs, args.platform.stack, self._metrics, holds_requests=self._engine.holds_requests
        )
        self._within = pulumi.ResourceOptions(parent=self)

        self.nodes = self._create_nodes()
        self.builds = self._create_builds()
        self.identity = self._create_identity()
        self.service = self._create_service()
        self.deployments = {track: self._create_serving(track) for track in self._servers}
        self.route = self._create_route()
        self.rollout = self._create_rollout()
        self.autoscalers = {track: self._create_autoscaler(track) for track in self._workloads.scaled}
        self._create_disruption_budget()
        self._create_network_policy()
        self.rules = self._create_rules()
        self.dashboard = self._create_dashboard()

        self.register_outputs({"endpoints": self.endpoints, "scaling": self.scaling})

    @property
    def endpoints(self) -> pulumi.Output[dict[str, str]]:
        """Addresses by kind: ``rest`` and ``grpc`` inside the cluster, ``public`` where the spec exposes the model."""
        return pulumi.Output.from_input(endpoints(self._servers[STABLE], self._ports).outputs())

    @property
    def scaling(self) -> dict[str, Any]:
        """The scaling policy of each track: who scales, between which bounds, on what."""
        return {track: autoscaler.policy for track, autoscaler in self.autoscalers.items()}

    @property
    def summary(self) -> dict[str, Any]:
        """What a stack exports of a model: where it answers, its replicas and what they follow."""
        return {"endpoints": self.endpoints, "scaling": self.scaling}

    def _create_nodes(self) -> GpuNodePool | None:
        """The model's own machines; those of a pool that models share are the stack's."""
        if self._spec.nodes is None or isinstance(self._spec.nodes, PoolReference):
            return None
        labels = {"slipform.dev/team": self._spec.team} if self._spec.team else {}
        args = GpuNodePoolArgs(self._platform, self._name, self._spec.nodes, labels)
        return GpuNodePool(self._name, args, opts=self._within)

    @property
    def _machines(self) -> tuple[pulumi.Resource, ...]:
        if isinstance(self._spec.nodes, PoolReference):
            shared = self._args.shared_pools.get(self._spec.nodes.pool)
            return (shared,) if shared else ()
        return (self.nodes,) if self.nodes else ()

    def _create_builds(self) -> dict[str, list[EngineBuild]]:
        """By track, one of each model; a version whose result is there already is not built again."""
        made: dict[str, list[EngineBuild]] = {}
        for track, server in self._servers.items():
            suffix = "" if track == STABLE else f"-{track}"
            made[track] = [
                EngineBuild(
                    f"{model.name}-build{suffix}",
                    EngineBuildArgs(self._platform, model.spec, model.version, self._placement),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._machines)),
                )
                for model in server.models
                if model.spec.build
            ]
        return made

    def _create_identity(self) -> WorkloadIdentity:
        return WorkloadIdentity(
            self._name,
            WorkloadIdentityArgs(
                platform=self._platform,
                service_account=self._name,
                labels=self._platform.labels(self._name, self._spec, "server"),
                reads=served_uris(self._args.specs, self._platform.stack),
                existing=existing_account(self._args.specs),
            ),
            opts=self._within,
        )

    def _create_service(self) -> core.v1.Service:
        return create_service(self._name, self._platform, self._servers[STABLE], self._ports, self)

    def _create_serving(self, track: str) -> ServingDeployment | ServingResource:
        server, answer = self._servers[track], self._workloads.answers[track]
        name = deployment_name(self._name, track)
        args = ServingDeploymentArgs(
            platform=self._platform,
            server=server,
            container=answer.container if isinstance(answer, CustomResource) else answer,
            service_account=self.identity.service_account_name,
            placement=self._placement,
            track=track,
            project_files=model_files(server, self._args.root),
            awaited_replicas=bounds.min if (bounds := replicas(self._spec, track)).idle else None,
            after=(*self._machines, *self.builds[track]),
        )
        if isinstance(answer, CustomResource):
            return ServingResource(name, args, answer, opts=self._within)
        return ServingDeployment(name, args, opts=self._within)

    def _create_route(self) -> TrafficRoute | None:
        """After the pods: nothing is sent to a version that is not there yet."""
        if not is_routed(self._platform.stack):
            return None
        return TrafficRoute(
            self._name,
            TrafficRouteArgs(self._platform, self._servers[STABLE], self._ports),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service, *self.deployments.values()]),
        )

    def _create_rollout(self) -> ProgressiveRollout | None:
        if not self._spec.progressive:
            return None
        before = [self.service, *self.deployments.values(), *([self.route] if self.route else [])]
        return ProgressiveRollout(
            self._name,
            ProgressiveRolloutArgs(self._platform, self._servers[STABLE], self._ports, self._metrics),
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )

    def _create_autoscaler(self, track: str) -> Autoscaler:
        """Beside the Deployment, not after it: it is what brings the pods that an update waits for."""
        bounds = replicas(self._spec, track)
        return Autoscaler(
            deployment_name(self._name, track),
            AutoscalerArgs(
                platform=self._platform,
                server=self._name,
                spec=self._spec,
                target=self._workloads.target(track),
                plan=replace(self._plan, min_replicas=bounds.min, max_replicas=bounds.max),
                engine=self._measured.name,
                metrics=self._metrics,
                track=track if len(self._servers) > 1 else None,
            ),
            opts=self._within,
        )

    def _create_disruption_budget(self) -> PodDisruptionBudget:
        args = PodDisruptionBudgetArgs(self._platform, self._servers[STABLE])
        return PodDisruptionBudget(self._name, args, opts=self._within)

    def _create_network_policy(self) -> NetworkPolicy | None:
        if not is_restricted(self._platform.stack):
            return None
        args = NetworkPolicyArgs(
            self._platform,
            self._servers[STABLE],
            self._ports,
            scraped=self._metrics.path is not None,
        )
        return NetworkPolicy(self._name, args, opts=self._within)

    def _create_rules(self) -> ServiceLevelRules | None:
        if self._platform.stack.lacks("prometheus-operator"):
            return None
        return ServiceLevelRules(
            self._name,
            ServiceLevelRulesArgs(
                self._platform, self._watched, self._metrics, metrics_port=self._workloads.metrics_port
            ),
            opts=self._within,
        )

    def _create_dashboard(self) -> Dashboard | None:
        """It shows what the rules record, so there is none without them."""
        if self._platform.stack.lacks("grafana") or self.rules is None:
            return None
        return Dashboard(self._name, DashboardArgs(self._platform, self._watched, self._metrics), opts=self._within)

    @property
    def _placement(self) -> Placement:
        name = self._spec.nodes.pool if isinstance(self._spec.nodes, PoolReference) else self._name
        pool = pool_of(self._spec, self._platform.stack)
        return placement(name, pool, self._spec.serving.resources.accelerator)

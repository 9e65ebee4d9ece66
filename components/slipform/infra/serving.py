"""ServingDeployment: one track of a server, its files and its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes import apps, meta

from ..engines.base import Container, Server
from .placement import Placement
from .platform import STABLE, Platform, selector
from .pods import PodInputs, pod_labels, pod_template
from .server_files import create_files


@dataclass(frozen=True)
class ServingDeploymentArgs:
    """What one track of a server is made of."""

    platform: Platform
    server: Server
    """The models, at this track's versions."""
    container: Container
    """The engine's answer for them."""
    service_account: pulumi.Input[str]
    placement: Placement
    track: str = STABLE
    project_files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    """Files of models that lie in the project, by the path of the version's folder, then by name."""
    after: tuple[pulumi.Resource, ...] = ()
    """What must be there first: the machines, the builds of the engines that are served."""
    awaited_replicas: int | None = None
    """An update is done only when so many are ready; absent: when one is."""


class ServingDeployment(pulumi.ComponentResource):
    """A Deployment with its ConfigMaps. It declares no replicas: the autoscaler has the say, from the first pod on."""

    def __init__(self, name: str, args: ServingDeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:serving:ServingDeployment", name, {}, opts)
        self._name = name
        self._args = args
        self._files = create_files(
            name, args.platform, args.server, args.container.files, args.project_files, parent=self
        )
        self.deployment = self._create_deployment()
        self.register_outputs({"deployment": self.deployment_name, "selector": self.pod_labels})

    @property
    def deployment_name(self) -> pulumi.Output[str]:
        """The Deployment's name in the cluster."""
        return self.deployment.metadata.name.apply(str)

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels that find this track's pods."""
        return selector(self._args.server.name, self._args.track)

    def _create_deployment(self) -> apps.v1.Deployment:
        args, server = self._args, self._args.server
        startup = server.spec.serving.startup_timeout.whole_seconds()
        inputs = PodInputs(
            track=args.track,
            files=self._files,
            service_account=args.service_account,
            placement=args.placement,
        )
        labels = args.platform.labels(server.name, server.spec, "server") | pod_labels(server, args.track)
        return apps.v1.Deployment(
            self._name,
            metadata=meta.v1.ObjectMetaArgs(
                name=self._name,
                namespace=args.platform.namespace,
                labels=labels,
                annotations=self._wait_for(),
            ),
            spec=apps.v1.DeploymentSpecArgs(
                # The autoscaler has the say over replicas; with a progressive rollout Argo Rollouts, which scales this
                # to 0 when its own pods have taken over, and not before.
                selector=meta.v1.LabelSelectorArgs(match_labels=self.pod_labels),
                strategy=apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=apps.v1.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge="25%"),
                ),
                min_ready_seconds=5,
                revision_history_limit=3,
                # A new GPU node takes minutes before the image is even pulled.
                progress_deadline_seconds=startup + 900,
                template=pod_template(args.platform, server, args.container, inputs),
            ),
            opts=args.platform.options(
                self,
                depends_on=list(args.after),
                custom_timeouts=pulumi.CustomTimeouts(create=f"{startup + 900}s", update=f"{startup + 1800}s"),
            ),
        )

    def _wait_for(self) -> dict[str, str] | None:
        """Pulumi's own condition of being done, in place of the one that is met by the first pod."""
        awaited = self._args.awaited_replicas
        return {"pulumi.com/waitFor": f"jsonpath={{.status.readyReplicas}}={awaited}"} if awaited else None

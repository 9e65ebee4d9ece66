"""ServingDeployment: one track of a server, its files and its pods."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes import apps, core, meta

from ..engines.base import Container, Server
from .placement import Placement
from .platform import STABLE, Platform, selector
from .pods import PodInputs, pod_labels, pod_template


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
        self._labels = args.platform.labels(args.server.name, args.server.spec, "server")

        self.config = self._create_config()
        self.project_files = self._create_project_files()
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

    def _create_config(self) -> core.v1.ConfigMap:
        return self._config_map("config", data=dict(self._args.container.files))

    def _create_project_files(self) -> dict[str, core.v1.ConfigMap]:
        made = {}
        for path, files in sorted(self._args.project_files.items()):
            binary = {name: base64.b64encode(content).decode() for name, content in sorted(files.items())}
            made[path] = self._config_map(f"model-{path.replace('/', '-')}", binary_data=binary, path=path)
        return made

    def _config_map(
        self, what: str, data: dict[str, str] | None = None, binary_data: dict[str, str] | None = None, path: str = ""
    ) -> core.v1.ConfigMap:
        """Its name in the cluster holds its content's hash: pods that start late still find what they were made for.

        Of a model's files the hash is of their path as well: versions with the same bytes are resources of their own,
        and when one goes, it must not take the other's object with it.
        """
        content = sorted((data or binary_data or {}).items())
        short = hashlib.sha256(f"{path}{content!r}".encode()).hexdigest()[:10]
        return core.v1.ConfigMap(
            f"{self._name}-{what}",
            metadata=meta.v1.ObjectMetaArgs(
                name=f"{self._name}-{short}", namespace=self._args.platform.namespace, labels=self._labels
            ),
            data=data,
            binary_data=binary_data,
            immutable=True,
            opts=self._args.platform.options(self),
        )

    def _create_deployment(self) -> apps.v1.Deployment:
        args, server = self._args, self._args.server
        startup = server.spec.serving.startup_timeout.whole_seconds()
        inputs = PodInputs(
            track=args.track,
            config_map=_name_of(self.config),
            service_account=args.service_account,
            placement=args.placement,
            project_files={path: _name_of(made) for path, made in self.project_files.items()},
        )
        return apps.v1.Deployment(
            self._name,
            metadata=meta.v1.ObjectMetaArgs(
                name=self._name,
                namespace=args.platform.namespace,
                labels=self._labels | pod_labels(server, args.track),
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


def _name_of(resource: core.v1.ConfigMap) -> pulumi.Output[str]:
    return resource.metadata.name.apply(str)

"""ServingResource: the custom resource of which an engine's operator makes a server's pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, meta

from ..engines.base import CustomResource, Server
from .placement import Placement
from .platform import STABLE, Platform
from .pods import SPREAD_OVER, pod_labels


@dataclass(frozen=True)
class ServingResourceArgs:
    """What a server is made of whose pods are an operator's."""

    platform: Platform
    server: Server
    resource: CustomResource
    """The engine's answer for its models."""
    service_account: pulumi.Input[str]
    placement: Placement
    after: tuple[pulumi.Resource, ...] = ()
    """What must be there first: the machines, the builds of the engines that are served."""


class ServingResource(pulumi.ComponentResource):
    """The resource alone: the operator makes the Deployment, and rolls out each change of it in its own way."""

    def __init__(self, name: str, args: ServingResourceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:serving:ServingResource", name, {}, opts)
        self._name = name
        self._args = args
        self.resource = self._create_resource()
        self.register_outputs({"deployment": args.resource.deployment, "selector": dict(args.resource.pod_labels)})

    def _create_resource(self) -> apiextensions.CustomResource:
        args, answer, server = self._args, self._args.resource, self._args.server
        startup = server.spec.serving.startup_timeout.whole_seconds()
        return apiextensions.CustomResource(
            self._name,
            api_version=answer.api_version,
            kind=answer.kind,
            metadata=meta.v1.ObjectMetaArgs(
                name=server.name,
                namespace=args.platform.namespace,
                labels=args.platform.labels(server.name, server.spec, "server") | pod_labels(server, STABLE),
                # Of a kind that it does not know, Pulumi would take the first sight of it for being done.
                annotations={**answer.annotations, "pulumi.com/waitFor": "condition=Ready"},
            ),
            spec=filled_in(answer.spec, answer.pod, self._pod_fields()),
            opts=args.platform.options(
                self,
                depends_on=list(args.after),
                ignore_changes=list(answer.ignore_changes),
                custom_timeouts=pulumi.CustomTimeouts(create=f"{startup + 900}s", update=f"{startup + 1800}s"),
            ),
        )

    def _pod_fields(self) -> dict[str, Any]:
        """Who the pods are and where they run, by the words of a PodSpec; what says nothing is left out."""
        args = self._args
        fields = {
            "serviceAccountName": args.service_account,
            "imagePullSecrets": [{"name": secret} for secret in args.platform.stack.images.pull_secrets],
            "nodeSelector": dict(args.placement.node_selector),
            "tolerations": [
                {key: value for key, value in vars(toleration).items() if value is not None}
                for toleration in args.placement.tolerations
            ],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": key,
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": dict(args.resource.pod_labels)},
                    "matchLabelKeys": ["pod-template-hash"],
                }
                for key in SPREAD_OVER
            ],
        }
        return {name: value for name, value in fields.items() if value}


def filled_in(spec: Mapping[str, Any], path: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the fields at a path, where it does not have them already."""
    if not path:
        return {**fields, **spec}
    return {**spec, path[0]: filled_in(spec.get(path[0], {}), path[1:], fields)}

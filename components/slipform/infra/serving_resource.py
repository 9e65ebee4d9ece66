"""ServingResource: one track of a server as the custom resource of which an engine's operator makes its pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, core, meta

from ..engines.base import CustomResource
from .pods import PodInputs, pod_annotations, pod_labels, pod_spec
from .server_files import create_files
from .serving import ServingDeploymentArgs


class ServingResource(pulumi.ComponentResource):
    """What a ServingDeployment is, with the resource in the Deployment's place: the operator makes that of it, and
    rolls out each change in its own way.
    """

    def __init__(
        self,
        name: str,
        args: ServingDeploymentArgs,
        resource: CustomResource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipform:serving:ServingResource", name, {}, opts)
        self._name, self._args, self._answer = name, args, resource
        self._files = create_files(
            name, args.platform, args.server, args.container.files, args.project_files, parent=self
        )
        self.resource = self._create_resource()
        self.register_outputs({"deployment": f"{name}{resource.deployment_suffix}"})

    def _create_resource(self) -> apiextensions.CustomResource:
        args, answer, server = self._args, self._answer, self._args.server
        labels = args.platform.labels(server.name, server.spec, "server") | pod_labels(server, args.track)
        startup = server.spec.serving.startup_timeout.whole_seconds()
        return apiextensions.CustomResource(
            self._name,
            api_version=answer.api_version,
            kind=answer.kind,
            metadata=meta.v1.ObjectMetaArgs(
                name=self._name,
                namespace=args.platform.namespace,
                labels={**labels, **answer.labels},
                # Of a kind that it does not know, Pulumi would take the first sight of it for being done.
                annotations={**answer.annotations, "pulumi.com/waitFor": "condition=Ready"},
            ),
            spec=self._spec(),
            opts=args.platform.options(
                self,
                depends_on=list(args.after),
                ignore_changes=list(answer.ignore_changes),
                custom_timeouts=pulumi.CustomTimeouts(create=f"{startup + 900}s", update=f"{startup + 1800}s"),
            ),
        )

    def _spec(self) -> dict[str, Any]:
        """The engine's, with the pods filled in."""
        args, answer = self._args, self._answer
        inputs = PodInputs(args.track, self._files, args.service_account, args.placement)
        pod = pod_spec(args.platform, args.server, args.container, inputs, answer.container_name)
        filled = filled_in(answer.spec, answer.pod, fields(pod))
        annotations = pod_annotations(args.platform, args.container)
        return filled_in(filled, answer.pod_annotations, annotations) if annotations else filled


def fields(pod: core.v1.PodSpecArgs) -> dict[str, Any]:
    """The fields of a PodSpec that are set, by Kubernetes' names, for a place where others stand beside them."""
    names = [name for name, value in vars(type(pod)).items() if isinstance(value, property)]
    found = {name: getattr(pod, name) for name in names}
    return {
        re.sub(r"_(.)", lambda match: match[1].upper(), name): value
        for name, value in found.items()
        if value is not None and value != []
    }


def filled_in(spec: Mapping[str, Any], path: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with the fields at a path, where it does not have them already."""
    if not path:
        return {**fields, **spec}
    return {**spec, path[0]: filled_in(spec.get(path[0], {}), path[1:], fields)}

"""What every component of a stack shares: its config, its provider, its names and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pulumi
import pulumi_kubernetes as k8s

from ..engines.servers import CANDIDATE as CANDIDATE
from ..engines.servers import STABLE as STABLE
from ..spec.findings import SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig

TRACK_LABEL = "slipform.dev/track"
VERSION_LABEL = "slipform.dev/version"


@dataclass(frozen=True)
class Platform:
    """The stack as components see it. ``provider`` reaches the stack's one cluster, never the ambient context."""

    stack_name: str
    stack: StackConfig
    provider: k8s.Provider

    @property
    def namespace(self) -> str:
        return self.stack.cluster.namespace

    def options(self, parent: pulumi.Resource, **more: object) -> pulumi.ResourceOptions:
        """Options of a Kubernetes resource in the stack's cluster."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **more)  # type: ignore[arg-type]

    @cached_property
    def aws_provider(self) -> pulumi.ProviderResource:
        """The stack's AWS account and region, whatever the environment says; registered when it is first asked for.

        Raises SlipformError where pulumi-aws, which is large and an extra, is not installed.
        """
        aws = self.stack.cluster.aws
        if aws is None:
            raise SlipformError("the stack names no AWS account: add slipform:cluster.aws to its config")
        try:
            import pulumi_aws
        except ImportError as missing:
            raise SlipformError("this stack makes AWS resources: pip install 'slipform[aws]'") from missing
        provider: pulumi.ProviderResource = pulumi_aws.Provider(
            "aws", region=aws.region, allowed_account_ids=[aws.account]
        )
        return provider

    def aws_options(self, parent: pulumi.Resource, **more: object) -> pulumi.ResourceOptions:
        """Options of an AWS resource in the stack's account."""
        return pulumi.ResourceOptions(parent=parent, provider=self.aws_provider, **more)  # type: ignore[arg-type]

    def labels(self, server: str, spec: ModelSpec, component: str) -> dict[str, str]:
        """Labels of one object: Kubernetes' recommended ones, then the owner's, then the stack's and the spec's own."""
        team = {"slipform.dev/team": spec.team} if spec.team else {}
        return {
            **self.stack.labels,
            **spec.labels,
            **team,
            **selector(server),
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/managed-by": "slipform",
        }


def selector(server: str, track: str | None = None) -> dict[str, str]:
    """The labels that find a server's pods, of one track or of all; a Deployment's never change."""
    return {"app.kubernetes.io/name": server} | ({TRACK_LABEL: track} if track else {})

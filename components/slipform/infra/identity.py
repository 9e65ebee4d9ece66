"""WorkloadIdentity: the ServiceAccount of a server or a build, and the cloud role by which it reaches its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes import core, meta

from ..spec.modelspec import ModelSpec
from ..spec.stack import Aws, StackConfig
from . import iam
from .platform import Platform

if TYPE_CHECKING:
    import pulumi_aws as aws

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""By it EKS gives a ServiceAccount's pods the credentials of a role."""


@dataclass(frozen=True)
class WorkloadIdentityArgs:
    """Who a pod is, and what it may reach."""

    platform: Platform
    service_account: str
    """The ServiceAccount's name."""
    labels: Mapping[str, str]
    """Whose it is: labels of the ServiceAccount, tags of the role."""
    reads: tuple[str, ...] = ()
    """URIs below which it may read; those of S3 are granted to its role."""
    writes: tuple[str, ...] = ()
    """URIs below which it may write as well."""
    existing: str | None = None
    """A ServiceAccount that is there, in place of one that is made: nothing is."""


class WorkloadIdentity(pulumi.ComponentResource):
    """A ServiceAccount without a token for Kubernetes; with a role where it reaches S3 and the cluster has OIDC."""

    def __init__(self, name: str, args: WorkloadIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:identity:WorkloadIdentity", name, {}, opts)
        self._name = name
        self._args = args
        self._access = _access(args)

        self._role = self._create_role()
        permissions = self._create_permissions()
        self._service_account = self._create_service_account(permissions)
        self.register_outputs({"serviceAccountName": self.service_account_name, "roleArn": self.role_arn})

    @property
    def service_account_name(self) -> pulumi.Output[str]:
        """The ServiceAccount's name in the cluster, known when it and its role are there."""
        if self._service_account is None:
            return pulumi.Output.from_input(self._args.existing or "default")
        return self._service_account.metadata.name.apply(str)

    @property
    def role_arn(self) -> str | None:
        """The role's ARN; None where there is no role."""
        return iam.role_arn(self._aws, self._role_name) if self._access else None

    @property
    def _aws(self) -> Aws:
        aws = self._args.platform.stack.cluster.aws
        assert aws is not None, "there is access to S3 only where an AWS account is named"  # noqa: S101
        return aws

    @property
    def _role_name(self) -> str:
        return iam.role_name(self._aws, self._args.platform.namespace, self._args.service_account)

    def _create_role(self) -> aws.iam.Role | None:
        if self._access is None:
            return None
        options = self._args.platform.aws_options(self)
        import pulumi_aws as aws

        namespace, service_account = self._args.platform.namespace, self._args.service_account
        return aws.iam.Role(
            self._name,
            # A fixed name, so that manifests can hold the role's ARN before it is there.
            name=self._role_name,
            description=f"Pods of {namespace}/{service_account} in {self._aws.cluster_name}",
            assume_role_policy=iam.as_json(iam.trust_of_pods(self._aws, namespace, service_account)),
            permissions_boundary=self._aws.permissions_boundary,
            tags=dict(self._args.labels),
            opts=options,
        )

    def _create_permissions(self) -> aws.iam.RolePolicy | None:
        if self._access is None or self._role is None:
            return None
        import pulumi_aws as aws

        return aws.iam.RolePolicy(
            self._name,
            name="model-files",
            role=self._role.name,
            policy=iam.as_json(self._access),
            opts=self._args.platform.aws_options(self),
        )

    def _create_service_account(self, permissions: aws.iam.RolePolicy | None) -> core.v1.ServiceAccount | None:
        if self._args.existing is not None:
            return None
        return core.v1.ServiceAccount(
            self._name,
            metadata=meta.v1.ObjectMetaArgs(
                name=self._args.service_account,
                namespace=self._args.platform.namespace,
                labels=dict(self._args.labels),
                annotations={ROLE_ANNOTATION: self.role_arn} if self.role_arn else None,
            ),
            automount_service_account_token=False,
            opts=self._args.platform.options(self, depends_on=[permissions] if permissions else []),
        )


def _access(args: WorkloadIdentityArgs) -> dict[str, Any] | None:
    """The role's permissions; None where there is no role to make."""
    aws = args.platform.stack.cluster.aws
    if args.existing is not None or aws is None or aws.oidc_provider is None:
        return None
    return iam.bucket_access(aws, args.reads, args.writes)


def existing_account(specs: Iterable[ModelSpec]) -> str | None:
    """The ServiceAccount that the specs of one server name, if one does."""
    named = [spec.model.credentials.service_account for spec in specs if spec.model.credentials]
    return next((name for name in named if name), None)


def served_uris(specs: Iterable[ModelSpec], stack: StackConfig) -> tuple[str, ...]:
    """What a server of these specs fetches: all versions of its models, so that a release changes no permission."""
    found: list[str] = []
    for spec in specs:
        if spec.build is not None:
            found += written_uris(spec, stack)
        else:
            found += model_uris(spec)
    return tuple(sorted(set(found)))


def written_uris(spec: ModelSpec, stack: StackConfig) -> tuple[str, ...]:
    """Where the builds of a spec put their results."""
    return (f"{stack.artifacts.uri}/{spec.name}",) if stack.artifacts else ()


def built_uris(spec: ModelSpec) -> tuple[str, ...]:
    """What the builds of a spec read."""
    build = spec.build
    samples = (build.calibration.uri if build and build.calibration else None, build.samples if build else None)
    return tuple(sorted({*model_uris(spec), *(uri for uri in samples if uri)}))


def model_uris(spec: ModelSpec) -> tuple[str, ...]:
    """Where the spec's versions are, as they were trained; nothing where a Secret brings the access."""
    if spec.model.credentials and spec.model.credentials.secret:
        return ()
    candidate = spec.candidate
    uris = (spec.model.uri, candidate.uri if candidate else None)
    return tuple(sorted({uri for uri in uris if uri}))

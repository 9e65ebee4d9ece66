"""GpuNodePool: machines of one kind, by Karpenter or as a managed node group of EKS; without GPUs as well as with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes import apiextensions, meta

from ..spec.machines import ami_type
from ..spec.nodes import NodePool
from ..spec.stack import Aws
from . import eks, iam, karpenter
from .placement import POOL_LABEL, node_taints
from .platform import Platform
from .volumes import volumes

if TYPE_CHECKING:
    import pulumi_aws as aws


@dataclass(frozen=True)
class GpuNodePoolArgs:
    """What a pool is made of; ``review`` has seen that it works in the stack."""

    platform: Platform
    pool_name: str
    """The pool's name in the cluster, and the value of its nodes' label ``slipform.dev/pool``."""
    pool: NodePool
    labels: Mapping[str, str] = field(default_factory=dict)
    """Whose it is: labels of the objects, and tags of what AWS bills."""


class GpuNodePool(pulumi.ComponentResource):
    """The pool's nodes are added and removed by Karpenter or Cluster Autoscaler; an ``existing`` pool makes nothing."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:nodes:GpuNodePool", name, {}, opts)
        self._name = name
        self._args = args
        self._tags = {
            **args.platform.stack.labels,
            **args.labels,
            POOL_LABEL: args.pool_name,
            "app.kubernetes.io/managed-by": "slipform",
        }
        self._node_role: aws.iam.Role | None = None

        if args.pool.provisioner == "karpenter":
            node_class = self._create_node_class()
            self._create_node_pool(node_class)
        elif args.pool.provisioner == "eks":
            self._node_role = self._create_node_role()
            permissions = self._create_node_permissions(self._node_role)
            template = self._create_launch_template()
            self._create_node_group(self._node_role, template, permissions)
        self.register_outputs({"poolName": self.pool_name, "nodeRoleArn": self.node_role_arn})

    @property
    def pool_name(self) -> str:
        """The pool's name in the cluster."""
        return self._args.pool_name

    @property
    def node_role_arn(self) -> pulumi.Output[str] | None:
        """The role of a managed node group's nodes; None where the nodes' role is not made here."""
        return self._node_role.arn if self._node_role else None

    @property
    def _aws(self) -> Aws:
        aws = self._args.platform.stack.cluster.aws
        assert aws is not None, "review lets no pool pass that is made where no AWS account is named"  # noqa: S101
        return aws

    def _create_node_class(self) -> apiextensions.CustomResource:
        spec = karpenter.node_class_spec(self._args.pool, self._aws, self._tags)
        return self._custom_resource("class", *karpenter.NODE_CLASS, spec)

    def _create_node_pool(self, node_class: apiextensions.CustomResource) -> apiextensions.CustomResource:
        spec = karpenter.node_pool_spec(self._args.pool_name, self._args.pool)
        return self._custom_resource("pool", *karpenter.NODE_POOL, spec, depends_on=[node_class])

    def _custom_resource(
        self, what: str, api_version: str, kind: str, spec: Mapping[str, object], **options: object
    ) -> apiextensions.CustomResource:
        return apiextensions.CustomResource(
            f"{self._name}-{what}",
            api_version=api_version,
            kind=kind,
            metadata=meta.v1.ObjectMetaArgs(name=self._args.pool_name, labels=self._tags),
            spec=spec,
            opts=self._args.platform.options(self, protect=self._protected, **options),
        )

    def _create_node_role(self) -> aws.iam.Role:
        options = self._args.platform.aws_options(self)
        import pulumi_aws as aws

        return aws.iam.Role(
            f"{self._name}-node",
            description=f"Nodes of {self._args.pool_name} in {self._aws.cluster_name}",
            assume_role_policy=iam.as_json(iam.trust_of_machines(self._aws)),
            permissions_boundary=self._aws.permissions_boundary,
            tags=self._tags,
            opts=options,
        )

    def _create_node_permissions(self, role: aws.iam.Role) -> list[aws.iam.RolePolicyAttachment]:
        import pulumi_aws as aws

        return [
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{policy}",
                role=role.name,
                policy_arn=iam.managed_policy_arn(self._aws, policy),
                opts=self._args.platform.aws_options(self),
            )
            for policy in eks.NODE_POLICIES
        ]

    def _create_launch_template(self) -> aws.ec2.LaunchTemplate:
        """Disks are here, and not in the group, where a change of their size would replace it."""
        import pulumi_aws as aws

        return aws.ec2.LaunchTemplate(
            self._name,
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=device,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_size=gib, volume_type="gp3", encrypted="true", delete_on_termination="true"
                    ),
                )
                for device, gib in volumes(self._args.pool).items()
            ],
            # Pods can't take the node's own credentials: the metadata service is one hop too far for them.
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=what, tags=self._tags)
                for what in ("instance", "volume")
            ],
            tags=self._tags,
            opts=self._args.platform.aws_options(self),
        )

    def _create_node_group(
        self,
        role: aws.iam.Role,
        template: aws.ec2.LaunchTemplate,
        permissions: list[aws.iam.RolePolicyAttachment],
    ) -> aws.eks.NodeGroup:
        import pulumi_aws as aws

        pool = self._args.pool
        return aws.eks.NodeGroup(
            self._name,
            cluster_name=self._aws.cluster_name,
            node_group_name_prefix=eks.name_prefix(self._args.pool_name),
            node_role_arn=role.arn,
            subnet_ids=list(self._aws.subnets),
            instance_types=list(pool.instance_types),
            capacity_type=eks.CAPACITY_TYPES[pool.capacity],
            ami_type=ami_type(pool),
            release_version=pool.ami_version,
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=pool.min_nodes, max_size=pool.max_nodes, desired_size=pool.min_nodes
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            labels=eks.group_labels(self._args.pool_name, pool),
            taints=[
                aws.eks.NodeGroupTaintArgs(
                    key=taint.key, value=taint.value or None, effect=eks.TAINT_EFFECTS[taint.effect]
                )
                for taint in node_taints(pool)
            ],
            tags=self._tags,
            opts=self._args.platform.aws_options(
                self,
                depends_on=permissions,
                protect=self._protected,
                # The autoscaler owns the number of nodes; every `up` would set it back.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )

    @property
    def _protected(self) -> bool:
        return self._args.platform.stack.protected

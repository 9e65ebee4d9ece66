"""``nodes``: the machines that the model runs on; stacks name shared pools in the same words."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from .units import Memory, refuse
from .vocabulary import LabelKey, LabelValue, Many, Name, Part

Provisioner = Literal["karpenter", "eks", "existing"]
AMI_TYPES = (
    "AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NVIDIA", "AL2023_ARM_64_NVIDIA",
    "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64_NVIDIA", "BOTTLEROCKET_ARM_64_NVIDIA",
)  # fmt: skip
AmiType = Literal[
    "AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NVIDIA", "AL2023_ARM_64_NVIDIA",
    "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64_NVIDIA", "BOTTLEROCKET_ARM_64_NVIDIA",
]  # fmt: skip


InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")]


class Taint(Part):
    """Keeps pods away that do not tolerate it; the model's pods do."""

    key: LabelKey = Field(description="The taint's key.", examples=["nvidia.com/gpu"])
    value: LabelValue = Field(default="", description="The taint's value.", examples=["true"])
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        default="NoSchedule", description="What it does, by Kubernetes' word.", examples=["NoSchedule"]
    )


class NodePool(Part):
    """Machines of one kind, made or found."""

    provisioner: Provisioner = Field(
        description="karpenter: a NodePool; eks: a managed node group; existing: nodes that are there.",
        examples=["karpenter"],
    )
    instance_types: Many[InstanceType] = Field(
        default=(), description="EC2 instance types, the first preferred.", examples=[["g6.xlarge"]]
    )
    capacity: Literal["spot", "on-demand"] = Field(
        default="on-demand",
        description="How the machines are bought; spot may be taken away.",
        examples=["spot"],
    )
    min_nodes: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Machines that are always there (eks only).", examples=[1]
    )
    max_nodes: Annotated[int, Field(ge=1)] = Field(default=10, description="Machines at most.", examples=[20])
    zones: Many[str] = Field(default=(), description="Availability zones; absent: all.", examples=[["eu-west-1a"]])
    ami_type: AmiType | None = Field(
        default=None,
        description="The machine image's family; absent: Bottlerocket, with NVIDIA's driver and plugin for GPUs.",
        examples=["BOTTLEROCKET_x86_64_NVIDIA"],
    )
    ami_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,17}$")] | None = Field(
        default=None,
        description="The image's release, in the provisioner's words; absent: the newest. Karpenter then moves nodes "
        "to each new one by itself, and a managed node group keeps that of its first day.",
        examples=["v1.49.0"],
    )
    disk: Memory = Field(default=Memory.parse("100Gi"), description="Size of the root volume.", examples=["200Gi"])
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="Labels of the nodes; for existing ones, the labels by which they are found.",
        examples=[{"node.kubernetes.io/instance-type": "g6.xlarge"}],
    )
    taints: Many[Taint] = Field(
        default=(),
        description="Taints beside nvidia.com/gpu, which GPU nodes always carry.",
        examples=[[{"key": "team", "value": "vision"}]],
    )

    @model_validator(mode="after")
    def _fits_the_provisioner(self) -> Self:
        if self.provisioner == "existing":
            given = self.model_fields_set & {
                "instance_types",
                "capacity",
                "min_nodes",
                "ami_type",
                "ami_version",
                "disk",
                "zones",
            }
            unusable = sorted(given - {"instance_types", "capacity"})
            if unusable:
                raise refuse(
                    f"existing nodes have no {', '.join(unusable)} to choose",
                    remedy=f"remove {', '.join(unusable)}",
                )
            if not self.labels:
                raise refuse("existing nodes are found by labels", remedy="add labels: {key: value}")
        elif not self.instance_types:
            raise refuse(
                f"{self.provisioner} needs instance types",
                remedy="add instance_types: [g6.xlarge], or choose a pool",
            )
        if self.min_nodes > self.max_nodes:
            raise refuse(
                f"min_nodes {self.min_nodes} is over max_nodes {self.max_nodes}",
                allowed="min_nodes ≤ max_nodes",
            )
        if self.min_nodes and self.provisioner == "karpenter":
            raise refuse("Karpenter keeps no minimum of nodes", remedy="remove min_nodes, or use provisioner: eks")
        return self


class PoolReference(Part):
    """A pool that the stack shares between models."""

    pool: Name = Field(description="The name of a pool in the stack's node_pools.", examples=["gpu-l4"])


def _which(value: object) -> str:
    return "reference" if isinstance(value, PoolReference) or (isinstance(value, dict) and "pool" in value) else "pool"


Nodes = Annotated[
    Annotated[NodePool, Tag("pool")] | Annotated[PoolReference, Tag("reference")],
    Discriminator(_which),
]
"""Machines of the model's own, or a pool of the stack's."""

"""A managed node group's inputs as plain data, in EKS' own words."""

from __future__ import annotations

from ..spec.machines import machines
from ..spec.nodes import NodePool
from .placement import node_labels

TAINT_EFFECTS = {"NoSchedule": "NO_SCHEDULE", "NoExecute": "NO_EXECUTE", "PreferNoSchedule": "PREFER_NO_SCHEDULE"}
"""From Kubernetes' word to EKS' (TaintEffect of CreateNodegroup)."""
CAPACITY_TYPES = {"spot": "SPOT", "on-demand": "ON_DEMAND"}

NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
"""What a node itself needs: to join its cluster and to pull images.

The VPC CNI has a role of its own, as AWS advises: pods on a node must not reach the network's permissions through it.
"""

ACCELERATOR_LABEL = "k8s.amazonaws.com/accelerator"
"""By it Cluster Autoscaler knows that a new node's GPU is still to come, and doesn't add another node meanwhile."""

MAX_NAME_PREFIX = 37
"""A node group's name has 63 characters, of which pulumi-aws takes 26 for what it appends to a prefix."""


def name_prefix(pool_name: str) -> str:
    """What the group's name begins with: a replacement gets another name, and is there before the old one goes."""
    return f"{pool_name[: MAX_NAME_PREFIX - 1].rstrip('-')}-"


def group_labels(name: str, pool: NodePool) -> dict[str, str]:
    """The nodes' labels. Cluster Autoscaler reads them, and the taints, from EKS, also while there is no node."""
    kind = next((machine.accelerator for machine in machines(pool) if machine.has_nvidia_gpu), None)
    return {**({ACCELERATOR_LABEL: kind} if kind else {}), **node_labels(name, pool)}

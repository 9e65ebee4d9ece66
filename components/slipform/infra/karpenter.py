"""Karpenter's two objects for a pool, as plain data: which machines (NodePool), and how they start (EC2NodeClass)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec.machines import architecture, is_bottlerocket, machines
from ..spec.nodes import NodePool, Taint
from ..spec.stack import Aws
from .placement import GPU_RESOURCE, node_labels, node_taints
from .volumes import volumes

NODE_POOL = ("karpenter.sh/v1", "NodePool")
NODE_CLASS = ("karpenter.k8s.aws/v1", "EC2NodeClass")

CONSOLIDATE_AFTER = "10m"
"""Longer than an autoscaler waits before it takes replicas away: a burst that comes back finds its machines."""
EXPIRE_AFTER = "720h"
"""No machine is older than thirty days, so none is without its image's updates."""


def node_pool_spec(name: str, pool: NodePool) -> dict[str, Any]:
    """Which machines the pool may have, and when they go."""
    group, _, _ = NODE_CLASS[0].partition("/")
    return {
        "template": {
            "metadata": {"labels": node_labels(name, pool)},
            "spec": {
                "nodeClassRef": {"group": group, "kind": NODE_CLASS[1], "name": name},
                "requirements": _requirements(pool),
                "taints": [_taint(taint) for taint in node_taints(pool)],
                "expireAfter": EXPIRE_AFTER,
            },
        },
        "limits": _limits(pool),
        "disruption": {
            "consolidationPolicy": "WhenEmptyOrUnderutilized",
            "consolidateAfter": CONSOLIDATE_AFTER,
            # Empty machines cost and serve nobody; of those that serve, one at a time.
            "budgets": [
                {"nodes": "100%", "reasons": ["Empty"]},
                {"nodes": "1", "reasons": ["Underutilized", "Drifted"]},
            ],
        },
    }


def node_class_spec(pool: NodePool, aws: Aws, tags: Mapping[str, str]) -> dict[str, Any]:
    """How the pool's machines start: image, disks, network, role."""
    discovery = {"tags": {"karpenter.sh/discovery": aws.cluster_name}}
    family = "bottlerocket" if is_bottlerocket(pool) else "al2023"
    return {
        "role": aws.karpenter_node_role or f"KarpenterNodeRole-{aws.cluster_name}",
        # Karpenter takes the variant that fits a machine: of its architecture, with NVIDIA's driver where it has a GPU.
        "amiSelectorTerms": [{"alias": f"{family}@{pool.ami_version or 'latest'}"}],
        "subnetSelectorTerms": [{"id": subnet} for subnet in aws.subnets] or [discovery],
        "securityGroupSelectorTerms": [{"id": group} for group in aws.security_groups] or [discovery],
        "blockDeviceMappings": _disks(pool),
        # Pods can't take the machine's own credentials: the metadata service is one hop too far for them.
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "tags": dict(tags),
    }


def _requirements(pool: NodePool) -> list[dict[str, Any]]:
    wanted = {
        "node.kubernetes.io/instance-type": list(pool.instance_types),
        "karpenter.sh/capacity-type": [pool.capacity],
        "kubernetes.io/arch": [architecture(pool)],
        "kubernetes.io/os": ["linux"],
        "topology.kubernetes.io/zone": list(pool.zones),
    }
    return [{"key": key, "operator": "In", "values": values} for key, values in wanted.items() if values]


def _limits(pool: NodePool) -> dict[str, str]:
    """As many machines as the pool may have; for a Karpenter that can't count nodes, what those have at most."""
    limits = {"nodes": str(pool.max_nodes)}
    known = machines(pool)
    if len(known) == len(pool.instance_types):
        limits["cpu"] = str(pool.max_nodes * max(machine.vcpus for machine in known))
        gpus = max(machine.accelerator_count if machine.has_nvidia_gpu else 0 for machine in known)
        limits |= {GPU_RESOURCE: str(pool.max_nodes * gpus)} if gpus else {}
    return limits


def _taint(taint: Taint) -> dict[str, str]:
    return {"key": taint.key, **({"value": taint.value} if taint.value else {}), "effect": taint.effect}


def _disks(pool: NodePool) -> list[dict[str, Any]]:
    return [
        {
            "deviceName": device,
            "ebs": {"volumeSize": f"{gib}Gi", "volumeType": "gp3", "encrypted": True, "deleteOnTermination": True},
        }
        for device, gib in volumes(pool).items()
    ]

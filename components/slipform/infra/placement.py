"""Which machines a pod goes to: the same for a server and for the build of its engine. Knows nothing of Pulumi."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..spec.machines import has_gpus
from ..spec.nodes import NodePool, Taint
from ..spec.units import Accelerator

POOL_LABEL = "slipform.dev/pool"
"""The label of every node in a pool that Slipform makes; its value is the pool's name."""
GPU_RESOURCE = "nvidia.com/gpu"
"""What pods ask for, by the word of NVIDIA's device plugin."""
GPU_TAINT = Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")
"""Keeps pods without a GPU off the machines that are paid for having one."""


@dataclass(frozen=True)
class Toleration:
    """A taint that a pod may live with, by Kubernetes' words."""

    key: str
    operator: Literal["Exists", "Equal"]
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str | None = None


@dataclass(frozen=True)
class Placement:
    """What a pod's spec says about its machine."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


def placement(name: str | None, pool: NodePool | None, accelerator: Accelerator | None) -> Placement:
    """Where a pod goes that asks for ``accelerator`` on the pool of that name; None is no pool: any node there is."""
    # Clusters give this taint different values (true, present), and mean the same.
    on_gpus = accelerator is not None or (pool is not None and has_gpus(pool))
    gpu = (Toleration(GPU_TAINT.key, "Exists", GPU_TAINT.effect),) if on_gpus else ()
    if pool is None:
        return Placement(tolerations=gpu)
    found_by = pool.labels if pool.provisioner == "existing" else {POOL_LABEL: str(name)}
    own = tuple(taint for taint in pool.taints if not (gpu and _same_place(taint, GPU_TAINT)))
    return Placement(dict(found_by), gpu + tuple(_tolerated(taint) for taint in own))


def node_labels(name: str, pool: NodePool) -> dict[str, str]:
    """The labels of a node in a pool that is made."""
    return {**pool.labels, POOL_LABEL: name}


def node_taints(pool: NodePool) -> tuple[Taint, ...]:
    """The taints of a node in a pool that is made: the GPU's, then the pool's own."""
    if not has_gpus(pool):
        return pool.taints
    return (GPU_TAINT, *(taint for taint in pool.taints if not _same_place(taint, GPU_TAINT)))


def _same_place(one: Taint, other: Taint) -> bool:
    """A node has one taint of a key and effect."""
    return (one.key, one.effect) == (other.key, other.effect)


def _tolerated(taint: Taint) -> Toleration:
    if not taint.value:
        return Toleration(taint.key, "Exists", taint.effect)
    return Toleration(taint.key, "Equal", taint.effect, taint.value)

"""EC2 instance types: which there are, what each has, and what is left of it for pods.

The facts are in ``instance_types.csv``, which ``tools/instance_types.py`` writes and checks.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Architecture = Literal["amd64", "arm64"]

KARPENTER_VM_OVERHEAD = 0.075
"""The share of memory that Karpenter believes hypervisor and kernel to keep (its VM_MEMORY_OVERHEAD_PERCENT)."""

_COLUMNS = ("type", "architecture", "vcpus", "memory_mib", "max_pods", "accelerator", "accelerators")
_MIB = 2**20


@dataclass(frozen=True)
class Instance:
    """What one instance type has, before anything is reserved."""

    name: str
    architecture: Architecture
    vcpus: int
    memory_mib: int
    max_pods: int
    """Pods that the VPC CNI has addresses for, without prefix delegation."""
    accelerator: str | None = None
    """A kind of ``units.GPU_MODELS``; of others maker and name (amd-radeon-pro-v520); None for a part of a GPU."""
    accelerator_count: int = 0

    @property
    def has_nvidia_gpu(self) -> bool:
        return self.accelerator is not None and self.accelerator.startswith("nvidia-")


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """The cells of each row by the type that it is about; hardly any of them is asked for."""
    text = (files(__package__) / "instance_types.csv").read_text(encoding="utf-8")
    rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    if tuple(next(rows)) != _COLUMNS:
        raise ValueError(f"instance_types.csv has other columns than {', '.join(_COLUMNS)}")
    return {row[0]: tuple(row) for row in rows}


def names() -> tuple[str, ...]:
    """Every instance type that EC2 has, sorted."""
    return tuple(_table())


@cache
def capacity(name: str) -> Instance | None:
    """What an instance type has; None where it isn't known, or is no instance type."""
    row = dict(zip(_COLUMNS, _table().get(name, ()), strict=False))
    if not row.get("vcpus"):
        return None
    return Instance(
        name=name,
        architecture="arm64" if row["architecture"] == "arm64" else "amd64",
        vcpus=int(row["vcpus"]),
        memory_mib=int(row["memory_mib"]),
        max_pods=int(row["max_pods"]),
        accelerator=row["accelerator"] or None,
        accelerator_count=int(row["accelerators"] or 0),
    )


def allocatable(instance: Instance, *, vm_overhead: float = 0.0) -> tuple[int, int]:
    """What EKS's kubelet leaves to pods, DaemonSets included: (thousandths of a processor, bytes of memory).

    Without ``vm_overhead``, the share of memory that hypervisor and kernel keep, this is the most that can be left.

    The reserve is the same on AL2023 (awslabs/amazon-eks-ami, nodeadm's kubelet defaults) and Bottlerocket
    (bottlerocket-os/bottlerocket#1388): 6 % of the first processor, 1 % of the second, 0.5 % of the next two, 0.25 %
    of the others; 255 MiB and 11 MiB a pod; and the kubelet evicts pods when 100 MiB are left.
    """
    millicores = instance.vcpus * 1000
    bands = ((0, 1000, 600), (1000, 2000, 100), (2000, 4000, 50), (4000, millicores, 25))
    reserved = sum(max(0, min(millicores, end) - start) * share for start, end, share in bands) // 10_000
    lost_mib = -int(-instance.memory_mib * vm_overhead // 1)
    kept_mib = instance.memory_mib - lost_mib - (255 + 11 * instance.max_pods) - 100
    return millicores - reserved, max(0, kept_mib) * _MIB

"""What a machine has for pods, and how much of it a replica takes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .instances import KARPENTER_VM_OVERHEAD, Instance, allocatable
from .nodes import Provisioner
from .serving import Resources


@dataclass(frozen=True)
class Room:
    """What a node leaves to pods: thousandths of a processor, bytes of memory, whole accelerators."""

    millicores: int
    memory: int
    accelerators: int = 0

    def share(self, resources: Resources) -> Fraction | None:
        """The part of the node that a replica takes, by what it takes most of; None where it does not fit."""
        shares = [_part(resources.cpu.millicores, self.millicores), _part(resources.memory.bytes, self.memory)]
        if resources.accelerator:
            shares.append(_part(resources.accelerator.count, self.accelerators))
        largest = max(shares)
        return largest if largest <= 1 else None

    def replicas(self, resources: Resources) -> int:
        """How many replicas one node has room for."""
        share = self.share(resources)
        return int(1 / share) if share else 0


def _part(asked: int, there: int) -> Fraction:
    return Fraction(asked, there) if there else Fraction(2)


def room_on(machine: Instance, provisioner: Provisioner | None = None) -> Room:
    """After the kubelet's reserve; Karpenter makes no machine for a pod that its lower estimate has no room for."""
    overhead = KARPENTER_VM_OVERHEAD if provisioner == "karpenter" else 0.0
    return Room(*allocatable(machine, vm_overhead=overhead), machine.accelerator_count)

"""What a machine has for pods, and how many replicas that is room for."""

from __future__ import annotations

from dataclasses import dataclass

from .instances import KARPENTER_VM_OVERHEAD, Instance, allocatable
from .nodes import Provisioner
from .serving import Resources


@dataclass(frozen=True)
class Room:
    """What a node leaves to pods: thousandths of a processor, bytes of memory, whole accelerators."""

    millicores: int
    memory: int
    accelerators: int = 0

    def parts(self, resources: Resources) -> tuple[tuple[int, int], ...]:
        """Of each kind, what a replica takes and what there is."""
        cpu, memory = (resources.cpu.millicores, self.millicores), (resources.memory.bytes, self.memory)
        if resources.accelerator is None:
            return cpu, memory
        return cpu, memory, (resources.accelerator.count, self.accelerators)

    def replicas(self, resources: Resources) -> int:
        """How many replicas one node has room for."""
        return min(there // taken for taken, there in self.parts(resources))


def room_on(machine: Instance, provisioner: Provisioner | None = None) -> Room:
    """After the kubelet's reserve; Karpenter makes no machine for a pod that its lower estimate has no room for."""
    overhead = KARPENTER_VM_OVERHEAD if provisioner == "karpenter" else 0.0
    return Room(*allocatable(machine, vm_overhead=overhead), machine.accelerator_count)

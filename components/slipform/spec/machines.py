"""What the machines of a pool are, as far as their instance types tell: processors, GPUs, and the image they start."""

from __future__ import annotations

from .instances import Architecture, Instance, capacity
from .nodes import AmiType, NodePool


def machines(pool: NodePool) -> tuple[Instance, ...]:
    """What the pool's instance types have, those left out of which nothing is known."""
    return tuple(machine for name in pool.instance_types if (machine := capacity(name)))


def has_gpus(pool: NodePool) -> bool:
    """Whether its machines have NVIDIA's GPUs; of types that aren't known, the image tells."""
    known = machines(pool)
    return any(machine.has_nvidia_gpu for machine in known) if known else (pool.ami_type or "").endswith("_NVIDIA")


def architecture(pool: NodePool) -> Architecture:
    """The machines' architecture; of types that aren't known, the image's."""
    known = machines(pool)
    return known[0].architecture if known else architecture_of(pool.ami_type or "")


def architecture_of(ami_type: str) -> Architecture:
    """The architecture that a machine image is for."""
    return "arm64" if "_ARM_64" in ami_type else "amd64"


def ami_type(pool: NodePool) -> AmiType:
    """The image that the pool chooses, else Bottlerocket: small, read-only, and with all that a GPU needs."""
    if pool.ami_type is not None:
        return pool.ami_type
    default: dict[tuple[Architecture, bool], AmiType] = {
        ("amd64", False): "BOTTLEROCKET_x86_64",
        ("amd64", True): "BOTTLEROCKET_x86_64_NVIDIA",
        ("arm64", False): "BOTTLEROCKET_ARM_64",
        ("arm64", True): "BOTTLEROCKET_ARM_64_NVIDIA",
    }
    return default[architecture(pool), has_gpus(pool)]


def is_bottlerocket(pool: NodePool) -> bool:
    """Whether the machines run Bottlerocket; the other is Amazon Linux 2023."""
    return ami_type(pool).startswith("BOTTLEROCKET_")

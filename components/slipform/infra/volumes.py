"""The disks of a pool's machines, the same however they are made."""

from __future__ import annotations

from ..spec.machines import is_bottlerocket
from ..spec.nodes import NodePool

BOTTLEROCKET_SYSTEM_GIB = 4
"""Bottlerocket's own, read-only files are on a volume of their own; images and pods on the other."""


def volumes(pool: NodePool) -> dict[str, int]:
    """Each device's size in GiB."""
    size = -(-pool.disk.bytes // 2**30)
    return {"/dev/xvda": BOTTLEROCKET_SYSTEM_GIB, "/dev/xvdb": size} if is_bottlerocket(pool) else {"/dev/xvda": size}

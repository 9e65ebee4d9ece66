"""Nodes that kwok keeps alive, and whose pods it reports as running."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.cluster.api import Api, Object

GPU = "nvidia.com/gpu"
GPU_TAINT: Object = {"key": GPU, "value": "true", "effect": "NoSchedule"}


def node(
    name: str, *, cpu: str = "8", memory: str = "32Gi", gpus: int = 0, labels: Mapping[str, str] | None = None
) -> Object:
    """A node's manifest; one with GPUs carries the taint that keeps other pods off it."""
    capacity = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "200Gi"}
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                **(labels or {}),
            },
        },
        "spec": {"taints": [GPU_TAINT] if gpus else []},
        "status": {"capacity": capacity | ({GPU: str(gpus)} if gpus else {})},
    }  # fmt: skip


@contextmanager
def added(api: Api, *nodes: Object) -> Iterator[list[str]]:
    """Adds nodes, waits until they are ready, and removes them afterwards."""
    names = [manifest["metadata"]["name"] for manifest in nodes]
    try:
        for manifest in nodes:
            api.create(manifest)
        api.until("v1", "Node", lambda found: all(name in found and is_ready(found[name]) for name in names))
        yield names
    finally:
        for name in names:
            api.delete("v1", "Node", name)


def is_ready(found: Object) -> bool:
    """Whether a node or a pod says that it is ready."""
    conditions = found.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

"""Starts a node for the time of some tests."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.cluster import nodes, processes
from tests.cluster.api import NotFoundError, Object
from tests.cluster.node import wheel
from tests.cluster.node.agent import LEASES
from tests.cluster.plane import CONTEXT, Plane

TAINT: Object = {"key": "slipform.dev/real", "value": "true", "effect": "NoSchedule"}
"""Keeps off the pods of tests that know nothing of this node."""


@contextmanager
def real_node(plane: Plane, name: str, folder: Path, labels: Mapping[str, str]) -> Iterator[Path]:
    """A node of 64 processors, with these labels and TAINT; yields the folder of its pods and their logs."""
    if plane.context != CONTEXT:
        pytest.skip("kind's own pods would come to this node, and nothing in it reaches this machine's loopback")
    node = nodes.node(name, cpu="64", memory="256Gi", labels=labels)
    del node["metadata"]["annotations"]  # kwok's
    node["spec"]["taints"] = [TAINT]
    manifest, pods = folder / f"{name}.json", folder / name
    manifest.write_text(json.dumps(node))
    command: list[str | Path] = [
        sys.executable, "-m", "tests.cluster.node", plane.kubeconfig, manifest, pods, wheel.unpacked()
    ]  # fmt: skip
    log = folder / f"{name}.log"
    try:
        with processes.running(command, log, cwd=Path(__file__).parents[3]) as agent:
            api = plane.api
            processes.wait_until(
                lambda: any(found["metadata"]["name"] == name for found in api.list("v1", "Node")),
                {name: agent}, folder,
            )  # fmt: skip
            yield pods
            if agent.poll() is not None:
                raise RuntimeError(f"the node agent ended with {agent.returncode}:\n{processes.tail(log)}")
    finally:
        for version, kind, namespace in (("v1", "Node", None), ("coordination.k8s.io/v1", "Lease", LEASES)):
            with suppress(NotFoundError):
                plane.api.delete(version, kind, name, namespace)

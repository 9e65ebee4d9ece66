"""The way to kind: the same tests through pytest-kind's own code, on a `kind` that makes no cluster but hands out ours.

Docker, and so a cluster of kind's, was not there where these tests were written: SLIPFORM_CLUSTER=kind uses one. What a
cluster of kind's has that the local one has not is put there: a node of its own, its network's pods on every node.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster import nodes
from tests.cluster.api import Api, Object
from tests.cluster.conftest import require
from tests.cluster.plane import PROGRAMS, local_plane

REPOSITORY = Path(__file__).parents[2]
KIND = """#!{python}
import json, pathlib, shutil, sys
made = pathlib.Path({made!r})
with open({calls!r}, "a") as calls:
    print(json.dumps(sys.argv[1:3]), file=calls)
if sys.argv[1:] == ["get", "clusters"] and made.exists():
    print("pytest-kind")
elif sys.argv[1] == "create":
    made.touch()
    [kubeconfig] = [each.partition("=")[2] for each in sys.argv if each.startswith("--kubeconfig=")]
    shutil.copy({kubeconfig!r}, kubeconfig)
"""
OWN_NODE = "pytest-kind-control-plane"
SAME = [
    "test_plane.py",
    *(
        f"test_manifests.py::{name}[prod]"
        for name in (
            "test_every_pod_runs_and_on_its_own_pool",
            "test_no_pod_without_gpus_is_on_a_gpu_node",
            "test_a_drain_takes_no_more_pods_than_the_disruption_budget_allows",
        )
    ),
]


def test_the_same_tests_pass_on_a_cluster_that_looks_like_kinds_and_again_on_the_one_that_was_kept(
    tmp_path: Path,
) -> None:
    require(*PROGRAMS)
    if not os.environ.get("CI"):
        pytest.importorskip("pytest_kind", reason="needs pytest-kind, which the group dev has")
    logs, calls, kind = (tmp_path / name for name in ("logs", "calls", "kind"))
    logs.mkdir()
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    with local_plane(logs) as real:
        made = {"calls": str(calls), "kubeconfig": str(real.kubeconfig), "made": str(tmp_path / "made")}
        kind.write_text(KIND.format(python=sys.executable, **made))
        for program in (kind, tmp_path / "docker"):
            program.chmod(0o755)
        _dress_as_kinds(real.api)
        session(tmp_path, "--keep-cluster", "test_plane.py::test_every_custom_resource_definition_is_established")
        session(tmp_path, *SAME)
        left = {node["metadata"]["name"]: node["spec"] for node in real.api.list("v1", "Node")}
        assert left.keys() == {OWN_NODE}
        assert left[OWN_NODE]["unschedulable"]
    assert [json.loads(call) for call in calls.read_text().splitlines()] == [
        ["get", "clusters"], ["create", "cluster"], ["get", "clusters"], ["delete", "cluster"],
    ]  # fmt: skip


def session(folder: Path, *arguments: str) -> None:
    """A run of some of these tests of its own; pytest-kind keeps its files in the folder where it is called."""
    tests = [each if each.startswith("-") else f"{Path(__file__).parent / each}" for each in arguments]
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={REPOSITORY}",
        f"--config-file={REPOSITORY / 'pyproject.toml'}", f"--kind-bin={folder / 'kind'}", *tests,
    ]  # fmt: skip
    environment = os.environ | {
        "SLIPFORM_CLUSTER": "kind",
        "PATH": os.pathsep.join([str(folder), os.environ["PATH"]]),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1]


def _dress_as_kinds(api: Api) -> None:
    """Its one node, which kind leaves to every pod, and the DaemonSet of its network, which tolerates every taint."""
    node = nodes.node(OWN_NODE)
    del node["metadata"]["annotations"]  # kwok's: nothing runs what comes to this node
    node["status"]["conditions"] = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    api.create(node)
    labels = {"app": "kindnet"}
    container: Object = {
        "name": "kindnet-cni", "image": "docker.io/kindest/kindnetd",
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}, "limits": {"cpu": "100m", "memory": "50Mi"}},
    }  # fmt: skip
    api.create({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kindnet", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"hostNetwork": True, "tolerations": [{"operator": "Exists"}], "containers": [container]},
            },
        },
    })  # fmt: skip

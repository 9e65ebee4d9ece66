"""The way to kind: pytest-kind's own code on a `kind` that makes no cluster, but hands out the local one.

Docker, and so a cluster of kind's, was not there where these tests were written: SLIPFORM_CLUSTER=kind uses one.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.cluster import nodes
from tests.cluster.conftest import require
from tests.cluster.plane import PROGRAMS, kind_plane, local_plane

KIND = """#!{python}
import json, pathlib, shutil, sys
with open({calls!r}, "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
for argument in sys.argv[1:]:
    if sys.argv[1] == "create" and argument.startswith("--kubeconfig="):
        shutil.copy({kubeconfig!r}, argument.partition("=")[2])
"""


def test_a_cluster_of_kinds_takes_pods_on_kwoks_nodes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(*PROGRAMS)
    if not os.environ.get("CI"):
        pytest.importorskip("pytest_kind", reason="needs pytest-kind, which the group dev has")
    monkeypatch.chdir(tmp_path)  # pytest-kind keeps its files where it is called
    logs, calls, kind = tmp_path / "logs", tmp_path / "calls", tmp_path / "kind"
    logs.mkdir()
    with local_plane(logs) as real:
        kind.write_text(KIND.format(python=sys.executable, calls=str(calls), kubeconfig=str(real.kubeconfig)))
        kind.chmod(0o755)
        real.api.create(nodes.node("kind-control-plane"))
        cluster = import_module("pytest_kind").KindCluster("slipform", kind_path=kind)
        cluster.create()
        with kind_plane(cluster.kubeconfig_path, tmp_path) as plane:
            assert plane.kubeconfig.is_absolute()
            assert plane.context == real.context
            assert plane.api.get("v1", "Node", "kind-control-plane")["spec"]["unschedulable"]
            with nodes.added(plane.api, nodes.node("cpu-0")) as [added]:
                assert "unschedulable" not in plane.api.get("v1", "Node", added)["spec"]
        cluster.delete()
    said = [f"--name={cluster.name}", f"--kubeconfig={cluster.kubeconfig_path}"]
    assert [json.loads(call) for call in calls.read_text().splitlines()] == [
        ["get", "clusters"], ["create", "cluster", *said], ["delete", "cluster", *said],
    ]  # fmt: skip

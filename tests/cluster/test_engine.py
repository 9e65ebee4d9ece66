"""The real Pulumi engine, with its file backend, on the control plane: a small program of the tests' own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.conftest import require
from tests.cluster.engine import TOOLS, Engine, EngineError
from tests.cluster.plane import Plane

PROGRAM = """
import json, pathlib, pulumi, pulumi_kubernetes as k8s
want = json.loads(pathlib.Path("want.json").read_text())
cluster = k8s.Provider("cluster", kubeconfig=want["kubeconfig"], namespace=want["namespace"])
options = pulumi.ResourceOptions(provider=cluster)
k8s.core.v1.ConfigMap("settings", metadata={"name": "settings"}, data=want["data"], opts=options)
labels = want["labels"]
k8s.apps.v1.Deployment(
    "server", metadata={"name": "server", "annotations": want["annotations"]},
    spec={
        "replicas": want["replicas"], "selector": {"match_labels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "node_selector": want["node_selector"],
                "containers": [{
                    "name": "main", "image": want["image"],
                    "resources": {"limits": {"memory": "1024Mi"}, "requests": {"cpu": "0.5"}},
                }],
            },
        },
    },
    opts=options,
)
k8s.core.v1.Service(
    "server", metadata={"name": "server"}, spec={"selector": labels, "ports": [{"port": 80}]}, opts=options
)
"""
IMAGE = "example.com/server@sha256:" + "0" * 64
Change = Callable[..., None]


@pytest.fixture
def change(plane: Plane, namespace: str, tmp_path: Path) -> Change:
    """Says what the program is to make; only what differs from the first time is named."""
    want: dict[str, Any] = {
        "kubeconfig": plane.kubeconfig.read_text(), "namespace": namespace, "data": {"a": "1"}, "replicas": 2,
        "labels": {"app": "server"}, "image": IMAGE, "node_selector": {}, "annotations": {},
    }  # fmt: skip
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (project / "__main__.py").write_text(PROGRAM)

    def write(**differences: Any) -> None:
        (project / "want.json").write_text(json.dumps(want | differences))

    write()
    return write


@pytest.fixture
def engine(change: Change, tmp_path: Path) -> Iterator[Engine]:
    require(*TOOLS)
    folder = tmp_path / "engine"
    folder.mkdir()
    engine = Engine(tmp_path / "project", "test", folder)
    yield engine
    engine.destroy()


def named(operations: dict[str, str]) -> dict[str, str]:
    """Operations by "Kind/name" in place of URNs, less those of the stack and its provider."""
    found = {urn: operation for urn, operation in operations.items() if "::kubernetes:" in urn}
    return {f"{urn.split(':')[-3]}/{urn.split('::')[-1]}": operation for urn, operation in found.items()}


def test_a_stack_lives_from_its_preview_to_its_end(engine: Engine, plane: Plane, namespace: str) -> None:
    created = {"ConfigMap/settings": "create", "Deployment/server": "create", "Service/server": "create"}
    assert named(engine.preview().operations) == created
    assert plane.api.list("apps/v1", "Deployment", namespace) == []
    assert named(engine.up().operations) == created
    assert plane.api.get("apps/v1", "Deployment", "server", namespace)["status"]["readyReplicas"] == 2
    assert named(engine.up().operations) == {}
    assert named(engine.destroy().operations) == dict.fromkeys(created, "delete")
    assert plane.api.list("apps/v1", "Deployment", namespace) == []
    assert engine.state() == []


def test_what_replaces_and_what_updates(engine: Engine, change: Change) -> None:
    engine.up()
    change(image=IMAGE.replace("server@", "other@"), data={"a": "2"})
    assert named(engine.up().operations) == {"Deployment/server": "update", "ConfigMap/settings": "replace"}
    change(image=IMAGE.replace("server@", "other@"), data={"a": "2"}, labels={"app": "renamed"})
    assert named(engine.up().operations) == {"Deployment/server": "replace", "Service/server": "update"}


def test_a_change_by_hand_is_found_by_refresh_and_taken_back_by_force_only(
    engine: Engine, change: Change, plane: Plane, namespace: str
) -> None:
    engine.up()
    engine.refresh()
    assert named(engine.up().operations) == {}
    plane.api.patch("apps/v1", "Deployment", "server", namespace, {"spec": {"replicas": 3}})
    engine.refresh()
    with pytest.raises(EngineError, match=r"conflict with .* using apps/v1: .spec.replicas"):
        engine.up()
    change(annotations={"pulumi.com/patchForce": "true"})
    assert named(engine.up().operations) == {"Deployment/server": "update"}
    assert plane.api.get("apps/v1", "Deployment", "server", namespace)["spec"]["replicas"] == 2


def test_a_failed_update_says_why_and_the_next_one_recovers(engine: Engine, change: Change) -> None:
    engine.up()
    change(node_selector={"kubernetes.io/hostname": "nowhere"}, annotations={"pulumi.com/timeoutSeconds": "2"})
    with pytest.raises(EngineError, match="Deployment server was not ready within 2 s"):
        engine.up()
    change()
    assert named(engine.up().operations) == {"Deployment/server": "update"}
    assert named(engine.up().operations) == {}

"""``slipform doctor`` on the real API server: with and without what a stack needs, and as a user who may little."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.api import NotFoundError, Object
from tests.cluster.conftest import require
from tests.cluster.plane import PROGRAMS, Plane, local_plane

ROOT = Path(__file__).parents[2]
Doctor = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def doctor(tmp_path: Path, namespace: str, plane: Plane) -> Doctor:
    """Runs it on the repository's own stacks, in a namespace of the test's own."""
    for name in ("Pulumi.yaml", "stacks", "model_specs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "train"))
        else:
            shutil.copy(source, tmp_path / name)
    for file in (tmp_path / "stacks").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("namespace: models", f"namespace: {namespace}")
        file.write_text(text, encoding="utf-8")

    def run(*arguments: str, kubeconfig: Path = plane.kubeconfig) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "slipform.cli.main", "doctor", *arguments, "--kubeconfig", str(kubeconfig)]
        return subprocess.run(
            command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False
        )

    return run


def seen(doctor: Doctor, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
    done = doctor(*arguments, "--format", "json", **options)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def running(plane: Plane, namespace: str) -> Callable[..., None]:
    """Makes a workload of an image; nothing pulls it, as kwok's nodes say that it runs."""

    def run(kind: str, name: str, image: str) -> None:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
        plane.api.create(
            {
                "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"matchLabels": labels}, "template": template},
            }
        )  # fmt: skip

    return run


@pytest.fixture
def metrics_api(plane: Plane) -> Iterator[None]:
    """metrics.k8s.io, for whose server there is no Service: registered, and never available."""
    group = "metrics.k8s.io"
    manifest: Object = {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1beta1.{group}"},
        "spec": {
            "group": group, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": True, "service": {"namespace": "kube-system", "name": "metrics-server"},
        },
    }  # fmt: skip
    plane.api.create(manifest)
    plane.api.until("apiregistration.k8s.io/v1", "APIService", lambda found: _is_judged(found[f"v1beta1.{group}"]))
    yield
    with suppress(NotFoundError):
        plane.api.delete("apiregistration.k8s.io/v1", "APIService", f"v1beta1.{group}")


def _is_judged(service: Object) -> bool:
    return any(each["type"] == "Available" for each in service.get("status", {}).get("conditions", []))


def test_a_controller_is_seen_by_its_kinds_and_its_program(doctor: Doctor, running: Callable[..., None]) -> None:
    code, before = seen(doctor, "-s", "prod")
    running("Deployment", "istiod", "docker.io/istio/pilot:1.28.0")
    running("DaemonSet", "dcgm", "nvcr.io/nvidia/k8s/dcgm-exporter:4.4.0")
    _, after = seen(doctor, "-s", "prod")
    assert code == 1
    assert before["capabilities"]["istio"]["why"].endswith("is served, but no Deployment or DaemonSet runs pilot")
    assert {"istio", "dcgm-exporter"} <= set(after["has"]) - set(before["has"])
    needed = {each["field"] for each in before["capabilities"]["istio"]["needed_by"]}
    assert needed == {"expose", "rollout", "traffic.retries"}


def test_a_gpu_that_a_node_gives_proves_the_plugin(doctor: Doctor) -> None:
    _, found = seen(doctor, "-s", "prod")
    assert found["capabilities"]["gpu-device-plugin"]["why"] == "1 node with 1 GPU for pods"


def test_an_api_that_is_registered_and_does_not_answer_is_not_there(doctor: Doctor, metrics_api: None) -> None:
    code, found = seen(doctor, "-s", "dev")
    assert code == 1
    why = found["capabilities"]["metrics-server"]["why"]
    assert why.startswith("metrics.k8s.io is registered for kube-system/metrics-server, which does not answer")
    assert "metrics-server" not in found["has"]


def test_a_prometheus_that_takes_up_other_labels_is_said(
    doctor: Doctor, plane: Plane, namespace: str, running: Callable[..., None]
) -> None:
    running("Deployment", "operator", "quay.io/prometheus-operator/prometheus-operator:v0.86.0")
    plane.api.create(
        {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
            "metadata": {"name": "k8s", "namespace": namespace},
            "spec": {"ruleSelector": {"matchLabels": {"release": "other"}}},
        }
    )  # fmt: skip
    _, found = seen(doctor, "-s", "prod")
    (problem,) = (each for each in found["problems"] if "Prometheus" in each["message"])
    assert problem["remedy"] == "write labels: {release: other} in slipform:prometheus"


@pytest.fixture
def viewer(plane: Plane, namespace: str, tmp_path: Path) -> Path:
    """The kubeconfig of a service account that may make Deployments here, and nothing else."""
    plane.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named("viewer", namespace)})
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]}
    rbac = "rbac.authorization.k8s.io"
    plane.api.create(
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": _named("viewer", namespace), "rules": [rule]}
    )
    plane.api.create(
        {
            "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": _named("viewer", namespace),
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "viewer"},
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}],
        }
    )  # fmt: skip
    return _as_somebody(plane, plane.api.token("viewer", namespace), tmp_path / "viewer.yaml")


def _named(name: str, namespace: str) -> Object:
    return {"name": name, "namespace": namespace}


def _as_somebody(plane: Plane, token: str, file: Path) -> Path:
    document = yaml.safe_load(plane.kubeconfig.read_text())
    for user in document["users"]:
        user["user"] = {"token": token}
    file.write_text(yaml.safe_dump(document))
    return file


def test_each_permission_that_the_plan_needs_is_asked_for(doctor: Doctor, viewer: Path, namespace: str) -> None:
    code, found = seen(doctor, "-s", "dev", kubeconfig=viewer)
    messages = [each["message"] for each in found["problems"]]
    assert code == 1
    assert f"you may not create, delete, get, patch ConfigMap (v1) in namespace {namespace}" in messages
    assert "you may not create, delete, get, patch Namespace (v1) in the cluster" in messages
    assert not [each for each in messages if "Deployment" in each]
    # Programs are not to be seen: the stack's word is taken for what only they would show.
    assert found["capabilities"]["cluster-autoscaler"]["state"] == "unknown"


def test_who_may_everything_is_told_of_no_permission(doctor: Doctor) -> None:
    _, found = seen(doctor, "-s", "prod")
    assert [each for each in found["problems"] if "you may not" in each["message"]] == []


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A cluster that has nothing but Kubernetes itself."""
    require(*PROGRAMS)
    with local_plane(tmp_path_factory.mktemp("bare")) as plane:
        yield plane


def test_a_cluster_with_nothing_has_nothing_and_says_what_that_costs(doctor: Doctor, bare: Plane) -> None:
    done = doctor("-s", "prod", kubeconfig=bare.kubeconfig)
    assert done.returncode == 1
    assert "✗ argo-rollouts       no Rollout of argoproj.io/v1alpha1" in done.stdout
    assert "    text-direction: refused: a progressive canary rollout needs Argo Rollouts" in done.stdout
    assert "  slipform:has: [network-policy]\n    gone: istio, prometheus-operator," in done.stdout


def test_a_token_that_nobody_knows_and_a_cluster_that_is_away_end_with_2(
    doctor: Doctor, plane: Plane, tmp_path: Path
) -> None:
    stranger = _as_somebody(plane, "nobody", tmp_path / "stranger.yaml")
    done = doctor("-s", "dev", kubeconfig=stranger)
    assert (done.returncode, "does not know you (401)" in done.stderr) == (2, True)
    document = yaml.safe_load(plane.kubeconfig.read_text())
    for cluster in document["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "away.yaml").write_text(yaml.safe_dump(document))
    done = doctor("-s", "dev", kubeconfig=tmp_path / "away.yaml")
    assert (done.returncode, "could not be reached" in done.stderr) == (2, True)
    for arguments, said in ((("--context", "none"), "gives no cluster for context none"), (("-s", "prd"), "no stack")):
        done = doctor("-s", "dev", *arguments)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr

"""The node whose pods are processes does with them what a kubelet does."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import nodes
from tests.cluster.api import Object
from tests.cluster.node.running import TAINT, real_node
from tests.cluster.plane import Plane

SELECTOR = {"test": "node"}


@pytest.fixture(scope="module")
def node(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with real_node(plane, "real-0", tmp_path_factory.mktemp("node"), labels=SELECTOR) as folder:
        yield folder


Run = Callable[..., Object]


@pytest.fixture
def run(plane: Plane, namespace: str, node: Path) -> Run:
    """Makes a pod whose one container is a shell's script, and waits until it is as wished."""

    def run(name: str, script: str, holds: Callable[[Object], bool], pod: Object | None = None, **more: Any) -> Object:
        manifest = shell_pod(name, namespace, script, pod, **more)
        plane.api.create(manifest)
        return until(plane, namespace, name, holds)

    return run


def shell_pod(name: str, namespace: str, script: str, pod: Object | None = None, **container: Any) -> Object:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [{"name": "main", "image": "shell", "command": ["sh", "-c", script], **container}],
            "nodeSelector": SELECTOR, "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 20,
            "tolerations": [{"key": TAINT["key"], "operator": "Exists"}],
            **(pod or {}),
        },
    }  # fmt: skip


def until(plane: Plane, namespace: str, name: str, holds: Callable[[Object], bool]) -> Object:
    found = plane.api.until("v1", "Pod", lambda pods: name in pods and holds(pods[name]), namespace=namespace)
    return found[name]


def main(pod: Object) -> Object:
    """The status of the one container; empty where there is none yet."""
    found: Object = next(iter(pod["status"].get("containerStatuses") or []), {})
    return found


def log(node: Path, namespace: str, name: str, container: str = "main") -> list[str]:
    (found,) = (node / namespace).glob(f"{name}-*/{container}.log")
    return found.read_text().splitlines()


def phase(is_so: str) -> Callable[[Object], bool]:
    return lambda pod: pod["status"].get("phase") == is_so


HEALTH_SERVER = """
import grpc, os
from concurrent.futures import ThreadPoolExecutor
def check(request, context):
    return bytes([8, 1 if request == b"\\n\\x05model" else 2])  # SERVING for the service "model" alone
server = grpc.server(ThreadPoolExecutor(1))
check = grpc.unary_unary_rpc_method_handler(check)
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})])
server.add_insecure_port(os.environ["SLIPFORM_POD_ADDRESS"] + ":8001")
server.start()
server.wait_for_termination()
"""
FILE_SERVER = f"exec {sys.executable} -m http.server --bind $SLIPFORM_POD_ADDRESS 8000"


def test_the_nodes_lease_is_its_heartbeat(plane: Plane, node: Path) -> None:
    leases = plane.api.until(
        "coordination.k8s.io/v1", "Lease", lambda found: "real-0" in found, namespace="kube-node-lease"
    )
    assert leases["real-0"]["spec"]["holderIdentity"] == "real-0"
    assert nodes.is_ready(plane.api.get("v1", "Node", "real-0"))


@pytest.mark.parametrize(("policy", "code", "ends"), [("Never", 3, "Failed"), ("OnFailure", 0, "Succeeded")])
def test_a_pod_that_is_not_to_run_again_is_over(run: Run, policy: str, code: int, ends: str) -> None:
    pod = run("job", f"exit {code}", phase(ends), {"restartPolicy": policy})
    assert main(pod)["state"]["terminated"]["exitCode"] == code
    assert main(pod)["restartCount"] == 0


def test_a_container_that_ends_is_started_again_first_at_once_then_after_a_wait(run: Run) -> None:
    pod = run(
        "crashing",
        "exit 7",
        lambda pod: main(pod).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff",
    )
    assert main(pod)["restartCount"] == 1
    assert main(pod)["lastState"]["terminated"]["exitCode"] == 7
    assert not nodes.is_ready(pod)


def test_a_command_that_is_not_there_says_so(run: Run) -> None:
    pod = run("typo", "", phase("Failed"), {"restartPolicy": "Never"}, command=["slipform-runtim"])
    assert main(pod)["state"]["terminated"]["reason"] == "StartError"
    assert "slipform-runtim" in main(pod)["state"]["terminated"]["message"]


def test_init_containers_run_one_by_one_before_the_others_and_share_volumes(
    plane: Plane, namespace: str, node: Path, run: Run
) -> None:
    mounts = [{"name": "work", "mountPath": "/data"}]
    inits = [
        {"name": name, "image": "shell", "command": ["sh", "-c", f"echo {name} >> /data/order"], "volumeMounts": mounts}
        for name in ("first", "second")
    ]
    pod = run(
        "steps", "cat /data/order", phase("Succeeded"), volumeMounts=mounts,
        pod={"restartPolicy": "Never", "initContainers": inits, "volumes": [{"name": "work", "emptyDir": {}}]},
    )  # fmt: skip
    assert log(node, namespace, "steps") == ["first", "second"]
    assert [each["ready"] for each in pod["status"]["initContainerStatuses"]] == [True, True]


def test_files_and_variables_are_those_that_the_pod_names(plane: Plane, namespace: str, node: Path, run: Run) -> None:
    metadata = {"namespace": namespace}
    plane.api.create({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "name": "files"},
        "data": {"text": "see /etc/app/text, not /etc/apple"}, "binaryData": {"raw": "/wA="},
    })  # fmt: skip
    plane.api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "keys"}, "stringData": {"KEY": "open"}}
    )
    projected = {"sources": [{"configMap": {"name": "files", "items": [{"key": "raw", "path": "deep/raw"}]}}]}
    run(
        "files", 'cat text; echo; wc -c < /projected/deep/raw; echo "$KEY $NAME $FILE"', phase("Succeeded"),
        pod={
            "restartPolicy": "Never",
            "volumes": [{"name": "app", "configMap": {"name": "files"}}, {"name": "both", "projected": projected}],
        },
        workingDir="/etc/app", envFrom=[{"secretRef": {"name": "keys"}}],
        env=[
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "FILE", "value": "/etc/app/text"},
        ],
        volumeMounts=[{"name": "app", "mountPath": "/etc/app"}, {"name": "both", "mountPath": "/projected"}],
    )  # fmt: skip
    (root,) = (node / namespace).glob("files-*/main")
    said = log(node, namespace, "files")
    assert said == [f"see {root}/etc/app/text, not /etc/apple", "2", f"open files {root}/etc/app/text"]


def test_a_pod_waits_for_a_config_map_that_is_not_there_yet(plane: Plane, namespace: str, run: Run) -> None:
    volumes = [{"name": "work", "emptyDir": {}}, {"name": "late", "configMap": {"name": "late"}}]
    pod = run(
        "waiting", "cat /late/x", lambda pod: "waiting" in main(pod).get("state", {}) and "late" in str(main(pod)),
        {"restartPolicy": "Never", "volumes": volumes},
        volumeMounts=[{"name": "work", "mountPath": "/work"}, {"name": "late", "mountPath": "/late"}],
    )  # fmt: skip
    assert main(pod)["state"]["waiting"] == {
        "reason": "CreateContainerConfigError", "message": 'configmap "late" not found',
    }  # fmt: skip
    plane.api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "late", "namespace": namespace},
            "data": {"x": ""},
        }
    )
    until(plane, namespace, "waiting", phase("Succeeded"))


def test_a_pod_that_waits_for_a_secret_can_be_deleted(plane: Plane, namespace: str, run: Run) -> None:
    missing = [{"secretRef": {"name": "never"}}]
    run("waiting", "true", lambda pod: 'secret "never" not found' in str(main(pod)), envFrom=missing)
    plane.api.delete("v1", "Pod", "waiting", namespace)
    plane.api.until("v1", "Pod", lambda pods: "waiting" not in pods, namespace=namespace)


@pytest.mark.parametrize(
    "probe",
    [
        {"httpGet": {"path": "/", "port": "http"}},
        {"tcpSocket": {"port": 8000}},
        {"exec": {"command": ["sh", "-c", "test -f ready"]}},
    ],
    ids=lambda probe: next(iter(probe)),
)
def test_a_pod_is_ready_from_the_moment_that_its_probe_succeeds(
    plane: Plane, namespace: str, run: Run, probe: Object
) -> None:
    pod = run(
        "probed", f"touch ready; {FILE_SERVER}", nodes.is_ready,
        ports=[{"name": "http", "containerPort": 8000}], startupProbe={**probe, "periodSeconds": 1},
        readinessProbe={**probe, "periodSeconds": 1},
    )  # fmt: skip
    assert main(pod)["started"]
    assert pod["status"]["podIP"].startswith("127.")


@pytest.mark.parametrize(("service", "ready"), [("model", True), ("other", False)])
def test_a_grpc_probe_believes_what_the_health_service_says(run: Run, service: str, ready: bool) -> None:
    probe = {"grpc": {"port": 8001, "service": service}, "periodSeconds": 1, "timeoutSeconds": 5}

    def asked(pod: Object) -> bool:
        return nodes.is_ready(pod) if ready else main(pod).get("restartCount", 0) > 0

    run(
        "health",
        "",
        asked,
        command=[sys.executable, "-c", HEALTH_SERVER],
        startupProbe={**probe, "failureThreshold": 5},
    )


def test_a_container_that_fails_its_liveness_probe_is_ended_and_started_again(
    plane: Plane, namespace: str, node: Path, run: Run
) -> None:
    pod = run(
        "sick", "trap 'echo told; exit 5' TERM; touch well; while true; do sleep 0.1; done",
        lambda pod: main(pod).get("restartCount", 0) == 1,
        livenessProbe={"exec": {"command": ["rm", "well"]}, "periodSeconds": 1, "failureThreshold": 2},
    )  # fmt: skip
    assert main(pod)["lastState"]["terminated"]["exitCode"] == 5
    assert "told" in log(node, namespace, "sick")


def test_a_killed_process_is_replaced(plane: Plane, namespace: str, run: Run) -> None:
    pod = run("killed", "exec sleep 600", nodes.is_ready)
    os.kill(int(main(pod)["containerID"].removeprefix("process://")), signal.SIGKILL)
    again = until(plane, namespace, "killed", lambda pod: main(pod)["restartCount"] == 1 and nodes.is_ready(pod))
    assert main(again)["lastState"]["terminated"]["exitCode"] == 128 + signal.SIGKILL


def test_the_end_is_the_hook_then_sigterm_then_the_pod_is_gone(
    plane: Plane, namespace: str, node: Path, run: Run
) -> None:
    run(
        "polite", "trap 'echo told; exit 0' TERM; while true; do sleep 0.1; done", nodes.is_ready,
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "echo hook; sleep 1; echo waited"]}}},
    )  # fmt: skip
    plane.api.delete("v1", "Pod", "polite", namespace)
    plane.api.until("v1", "Pod", lambda pods: "polite" not in pods, namespace=namespace)
    assert log(node, namespace, "polite") == ["hook", "waited", "told"]


def test_a_process_that_does_not_listen_is_killed_after_the_grace_period(
    plane: Plane, namespace: str, node: Path, run: Run
) -> None:
    pod = run("deaf", "trap 'echo told' TERM; while true; do sleep 0.1; done", nodes.is_ready)
    pid = int(main(pod)["containerID"].removeprefix("process://"))
    plane.api.delete("v1", "Pod", "deaf", namespace, grace=2)
    plane.api.until("v1", "Pod", lambda pods: "deaf" not in pods, namespace=namespace)
    assert log(node, namespace, "deaf") == ["told"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("pod", "container", "says"),
    [
        ({"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]}, {}, "volume disk: hostPath"),
        ({}, {"env": [{"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
         "variable CPUS: resourceFieldRef"),
    ],
)  # fmt: skip
def test_what_the_node_cannot_do_fails_the_pod_by_name(run: Run, pod: Object, container: Object, says: str) -> None:
    failed = run("odd", "true", phase("Failed"), pod, **container)
    assert failed["status"]["message"] == says

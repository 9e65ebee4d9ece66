"""Progressive delivery by the real controller: it moves the weights that are its own, and only those."""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.builders import model_spec
from tests.cluster import nodes, processes
from tests.cluster.api import Api, DynamicApiError, Object
from tests.cluster.conftest import require
from tests.cluster.plane import Plane
from tests.infra.recorder import record
from tests.infra.served import METRICS, PORTS, exposing_stack, server

from slipform.infra.platform import Platform
from slipform.infra.progressive import ProgressiveRollout, ProgressiveRolloutArgs
from slipform.infra.traffic import TrafficRoute, TrafficRouteArgs

ISTIO, ARGO = "networking.istio.io/v1", "argoproj.io/v1alpha1"
ANALYSIS = {"max_error_rate": 0.01, "interval": "1s", "window": "2s"}
CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 10, "hold": "4s"}, {"weight": 50, "hold": "4s"}],
    "analysis": ANALYSIS,
}
BLUE_GREEN = {"strategy": "blue-green", "analysis": ANALYSIS}
HASH = "rollouts-pod-template-hash"


class Prometheus(ThreadingHTTPServer):
    """Answers every query with one number, as the analyses' queries do; what they say is promtool's to prove."""

    error_rate = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Query)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Query(BaseHTTPRequestHandler):
    server: Prometheus

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        value = {"metric": {}, "value": [0, str(self.server.error_rate)]}
        answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [value]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    with Prometheus() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@contextmanager
def controller(plane: Plane, namespace: str, log: Path) -> Iterator[None]:
    (program,) = require("argo-rollouts")
    command: list[str | Path] = [
        program, f"--kubeconfig={plane.kubeconfig}", "--namespaced", f"--namespace={namespace}", "--leader-elect=false",
        f"--metricsport={processes.free_port()}", f"--healthzPort={processes.free_port()}",
    ]  # fmt: skip
    with processes.running(command, log):
        yield


def deployment(namespace: str, version: int, *, declared: bool = True) -> Object:
    """The Deployment of a progressive server: none of its pods run. Not ``declared``, its number is an autoscaler's."""
    labels = {"app.kubernetes.io/name": "resnet50", "slipform.dev/track": "stable"}
    container = {"name": "server", "image": "example.com/model@sha256:" + "0" * 64}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "resnet50", "namespace": namespace},
        "spec": {
            **({"replicas": 0} if declared else {}), "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "slipform.dev/version": str(version)}},
                "spec": {"containers": [container]},
            },
        },
    }  # fmt: skip


def manifests(namespace: str, prometheus: Prometheus, rollout: dict[str, Any]) -> list[Object]:
    stack = exposing_stack(
        cluster={"namespace": namespace}, prometheus={"address": prometheus.address, "scrape_interval": 1}
    )
    made = server(model_spec(rollout=rollout), stack)

    def program(platform: Platform) -> None:
        TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS))
        ProgressiveRollout("resnet50", ProgressiveRolloutArgs(platform, made, PORTS, METRICS))

    return [each.inputs for each in record(program, stack).resources if each.type.startswith("kubernetes:")]


def service(namespace: str) -> Object:
    """The server's Service, as blue-green switches it."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "resnet50", "namespace": namespace},
        "spec": {"selector": {"app.kubernetes.io/name": "resnet50"}, "ports": [{"name": "http", "port": 8000}]},
    }  # fmt: skip


def weights(found: Object) -> tuple[int, ...]:
    return tuple(each.get("weight", 0) for each in found["spec"]["http"][0]["route"])


def phase(found: dict[str, Object]) -> object:
    return found.get("resnet50", {}).get("status", {}).get("phase")


def release(api: Api, namespace: str, version: int, ends: str) -> set[tuple[int, ...]]:
    """Changes the version; returns the weights that both protocols had at the same time until the rollout ended so."""
    before = api.get(ARGO, "Rollout", "resnet50", namespace)["status"]["currentPodHash"]
    api.apply(deployment(namespace, version))
    seen: set[tuple[int, ...]] = set()

    def watch(found: dict[str, Object]) -> bool:
        rest, grpc = (
            weights(api.get(ISTIO, "VirtualService", f"resnet50-{protocol}", namespace))
            for protocol in ("http", "grpc")
        )
        seen.update({rest} & {grpc})
        status = found["resnet50"]["status"]
        return bool(status["currentPodHash"] != before and status["phase"] == ends)

    api.until(ARGO, "Rollout", watch, namespace=namespace, timeout=90)
    return seen


def test_a_good_version_gets_all_traffic_and_a_bad_one_none(
    plane: Plane, namespace: str, prometheus: Prometheus, tmp_path: Path
) -> None:
    api = plane.api
    made = manifests(namespace, prometheus, CANARY)
    with controller(plane, namespace, tmp_path / "argo-rollouts.log"):
        for manifest in [deployment(namespace, 3), *made]:
            api.apply(manifest)
        api.patch(ARGO, "Rollout", "resnet50", namespace, {"spec": {"replicas": 2}})  # as the autoscaler does
        api.until(ARGO, "Rollout", lambda found: phase(found) == "Healthy", namespace=namespace)

        seen = release(api, namespace, 4, ends="Healthy")
        assert seen >= {(100, 0), (90, 10), (50, 50)}

        prometheus.error_rate = 0.5
        seen = release(api, namespace, 5, ends="Degraded")
        assert (90, 10) in seen
        assert (50, 50) not in seen
        pods = api.list("v1", "Pod", namespace, "slipform.dev/version=4")
        assert len(pods) == 2, "the version before it still has all its replicas"


def test_the_users_timeout_arrives_while_the_controller_owns_the_weights(
    plane: Plane, namespace: str, prometheus: Prometheus, tmp_path: Path
) -> None:
    api = plane.api
    made = manifests(namespace, prometheus, CANARY)
    of = {(each["kind"], each["metadata"]["name"]): each for each in made}
    with controller(plane, namespace, tmp_path / "argo-rollouts.log"):
        for manifest in [deployment(namespace, 3), *made]:
            api.apply(manifest)
        api.until(ARGO, "Rollout", lambda found: phase(found) == "Healthy", namespace=namespace)
        api.apply(deployment(namespace, 4))
        moved = {"resnet50-http", "resnet50-grpc"}
        api.until(
            ISTIO, "VirtualService",
            lambda found: all(weights(found[name]) == (90, 10) for name in moved), namespace=namespace,
        )  # fmt: skip

        changed = copy.deepcopy(of["VirtualService", "resnet50"])
        for route in changed["spec"]["http"]:
            route["timeout"] = "7s"
        arrived = api.apply(changed)
        assert {route["timeout"] for route in arrived["spec"]["http"]} == {"7s"}
        for kind, name in (("VirtualService", "resnet50-http"), ("DestinationRule", "resnet50-progressive")):
            with pytest.raises(DynamicApiError) as refused:
                api.apply(of[kind, name])
            assert "conflict" in str(refused.value.body), "what we ignore is what the controller owns"


def test_blue_green_refuses_a_bad_version_before_the_switch_and_takes_one_back_after_it(
    plane: Plane, namespace: str, prometheus: Prometheus, tmp_path: Path
) -> None:
    api = plane.api

    def active() -> str | None:
        selector: dict[str, str] = api.get("v1", "Service", "resnet50", namespace)["spec"]["selector"]
        return selector.get(HASH)

    def end(ends: str, after: str | None = None) -> None:
        def ended(found: dict[str, Object]) -> bool:
            status = found.get("resnet50", {}).get("status", {})
            return bool(status.get("phase") == ends and status.get("currentPodHash") != after)

        api.until(ARGO, "Rollout", ended, namespace=namespace)

    with controller(plane, namespace, tmp_path / "argo-rollouts.log"):
        for manifest in [deployment(namespace, 3), service(namespace), *manifests(namespace, prometheus, BLUE_GREEN)]:
            api.apply(manifest)
        end("Healthy")
        first = active()
        assert first

        prometheus.error_rate = 0.5
        api.apply(deployment(namespace, 4))
        end("Degraded", after=first)
        assert active() == first
        refused = api.get(ARGO, "Rollout", "resnet50", namespace)["status"]["currentPodHash"]

        prometheus.error_rate = 0.0
        api.apply(deployment(namespace, 5))
        api.until("v1", "Service", lambda _: active() not in (first, refused), namespace=namespace)
        prometheus.error_rate = 0.5
        end("Degraded", after=refused)
        api.until("v1", "Service", lambda _: active() == first, namespace=namespace)


def test_a_server_that_turns_progressive_keeps_its_pods_until_the_rollouts_are_ready(
    plane: Plane, namespace: str, prometheus: Prometheus, tmp_path: Path
) -> None:
    api = plane.api
    api.apply(deployment(namespace, 3, declared=False))
    api.patch("apps/v1", "Deployment", "resnet50", namespace, {"spec": {"replicas": 3}})  # as the autoscaler did
    api.until("apps/v1", "Deployment", lambda found: ready(found) == 3, namespace=namespace)
    fewest: list[int] = []

    def pods() -> int:
        listed = api.list("v1", "Pod", namespace, "app.kubernetes.io/name=resnet50")
        return sum(nodes.is_ready(pod) for pod in listed if "deletionTimestamp" not in pod["metadata"])

    with controller(plane, namespace, tmp_path / "argo-rollouts.log"):
        for manifest in [deployment(namespace, 3, declared=False), *manifests(namespace, prometheus, CANARY)]:
            api.apply(manifest)
        api.patch(ARGO, "Rollout", "resnet50", namespace, {"spec": {"replicas": 3}})

        def moved(found: dict[str, Object]) -> bool:
            fewest.append(pods())
            return found["resnet50"]["spec"]["replicas"] == 0 and ready(found) == 0

        api.until("apps/v1", "Deployment", moved, namespace=namespace)
        assert min(fewest) >= 3
        assert pods() == 3

        prometheus.error_rate = 0.5
        before = api.get(ARGO, "Rollout", "resnet50", namespace)["status"]["currentPodHash"]
        api.apply(deployment(namespace, 4, declared=False))
        api.until(
            ARGO, "Rollout",
            lambda found: phase(found) == "Degraded" and found["resnet50"]["status"]["currentPodHash"] != before,
            namespace=namespace,
        )  # fmt: skip
        assert api.get("apps/v1", "Deployment", "resnet50", namespace)["spec"]["replicas"] == 0


def ready(found: dict[str, Object]) -> int:
    count: int = found["resnet50"].get("status", {}).get("readyReplicas", 0)
    return count

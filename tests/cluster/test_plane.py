"""The test bed itself: what the other tests take for granted of their control plane."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cluster import crds, nodes
from tests.cluster.api import DynamicApiError, Object
from tests.cluster.conftest import require
from tests.cluster.plane import Plane


def deployment(name: str, namespace: str, replicas: int = 1, **pod: object) -> Object:
    container: Object = {"name": "main", "image": "example.com/model@sha256:" + "0" * 64}
    limits = pod.pop("limits", {})
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container | {"resources": {"limits": limits}}], **pod},
            },
        },
    }  # fmt: skip


TOLERATION = {"key": nodes.GPU, "operator": "Exists", "effect": "NoSchedule"}


def test_strict_validation_refuses_a_field_that_does_not_exist(plane: Plane, namespace: str) -> None:
    with pytest.raises(DynamicApiError) as refused:
        plane.api.apply(deployment("typo", namespace, tolerration=[]))
    assert "field not declared in schema" in str(refused.value.body)


def test_strict_validation_reaches_into_custom_resources(plane: Plane, namespace: str) -> None:
    rule = {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
        "metadata": {"name": "typo", "namespace": namespace},
        "spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up", "fore": "5m"}]}]},
    }  # fmt: skip
    with pytest.raises(DynamicApiError) as refused:
        plane.api.apply(rule)
    assert "fore" in str(refused.value.body)


def test_a_gpu_pod_runs_on_the_gpu_node_and_a_pod_without_gpus_on_the_other(plane: Plane, namespace: str) -> None:
    plane.api.apply(deployment("plain", namespace, replicas=2))
    plane.api.apply(deployment("gpu", namespace, limits={nodes.GPU: "1"}, tolerations=[TOLERATION]))
    pods = plane.api.until(
        "v1", "Pod", lambda found: len(found) == 3 and all(map(nodes.is_ready, found.values())), namespace=namespace
    )
    placed = {(pod["metadata"]["labels"]["app"], pod["spec"]["nodeName"]) for pod in pods.values()}
    assert placed == {("plain", "cpu-0"), ("gpu", "gpu-0")}


def test_a_pod_that_asks_for_more_gpus_than_there_are_waits_and_says_why(plane: Plane, namespace: str) -> None:
    plane.api.apply(deployment("greedy", namespace, limits={nodes.GPU: "2"}, tolerations=[TOLERATION]))

    def says_why(found: Mapping[str, Object]) -> bool:
        return any(f"Insufficient {nodes.GPU}" in str(pod["status"].get("conditions")) for pod in found.values())

    plane.api.until("v1", "Pod", says_why, namespace=namespace)


def test_every_custom_resource_definition_is_established(plane: Plane) -> None:
    kinds = {found["spec"]["names"]["kind"] for found in plane.api.list(crds.VERSION, crds.KIND)}
    assert kinds >= {
        "VirtualService", "DestinationRule", "PrometheusRule", "ServiceMonitor", "ScaledObject", "Rollout",
        "AnalysisTemplate", "InferenceService", "HTTPRoute", "NodePool", "Service", "RayService", "SparkApplication",
    }  # fmt: skip


def test_promtool_judges_a_rule(tmp_path: Path) -> None:
    [promtool] = require("promtool")
    rules = tmp_path / "rules.yaml"
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: 'rate(x[5m]'}]}]")
    judged = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert judged.returncode != 0
    assert "parse error" in judged.stderr + judged.stdout

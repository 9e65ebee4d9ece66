"""A ModelService as a whole: what it makes for a spec, and that names hold still."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from slipform.engines import registry
from slipform.engines.base import Container, Port, Probe, Server
from slipform.engines.fastapi import FastAPI
from slipform.infra.model_service import ModelService, ModelServiceArgs
from slipform.project import group
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import model_spec, stack_config
from .recorder import Recorded, Registered, record

ROOT = Path(__file__).parents[2]
CPU: dict[str, Any] = {"engine": "fastapi", "resources": {"cpu": 1, "memory": "2Gi", "accelerator": None}}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
BLUE_GREEN = {"strategy": "blue-green", "candidate": {"version": 4}, "active": 3}


def cpu_spec(**changes: Any) -> ModelSpec:
    serving = {**CPU, **changes.pop("serving", {})}
    return model_spec(**{"nodes": None, "serving": serving, **changes})


def made(*specs: ModelSpec, stack: StackConfig | None = None, root: Path = ROOT) -> Recorded:
    def program(platform: Any) -> None:
        for service in group(specs):
            ModelService(service.name, ModelServiceArgs(platform, service.specs, root, {}))

    return record(program, stack)


def pod(recorded: Recorded, name: str = "resnet50") -> dict[str, Any]:
    spec: dict[str, Any] = recorded.one(":Deployment", name).inputs["spec"]["template"]["spec"]
    return spec


def files(recorded: Recorded, name: str = "resnet50") -> dict[str, str]:
    data: dict[str, str] = recorded.one(":ConfigMap", f"{name}-config").inputs["data"]
    return data


def names(recorded: Recorded) -> set[tuple[str, str]]:
    return {(resource.type, resource.name) for resource in recorded.resources}


def test_a_model_without_rollout_has_one_deployment_that_declares_no_replicas() -> None:
    deployment = made(cpu_spec()).one(":Deployment")
    assert deployment.name == "resnet50"
    assert "replicas" not in deployment.inputs["spec"]
    assert deployment.inputs["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


class HealthByGrpc(FastAPI):
    """An engine that answers gRPC's own health service."""

    ports: ClassVar[tuple[Port, ...]] = (Port("grpc", 9001), Port("metrics", 9002))

    def workload(self, server: Server) -> Container:
        health = Probe(grpc=True, period_seconds=7)
        return replace(super().workload(server), ports=self.ports, startup=health, readiness=health, liveness=health)


def test_a_probe_by_grpc_asks_the_port_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "engine", lambda name: HealthByGrpc())
    (container,) = pod(made(cpu_spec()))["containers"]
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[kind]["grpc"] == {"port": 9001}
        assert container[kind]["periodSeconds"] == 7


def test_a_probe_by_grpc_without_such_a_port_is_the_engines_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "engine", lambda name: HealthByGrpc())
    monkeypatch.setattr(HealthByGrpc, "ports", (Port("http", 9000), Port("metrics", 9002)))
    with pytest.raises(ValueError, match="a probe asks the port 'grpc'"):
        made(cpu_spec())


def test_a_new_version_is_a_rolling_update_of_the_same_deployment() -> None:
    before, after = made(cpu_spec()), made(cpu_spec(model={"version": 4}))
    assert names(before) == names(after)
    selectors = [r.one(":Deployment").inputs["spec"]["selector"] for r in (before, after)]
    assert selectors[0] == selectors[1]
    assert '"version": 4' in files(after)["repository.json"]


def test_a_promoted_candidate_leaves_the_stable_deployment_in_place() -> None:
    during, after = made(cpu_spec(rollout=CANARY)), made(cpu_spec(model={"version": 4}))
    assert names(after) < names(during)
    assert {name for kind, name in names(during) - names(after) if kind.endswith(":Deployment")} == {
        "resnet50-candidate"
    }


def test_memory_and_accelerators_are_limits_and_processors_are_not() -> None:
    resources = pod(made(model_spec()))["containers"][0]["resources"]
    assert resources["limits"] == {"memory": "8Gi", "nvidia.com/gpu": "1"}
    assert resources["requests"] == {"cpu": "3", "memory": "8Gi", "nvidia.com/gpu": "1"}


def test_nothing_but_the_pods_themselves_waits_for_the_pods() -> None:
    """A Service that did would hold one of the engine's few workers, and eight of them all that two cores have."""
    service = made(cpu_spec()).one("v1:Service").inputs
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_pods_are_nobody_in_particular_and_cannot_write_their_root() -> None:
    spec = pod(made(model_spec()))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_gpu_pods_go_to_the_pool_and_bear_its_taint() -> None:
    spec = pod(made(model_spec()))
    assert spec["nodeSelector"] == {"slipform.dev/pool": "gpu-l4"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in spec["tolerations"]


def test_every_volume_that_is_mounted_is_there() -> None:
    for spec in (pod(made(model_spec())), pod(made(cpu_spec()))):
        volumes = {volume["name"] for volume in spec["volumes"]}
        mounts = {m["name"] for c in spec["initContainers"] + spec["containers"] for m in c["volumeMounts"]}
        assert mounts == volumes


def test_what_a_pod_reads_is_in_a_config_map_named_by_its_content() -> None:
    before, after = made(cpu_spec()), made(cpu_spec(serving={"batching": {"max_batch_size": 8}}))
    maps = [recorded.one(":ConfigMap", "resnet50-config").inputs for recorded in (before, after)]
    assert maps[0]["metadata"]["name"] != maps[1]["metadata"]["name"]
    assert all(config["immutable"] for config in maps)
    mounted = next(v for v in pod(after)["volumes"] if v["name"] == "config")
    assert mounted["configMap"]["name"] == maps[1]["metadata"]["name"]


def test_a_pod_has_time_to_drain_before_it_is_killed() -> None:
    spec = pod(made(cpu_spec(serving={"drain_timeout": "40s"})))
    settings = json.loads(files(made(cpu_spec(serving={"drain_timeout": "40s"})))["runtime.json"])
    slept = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drained = settings["drain"]["delay_seconds"] + settings["drain"]["timeout_seconds"]
    assert drained == 40
    assert spec["terminationGracePeriodSeconds"] > slept + drained


def test_a_model_of_the_project_travels_in_a_config_map_under_its_own_path() -> None:
    recorded = made(cpu_spec(model={"uri": "file:model_specs/models/iris", "version": 1, "sha256": ...}))
    (travelling,) = [r for r in recorded.all(":ConfigMap") if "binaryData" in r.inputs]
    assert set(travelling.inputs["binaryData"]) == {"model.onnx"}
    fetch = pod(recorded)["initContainers"][0]
    assert fetch["workingDir"] == "/project"
    assert "/project/model_specs/models/iris/1" in [mount["mountPath"] for mount in fetch["volumeMounts"]]


def test_versions_with_the_same_bytes_have_config_maps_of_their_own(tmp_path: Path) -> None:
    """They are two resources: when the old one goes after an update, the new one's object must stay."""
    names = []
    for version in (1, 2):
        file = tmp_path / f"model_specs/models/iris/{version}/model.onnx"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"the same")
        spec = cpu_spec(model={"uri": "file:model_specs/models/iris", "version": version, "sha256": ...})
        (travelling,) = [r for r in made(spec, root=tmp_path).all(":ConfigMap") if "binaryData" in r.inputs]
        names.append((travelling.name, travelling.inputs["metadata"]["name"]))
    assert names[0][0] != names[1][0]
    assert names[0][1] != names[1][1]


def test_credentials_are_named_and_never_held() -> None:
    by_secret = made(cpu_spec(model={"credentials": {"secret": "store"}}))
    assert pod(by_secret)["initContainers"][0]["envFrom"] == [{"secretRef": {"name": "store"}}]
    by_account = made(cpu_spec(model={"credentials": {"service_account": "vision"}}))
    assert pod(by_account)["serviceAccountName"] == "vision"
    assert not by_account.all(":ServiceAccount")


@pytest.mark.parametrize(
    ("rollout", "bounds"),
    [
        (None, {"resnet50": (2, 10)}),
        (CANARY, {"resnet50": (2, 10), "resnet50-candidate": (1, 10)}),
        ({**CANARY, "weight": 60}, {"resnet50": (2, 10), "resnet50-candidate": (2, 10)}),
        ({"strategy": "shadow", "candidate": {"version": 4}}, {"resnet50": (2, 10), "resnet50-candidate": (2, 10)}),
        (BLUE_GREEN, {"resnet50": (2, 10), "resnet50-candidate": (10, 10)}),
        ({**BLUE_GREEN, "active": 4}, {"resnet50": (10, 10), "resnet50-candidate": (2, 10)}),
        ({**BLUE_GREEN, "keep": 4}, {"resnet50": (2, 10), "resnet50-candidate": (4, 10)}),
    ],
)
def test_each_track_has_the_replicas_that_its_traffic_needs(rollout: Any, bounds: dict[str, tuple[int, int]]) -> None:
    recorded = made(cpu_spec(rollout=rollout))
    found = {
        hpa.name: (hpa.inputs["spec"]["minReplicas"], hpa.inputs["spec"]["maxReplicas"])
        for hpa in recorded.all(":HorizontalPodAutoscaler")
    }
    assert found == bounds


def test_a_version_that_waits_for_the_switch_is_awaited_with_all_its_replicas() -> None:
    recorded = made(cpu_spec(rollout=BLUE_GREEN))
    annotations = recorded.one(":Deployment", "resnet50-candidate").inputs["metadata"]["annotations"]
    assert annotations == {"pulumi.com/waitFor": "jsonpath={.status.readyReplicas}=10"}
    assert "annotations" not in recorded.one(":Deployment", "resnet50").inputs["metadata"]


def test_a_progressive_rollout_runs_the_pods_and_is_what_scales() -> None:
    steps = [{"weight": 10, "hold": "5m"}]
    recorded = made(cpu_spec(rollout={"strategy": "canary", "steps": steps, "analysis": {"max_error_rate": 0.01}}))
    assert "replicas" not in recorded.one(":Deployment").inputs["spec"]
    target = recorded.one(":HorizontalPodAutoscaler").inputs["spec"]["scaleTargetRef"]
    assert target["kind"] == "Rollout"
    assert recorded.one(":Rollout").inputs["spec"]["workloadRef"]["name"] == "resnet50"


def test_models_that_name_one_server_share_its_deployment_and_keep_their_own_configs() -> None:
    one = cpu_spec(name="one", serving={"server": "both"})
    two = cpu_spec(name="two", serving={"server": "both"})
    recorded = made(two, one)
    assert [deployment.name for deployment in recorded.all(":Deployment")] == ["both"]
    held = files(recorded, "both")
    assert {"one.config.pbtxt", "two.config.pbtxt"} < set(held)
    assert [model["name"] for model in json.loads(held["repository.json"])["models"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("capability", "types"),
    [
        ("istio", (":VirtualService", ":DestinationRule")),
        ("prometheus-operator", (":ServiceMonitor", ":PrometheusRule")),
        ("network-policy", (":NetworkPolicy",)),
    ],
)
def test_a_part_whose_controller_the_cluster_lacks_is_left_out(capability: str, types: tuple[str, ...]) -> None:
    stack = stack_config()
    less = stack.model_copy(update={"has": tuple(has for has in stack.has if has != capability)})
    for kind in types:
        assert made(cpu_spec(), stack=stack).all(kind)
        assert not made(cpu_spec(), stack=less).all(kind)


@pytest.mark.parametrize("lacking", ["grafana", "prometheus-operator"])
def test_a_dashboard_needs_grafana_and_the_rules_whose_records_it_shows(lacking: str) -> None:
    stack = stack_config()
    less = stack.model_copy(update={"has": tuple(has for has in stack.has if has != lacking)})
    assert "resnet50-dashboard" in {each.name for each in made(cpu_spec()).all(":ConfigMap")}
    assert "resnet50-dashboard" not in {each.name for each in made(cpu_spec(), stack=less).all(":ConfigMap")}


def test_a_default_that_is_written_out_changes_nothing() -> None:
    brief = cpu_spec()
    whole = ModelSpec.model_validate(brief.model_dump(mode="json"))
    assert in_order(made(brief)) == in_order(made(whole))


def test_another_spelling_of_an_amount_changes_nothing() -> None:
    one = cpu_spec(serving={"resources": {"cpu": "1000m", "memory": "2048Mi"}}, traffic={"timeout": "15000ms"})
    other = cpu_spec(serving={"resources": {"cpu": 1, "memory": "2Gi"}})
    assert in_order(made(one)) == in_order(made(other))


def test_another_model_changes_nothing_about_the_first() -> None:
    alone, both = made(cpu_spec()).resources, made(cpu_spec(), cpu_spec(name="other")).resources
    assert [resource for resource in alone if resource not in both] == []


def test_the_order_of_the_specs_changes_nothing() -> None:
    one, two = cpu_spec(), cpu_spec(name="other")
    assert in_order(made(one, two)) == in_order(made(two, one))


def in_order(recorded: Recorded) -> list[Registered]:
    """Registrations run side by side, so their order says nothing."""
    return sorted(recorded.resources, key=lambda resource: (resource.type, resource.name))

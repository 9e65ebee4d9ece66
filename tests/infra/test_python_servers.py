"""MLflow and BentoML as the components make them: pods, what is scraped, scaled and let in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform.infra.model_service import ModelService, ModelServiceArgs
from slipform.infra.shared import Shared, SharedArgs
from slipform.review import review_spec
from slipform.spec.findings import Finding, errors
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import DIGEST, STACK
from ..engines.python_servers import IMAGES, spec, stack
from .recorder import Recorded, record
from .served import GATEWAY

ROOT = Path(__file__).parents[2]
OWN: dict[str, Any] = {
    "model": {"uri": ..., "sha256": ...},
    "serving": {"image": f"registry.example.com/wine@sha256:{DIGEST}"},
}
EXPOSED = {"host": "wine.models.example.com", "auth": "none"}
NAMES = pytest.mark.parametrize("name", ["mlflow", "bentoml"])
NO_MESH = {"has": [each for each in STACK["has"] if each not in ("istio", "argo-rollouts")]}


def made(wanted: ModelSpec, config: StackConfig | None = None) -> Recorded:
    config = config or stack(gateway=GATEWAY)
    return record(lambda platform: ModelService("wine", ModelServiceArgs(platform, (wanted,), ROOT, {})), config)


def pod(found: Recorded, name: str = "wine") -> dict[str, Any]:
    inputs: dict[str, Any] = found.one(":Deployment", name).inputs["spec"]["template"]["spec"]
    return inputs


def reviewed(wanted: ModelSpec, config: StackConfig) -> list[Finding]:
    return list(errors(review_spec(wanted, config, ROOT)))


@NAMES
def test_its_pod_fetches_the_model_and_serves_it_as_nobody(name: str) -> None:
    found = pod(made(spec(name)))

    assert [each["image"] for each in found["initContainers"]] == [STACK["images"]["runtime"]]
    [container] = found["containers"]
    assert container["image"] == IMAGES[name]
    assert found["securityContext"]["runAsUser"] == {"mlflow": 1000, "bentoml": 1034}[name]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {"httpGet"} <= set(container["startupProbe"]) & set(container["livenessProbe"])


def test_a_bento_in_its_image_is_not_fetched() -> None:
    config = stack(images={"runtime": ..., "bentoml": ...})
    found = pod(made(spec("bentoml", **OWN), config))
    assert "initContainers" not in found
    assert found["containers"][0]["image"] == OWN["serving"]["image"]


def test_both_versions_of_a_rollout_are_fetched_and_served_apart() -> None:
    wanted = spec("mlflow", rollout={"strategy": "canary", "candidate": {"version": 4}, "weight": 10})
    found = made(wanted)
    env = [pod(found, name)["containers"][0]["env"] for name in ("wine", "wine-candidate")]
    models = [each["value"] for one in env for each in one if each["name"] == "__pyfunc_model_path__"]
    assert models == ["/models/wine/3", "/models/wine/4"]


def test_only_the_one_that_measures_is_scraped() -> None:
    assert made(spec("mlflow")).all(":ServiceMonitor") == []
    [endpoint] = made(spec("bentoml")).one(":ServiceMonitor").inputs["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


def ports_of_prometheus(found: Recorded) -> list[int]:
    rules = found.one("v1:NetworkPolicy").inputs["spec"]["ingress"]
    return [port["port"] for port in rules[-1]["ports"]]


def test_prometheus_is_let_in_where_it_is_answered() -> None:
    assert ports_of_prometheus(made(spec("mlflow"))) == [15020, 15090]
    assert ports_of_prometheus(made(spec("bentoml"))) == [3000, 15020, 15090]


def test_replicas_follow_the_meshs_requests_or_the_bentos_own() -> None:
    scaling = {"metrics": {"requests_per_second": 20, "cpu": 70}}
    for name, selector in (("mlflow", None), ("bentoml", {"matchLabels": {"job": "wine"}})):
        found = made(spec(name, scaling=scaling)).one(":HorizontalPodAutoscaler").inputs["spec"]["metrics"]
        [metric] = [each["pods"]["metric"] for each in found if each["type"] == "Pods"]
        assert metric["name"] == f"slipform_{name}_requests_per_second"
        assert metric.get("selector") == selector


def test_the_adapter_has_rules_of_what_somebody_measures() -> None:
    def config_maps(**changes: Any) -> set[str]:
        config = stack(**changes)
        found = record(lambda _: Shared("platform", SharedArgs("test", config, ["mlflow", "bentoml"])), config)
        return {each.inputs["metadata"]["name"] for each in found.all(":ConfigMap")}

    bentos = {"slipform-adapter-rules-bentoml"}
    assert config_maps() == {*bentos, "slipform-adapter-rules-mlflow"}
    assert config_maps(**NO_MESH) == bentos


def let_in(found: Recorded) -> set[str]:
    routes = found.one(":VirtualService", "wine-public").inputs["spec"]["http"]
    return {match["uri"]["exact"] for route in routes for match in route["match"]}


def test_an_address_outside_lets_in_the_known_paths_or_those_that_the_spec_names() -> None:
    assert let_in(made(spec("mlflow", expose=EXPOSED))) == {"/invocations", "/ping", "/health", "/version"}
    bento = spec("bentoml", expose={**EXPOSED, "paths": ["/predict"]})
    assert let_in(made(bento)) == {"/predict", "/livez", "/readyz", "/healthz"}


@pytest.mark.parametrize(
    ("name", "changes", "config", "field", "remedy"),
    [
        ("bentoml", {"expose": EXPOSED}, {"gateway": GATEWAY}, "expose", "paths: [/predict]"),
        ("mlflow", {"expose": {**EXPOSED, "paths": ["/x"]}}, {"gateway": GATEWAY}, "expose.paths", "remove it"),
        ("mlflow", {"slo": {"availability": 99.9}}, NO_MESH, "slo.availability", "add istio"),
        ("mlflow", {"slo": {"latency": {"p95": "100ms"}}}, NO_MESH, "slo.latency.p95", "add istio"),
        (
            "mlflow",
            {"scaling": {"metrics": {"requests_per_second": 5, "cpu": 70}}},
            NO_MESH,
            "scaling.metrics.requests_per_second",
            "add istio",
        ),
        (
            "mlflow",
            {"scaling": {"metrics": {"queue_length": 5, "cpu": 70}}},
            {},
            "scaling.metrics.queue_length",
            "leave queue_length out",
        ),
        (
            "bentoml",
            {"scaling": {"metrics": {"utilization": 70}}},
            {},
            "scaling.metrics.utilization",
            "leave utilization out",
        ),
    ],
)
def test_what_nobody_measures_or_names_is_refused(
    name: str, changes: dict[str, Any], config: dict[str, Any], field: str, remedy: str
) -> None:
    [finding] = reviewed(spec(name, **changes), stack(**config))
    assert finding.field == field
    assert remedy in (finding.remedy or "")


@NAMES
def test_what_is_measured_without_a_mesh_can_be_promised(name: str) -> None:
    promised = spec(name, slo={"availability": 99.9, "latency": {"p95": "100ms"}})
    assert reviewed(promised, stack()) == []
    assert bool(reviewed(promised, stack(**NO_MESH))) == (name == "mlflow")


durations = st.integers(10, 600).map(lambda seconds: f"{seconds}s")


@settings(deadline=None, max_examples=25)
@given(
    name=st.sampled_from(["mlflow", "bentoml"]),
    cpu=st.integers(100, 64_000).map(lambda millis: f"{millis}m"),
    version=st.integers(1, 10**6),
    queue=st.integers(1, 10_000),
    startup=durations,
    timeout=st.integers(1, 600_000).map(lambda millis: f"{millis}ms"),
    drain=durations,
    mesh=st.booleans(),
)
def test_any_right_spec_becomes_a_pod_with_all_of_its_time(
    name: str, cpu: str, version: int, queue: int, startup: str, timeout: str, drain: str, mesh: bool
) -> None:
    batching = {"batching": {"max_queue_size": queue}} if name == "bentoml" else {}
    wanted = spec(
        name,
        model={"version": version},
        serving={"startup_timeout": startup, "drain_timeout": drain, "resources": {"cpu": cpu}, **batching},
        traffic={"timeout": timeout},
        scaling={"metrics": {"cpu": 70}},
    )
    config = stack() if mesh else stack(**NO_MESH)
    assert reviewed(wanted, config) == []
    found = pod(made(wanted, config))
    [container] = found["containers"]
    startup_probe = container["startupProbe"]
    assert startup_probe["failureThreshold"] * startup_probe["periodSeconds"] >= int(startup[:-1])
    assert (
        found["terminationGracePeriodSeconds"] > int(drain[:-1]) + container["lifecycle"]["preStop"]["sleep"]["seconds"]
    )
    assert all(isinstance(each["value"], str) for each in container["env"])

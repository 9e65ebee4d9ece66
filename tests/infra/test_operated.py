"""A model whose pods an operator makes: planned, scaled, watched and reviewed like one whose pods are ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipform.engines import registry
from slipform.engines.base import CustomResource, Server
from slipform.infra.model_service import ModelService, ModelServiceArgs
from slipform.infra.serving_resource import filled_in
from slipform.review import review_spec
from slipform.spec.findings import errors
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config
from ..engines.kserve import KServe
from .crd_schemas import is_valid
from .recorder import Recorded, record

ROOT = Path(__file__).parents[2]
LABELS = {"serving.kserve.io/inferenceservice": "resnet50"}


@pytest.fixture(autouse=True)
def kserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed as an engine of another package."""
    monkeypatch.setattr(registry, "engine", lambda name: KServe())


def spec(**changes: Any) -> ModelSpec:
    serving = {"engine": "kserve", "resources": {"cpu": 2, "memory": "4Gi", "accelerator": "nvidia-l4"}}
    metrics = {"requests_per_second": 20}
    return model_spec(**{"serving": serving, "scaling": {"metrics": metrics}, "slo": {"availability": 99.9}, **changes})


def made(model: ModelSpec | None = None) -> Recorded:
    model = model or spec()
    return record(lambda p: ModelService(model.name, ModelServiceArgs(p, (model,), ROOT, {})))


def test_the_resource_stands_where_a_deployment_would() -> None:
    found = made()
    assert found.all(":Deployment") == []
    resource = found.one(":InferenceService")
    assert resource.inputs["metadata"]["name"] == "resnet50"
    assert resource.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert resource.inputs["metadata"]["labels"]["slipform.dev/version"] == "3"
    is_valid(resource)


def test_its_pods_have_our_account_and_our_machines() -> None:
    predictor = made().one(":InferenceService").inputs["spec"]["predictor"]
    assert predictor["serviceAccountName"] == "resnet50"
    assert predictor["nodeSelector"] == {"slipform.dev/pool": "gpu-l4"}
    assert predictor["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert {each["topologyKey"] for each in predictor["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


def test_what_finds_pods_finds_the_operators() -> None:
    found = made()
    service = found.one(":Service").inputs["spec"]
    assert service["selector"] == LABELS
    assert [(port["name"], port["port"], port["targetPort"]) for port in service["ports"]] == [("http", 8080, 8080)]
    assert found.one("v1:PodDisruptionBudget").inputs["spec"]["selector"] == {"matchLabels": LABELS}
    assert found.one("v1:NetworkPolicy").inputs["spec"]["podSelector"] == {"matchLabels": LABELS}


def test_the_operators_deployment_is_scaled_and_watched() -> None:
    found = made()
    (scaler,) = found.all(":HorizontalPodAutoscaler")
    assert scaler.inputs["spec"]["scaleTargetRef"]["name"] == "resnet50-predictor"
    (endpoint,) = found.one(":ServiceMonitor").inputs["spec"]["endpoints"]
    assert endpoint["port"] == "http"
    rules = str(found.one(":PrometheusRule").inputs)
    assert 'deployment="resnet50-predictor"' in rules
    assert 'destination_workload=~"resnet50-predictor"' in rules


class ScalesItself(KServe):
    def workload(self, server: Server) -> CustomResource:
        return replace(super().workload(server), scales_itself=True)


def test_an_operator_that_scales_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "engine", lambda name: ScalesItself())
    found = made()
    assert found.all(":HorizontalPodAutoscaler") == found.all(":ScaledObject") == []
    assert found.one(":InferenceService").inputs["spec"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rollout": {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}}, "rollout"),
        ({"model": {"uri": "file:model_specs/models/iris", "sha256": None, "version": 1}}, "model.uri"),
    ],
)
def test_what_only_pods_of_ours_can_do_is_refused(changes: dict[str, Any], field: str) -> None:
    found = errors(review_spec(spec(**changes), stack_config(), ROOT))
    assert field in {each.field for each in found}
    assert not errors(review_spec(spec(), stack_config(), ROOT))


def test_what_the_engine_says_itself_stays() -> None:
    said = {"predictor": {"nodeSelector": {"a": "b"}, "model": {}}}
    filled = filled_in(said, ("predictor",), {"nodeSelector": {"c": "d"}, "tolerations": [1]})
    assert filled == {"predictor": {"nodeSelector": {"a": "b"}, "tolerations": [1], "model": {}}}
    assert filled_in({}, ("a", "b"), {"c": 1}) == {"a": {"b": {"c": 1}}}

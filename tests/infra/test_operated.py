"""A model whose pods an operator makes: planned, scaled, watched and reviewed like one whose pods are ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipform.infra.model_service import ModelService, ModelServiceArgs
from slipform.infra.serving_resource import filled_in
from slipform.review import review_spec
from slipform.spec.findings import Finding, errors
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config
from .crd_schemas import is_valid
from .recorder import Recorded, record

ROOT = Path(__file__).parents[2]
SERVING = {"engine": "kserve", "resources": {"cpu": 2, "cpu_limit": 3, "memory": "4Gi", "accelerator": "nvidia-l4"}}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
STEPS = {"steps": [{"weight": 10, "hold": "20m"}], "analysis": {"max_error_rate": 0.01}}
POD = ("serviceAccountName", "nodeSelector", "tolerations", "initContainers", "volumes", "securityContext",
       "terminationGracePeriodSeconds", "automountServiceAccountToken", "enableServiceLinks",
       "topologySpreadConstraints")  # fmt: skip


def spec(engine: str = "kserve", **changes: Any) -> ModelSpec:
    serving = {**SERVING, "engine": engine, **changes.pop("serving", {})}
    return model_spec(**{"serving": serving, "slo": {"availability": 99.9}, **changes})


def made(model: ModelSpec | None = None, **stack: Any) -> Recorded:
    model = model or spec()
    name, specs = model.name, (model,)
    return record(lambda p: ModelService(name, ModelServiceArgs(p, specs, ROOT, {})), stack_config(**stack))


def problems(model: ModelSpec, **stack: Any) -> list[Finding]:
    return list(review_spec(model, stack_config(**stack), ROOT))


def test_the_resource_stands_where_a_deployment_would() -> None:
    found = made()
    assert found.all(":Deployment") == []
    resource = found.one(":InferenceService")
    assert resource.inputs["metadata"]["name"] == "resnet50"
    assert resource.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert resource.inputs["metadata"]["labels"]["slipform.dev/version"] == "3"
    is_valid(resource)


@pytest.mark.parametrize(
    ("runtime", "model"),
    [
        ("fastapi", {}),
        ("triton", {}),
        ("tfserving", {"format": "tensorflow"}),
        ("torchserve", {"format": "torchscript"}),
        ("mlflow", {"format": "mlflow"}),
        ("bentoml", {"format": "bento"}),
    ],
)
def test_each_server_runs_in_it(runtime: str, model: dict[str, Any]) -> None:
    serving = {
        "runtime": runtime,
        "protocols": ["rest"],
        "batching": {"max_batch_size": 0},
        "resources": {"accelerator": None},
    }
    given = spec(serving={**SERVING, **serving}, model=model, nodes=None, slo=None)
    images = {name: stack_config().images.runtime for name in ("tfserving", "torchserve", "mlflow", "bentoml")}
    assert errors(problems(given, images=images)) == ()
    resource = made(given, images=images).one(":InferenceService")
    is_valid(resource)
    (container,) = resource.inputs["spec"]["predictor"]["containers"]
    protocol = [each["value"] for each in container.get("env", []) if each["name"] == "PROTOCOL"]
    assert protocol == (["v2"] if runtime in ("fastapi", "triton") else []), "KServe takes none for the first"


def test_its_pods_are_those_of_a_deployment_of_ours() -> None:
    """But for the container's name and what KServe wants to know of it."""
    predictor = made().one(":InferenceService").inputs["spec"]["predictor"]
    template = made(spec("fastapi")).one(":Deployment").inputs["spec"]["template"]
    pod = template["spec"]
    assert {field: predictor[field] for field in POD} == {field: pod[field] for field in POD}
    (theirs,), (ours,) = predictor.pop("containers"), pod.pop("containers")
    assert theirs.pop("name") == "kserve-container"
    assert {"name": "PROTOCOL", "value": "v2"} in theirs["env"]
    assert {**ours, "env": [], "name": ""} == {**theirs, "env": [], "name": ""}
    assert predictor.pop("annotations") == template["metadata"]["annotations"]
    assert predictor.pop("deploymentStrategy")["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
    assert pod.pop("imagePullSecrets") == []
    assert predictor == pod


def test_the_rest_does_not_know_that_there_is_an_operator() -> None:
    """Addresses, budgets, policies, routes and files are what they are without it."""
    operated, ours = made(), made(spec("fastapi"))
    for kind in (":Service", "v1:PodDisruptionBudget", "v1:NetworkPolicy", ":DestinationRule", ":VirtualService",
                 ":ServiceMonitor"):  # fmt: skip
        assert [each.inputs for each in operated.all(kind)] == [each.inputs for each in ours.all(kind)], kind
    assert operated.one(":ConfigMap", "resnet50-config").inputs == ours.one(":ConfigMap", "resnet50-config").inputs


def test_the_operators_deployment_is_scaled_and_watched() -> None:
    found = made()
    (scaler,) = found.all(":HorizontalPodAutoscaler")
    assert scaler.inputs["spec"]["scaleTargetRef"]["name"] == "resnet50-predictor"
    assert "slipform_fastapi_utilization" in str(scaler.inputs)
    rules = str(found.one(":PrometheusRule").inputs)
    assert 'deployment="resnet50-predictor"' in rules
    assert 'horizontalpodautoscaler="resnet50"' in rules


@pytest.mark.parametrize("controller", ["hpa", "keda"])
def test_no_autoscaler_has_the_name_that_the_operator_writes_over(controller: str) -> None:
    """KServe takes a HorizontalPodAutoscaler with its Deployment's name for its own, and deletes it."""
    found = made(spec(scaling={"controller": controller}))
    (scaler,) = (*found.all(":HorizontalPodAutoscaler"), *found.all(":ScaledObject"))
    advanced = scaler.inputs["spec"].get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    assert {scaler.inputs["metadata"]["name"], advanced.get("name", "resnet50")} == {"resnet50"}


@pytest.mark.parametrize(
    "rollout",
    [
        CANARY,
        {"strategy": "shadow", "candidate": {"version": 4}, "percent": 20},
        {"strategy": "ab", "candidate": {"version": 4}, "header": "x-variant", "match": "b"},
    ],
    ids=lambda rollout: str(rollout["strategy"]),
)
def test_a_declared_rollout_has_a_resource_for_each_version(rollout: dict[str, Any]) -> None:
    model = spec(rollout=rollout)
    assert errors(problems(model)) == ()
    found = made(model)
    resources = {each.name: each.inputs for each in found.all(":InferenceService")}
    labels = {name: each["metadata"]["labels"] for name, each in resources.items()}
    assert {name: each["slipform.dev/track"] for name, each in labels.items()} == {
        "resnet50": "stable",
        "resnet50-candidate": "candidate",
    }
    assert {each["app.kubernetes.io/name"] for each in labels.values()} == {"resnet50"}
    targets = {each.inputs["spec"]["scaleTargetRef"]["name"] for each in found.all(":HorizontalPodAutoscaler")}
    assert targets == {"resnet50-predictor", "resnet50-candidate-predictor"}
    for each in found.all(":InferenceService"):
        is_valid(each)


def test_a_model_of_the_project_travels_with_it() -> None:
    local: dict[str, Any] = {
        "uri": "file:model_specs/models/iris",
        "sha256": None,
        "version": 1,
        "inputs": [],
        "outputs": [],
    }
    model = spec(model=local)
    assert errors(problems(model)) == ()
    found = made(model)
    (files,) = (each for each in found.all(":ConfigMap") if "binaryData" in each.inputs)
    volumes = found.one(":InferenceService").inputs["spec"]["predictor"]["volumes"]
    assert files.inputs["metadata"]["name"] in {each.get("configMap", {}).get("name") for each in volumes}


@pytest.mark.parametrize(
    ("changes", "stack", "field", "remedy"),
    [
        ({"rollout": {"strategy": "canary", **STEPS}}, {}, "rollout", "engine: fastapi"),
        (
            {"rollout": {"strategy": "blue-green", "candidate": {"version": 4}, "active": 3}},
            {}, "rollout.strategy", "strategy: canary",
        ),
        ({}, {"has": ["istio", "prometheus-operator"]}, "serving.engine", "add kserve to slipform:has"),
        ({"serving": {"runtime": "tritn"}}, {}, "serving.runtime", "did you mean 'triton'?"),
        ({"serving": {"engine": "triton", "runtime": "fastapi"}}, {}, "serving.runtime", "engine: kserve"),
        ({"scaling": {"min_replicas": 0}}, {}, "scaling.min_replicas", "min_replicas: 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused(changes: dict[str, Any], stack: dict[str, Any], field: str, remedy: str) -> None:
    found = {each.field: each for each in errors(problems(spec(**changes), **stack))}
    assert remedy in (found[field].remedy or "")
    assert errors(problems(spec())) == ()


def test_what_the_engine_says_itself_stays() -> None:
    said = {"predictor": {"nodeSelector": {"a": "b"}, "model": {}}}
    filled = filled_in(said, ("predictor",), {"nodeSelector": {"c": "d"}, "tolerations": [1]})
    assert filled == {"predictor": {"nodeSelector": {"a": "b"}, "tolerations": [1], "model": {}}}
    assert filled_in({}, ("a", "b"), {"c": 1}) == {"a": {"b": {"c": 1}}}

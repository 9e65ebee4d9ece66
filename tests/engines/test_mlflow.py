"""MLflow's server: what it is started with, what it can't do, and who measures it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipform.engines.metrics import NoHistogram, required
from slipform.engines.registry import engine

from .python_servers import IMAGES, container, problems, stack


def test_the_server_is_started_without_the_wrapper_that_hears_no_sigterm() -> None:
    made = container("mlflow", serving={"instances": 3, "drain_timeout": "45s", "resources": {"cpu": 6}})

    assert (made.image, made.command) == (IMAGES["mlflow"], ("uvicorn",))
    assert made.args == (
        "mlflow.pyfunc.scoring_server.app:app",
        "--host=0.0.0.0",
        "--port=8080",
        "--workers=3",
        "--timeout-keep-alive=3660",
        "--timeout-graceful-shutdown=45",
    )
    assert (made.drain_seconds, [(port.name, port.number) for port in made.ports]) == (45, [("http", 8080)])


def test_its_environment_names_the_version_the_timeout_and_its_share_of_the_processors() -> None:
    made = container(
        "mlflow",
        traffic={"timeout": "1s500ms"},
        serving={"instances": 2, "resources": {"cpu": 6}, "env": {"HOME": "/home/wine"}},
    )

    assert made.env["__pyfunc_model_path__"] == "/models/wine/3"
    assert made.env["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] == "2", "whole seconds, never less than what is promised"
    assert made.env["OMP_NUM_THREADS"] == "3"
    assert made.env["HOME"] == "/home/wine", "the spec has the last word"


@pytest.mark.parametrize(("cpu", "instances", "threads"), [("500m", 1, "1"), (4, 8, "1"), (7, 2, "3")])
def test_a_worker_has_at_least_one_thread(cpu: Any, instances: int, threads: str) -> None:
    made = container("mlflow", serving={"instances": instances, "resources": {"cpu": cpu}})
    assert made.env["OMP_NUM_THREADS"] == threads


def test_it_is_given_time_to_load_and_is_probed_by_http() -> None:
    made = container("mlflow", serving={"startup_timeout": "2m"})

    assert {probe.path for probe in (made.startup, made.readiness, made.liveness)} == {"/ping"}
    assert made.startup.failure_threshold * made.startup.period_seconds == 120
    assert made.liveness.failure_threshold * made.liveness.period_seconds == 60


def test_the_models_folder_is_fetched_with_its_digest_and_nothing_of_tritons() -> None:
    made = container("mlflow")
    [model] = json.loads(made.files["repository.json"])["models"]

    assert list(made.files) == ["repository.json"]
    assert model["name"] == "wine"
    assert set(model) == {"name", "versions"}
    [version] = model["versions"]
    assert set(version) == {"version", "uri", "sha256"}


def test_a_right_spec_has_no_problems() -> None:
    assert problems("mlflow", stack(), serving={"protocols": ["rest"], "batching": {"max_batch_size": 0}}) == []
    assert problems("mlflow") == []


@pytest.mark.parametrize(
    ("changes", "field", "message", "remedy"),
    [
        ({"model": {"format": "onnx"}}, "model.format", "does not serve onnx", "mlflow.onnx.save_model"),
        ({"model": {"format": "sklearn"}}, "model.format", "does not serve sklearn", "mlflow.sklearn.save_model"),
        ({"model": {"format": "bento"}}, "model.format", "does not serve bento", "engine: bentoml"),
        ({"build": {"target": "onnx"}}, "build.target", "does not serve onnx", "remove build"),
        ({"serving": {"protocols": ["rest", "grpc"]}}, "serving.protocols", "speaks no gRPC", "protocols: [rest]"),
        ({"serving": {"server": "zoo"}}, "serving.server", "several models share", "a server of its own"),
        ({"serving": {"cache": {"size": "64Mi"}}}, "serving.cache", "cache", "remove it"),
        ({"serving": {"handler": "handlers/wine.py"}}, "serving.handler", "handlers", "remove it"),
        ({"serving": {"cuda_graphs": True}}, "serving.cuda_graphs", "CUDA graphs", "remove it"),
        (
            {"serving": {"batching": {"max_queue_delay": "5ms"}}},
            "serving.batching.max_queue_delay",
            "neither batches nor a queue",
            "many rows",
        ),
        ({"serving": {"batching": {"max_queue_size": 8}}}, "serving.batching.max_queue_size", "queue", "remove it"),
        ({"model": {"uri": "s3://models/wine.pkl"}}, "model.uri", "serves a folder", "holds MLmodel"),
        (
            {"model": {"size": "1Gi"}, "serving": {"instances": 2, "resources": {"cpu": 2}}},
            "serving.resources.memory",
            "each of the 2 workers loads the model",
            "fewer instances",
        ),
    ],
)
def test_what_it_cannot_do_is_an_error(changes: dict[str, Any], field: str, message: str, remedy: str) -> None:
    [finding] = problems("mlflow", **changes)

    assert (finding.field, finding.severity) == (field, "error")
    assert message in finding.message
    assert remedy in (finding.remedy or "")


ENSEMBLE = [{"model": "other", "inputs": {"x": "x"}, "outputs": {"y": "y"}}]


@pytest.mark.parametrize("name", ["mlflow", "bentoml"])
def test_an_ensemble_is_no_model_that_it_serves(name: str) -> None:
    nothing = {"format": ..., "uri": ..., "sha256": ..., "ensemble": ENSEMBLE}
    assert "model.ensemble" in [finding.field for finding in problems(name, model=nothing)]


@pytest.mark.parametrize("name", ["mlflow", "bentoml"])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"serving": {"warmup": True}}, "serving.warmup"),
        ({"serving": {"request_limit": "1Mi"}}, "serving.request_limit"),
        (
            {"model": {"outputs": [{"name": "p", "dtype": "FP32", "shape": [2], "labels": ["a", "b"]}]}},
            "model.outputs[0].labels",
        ),
    ],
)
def test_what_changes_nothing_is_a_warning(name: str, changes: dict[str, Any], field: str) -> None:
    [finding] = problems(name, **changes)
    assert (finding.field, finding.severity, bool(finding.remedy)) == (field, "warning", True)


def test_processors_that_one_worker_does_not_use_are_a_doubt_until_the_spec_says_how_many() -> None:
    [finding] = problems("mlflow", serving={"resources": {"cpu": 4}})
    assert (finding.field, finding.severity) == ("serving.resources.cpu", "warning")
    assert "instances: 4" in (finding.remedy or "")
    assert problems("mlflow", serving={"instances": 1, "resources": {"cpu": 4}}) == []


def test_an_image_is_the_stacks_or_the_models_own() -> None:
    bare = stack(images={"mlflow": ..., "bentoml": ...})
    [finding] = problems("mlflow", bare)
    assert "no image of MLflow" in finding.message
    assert "requirements.txt" in (finding.remedy or "")
    own = f"registry.example.com/wine@{IMAGES['mlflow'].partition('@')[2]}"
    assert problems("mlflow", bare, serving={"image": own}) == []
    assert container("mlflow", serving={"image": own}).image == own


def test_that_nobody_measures_it_is_said_where_somebody_could() -> None:
    [finding] = problems("mlflow", stack(has=["prometheus-operator"]))
    assert (finding.field, finding.severity) == ("serving.engine", "warning")
    assert "add istio" in (finding.remedy or "")
    assert problems("mlflow", stack(has=["istio", "prometheus-operator"])) == []
    assert problems("mlflow", stack(has=[])) == []


def test_only_a_mesh_measures_it() -> None:
    metrics = engine("mlflow").metrics(stack())
    assert {required(each).workload_label for each in (metrics.requests, metrics.errors)} == {"destination_workload"}
    assert (metrics.queue_length, metrics.utilization, metrics.path) == (None, None, None)

    alone = engine("mlflow").metrics(stack(has=["prometheus-operator"]))
    assert (alone.requests, alone.errors) == (None, None)
    assert isinstance(alone.latency, NoHistogram)
    assert "istio" in (alone.latency.remedy or "")


def test_a_model_that_raises_is_an_error_though_it_answers_400() -> None:
    query = required(engine("mlflow").metrics(stack()).errors).query
    assert 'response_code=~"5..|400|429"' in query

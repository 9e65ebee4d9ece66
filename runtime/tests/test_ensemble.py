"""Pipelines of models that answer as one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc
import tritonclient.http
from onnx import TensorProto

from runtime_testing.models import BATCHING, add_sub, identity, picky, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]

PIPELINE = """
platform: "ensemble"
max_batch_size: 8
input { name: "A" data_type: TYPE_INT32 dims: [4] }
input { name: "B" data_type: TYPE_INT32 dims: [4] }
output { name: "TWICE_A" data_type: TYPE_INT32 dims: [4] }
ensemble_scheduling {
  step { model_name: "first" model_version: -1
    input_map { key: "INPUT0" value: "A" } input_map { key: "INPUT1" value: "B" }
    output_map { key: "OUTPUT0" value: "sum" } output_map { key: "OUTPUT1" value: "difference" } }
  step { model_name: "second" model_version: -1
    input_map { key: "INPUT0" value: "sum" } input_map { key: "INPUT1" value: "difference" }
    output_map { key: "OUTPUT0" value: "TWICE_A" } }
}
"""


def test_steps_pass_tensors_on(repository: Path, serve: Serve) -> None:
    (repository / "pipeline" / "1").mkdir(parents=True)
    (repository / "pipeline" / "config.pbtxt").write_text(PIPELINE)
    put(repository, "first", add_sub(), BATCHING)
    put(repository, "second", add_sub(), BATCHING)
    server = serve(repository)
    assert server.get("/v2/models/pipeline").json["platform"] == "ensemble"
    answer = server.post("/predict/pipeline", {"inputs": {"A": [1, 2, 3, 4], "B": [9, 9, 9, 9]}})
    assert answer.json["outputs"] == [2, 4, 6, 8]
    assert server.metric("inference_requests_total", model="pipeline", status="success") == 1
    assert server.metric("inference_requests_total", model="second", status="success") == 1
    assert server.metric("model_active_requests", model="pipeline") == 0


def test_a_step_that_fails_fails_the_whole(repository: Path, serve: Serve) -> None:
    config = """
    platform: "ensemble" max_batch_size: 8
    input { name: "x" data_type: TYPE_INT64 dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }
    ensemble_scheduling { step { model_name: "picky" model_version: -1
      input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
    """
    (repository / "pipeline" / "1").mkdir(parents=True)
    (repository / "pipeline" / "config.pbtxt").write_text(config)
    put(repository, "picky", picky(), BATCHING)
    server = serve(repository)
    assert server.post("/predict/pipeline", {"inputs": [3]}).json["outputs"] == [3.0]
    assert server.post("/predict/pipeline", {"inputs": [30]}).status == 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('model_name: "second"', 'model_name: "third"'), "no model 'third'"),
        (('value: "sum" }', 'value: "summ" }'), "nothing makes"),
        (('value: "TWICE_A" }', 'value: "C" }'), "made by no step"),
        (('key: "OUTPUT1" value: "difference"', 'key: "OUTPUT1" value: "sum"'), "made twice"),
        (('input_map { key: "INPUT1" value: "B" }', ""), "leaves out the model's input 'INPUT1'"),
        (('input_map { key: "INPUT1" value: "B" }', 'input_map { key: "INPUT9" value: "B" }'), "maps input 'INPUT9'"),
        (('key: "INPUT1" value: "B"', 'key: "INPUT1" value: "TWICE_A"'), "wait for each other"),
    ],
)
def test_a_pipeline_that_cannot_run_is_refused_when_loaded(
    repository: Path, serve: Serve, change: tuple[str, str], words: str
) -> None:
    (repository / "pipeline" / "1").mkdir(parents=True)
    assert change[0] in PIPELINE
    (repository / "pipeline" / "config.pbtxt").write_text(PIPELINE.replace(*change, 1))
    put(repository, "first", add_sub(), BATCHING)
    put(repository, "second", add_sub(), BATCHING)
    put(repository, "other", identity(TensorProto.INT32))
    server = serve(repository)
    reasons = [row["reason"] for row in server.post("/v2/repository/index", {}).json if row["name"] == "pipeline"]
    assert words in reasons[0]


def clients(server: RunningServer) -> list[Any]:
    return [
        tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}"),
        tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http_port}"),
    ]


def put_pipeline(repository: Path, name: str = "pipeline", config: str = PIPELINE) -> None:
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)


def test_loading_an_ensemble_loads_what_it_is_made_of(repository: Path, serve: Serve) -> None:
    put_pipeline(repository)
    put(repository, "first", add_sub(), BATCHING)
    put(repository, "second", add_sub(), BATCHING)
    server = serve(repository, model_control_mode="explicit")
    for client in clients(server):
        client.load_model("pipeline")
        assert [client.is_model_ready(name) for name in ("pipeline", "first", "second")] == [True] * 3
        client.unload_model("pipeline")  # alone, as in Triton
        assert [client.is_model_ready(name) for name in ("pipeline", "first", "second")] == [False, True, True]
        client.load_model("pipeline")
        client.unload_model("pipeline", unload_dependents=True)
        assert not any(client.is_model_ready(name) for name in ("pipeline", "first", "second"))


def test_the_order_of_names_does_not_matter(repository: Path, serve: Serve) -> None:
    """An ensemble of an ensemble, each before what it is made of."""
    put_pipeline(repository, "b_inner")
    put_pipeline(
        repository,
        "a_outer",
        """
        platform: "ensemble" max_batch_size: 8
        input { name: "A" data_type: TYPE_INT32 dims: [4] } input { name: "B" data_type: TYPE_INT32 dims: [4] }
        output { name: "y" data_type: TYPE_INT32 dims: [4] }
        ensemble_scheduling { step { model_name: "b_inner" model_version: -1
          input_map { key: "A" value: "A" } input_map { key: "B" value: "B" }
          output_map { key: "TWICE_A" value: "y" } } }
        """,
    )
    put(repository, "first", add_sub(), BATCHING)
    put(repository, "second", add_sub(), BATCHING)
    server = serve(repository)
    answer = server.post("/predict/a_outer", {"inputs": {"A": [1, 2, 3, 4], "B": [9, 9, 9, 9]}})
    assert answer.json["outputs"] == [2, 4, 6, 8]


def test_ensembles_that_are_made_of_each_other_are_refused(repository: Path, serve: Serve) -> None:
    config = """
    platform: "ensemble" max_batch_size: 8
    input { name: "x" data_type: TYPE_INT32 dims: [4] } output { name: "y" data_type: TYPE_INT32 dims: [4] }
    ensemble_scheduling { step { model_name: "OTHER" model_version: -1
      input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
    """
    put_pipeline(repository, "one", config.replace("OTHER", "two"))
    put_pipeline(repository, "two", config.replace("OTHER", "one"))
    put_pipeline(repository, "self", config.replace("OTHER", "self"))
    server = serve(repository)
    assert server.get("/ready").status == 503
    states = {row["name"]: row["state"] for row in server.post("/v2/repository/index", {}).json}
    assert states == {"one": "UNAVAILABLE", "two": "UNAVAILABLE", "self": "UNAVAILABLE"}


def test_an_ensemble_without_one_of_its_models_is_unavailable(repository: Path, serve: Serve) -> None:
    put_pipeline(repository)
    put(repository, "first", add_sub(), BATCHING)
    put(repository, "second", add_sub(), BATCHING)
    server = serve(repository, model_control_mode="explicit", load_models=("*",))
    server.post("/v2/repository/models/second/unload", {})
    answer = server.post("/predict/pipeline", {"inputs": {"A": [1, 2, 3, 4], "B": [9, 9, 9, 9]}})
    assert answer.status == 503
    assert "no model 'second'" in answer.json["error"]
    assert server.metric("model_active_requests", model="pipeline") == 0

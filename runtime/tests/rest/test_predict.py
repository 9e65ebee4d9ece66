"""The plain routes, as a person with curl meets them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto

from runtime_testing.models import BATCHING, add_sub, classifier, identity, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]


def test_one_item_goes_without_the_batch_axis(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    answer = serve(repository).post("/predict", {"inputs": [5.1, 3.5, 1.4, 0.2]})
    assert answer.status == 200
    assert sum(answer.json["outputs"]) == pytest.approx(1)
    assert answer.json["model_version"] == "1"
    assert answer.json["request_id"]
    assert answer.json["latency_ms"] > 0


def test_a_batch_is_a_list_of_items(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), BATCHING)
    answer = serve(repository).post("/predict/wine/batch", {"inputs": [[1, 2, 3, 4], [4, 3, 2, 1]]})
    assert [len(row) for row in answer.json["outputs"]] == [3, 3]


def test_several_inputs_are_an_object_by_name(repository: Path, serve: Serve) -> None:
    put(repository, "simple", add_sub())
    answer = serve(repository).post("/predict/simple", {"inputs": {"INPUT0": [1, 2, 3, 4], "INPUT1": [1, 1, 1, 1]}})
    assert answer.json["outputs"] == {"OUTPUT0": [2, 3, 4, 5], "OUTPUT1": [0, 1, 2, 3]}


def test_labels_name_the_largest_score(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    names = ["barolo", "grignolino", "barbera"]
    server = serve(repository, settings={"models": {"wine": {"labels": {"probabilities": names}}}})
    one = server.post("/predict", {"inputs": [5.1, 3.5, 1.4, 0.2]}).json
    assert one["labels"] == {"probabilities": names[one["outputs"].index(max(one["outputs"]))]}
    batch = server.post("/predict/wine/batch", {"inputs": [[1, 2, 3, 4], [-9, 2, 3, 1]]}).json
    assert len(batch["labels"]["probabilities"]) == 2


def test_the_clients_request_id_comes_back(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    answer = serve(repository).post("/predict", {"inputs": [1, 2, 3, 4]}, headers={"X-Request-Id": "abc-1"})
    assert answer.json["request_id"] == "abc-1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"[1]", "must be"),
        (b'{"input": [1]}', "`input`"),
        (b'{"inputs": [1, 2, 3]}', "shape [1, 3]"),
        (b'{"inputs": [[1, 2, 3, 4]]}', "takes [4]"),
        (b'{"inputs": ["a", "b", "c", "d"]}', "FP32"),
        (b'{"inputs": [true, 1, 1, 1]}', "FP32"),
        (b'{"inputs": [NaN, 1, 1, 1]}', "not JSON"),
        (b'{"inputs": [1e39, 1, 1, 1]}', "does not fit FP32"),
        (b'{"inputs": {"y": [1, 2, 3, 4]}}', "'x' is missing"),
        (b'{"inputs": {"x": [1, 2, 3, 4], "z": 1}}', "no input 'z'"),
        (b'{"inputs": {}}', "'x' is missing"),
        (b'{"inputs": [1, 2, 3, 4], "outputs": ["nope"]}', "no output 'nope'"),
    ],
)
def test_bad_input_is_answered_with_what_is_wrong(repository: Path, serve: Serve, body: bytes, words: str) -> None:
    put(repository, "wine", classifier())
    answer = serve(repository).post("/predict", body)
    assert answer.status == 400
    assert words in answer.json["error"]


def test_predict_without_a_name_asks_for_one_where_there_are_several(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    put(repository, "beer", classifier())
    server = serve(repository)
    answer = server.post("/predict", {"inputs": [1, 2, 3, 4]})
    assert answer.status == 400
    assert "beer, wine" in answer.json["error"]
    assert server.post("/predict/beer", {"inputs": [1, 2, 3, 4]}).status == 200


def test_text_goes_in_and_comes_out(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(TensorProto.STRING, ("N", 2)))
    answer = serve(repository).post("/predict", {"inputs": ["tag", "grüß dich"]})
    assert answer.json["outputs"] == ["tag", "grüß dich"]


def test_half_precision_goes_as_numbers(repository: Path, serve: Serve) -> None:
    put(repository, "half", identity(TensorProto.FLOAT16, ("N", 2)))
    server = serve(repository)
    assert server.post("/predict", {"inputs": [1.5, -65504]}).json["outputs"] == [1.5, -65504.0]
    refused = server.post("/predict", {"inputs": [1.5, 65520]})
    assert (refused.status, refused.json["error"]) == (400, "input 'x' has a number that does not fit FP16")


def test_health_ready_and_metrics_answer_on_both_ports(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    server = serve(repository)
    for port in (server.http_port, server.metrics_port):
        assert server.get("/health", port=port).status == 200
        assert server.get("/ready", port=port).json["ready"] is True
        assert b"inference_requests_total" in server.get("/metrics", port=port).body


def test_the_metrics_port_serves_no_inference(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    server = serve(repository)
    assert server.post("/predict", {"inputs": [1, 2, 3, 4]}, port=server.metrics_port).status == 404


def test_a_server_without_models_is_alive_and_not_ready(repository: Path, serve: Serve) -> None:
    server = serve(repository)
    assert server.get("/health").status == 200
    assert server.get("/ready").status == 503
    assert server.post("/predict", {"inputs": 1}).status == 503


def test_an_objectives_bound_is_a_bucket_of_the_latency(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier())
    server = serve(repository, settings={"latency_buckets_ms": [80, 120]})
    server.post("/predict", {"inputs": [1, 2, 3, 4]})
    assert server.metric("inference_latency_ms_bucket", model="wine", le="80") is not None
    assert server.metric("inference_latency_ms_bucket", model="wine", le="120") is not None
    assert server.metric("inference_latency_ms_count", model="wine") == 1

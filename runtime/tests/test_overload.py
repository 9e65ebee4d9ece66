"""A server that is asked for more than it can do: it says so at once, and what it has accepted it answers."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from runtime_testing.holding import held
from runtime_testing.models import constant, put
from runtime_testing.serving import Answer, RunningServer
from runtime_testing.waiting import until

Serve = Callable[..., RunningServer]
QUEUE_OF_ONE = "max_batch_size: 1 dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
BODY: dict[str, Any] = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
INFER = "/v2/models/m/infer"


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    """Clients beside the test."""
    with ThreadPoolExecutor() as threads:
        yield threads


def occupy(server: RunningServer, others: ThreadPoolExecutor) -> list[Future[Answer]]:
    """One request that runs and one that waits, of a model that is held."""
    running = others.submit(server.post, INFER, BODY)
    until(lambda: server.call(lambda: server.server.data_plane.served("m").executing) == 1)
    waiting = others.submit(server.post, INFER, BODY)
    until(lambda: server.metric("inference_queue_length", model="m") == 1)
    return [running, waiting]


def test_a_full_queue_answers_at_once_and_says_when_to_come_again(
    repository: Path, serve: Serve, others: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "m", constant(1.0), QUEUE_OF_ONE)
    server = serve(repository)
    with held(server, "m"):
        accepted = occupy(server, others)
        refused = server.post(INFER, BODY)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert "the queue holds 1 requests, its maximum" in refused.json["error"]
    assert [answer.result().status for answer in accepted] == [200, 200]
    assert server.metric("inference_requests_total", model="m", status="rejected") == 1
    assert server.metric("nv_inference_request_failure", model="m", reason="REJECTED") == 1
    assert server.metric("inference_queue_length", model="m") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(event["event"] == "queue_full" and event["model"] == "m" for event in events)


def test_a_full_queue_is_resource_exhausted_over_grpc(
    repository: Path, serve: Serve, others: ThreadPoolExecutor
) -> None:
    put(repository, "m", constant(1.0), QUEUE_OF_ONE)
    server = serve(repository)
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    tensor = tritonclient.grpc.InferInput("x", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 1), np.float32))
    with held(server, "m"):
        occupy(server, others)
        with pytest.raises(InferenceServerException) as refused:
            client.infer("m", [tensor])
    assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
    assert client.infer("m", [tensor]).as_numpy("y") == [[1.0]]


def test_a_deadline_that_passes_in_the_queue_is_504(
    repository: Path, serve: Serve, others: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "m", constant(1.0), "max_batch_size: 1")
    server = serve(repository)
    an_hour = {**BODY, "parameters": {"timeout": 3_600_000_000}}  # microseconds
    with held(server, "m") as version:
        first = others.submit(server.post, INFER, BODY)
        until(lambda: server.call(lambda: version.executing) == 1)
        late = others.submit(server.post, INFER, an_hour)
        until(lambda: server.metric("inference_queue_length", model="m") == 1)
        monkeypatch.setattr(version.scheduler, "_clock", lambda: monotonic() + 3601)
    assert first.result().status == 200
    answer = late.result()
    assert (answer.status, answer.json["error"]) == (504, "the request's timeout passed while it was queued")
    assert server.metric("inference_requests_total", model="m", status="timeout") == 1


def test_a_deadline_that_nothing_can_meet_is_504_wherever_it_passes(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1.0), "max_batch_size: 1")
    server = serve(repository)
    assert server.post(INFER, {**BODY, "parameters": {"timeout": 1}}).status == 504
    assert server.metric("inference_requests_total", model="m", status="timeout") == 1


def test_a_server_where_a_model_does_not_load_serves_the_others_and_is_not_ready(
    repository: Path, serve: Serve
) -> None:
    put(repository, "good", constant(1.0))
    put(repository, "bad", b"no model")
    server = serve(repository)
    assert server.get("/v2/health/ready").status == 503
    assert server.get("/v2/models/bad/ready").status == 503
    assert server.get("/v2/models/good/ready").status == 200
    assert server.post("/predict/good", {"inputs": [5]}).json["outputs"] == [1.0]
    unavailable = server.post("/v2/models/bad/infer", BODY)
    assert (unavailable.status, unavailable.headers["retry-after"]) == (503, "1")

"""A server that is asked for more than it can do: it says so at once, and what it has accepted it answers."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from runtime_testing.models import constant, put, slow
from runtime_testing.serving import Answer, RunningServer

Serve = Callable[..., RunningServer]
QUEUE_OF_ONE = "max_batch_size: 1 dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
BODY: dict[str, Any] = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
INFER = "/v2/models/slow/infer"


def at_once(ask: Callable[[], Any], count: int = 8) -> list[Any]:
    answers: list[Any] = []
    clients = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers


def test_a_full_queue_answers_at_once_and_says_when_to_come_again(
    repository: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    put(repository, "slow", slow(loops=30), QUEUE_OF_ONE)
    server = serve(repository)
    answers: list[Answer] = at_once(lambda: server.post(INFER, BODY))
    refused = [answer for answer in answers if answer.status != 200]
    assert 0 < len(refused) < len(answers)
    assert {(answer.status, answer.headers["retry-after"]) for answer in refused} == {(429, "1")}
    assert "the queue holds 1 requests, its maximum" in refused[0].json["error"]
    assert server.metric("inference_requests_total", model="slow", status="rejected") == len(refused)
    assert server.metric("nv_inference_request_failure", model="slow", reason="REJECTED") == len(refused)
    assert server.metric("inference_queue_length", model="slow") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(event["event"] == "queue_full" and event["model"] == "slow" for event in events)


def test_a_full_queue_is_resource_exhausted_over_grpc(repository: Path, serve: Serve) -> None:
    put(repository, "slow", slow(loops=30), QUEUE_OF_ONE)
    server = serve(repository)
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    tensor = tritonclient.grpc.InferInput("x", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.ones((1, 1), np.float32))

    def ask() -> str:
        try:
            client.infer("slow", [tensor])
        except InferenceServerException as error:
            return str(error.status())
        return "OK"

    assert set(at_once(ask)) == {"OK", "StatusCode.RESOURCE_EXHAUSTED"}


def test_a_deadline_that_passes_in_the_queue_is_504(repository: Path, serve: Serve) -> None:
    put(repository, "slow", slow(loops=400), "max_batch_size: 1")
    server = serve(repository)
    hurried = {**BODY, "parameters": {"timeout": 1000}}  # microseconds
    busy = threading.Thread(target=lambda: server.post(INFER, BODY))
    busy.start()
    while server.metric("model_active_requests", model="slow") == 0:
        pass
    late = server.post(INFER, hurried)
    busy.join()
    assert (late.status, late.json["error"]) == (504, "the request's timeout passed while it was queued")
    assert server.metric("inference_requests_total", model="slow", status="timeout") == 1


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

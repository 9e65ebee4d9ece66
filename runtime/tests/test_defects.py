"""A defect while an answer is written costs its own request, and nobody waits for nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc

from runtime_testing.models import BATCHING, classifier, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]
V2 = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "wine", classifier(), BATCHING)
    return serve(repository)


def raises(*_: Any, **__: Any) -> Any:
    raise KeyError("secret internals")


@pytest.mark.parametrize(
    ("broken", "path", "body"),
    [
        ("slipform_runtime.rest.v2.v2_rest.encode_response", "/v2/models/wine/infer", V2),
        ("slipform_runtime.rest.plain.plain.output_values", "/predict", {"inputs": [1, 2, 3, 4]}),
    ],
)
def test_a_rest_client_is_told_and_the_server_serves_on(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, broken: str, path: str, body: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(broken, raises)
        answer = server.post(path, body)
    assert answer.status == 500
    assert "its log says why" in answer.json["error"]
    assert "secret" not in answer.json["error"]
    assert server.post(path, body).status == 200


def test_a_grpc_client_is_told_and_the_server_serves_on(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    given = tritonclient.grpc.InferInput("x", [1, 4], "FP32")
    given.set_data_from_numpy(np.zeros((1, 4), np.float32))
    with monkeypatch.context() as patch:
        patch.setattr("slipform_runtime.grpc.service.v2_grpc.encode_response", raises)
        with pytest.raises(tritonclient.utils.InferenceServerException, match="its log says why"):
            client.infer("wine", [given])
    assert client.infer("wine", [given]).as_numpy("probabilities") is not None

"""A defect while an answer is written costs its own request, and nobody waits for nothing."""

import shutil
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


def test_a_defect_of_any_route_is_the_servers_fault(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    with monkeypatch.context() as patch:
        patch.setattr(server.server.data_plane, "server_metadata", raises)
        for _ in range(2):  # the second by a head that is known
            answer = server.get("/v2")
            assert (answer.status, "its log says why" in answer.json["error"]) == (500, True)
        with pytest.raises(tritonclient.utils.InferenceServerException, match="its log says why") as failed:
            client.get_server_metadata()
        assert "INTERNAL" in failed.value.status()
    assert server.get("/v2").status == 200
    assert client.get_server_metadata().name == "slipform-runtime"


def test_a_load_that_fails_unforeseen_is_answered(
    repository: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, model_control_mode="explicit")
    monkeypatch.setattr(server.server.repository, "load", raises)
    assert server.post("/v2/repository/models/wine/load", {}).status == 500
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    with pytest.raises(tritonclient.utils.InferenceServerException, match="its log says why"):
        client.load_model("wine")


def test_a_repository_that_is_gone_is_said_and_its_models_serve_on(repository: Path, serve: Serve) -> None:
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, model_control_mode="explicit", load_models=("*",))
    shutil.rmtree(repository)
    for path in ("/v2/repository/index", "/v2/repository/models/wine/load"):
        answer = server.post(path, {})
        assert (answer.status, answer.json["error"]) == (
            503,
            "the model repository cannot be read: No such file or directory",
        )
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    with pytest.raises(tritonclient.utils.InferenceServerException, match="cannot be read"):
        client.get_model_repository_index()
    assert server.post("/predict", {"inputs": [1, 2, 3, 4]}).status == 200

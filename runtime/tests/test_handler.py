"""A team's own code around the plain routes."""

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtime_testing.holding import held
from runtime_testing.models import BATCHING, classifier, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import until
from slipform_runtime.handler import Handler, HandlerError

Serve = Callable[..., RunningServer]

HANDLER = """
import numpy as np

def preprocess(inputs):
    if "petal" not in inputs:
        raise ValueError("give petal and sepal")
    return {"x": np.array([[*inputs["petal"], *inputs["sepal"]]])}

def postprocess(outputs):
    return {"best": int(outputs["probabilities"].argmax())}
"""


def test_a_handler_sees_what_was_sent_and_says_what_is_answered(repository: Path, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "wine.py").write_text(HANDLER)
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, settings={"models": {"wine": {"handler": str(tmp_path / "wine.py")}}})
    answer = server.post("/predict", {"inputs": {"petal": [5.1, 3.5], "sepal": [1.4, 0.2]}})
    assert answer.status == 200
    assert answer.json["outputs"]["best"] in (0, 1, 2)
    refused = server.post("/predict", {"inputs": {}})
    assert refused.status == 400
    assert "give petal and sepal" in refused.json["error"]
    # Tensors go past the handler.
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    assert server.post("/v2/models/wine/infer", {"inputs": [tensor]}).status == 200


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("def preprocess(inputs):\n    return inputs * 2", 400),  # a list twice as long as the model takes
        ("def preprocess(inputs):\n    return 1 / 0", 500),
        ("def preprocess(inputs):\n    return object()", 500),
        ("import numpy\ndef preprocess(inputs):\n    return {'x': numpy.array(['a', 'b'])}", 500),
        ("def postprocess(outputs):\n    return object()", 500),
        ("def postprocess(outputs):\n    return outputs['nope']", 500),
        ("def postprocess(outputs):\n    return 'fine'", 200),
    ],
)
def test_a_handler_that_fails_fails_its_request_alone(
    repository: Path, serve: Serve, tmp_path: Path, source: str, status: int
) -> None:
    (tmp_path / "h.py").write_text(source)
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, settings={"models": {"wine": {"handler": str(tmp_path / "h.py")}}})
    answer = server.post("/predict", {"inputs": [1, 2, 3, 4]})
    assert answer.status == status
    assert b"Traceback" not in answer.body
    assert str(tmp_path).encode() not in answer.body


def test_a_client_that_leaves_its_handled_request_is_forgotten(repository: Path, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "h.py").write_text("def preprocess(inputs):\n    return inputs")
    put(repository, "wine", classifier(), BATCHING)
    server = serve(repository, settings={"models": {"wine": {"handler": str(tmp_path / "h.py")}}})
    with held(server, "wine"):
        with closing(socket.create_connection(("127.0.0.1", server.http_port))) as client:
            client.sendall(b'POST /predict HTTP/1.1\r\nContent-Length: 20\r\n\r\n{"inputs":[1,2,3,4]}')
            until(lambda: server.metric("model_active_requests", model="wine") == 1)
        until(lambda: server.metric("model_active_requests", model="wine") == 0)
        until(lambda: not server.server._plain._tasks)
    assert server.metric("inference_requests_total", model="wine", status="cancelled") == 1


@pytest.mark.parametrize(
    ("source", "words"),
    [("x = 1", "neither preprocess nor postprocess"), ("import nope", "ModuleNotFoundError"), ("def (", "SyntaxError")],
)
def test_a_handler_file_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "h.py").write_text(source)
    with pytest.raises(HandlerError, match=words):
        Handler(tmp_path / "h.py")

"""`/openapi.json`: true of the routes and of the models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from onnx import TensorProto

from runtime_testing.models import BATCHING, add_sub, classifier, identity, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "wine", classifier(), BATCHING)
    put(repository, "simple", add_sub(TensorProto.INT8))
    put(repository, "text", identity(TensorProto.STRING, ("N", "M")))
    put(repository, "flag", identity(TensorProto.BOOL, ()))
    put(repository, "broken", b"no model")
    return serve(repository)


def document(server: RunningServer) -> Any:
    return server.get("/openapi.json").json


def test_every_route_of_the_document_is_one_of_the_server(server: RunningServer) -> None:
    known = document(server)
    assert known["openapi"].startswith("3.1")
    for path, operations in known["paths"].items():
        for method, operation in operations.items():
            answer = server.request(method.upper(), path.replace("{model}", "nope").replace("{version}", "1"))
            assert answer.status != 405, path
            assert "no such route" not in answer.body.decode(), path
            assert operation["summary"].endswith((".", ":")), path
            assert {each["name"] for each in operation.get("parameters", ())} == {
                name for name in ("model", "version") if f"{{{name}}}" in path
            }
    assert "/predict/broken" not in known["paths"]
    assert {"/v2/models/{model}/infer", "/predict/wine/batch", "/metrics", "/openapi.json"} <= set(known["paths"])
    assert "/predict/flag/batch" not in known["paths"]  # it has no batch axis


@pytest.mark.parametrize(
    ("path", "inputs"),
    [
        ("/predict/wine", [1, 2.5, 3, 4]),
        ("/predict/wine", {"x": [1, 2, 3, 4]}),
        ("/predict/wine", [1, 2, 3]),
        ("/predict/wine", ["a", 2, 3, 4]),
        ("/predict/wine", {"z": [1, 2, 3, 4]}),
        ("/predict/wine/batch", [[1, 2, 3, 4]]),
        ("/predict/wine/batch", []),
        ("/predict/simple", {"INPUT0": [1, 2, 3, 4], "INPUT1": [1, 2, 3, -128]}),
        ("/predict/simple", {"INPUT0": [1, 2, 3, 4], "INPUT1": [1, 2, 3, 128]}),
        ("/predict/simple", {"INPUT0": [1, 2, 3, 4]}),
        ("/predict/text", ["a", "b", "c"]),
        ("/predict/text", [1]),
        ("/predict/flag", True),
        ("/predict/flag", 1),
    ],
)
def test_what_the_document_takes_the_server_takes_and_nothing_else(
    server: RunningServer, path: str, inputs: Any
) -> None:
    content = document(server)["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    fits = jsonschema.Draft202012Validator(content["schema"]).is_valid({"inputs": inputs})
    assert fits == (server.post(path, {"inputs": inputs}).status == 200)


def test_a_handlers_inputs_are_its_own(repository: Path, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "wine.py").write_text("def preprocess(inputs):\n    return [0, 0, 0, 0]")
    put(repository, "wine", classifier())
    server = serve(repository, settings={"models": {"wine": {"handler": str(tmp_path / "wine.py")}}})
    content = document(server)["paths"]["/predict/wine"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["properties"]["inputs"] == {}


def test_answers_are_as_the_document_says(server: RunningServer) -> None:
    known = document(server)
    schemas = known["components"]["schemas"]
    resolved = {**schemas["InferResponse"], "components": known["components"]}
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    jsonschema.validate(server.post("/v2/models/wine/infer", {"inputs": [tensor]}).json, resolved)
    jsonschema.validate(server.post("/predict/wine", {"inputs": [1, 2, 3, 4]}).json, schemas["Prediction"])
    jsonschema.validate(server.post("/predict/wine", {}).json, schemas["Error"])

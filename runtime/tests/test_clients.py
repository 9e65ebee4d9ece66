"""tritonclient, unchanged, all four of it."""

import asyncio
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from onnx import TensorProto

from runtime_testing.holding import held
from runtime_testing.models import BATCHING, add_sub, classifier, constant, identity, picky, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import PATIENCE_SECONDS, until

Serve = Callable[..., RunningServer]
GRPC, HTTP = tritonclient.grpc, tritonclient.http


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "simple", add_sub(), BATCHING)
    put(repository, "int8", add_sub(TensorProto.INT8, (4,)))
    put(repository, "text", identity(TensorProto.STRING, ("N", 2)), BATCHING)
    put(repository, "half", identity(TensorProto.FLOAT16, ("N", 2)), BATCHING)
    put(repository, "picky", picky(), BATCHING)
    return serve(repository)


def clients(server: RunningServer) -> list[tuple[Any, Any]]:
    return [
        (GRPC, GRPC.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")),
        (HTTP, HTTP.InferenceServerClient(f"127.0.0.1:{server.http_port}")),
    ]


def tensor(library: Any, name: str, value: Any, datatype: str) -> Any:
    given = library.InferInput(name, list(value.shape), datatype)
    given.set_data_from_numpy(value)
    return given


def test_add_and_subtract(server: RunningServer) -> None:
    a, b = np.arange(8, dtype=np.int32).reshape(2, 4), np.ones((2, 4), np.int32)
    for library, client in clients(server):
        inputs = [tensor(library, "INPUT0", a, "INT32"), tensor(library, "INPUT1", b, "INT32")]
        result = client.infer("simple", inputs, request_id="42")
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), a - b)
        only = client.infer("simple", inputs, outputs=[library.InferRequestedOutput("OUTPUT1")])
        assert only.as_numpy("OUTPUT0") is None
        np.testing.assert_array_equal(only.as_numpy("OUTPUT1"), a - b)


def test_only_the_outputs_that_the_config_names_are_answered(repository: Path, serve: Serve) -> None:
    output = 'output [ { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 4 ] } ]'
    tensors = ", ".join(f'{{ name: "INPUT{index}" data_type: TYPE_INT32 dims: [ 4 ] }}' for index in (0, 1))
    put(repository, "difference", add_sub(), f"{BATCHING} input [ {tensors} ] {output}")
    given = [{"name": f"INPUT{index}", "datatype": "INT32", "shape": [1, 4], "data": [9, 8, 7, 6]} for index in (0, 1)]
    answer = serve(repository).post("/v2/models/difference/infer", {"inputs": given}).json
    assert [(output["name"], output["data"]) for output in answer["outputs"]] == [("OUTPUT1", [0, 0, 0, 0])]


def test_a_model_without_a_batch_axis(server: RunningServer) -> None:
    a = np.array([1, -2, 3, 127], np.int8)
    for library, client in clients(server):
        inputs = [tensor(library, "INPUT0", a, "INT8"), tensor(library, "INPUT1", a * 0, "INT8")]
        np.testing.assert_array_equal(client.infer("int8", inputs).as_numpy("OUTPUT0"), a)


def test_text_and_half_precision(server: RunningServer) -> None:
    texts = np.array([["a", ""], ["grüß", "x" * 1000]], np.object_)
    halves = np.array([[1.5, -2.25]], np.float16)
    for library, client in clients(server):
        back = client.infer("text", [tensor(library, "x", texts, "BYTES")]).as_numpy("y")
        assert [[cell.decode() for cell in row] for row in back] == texts.tolist()
        np.testing.assert_array_equal(
            client.infer("half", [tensor(library, "x", halves, "FP16")]).as_numpy("y"), halves
        )


def test_what_clients_ask_of_the_server_and_its_models(server: RunningServer) -> None:
    for _, client in clients(server):
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("simple", "1")
    http = clients(server)[1][1]
    assert http.get_model_metadata("simple")["inputs"][0] == {"name": "INPUT0", "datatype": "INT32", "shape": [-1, 4]}
    assert http.get_model_config("simple")["max_batch_size"] == 8
    assert http.get_model_config("simple")["dynamic_batching"]["max_queue_delay_microseconds"] == 0
    assert "statistics" in http.get_server_metadata()["extensions"]
    grpc = clients(server)[0][1]
    assert grpc.get_model_metadata("simple").inputs[0].shape == [-1, 4]
    assert grpc.get_model_config("simple").config.max_batch_size == 8
    assert {model.name for model in grpc.get_model_repository_index().models} == {
        m["name"] for m in http.get_model_repository_index()
    }


def test_both_protocols_count_the_same(server: RunningServer) -> None:
    x = np.zeros((2, 1), np.int64)
    for library, client in clients(server):
        client.infer("picky", [tensor(library, "x", x, "INT64")])
    stats = clients(server)[1][1].get_inference_statistics("picky")["model_stats"][0]
    assert (stats["version"], stats["inference_count"], stats["execution_count"]) == ("1", 4, 2)
    assert stats["inference_stats"]["success"]["count"] == stats["inference_stats"]["queue"]["count"] == 2
    assert stats["batch_stats"][0]["batch_size"] == 2
    over_grpc = clients(server)[0][1].get_inference_statistics("picky").model_stats[0]
    assert over_grpc.inference_count == 4


@pytest.mark.parametrize(
    ("model", "name", "value", "datatype", "grpc_code", "http_code"),
    [
        ("nope", "x", np.zeros((1, 1), np.int64), "INT64", "NOT_FOUND", "404"),
        ("picky", "y", np.zeros((1, 1), np.int64), "INT64", "INVALID_ARGUMENT", "400"),
        ("picky", "x", np.zeros((1, 1), np.int32), "INT32", "INVALID_ARGUMENT", "400"),
        ("picky", "x", np.zeros((1, 2), np.int64), "INT64", "INVALID_ARGUMENT", "400"),
        ("picky", "x", np.zeros((9, 1), np.int64), "INT64", "INVALID_ARGUMENT", "400"),
        ("picky", "x", np.zeros((0, 1), np.int64), "INT64", "INVALID_ARGUMENT", "400"),
        ("picky", "x", np.full((1, 1), 99, np.int64), "INT64", "INTERNAL", "500"),
    ],
)
def test_an_error_has_its_code_in_both_protocols(
    server: RunningServer, model: str, name: str, value: Any, datatype: str, grpc_code: str, http_code: str
) -> None:
    for (library, client), code in zip(clients(server), (grpc_code, http_code), strict=True):
        with pytest.raises(tritonclient.utils.InferenceServerException) as failed:
            client.infer(model, [tensor(library, name, value, datatype)])
        assert code in failed.value.status()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(server: RunningServer, algorithm: str) -> None:
    x = np.zeros((1, 1), np.int64)
    (grpc_library, grpc), (http_library, http) = clients(server)
    grpc.infer("picky", [tensor(grpc_library, "x", x, "INT64")], compression_algorithm=algorithm)
    http.infer("picky", [tensor(http_library, "x", x, "INT64")], request_compression_algorithm=algorithm)


def test_a_stream_answers_every_request_and_its_errors(server: RunningServer) -> None:
    library, client = clients(server)[0]
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for number in range(20):
        x = np.full((1, 1), number % 10, np.int64)
        client.async_stream_infer("picky", [tensor(library, "x", x, "INT64")], request_id=str(number))
    client.async_stream_infer("nope", [tensor(library, "x", x, "INT64")], request_id="bad")
    received = [answers.get(timeout=PATIENCE_SECONDS) for _ in range(21)]
    client.stop_stream()
    good = {result.get_response().id: result.as_numpy("y")[0, 0] for result, error in received if error is None}
    assert good == {str(number): number % 10 for number in range(20)}
    assert sum(error is not None for _, error in received) == 1


@pytest.mark.asyncio
async def test_the_asyncio_clients_share_batches(server: RunningServer) -> None:
    async def ask(library: Any, client: Any, number: int) -> float:
        x = np.full((1, 1), number % 10, np.int64)
        result = await client.infer("picky", [tensor(library, "x", x, "INT64")])
        return float(result.as_numpy("y")[0, 0])

    async with (
        GRPC.aio.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as grpc,
        HTTP.aio.InferenceServerClient(f"127.0.0.1:{server.http_port}") as http,
    ):
        with held(server, "picky"):
            asked = [ask(library, client, n) for library, client in ((GRPC, grpc), (HTTP, http)) for n in range(50)]
            answers = asyncio.gather(*asked)
            await asyncio.to_thread(until, lambda: server.metric("model_active_requests", model="picky") == 100)
        assert await answers == [n % 10 for n in range(50)] * 2
    # One ran before the others had come, which went in thirteen batches of up to eight.
    assert (server.metric("nv_inference_exec_count", model="picky") or 0) <= 1 + 13


def test_a_deadline_that_passes_is_said(server: RunningServer) -> None:
    library, client = clients(server)[0]
    x = tensor(library, "x", np.zeros((1, 1), np.int64), "INT64")
    assert client.is_server_ready()  # connected: a call that waits for that has not come to the server yet
    with pytest.raises(tritonclient.utils.InferenceServerException) as late:
        client.infer("picky", [x], timeout=1)  # microseconds, in the queue
    assert "DEADLINE_EXCEEDED" in late.value.status()
    with held(server, "picky"), pytest.raises(tritonclient.utils.InferenceServerException) as gone:
        client.infer("picky", [x], client_timeout=0.001)
    assert gone.value.message() == "Deadline Exceeded"
    until(lambda: server.metric("model_active_requests", model="picky") == 0)


def test_a_message_over_the_limit_is_refused(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(dims=("N", "M")))
    server = serve(repository, settings={"request_limit_bytes": 1_000_000})
    library, client = clients(server)[0]
    client.infer("echo", [tensor(library, "x", np.zeros((1, 200_000), np.float32), "FP32")])
    with pytest.raises(tritonclient.utils.InferenceServerException) as refused:
        client.infer("echo", [tensor(library, "x", np.zeros((1, 300_000), np.float32), "FP32")])
    assert "RESOURCE_EXHAUSTED" in refused.value.status()


def test_ten_megabytes_there_and_back(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(dims=("N", "M")))
    server = serve(repository)
    value = np.random.default_rng(0).random((1, 2_500_000)).astype(np.float32)
    for library, client in clients(server):
        np.testing.assert_array_equal(client.infer("echo", [tensor(library, "x", value, "FP32")]).as_numpy("y"), value)


def test_models_are_loaded_and_unloaded_by_request(repository: Path, serve: Serve) -> None:
    put(repository, "a", classifier())
    put(repository, "b", constant(1.0))
    server = serve(repository, model_control_mode="explicit", load_models=("a",))
    for _, client in clients(server):
        assert client.is_model_ready("a")
        assert not client.is_model_ready("b")
        client.load_model("b")
        assert client.is_model_ready("b")
        client.unload_model("b")
        assert not client.is_model_ready("b")
    with pytest.raises(tritonclient.utils.InferenceServerException, match="no model 'c'"):
        clients(server)[1][1].load_model("c")


def test_loading_is_refused_where_nobody_asked_for_it(server: RunningServer) -> None:
    for _, client in clients(server):
        with pytest.raises(tritonclient.utils.InferenceServerException, match="explicit"):
            client.load_model("simple")

"""Answers are compressed for those who ask, where it makes them smaller."""

import asyncio
import gzip
import json
import queue
import zlib
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
import tritonclient.http.aio
from hypothesis import given
from hypothesis import strategies as st

from runtime_testing.models import identity, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import PATIENCE_SECONDS
from slipform_runtime import compression
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.grpc.call import Call, Method
from slipform_runtime.grpc.wire import COMPRESSED_RESPONSE_HEADS, MessageReader

Serve = Callable[..., RunningServer]
INFER = "/v2/models/echo/infer"
LARGE = compression.LARGE_BYTES  # elements of 4 bytes: their compression leaves the event loop
UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "echo", identity(dims=("N", "M")))
    return serve(repository)


def body(count: int) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, count], "data": [1.5] * count}]}


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate;q=1.0, gzip;q=0.5", "deflate"),
        ("GZIP", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0, *;q=0.1", "deflate"),
        ("identity, gzip;q=0.5", ""),
        ("gzip;q=0", ""),
        ("gzip;q=lots", ""),
        ("br", ""),
        ("", ""),
    ],
)
def test_the_encoding_is_what_the_client_likes_best(header: str, encoding: str) -> None:
    assert compression.accepted(header) == encoding


@pytest.mark.parametrize("count", [1000, LARGE])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_comes_in_the_encoding_that_was_asked_for(server: RunningServer, encoding: str, count: int) -> None:
    answer = server.post(INFER, body(count), headers={"Accept-Encoding": encoding})
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == (encoding, "accept-encoding")
    assert int(answer.headers["content-length"]) == len(answer.body) < count
    assert json.loads(UNPACK[encoding](answer.body))["outputs"][0]["data"] == [1.5] * count


@pytest.mark.parametrize(
    ("count", "headers"), [(1000, {}), (10, {"Accept-Encoding": "gzip"}), (1000, {"Accept-Encoding": "identity"})]
)
def test_an_answer_goes_as_it_is_where_nobody_asked_or_it_is_small(
    server: RunningServer, count: int, headers: dict[str, str]
) -> None:
    answer = server.post(INFER, body(count), headers=headers)
    assert "content-encoding" not in answer.headers
    assert answer.json["outputs"][0]["data"] == [1.5] * count


def test_noise_goes_as_it_is() -> None:
    assert compression.compress(np.random.default_rng(0).bytes(100_000), "gzip") is None
    assert compression.compress(bytes(100_000), "gzip") is not None


def test_a_refusal_is_readable_for_all(server: RunningServer) -> None:
    long = {"inputs": [{"name": "y" * 5000, "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
    answer = server.post(INFER, long, headers={"Accept-Encoding": "gzip"})
    assert answer.status == 400
    assert "missing" in answer.json["error"]


def test_metrics_and_pages_are_compressed_too(server: RunningServer) -> None:
    for path in ("/metrics", "/docs"):
        answer = server.get(path, headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(answer.body)[:100] == server.get(path).body[:100]


@pytest.mark.parametrize("count", [10, 1000, LARGE])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_tritonclient_reads_them(server: RunningServer, encoding: str, count: int) -> None:
    value = np.full((1, count), 1.5, np.float32)
    http, grpc = tritonclient.http, tritonclient.grpc
    client = http.InferenceServerClient(f"127.0.0.1:{server.http_port}")
    for binary in (True, False):
        outputs = [http.InferRequestedOutput("y", binary_data=binary)]
        options = {"outputs": outputs, "response_compression_algorithm": encoding}
        np.testing.assert_array_equal(client.infer("echo", [tensor(http, value)], **options).as_numpy("y"), value)
    over_grpc = grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    answer = over_grpc.infer("echo", [tensor(grpc, value)], compression_algorithm=encoding)
    np.testing.assert_array_equal(answer.as_numpy("y"), value)


@pytest.mark.asyncio
async def test_the_asyncio_client_reads_them(server: RunningServer) -> None:
    value = np.full((1, LARGE), 1.5, np.float32)
    async with tritonclient.http.aio.InferenceServerClient(f"127.0.0.1:{server.http_port}") as client:
        given = [tensor(tritonclient.http, value)]
        asked = [client.infer("echo", given, response_compression_algorithm="gzip") for _ in range(4)]
        for answer in await asyncio.gather(*asked):
            np.testing.assert_array_equal(answer.as_numpy("y"), value)


class Sent:
    """A connection that keeps what a call sends."""

    def __init__(self) -> None:
        self.head = self.body = b""

    def respond(self, stream_id: int, head: bytes, body: bytes, trailers: bytes) -> None:
        self.head, self.body = head, body

    def respond_head(self, stream_id: int, head: bytes, *, ends: bool = False) -> None:
        self.head = head

    def respond_data(self, stream_id: int, data: bytes) -> None:
        self.body += data

    def respond_end(self, stream_id: int, trailers: bytes) -> None:
        raise AssertionError


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("asked", "size", "packed"),
    [
        (b"gzip", 4000, True),
        (b"deflate", 4000, True),
        (b"gzip", 100, False),
        (b"identity", 4000, False),
        (b"", 4000, False),
    ],
)
def test_a_call_is_answered_as_it_was_asked(stream: bool, asked: bytes, size: int, packed: bool) -> None:
    sent = Sent()
    headers = {b"grpc-encoding": asked} if asked else {}
    call = Call(1, headers, Method(), sent, inf, 10_000, arrived_at=0.0)
    (call.send if stream else call.answer)(bytes(size))
    assert sent.body[0] == packed
    (message,) = MessageReader({b"grpc-encoding": asked}, 10_000).feed(sent.body)
    assert message == bytes(size)
    if packed:
        assert sent.head == COMPRESSED_RESPONSE_HEADS[asked.decode()]


def test_a_stream_is_compressed_as_it_was_asked(server: RunningServer) -> None:
    value = np.full((1, 2000), 1.5, np.float32)
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}")
    client.start_stream(lambda result, error: answers.put((result, error)), compression_algorithm="gzip")
    for _ in range(3):
        client.async_stream_infer("echo", [tensor(tritonclient.grpc, value)])
    for result, error in [answers.get(timeout=PATIENCE_SECONDS) for _ in range(3)]:
        assert error is None
        np.testing.assert_array_equal(result.as_numpy("y"), value)
    client.stop_stream()


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate"]))
def test_what_is_compressed_is_the_same_again(data: bytes, encoding: str) -> None:
    packed = compression.compress(data * 3, encoding)
    if packed is not None:
        assert compression.decompress(packed, encoding, len(data) * 3, "it") == data * 3


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_bytes_are_a_stream_or_the_clients_fault(data: bytes, encoding: str) -> None:
    with suppress(InvalidRequest):
        compression.decompress(data, encoding, 1000, "it")


def tensor(library: Any, value: Any) -> Any:
    made = library.InferInput("x", list(value.shape), "FP32")
    made.set_data_from_numpy(value)
    return made

"""HTTP/1.1 as hostile and broken clients speak it, on real sockets."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime_testing.holding import held
from runtime_testing.models import BATCHING, classifier, constant, identity, put
from runtime_testing.serving import RunningServer
from runtime_testing.waiting import PATIENCE_SECONDS, until
from slipform_runtime.rest import connection as http1

Serve = Callable[..., RunningServer]
INFER = "/v2/models/wine/infer"
GOOD = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}).encode()


@pytest.fixture
def server(repository: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server with one model and a request limit of 64 KiB, which is alive and at rest after every test."""
    monkeypatch.setattr(http1, "LINGER_SECONDS", PATIENCE_SECONDS)  # for clients that are slow to send what is refused
    put(repository, "wine", classifier(), BATCHING)
    running = serve(repository, settings={"request_limit_bytes": 65536})
    yield running
    assert running.post(INFER, GOOD).status == 200
    assert running.metric("model_active_requests", model="wine") == 0
    assert running.metric("inference_queue_length", model="wine") == 0


def talk(server: RunningServer, *parts: bytes) -> bytes:
    """Send bytes as they are; what comes back until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_SECONDS)) as client:
        answer = b""
        try:
            for part in parts:
                client.sendall(part)
            while received := client.recv(65536):
                answer += received
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def post(body: bytes, *headers: str, length: int | None = None, more: bool = False) -> bytes:
    """A request; the connection's last one unless `more` follow."""
    head = [f"POST {INFER} HTTP/1.1", "Host: x", f"Content-Length: {len(body) if length is None else length}", *headers]
    head += [] if more else ["Connection: close"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS on the plain port"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2 on the HTTP/1 port"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, id="HTTP/9.9"),
        pytest.param(b"GET /\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", 400, id="NUL in a header"),
        pytest.param(post(GOOD, "Transfer-Encoding: chunked"), 400, id="both lengths"),
        pytest.param(post(GOOD, "Content-Length: 5"), 400, id="two lengths"),
        pytest.param(post(GOOD, length=-1), 400, id="a negative length"),
        pytest.param(post(GOOD, length=10**30), 400, id="a length that overflows"),
        pytest.param(post(b"", length=65537), 413, id="a length over the limit"),
        pytest.param(post(GOOD, "Inference-Header-Content-Length: 99999999999"), 400, id="header length past the body"),
        pytest.param(post(GOOD, "Inference-Header-Content-Length: -1"), 400, id="header length below 0"),
        pytest.param(post(GOOD, "Inference-Header-Content-Length: ten"), 400, id="header length in words"),
        pytest.param(
            post(GOOD, f"Inference-Header-Content-Length: {len(GOOD)}", "Inference-Header-Content-Length: 5"),
            400,
            id="header length twice",
        ),
        pytest.param(post(GOOD, "Content-Encoding: br"), 415, id="an encoding that is not read"),
        pytest.param(post(gzip.compress(gzip.compress(GOOD)), "Content-Encoding: gzip, gzip"), 415, id="nested gzip"),
        pytest.param(post(GOOD, "Content-Encoding: gzip"), 400, id="not gzip"),
        pytest.param(post(gzip.compress(GOOD)[:-4], "Content-Encoding: gzip"), 400, id="gzip cut short"),
        pytest.param(post(gzip.compress(GOOD) + b"x", "Content-Encoding: gzip"), 400, id="gzip with a tail"),
        pytest.param(post(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip"), 413, id="a gzip bomb"),
        pytest.param(post(zlib.compress(bytes(50_000_000)), "Content-Encoding: deflate"), 413, id="a deflate bomb"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 40_000 + b"\r\n\r\n", 400, id="a long header"),
        pytest.param(b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 400, id="a long target"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(101)) + b"\r\n", 400, id="many headers"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A" * 600_000, 400, id="a header name without an end"),
        pytest.param(
            f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;".encode() + b"x" * 600_000,
            400,
            id="a chunk extension without an end",
        ),
        pytest.param(
            f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".encode() + b"T" * 600_000,
            400,
            id="a trailer without an end",
        ),
        pytest.param(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="CONNECT"),
        pytest.param(b"DELETE /health HTTP/1.1\r\nConnection: close\r\n\r\n", 405, id="another method"),
        pytest.param(b"GET /v2/models/../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n", 404, id="dots"),
        pytest.param(b"GET /v2/models/%2e%2e%2fetc HTTP/1.1\r\nConnection: close\r\n\r\n", 404, id="encoded dots"),
        pytest.param(
            b"GET /v2/models/" + b"a" * 256 + b" HTTP/1.1\r\nConnection: close\r\n\r\n", 404, id="a long name"
        ),
        pytest.param(b"GET /v2/models/wine/versions/01 HTTP/1.1\r\nConnection: close\r\n\r\n", 404, id="version 01"),
        pytest.param(b"GET /v2/models/wine/versions/abc HTTP/1.1\r\nConnection: close\r\n\r\n", 404, id="version abc"),
        pytest.param(
            b"GET /v2/models/wine/versions/9223372036854775808 HTTP/1.1\r\nConnection: close\r\n\r\n",
            404,
            id="version 2^63",
        ),
        pytest.param(b"GET /\xff HTTP/1.1\r\nConnection: close\r\n\r\n", 400, id="bytes in the path"),
    ],
)
def test_a_bad_request_is_the_clients_fault(server: RunningServer, sent: bytes, code: int) -> None:
    answer = talk(server, sent)
    assert status(answer) == code, answer
    assert b"/runtime/" not in answer
    assert b"Traceback" not in answer


def test_a_good_request_comes_in_one_byte_chunks(server: RunningServer) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in GOOD)
    head = f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    assert status(talk(server, head + chunks + b"0\r\n\r\n")) == 200


def test_a_million_one_byte_chunks_end_at_the_limit(server: RunningServer) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert status(talk(server, head, b"1\r\nx\r\n" * 1_000_000)) == 413


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    bodies = [GOOD.replace(b'{"inputs"', b'{"id": "%d", "inputs"' % number) for number in range(50)]
    answer = talk(server, b"".join(post(body, more=True) for body in bodies[:-1]) + post(bodies[-1]))
    ids = [part.split(b'"')[0] for part in answer.split(b'"id":"')[1:]]
    assert ids == [b"%d" % number for number in range(50)]


def test_an_offer_to_upgrade_is_answered_as_http_1(server: RunningServer) -> None:
    offered = post(GOOD, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", more=True)
    answer = talk(server, offered + post(GOOD))
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_a_body_is_asked_for_with_100_continue(server: RunningServer) -> None:
    answer = talk(server, post(GOOD, "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_a_client_of_http_1_0_that_expects_is_answered_at_once(server: RunningServer) -> None:
    """Section 10.1.1 of RFC 9110: it knows no interim answers."""
    answer = talk(server, post(GOOD, "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_offers_to_upgrade_may_be_pipelined(server: RunningServer) -> None:
    offer = b"GET /health HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = talk(server, offer * 2000 + b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2001


def test_a_target_may_be_a_whole_url(server: RunningServer) -> None:
    """Section 3.2.2 of RFC 9112: clients that take the server for a proxy send it so."""
    ask = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for target in (b"http://x:8000/health?a=b", b"https://x/health"):
        assert status(talk(server, ask % target)) == 200
    assert b"<html" in talk(server, ask % b"http://x?/health")  # the page at /
    assert status(talk(server, ask % b"ftp://x/health")) == 404


def test_head_has_the_length_and_no_body(server: RunningServer) -> None:
    answer = talk(server, b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b"content-length: 18\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_request_is_read(server: RunningServer, encoding: str) -> None:
    body = gzip.compress(GOOD) if encoding == "gzip" else zlib.compress(GOOD)
    assert server.post(INFER, body, headers={"Content-Encoding": encoding}).status == 200


def test_a_half_open_request_is_closed_in_time(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "HEAD_TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(http1, "BODY_TIMEOUT_SECONDS", 0.0)
    for begun in (b"GET / HTTP/1.1\r\nHo", post(GOOD[:10], length=len(GOOD))):
        with closing(socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_SECONDS)) as client:
            client.sendall(begun)
            assert client.recv(100) == b""  # closed by the sweep


def test_a_client_that_leaves_is_forgotten(repository: Path, serve: Serve) -> None:
    put(repository, "m", constant(1.0), "max_batch_size: 1\n")
    server = serve(repository)
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}).encode()
    with held(server, "m"):
        clients = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(5)]
        for client in clients:
            client.sendall(post(body, more=True).replace(b"/wine/", b"/m/"))
        until(lambda: server.metric("model_active_requests", model="m") == 5)
        for client in clients:
            client.close()
        until(lambda: server.metric("model_active_requests", model="m") == 0)
        assert server.metric("inference_queue_length", model="m") == 0
        assert server.metric("inference_requests_total", model="m", status="cancelled") == 5
    assert server.post("/v2/models/m/infer", body).status == 200
    assert server.metric("inference_requests_total", model="m", status="success") == 1


def test_an_answer_larger_than_the_sockets_buffer_arrives_whole(repository: Path, serve: Serve) -> None:
    put(repository, "echo", identity(dims=("N", "M")))
    server = serve(repository)
    values = [float(number) for number in range(300_000)]
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, len(values)], "data": values}]}
    assert server.post("/v2/models/echo/infer", body).json["outputs"][0]["data"] == values

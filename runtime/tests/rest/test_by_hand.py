"""What a person with curl sees: methods, paths, versions of HTTP, and words that say what to do."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime_testing.models import BATCHING, classifier, put
from runtime_testing.serving import Answer, RunningServer

Serve = Callable[..., RunningServer]
ITEM = '{"inputs": [1, 2, 3, 4]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    repository = tmp_path_factory.mktemp("models")
    put(repository, "wine", classifier(), BATCHING)
    running = RunningServer(repository)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("OPTIONS", "/v2", "GET, HEAD"),
        ("DELETE", "/v2/models/wine", "GET, HEAD"),
        ("PUT", "/predict/wine", "POST"),
        ("GET", "/v2/models/wine/infer", "POST"),
        ("HEAD", "/v2/models/wine/versions/1/infer", "POST"),
        ("GET", "/v2/repository/index", "POST"),
        ("POST", "/metrics", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_are_allowed(server: RunningServer, method: str, path: str, allow: str) -> None:
    answer = server.request(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nope", 404, "GET /docs lists them"),
        ("OPTIONS", "/nope", 404, "GET /docs lists them"),
        ("GET", "/v2//models/wine", 404, "no such route"),
        ("GET", "/v2/models/w%69ne", 404, "no such route"),
        ("GET", "/v2/models/nope", 404, "there is no model 'nope'"),
        ("GET", "/v2/models/wine/versions/2", 404, "has no version 2"),
        ("GET", "/v2/models/wine/versions/0", 404, "'0' is no version"),
        ("GET", "/v2/logging", 404, "POST /log-level"),
        ("POST", "/v2/models/wine/generate", 404, "/predict/MODEL"),
        ("GET", "/v2/systemsharedmemory/region/a/status", 404, "send tensors in the request"),
        ("POST", "/v2/models/wine/infer", 400, "not JSON"),
        ("POST", "/v2/repository/models/wine/load", 503, "--model-control-mode explicit"),
    ],
)
def test_an_error_says_what_to_do(server: RunningServer, method: str, path: str, status: int, words: str) -> None:
    answer = server.request(method, path)
    assert answer.status == status
    assert words in answer.json["error"]
    assert "/tmp" not in answer.json["error"]


def test_a_refusal_that_will_not_change_asks_nobody_to_try_again(server: RunningServer) -> None:
    assert "retry-after" not in server.post("/v2/repository/models/wine/unload", "").headers


@pytest.mark.parametrize("path", ["/v2", "/v2/models/wine", "/health", "/docs", "/metrics"])
def test_a_trailing_slash_and_a_query_change_nothing(server: RunningServer, path: str) -> None:
    def shown(answer: Answer) -> tuple[int, bytes]:
        return answer.status, answer.body if path != "/metrics" else b""

    plain = shown(server.get(path))
    assert plain[0] == 200
    assert shown(server.get(f"{path}/")) == shown(server.get(f"{path}?verbose=1")) == plain


def test_head_is_get_without_its_body(server: RunningServer) -> None:
    for path in ("/v2", "/v2/models/wine/config", "/docs"):
        head, get = server.request("HEAD", path), server.get(path)
        assert (head.status, head.headers) == (get.status, get.headers)
        assert (head.body, get.headers["content-length"]) == (b"", str(len(get.body)))


def test_a_connection_is_kept_until_its_client_says_close(server: RunningServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=10)
    for headers, closed in (({}, False), ({"Connection": "close"}, True)):
        connection.request("POST", "/predict", ITEM, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert (answer.getheader("connection") == "close") is closed
    connection.close()


def test_http_1_0_is_answered_and_closed(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn", 10)
    monkeypatch.setattr(http.client.HTTPConnection, "_http_vsn_str", "HTTP/1.0")
    for headers in ({}, {"Connection": "keep-alive"}):
        answer = server.get("/health", headers=headers)
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_ipv6_is_served_where_it_is_asked_for(repository: Path) -> None:
    put(repository, "wine", classifier())
    server = RunningServer(repository, http_address="::1")
    connection = http.client.HTTPConnection("::1", server.http_port, timeout=10)
    connection.request("POST", "/predict", ITEM)
    assert connection.getresponse().status == 200
    connection.close()
    server.stop()

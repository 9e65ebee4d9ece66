"""The management port: closed without the token, and the only place to load where it is open."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime_testing.models import classifier, put
from runtime_testing.serving import RunningServer

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def server(repository: Path, serve: Callable[..., RunningServer]) -> RunningServer:
    put(repository, "wine", classifier())
    options = {"management_port": 0, "management_token": TOKEN, "model_control_mode": "explicit"}
    return serve(repository, load_models=("wine",), **options)


def test_loading_moves_to_the_management_port(server: RunningServer) -> None:
    port = server.server.ports["management_port"]
    path = "/v2/repository/models/wine/unload"
    assert server.post(path, {}).status == 503
    assert server.post(path, {}, headers=BEARER, port=port).status == 200
    assert server.get("/v2/models/wine/ready").status == 404


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_without_the_token_nothing_is_answered(server: RunningServer, header: dict[str, str]) -> None:
    port = server.server.ports["management_port"]
    for path in ("/v2/repository/index", "/log-level", "/nope"):
        assert server.post(path, {}, headers=header, port=port).status == 401


def test_the_log_level_changes_while_it_runs(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.server.ports["management_port"]
    assert server.post("/log-level", {"level": "debug"}, headers=BEARER, port=port).status == 200
    server.post("/predict", {"inputs": [1, 2, 3, 4]}, headers={"X-Request-Id": "r1"})
    assert server.post("/log-level", {"level": "loud"}, headers=BEARER, port=port).status == 400
    assert server.post("/log-level", {"level": "info"}, headers=BEARER, port=port).status == 200
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (processed,) = [event for event in events if event["event"] == "request_processed"]
    assert (processed["request_id"], processed["model_version"], processed["batch_size"]) == ("r1", "1", 1)
    assert processed["latency_ms"] > 0

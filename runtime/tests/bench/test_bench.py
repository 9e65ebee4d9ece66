"""`slipform-runtime bench` against real servers."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from runtime_testing.models import BATCHING, classifier, identity, picky, put
from runtime_testing.serving import RunningServer
from slipform_runtime.cli import main

Serve = Callable[..., RunningServer]
SHORT = ["--seconds", "0.4", "--warmup", "0.1"]


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "wine", classifier(), BATCHING)
    put(repository, "open", identity(dims=("N", "length")), BATCHING)
    put(repository, "text", identity(TensorProto.STRING, ("N", 2)), BATCHING)
    put(repository, "picky", picky(), BATCHING)
    put(repository, "half", identity(TensorProto.FLOAT16), BATCHING)
    return serve(repository)


def bench(server: RunningServer, *arguments: str) -> int:
    return main(["bench", f"http://127.0.0.1:{server.http_port}", f"--grpc=127.0.0.1:{server.grpc_port}", *arguments])


def test_every_wire_and_both_loops_are_measured(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    code = bench(
        server, "--model=wine", "--wire", "json", "binary", "grpc", "--concurrency", "4", "--rate", "100", "--json",
        "--objective=availability=99", *SHORT,
    )  # fmt: skip
    cells = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [(cell["wire"], cell["loop"]) for cell in cells] == [
        (wire, loop) for wire in ("json", "binary", "grpc") for loop in ("closed", "open")
    ]
    for cell in cells:
        assert cell["requests_answered"] > 0
        assert cell["requests_failed"] == {}
        assert 0 < cell["latency_seconds"]["p50"] <= cell["latency_seconds"]["p99"] <= cell["latency_seconds"]["max"]
        assert cell["mean_batch"] >= 1
        assert cell["objectives"] == {"availability=99": True}


def test_the_batch_is_what_the_server_executed(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    bench(server, "--model=wine", "--items=8", "--concurrency=1", "--json", *SHORT)
    (cell,) = json.loads(capsys.readouterr().out)
    assert cell["mean_batch"] == 8
    assert cell["items_per_request"] == 8


def test_a_missed_objective_is_exit_code_1_and_says_by_what(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = bench(server, "--model=wine", "--concurrency=1", "--objective=p50=1us", "--objective=p99=10s", *SHORT)
    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[-2].startswith("MISSED  p50=1us  json, concurrency 1: ")
    assert lines[-1] == "met     p99=10s"


def test_requests_that_fail_are_counted_by_their_reason(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "requests.json"
    data.write_text(
        json.dumps(
            [{"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [index]}]} for index in (1, 99)]
        )
    )
    code = bench(
        server, "--model=picky", f"--data={data}", "--concurrency=1", "--objective=availability=99", "--json", *SHORT
    )
    printed = capsys.readouterr().out  # the server's log is in it too
    (cell,) = json.loads(printed[printed.index("[\n") : printed.rindex("]") + 1])
    assert code == 1
    assert set(cell["requests_failed"]) == {"HTTP 500"}
    assert abs(cell["requests_failed"]["HTTP 500"] - cell["requests_answered"]) <= 1


def test_rows_of_a_file_are_sent(server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "rows.npz", x=np.array([["a", "b"], ["c", "d"]]))
    assert bench(server, "--model=text", f"--data={tmp_path / 'rows.npz'}", "--concurrency=1", *SHORT) == 0


def test_an_open_shape_is_said_on_the_command_line(server: RunningServer) -> None:
    assert bench(server, "--model=open", "--shape=x:7", "--concurrency=1", "--wire=binary", *SHORT) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model=whine"], 3, "no such model; ready are: half, open, picky, text, wine"),
        (["--model=wine", "--objective=p95=20"], 2, "p95=20ms (any percentile; us, ms, s)"),
        (["--model=open"], 2, "input 'x' is [-1], where -1 is any size; say which: --shape x:8"),
        (["--model=wine", "--shape=x:5"], 2, "--shape x: the model takes [4]"),
        (["--model=wine", "--shape=y:5"], 2, "--shape y: the model has no such input; it has x"),
        (["--model=text"], 2, "texts can't be made up; give requests: --data FILE.json"),
        (["--model=half"], 2, "input 'x' is FP16, which does not go as JSON; use --wire binary or grpc"),
        (["--model=wine", "--items=99"], 3, "takes at most 8"),
        (["--model=wine", "--items=99", "--wire=grpc"], 3, "takes at most 8"),
        (["--model=wine", "--data=none.json"], 2, "--data none.json: "),
        (["--model=wine", "--wire", "grpc", "--grpc=127.0.0.1:1", "--timeout=1"], 3, "gRPC UNAVAILABLE"),
    ],
)
def test_what_cannot_be_measured_is_said(
    server: RunningServer, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert bench(server, *arguments, *SHORT) == code
    assert said in capsys.readouterr().err


def test_a_server_that_is_not_there_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "http://127.0.0.1:1", "--model=wine"]) == 3
    assert "http://127.0.0.1:1: Cannot connect" in capsys.readouterr().err


def test_the_response_cache_is_not_passed_off_as_the_model(
    repository: Path, serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "one.json"
    data.write_text(json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}))
    put(repository, "wine", classifier(), BATCHING + "response_cache { enable: true }\n")
    server = serve(repository, settings={"cache": {"size_bytes": 1 << 20}})
    bench(server, "--model=wine", f"--data={data}", "--concurrency=4", *SHORT)
    assert "the response cache answered many of these" in capsys.readouterr().out


def test_a_locust_file_is_a_program_that_sends_these_requests(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "load.py"
    assert bench(server, "--model=wine", f"--locust={file}") == 0
    before = server.metric("nv_inference_request_success", model="wine") or 0
    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(file), "--host", f"http://127.0.0.1:{server.http_port}",
         "--headless", "--users", "2", "--run-time", "3s", "--only-summary"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert (server.metric("nv_inference_request_success", model="wine") or 0) > before
    assert bench(server, "--model=wine", f"--locust={file}") == 2
    assert "is there already" in capsys.readouterr().err

"""`/metrics`, as Prometheus reads it."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.conftest import require

from runtime_testing.models import BATCHING, classifier, picky, put
from runtime_testing.serving import RunningServer

Serve = Callable[..., RunningServer]
GOOD, POISON = 1, 99
SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9.e+-]+')

PROMISED = [
    "inference_requests_total",
    "inference_latency_ms",
    "requests_per_second",
    "inference_requests_per_second",
    "inference_queue_length",
    "model_busy_seconds_total",
    "p95_latency_ms",
    "model_batch_size",
    "model_active_requests",
    "model_load_time_seconds",
    "prediction_errors_total",
    "cache_hit_rate",
    "cache_hits_total",
    "cache_misses_total",
    "model_inference_total",
    "model_inference_duration_seconds",
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_inference_pending_request_count",
    "nv_model_load_duration_secs",
    "nv_cache_num_hits_per_model",
    "nv_cache_num_misses_per_model",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_open_fds",
]


@pytest.fixture
def server(repository: Path, serve: Serve) -> RunningServer:
    put(repository, "picky", picky(), f"{BATCHING} response_cache {{ enable: true }}")
    put(repository, "wine", classifier(), BATCHING)
    return serve(repository)


def ask(server: RunningServer, value: Any, model: str = "picky") -> int:
    tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [value]}
    return server.post(f"/v2/models/{model}/infer", {"inputs": [tensor]}).status


def test_everything_promised_is_there_with_its_help_and_type(server: RunningServer) -> None:
    ask(server, POISON)
    lines = server.get("/metrics").body.decode().splitlines()
    for name in PROMISED:
        assert any(line.startswith(f"# HELP {name} ") for line in lines), name
        assert any(line.startswith(f"# TYPE {name} ") for line in lines), name
        assert any(re.match(rf"{name}(_bucket|_sum|_count)?(\{{| )", line) for line in lines), name


def test_every_line_is_a_sample_and_none_is_there_twice(server: RunningServer) -> None:
    ask(server, GOOD)
    ask(server, POISON)
    samples = [line for line in server.get("/metrics").body.decode().splitlines() if not line.startswith("#")]
    for line in samples:
        assert SAMPLE.fullmatch(line), line
    names = [line.rpartition(" ")[0] for line in samples]
    assert len(set(names)) == len(names)


def test_failures_have_tritons_reasons(server: RunningServer) -> None:
    assert [ask(server, value) for value in (GOOD, GOOD, POISON, "text")] == [200, 200, 500, 400]
    reasons = ("REJECTED", "CANCELED", "BACKEND", "OTHER")
    counted = [server.metric("nv_inference_request_failure", model="picky", reason=reason) for reason in reasons]
    assert counted == [0, 0, 1, 1]
    assert server.metric("nv_inference_request_success", model="picky") == 2
    assert server.metric("nv_inference_count", model="picky") == 1  # the other came from the cache
    assert server.metric("cache_hit_rate", model="picky") == pytest.approx(1 / 3)


def test_a_name_that_a_client_invents_is_no_label(server: RunningServer) -> None:
    assert ask(server, GOOD, model="invented") == 404
    assert b"invented" not in server.get("/metrics").body


def test_the_process_is_this_one(server: RunningServer) -> None:
    resident = server.metric("process_resident_memory_bytes")
    assert resident is not None
    assert resident > 10_000_000
    started = server.metric("process_start_time_seconds")
    assert started is not None
    assert abs(started - Path(f"/proc/{os.getpid()}").stat().st_mtime) < 3600
    assert (server.metric("process_open_fds") or 0) > 3


def test_promtool_finds_no_fault_but_names_that_others_gave(server: RunningServer) -> None:
    """Triton's names, and milliseconds: dashboards and autoscalers are written against them."""
    (promtool,) = require("promtool")
    ask(server, GOOD)
    text = server.get("/metrics").body
    found = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    complaints = found.stderr.decode().splitlines()
    assert found.returncode in (0, 3)  # 3: linted
    assert [line for line in complaints if not line.startswith("nv_") and "abbreviated units" not in line] == []

"""The process: what it prints, and how it ends."""

import http.client
import json
import os
import signal
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime_testing.models import constant, counting, put
from runtime_testing.waiting import PATIENCE_SECONDS, until

INFER = "/v2/models/m/infer"


def body(count: float) -> bytes:
    """A request; the model of `counting` counts so far."""
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [count]}]}).encode()


SHORT, ENDLESS = body(100_000), body(1e15)


class Process:
    """`slipform-runtime serve` on free ports."""

    def __init__(self, repository: Path, config: Path, *options: str) -> None:
        arguments = ["serve", "--model-repository", str(repository), "--http-address", "127.0.0.1"]
        arguments += ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0", "--config", str(config)]
        arguments += options
        self.process = subprocess.Popen(
            [sys.executable, "-m", "slipform_runtime.cli", *arguments], stdout=subprocess.PIPE, text=True
        )
        self.port = self.event("server_listening")["http_port"]

    def event(self, name: str) -> dict[str, Any]:
        """Read log lines up to this event."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"it ended before {name}")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def metric(self, line: str) -> int:
        """The number behind a metric's name and labels."""
        with urllib.request.urlopen(self.url("/metrics"), timeout=PATIENCE_SECONDS) as answer:
            found: list[str] = [text for text in answer.read().decode().splitlines() if text.startswith(line)]
        return int(float(found[0].rpartition(" ")[2]))

    def ends(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def ask(self, path: str, body: bytes | None = None) -> int:
        try:
            with urllib.request.urlopen(self.url(path), body, timeout=PATIENCE_SECONDS) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code


@contextmanager
def process(repository: Path, *options: str, until: str = "server_ready", **drain: float) -> Iterator[Process]:
    config = repository.parent / "config.json"
    config.write_text(json.dumps({"drain": drain}))
    running = Process(repository, config, *options)
    try:
        running.event(until)
        yield running
    finally:
        running.process.kill()
        running.process.wait()


ACTIVE = 'model_active_requests{model="m",version="1"}'
ANSWERED = 'inference_requests_total{model="m",version="1",status="success"}'


def test_sigterm_finishes_what_was_accepted_and_ends_with_0(repository: Path) -> None:
    put(repository, "m", counting(), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0, timeout_seconds=PATIENCE_SECONDS) as running:
        with ThreadPoolExecutor(8) as clients:
            answers = [clients.submit(running.ask, INFER, SHORT) for _ in range(8)]
            until(lambda: running.metric(ACTIVE) + running.metric(ANSWERED) == 8)
            running.process.send_signal(signal.SIGTERM)
            running.event("server_stopping")
            running.process.send_signal(signal.SIGTERM)  # a second one is harmless
        assert [answer.result() for answer in answers] == [200] * 8
        assert running.ends() == 0


def test_during_the_delay_it_is_not_ready_and_serves(repository: Path) -> None:
    put(repository, "m", constant(1.0))
    with process(repository, delay_seconds=600) as running:
        running.process.send_signal(signal.SIGTERM)
        running.event("server_stopping")
        assert running.ask("/ready") == 503
        assert running.ask(INFER, SHORT) == 200


def test_a_request_that_outlasts_the_drain_does_not_keep_the_process(repository: Path) -> None:
    put(repository, "m", counting(), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0, timeout_seconds=0.2) as running, ThreadPoolExecutor(1) as client:
        waiting = client.submit(running.ask, INFER, ENDLESS)
        until(lambda: running.metric(ACTIVE) == 1)
        running.process.send_signal(signal.SIGTERM)
        assert running.event("server_stopped")["abandoned"] == 1
        assert running.ends() == 0
        with pytest.raises((OSError, http.client.HTTPException)):
            waiting.result()


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]
)
def test_a_signal_ends_it_and_another_changes_nothing(repository: Path, signals: tuple[signal.Signals, ...]) -> None:
    put(repository, "m", constant(1.0))
    with process(repository, delay_seconds=0.1) as running:
        for number in signals:
            running.process.send_signal(number)
        assert running.ends() == 0


def test_sigterm_while_a_model_loads_ends_it_at_once(repository: Path) -> None:
    """Not when the model is there: its warm-up never ends."""
    endless = 'inputs { key: "x" value { data_type: TYPE_FP32 dims: 1 input_data_file: "x" } }'
    put(repository, "a", constant(1.0), "max_batch_size: 1\n")
    folder = put(repository, "b", counting(), f'max_batch_size: 1\nmodel_warmup {{ name: "w" {endless} }}')
    (folder / "warmup").mkdir()
    (folder / "warmup" / "x").write_bytes(struct.pack("<f", 1e15))
    with process(repository, until="model_loaded", delay_seconds=600) as running:
        running.process.send_signal(signal.SIGTERM)
        running.event("server_stopped")
        assert running.ends() == 0


def test_sighup_looks_at_the_folder_at_once(repository: Path) -> None:
    put(repository, "one", constant(1.0))
    options = ("--model-control-mode", "poll", "--repository-poll-secs", "3600")
    with process(repository, *options, delay_seconds=0) as running:
        put(repository, "two", constant(2.0))
        running.process.send_signal(signal.SIGHUP)
        assert running.event("model_loaded")["model"] == "two"


def test_sighup_does_not_end_a_server_that_follows_no_folder(repository: Path) -> None:
    put(repository, "one", constant(1.0))
    with process(repository, delay_seconds=0) as running:
        running.process.send_signal(signal.SIGHUP)
        assert "--model-control-mode poll" in running.event("hangup_ignored")["reason"]
        assert running.ask("/ready") == 200


def test_sigkill_leaves_a_repository_that_serves_again(repository: Path) -> None:
    put(repository, "m", constant(1.0), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0) as first:
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with process(repository, delay_seconds=0) as second:
        assert second.ask(INFER, SHORT) == 200

"""The process: what it prints, and how it ends."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime_testing.models import constant, put, slow

BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}).encode()


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

    def ask(self, path: str, body: bytes | None = None) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", body, timeout=20) as answer:
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


def test_sigterm_finishes_what_was_accepted_and_ends_with_0(repository: Path) -> None:
    put(repository, "slow", slow(loops=200), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0.5, timeout_seconds=20) as running:
        answers: list[int] = []
        clients = [
            threading.Thread(target=lambda: answers.append(running.ask("/v2/models/slow/infer", BODY)))
            for _ in range(8)
        ]
        for client in clients:
            client.start()
        while running.ask("/v2/models/slow/stats") != 200:
            pass
        running.process.send_signal(signal.SIGTERM)
        running.event("server_stopping")
        running.process.send_signal(signal.SIGTERM)  # a second one is harmless
        assert running.ask("/ready") == 503
        assert running.ask("/v2/models/slow/infer", BODY) == 200  # still served during the delay
        for client in clients:
            client.join()
        assert answers == [200] * 8
        assert running.process.wait(20) == 0


def test_a_request_that_outlasts_the_drain_does_not_keep_the_process(repository: Path) -> None:
    put(repository, "slow", slow(loops=2000), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0, timeout_seconds=0.2) as running:

        def client() -> None:
            with pytest.raises((OSError, http.client.HTTPException)):
                running.ask("/v2/models/slow/infer", BODY)

        waiting = threading.Thread(target=client)
        waiting.start()
        while not _executing(running):
            pass
        running.process.send_signal(signal.SIGTERM)
        assert running.event("server_stopped")["abandoned"] == 1
        assert running.process.wait(20) == 0
        waiting.join()


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]
)
def test_a_signal_ends_it_and_another_changes_nothing(repository: Path, signals: tuple[signal.Signals, ...]) -> None:
    put(repository, "one", constant(1.0))
    with process(repository, delay_seconds=0.1) as running:
        for number in signals:
            running.process.send_signal(number)
        assert running.process.wait(20) == 0


def test_sigterm_while_a_model_loads_ends_it_at_once(repository: Path) -> None:
    """Not when the model is there: its warm-up alone takes longer than the test waits."""
    put(repository, "a", constant(1.0), "max_batch_size: 1\n")
    put(repository, "b", slow(loops=20_000), "max_batch_size: 1\n")
    with process(repository, until="model_loaded", delay_seconds=60) as running:
        running.process.send_signal(signal.SIGTERM)
        running.event("server_stopped")
        assert running.process.wait(5) == 0


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
    put(repository, "slow", slow(), "max_batch_size: 1\n")
    with process(repository, delay_seconds=0) as first:
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with process(repository, delay_seconds=0) as second:
        assert second.ask("/v2/models/slow/infer", BODY) == 200


def _executing(running: Process) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics") as answer:
        return b'model_active_requests{model="slow",version="1"} 1' in answer.read()

"""Real models, made here, and a real server in a thread of the test's process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from runtime_testing.serving import RunningServer
from slipform_runtime.logs import log

# No example has a time limit: how long one takes is up to the machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command sends the log elsewhere for its process; here the process is that of all tests."""
    stream, level = log.stream, log.level
    yield
    log.stream, log.level = stream, level


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty model repository."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def serve() -> Iterator[Callable[..., RunningServer]]:
    """Start servers; they end with the test."""
    running: list[RunningServer] = []

    def start(repository: Path, **options: Any) -> RunningServer:
        server = RunningServer(repository, **options)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()

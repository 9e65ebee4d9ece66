"""h2spec 2.2.1 against the gRPC port, strictly: `go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1`."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime_testing.models import classifier, put
from runtime_testing.serving import RunningServer


@pytest.mark.skipif(shutil.which("h2spec") is None, reason="h2spec is not on the path")
def test_h2spec_finds_no_fault(repository: Path, serve: Callable[..., RunningServer]) -> None:
    put(repository, "wine", classifier())
    server = serve(repository)
    run = subprocess.run(
        ["h2spec", "--strict", "-h", "127.0.0.1", "-p", str(server.grpc_port), "-o", "5"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert " 0 skipped, 0 failed" in run.stdout, run.stdout[-3000:]

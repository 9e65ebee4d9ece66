"""h2spec against the gRPC port, strictly."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cluster.conftest import require

from runtime_testing.models import classifier, put
from runtime_testing.serving import RunningServer


def test_h2spec_finds_no_fault(repository: Path, serve: Callable[..., RunningServer]) -> None:
    (h2spec,) = require("h2spec")
    put(repository, "wine", classifier())
    server = serve(repository)
    run = subprocess.run(
        [h2spec, "--strict", "-h", "127.0.0.1", "-p", str(server.grpc_port), "-o", "5"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert " 0 skipped, 0 failed" in run.stdout, run.stdout[-3000:]

"""A server whose log nobody reads any more serves on, and still ends when it is told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from slipform_runtime.logs import Log


class Gone:
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_an_event_that_nobody_reads_is_no_error() -> None:
    Log(Gone()).info("server_ready")  # type: ignore[arg-type]


def test_sigterm_ends_a_server_whose_output_is_closed(tmp_path: Path) -> None:
    read, write = os.pipe()
    command = [sys.executable, "-m", "slipform_runtime", "serve", f"--model-repository={tmp_path}"]
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    with subprocess.Popen([*command, *ports], stdout=write) as server:
        os.close(write)
        with os.fdopen(read) as output:
            assert "server_listening" in next(line for line in output if "listening" in line)
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) in (0, 120)  # 120: Python could not flush what nobody read

"""The server under test: a process of its own, its memory and its metrics."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

_SAMPLE = re.compile(r"^(\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
CONFIG = {
    "log_level": "warning",
    "drain": {"delay_seconds": 2, "timeout_seconds": 20},
    "cache": {"size_bytes": 1 << 20},
    # Models are broken on purpose here; taking one out for it is another test's matter.
    "breaker": {"failures": 1_000_000},
}


class Process:
    """`slipform-runtime serve` on free ports, ready when the constructor returns; `events` keeps what it logs."""

    def __init__(self, repository: Path, log: Path) -> None:
        config = repository.parent / "config.json"
        config.write_text(json.dumps({**CONFIG, "log_level": "info"}))
        command = [sys.executable, "-m", "slipform_runtime", "serve", f"--model-repository={repository}"]
        command += ["--http-address=127.0.0.1", "--http-port=0", "--grpc-port=0", "--metrics-port=0"]
        command += ["--model-control-mode=explicit", "--load-model=*", f"--config={config}"]
        self.log = log
        self._ready = threading.Event()
        self.ports: dict[str, int] = {}
        self.last: dict[str, Any] = {}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(60):
            raise RuntimeError(f"the server is not ready; its log: {log}")

    @property
    def http(self) -> str:
        """REST's address."""
        return f"http://127.0.0.1:{self.ports['http_port']}"

    @property
    def grpc(self) -> str:
        """gRPC's address."""
        return f"127.0.0.1:{self.ports['grpc_port']}"

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def metrics(self, name: str) -> list[tuple[str, float]]:
        """The samples of a metric: labels as they are written, and the value."""
        with urllib.request.urlopen(f"{self.http}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return [(labels, float(value)) for family, labels, value in _SAMPLE.findall(text) if family == name]

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """The exit code."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("wb") as log:
            for line in self._process.stdout:
                log.write(line)
                event = json.loads(line)
                self.last[event["event"]] = event
                if event["event"] == "server_ready":
                    self.ports = {name: event[name] for name in event if name.endswith("_port")}
                    self._ready.set()
        self._ready.set()

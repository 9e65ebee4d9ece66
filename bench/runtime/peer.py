"""A server that is measured: how it starts, where it answers, what it takes of the machine.

Each peer is a module in `peers/` with one function, `peer(setting) -> Peer`. It raises Missing where the peer is not
installed, with the command that installs it; the run then goes on without it.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
START_TIMEOUT_SECONDS = 90


class Missing(Exception):
    """A peer that is not installed here. The text says what would install it."""


@dataclass(frozen=True)
class Setting:
    """What a peer needs to know. `python` is the interpreter that its libraries are in; it may use ten ports."""

    repository: Path
    scratch: Path
    port: int
    python: str = sys.executable
    triton: Path | None = None


@dataclass
class Peer:
    """A server. `ports` says which wires it speaks (json, binary, grpc), and where.

    It answers the Open Inference Protocol. `infer_path` is where its REST takes the request of a model.
    """

    name: str
    command: list[str]
    ports: dict[str, int]
    environment: dict[str, str] = field(default_factory=dict)
    ready_path: str = "/v2/health/ready"
    infer_path: str = "/v2/models/{model}/infer"
    has_config: bool = False
    """Whether it answers a model's config, an extension of Triton's without which perf_analyzer does not start."""
    process: "subprocess.Popen[bytes] | None" = None
    start_seconds: float = 0.0
    idle_mb: float = 0.0

    def url(self, model: str, wire: str = "json") -> str:
        """Where a request for `model` goes."""
        return f"http://127.0.0.1:{self.ports[wire]}{self.infer_path.format(model=model)}"

    def start(self) -> None:
        """Start, and wait until it is ready."""
        began = time.perf_counter()
        log = Path(tempfile.gettempdir()) / f"bench-{self.name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self.command, env=environment, stdout=output, stderr=output)
        url = f"http://127.0.0.1:{self.ports['json']}{self.ready_path}"
        while not _answers(url):
            if self.process.poll() is not None or time.perf_counter() - began > START_TIMEOUT_SECONDS:
                raise SystemExit(f"{self.name} did not start; see {log}")
            time.sleep(0.01)
        self.start_seconds = time.perf_counter() - began
        self.idle_mb = self.resident_mb()

    def stop(self) -> None:
        """End it and what it started."""
        if self.process is None:
            return
        started = self._processes()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for pid in started[1:]:  # some leave theirs behind
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def resident_mb(self) -> float:
        """Proportional memory of the process and all below it."""
        found = (Path(f"/proc/{pid}/smaps_rollup") for pid in self._processes())
        texts = (path.read_text() for path in found if path.exists())
        return sum(int(match[1]) for text in texts if (match := re.search(r"^Pss:\s+(\d+)", text, re.M))) / 1024

    def cpu_seconds(self) -> float:
        """User and system time of the process and all below it, so far."""
        found = (Path(f"/proc/{pid}/stat") for pid in self._processes())
        fields = (path.read_text().rpartition(")")[2].split() for path in found if path.exists())
        return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[str]:
        if self.process is None:
            return []
        pids = [str(self.process.pid)]
        for pid in pids:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            below = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True).stdout
            pids += below.split() if children.exists() else []
        return pids


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def needs(setting: Setting, module: str, how: str) -> None:
    """Raises Missing where the peer's interpreter has no such module; `how` installs it."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module.partition('.')[0]!r}) is None)"
    if subprocess.run([setting.python, "-c", look], check=False).returncode:
        raise Missing(how)


def known() -> list[str]:
    """The modules in `peers/`."""
    return sorted(path.stem for path in (HERE / "peers").glob("*.py") if not path.stem.startswith("_"))


def find(name: str, setting: Setting) -> Peer:
    """The peer of one module; raises Missing."""
    found: Peer = import_module(f"bench.runtime.peers.{name}").peer(setting)
    return found


@contextmanager
def started(peers: list[Peer]) -> Iterator[None]:
    """All of them, ready; ended on leaving."""
    try:
        for peer in peers:
            peer.start()
            print(f"{peer.name}: ready after {peer.start_seconds:.2f} s", file=sys.stderr)
        yield
    finally:
        for peer in peers:
            peer.stop()

"""A real TorchServe, as its wheel carries it, with the container's own arguments, files and environment.

Only paths and ports are this machine's. It wants Java and PyTorch, so it has an environment of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from slipform.engines.base import Container
from slipform.engines.repository import MANIFEST
from slipform_runtime.fetch import fetch

from .real_triton import _free_ports as free_ports

PROGRAM = "SLIPFORM_TORCHSERVE"
"""The environment variable that names the program: ``torchserve`` of an environment that has PyTorch too."""


def find() -> Path | None:
    """The program, or None where nobody names one."""
    named = os.environ.get(PROGRAM)
    return Path(named).absolute() if named else None


@dataclass
class RunningTorchServe:
    """A server on free ports; ``ports`` are by the number that the container has."""

    made: Container
    process: subprocess.Popen[bytes]
    log: Path
    home: Path
    """Where it is started: in its image's home, which a pod can't write."""
    ports: Mapping[int, int]
    here: Mapping[str, str]
    environment: Mapping[str, str]

    def ask(self, path: str, body: bytes | None = None, port: int = 8080) -> tuple[int, bytes]:
        """Status and body of a GET, or of a POST of JSON; 0 where nobody answers."""
        request = Request(f"http://127.0.0.1:{self.ports[port]}{path}", body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except HTTPError as refused:
            return refused.code, refused.read()
        except (URLError, ConnectionError):
            return 0, b""

    def run(self, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """A command of the container, a probe or a hook, in its environment."""
        return subprocess.run(
            [localized(part, self.here) for part in command], env=self.environment, capture_output=True, text=True
        )

    def wait_until_started(self, seconds: float = 120) -> None:
        """As the kubelet does: by the startup probe."""
        self._wait(lambda: self.run(self.made.startup.command).returncode == 0, seconds)

    def wait_for_port(self, seconds: float = 120) -> None:
        """Until somebody answers, whatever it has loaded."""
        self._wait(lambda: self.ask("/ping")[0] != 0, seconds)

    def _wait(self, done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log.read_text())
            time.sleep(0.2)


@contextmanager
def running(made: Container, folder: Path) -> Iterator[RunningTorchServe]:
    """A server of the container, its models fetched as its pod's would be."""
    program = find()
    assert program is not None
    config, models, temporary, home = (folder / name for name in ("config", "models", "tmp", "home"))
    for each in (config, temporary, home):
        each.mkdir(parents=True)
    ports = dict(zip((8080, 8081, 8082, 7070, 7071), free_ports(5), strict=True))
    here = {"/etc/slipform": str(config), "/models": str(models), "/tmp": str(temporary)}
    numbers = {f":{old}": f":{new}" for old, new in ports.items()} | {"port=7070": f"port={ports[7070]}"}
    for name, text in made.files.items():
        (config / name).write_text(localized(text, numbers | (here if name.endswith(".properties") else {})))
    with (config / "config.properties").open("a") as settings:
        settings.write(f"grpc_management_port={ports[7071]}\n")
    fetch(config / MANIFEST, models)
    environment = {**os.environ, **{name: localized(value, here) for name, value in made.env.items()}}
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*made.command, *(localized(arg, here) for arg in made.args)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
        )
    server = RunningTorchServe(made, process, log, home, ports, here, environment)
    try:
        yield server
    finally:
        server.run(made.pre_stop)
        process.kill()
        process.wait()


def localized(text: str, places: Mapping[str, str]) -> str:
    """The text with each of the container's places as it is here; all at once, since one may be in another."""
    found = "|".join(re.escape(old) for old in places)
    return re.sub(found, lambda place: places[place[0]], text) if found else text

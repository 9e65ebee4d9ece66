"""Real MLflow and BentoML servers, started as their engines say: in an environment of their own, on a free port.

``make test-servers`` makes the environment. What containers have in ``/models`` and ``/tmp`` is below the test's own
folder here; the rest of the command and of the environment is the engine's answer.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from slipform.engines.base import Container
from slipform.engines.metrics import Measure

ROOT = Path(__file__).parents[2]
CHOSEN = "SLIPFORM_SERVERS"
"""Names the environment, which must then be there."""
WAIT_SECONDS = 120
"""For what comes within a second or two, on the slowest machine."""
MAKE = Path(__file__).parent / "servers"
"""Scripts that run in the servers' environment: models for these tests."""


def environment() -> Path:
    """The environment's folder of programs. Skips where there is none; fails where one is named and lacks them."""
    chosen = os.environ.get(CHOSEN)
    programs = Path(chosen or ROOT / ".venv-servers") / "bin"
    if (programs / "bentoml").exists() and (programs / "mlflow").exists():
        return programs
    text = f"needs MLflow and BentoML in {programs}: make test-servers"
    if chosen:
        pytest.fail(text)
    pytest.skip(text)


def make(script: str, folder: Path) -> None:
    """A model as its framework saves it, in ``folder``."""
    programs = environment()
    command = [str(programs / "python"), str(MAKE / script), str(folder)]
    made = subprocess.run(command, env=_variables(programs, folder.parent), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr


class Gate:
    """What the models of these tests wait for: files, by which a test knows where they are and lets them go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def open(self, name: str) -> None:
        (self.folder / name).touch()

    def count(self, pattern: str) -> int:
        return len(list(self.folder.glob(pattern)))


class Running:
    """A server that answers, or is about to."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def ask(self, path: str, body: bytes | None = None, seconds: float = WAIT_SECONDS) -> tuple[int, bytes]:
        """Status and body; 0 where nobody answers in time. A body makes it a POST of JSON."""
        headers = {"content-type": "application/json"} if body is not None else {}
        request = Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers)
        try:
            with urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.read()
        except HTTPError as refused:
            return refused.code, refused.read()
        except (OSError, HTTPException):
            return 0, b""

    def accepts(self) -> bool:
        """Whether somebody takes connections, whatever is said on them."""
        with socket.socket() as connection:
            connection.settimeout(WAIT_SECONDS)
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def until(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not happened():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def ready(self, path: str | None) -> Running:
        assert path is not None
        self.until(lambda: self.alive() and self.ask(path, seconds=5)[0] == 200)
        return self

    def alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return True

    def hears(self, number: signal.Signals) -> bool:
        """Whether the process has a handler: of a signal without one a container's first process knows nothing."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [caught] = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
        return bool(int(caught, 16) >> (number - 1) & 1)


@contextmanager
def running(made: Container, folder: Path, models: Path, **variables: str) -> Iterator[Running]:
    """A server with the container's own command; ``models`` stands for ``/models``."""
    programs, port = environment(), _free_port()
    places = {"/models": str(models), "/tmp": str(folder), "0.0.0.0": "127.0.0.1"}
    [number] = [each.number for each in made.ports]

    def here(text: str) -> str:
        text = re.sub(
            rf"(?<![\w/.])({'|'.join(map(re.escape, places))})(?![\w.])", lambda found: places[found[0]], text
        )
        return text.replace(f"--port={number}", f"--port={port}")

    env = {name: here(text) for name, text in made.env.items()}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(programs / made.command[0]), *(here(each) for each in (*made.command[1:], *made.args))],
            env={**_variables(programs, folder), **env, **variables},
            cwd="/",
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, port, log)
    finally:
        # All of its workers, which may outlive it where a test ended it too early.
        for each in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, each)
                process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


@contextmanager
def asking(server: Running, path: str, bodies: list[bytes]) -> Iterator[list[Any]]:
    """Requests that are under way while the block runs; their answers' futures."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        yield [pool.submit(server.ask, path, body) for body in bodies]


def loads(exposition: str, job: str) -> list[dict[str, str]]:
    """What was scraped, as promtool's series that rise from 0 within ten minutes, with the labels of a scrape."""
    found = []
    for line in exposition.splitlines():
        if sample := re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line):
            metric, labels, value = sample.groups()
            scraped = f'{labels},namespace="models",pod="a",job="{job}"'
            found.append({"series": f"{metric}{{{scraped}}}", "values": f"0+{float(value) * 15:g}x40"})
    return found


def metrics_of(measure: Measure) -> set[str]:
    return set(re.findall(r"([a-z_]+)\{", measure.query))


def _variables(programs: Path, folder: Path) -> dict[str, str]:
    """Of the image: where its programs are; nothing of this process' own."""
    places = {"TMPDIR": str(folder), "HOME": str(folder), "BENTOML_HOME": str(folder / "bentoml")}
    return {"PATH": f"{programs}:/usr/bin:/bin", "BENTOML_DO_NOT_TRACK": "True", **places}


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port

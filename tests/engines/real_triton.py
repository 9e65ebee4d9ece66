"""A real Triton, as the nvidia-pytriton wheel carries it: its own server and core, with the Python backend alone.

So models are Python files here, whatever their spec says; everything else in their ``config.pbtxt`` is ours. Its
stubs know numpy 1 only, so what a model answers is of no use here, while loading, warming up and counting are real.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from slipform.engines.base import Container

RELEASE = "24.10"
"""Triton 2.51.0, in nvidia-pytriton 0.7.0."""

INSTALL = "pip install --no-deps nvidia-pytriton"

ECHO = """
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor("y", r.inputs()[0].as_numpy())]) for r in requests]
"""


@dataclass(frozen=True)
class Installed:
    """Where the wheel's files are."""

    package: Path
    libraries: Path

    @property
    def program(self) -> Path:
        return self.package / "tritonserver" / "bin" / "tritonserver"


def find() -> Installed | None:
    """The server, or None where the wheel is not installed."""
    try:
        folder = Path(str(distribution("nvidia-pytriton").locate_file("")))
    except PackageNotFoundError:
        return None
    return Installed(folder / "pytriton", folder / "nvidia_pytriton.libs")


class RunningTriton:
    """A server on free ports, asked over HTTP."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, ports: dict[str, int]) -> None:
        self.process, self.log, self.ports = process, log, ports

    def get(self, path: str, port: str = "http") -> tuple[int, bytes]:
        """Status and body; 0 where nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except HTTPError as refused:
            return refused.code, refused.read()
        except URLError:
            return 0, b""

    def wait(self, path: str, seconds: float = 60) -> None:
        """Until ``path`` answers 200."""
        end = time.monotonic() + seconds
        while self.get(path)[0] != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(self.log.read_text())
            time.sleep(0.1)


@contextmanager
def running(made: Container, folder: Path) -> Iterator[RunningTriton]:
    """A server with the container's own arguments and configs."""
    found = find()
    assert found is not None
    repository, backends = folder / "models", folder / "backends"
    _put_models(made, repository)
    shutil.copytree(found.package / "tritonserver" / "backends", backends)
    stub = Path("python_backend_stubs") / f"3.{sys.version_info.minor}" / "triton_python_backend_stub"
    shutil.copy(found.package / "tritonserver" / stub, backends / "python")
    for program in (backends / "python" / stub.name, found.program):
        program.chmod(0o755)
    ports = dict(zip(("http", "grpc", "metrics"), _free_ports(3), strict=True))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(found.program),
                *_here(made.args[1:], repository, ports),
                f"--backend-directory={backends}",
                f"--cache-directory={found.package / 'tritonserver' / 'caches'}",
            ],
            env=_environment(found),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield RunningTriton(process, log, ports)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _put_models(made: Container, repository: Path) -> None:
    for name, text in made.files.items():
        if not name.endswith(".config.pbtxt"):
            continue
        config: Any = text_format.Parse(text, ModelConfig())
        folder = repository / config.name / str(config.version_policy.specific.versions[0])
        folder.mkdir(parents=True)
        if not config.HasField("ensemble_scheduling"):
            config.backend, config.platform, config.default_model_filename = "python", "", "model.py"
            (folder / "model.py").write_text(ECHO)
        (folder.parent / "config.pbtxt").write_text(text_format.MessageToString(config))


def _here(args: tuple[str, ...], repository: Path, ports: dict[str, int]) -> list[str]:
    ours = {"--model-repository": str(repository)} | {f"--{name}-port": str(port) for name, port in ports.items()}
    return [f"{name}={ours.get(name, value)}" for name, _, value in (arg.partition("=") for arg in args)]


def _environment(found: Installed) -> dict[str, str]:
    numpy = Path(str(distribution("numpy").locate_file("")))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "LD_LIBRARY_PATH": str(found.libraries), "PATH": path, "PYTHONPATH": str(numpy)}


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports

"""An environment as a user has it after `pip install 'slipform[serve]'`: both wheels, and nothing of this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipform.cli.runtime import ports_when_ready

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment; ``bin`` is what stands first on its PATH."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    def variables(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("SLIPFORM_STACK", "PYTHONPATH")}
        return {**kept, "PATH": f"{self.bin}{os.pathsep}{kept['PATH']}", "COLUMNS": "120", **more}

    def slipform(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.bin / "slipform", *arguments],
            cwd=cwd,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def install(self, *packages: Path) -> None:
        """Without dependencies, and so without a network."""
        self._pip("install", "--no-deps", "--no-index", "--no-build-isolation", *packages)

    def uninstall(self, package: str) -> None:
        self._pip("uninstall", "--yes", package)

    def _pip(self, command: str, *arguments: object) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "--disable-pip-version-check"]
        succeed(*pip, command, "--quiet", *arguments)

    @contextmanager
    def serving(self, *arguments: str, cwd: Path) -> Iterator[int]:
        """The HTTP port of a server that is ready."""
        command = [
            str(self.bin / "slipform"),
            "serve",
            *arguments,
            "--http-port=0",
            "--grpc-port=0",
            "--metrics-port=0",
        ]
        with subprocess.Popen(command, cwd=cwd, env=self.variables(), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ready = ports_when_ready(process.stdout)
                assert ready is not None, "ended before it was ready"
                yield ready["http"]
            finally:
                process.terminate()
                process.stdout.read()
        assert process.returncode == 0


def made(folder: Path) -> Environment:
    """The environment; what the two wheels depend on comes from the one that runs the tests."""
    wheels = folder / "wheels"
    for source in (ROOT, ROOT / "runtime"):
        succeed(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, source)
    venv.create(folder / "env", symlinks=True)
    environment = Environment(folder / "env")
    (site,) = (environment.folder / "lib").glob("python*/site-packages")
    # As a plain entry of sys.path: .pth files in it, by which this checkout is installed, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    environment.install(*wheels.glob("*.whl"))
    return environment


def succeed(*command: object, cwd: Path | None = None) -> str:
    """What a command printed; it has to end well."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path, message: str = "a commit") -> None:
    """All that is in the folder."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    if not (folder / ".git").exists():
        succeed("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    succeed("git", "add", "--all", cwd=folder)
    succeed("git", *who, "commit", "--quiet", "--message", message, cwd=folder)


def post(port: int, path: str, body: object) -> Any:
    request = urllib.request.Request(f"http://localhost:{port}{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())

"""Runs an image's command in namespaces of its own, and speaks to it from inside its network."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.image import enter

_NAMESPACES = ("--fork", "--pid", "--mount", "--net", "--ipc", "--uts")
_PATIENCE_SECONDS = 60


class Container:
    """A running container; `log` holds what it wrote."""

    def __init__(
        self, root: Path, config: Mapping[str, Any], volumes: Mapping[Path, str], log: Path, user: int | None = None
    ) -> None:
        uid, _, gid = config["User"].partition(":")
        given = {
            "root": str(root),
            "volumes": {str(path): place for path, place in volumes.items()},
            "user": user or int(uid),
            "group": user or int(gid),
            "command": [*config["Entrypoint"], *config["Cmd"]],
            "environment": dict(line.split("=", 1) for line in config["Env"]),
        }
        self.config, self._log = config, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["unshare", *_NAMESPACES, sys.executable, enter.__file__, json.dumps(given)],
                stdout=subprocess.PIPE,
                stderr=output,
            )

    def event(self, name: str) -> dict[str, Any]:
        """The next event of this name in the server's log; one that does not say it in time is killed."""
        assert self._process.stdout is not None
        impatience = threading.Timer(_PATIENCE_SECONDS, self._kill)
        impatience.start()
        said = []
        try:
            for line in self._process.stdout:
                said.append(line.decode())
                found: dict[str, Any] = json.loads(line)
                if found["event"] == name:
                    return found
        finally:
            impatience.cancel()
        raise AssertionError(f"the container ended without {name}:\n{''.join(said)}{self._log.read_text()}")

    def inside(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command of this machine in the container's network."""
        return self._enter(["--net"], command)

    def execute(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command of the image in the container, as `docker exec` does."""
        uid, _, gid = self.config["User"].partition(":")
        environment = [line for line in self.config["Env"] if "=" in line]
        return self._enter(
            ["--net", "--pid", "--mount", "--root", "--wd", f"--setuid={uid}", f"--setgid={gid}"],
            ["env", "-i", *environment, *command],
        )

    @property
    def status(self) -> dict[str, str]:
        """What the kernel says of the server's process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def pid(self) -> int:
        """The server's process as this machine numbers it; inside it is 1."""
        parent = self._process.pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])

    def terminate(self) -> None:
        """What the kubelet sends first."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(30)

    def kill(self) -> None:
        """End it in any case."""
        self._kill()
        self._process.communicate()

    def _kill(self) -> None:
        """Process 1, and with it everything in its namespace; `unshare` alone the server would outlive."""
        with suppress(ProcessLookupError, FileNotFoundError, IndexError):
            os.kill(self.pid, signal.SIGKILL)

    def _enter(self, options: Sequence[str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", *options, "--", *command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

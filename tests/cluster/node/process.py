"""A container's process: started in its folder and environment, asked to end, killed with all that it started."""

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import processes

SHORTEST_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL that a kubelet leaves, whatever the hook took."""


@dataclass(frozen=True)
class Surroundings:
    """What a container's processes have in common."""

    environment: dict[str, str]
    folder: Path
    log: Path


class Process:
    """One run of a container."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        self.pid = program.pid
        self._program = program
        self.ended = asyncio.create_task(self._wait())

    async def _wait(self) -> int:
        code = await self._program.wait()
        self._signal_all(signal.SIGKILL)  # nothing of a container outlives its first process
        return 128 - code if code < 0 else code

    async def end(self, grace: float) -> int:
        """SIGTERM to the first process, SIGKILL to all after the grace period; its exit code."""
        if not self.ended.done():
            self._program.terminate()
            await asyncio.wait([self.ended], timeout=max(grace, SHORTEST_GRACE))
        return await self.kill()

    async def kill(self) -> int:
        self._signal_all(signal.SIGKILL)
        return await self.ended

    def _signal_all(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


async def start(command: Sequence[str], surroundings: Surroundings) -> Process:
    """Starts a command as the leader of a process group, which dies with this program.

    Raises:
        OSError: the command is not there or is no program.
    """
    if shutil.which(command[0], path=surroundings.environment.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    with surroundings.log.open("ab") as log:
        program = await asyncio.create_subprocess_exec(
            *processes.dying_with_parent(command), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=surroundings.environment, cwd=surroundings.folder, start_new_session=True,
        )  # fmt: skip
    return Process(program)

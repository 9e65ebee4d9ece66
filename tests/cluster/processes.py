"""Programs that run as long as the tests do, and never longer."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program as the leader of its own process group; on Linux it dies with this process."""
    with log.open("ab") as output:
        return subprocess.Popen(
            dying_with_parent(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env=env, cwd=cwd, start_new_session=True,
        )  # fmt: skip


def stop(*programs: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """Ends the whole process group of each program: asked first, killed where it does not listen."""
    for program in programs:
        _signal(program, signal.SIGTERM)
    deadline = time.monotonic() + patience
    for program in programs:
        with suppress(subprocess.TimeoutExpired):
            program.wait(max(0.0, deadline - time.monotonic()))
        _signal(program, signal.SIGKILL)
        program.wait()


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    program = start(command, log, env=env, cwd=cwd)
    try:
        yield program
    finally:
        stop(program)


def wait_until(
    ready: Callable[[], bool], programs: Mapping[str, subprocess.Popen[bytes]], logs: Path, timeout: float = 60.0
) -> None:
    """Waits for programs to become ready; says which one ended, with the end of its log, where one does."""
    deadline = time.monotonic() + timeout
    while not ready():
        for name, program in programs.items():
            if program.poll() is not None:
                raise RuntimeError(f"{name} ended with {program.returncode}:\n{tail(logs / f'{name}.log')}")
        if time.monotonic() > deadline:
            raise TimeoutError(
                "\n".join(f"{name}:\n{tail(logs / f'{name}.log')}" for name in programs)
                + f"\n{', '.join(programs)} not ready within {timeout:.0f} s"
            )
        time.sleep(0.05)


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _signal(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, number)


def dying_with_parent(command: Sequence[str | Path]) -> list[str]:
    """The command, begun by a program that has the kernel kill it when the thread that started it ends.

    Not by a function between fork and exec: with that Python runs the handlers of each library in the forked process,
    and gRPC's crash it while its threads are at work.
    """
    words = list(map(str, command))
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--", *words] if setpriv else words

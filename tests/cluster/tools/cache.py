"""The folder in which made tools are kept, outside the repository and keyed by version.

A tool's folder appears whole or not at all: it is made beside its place, under a lock, and renamed. What a
killed run left behind is removed by the next one to make the same tool.
"""

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "SLIPFORM_TOOLS"


def root() -> Path:
    """The folder that SLIPFORM_TOOLS names, or `slipform/tools` in the user's cache."""
    if configured := os.environ.get(VARIABLE):
        return Path(configured).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "slipform" / "tools"


def go_platform() -> tuple[str, str]:
    """This machine's operating system and architecture as Go names them, such as ("linux", "amd64")."""
    machine = platform.machine().lower()
    return platform.system().lower(), {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def folder(name: str, version: str) -> Path:
    return root() / "-".join([name, version, *go_platform()])


@contextmanager
def making(target: Path) -> Iterator[Path | None]:
    """An empty folder to make `target` in; None where another process has made it in the meantime."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            yield None
            return
        partial = target.parent / f".{target.name}.partial"
        remove(partial)
        partial.mkdir()
        try:
            yield partial
            partial.rename(target)
        finally:
            remove(partial)


def remove(tree: Path) -> None:
    """Removes a folder, also one that holds the read-only folders of a Go module cache."""
    if not tree.exists():
        return
    for directory, _, _ in os.walk(tree):
        Path(directory).chmod(0o755)
    shutil.rmtree(tree)

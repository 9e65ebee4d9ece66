"""Memory of running programs, as Linux tells it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVERY = 0.2


class Peak:
    """The most that was seen, in MiB."""

    mib = 0


@contextmanager
def peak_below(parent: int, *, without: frozenset[int] = frozenset()) -> Iterator[Peak]:
    """Watches all processes that descend from one, less those that `without` names with theirs."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            peak.mib = max(peak.mib, sum(map(resident, _descendants(parent, without))))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def resident(process: int) -> int:
    """MiB that a process holds now; 0 for one that is gone."""
    return _mib(process, "VmRSS")


def highest(process: int) -> int:
    """The most MiB that a process has ever held."""
    return _mib(process, "VmHWM")


def children(parent: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += map(int, tasks.read_text().split())
        except OSError:
            continue
    return found


def name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def _mib(process: int, what: str) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    held = next((line for line in status.splitlines() if line.startswith(f"{what}:")), f"{what}: 0 kB")
    return int(held.split()[1]) // 1024


def _descendants(parent: int, without: frozenset[int]) -> Iterator[int]:
    for child in children(parent):
        if child not in without:
            yield child
            yield from _descendants(child, without)

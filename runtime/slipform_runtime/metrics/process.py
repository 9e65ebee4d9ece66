"""The process itself, under the names that every Prometheus client library has, read off Linux' /proc."""

import os
from pathlib import Path
from time import time

# Of /proc/self/stat, from behind the program's name, which may have spaces (proc_pid_stat(5), from its field 3 on).
_USER_TICKS, _SYSTEM_TICKS, _STARTED_TICKS, _RESIDENT_PAGES = 11, 12, 19, 21


def process_lines() -> list[str]:
    """The metrics as text; none where there is no /proc."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return []
    tick = 1 / os.sysconf("SC_CLK_TCK")
    cpu = (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) * tick
    started = time() - uptime + int(fields[_STARTED_TICKS]) * tick
    resident = int(fields[_RESIDENT_PAGES]) * os.sysconf("SC_PAGE_SIZE")
    lines: list[str] = []
    for name, kind, meaning, value in (
        ("process_cpu_seconds_total", "counter", "User and system time in seconds.", f"{cpu:.2f}"),
        ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", f"{started:.2f}"),
        ("process_resident_memory_bytes", "gauge", "Memory that the process has in use.", resident),
        ("process_open_fds", "gauge", "Open files and sockets.", files),
    ):
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", f"{name} {value}"]
    return lines

"""How many CPUs this process may use: the cgroup's quota, which the core count does not show."""

import os
from math import ceil
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1 = Path("/sys/fs/cgroup/cpu")


def available_cpus() -> int:
    """At least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, ceil(_quota() or affinity)))


def _quota() -> float | None:
    try:
        if _V2.is_file():
            quota, period = _V2.read_text().split()
        else:
            quota = (_V1 / "cpu.cfs_quota_us").read_text().strip()
            period = (_V1 / "cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no cgroup, or `max`: no quota
        return None

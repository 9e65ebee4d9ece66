"""How many CPUs this process may use: the cgroup's quota, which the core count does not show, or what it is told.

A pod without a CPU limit has no quota, and on a large node would start a thread for each of its cores: `SLIPFORM_CPUS`
says what the pod asked for.
"""

import os
from math import ceil
from pathlib import Path

_V2 = Path("/sys/fs/cgroup/cpu.max")
_V1 = Path("/sys/fs/cgroup/cpu")


def available_cpus() -> int:
    """At least 1."""
    told = os.environ.get("SLIPFORM_CPUS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
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

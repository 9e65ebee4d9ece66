"""What this machine's processor and GPU are, as far as a build depends on them."""

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_DOT_PRODUCT = {"avx512_vnni", "avx_vnni", "asimddp", "amx_int8"}
_WORTH_NAMING = (*sorted(_DOT_PRODUCT), "avx2", "avx512f", "avx512_fp16", "avx512_bf16", "amx_bf16", "fphp", "i8mm")


def is_arm() -> bool:
    """Whether INT8 kernels want signed activations."""
    return platform.machine().lower() in ("arm64", "aarch64")


def has_int8_dot_product() -> bool:
    """Whether four 8-bit products are summed without saturation; without it, weights are kept to 7 bits."""
    return is_arm() or bool(_flags() & _DOT_PRODUCT)


def features() -> list[str]:
    """The instruction sets that the speed of a number format depends on."""
    return [name for name in _WORTH_NAMING if name in _flags()]


def name() -> str:
    """The processor's, as its maker calls it."""
    for line in _lines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """Of the machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def gpus() -> list[str]:
    """`name, driver, compute capability` of each NVIDIA GPU that the driver shows."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


@cache
def _flags() -> frozenset[str]:
    for line in _lines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


@cache
def _lines() -> tuple[str, ...]:
    try:
        return tuple(_CPUINFO.read_text().splitlines())
    except OSError:
        return ()

"""Prometheus' own judge of rule files and of what they do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and os.environ.get("CI") != "true",
    reason="promtool is not on PATH: it comes with Prometheus (Debian: apt-get install prometheus)",
)


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMTOOL or "promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def assert_passes(*arguments: str, cwd: Path) -> None:
    done = promtool(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr

"""A project of its own for each test, and the command as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this repository's program, stacks and specs."""
    for name in ("Pulumi.yaml", "stacks", "model_specs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "train"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.fixture
def slipform(project: Path) -> Run:
    """Runs the command in the project; NO_COLOR and 80 columns, as in a log."""

    def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "COLUMNS": "120", **environment}
        env.pop("SLIPFORM_STACK", None)
        command = [sys.executable, "-m", "slipform.cli.main", *arguments]
        return subprocess.run(
            command, cwd=cwd or project, env={**env, **environment}, capture_output=True, text=True, timeout=120
        )

    return run

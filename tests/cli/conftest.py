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
SLIPFORM = (sys.executable, "-m", "slipform.cli.main")
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
    """Runs the command in the project, on 120 columns; a variable that is None is unset."""

    def run(*arguments: str, cwd: Path | None = None, **variables: str | None) -> subprocess.CompletedProcess[str]:
        wanted = {**os.environ, "COLUMNS": "120", "SLIPFORM_STACK": None, **variables}
        environment = {name: value for name, value in wanted.items() if value is not None}
        return subprocess.run(
            [*SLIPFORM, *arguments],
            cwd=cwd or project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run

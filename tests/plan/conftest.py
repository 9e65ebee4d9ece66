"""Small Pulumi projects, planned for real: each run is a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from slipform import plan

PROJECTS = Path(__file__).parent / "projects"

Plan = Callable[..., plan.Graph]


@pytest.fixture
def write_project(tmp_path: Path) -> Callable[..., Path]:
    """Writes a project: the program's text, the stack config's, further files by their path."""

    def write(program: str, *, config: str = "", pulumi_yaml: str = "", **files: str) -> Path:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        (root / "Pulumi.yaml").write_text(dedent(pulumi_yaml) or "name: shop\nruntime: python\n")
        (root / "__main__.py").write_text(dedent(program))
        (root / "Pulumi.dev.yaml").write_text(dedent(config))
        for name, text in files.items():
            (root / f"{name}.py").write_text(dedent(text))
        return root

    return write


@pytest.fixture
def planned(write_project: Callable[..., Path]) -> Plan:
    """The graph of a program's text, stack dev."""

    def run(program: str, **files: Any) -> plan.Graph:
        return plan.run(write_project(program, **files), "dev")

    return run


@pytest.fixture(scope="session")
def models_dev() -> plan.Graph:
    """The project `models`: two models three components deep, on Kubernetes."""
    return plan.run(PROJECTS / "models", "dev")

"""Pulumi.yaml: which program there is, where it runs, and with which Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import project_file
from ..spec.findings import SlipformError
from . import yaml12
from .errors import ProjectError


@dataclass(frozen=True)
class Project:
    """A Pulumi project. `root` is the folder of its Pulumi.yaml; all paths are absolute.

    `virtualenv` is the environment that Pulumi.yaml names, or None; it may not be there.
    `config` is the project's own `config` block.
    """

    name: str
    root: Path
    file: Path
    program: Path
    stack_config_dir: Path
    virtualenv: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def stack_file(self, stack: str) -> Path:
        return project_file.stack_file(self.stack_config_dir, self.file, stack)

    def stacks(self) -> list[str]:
        """The names of all stacks that have a config file."""
        return list(project_file.stack_files(self.stack_config_dir, self.file))

    def python(self) -> tuple[Path, str]:
        """The interpreter for the program, and a remark where it is not the one that Pulumi.yaml names."""
        if self.virtualenv is None:
            return Path(sys.executable), ""
        folder, executable = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        python = self.virtualenv / folder / executable
        if python.is_file():
            return python, ""
        named = os.path.relpath(self.virtualenv, self.root)
        return Path(
            sys.executable
        ), f"{self.file.name} names the environment {named}, which is not there: ran under {sys.prefix}"


def find(start: Path) -> Project:
    """The project that `start` (a folder, or Pulumi.yaml itself) lies in, found by walking up."""
    try:
        file = project_file.find(start)
    except SlipformError as error:
        raise ProjectError(str(error)) from None
    return read(file)


def read(file: Path) -> Project:
    document = yaml12.load(file)
    root = file.parent
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectError(f"{file}: `name` is missing; a project has a name, e.g. `name: models`")
    runtime, options = _runtime(file, document.get("runtime"))
    if runtime != "python":
        raise ProjectError(f"{file}: the runtime is {runtime}; only Python programs can be planned")
    config = document.get("config") or {}
    if isinstance(config, str):  # the old spelling of stackConfigDir
        config = {}
    if not isinstance(config, Mapping):
        raise ProjectError(f"{file}: `config` must be a mapping")
    return Project(
        name=name,
        root=root,
        file=file,
        program=_program(file, root / str(document.get("main") or ".")),
        stack_config_dir=project_file.stack_config_dir(file, document),
        virtualenv=_virtualenv(root, options),
        config=config,
    )


def _runtime(file: Path, runtime: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(runtime, str):
        return runtime, {}
    if isinstance(runtime, Mapping) and isinstance(runtime.get("name"), str):
        options = runtime.get("options") or {}
        return runtime["name"], options if isinstance(options, Mapping) else {}
    raise ProjectError(f"{file}: `runtime` is missing; write `runtime: python`")


def _program(file: Path, program: Path) -> Path:
    program = program.resolve()
    if not program.exists():
        raise ProjectError(f"{file}: `main` names {program}, which does not exist")
    if program.is_dir() and not (program / "__main__.py").is_file():
        raise ProjectError(f"{file}: the program's folder {program} has no __main__.py")
    return program


def _virtualenv(root: Path, options: Mapping[str, Any]) -> Path | None:
    named = options.get("virtualenv")
    if not named and options.get("toolchain") == "uv":
        named = ".venv"
    return root / str(named) if named else None

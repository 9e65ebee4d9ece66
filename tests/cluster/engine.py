"""The Pulumi CLI on a stack of its own: file backend, its own home, nothing of the user's."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import processes, tools

REPOSITORY = Path(__file__).parents[2]
TOOLS = ("pulumi", "pulumi-language-python")


class EngineError(Exception):
    """The engine ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Outcome:
    """What the engine did or would do, by its own event log: {urn: operation}, those with "same" too.

    A replacement has three steps; "replace" stands for them all.
    """

    steps: dict[str, str]
    log: str

    @property
    def operations(self) -> dict[str, str]:
        """Without what stays the same."""
        return {urn: operation for urn, operation in self.steps.items() if operation != "same"}


class Engine:
    """One project with one stack; a command may take `patience` seconds. `settings` are variables of the engine."""

    def __init__(
        self, project: Path, stack: str, folder: Path, *,
        patience: float = 900.0, settings: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.project, self.stack = project, stack
        self._patience = patience
        self._environment = _environment(folder) | dict(settings or {})
        self._folder = folder
        self._run("stack", "init")

    def preview(self) -> Outcome:
        return self._change("preview")

    def up(self) -> Outcome:
        return self._change("up", "--yes", "--skip-preview")

    def refresh(self) -> None:
        """Takes the objects as they are into the state; what that means, the next preview says."""
        self._run("refresh", "--yes", "--skip-preview", "--non-interactive")

    def destroy(self) -> Outcome:
        return self._change("destroy", "--yes", "--skip-preview")

    def state(self) -> list[dict[str, Any]]:
        """The resources in the stack's state."""
        deployment = json.loads(self._run("stack", "export"))["deployment"]
        resources: list[dict[str, Any]] = deployment.get("resources", [])
        return resources

    def _change(self, command: str, *arguments: str) -> Outcome:
        events = self._folder / f"{command}.events"
        events.unlink(missing_ok=True)
        log = self._run(command, *arguments, "--non-interactive", "--event-log", str(events))
        return Outcome(_steps(events), log)

    def _run(self, *arguments: str) -> str:
        output = self._folder / "output"
        output.unlink(missing_ok=True)
        command = ["pulumi", *arguments, "--stack", self.stack]
        with processes.running(command, output, env=self._environment, cwd=self.project) as program:
            code = program.wait(timeout=self._patience)
        said = output.read_text()
        if code != 0:
            raise EngineError(f"pulumi {' '.join(arguments)} ended with {code}\n{said}")
        return said


def _environment(folder: Path) -> dict[str, str]:
    programs = folder / "programs"
    programs.mkdir()
    for name in TOOLS:
        (programs / name).symlink_to(tools.ensure(name))
    # The real Kubernetes plugin reaches the test's API server; the real AWS plugin would reach AWS.
    _write_stand_in(programs, "aws")
    if real_plugin("kubernetes") is None:
        _write_stand_in(programs, "kubernetes")
    home, backend = folder / "pulumi", folder / "state"
    backend.mkdir()
    return {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")} | {
        # The language host takes the first `python` of PATH.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(programs), os.environ["PATH"]]),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_DEBUG_COMMANDS": "true",  # unlocks --event-log
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
    }


def _write_stand_in(folder: Path, package: str) -> None:
    plugin = folder / f"pulumi-resource-{package}"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.cluster.standin.{package} "$@"\n')
    plugin.chmod(0o755)


def real_plugin(package: str) -> Path | None:
    """Pulumi's own plugin of a package, where this machine has it."""
    if on_path := shutil.which(f"pulumi-resource-{package}"):
        return Path(on_path)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return next(iter(sorted(home.glob(f"plugins/resource-{package}-v*/pulumi-resource-{package}"))), None)


def _steps(events: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in events.read_text().splitlines():
        metadata = json.loads(line).get("resourcePreEvent", {}).get("metadata", {})
        if metadata.get("op") in ("same", "create", "update", "delete", "replace"):
            found[metadata["urn"]] = metadata["op"]
    return found

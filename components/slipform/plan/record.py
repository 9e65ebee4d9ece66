"""Runs a project's program and answers the graph of what it registers.

Always in a process of its own, under the Python that Pulumi.yaml names. In our own process a run would be a little
cheaper and never clean: Pulumi keeps its settings, its event loop and its thread pools in globals, the program's
modules would stay imported, and a program that ends the process would end us.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..project import COST, ONLY, SERVERS
from . import stack_config
from .errors import DuplicateUrnError, ProgramError
from .graph import Graph, make
from .project import Project, find
from .recorder.job import Job
from .stack_config import StackConfig

_RECORDER = Path(__file__).parent / "recorder"
# Imports the folder as a package under a name of its own, whatever that environment knows as `slipform`.
_BOOTSTRAP = """\
import importlib.util, os, sys
place = os.path.join(sys.argv[1], "__init__.py")
spec = importlib.util.spec_from_file_location("_slipform_recorder", place, submodule_search_locations=[sys.argv[1]])
package = sys.modules["_slipform_recorder"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from _slipform_recorder.process import main
main()
"""


def run(
    project: Path,
    stack: str,
    *,
    only: Sequence[Path] | None = None,
    fingerprint_key: bytes | None = None,
    python: Path | None = None,
) -> Graph:
    """Plans one stack of the project that the folder `project` lies in.

    `only` names the spec files that the program shall take in place of all. Two graphs' secrets compare where both
    were made with one `fingerprint_key`. `python` overrides Pulumi.yaml's environment.

    What the program prints goes to standard error. Raises ProjectError and ProgramError.
    """
    with start(find(project), stack, only=only, fingerprint_key=fingerprint_key, python=python) as running:
        graph = running.finish()
    sys.stderr.write(running.printed)
    return graph


def start(
    project: Project,
    stack: str,
    *,
    only: Sequence[Path] | None = None,
    servers: Collection[str] | None = None,
    fingerprint_key: bytes | None = None,
    python: Path | None = None,
    moved: Sequence[tuple[Path, Path]] = (),
) -> Running:
    """Starts a run and does not wait for it.

    `servers` names those that the program shall make, though it reads all specs; None all. `moved` is for another copy
    of a checkout: packages that are installed from the first folder are imported from the second.
    """
    interpreter, remark = (python, "") if python else project.python()
    config = stack_config.read(project, stack)
    job = _job(project, stack, config, fingerprint_key or secrets.token_bytes(16), moved)
    remarks = [text for text in (remark, *config.remarks) if text]
    return Running(interpreter, job, _environment(only, servers), remarks)


def _job(
    project: Project, stack: str, config: StackConfig, fingerprint_key: bytes, moved: Sequence[tuple[Path, Path]]
) -> Job:
    return {
        "program": str(project.program),
        "root": str(project.root),
        "project": project.name,
        "stack": stack.rpartition("/")[2],
        "organization": stack.split("/")[0] if "/" in stack else "organization",
        "config": dict(config.values),
        "secret_keys": list(config.secret_keys),
        "fingerprint_key": fingerprint_key.hex(),
        "moved": [[str(old), str(new)] for old, new in moved],
    }


class Running:
    """A program's process. Leaving the `with` block ends it, whatever happened; `printed` is what it wrote."""

    def __init__(self, python: Path, job: Job, environment: Mapping[str, str], remarks: Sequence[str]) -> None:
        self.printed = ""
        self._python, self._job, self._remarks = python, job, remarks
        descriptor, cost = tempfile.mkstemp(prefix="slipform-cost-")
        os.close(descriptor)
        self._cost = Path(cost)
        try:
            self._process = subprocess.Popen(
                [str(python), "-c", _BOOTSTRAP, str(_RECORDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**environment, COST: cost},
            )
        except OSError as error:
            self._cost.unlink(missing_ok=True)
            raise ProgramError(f"the program's Python cannot be started: {python}: {error.strerror}") from error
        # Now, not with `communicate`: two runs that are started together shall run together.
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
                stdin.write(json.dumps(job))
            self._process.stdin = None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        self._cost.unlink(missing_ok=True)

    def finish(self) -> Graph:
        """Waits for the answer. Raises ProgramError where the program failed."""
        written, self.printed = self._process.communicate()
        try:
            answer = json.loads(written)
        except json.JSONDecodeError:
            raise ProgramError(
                f"the program {self._end()} before it was done\n{self.printed.rstrip()}", output=self.printed
            ) from None
        if failure := answer.get("failure"):
            raise self._error(failure)
        messages = [*answer["messages"], *({"severity": "info", "text": text} for text in self._remarks)]
        return make(
            self._job["project"], self._job["stack"], answer["resources"], answer["outputs"], messages, self._costs()
        )

    def _costs(self) -> dict[str, Any] | None:
        """What a program of Slipform's wrote; another one writes nothing."""
        text = self._cost.read_text(encoding="utf-8")
        return json.loads(text) if text else None

    def _end(self) -> str:
        code = self._process.returncode
        return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"

    def _error(self, failure: Mapping[str, str]) -> ProgramError:
        message, kind = failure["message"], failure["kind"]
        if kind == "duplicate":
            return DuplicateUrnError(message, output=self.printed)
        if kind == "no-pulumi":
            return ProgramError(
                f"the program's Python has no Pulumi: {message}\ninstall it there: {self._python} -m pip install pulumi"
            )
        if kind == "raised":
            where = self._job["program"]
            text = f"the program {where} raised {message}"
            return ProgramError(text, traceback=failure["traceback"], output=self.printed)
        return ProgramError(message, output=self.printed)


def _environment(only: Sequence[Path] | None, servers: Collection[str] | None) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in (ONLY, SERVERS)}
    if servers is not None:
        environment[SERVERS] = ",".join(sorted(servers))
    if only is not None:
        environment[ONLY] = os.pathsep.join(str(path.resolve()) for path in only)
    return environment

"""Runs a project's program and answers the graph of what it registers.

Always in a process of its own, under the Python that Pulumi.yaml names. In our own process a run would be a little
cheaper and never clean: Pulumi keeps its settings, its event loop and its thread pools in globals, the program's
modules would stay imported, and a program that ends the process would end us.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import stack_config
from .errors import DuplicateUrnError, ProgramError
from .graph import Graph, make
from .project import Project, find

ONLY = "SLIPFORM_ONLY"

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
    moved: Sequence[tuple[Path, Path]] = (),
) -> Graph:
    """Plans one stack of the project that the folder `project` lies in.

    `only` names the spec files that the program shall take in place of all. Two graphs' secrets compare where both
    were made with one `fingerprint_key`. `python` overrides Pulumi.yaml's environment. `moved` is for worktrees:
    packages that are installed from the first folder are imported from the second.

    What the program prints goes to standard error. Raises ProjectError and ProgramError.
    """
    found = find(project)
    config = stack_config.read(found, stack)
    interpreter, remark = (python, "") if python else found.python()
    job: dict[str, Any] = {
        "program": str(found.program),
        "root": str(found.root),
        "project": found.name,
        "stack": stack.rpartition("/")[2],
        "organization": stack.split("/")[0] if "/" in stack else "organization",
        "config": dict(config.values),
        "secret_keys": list(config.secret_keys),
        "fingerprint_key": (fingerprint_key or secrets.token_bytes(16)).hex(),
        "moved": [[str(old), str(new)] for old, new in moved],
    }
    answer, printed = _ask(interpreter, job, _environment(only))
    if failure := answer.get("failure"):
        raise _error(found, interpreter, failure, printed)
    if printed:
        sys.stderr.write(printed)
    remarks = [{"severity": "info", "text": text} for text in (remark, *config.remarks) if text]
    return make(found.name, job["stack"], answer["resources"], answer["outputs"], [*answer["messages"], *remarks])


def _environment(only: Sequence[Path] | None) -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop(ONLY, None)
    if only is not None:
        environment[ONLY] = os.pathsep.join(str(path.resolve()) for path in only)
    return environment


def _ask(python: Path, job: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The recorder's answer, and what the program printed."""
    command = [str(python), "-c", _BOOTSTRAP, str(_RECORDER)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
    except OSError as error:
        raise ProgramError(f"the program's Python cannot be started: {python}: {error.strerror}") from error
    with process:
        try:
            answer, printed = process.communicate(json.dumps(job))
        except BaseException:
            process.kill()
            raise
    try:
        return json.loads(answer), printed
    except json.JSONDecodeError:
        ended = (
            f"was ended by signal {-process.returncode}"
            if process.returncode < 0
            else f"ended with {process.returncode}"
        )
        raise ProgramError(f"the program {ended} before it was done\n{printed.rstrip()}", output=printed) from None


def _error(project: Project, python: Path, failure: Mapping[str, str], printed: str) -> ProgramError:
    message, kind = failure["message"], failure["kind"]
    if kind == "duplicate":
        return DuplicateUrnError(message, output=printed)
    if kind == "no-pulumi":
        return ProgramError(
            f"the program's Python has no Pulumi: {message}\ninstall it there: {python} -m pip install pulumi"
        )
    if kind == "raised":
        return ProgramError(
            f"the program {project.program} raised {message}", traceback=failure["traceback"], output=printed
        )
    return ProgramError(message, output=printed)

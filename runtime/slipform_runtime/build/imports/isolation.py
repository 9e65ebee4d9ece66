"""Conversion in a process of its own: without this one's credentials, and without network where the system lets us."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from slipform_runtime.build.errors import BuildError, Missing, ToolFailed
from slipform_runtime.build.manifest import TensorInfo

MISSING, FAILED = 5, 7
"""The child's exit codes, besides 0."""

_LIMIT_SECONDS = 1800
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")


def run_apart(kind: str, path: Path, target: Path, columns: TensorInfo, *, unpickled: bool) -> list[str]:
    """Write `target`; what was done. Raises Missing or ToolFailed with the child's words."""
    without_network = _without_network() if unpickled else []
    child = [sys.executable, "-m", "slipform_runtime.build.imports.child"]
    arguments = [kind, str(path), str(target), columns.name, str(columns.shape[0])]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(target.parent)}
    # The paths of this process, since a module that was found through them must be found there too.
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        ended = subprocess.run(
            [*without_network, *child, *arguments],
            capture_output=True, text=True, timeout=_LIMIT_SECONDS, env=environment, cwd=target.parent, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"reading {path.name} took over {_LIMIT_SECONDS} s") from error
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or [f"no word, and code {ended.returncode}"]
        kinds: dict[int, type[BuildError]] = {MISSING: Missing}
        raise kinds.get(ended.returncode, ToolFailed)(f"{path.name}: {said[0]}")
    steps: list[str] = json.loads(ended.stdout.splitlines()[-1])
    if unpickled:
        network = "without network" if without_network else "with network, which this system does not let us take away"
        steps.insert(0, f"unpickled in a process of its own, without credentials, {network}")
    return steps


def _without_network() -> list[str]:
    """A command in a network namespace with nothing in it; empty where that is not permitted."""
    unshare = shutil.which("unshare")
    for flags in (["--net"], ["--net", "--map-root-user"]) if unshare else ():
        command = [str(unshare), *flags]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return []

"""Conversion in a process of its own: without this one's credentials, and without network where the system lets us."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from slipform_runtime.build.errors import Missing, ToolFailed
from slipform_runtime.build.imports.wanted import Outcome, Wanted, encoded

_LIMIT_SECONDS = 1800
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
_EXTRAS = {"torchscript": "pytorch", "keras": "tensorflow"}
"""By format, where the extra has another name."""


def run_apart(wanted: Wanted, work: Path, *, unpickled: bool) -> list[str]:
    """Write `wanted.target`; what was done. Raises Missing or ToolFailed with the child's words."""
    asked, answered = work / "import.json", work / "imported.json"
    asked.write_bytes(encoded(wanted))
    alone = without_network()
    child = [sys.executable, "-m", "slipform_runtime.build.imports.child", str(asked), str(answered)]
    try:
        ended = subprocess.run(
            [*alone, *child],
            capture_output=True, text=True, errors="replace", timeout=_LIMIT_SECONDS,
            env=_environment(wanted, work), cwd=work, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"reading {wanted.path.name} took over {_LIMIT_SECONDS} s") from error
    if not answered.is_file():
        said = ended.stderr.strip().splitlines()[-1:] or ["no word"]
        raise ToolFailed(f"{wanted.path.name}: the process that read it ended with {ended.returncode}: {said[0]}")
    outcome = msgspec.json.decode(answered.read_bytes(), type=Outcome)
    if outcome.missing:
        extra = "coreml" if outcome.missing == "coremltools" else _EXTRAS.get(wanted.kind, wanted.kind)
        raise Missing(
            f"{wanted.path.name}: reading it needs the module '{outcome.missing}'; "
            f"install slipform-runtime[{extra}], or that module"
        )
    if outcome.error:
        raise ToolFailed(f"{wanted.path.name}: {outcome.error}")
    if not unpickled:
        return outcome.steps
    network = "without network" if alone else "with network, which this system does not let us take away"
    return [f"unpickled in a process of its own, without credentials, {network}", *outcome.steps]


def foreign_environment(work: Path) -> dict[str, str]:
    """What a program of another environment gets: nothing of this one's packages, nor of its credentials."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ and name != "PYTHONPATH"}
    return {**kept, **_QUIET, "HOME": str(work)}


def _environment(wanted: Wanted, work: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # The paths of this process, since a module that was found through them must be found there too.
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    # PyTorch tries a pickle's way where its safe one fails, unless it is told not to.
    safe = {} if wanted.trusted else {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    return {**kept, **_QUIET, **safe, "HOME": str(work), "PYTHONPATH": paths}


def without_network() -> list[str]:
    """A command in a network namespace with nothing in it; empty where that is not permitted."""
    unshare = shutil.which("unshare")
    for flags in (["--net"], ["--net", "--map-root-user"]) if unshare else ():
        command = [str(unshare), *flags]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return []

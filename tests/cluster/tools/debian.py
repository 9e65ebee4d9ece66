"""Debian's packages, unpacked into a folder: nothing is installed, no service starts, root is not needed."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.tools.errors import Unavailable


def release() -> str:
    """This Debian's (or derivative's) release, such as "bookworm"; "none" where there is no apt-get."""
    if shutil.which("apt-get") is None:
        return "none"
    facts = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return facts.get("VERSION_CODENAME", "unknown").strip('"')


def unpack(packages: list[str], into: Path) -> None:
    """Downloads the packages with apt-get and lays their files out under `into`."""
    if shutil.which("apt-get") is None:
        raise Unavailable(f"apt-get is not on this machine, so {', '.join(packages)} cannot be fetched")
    _refresh_lists(packages)
    _run(["apt-get", "download", "-q", *packages], into)
    for archive in sorted(into.glob("*.deb")):
        _run(["dpkg-deb", "-x", archive.name, "."], into)
        archive.unlink()


def dependency(package: str, prefix: str) -> str:
    """The first package that `package` depends on whose name begins with `prefix`."""
    _refresh_lists([package])
    for line in _run(["apt-cache", "depends", package]).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith(prefix):
            return name
    raise Unavailable(f"the package {package} of this Debian depends on no {prefix}...")


def _refresh_lists(packages: list[str]) -> None:
    known = _run(["apt-cache", "policy", *packages])
    if known.count("Candidate:") == len(packages) and "Candidate: (none)" not in known:
        return
    if os.geteuid() != 0:
        raise Unavailable(f"apt does not know {', '.join(packages)}: run `apt-get update` as root first")
    _run(["apt-get", "update", "-q"])


def _run(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout

"""What the image stands on where no registry of images is reached: Debian with Python, made by debootstrap once.

`base.tar` has Python alone, `builder.tar` also pip and venv. They are kept beside the tools of the cluster's tests.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.tools import cache
from tests.cluster.tools.errors import Unavailable
from tests.cluster.tools.progress import step

SUITE = "bookworm"


@dataclass(frozen=True)
class Bases:
    """Root file systems as tar archives."""

    base: Path
    builder: Path


def bases() -> Bases:
    """The archives, made first where they are not on this machine."""
    target = cache.folder("debian-python", SUITE)
    if not target.is_dir():
        with step(f"debian {SUITE} with python: making it"), cache.making(target) as folder:
            if folder is not None:
                _make(folder)
    return Bases(target / "base.tar", target / "builder.tar")


def _make(folder: Path) -> None:
    root = folder / "root"
    try:
        _run("debootstrap", "--variant=minbase", "--include=python3", SUITE, root)
        _archive(root, folder / "base.tar")
        _run("chroot", root, "apt-get", "install", "-q", "-y", "--no-install-recommends", "python3-venv")
        _archive(root, folder / "builder.tar")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _archive(root: Path, to: Path) -> None:
    """Without the packages that apt fetched, which are of no more use."""
    _run("tar", "-C", root, "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "-cf", to, ".")


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(map(str, command))}` failed:\n{(done.stdout + done.stderr)[-3000:]}")

"""Debian's buildah: builds and opens images without a daemon, in a store of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.tools.errors import Unavailable

PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap"}
"""What is needed, with the Debian package that has it."""


def missing() -> list[str]:
    """Why no image can be built here; empty where one can."""
    reasons = [f"{program} is not on PATH" for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0:
        reasons.append("debootstrap and chroot need root")
    return reasons


def install() -> None:
    """Install what is missing, where there are root and apt-get."""
    packages = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"apt-get {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


class Buildah:
    """One store of images, by overlays where the kernel has them and else by copies. It needs nothing else but root."""

    def __init__(self, store: Path) -> None:
        self._options = ["--root", str(store / "root"), "--runroot", str(store / "run")]
        self._overlays = store / "root" / "overlay"

    def imported(self, archive: Path, name: str) -> str:
        """An image of one layer, made from the tar of a root file system."""
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(archive), "/")
        self._run("commit", "--quiet", container, name)
        self._run("rm", container)
        return f"localhost/{name}"

    def built(self, context: Path, target: str, arguments: Mapping[str, str], secrets: Mapping[str, Path]) -> str:
        """A target of the context's Dockerfile, in Docker's format, since OCI's knows no health check."""
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options += [f"--secret=id={name},src={path}" for name, path in secrets.items()]
        name = f"slipform-runtime-{target}"
        self._run(
            "bud", "--format", "docker", "--isolation", "chroot", "--network", "host", "--target", target,
            *options, "-t", name, str(context),
        )  # fmt: skip
        return f"localhost/{name}"

    def inspected(self, image: str) -> dict[str, Any]:
        """The image's configuration and history."""
        found: dict[str, Any] = json.loads(self._run("inspect", "--type", "image", image))["Docker"]
        return found

    def container(self, image: str) -> tuple[str, Path]:
        """A container's name, and the root file system that it would run on."""
        container = self._run("from", image)
        return container, Path(self._run("mount", container))

    def run(self, container: str, command: Sequence[str], volumes: Mapping[Path, str]) -> str:
        """Run a command in a container, as the image's user; its standard output."""
        options = [f"--volume={path}:{place}" for path, place in volumes.items()]
        return self._run("run", "--isolation", "chroot", *options, container, "--", *command)

    def removed(self) -> None:
        """Let go of every container's files, so that the store can be deleted."""
        self._run("rm", "--all")
        if self._overlays.is_mount():
            subprocess.run(["umount", "--recursive", self._overlays], check=True)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(["buildah", *self._options, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"buildah {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-6000:]}")
        return done.stdout.strip()

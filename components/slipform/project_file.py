"""Pulumi.yaml: where a project begins, and where its stacks' config is. The one place that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .spec.findings import SlipformError

NAMES = ("Pulumi.yaml", "Pulumi.yml")


def find(start: Path) -> Path:
    """The Pulumi.yaml of the project that ``start`` (a folder, or a file) lies in, found by walking up.

    Raises SlipformError where there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        if (file := file_in(folder)) is not None:
            return file
    raise SlipformError(
        f"no Pulumi.yaml in {start} or above it; "
        "run inside a project, name one with -C DIR, or write one with `slipform new DIR`"
    )


def file_in(folder: Path) -> Path | None:
    """A folder's own Pulumi.yaml."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def stack_config_dir(file: Path, settings: Mapping[str, Any]) -> Path:
    """The folder of the stacks' config; ``config: FOLDER`` is Pulumi's older way to say it."""
    older = settings.get("config")
    folder = settings.get("stackConfigDir") or (older if isinstance(older, str) else "")
    return (file.parent / str(folder)).resolve()


def stack_file(folder: Path, file: Path, stack: str) -> Path:
    """The config file of a stack, whether or not it is there; its name may be qualified, as ``org/project/stack``."""
    return folder / f"Pulumi.{stack.rpartition('/')[2]}{file.suffix}"


def stack_files(folder: Path, file: Path) -> dict[str, Path]:
    """The config files that are there, by their stacks' names."""
    found = sorted(folder.glob(f"Pulumi.*{file.suffix}"))
    return {each.name.removeprefix("Pulumi.").removesuffix(file.suffix): each for each in found}

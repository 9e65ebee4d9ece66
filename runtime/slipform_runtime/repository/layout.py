"""Triton's layout on disk: `<model>/<version>/<file>` and an optional `<model>/config.pbtxt`."""

import re
from pathlib import Path

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
NAME_RULE = "letters, digits, '_', '.' and '-', begins with a letter or digit, and has at most 128 of them"
_VERSION = re.compile(r"[1-9][0-9]{0,17}")

Fingerprint = dict[str, tuple[tuple[str, int, int], ...]]


def is_model_name(name: str) -> bool:
    """Whether a model can have this name: a plain folder name, so that no name leads out of the repository."""
    return _MODEL.fullmatch(name) is not None


def is_version(name: str) -> bool:
    """Whether this is a version: a positive decimal number without leading zeros."""
    return _VERSION.fullmatch(name) is not None


def model_names(root: Path) -> list[str]:
    """The models of a repository, sorted."""
    return sorted(folder.name for folder in root.iterdir() if folder.is_dir() and is_model_name(folder.name))


def odd_names(root: Path) -> list[str]:
    """The folders that are no models for their name alone, sorted; hidden ones are nobody's mistake."""
    return sorted(
        folder.name
        for folder in root.iterdir()
        if folder.is_dir() and not is_model_name(folder.name) and not folder.name.startswith((".", "lost+found"))
    )


def versions(model: Path) -> list[int]:
    """The versions on disk, rising. A folder whose name is no number (a temporary one, say) is no version."""
    return sorted(int(folder.name) for folder in model.iterdir() if folder.is_dir() and is_version(folder.name))


def fingerprint(model: Path) -> Fingerprint:
    """What is on disk, by version and `config` (with labels): (relative path, size, mtime in ns) of every file."""
    found = {"config": _files(model, sorted(model.iterdir()))}
    for version in versions(model):
        folder = model / str(version)
        found[str(version)] = _files(folder, sorted(folder.rglob("*")))
    return found


def _files(root: Path, paths: list[Path]) -> tuple[tuple[str, int, int], ...]:
    files = []
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:  # removed while we look
            continue
        if path.is_file():
            files.append((str(path.relative_to(root)), status.st_size, status.st_mtime_ns))
    return tuple(files)

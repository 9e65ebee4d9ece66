"""Writes a set of files into a folder as one step, and takes away only what it wrote itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import RenderError

LEDGER = ".slipform-rendered"
"""JSON without its ending, by which `kubectl apply -f DIR` would take it for a manifest."""
_BEFORE = ".slipform-rendered.json"
"""What the ledger was called; a folder that has it is ours as well."""
_FORMAT = "slipform.rendered/v1"


@dataclass(frozen=True)
class Written:
    """Paths relative to `directory`, sorted. `kept` were rendered before, then changed by hand: they are left."""

    directory: Path
    files: tuple[str, ...]
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def write(directory: Path, texts: Mapping[str, str]) -> Written:
    """Raises RenderError, with nothing changed, where a file would overwrite one that was not written by this."""
    try:
        return _write(directory, {path: text.encode() for path, text in texts.items()})
    except OSError as error:
        raise RenderError(f"{error.filename or directory} cannot be written: {error.strerror}") from error


def _write(directory: Path, contents: Mapping[str, bytes]) -> Written:
    if directory.exists() and not directory.is_dir():
        raise RenderError(f"{directory} is a file; give a folder to render into")
    before = _ledger(directory)
    foreign = [path for path in contents if (directory / path).exists() and path not in before]
    if foreign:
        raise RenderError(
            f"{directory / foreign[0]} exists and was not written by a render"
            f"{f' (and {len(foreign) - 1} more)' if len(foreign) > 1 else ''}; move it, or render into another folder"
        )
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    stale = [path for path in before if path not in contents and (directory / path).is_file()]
    removed = [path for path in stale if _digest(directory / path) == before[path]]
    kept = [path for path in stale if path not in removed]

    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for path, content in contents.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_bytes(content)
        _write_ledger(staging, digests)
        if not directory.exists():
            staging.chmod(0o777 & ~_umask())
            staging.rename(directory)
        else:
            _move_in(staging, directory, contents, {**before, **digests})
            for path in removed:
                _remove(directory, path)
            (staging / LEDGER).replace(directory / LEDGER)
            (directory / _BEFORE).unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Written(directory, tuple(sorted(contents)), tuple(sorted(removed)), tuple(sorted(kept)))


def _move_in(staging: Path, directory: Path, paths: Mapping[str, bytes], union: Mapping[str, str]) -> None:
    """The ledger of old and new files first: after a run that was killed half-way, the next knows them all as ours."""
    _write_ledger(directory, union)
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).replace(directory / path)


def _remove(directory: Path, path: str) -> None:
    (directory / path).unlink()
    folder = (directory / path).parent
    while folder != directory and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _ledger(directory: Path) -> dict[str, str]:
    """File to digest, of what an earlier render wrote. A ledger that cannot be read proves nothing: no file is ours."""
    name = LEDGER if (directory / LEDGER).exists() else _BEFORE
    try:
        ledger = json.loads((directory / name).read_text(encoding="utf-8"))
        files = dict(ledger["files"]) if ledger["format"] == _FORMAT else {}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return {}
    return {path: digest for path, digest in files.items() if _is_below(directory, path)}


def _is_below(directory: Path, path: str) -> bool:
    return (directory / path).resolve().is_relative_to(directory.resolve())


def _write_ledger(directory: Path, digests: Mapping[str, str]) -> None:
    document = {"format": _FORMAT, "files": dict(sorted(digests.items()))}
    text = json.dumps(document, indent=2) + "\n"
    temporary = directory / f"{LEDGER}.new"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(directory / LEDGER)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

"""A folder of this machine: written under another name, then renamed."""

import os
import shutil
import tempfile
from errno import EEXIST, ENOTEMPTY
from pathlib import Path
from time import time

from slipform_runtime.build.errors import CannotWrite
from slipform_runtime.build.report import REPORT

_ATTEMPTS = 100
"""So often may another build be quicker between two renames."""

_ABANDONED_SECONDS = 24 * 3600
"""Older unfinished folders were left by builds that were killed."""


class LocalStore:
    """Version folders below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.where = str(root)

    def report(self, version: int) -> bytes | None:
        """The version's."""
        file = self._root / str(version) / REPORT
        return file.read_bytes() if file.is_file() else None

    def check(self) -> None:
        """Make the folder, and write a byte to it."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root) as file:
                file.write(b"\0")
        except OSError as error:
            raise _cannot_write(self._root, error) from error

    def put(self, folder: Path, version: int, *, replace: bool) -> bool:
        """Copy, then rename; a server that looks meanwhile finds the old version or the new one."""
        target = self._root / str(version)
        self._remove_abandoned(version)
        try:
            with tempfile.TemporaryDirectory(prefix=f".{version}.partial-", dir=self._root) as scratch:
                partial = Path(scratch) / "new"
                shutil.copytree(folder, partial)
                _as_readable_as_the_report(partial)
                _to_disk(partial)
                placed = _rename(partial, target, Path(scratch) if replace else None)
            _sync(self._root)
        except OSError as error:
            raise _cannot_write(self._root, error) from error
        return placed

    def _remove_abandoned(self, version: int) -> None:
        for left in self._root.glob(f".{version}.partial-*"):
            try:
                if time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            except FileNotFoundError:  # its build has just ended
                continue


def _rename(partial: Path, target: Path, aside: Path | None) -> bool:
    """True where `partial` took the place; another build may take it at the same moment, and one of them wins."""
    for attempt in range(_ATTEMPTS):
        try:
            partial.rename(target)
            return True
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
            if aside is None:
                return False
            try:
                target.rename(aside / f"replaced-{attempt}")
            except FileNotFoundError:
                continue
    return False


def _as_readable_as_the_report(folder: Path) -> None:
    """Some writers of large weights let only their own user read; the report has what the umask says."""
    mode = (folder / REPORT).stat().st_mode
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def _to_disk(folder: Path) -> None:
    """A rename can reach the disk before the files that it is about."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(root: Path, error: OSError) -> CannotWrite:
    return CannotWrite(f"{root} can't be written: {error.strerror or error}; nothing was changed there")

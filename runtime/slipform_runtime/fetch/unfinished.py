"""The folder of a version that is not whole yet: hidden, one fetch's at a time, kept for the next try to go on with."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import time

from slipform_runtime.fetch.errors import UnreachableError
from slipform_runtime.fetch.manifest import ManifestVersion
from slipform_runtime.fetch.resuming import is_unfinished

_ABANDONED_SECONDS = 7 * 24 * 3600


@contextmanager
def unfinished(model: Path, version: ManifestVersion) -> Iterator[Path]:
    """A folder beside the versions, named by what is wanted; it is gone at the end, unless the store can't be reached
    or the process is killed: then what came so far stays."""
    _remove_abandoned(model)
    wanted = sha256(f"{version.source} {version.sha256}".encode()).hexdigest()[:12]
    folder = model / f".{version.version}.partial-{wanted}"
    with _alone(folder):
        if version.sha256 is None:
            _remove_what_nothing_verifies(folder)
        try:
            yield folder
        except UnreachableError:
            if not any(path.is_file() for path in folder.rglob("*")):
                shutil.rmtree(folder)
            raise
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt | SystemExit):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another fetch of the same to end; it may have taken the folder away meanwhile."""
    while True:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if folder.stat().st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _remove_what_nothing_verifies(folder: Path) -> None:
    """Without a digest a whole file may be of an older version; an unfinished one is checked when it is continued."""
    for path in folder.rglob("*"):
        if path.is_file() and not is_unfinished(path):
            path.unlink()


def _remove_abandoned(model: Path) -> None:
    for left in model.glob(".*.partial-*"):
        with suppress(FileNotFoundError):
            if time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

"""Fetch, verify, then rename: a version's folder is there whole or not at all."""

import shutil
from collections.abc import Callable
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import TypeVar

from slipform_runtime.fetch.digest import file_sha256, folder_sha256
from slipform_runtime.fetch.errors import DigestError, FetchError, ManifestError, UnreachableError
from slipform_runtime.fetch.manifest import ManifestModel, ManifestVersion, read_manifest
from slipform_runtime.fetch.resuming import download, is_unfinished
from slipform_runtime.fetch.sources import Source, source_for
from slipform_runtime.fetch.unfinished import unfinished
from slipform_runtime.logs import log

__all__ = ["DigestError", "FetchError", "ManifestError", "UnreachableError", "fetch", "fetch_file"]

_TRIES = 4
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0

T = TypeVar("T")


def fetch(manifest: Path, to: Path) -> list[Path]:
    """Make `to` hold the manifest's models; the folders of all their versions.

    What is there already with the right digest is left alone. Raises ManifestError, UnreachableError or
    DigestError; the versions that were complete by then stay.
    """
    wanted = read_manifest(manifest)
    sources = {
        version.uri: source_for(version.uri) for model in wanted.models for version in model.versions if version.uri
    }  # all of them before the first byte: a missing extra should not wait for a long download
    try:
        to.mkdir(parents=True, exist_ok=True)
        return [folder for model in wanted.models for folder in _fetch_model(model, sources, manifest.parent, to)]
    except OSError as error:
        raise ManifestError(f"{to}: {error.strerror or error}") from error


def _fetch_model(model: ManifestModel, sources: dict[str, Source], beside: Path, to: Path) -> list[Path]:
    folder = to / model.name
    folder.mkdir(exist_ok=True)
    folders = [
        _fetch_version(model.name, version, sources[version.uri], folder)
        if version.uri
        else _empty_version(version, folder)
        for version in model.versions
    ]
    # After the versions: a server that polls finds the config only when they are there.
    for path, file in model.beside.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.partial")
        shutil.copyfile(beside / file, temporary)
        temporary.replace(target)
    return folders


def _fetch_version(name: str, version: ManifestVersion, source: Source, model: Path) -> Path:
    target = model / str(version.version)
    if _is_there(target, version):
        log.info("fetch_unchanged", model=name, model_version=str(version.version), sha256=version.sha256)
        return target
    began = monotonic()
    log.info("fetch_started", model=name, model_version=str(version.version), uri=version.source)
    with unfinished(model, version) as partial:
        if _is_there(target, version):  # while another fetch had the folder
            return target
        digest = _verified(name, version, source, partial / "files")
        if target.exists():
            target.rename(partial / "replaced")
        (partial / "files").rename(target)
    log.info(
        "fetch_finished",
        model=name,
        model_version=str(version.version),
        sha256=digest,
        verified=version.sha256 is not None,
        bytes=sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
        seconds=round(monotonic() - began, 3),
    )
    return target


def _is_there(target: Path, version: ManifestVersion) -> bool:
    return bool(version.sha256) and target.is_dir() and _digest(target, version) == version.sha256


def _verified(name: str, version: ManifestVersion, source: Source, files: Path) -> str:
    """Download, and check; what an earlier try has left may be of another file, and is then fetched anew."""
    earlier = files.exists()
    files.mkdir(exist_ok=True)
    _download(source, version, files)
    for path in filter(is_unfinished, list(files.rglob("*"))):
        path.unlink()  # of a file that is not there any more
    digest = _digest(files, version)
    if not version.sha256 or digest == version.sha256:
        return digest
    shutil.rmtree(files)
    if earlier:
        return _verified(name, version, source, files)
    raise DigestError(
        f"{name} version {version.version} from '{version.source}' has sha256 {digest}, "
        f"the manifest wants {version.sha256}"
    )


def _empty_version(version: ManifestVersion, model: Path) -> Path:
    target = model / str(version.version)
    target.mkdir(exist_ok=True)
    return target


def fetch_file(uri: str, target: Path) -> None:
    """One file to `target`. Raises ManifestError, UnreachableError or OSError."""
    source = source_for(uri)
    _retrying(uri, lambda: download(source, uri, target))


def _download(source: Source, version: ManifestVersion, target: Path) -> None:
    if version.is_file:
        path = target / version.stored_as
        if not path.exists():
            _retrying(version.source, lambda: download(source, version.source, path))
        return
    files = _retrying(version.source, lambda: list(source.files(version.source)))
    if not files:
        raise UnreachableError(f"'{version.source}' has no files")
    for number, (relative, uri) in enumerate(files, 1):
        path = target / relative
        if ".." in PurePosixPath(relative).parts or not path.resolve().is_relative_to(target.resolve()):
            raise ManifestError(f"'{uri}' leads out of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _retrying(uri, lambda uri=uri, path=path: download(source, uri, path))  # type: ignore[misc]
        log.info("fetch_progress", file=relative, number=number, of=len(files), bytes=path.stat().st_size)


def _digest(folder: Path, version: ManifestVersion) -> str:
    if version.is_file:
        path = folder / version.stored_as
        return file_sha256(path) if path.is_file() else ""
    return folder_sha256(folder)


def _retrying(uri: str, action: Callable[[], T]) -> T:
    wait = _FIRST_WAIT_SECONDS
    for attempt in range(1, _TRIES + 1):
        try:
            return action()
        except FetchError:
            raise
        except Exception as error:  # each store's library has its own
            if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT, EFBIG):
                raise
            if attempt == _TRIES:
                raise UnreachableError(f"'{uri}' could not be fetched after {_TRIES} tries: {error}") from error
            log.warning("fetch_retried", uri=uri, error=str(error), attempt=attempt, wait_seconds=wait)
            sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
    raise AssertionError("unreachable")

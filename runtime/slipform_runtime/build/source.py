"""The trained model and its samples, brought here by the fetcher."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from slipform_runtime.build.errors import BadInput, BuildError, CannotWrite, Unreachable, WrongDigest, disk_is_full
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.report import SourceFacts
from slipform_runtime.fetch import DigestError, FetchError, ManifestError, UnreachableError, fetch, fetch_file
from slipform_runtime.fetch.digest import file_sha256, folder_sha256
from slipform_runtime.fetch.manifest import ManifestVersion


@dataclass(frozen=True)
class Fetched:
    """The version's folder on this machine, the file in it that the format begins with, and where it came from."""

    folder: Path
    path: Path
    facts: SourceFacts


def fetch_model(manifest: BuildManifest, work: Path) -> Fetched:
    """Bring and verify the model. Raises BadInput, Unreachable, WrongDigest or CannotWrite."""
    source = manifest.source
    version = ManifestVersion(manifest.version, source.uri, source.sha256, source.filename or None)
    wanted = {"models": [{"name": manifest.name, "versions": [msgspec.to_builtins(version)]}]}
    file = work / "repository.json"
    file.write_bytes(msgspec.json.encode(wanted))
    try:
        (folder,) = fetch(file, work / "source")
    except FetchError as error:
        raise _translated(error) from error
    path = _entry(folder, version, source.filename)
    facts = SourceFacts(
        uri=version.source,
        format=source.format,
        sha256=file_sha256(path) if version.is_file else folder_sha256(folder),
        size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
    )
    return Fetched(folder, path, facts)


def fetch_samples(uri: str, work: Path, name: str) -> Path:
    """Bring a .npz file. Raises BadInput or Unreachable."""
    target = work / f"{name}.npz"
    try:
        fetch_file(uri, target)
    except FetchError as error:
        raise _translated(error) from error
    except OSError as error:
        kind = CannotWrite if disk_is_full(error) else Unreachable
        raise kind(f"'{uri}' could not be fetched: {error}") from error
    return target


def _entry(folder: Path, version: ManifestVersion, filename: str) -> Path:
    """The file to read: the one that is named, else the only file, else the folder itself."""
    named = folder / (version.stored_as if version.is_file else filename)
    if (version.is_file or filename) and named.exists():
        return named
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if filename.endswith(".onnx"):
        found = ", ".join(sorted(path.name for path in files)[:5])
        raise BadInput(f"'{version.source}' has no {filename}; it has {found}")
    return files[0] if len(files) == 1 else folder


def _translated(error: FetchError) -> BuildError:
    """With the build's own exit code."""
    if isinstance(error, DigestError):
        return WrongDigest(str(error))
    if disk_is_full(error):
        return CannotWrite(str(error))
    if isinstance(error, ManifestError):
        return CannotWrite(str(error)) if isinstance(error.__cause__, OSError) else BadInput(str(error))
    if isinstance(error, UnreachableError):
        return Unreachable(str(error))
    return BuildError(str(error))

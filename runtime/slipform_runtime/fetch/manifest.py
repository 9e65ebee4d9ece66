"""The manifest of a fetch: which models, which versions, from where, with which digest."""

from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from slipform_runtime.fetch.errors import ManifestError

ModelName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}$")]
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]
FilePath = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*$")]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
VersionNumber = Annotated[int, msgspec.Meta(gt=0)]


class ManifestVersion(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One version: the folder `<uri>/<version>`, or the one file that `uri` names, kept as `filename`.

    An ensemble's has no `uri`: Triton wants its folder nevertheless, empty.
    """

    version: VersionNumber
    uri: str | None = None
    sha256: Digest | None = None
    filename: FileName | None = None

    @property
    def is_file(self) -> bool:
        """Whether `uri` ends in a file name with an extension."""
        return self._path.suffix != ""

    @property
    def source(self) -> str:
        """Where the file is, or the folder that holds the version's files."""
        uri = self.uri or ""
        return uri if self.is_file else f"{uri.rstrip('/')}/{self.version}"

    @property
    def stored_as(self) -> str:
        """The file's name in the repository, for one file."""
        return self.filename or self._path.name

    @property
    def _path(self) -> PurePosixPath:
        return PurePosixPath(urlsplit(self.uri or "").path)


class ManifestModel(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One model; `config` is a file beside the manifest, which becomes its config.pbtxt.

    `files` are more of these, by the path in the model's folder that each becomes: what another server than Triton
    wants beside the versions.
    """

    name: ModelName
    versions: list[ManifestVersion]
    config: FileName | None = None
    files: dict[FilePath, FileName] = {}

    @property
    def beside(self) -> dict[str, str]:
        """From each path in the model's folder to the file beside the manifest."""
        return {**self.files, **({"config.pbtxt": self.config} if self.config else {})}


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    models: list[ManifestModel]


def read_manifest(path: Path) -> Manifest:
    """The manifest in `path`; raises ManifestError."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"{path}: {error}") from error
    names = [model.name for model in manifest.models]
    for model in manifest.models:
        if names.count(model.name) > 1:
            raise ManifestError(f"{path}: model '{model.name}' is listed twice")
        numbers = [version.version for version in model.versions]
        if len(set(numbers)) != len(numbers):
            raise ManifestError(f"{path}: a version of model '{model.name}' is listed twice")
        for version in model.versions:
            if version.uri is None and (version.sha256 or version.filename):
                raise ManifestError(f"{path}: version {version.version} of model '{model.name}' has no uri")
        for target, file in model.beside.items():
            if not (path.parent / file).is_file():
                raise ManifestError(
                    f"{path}: model '{model.name}' names the file '{file}' for its {target}, which is not beside it"
                )
            if target.split("/")[0] in {str(number) for number in numbers}:
                raise ManifestError(f"{path}: model '{model.name}' puts {target} into a version's folder")
    return manifest

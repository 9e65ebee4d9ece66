"""Where files come from: this machine, the web, and through fsspec the object stores."""

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from slipform_runtime.fetch.errors import ManifestError, UnreachableError

_TIMEOUT_SECONDS = 60
_EXTRAS = {"s3": "s3", "gs": "gs", "hf": "hf"}


class Source(Protocol):
    """One scheme. A method that may succeed on another try raises OSError; what never will, UnreachableError."""

    def copy_file(self, uri: str, target: Path) -> None:
        """The file at `uri` to `target`."""
        ...

    def files(self, uri: str) -> Iterator[tuple[str, str]]:
        """The files below the folder `uri`: (path relative to it, URI)."""
        ...


def source_for(uri: str) -> Source:
    """What fetches this URI; raises ManifestError for a scheme that nothing fetches."""
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return LocalSource()
    if scheme in ("http", "https"):
        return WebSource()
    if scheme in _EXTRAS:
        return FsspecSource(scheme)
    known = ", ".join(f"{name}:" for name in ("file", "https", "http", *_EXTRAS))
    raise ManifestError(f"'{uri}' has no scheme that can be fetched: {known}")


class LocalSource:
    """`file:relative/to/the/working/directory` and `file:///absolute`."""

    def copy_file(self, uri: str, target: Path) -> None:
        """Copy."""
        path = _local(uri)
        if not path.is_file():
            raise UnreachableError(f"'{uri}' is not a file")
        shutil.copyfile(path, target)

    def files(self, uri: str) -> Iterator[tuple[str, str]]:
        """Walk."""
        folder = _local(uri)
        if not folder.is_dir():
            raise UnreachableError(f"'{uri}' is not a folder")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                relative = path.relative_to(folder).as_posix()
                yield relative, f"{uri.rstrip('/')}/{relative}"


class WebSource:
    """One file of a web server; a web server lists no folders."""

    def copy_file(self, uri: str, target: Path) -> None:
        """Download."""
        request = Request(uri, headers={"User-Agent": "slipform-runtime"})  # noqa: S310 - the scheme was checked
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as response, target.open("wb") as file:  # noqa: S310
                shutil.copyfileobj(response, file, 1 << 20)
                expected = response.headers.get("Content-Length")
                if expected is not None and file.tell() != int(expected):
                    raise OSError(f"'{uri}' ended after {file.tell()} of {expected} bytes")
        except HTTPError as error:
            if error.code in (408, 429) or error.code >= 500:
                raise OSError(f"'{uri}' answers {error.code} {error.reason}") from error
            raise UnreachableError(f"'{uri}' answers {error.code} {error.reason}") from error
        except URLError as error:
            raise OSError(f"'{uri}': {error.reason}") from error

    def files(self, uri: str) -> Iterator[tuple[str, str]]:
        """Refuse."""
        raise ManifestError(f"'{uri}' is a folder of a web server, which lists none; name one file, e.g. …/model.onnx")


class FsspecSource:
    """Object stores, by the extras of the same name."""

    def __init__(self, scheme: str) -> None:
        try:
            self._files: Any = import_module("fsspec").filesystem(scheme)
        except (ImportError, ValueError) as error:
            extra = _EXTRAS[scheme]
            raise ManifestError(f"{scheme}: URIs need an extra; install slipform-runtime[{extra}]") from error

    def copy_file(self, uri: str, target: Path) -> None:
        """Download."""
        try:
            self._files.get_file(uri, str(target))
        except (FileNotFoundError, PermissionError) as error:
            raise UnreachableError(f"'{uri}': {_reason(error)}") from error

    def files(self, uri: str) -> Iterator[tuple[str, str]]:
        """List."""
        scheme = urlsplit(uri).scheme
        root = self._files._strip_protocol(uri).rstrip("/")
        try:
            paths = self._files.find(root)
        except (FileNotFoundError, PermissionError) as error:
            raise UnreachableError(f"'{uri}': {_reason(error)}") from error
        for path in sorted(paths):
            yield PurePosixPath(path).relative_to(root).as_posix(), f"{scheme}://{path}"


def _local(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _reason(error: OSError) -> str:
    return "not found" if isinstance(error, FileNotFoundError) else f"not permitted: {error}"

"""Where files come from: this machine, the web, and through fsspec the object stores."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from slipform_runtime.fetch.errors import ManifestError, UnreachableError

_TIMEOUT_SECONDS = 60
_PIECE = 1 << 20
_RANGE = 16 << 20
"""What is asked of an object store at once: a lost connection costs no more."""

_VALIDATORS = ("ETag", "etag", "generation", "blob_id", "md5Hash", "last_modified", "LastModified", "created")
"""By which field of its own a store names what is in a file; each has another."""

_EXTRAS = {"s3": "s3", "gs": "gs", "hf": "hf"}


@dataclass(frozen=True)
class Reading:
    """A file's bytes from `start` on; `size` is that of the whole file, None where it is not known."""

    start: int
    size: int | None
    validator: str
    """The store's own word for which file it is; empty where it has none, so that nothing can be continued."""

    pieces: Iterator[bytes]
    close: Callable[[], object] = lambda: None


class Source(Protocol):
    """One scheme. A method that may succeed on another try raises OSError; what never will, UnreachableError."""

    def open(self, uri: str, start: int, validator: str) -> Reading:
        """The file at `uri` from byte `start` on, or from its begin where it is not that of `validator` any more."""
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

    def open(self, uri: str, start: int, validator: str) -> Reading:
        """Read."""
        path = local_path(uri)
        if not path.is_file():
            raise UnreachableError(f"'{uri}' is not a file")
        facts = path.stat()
        own = f"{facts.st_size}-{facts.st_mtime_ns}"
        file = path.open("rb")
        begin = start if own == validator and start <= facts.st_size else 0
        file.seek(begin)
        return Reading(begin, facts.st_size, own, iter(lambda: file.read(_PIECE), b""), file.close)

    def files(self, uri: str) -> Iterator[tuple[str, str]]:
        """Walk."""
        folder = local_path(uri)
        if not folder.is_dir():
            raise UnreachableError(f"'{uri}' is not a folder")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                relative = path.relative_to(folder).as_posix()
                yield relative, f"{uri.rstrip('/')}/{relative}"


class WebSource:
    """One file of a web server; a web server lists no folders."""

    def open(self, uri: str, start: int, validator: str) -> Reading:
        """Ask for the rest, if the file is still the one that its validator names."""
        headers = {"User-Agent": "slipform-runtime", "Accept-Encoding": "identity"}
        if start and validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        request = Request(uri, headers=headers)  # noqa: S310 - the scheme was checked
        try:
            response = urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310
        except HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                return self.open(uri, 0, "")
            if error.code in (408, 429) or error.code >= 500:
                raise OSError(f"'{uri}' answers {error.code} {error.reason}") from error
            raise UnreachableError(f"'{uri}' answers {error.code} {error.reason}") from error
        except URLError as error:
            raise OSError(f"'{uri}': {error.reason}") from error
        begin = _begin(response.headers.get("Content-Range")) if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        if begin not in (0, start):
            response.close()
            return self.open(uri, 0, "")
        length = response.headers.get("Content-Length")
        size = None if length is None else begin + int(length)
        return Reading(begin, size, _validator(response.headers), _pieces(response), response.close)

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

    def open(self, uri: str, start: int, validator: str) -> Reading:
        """Read in ranges, of the file that the store has now."""
        try:
            facts: dict[str, Any] = self._files.info(uri)
        except (FileNotFoundError, PermissionError) as error:
            raise UnreachableError(f"'{uri}': {_reason(error)}") from error
        own = next((str(facts[name]) for name in _VALIDATORS if facts.get(name)), "")
        size = int(facts["size"])
        begin = start if own and own == validator and start <= size else 0
        ranges = ((at, min(at + _RANGE, size)) for at in range(begin, size, _RANGE))
        return Reading(begin, size, own, (self._files.cat_file(uri, start=at, end=end) for at, end in ranges))

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


def local_path(uri: str) -> Path:
    """Of a `file:` URI."""
    return Path(unquote(urlsplit(uri).path))


def _pieces(response: Any) -> Iterator[bytes]:
    """A connection that ends early is the library's own error, which says nothing of a file."""
    try:
        while piece := response.read1(_PIECE):
            yield piece
    except HTTPException as error:
        raise OSError(f"the connection ended early: {error!r}") from error


def _validator(headers: Any) -> str:
    """What If-Range takes: a strong ETag, else the date of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "") if not tag else ""


def _begin(content_range: str | None) -> int:
    """`bytes 100-199/200` begins at 100; -1 where it is none of these."""
    found = re.match(r"bytes (\d+)-", content_range or "")
    return int(found[1]) if found else -1


def _reason(error: OSError) -> str:
    return "not found" if isinstance(error, FileNotFoundError) else f"not permitted: {error}"

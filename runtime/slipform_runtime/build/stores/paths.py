"""URIs of this machine's own files."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_path(uri: str) -> Path:
    """`file:relative/to/the/working/directory` and `file:///absolute`, as the fetcher reads them."""
    return Path(unquote(urlsplit(uri).path))

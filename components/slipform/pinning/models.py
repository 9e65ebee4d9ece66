"""The digest of a model's version where it lies: in the project, or as the runtime fetches it."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from ..review.sources import digest, files_of, local_folder
from .errors import Unresolved


def model_digest(uri: str, version: int, root: Path) -> str:
    """64 hexadecimal digits. Raises Unresolved; ImportError where the runtime, which fetches, is not installed."""
    if urlsplit(uri).scheme == "file":
        folder = local_folder(uri, version, root)
        if not files_of(folder):
            raise Unresolved(f"there is no {folder.relative_to(root)}", "write the model there, or another version")
        return digest(folder)
    return _fetched(uri, version)


def _fetched(uri: str, version: int) -> str:
    from slipform_runtime.fetch import FetchError, fetch
    from slipform_runtime.fetch.digest import file_sha256, folder_sha256

    with tempfile.TemporaryDirectory(prefix="slipform-pin-") as scratch:
        manifest = Path(scratch) / "manifest.json"
        manifest.write_text(json.dumps({"models": [{"name": "model", "versions": [{"version": version, "uri": uri}]}]}))
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # its log is a server's
                (folder,) = fetch(manifest, Path(scratch) / "models")
        except FetchError as error:
            raise Unresolved(str(error)) from None
        if Path(urlsplit(uri).path).suffix:
            (file,) = folder.iterdir()
            return file_sha256(file)
        return folder_sha256(folder)

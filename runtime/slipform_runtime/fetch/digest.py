"""The sha256 of what was fetched: of one file, or of a folder by its sorted `<sha256>  <relative path>` lines."""

from hashlib import file_digest, sha256
from pathlib import Path


def file_sha256(path: Path) -> str:
    """The file's."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """The folder's: what `sha256sum` prints for its files, sorted by line."""
    lines = [
        f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in folder.rglob("*") if path.is_file()
    ]
    return sha256("".join(sorted(lines)).encode()).hexdigest()

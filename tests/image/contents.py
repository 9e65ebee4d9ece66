"""What is in an image: its packages and what takes its room."""

from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

PACKAGES = "opt/slipform"


def packages(root: Path) -> dict[str, str]:
    """The Python packages that the image brings: version by name in lower case."""
    found = {}
    for metadata in (root / PACKAGES).glob("*.dist-info/METADATA"):
        headers = HeaderParser().parsestr(metadata.read_text(errors="replace"))
        found[headers["Name"].lower().replace("_", "-")] = headers["Version"]
    return found


def files(root: Path) -> Iterator[Path]:
    """Every regular file of the image."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def size(folder: Path) -> int:
    """The bytes of the files below a folder, or of one file."""
    return folder.stat().st_size if folder.is_file() else sum(path.stat().st_size for path in files(folder))


def report(root: Path, largest: int = 12) -> str:
    """A table in markdown: megabytes of the base, of the packages, and of the largest of them."""
    brought = root / PACKAGES
    total, own = size(root), size(brought)
    rows = [("the image", total), ("its base: Debian and Python", total - own), ("what it brings", own)]
    sizes: dict[str, int] = {}
    for entry in brought.iterdir():
        name = entry.name.removesuffix(".libs")
        sizes[name] = sizes.get(name, 0) + size(entry)
    rows += sorted(((f"`{name}`", bytes_) for name, bytes_ in sizes.items()), key=lambda row: -row[1])[:largest]
    return "\n".join(["| | MB |", "| --- | --- |", *(f"| {name} | {bytes_ / 1e6:.0f} |" for name, bytes_ in rows)])

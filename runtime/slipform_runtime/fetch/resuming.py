"""One file, continued where an earlier try has left it, if the store still has the same file."""

from pathlib import Path

from slipform_runtime.fetch.meter import metered
from slipform_runtime.fetch.sources import Source

_PART, _STATE = ".part", ".state"


def download(source: Source, uri: str, target: Path) -> None:
    """Bring `uri` to `target`, which is there whole or not at all.

    What has come so far stays beside it, with the store's own word for which file it is of (an ETag or its like).
    Raises OSError for what another try may mend, UnreachableError for what it won't.
    """
    part, state = beside(target)
    known = state.read_text(encoding="utf-8") if state.is_file() and part.is_file() else ""
    reading = source.open(uri, part.stat().st_size if known else 0, known)
    state.write_text(reading.validator, encoding="utf-8")
    try:
        with (
            part.open("r+b" if reading.start else "wb") as file,
            metered("fetch_progress", target.name, reading.size, reading.start) as meter,
        ):
            file.seek(reading.start)
            for piece in reading.pieces:
                file.write(piece)
                meter.add(len(piece))
            file.truncate()
            came = file.tell()
    finally:
        reading.close()
    if reading.size is not None and came != reading.size:
        raise OSError(f"'{uri}' ended after {came} of {reading.size} bytes")
    state.unlink()
    part.replace(target)


def beside(target: Path) -> tuple[Path, Path]:
    """Where the unfinished file is, and what is known of it."""
    return target.with_name(f".{target.name}{_PART}"), target.with_name(f".{target.name}{_STATE}")


def is_unfinished(path: Path) -> bool:
    """Whether it is one of the two."""
    return path.name.startswith(".") and path.suffix in (_PART, _STATE)

"""Reading, comparing and replacing the files that are edited."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from ..project import check, shown
from ..spec.document import parse
from ..spec.findings import Finding, InvalidSpec, SlipformError, errors


def read_text(file: Path) -> str:
    """The file's text with the line ends that it has. Raises SlipformError where it can't be read."""
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as problem:
        raise SlipformError(f"{file} can't be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise SlipformError(f"{file} is not UTF-8; save it as UTF-8") from None


def checked(text: str, expected: Any, file: Path) -> str:
    """The edited text, if it says what was meant and nothing else. Raises SlipformError where it does not."""
    try:
        right = parse(text.removeprefix("\ufeff"), file).data == expected
    except InvalidSpec:
        right = False
    if not right:
        raise SlipformError(
            f"{file}: its layout can't be edited in place; anchors and aliases, for example, stand for several values "
            "at once: write these values out, and try again (the file is as it was)"
        )
    return text


def replace(file: Path, text: str) -> None:
    """Write ``text`` beside the file and rename it, so that the file is whole at any moment."""
    with beside(file, text) as draft:
        shutil.copymode(file, draft)
        draft.replace(file.resolve())  # a link stays a link


def new_errors(file: Path, text: str, root: Path) -> tuple[Finding, ...]:
    """The errors that a spec file would have with ``text``, without those that it has anyway."""
    with beside(file, text) as draft:
        found = [_in(each, file) for each in errors(check(root, [draft]))]
    known = {(each.path, each.message) for each in errors(check(root, [file]))}
    return tuple(each for each in found if (each.path, each.message) not in known)


@contextlib.contextmanager
def beside(file: Path, text: str) -> Iterator[Path]:
    """A hidden file in the same folder that holds ``text``, gone afterwards unless it was renamed."""
    target = file.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as problem:
        raise SlipformError(f"{target.parent} can't be written: {problem.strerror}; {file} is as it was") from None
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(text.encode("utf-8"))
        yield Path(name)
    except OSError as problem:
        raise SlipformError(f"{file} can't be written: {problem.strerror}; it is as it was") from None
    finally:
        Path(name).unlink(missing_ok=True)


def diff_of(before: str, after: str, name: str) -> str:
    """The change as a patch that ``git apply`` takes; empty where there is none. ``name`` is the file's in it."""
    lines: list[str] = []
    old, new = (io.StringIO(text, newline="\n").readlines() for text in (before, after))
    for line in difflib.unified_diff(old, new, fromfile=f"a/{name}", tofile=f"b/{name}"):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def print_diff(patch: str, console: Console) -> None:
    """The patch on a terminal in colours, elsewhere as it is."""
    for line in patch.removesuffix("\n").split("\n"):
        headline = line.startswith(("---", "+++"))
        style = "bold" if headline else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _in(finding: Finding, file: Path) -> Finding:
    here = finding.location
    return finding.at(dataclasses.replace(here, file=shown(file))) if here else finding

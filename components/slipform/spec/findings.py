"""What is wrong with a file: where, what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning"]
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Location:
    """A place in a file; line and column count from 1, and 0 means the file as a whole."""

    file: Path
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)


@dataclass(frozen=True)
class Finding:
    """One mistake (``error``: it cannot work) or one doubt (``warning``: it will not do what you hope)."""

    message: str
    path: FieldPath = ()
    severity: Severity = "error"
    given: str | None = None
    allowed: str | None = None
    remedy: str | None = None
    location: Location | None = None

    @property
    def field(self) -> str:
        """The field's path as people write it: ``build.profiles[0].batch.max``."""
        return dotted(self.path)

    def at(self, location: Location) -> Finding:
        return replace(self, location=location)


class SlipformError(Exception):
    """Something that the user can put right; the command line prints it and exits with 2."""


class InvalidSpec(SlipformError):
    """Files that hold at least one error; ``findings`` has every mistake of every file, warnings included."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(describe(f) for f in self.findings))


def describe(finding: Finding, *, severity: bool = True) -> str:
    """The finding as plain text: a first line that editors and CI can parse, the details indented below it.

    Without ``severity`` for who says that word already.
    """
    where = f"{finding.location}: " if finding.location else ""
    word = f"{finding.severity}: " if severity else ""
    field = f"{finding.field}: " if finding.path else ""
    lines = [f"{where}{word}{field}{finding.message}"]
    for label, text in (("given", finding.given), ("allowed", finding.allowed), ("remedy", finding.remedy)):
        if text is not None:
            lines.append(f"    {label + ':':<9}{text}")
    return "\n".join(lines)


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(f for f in findings if f.severity == "error")


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by place, so that a report reads like the file."""
    return tuple(sorted(findings, key=lambda f: (f.location or Location(Path()), f.field, f.message)))


def dotted(path: FieldPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like ``word``, or None when nothing is near."""
    names = {name.lower(): name for name in known}
    word = word.lower()
    if found := difflib.get_close_matches(word, names, n=1, cutoff=0.6):
        return names[found[0]]
    # Or the beginning of one: prefered for preferred_batch_sizes.
    beginnings = {name[: len(word) + 1]: name for name in names if len(word) >= 4}
    begun = difflib.get_close_matches(word, beginnings, n=1, cutoff=0.8)
    return names[beginnings[begun[0]]] if begun else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    guess = nearest(word, known)
    return f"did you mean {guess!r}?" if guess else otherwise

"""Findings for people, for programs and for GitHub's checks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import typer

from ..spec.findings import Finding, describe, errors


class Format(StrEnum):
    text = "text"
    json = "json"
    github = "github"


def print_findings(
    findings: Sequence[Finding], how: Format = Format.text, *, checked: int | None = None, noun: str = "spec"
) -> None:
    """All findings; as text with a closing line that counts them, to standard error unless ``checked`` is given."""
    to_stderr = checked is None
    if how is Format.json:
        typer.echo(json.dumps([as_json(finding) for finding in findings], indent=2, ensure_ascii=False))
        return
    if how is Format.github:
        for finding in findings:
            typer.echo(as_github(finding))
        return
    for finding in findings:
        first, _, rest = describe(finding).partition("\n")
        colour = typer.colors.RED if finding.severity == "error" else typer.colors.YELLOW
        typer.secho(first, fg=colour, err=to_stderr)
        if rest:
            typer.echo(rest, err=to_stderr)
    wrong = len(errors(findings))
    doubtful = len(findings) - wrong
    if checked is not None or findings:
        files = f"{_count(checked, noun)}: " if checked is not None else ""
        typer.secho(
            f"{files}{_count(wrong, 'error')}, {_count(doubtful, 'warning')}",
            fg=typer.colors.RED if wrong else None if doubtful else typer.colors.GREEN,
            err=to_stderr,
        )


def as_json(finding: Finding) -> dict[str, object]:
    where = finding.location
    return {
        "severity": finding.severity,
        "file": str(where.file) if where else None,
        "line": where.line if where else None,
        "column": where.column if where else None,
        "field": finding.field,
        "message": finding.message,
        "given": finding.given,
        "allowed": finding.allowed,
        "remedy": finding.remedy,
    }


def as_github(finding: Finding) -> str:
    """A workflow command, which GitHub shows beside the line in the pull request."""
    where = finding.location
    file = _escape(_in_the_checkout(where.file), property=True) if where else ""
    place = f" file={file},line={where.line},col={where.column}" if where else " "
    title = f",title={_escape(finding.field, property=True)}" if finding.path else ""
    details = [f"{label}: {text}" for label, text in (("given", finding.given), ("allowed", finding.allowed)) if text]
    text = "\n".join([finding.message, *details, *([finding.remedy] if finding.remedy else [])])
    return f"::{finding.severity}{place}{title}::{_escape(text)}"


def _in_the_checkout(file: Path) -> str:
    """GitHub's checks name files from the checkout's top, wherever in it the command runs."""
    top = os.environ.get("GITHUB_WORKSPACE")
    if not top or not file.resolve().is_relative_to(Path(top).resolve()):
        return str(file)
    return str(file.resolve().relative_to(Path(top).resolve()))


def _escape(text: str, *, property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property else text


def _count(number: int | None, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

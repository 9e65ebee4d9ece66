"""``slipform validate``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .report import Format, print_findings
from .where import Specs, Stack, project_root, spec_files


def validate(
    specs: Specs = None,
    stack: Stack = None,
    format: Annotated[Format, typer.Option("--format", help="How to say what was found.")] = Format.text,
) -> None:
    """Check specs, all mistakes at once: file, line, what is allowed, what to do.

    With -s, against a stack too: its node pools, its images, what its cluster has.

    Examples:

      slipform validate

      slipform validate model_specs/iris.yaml -s prod

      slipform validate --format github
    """
    from ..project import check, files_of_stack
    from ..spec.findings import InvalidSpec, SlipformError, errors

    try:
        root = project_root(specs)
    except SlipformError:
        if not specs or stack:
            raise
        root = Path.cwd()
    files: list[Path] = []
    try:
        files = files_of_stack(root, stack) if stack and not specs else spec_files(root, specs)
        findings = check(root, files, stack)
    except InvalidSpec as invalid:
        findings = invalid.findings
    print_findings(findings, format, checked=len(files))
    if errors(findings):
        raise typer.Exit(2)

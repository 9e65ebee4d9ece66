"""``slipform schema``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FILE = ".schema.json"


def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=f"Where to write; absent: model_specs/{FILE}; - for standard output."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where the file is stale.")] = False,
) -> None:
    """Write the JSON Schema by which editors complete and explain a spec.

    Editors find it through a spec's first line: # yaml-language-server: $schema=.schema.json

    Examples:

      slipform schema

      slipform schema --check
    """
    from ..engines.registry import names
    from ..project import find_root
    from ..spec.modelspec import ModelSpec
    from ..spec.schema import as_text
    from ..spec.schema import schema as make

    text = as_text(make(ModelSpec, names()))
    if output is not None and str(output) == "-":
        typer.echo(text, nl=False)
        return
    file = output or find_root(Path.cwd()) / "model_specs" / FILE
    current = file.read_text(encoding="utf-8") if file.is_file() else None
    if current == text:
        typer.echo(f"{file} is up to date")
    elif check:
        typer.echo(f"{file} is {'stale' if current else 'missing'}; write it with `slipform schema`", err=True)
        raise typer.Exit(1)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {file}")

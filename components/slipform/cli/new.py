"""``slipform new``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..starting.repository import Written

NEXT = (
    ("slipform plan -s dev", "what the first spec becomes; no cluster is asked"),
    ("slipform serve model_specs/iris.yaml", "the same model, served on this machine"),
    ("slipform init path/to/model.onnx", "a spec of your own, read from a model"),
    ("slipform diff main -s dev", "what a change does, once all this is a commit"),
)


def new(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; a new folder, or one without these files.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The Pulumi project's name; absent: the folder's.")
    ] = None,
) -> None:
    """Write a repository of your own: the program, two stacks, a first spec that serves, CI for pull requests.

    Nothing is written over: where one of the files is there already, nothing is written at all.

    Examples:

      slipform new models

      slipform new . --name acme-models
    """
    from ..starting.repository import write_repository

    _say(write_repository(directory, name))


def _say(written: Written) -> None:
    typer.echo(f"wrote {written.folder}, the project {written.name}:")
    for file in written.files:
        typer.echo(f"  {file}")
    for doubt in written.doubts:
        typer.secho(f"warning: {doubt}", fg=typer.colors.YELLOW, err=True)
    typer.echo("\nnext:")
    if written.folder.resolve() != Path.cwd():
        typer.echo(f"  cd {written.folder}")
    width = max(len(command) for command, _ in NEXT)
    for command, why in NEXT:
        typer.echo(f"  {command:<{width}}  # {why}")
    typer.echo("README.md says what each file is, and what to do before the first `pulumi up`.")

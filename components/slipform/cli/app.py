"""The command line as a whole: its commands, what they share, its help."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__

COMMANDS = (
    "new", "init", "validate", "plan", "diff", "pin", "rollback", "doctor", "build", "serve", "bench", "schema",
)  # fmt: skip
"""In the order in which a newcomer meets them; each is the function of that name in the module of that name."""


class OnDemand(Mapping[str, Any]):
    """The commands by name; one is imported when it is asked for, so that only the help of all costs all."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        alone = typer.Typer(add_completion=False)
        alone.command(name)(getattr(import_module(f".{name}", __package__), name))
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The group of them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = OnDemand()

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has seen enough, as `| head` does. What is buffered still goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(0) from None


app = typer.Typer(
    name="slipform",
    cls=Commands,
    help="One reviewed YAML spec per model becomes its nodes, engine build, serving, scaling, rollout and rules.",
    epilog="Exit codes: 0 fine, 1 a finding (such as a stale schema), 2 bad input or usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"slipform {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    cwd: Annotated[
        Path | None, typer.Option("--cwd", "-C", metavar="DIR", help="Run as if started in DIR, as pulumi does.")
    ] = None,
) -> None:
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if cwd is not None:
        _go_to(cwd)


def _go_to(folder: Path) -> None:
    from ..spec.findings import SlipformError

    try:
        os.chdir(folder)
    except OSError as error:
        raise SlipformError(f"--cwd {folder}: {error.strerror}") from None

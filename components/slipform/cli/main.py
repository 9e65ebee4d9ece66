"""The command line: its commands, its help, and one way to end when the user can put something right."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from .bench import bench
from .build import build
from .diff import diff
from .doctor import doctor
from .init import init
from .new import new
from .pin import pin
from .plan import plan
from .rollback import rollback
from .schema import schema
from .serve import serve
from .validate import validate

app = typer.Typer(
    name="slipform",
    help="One reviewed YAML spec per model becomes its nodes, engine build, serving, scaling, rollout and rules.",
    epilog="Exit codes: 0 fine, 1 a finding (such as a stale schema), 2 bad input or usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (new, init, validate, plan, diff, pin, rollback, doctor, build, serve, bench, schema):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"slipform {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    cwd: Annotated[
        Path | None, typer.Option("--cwd", "-C", metavar="DIR", help="Run as if started in DIR, as pulumi does.")
    ] = None,
) -> None:
    if cwd is not None:
        _go_to(cwd)


def _go_to(folder: Path) -> None:
    from ..spec.findings import SlipformError

    try:
        os.chdir(folder)
    except OSError as error:
        raise SlipformError(f"--cwd {folder}: {error.strerror}") from None


def run() -> None:
    """The entry point: an error that the user can put right is printed as it is, and ends with 2."""
    from ..spec.findings import InvalidSpec, SlipformError

    try:
        app()
    except InvalidSpec as invalid:
        from .report import print_findings

        print_findings(invalid.findings)
        sys.exit(2)
    except SlipformError as error:
        typer.echo(f"slipform: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `| head` does.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    run()

"""The command line: its commands, its help, and one way to end when the user can put something right."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import __version__
from .build import build
from .diff import diff
from .plan import plan
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
for command in (validate, plan, diff, build, serve, schema):
    app.command()(command)


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"slipform {__version__}")
        raise typer.Exit


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

"""``slipform rollback``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .screen import screen
from .where import project_root, stack_names


def rollback(
    spec: Annotated[Path, typer.Argument(help="The spec file.", metavar="SPEC")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="VERSION|REVISION", help="A version, or a commit that had it; absent: the one before."
        ),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", "-s", help="Take back what stacks.STACK says of its own.", autocompletion=stack_names),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, write nothing.")] = False,
) -> None:
    """Write the model version before into the spec, out of git's history of the file; never commits.

    Goes back together: the version, its address, digest, size, format and tensors. The rest stays, and what of it has
    changed since is named. Where a declared candidate gets traffic, the version before is the one beside it: the
    candidate goes. The change is a patch on standard output; what there is to say about it is on standard error.

    Examples:

      slipform rollback model_specs/fraud.yaml

      slipform rollback model_specs/fraud.yaml --to 11 --dry-run

      slipform rollback model_specs/fraud.yaml && git commit -am "Take fraud back" && pulumi up -s prod
    """
    from ..editing import diff_of, new_errors, print_diff, replace
    from ..rollback import roll_back
    from ..spec.findings import InvalidSpec, SlipformError

    if spec.is_dir():
        raise SlipformError(f"{spec} is a folder; each spec has versions of its own: name one file")
    done = roll_back(spec, to, stack)
    typer.echo(done.summary, err=True)
    if done.before == done.after:
        typer.echo("that is what the file says already; nothing to do", err=True)
        return
    print_diff(diff_of(done.before, done.after, done.path), screen())
    for remark in done.remarks:
        typer.echo(remark, err=True)
    if wrong := new_errors(spec, done.after, project_root([spec])):
        typer.echo(f"not written, since {spec} would be wrong:", err=True)
        raise InvalidSpec(wrong)
    if dry_run:
        return
    replace(spec, done.after)
    typer.echo("written, not committed; `slipform diff HEAD -s STACK` shows what it does to a stack", err=True)

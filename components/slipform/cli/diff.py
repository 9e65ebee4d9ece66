"""``slipform diff``"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .screen import screen, working
from .where import Stack, chosen_stack

if TYPE_CHECKING:
    from ..plan import Diff
    from ..plan.preview import Preview


class View(StrEnum):
    text = "text"
    json = "json"
    markdown = "markdown"


def diff(
    base: Annotated[str | None, typer.Argument(help="The revision before: a branch, a tag, a commit.")] = None,
    head: Annotated[str | None, typer.Argument(help="The revision after; absent: the working tree.")] = None,
    stack: Stack = None,
    format: Annotated[View, typer.Option("--format", help="How to show it.")] = View.text,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Show what `pulumi preview --json` wrote to FILE instead."),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where there is a difference.")] = False,
    base_env: Annotated[
        Path | None, typer.Option("--base-env", metavar="DIR", help="A virtual environment for the base.")
    ] = None,
    head_env: Annotated[
        Path | None, typer.Option("--head-env", metavar="DIR", help="A virtual environment for the head.")
    ] = None,
) -> None:
    """Show what a change of specs, stacks or code changes in a stack: what is created, updated, replaced, deleted.

    Each side is planned by its own program. Needs no Pulumi CLI, cluster, account or network. A change that goes over
    the stack's budget (slipform:cost) is shown, and ends with 3.

    Examples:

      slipform diff main -s prod

      slipform diff v1.2 v1.3 -s prod --format markdown

      pulumi preview -s prod --json > preview.json; slipform diff --preview preview.json
    """
    from ..cost.budget import problems_of_change
    from ..spec.findings import SlipformError
    from .budget import end_over_budget

    if preview is not None:
        change = read_preview(preview).diff()
    elif base is None:
        raise SlipformError("which revision? Name the one before, as in `slipform diff main`, or --preview FILE")
    else:
        change = _between(base, head, stack, base_env, head_env)
    _show(change, format)
    end_over_budget(problems_of_change(change.cost), said=format is View.text)
    if exit_code and change:
        raise typer.Exit(1)


def _between(base: str, head: str | None, stack: str | None, base_env: Path | None, head_env: Path | None) -> Diff:
    from ..plan import diff as compare
    from ..plan import graphs
    from ..project import find_root

    root = find_root(Path.cwd())
    name = chosen_stack(root, stack)
    with working(f"planning {base} and {head or 'the working tree'}"):
        before, after = graphs(root, base, head, name, base_python=_python(base_env), head_python=_python(head_env))
    return compare(before, after)


def read_preview(file: Path) -> Preview:
    """What `pulumi preview --json` wrote. Raises SlipformError where it can't be read."""
    from ..plan.preview import read
    from ..spec.findings import SlipformError

    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SlipformError(f"--preview {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SlipformError(f"--preview {file}: not UTF-8; make the file with `pulumi preview --json`") from None
    return read(text)


def _python(environment: Path | None) -> Path | None:
    """The interpreter of a virtual environment."""
    from ..spec.findings import SlipformError

    if environment is None:
        return None
    for place in ("bin/python", "Scripts/python.exe"):
        if (environment / place).is_file():
            return (environment / place).absolute()
    raise SlipformError(f"{environment} is no virtual environment: it has no bin/python")


def _show(change: Diff, view: View) -> None:
    from ..plan import diff_to_json, diff_to_markdown, print_diff

    if view is View.text:
        print_diff(change, screen())
    else:
        typer.echo((diff_to_json if view is View.json else diff_to_markdown)(change).rstrip("\n"))

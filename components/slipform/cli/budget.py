"""How a command ends that found models over the stack's budget."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from ..cost.budget import OVER_BUDGET


def end_over_budget(problems: Sequence[str], *, said: bool) -> None:
    """Ends with OVER_BUDGET where there are problems, which go to standard error unless the view has ``said`` them."""
    if not problems:
        return
    if not said:
        for problem in problems:
            typer.secho(problem, fg=typer.colors.RED, err=True)
    raise typer.Exit(OVER_BUDGET)

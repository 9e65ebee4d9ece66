"""``slipform doctor``"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .screen import screen, working
from .where import Stack, chosen_stack, project_root

if TYPE_CHECKING:
    from ..doctor import Report
    from ..spec.stack import Cluster


class View(StrEnum):
    text = "text"
    json = "json"


def doctor(
    stack: Stack = None,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", metavar="FILE", help="In place of the stack's, or kubectl's.")
    ] = None,
    context: Annotated[str | None, typer.Option("--context", help="In place of the stack's.")] = None,
    format: Annotated[View, typer.Option("--format", help="How to show it.")] = View.text,
) -> None:
    """Look at the stack's live cluster: is there what its specs need, and may you make what they become?

    Prints the list for slipform:has, and for all that is missing which specs need it, what they lose, and how to get
    it. Only reads. Ends with 0 where all is there, with 1 where something is missing that the specs need or the stack
    claims, with 2 on bad input and where the cluster can't be reached.

    Examples:

      slipform doctor -s prod

      slipform doctor -s dev --context kind-dev --format json
    """
    from ..doctor import as_json, as_text

    with working("looking at the cluster"):
        report = _report(project_root(), stack, kubeconfig, context)
    if format is View.json:
        typer.echo(as_json(report))
    else:
        as_text(report, screen())
    if not report.is_fine:
        raise typer.Exit(1)


def _report(root: Path, stack: str | None, kubeconfig: Path | None, context: str | None) -> Report:
    from ..doctor import Looking, claimed, examine, needs, offered, verdicts, wanted_permissions, with_everything
    from ..doctor.capabilities import GROUPS
    from ..review.capacity import pool_of
    from ..spec.findings import SlipformError

    name = chosen_stack(root, stack)
    project = with_everything(root, name)
    says = claimed(root, name)
    try:
        looking = Looking(_cluster(project.stack.cluster, kubeconfig, context))
    except ImportError as missing:
        raise SlipformError(f"{missing.name} is not installed here: pip install 'slipform[doctor]'") from None
    seen = looking.see(GROUPS)
    has = tuple(offered(verdicts(seen), says))
    refused = looking.refused(wanted_permissions(root, name, has))
    specs = [one.spec for one in project.loaded]
    pools = {spec.name: pool for spec in specs if (pool := pool_of(spec, project.stack)) is not None}
    return examine(replace(seen, refused=refused), name, project.stack, says, pools, needs(project, has))


def _cluster(cluster: Cluster, kubeconfig: Path | None, context: str | None) -> Cluster:
    """The stack's cluster, reached otherwise where the command line says so: of another file, its current context."""
    if kubeconfig is not None:
        return cluster.model_copy(update={"kubeconfig": str(kubeconfig.absolute()), "context": context})
    return cluster.model_copy(update={"context": context}) if context else cluster

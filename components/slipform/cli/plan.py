"""``slipform plan``"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .screen import screen, working
from .where import Specs, Stack, chosen_stack, project_root

if TYPE_CHECKING:
    from ..plan import Graph
    from ..project import Project


class View(StrEnum):
    tree = "tree"
    json = "json"
    markdown = "markdown"
    html = "html"


class Per(StrEnum):
    model = "model"
    resource = "resource"


def plan(
    specs: Specs = None,
    stack: Stack = None,
    format: Annotated[View, typer.Option("--format", help="How to show it.")] = View.tree,
    render: Annotated[
        Path | None, typer.Option("--render", metavar="DIR", help="Write the Kubernetes manifests to this folder.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            metavar="DIR",
            help="Write Prometheus' rules, their promtool tests and Grafana's dashboards to this folder.",
        ),
    ] = None,
    per: Annotated[Per, typer.Option("--per", help="One manifest file per model, or per resource.")] = Per.model,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="FILE", help="Show what `pulumi preview --json` wrote to FILE instead."),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="FIELD", help="Say what a field is, its value, and where that comes from."),
    ] = None,
) -> None:
    """Show everything that the specs become in a stack. Needs no Pulumi CLI, cluster, account or network.

    Runs the same program as `pulumi up`, and shows what it registers and what that costs; over the stack's budget
    (slipform:cost.max_monthly) it ends with 3.

    Examples:

      slipform plan -s prod

      slipform plan model_specs/iris.yaml -s dev --render manifests/

      slipform plan -s prod --explain scaling.max_replicas
    """
    from ..cost.budget import problems
    from ..project import load
    from .budget import end_over_budget
    from .diff import read_preview
    from .report import print_findings
    from .where import spec_files

    if preview is not None:
        _show(read_preview(preview).head, format)
        return
    root = project_root(specs)
    name = chosen_stack(root, stack)
    files = spec_files(root, specs) if specs else None
    project = load(root, name, only=files)
    if explain is not None:
        from .explain import explain as print_explanation

        print_explanation(project, explain)
        return
    if project.warnings and format is not View.tree:
        # The tree ends with them.
        print_findings(project.warnings)
    graph = _run(root, name, files)
    _show(graph, format)
    if render is not None:
        _render(graph, render, per)
    if rules is not None:
        _write_rules(project, rules)
    end_over_budget(problems(graph.cost), said=format is View.tree)


def _run(root: Path, stack: str, files: Sequence[Path] | None) -> Graph:
    from ..plan import run

    with working(f"planning {stack}"):
        return run(root, stack, only=files)


def _show(graph: Graph, view: View) -> None:
    from ..plan import to_html, to_json, to_markdown, tree

    if view is View.tree:
        tree(graph, screen())
    else:
        write = {View.json: to_json, View.markdown: to_markdown, View.html: to_html}[view]
        typer.echo(write(graph).rstrip("\n"))


def _write_rules(project: Project, directory: Path) -> None:
    from ..infra.monitoring_files import monitoring_files
    from ..plan.views.folder import write

    write(directory, monitoring_files(project))
    typer.echo(f"wrote {directory}; promtool test rules {directory}/*.tests.yaml proves them", err=True)


def _render(graph: Graph, directory: Path, per: Per) -> None:
    from ..plan import render

    rendered = render(graph, directory, per=per.value)
    for resource, reason in rendered.left_out:
        typer.echo(f"not rendered: {resource.name} {reason}", err=True)
    for resource in rendered.unfinished:
        typer.echo(f"not complete: {resource.name} has a value that is known after apply", err=True)
    typer.echo(f"rendered {directory}", err=True)

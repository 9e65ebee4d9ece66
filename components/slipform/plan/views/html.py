"""The plan as one HTML page that needs nothing else: the graph drawn, each model's resources listed, light and dark."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2

from ...cost import budget, wording
from ..graph import Graph, Resource
from .drawing import Drawing, draw
from .facts import facts, title
from .summary import counts, leaves


@dataclass(frozen=True)
class _Section:
    heading: str
    rows: tuple[tuple[str, str, str], ...]
    drawing: Drawing


@dataclass(frozen=True)
class _Cost:
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    basis: str
    unknowns: tuple[str, ...]
    problems: tuple[str, ...]


def to_html(graph: Graph) -> str:
    """No script, no font and no picture comes from elsewhere; what the program named is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("slipform.plan.views"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    tops = graph.children(None)
    sections = [
        _section(graph, f"{top.kind} {top.name}", list(graph.descendants(top))) for top in tops if not top.custom
    ]
    shared = [top for top in tops if top.custom]
    if shared:
        sections.append(_section(graph, "shared", shared))
    return environment.get_template("plan.html.j2").render(
        graph=graph,
        counts=counts(graph),
        sections=sections,
        outputs=tuple(leaves(graph.outputs)),
        cost=_cost(graph),
    )


def _cost(graph: Graph) -> _Cost | None:
    if graph.cost is None or not graph.cost.servers:
        return None
    return _Cost(
        wording.heading(graph.cost.currency),
        tuple(wording.rows(graph.cost)),
        wording.basis(graph.cost),
        tuple(wording.unknowns(graph.cost)),
        tuple(budget.problems(graph.cost)),
    )


def _section(graph: Graph, heading: str, resources: list[Resource]) -> _Section:
    own = [resource for resource in resources if resource.custom]
    rows = tuple((resource.kind, title(resource), " · ".join(facts(resource))) for resource in own)
    return _Section(heading, rows, draw(own))

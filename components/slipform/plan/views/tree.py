"""The tree on screen: components with what they are made of, each resource with its essential facts."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ...cost import budget, wording
from ...cost.figures import StackCost
from ..graph import Graph, Resource
from ..values import Value
from .facts import facts, title
from .summary import counts, leaves

_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "dim"}


def tree(graph: Graph, console: Console) -> None:
    """Prints the graph. Colour, width and NO_COLOR are the console's affair."""
    root = Tree(Text.assemble((graph.project, "bold"), (f"  stack {graph.stack}", "dim")), guide_style="dim")
    for resource in graph.children(None):
        _add(root, graph, resource)
    console.print(root)
    console.print()
    for name, value in graph.outputs.items():
        console.print(Text.assemble(("output ", "dim"), name, "  ", (_output(value), "cyan")))
    if graph.cost and graph.cost.servers:
        _cost(graph.cost, console)
    console.print(Group(*(_message(message.severity, message.text) for message in graph.messages)), end="")
    console.print(Text(counts(graph), "bold"))


def _cost(cost: StackCost, console: Console) -> None:
    """What each server costs; what is not known takes a line for the reason."""
    console.print()
    if cost.known:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for index, title in enumerate(wording.heading(cost.currency)):
            table.add_column(title, justify="right" if index in wording.NUMBERS else "left", overflow="fold")
        for row in wording.rows(cost):
            table.add_row(*map(Text, row))
        # No blanks at the ends of lines, which a log would keep.
        for line in console.render_lines(table):
            console.print(Text("".join(segment.text for segment in line).rstrip()), soft_wrap=True)
        console.print(Text(wording.basis(cost), "dim"))
    for sentence in wording.unknowns(cost):
        console.print(Text(sentence))
    for problem in budget.problems(cost):
        console.print(Text(problem, "bold red"))
    console.print()


def _add(branch: Tree, graph: Graph, resource: Resource) -> None:
    """A component that holds only its namesake says nothing of its own, and one that holds nothing says nothing."""
    children = graph.children(resource)
    below = None if resource.parent is None else graph.by_urn[resource.parent]
    if below is not None and not resource.custom:
        if not any(each.custom for each in graph.descendants(resource)):
            return
        if len(children) == 1 and children[0].kind == resource.kind:
            _add(branch, graph, children[0])
            return
    node = branch.add(_label(graph, resource, below))
    for child in children:
        _add(node, graph, child)


def _label(graph: Graph, resource: Resource, below: Resource | None) -> Text:
    style = "bold cyan" if not resource.custom else "green"
    label = Text(resource.kind if not resource.is_provider else f"{resource.kind} provider", style)
    name = title(resource) if below is None or resource.custom else _short_name(graph, resource, below)
    if name:
        label.append(f" {name}", "bold" if not resource.custom else "")
    phrases = facts(resource)
    if phrases:
        label.append("  " + " · ".join(phrases), "dim")
    return label


def _short_name(graph: Graph, component: Resource, below: Resource) -> str:
    """What a component's name adds to its parent's, where a sibling of its kind makes that worth knowing."""
    if not component.name.startswith(below.name):
        return component.name
    siblings = [each for each in graph.children(below) if each.type == component.type]
    return component.name[len(below.name) :].strip("-") if len(siblings) > 1 else ""


def _message(severity: str, text: str) -> Text:
    return Text.assemble((f"{severity}: ", _SEVERITY_STYLE[severity]), text)


def _output(value: Value) -> str:
    """A structure's first leaves; the rest is in the JSON."""
    if not isinstance(value, Mapping):
        return _cut(str(value))
    parts = [f"{name} {_cut(str(leaf))}" for name, leaf in leaves(value)]
    more = f" · and {len(parts) - 3} more" if len(parts) > 3 else ""
    return " · ".join(parts[:3]) + more


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"

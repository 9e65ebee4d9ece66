"""The tree on screen: components with what they are made of, each resource with its essential facts."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text
from rich.tree import Tree

from ..graph import Graph, Resource
from .facts import facts, title
from .summary import counts

_SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "dim"}


def tree(graph: Graph, console: Console) -> None:
    """Prints the graph. Colour, width and NO_COLOR are the console's affair."""
    root = Tree(Text.assemble((graph.project, "bold"), (f"  stack {graph.stack}", "dim")), guide_style="dim")
    for resource in graph.children(None):
        _add(root, graph, resource, under="")
    console.print(root)
    console.print()
    for name, value in graph.outputs.items():
        console.print(Text.assemble(("output ", "dim"), name, ("  ", ""), (_short(value), "cyan")))
    console.print(Group(*(_message(message.severity, message.text) for message in graph.messages)), end="")
    console.print(Text(counts(graph), "bold"))


def _add(branch: Tree, graph: Graph, resource: Resource, under: str) -> None:
    node = branch.add(_label(resource, under))
    for child in graph.children(resource):
        _add(node, graph, child, under=resource.name)


def _label(resource: Resource, under: str) -> Text:
    """A component whose name only repeats its parent's shows its kind alone."""
    style = "bold cyan" if not resource.custom else "green"
    label = Text(resource.kind if not resource.is_provider else f"{resource.kind} provider", style)
    repeats = not resource.custom and under and resource.name.startswith(under)
    if not repeats:
        label.append(f" {title(resource)}", "bold" if not resource.custom else "")
    phrases = facts(resource)
    if phrases:
        label.append("  " + " · ".join(phrases), "dim")
    return label


def _message(severity: str, text: str) -> Text:
    return Text.assemble((f"{severity}: ", _SEVERITY_STYLE[severity]), text)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"

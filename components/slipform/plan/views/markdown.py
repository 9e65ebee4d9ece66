"""The plan as markdown, for a pull request: what there is per model, folded, then outputs and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...cost import budget, wording
from ...cost.figures import StackCost
from ..graph import Graph, Resource
from .facts import facts, title
from .summary import counts, leaves

# GitHub refuses a comment of more than 65,536 characters.
LIMIT = 60_000


def to_markdown(graph: Graph, limit: int = LIMIT) -> str:
    """One heading, one folded table per model. Where it would be longer than `limit` characters, the last tables go."""
    blocks = [f"### Plan of `{graph.project}`, stack `{graph.stack}`", counts(graph)]
    blocks += [
        f"> **{message.severity}**: {escape(message.text)}" for message in graph.messages if message.severity != "info"
    ]
    if graph.cost and graph.cost.servers:
        blocks += _cost(graph.cost)
    tops = graph.children(None)
    tables = [_details(graph, top) for top in tops if not top.custom]
    shared = [top for top in tops if top.custom]
    if shared:
        tables.append(_fold(f"shared: {len(shared)} resources", shared))
    ending = [_outputs(graph)] if graph.outputs else []
    room = limit - sum(len(block) + 2 for block in (*blocks, *ending))
    shown = list(_that_fit(tables, room - 200))
    if len(shown) < len(tables):
        shown.append(f"… and {len(tables) - len(shown)} more, which do not fit here: `slipform plan -s {graph.stack}`")
    return "\n\n".join((*blocks, *shown, *ending)) + "\n"


def _cost(cost: StackCost) -> Iterable[str]:
    yield from (f"> 🛑 **{escape(problem)}**" for problem in budget.problems(cost))
    if cost.known:
        yield cost_table(wording.heading(cost.currency), wording.rows(cost))
        yield f"<sub>{escape(wording.basis(cost))}</sub>"
    yield from map(escape, wording.unknowns(cost))


def cost_table(heading: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of costs."""
    ruler = ["---:" if index in wording.NUMBERS else "---" for index in range(len(heading))]
    cells = [map(escape, heading), ruler, *(map(escape, row) for row in wording.shortened(rows))]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _that_fit(tables: Iterable[str], room: int) -> Iterable[str]:
    for table in tables:
        room -= len(table) + 2
        if room < 0:
            return
        yield table


def _details(graph: Graph, top: Resource) -> str:
    resources = [resource for resource in graph.descendants(top) if resource.custom]
    return _fold(f"{top.kind} {top.name}: {len(resources)} resources", resources)


def _fold(summary: str, resources: Iterable[Resource]) -> str:
    rows = [
        f"| {escape(resource.kind)} | {code(title(resource))} | {escape(' · '.join(facts(resource)))} |"
        for resource in resources
    ]
    head = "| kind | name | |\n| --- | --- | --- |\n"
    return f"<details><summary>{html(summary)}</summary>\n\n{head}{chr(10).join(rows)}\n\n</details>"


def _outputs(graph: Graph) -> str:
    rows = [f"| {code(name)} | {code(str(value))} |" for name, value in leaves(graph.outputs)]
    return "| output | value |\n| --- | --- |\n" + "\n".join(rows)


def escape(text: str) -> str:
    """Text that renders as itself in a table's cell: no markup, mention or link comes out of a resource's name."""
    text = html(" ".join(text.split())).replace("@", "&#64;")
    return re.sub(r"([\\`*_{}\[\]|~!]|(?<!&)#)", r"\\\1", text)


def code(text: str) -> str:
    """Text in a fixed pitch. HTML's tag, since within backticks a bar would still end a table's cell."""
    return f"<code>{escape(text)}</code>"


def html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Places a model's resources on a plane: what others depend on to the left, one column per step of dependence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph import Resource
from .facts import facts, title

BOX_WIDTH, BOX_HEIGHT = 190, 44
GAP_X, GAP_Y, MARGIN = 60, 14, 8


@dataclass(frozen=True)
class Box:
    """One resource; `x` and `y` are the upper left corner, in pixels."""

    x: int
    y: int
    kind: str
    name: str
    hint: str


@dataclass(frozen=True)
class Line:
    """From the right edge of what is needed to the left edge of what needs it."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(resources: Sequence[Resource]) -> Drawing:
    """A layered drawing. Only direct dependencies are drawn: what follows from others would be noise."""
    needs = _direct({resource.urn: resource for resource in resources})
    column = _columns(needs)
    rows: dict[int, list[Resource]] = {}
    for resource in sorted(resources, key=lambda each: (each.kind, each.name)):
        rows.setdefault(column[resource.urn], []).append(resource)
    boxes = {
        resource.urn: Box(
            x=MARGIN + index * (BOX_WIDTH + GAP_X),
            y=MARGIN + row * (BOX_HEIGHT + GAP_Y),
            kind=resource.kind,
            name=_cut(title(resource)),
            hint=" · ".join((f"{resource.kind} {title(resource)}", *facts(resource))),
        )
        for index, members in rows.items()
        for row, resource in enumerate(members)
    }
    middle = BOX_HEIGHT // 2
    lines = tuple(
        Line(boxes[need].x + BOX_WIDTH, boxes[need].y + middle, boxes[urn].x, boxes[urn].y + middle)
        for urn in sorted(needs)
        for need in sorted(needs[urn])
    )
    columns, tallest = len(rows), max((len(members) for members in rows.values()), default=0)
    return Drawing(
        width=2 * MARGIN + columns * BOX_WIDTH + max(columns - 1, 0) * GAP_X,
        height=2 * MARGIN + tallest * BOX_HEIGHT + max(tallest - 1, 0) * GAP_Y,
        boxes=tuple(boxes[urn] for urn in sorted(boxes)),
        lines=lines,
    )


def _direct(resources: dict[str, Resource]) -> dict[str, set[str]]:
    """Each resource's dependencies among these, without those that another of them brings along."""
    inside = {urn: {need for need in resource.dependencies if need in resources} for urn, resource in resources.items()}
    return {
        urn: {need for need in needs if not any(need in inside[other] for other in needs if other != need)}
        for urn, needs in inside.items()
    }


def _columns(needs: dict[str, set[str]]) -> dict[str, int]:
    """The length of the longest way to each resource. The engine refuses cycles, so there are none."""
    columns: dict[str, int] = {}
    waiting = dict(needs)
    while waiting:
        ready = [urn for urn, wanted in waiting.items() if wanted <= columns.keys()] or list(waiting)
        for urn in ready:
            columns[urn] = max((columns.get(need, -1) + 1 for need in waiting.pop(urn)), default=0)
    return columns


def _cut(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"

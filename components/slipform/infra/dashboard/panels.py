"""Panels as plain data: what is drawn, in which unit, and the bound that was promised or configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["short", "reqps", "s", "percentunit", "bytes"]
"""Grafana's names of units: a number, requests per second, seconds, a share of one, bytes."""


@dataclass(frozen=True)
class Query:
    """PromQL, and what its series are called; ``{{label}}`` stands for a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Curves over time; with ``kind`` one number, or the states that follow each other."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    bound: float | None = None
    """Drawn as a line: what is above it is more than was promised, asked for or configured."""
    kind: Literal["curves", "left", "states"] = "curves"
    """``left`` is what is left of a budget, 1 being all of it; ``states`` shows when each series was 1."""


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]

"""AWS' public on-demand prices, from ``on_demand.csv``, which ``tools/prices.py`` writes and checks."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import files

_DAY = "as of"


@cache
def on_demand(instance_type: str, region: str) -> Decimal | None:
    """Dollars per hour on demand; None where the table has no price, since it is not offered or not known there."""
    cell = _cell(instance_type, region)
    return Decimal(cell) if cell else None


def day(region: str) -> str | None:
    """The day of which the region's prices are, as 2026-07-20; None for a region that the table does not have."""
    return _cell(_DAY, region) or None


def _cell(row: str, region: str) -> str:
    """One cell; only its row is taken apart, since hardly any of them is asked for."""
    text, columns = _table()
    if region not in columns:
        return ""
    start = text.find(f"\n{row},") + 1
    return text[start : text.index("\n", start)].split(",")[columns[region]] if start else ""


@cache
def _table() -> tuple[str, dict[str, int]]:
    """The rows, and the place of each region in them."""
    text = (files(__package__) / "on_demand.csv").read_text(encoding="utf-8")
    start = text.index("\ntype,") + 1
    head, _, rows = text[start:].partition("\n")
    return f"\n{rows}", {region: index for index, region in enumerate(head.split(",")) if index}

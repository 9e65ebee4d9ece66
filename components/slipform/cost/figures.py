"""What a stack costs, as one immutable value that views and budgets are made from, and its JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

FORMAT = "slipform.cost/v1"
HOURS = 730
"""Of a month: a year's 8,760, divided by twelve."""


@dataclass(frozen=True)
class Figures:
    """One amount at the fewest replicas, at those that ``traffic.expected_rps`` needs, and at the most.

    ``expected`` is None where nobody says what a replica does.
    """

    least: Decimal
    expected: Decimal | None
    most: Decimal

    @property
    def known(self) -> tuple[Decimal, ...]:
        return tuple(each for each in (self.least, self.expected, self.most) if each is not None)

    def __add__(self, other: Figures) -> Figures:
        known = None if self.expected is None or other.expected is None else self.expected + other.expected
        return Figures(self.least + other.least, known, self.most + other.most)


NOTHING = Figures(Decimal(), Decimal(), Decimal())


@dataclass(frozen=True)
class ServerCost:
    """What one server costs; with ``unknown`` set, which says why, it has no figures.

    ``machines`` are the prices of a node per hour by what it is, the first at the fewest replicas. ``nodes`` are whole
    ones, or of a ``pool`` that models share the shares that this one takes. ``monthly`` is in whole cents.
    ``per_million`` is per 1M requests at ``traffic.expected_rps``, ``full_use`` the same where every replica does what
    its autoscaler aims at. ``builds`` is what building its engines costs once, at most.
    """

    name: str
    unknown: str = ""
    machines: Mapping[str, Decimal] = field(default_factory=dict)
    pool: str = ""
    spot: bool = False
    replicas: Figures = NOTHING
    nodes: Figures = NOTHING
    monthly: Figures = NOTHING
    per_million: Figures | None = None
    full_use: Decimal | None = None
    builds: Decimal | None = None


@dataclass(frozen=True)
class StackCost:
    """What a stack's servers cost, sorted by name. ``day`` is that of the public prices, where they were taken."""

    currency: str
    servers: tuple[ServerCost, ...] = ()
    day: str = ""
    region: str = ""
    spot_discount: int = 0
    max_monthly: Decimal | None = None
    max_increase: Decimal | None = None

    @property
    def known(self) -> tuple[ServerCost, ...]:
        return tuple(server for server in self.servers if not server.unknown)

    @property
    def monthly(self) -> Figures:
        """The sum of those that are known."""
        return total(server.monthly for server in self.known)

    def server(self, name: str) -> ServerCost | None:
        return next((server for server in self.servers if server.name == name), None)


def total(amounts: Iterable[Figures]) -> Figures:
    return sum(amounts, NOTHING)


def to_document(cost: StackCost) -> dict[str, Any]:
    """As JSON values; what says nothing is left out, and what is not known is null."""
    settings = {
        "region": cost.region,
        "prices_of": cost.day,
        "spot_discount": cost.spot_discount,
        "max_monthly": _number(cost.max_monthly),
        "max_increase": _number(cost.max_increase),
    }
    return {
        "format": FORMAT,
        "currency": cost.currency,
        "hours": HOURS,
        **{key: value for key, value in settings.items() if value},
        "monthly": figures_document(cost.monthly),
        "servers": [server_document(server) for server in cost.servers],
    }


def server_document(server: ServerCost) -> dict[str, Any]:
    if server.unknown:
        return {"name": server.name, "unknown": server.unknown}
    document = {
        "name": server.name,
        "machines": {name: _number(price) for name, price in server.machines.items()},
        "pool": server.pool,
        "spot": server.spot,
        "replicas": figures_document(server.replicas),
        "nodes": figures_document(server.nodes),
        "monthly": figures_document(server.monthly),
        "per_million": figures_document(server.per_million) if server.per_million else None,
        "full_use_per_million": _number(server.full_use),
        "builds_once": _number(server.builds),
    }
    return {key: value for key, value in document.items() if value not in (None, "", False)}


def figures_document(figures: Figures) -> dict[str, float | int | None]:
    return {"least": _number(figures.least), "expected": _number(figures.expected), "most": _number(figures.most)}


def from_document(document: Any) -> StackCost | None:
    """What ``to_document`` wrote; None where it is not of this version, as a side of another Slipform's may not be."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    return StackCost(
        currency=document["currency"],
        servers=tuple(_server(each) for each in document["servers"]),
        day=document.get("prices_of", ""),
        region=document.get("region", ""),
        spot_discount=document.get("spot_discount", 0),
        max_monthly=_decimal(document.get("max_monthly")),
        max_increase=_decimal(document.get("max_increase")),
    )


def _server(document: Mapping[str, Any]) -> ServerCost:
    if "unknown" in document:
        return ServerCost(document["name"], unknown=document["unknown"])
    return ServerCost(
        name=document["name"],
        machines={name: Decimal(str(price)) for name, price in document["machines"].items()},
        pool=document.get("pool", ""),
        spot=document.get("spot", False),
        replicas=_figures(document["replicas"]),
        nodes=_figures(document["nodes"]),
        monthly=_figures(document["monthly"]),
        per_million=_figures(document["per_million"]) if "per_million" in document else None,
        full_use=_decimal(document.get("full_use_per_million")),
        builds=_decimal(document.get("builds_once")),
    )


def _figures(document: Mapping[str, Any]) -> Figures:
    least, expected, most = (_decimal(document[key]) for key in ("least", "expected", "most"))
    return Figures(least or Decimal(), expected, most or Decimal())


def _number(amount: Decimal | None) -> float | int | None:
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))

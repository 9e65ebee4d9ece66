"""What the servers of a stack cost: replicas, the nodes that they need, and what those are paid for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from ..engines.build_manifest import TIME_LIMIT
from ..infra.tracks import tracks
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import prices
from .figures import HOURS, Figures, ServerCost, StackCost
from .machines import Machine, Machines, Unknown, machines_of
from .replicas import Counts, counts

if TYPE_CHECKING:
    from ..project import Service

_CENT, _EXACT = 2, 4
"""Places after the point, of money and of what is smaller."""


def estimate(services: Iterable[Service], stack: StackConfig) -> StackCost:
    """Of all servers of a stack."""
    cost, aws = stack.cost, stack.cluster.aws
    servers = tuple(server_cost(service.name, service.specs, stack) for service in services)
    takes_public = aws is not None and cost.currency == "USD"
    return StackCost(
        currency=cost.currency,
        servers=servers,
        region=aws.region if aws and takes_public else "",
        day=(prices.day(aws.region) or "") if aws and takes_public else "",
        spot_discount=cost.spot_discount if any(server.spot for server in servers) else 0,
        max_monthly=None if cost.max_monthly is None else Decimal(str(cost.max_monthly)),
        max_increase=None if cost.max_increase is None else Decimal(str(cost.max_increase)),
    )


def server_cost(name: str, specs: Sequence[ModelSpec], stack: StackConfig) -> ServerCost:
    """Of the server that holds ``specs``; where something is missing to reckon it, ``unknown`` says what."""
    try:
        machines = machines_of(specs[0], stack)
        kinds = _that_fit(specs[0], machines)
    except Unknown as unknown:
        return ServerCost(name, unknown=str(unknown))
    number = counts(specs)
    least, most = (_bill(specs[0], machines, kinds, count) for count in (number.least, number.most))
    expected = None if number.expected is None else _bill(specs[0], machines, kinds, number.expected)
    bills = [least, *([expected] if expected else []), most]
    monthly = Figures(least.monthly, expected.monthly if expected else None, most.monthly)
    return ServerCost(
        name=name,
        machines={bill.machine.name: bill.machine.per_hour for bill in bills},
        pool=machines.pool,
        spot=machines.spot,
        replicas=_counted(number),
        nodes=Figures(_nodes(least), _nodes(expected) if expected else None, _nodes(most)),
        monthly=monthly,
        per_million=_per_million(specs, monthly),
        full_use=_full_use(specs, number, most.monthly),
        builds=_builds(specs, machines, kinds),
    )


class _Bill:
    """The machines of a number of replicas, and what they cost in a month."""

    def __init__(self, machine: Machine, nodes: Fraction) -> None:
        self.machine, self.nodes = machine, nodes
        self.monthly = _money(nodes * Fraction(machine.per_hour) * HOURS, _CENT)


def _that_fit(spec: ModelSpec, machines: Machines) -> tuple[Machine, ...]:
    kinds = tuple(kind for kind in machines.kinds if kind.room.replicas(spec.serving.resources))
    if not kinds:
        names = ", ".join(kind.name for kind in machines.kinds)
        raise Unknown(f"a replica does not fit {names}")
    return kinds


def _bill(spec: ModelSpec, machines: Machines, kinds: Sequence[Machine], replicas: int) -> _Bill:
    """The cheapest that does; of those that cost the same, the first."""
    return min((_Bill(kind, _needed(spec, machines, kind, replicas)) for kind in kinds), key=lambda bill: bill.monthly)


def _needed(spec: ModelSpec, machines: Machines, kind: Machine, replicas: int) -> Fraction:
    """Nodes: of a shared pool the parts that the replicas take, else whole ones within the pool's bounds."""
    resources = spec.serving.resources
    if machines.shared:
        return replicas * kind.share(resources)
    nodes = max(math.ceil(Fraction(replicas, kind.room.replicas(resources))), machines.fewest)
    return Fraction(nodes if machines.limit is None else min(nodes, machines.limit))


def _per_million(specs: Sequence[ModelSpec], monthly: Figures) -> Figures | None:
    """Per 1M requests at the expected rate; None where a spec does not say it."""
    rates = [spec.traffic.expected_rps for spec in specs]
    if None in rates:
        return None
    millions = sum((Fraction(rate or 0) for rate in rates), Fraction()) * HOURS * 3600 / 1_000_000
    least, expected, most = (
        None if amount is None else _money(Fraction(amount) / millions, _EXACT)
        for amount in (monthly.least, monthly.expected, monthly.most)
    )
    return Figures(least or Decimal(), expected, most or Decimal())


def _full_use(specs: Sequence[ModelSpec], number: Counts, monthly: Decimal) -> Decimal | None:
    """Per 1M requests with all replicas there, each at its target; a server of several models has no one target."""
    each = specs[0].scaling.metrics.requests_per_second
    if len(specs) > 1 or each is None or not number.answering:
        return None
    millions = number.answering * Fraction(each) * HOURS * 3600 / 1_000_000
    return _money(Fraction(monthly) / millions, _EXACT)


def _builds(specs: Sequence[ModelSpec], machines: Machines, kinds: Sequence[Machine]) -> Decimal | None:
    """One build of each model and track, on a node as long as it may take: paid once, and less often than not."""
    builds = sum(len(tracks(spec)) for spec in specs if spec.build)
    if not builds:
        return None
    hours = builds * Fraction(TIME_LIMIT.microseconds, 3_600_000_000)
    resources = specs[0].serving.resources
    parts = ((kind.share(resources) if machines.shared else 1) * Fraction(kind.per_hour) for kind in kinds)
    return _money(hours * min(parts), _CENT)


def _counted(number: Counts) -> Figures:
    expected = None if number.expected is None else Decimal(number.expected)
    return Figures(Decimal(number.least), expected, Decimal(number.most))


def _nodes(bill: _Bill) -> Decimal:
    return _money(bill.nodes, _EXACT)


def _money(amount: Fraction, places: int) -> Decimal:
    """Rounded, half up; of any size."""
    return Decimal(math.floor(amount * 10**places + Fraction(1, 2))).scaleb(-places)

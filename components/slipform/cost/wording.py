"""How costs are worded: the same on screen, in a pull request and on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from .change import CostChange, ServerChange
from .figures import HOURS, NOTHING, Figures, ServerCost, StackCost

NOT_KNOWN = "–"
UNKNOWN = "not known"
MOST_NAMES = 3
MOST_ROWS = 25
NUMBERS = (2, 3, 4, 5, 6)
"""The columns of ``heading`` that hold amounts."""
LEFT_OUT = "disks, load balancers, data transfer, the control plane, what rollouts add while they are under way"


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def rate(amount: Decimal) -> str:
    """A price per 1M predictions: often some cents, so as many digits as say something."""
    return money(amount) if amount >= Decimal("0.1") else f"{amount:.4f}"


def heading(currency: str) -> tuple[str, ...]:
    return (
        f"cost a month, {currency}",
        "nodes",
        "at least",
        "expected",
        "at most",
        "per 1M predictions",
        "at full use",
    )


def rows(cost: StackCost) -> Iterator[tuple[str, ...]]:
    """A row for each server whose cost is known, then the sum."""
    for server in cost.known:
        yield _row(server)
    if len(cost.servers) > 1 and cost.known:
        yield (_all(cost), "", *_months(cost.monthly, cost.monthly), "", "")


def unknowns(cost: StackCost) -> Iterator[str]:
    """A sentence for each reason why something is not known, with the servers that have it."""
    by_reason: dict[str, list[str]] = {}
    for server in cost.servers:
        if server.unknown:
            by_reason.setdefault(server.unknown, []).append(server.name)
    for reason, names in by_reason.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        yield f"cost of {', '.join(names[:MOST_NAMES])}{more}: {UNKNOWN}: {reason}"


def _row(server: ServerCost) -> tuple[str, ...]:
    return (
        server.name,
        nodes(server),
        *_months(server.monthly, server.monthly),
        per_million(server),
        _full_use(server),
    )


def _all(cost: StackCost) -> str:
    """Whom the sum is about."""
    return "all" if len(cost.known) == len(cost.servers) else f"{len(cost.known)} of {len(cost.servers)}"


def nodes(server: ServerCost) -> str:
    """`2–11 × c7i.2xlarge`, `4–12 × g6.xlarge of gpu-l4`."""
    what = " or ".join(server.machines) + (" spot" if server.spot else "")
    of = f" of {server.pool}" if server.pool and server.pool not in server.machines else ""
    return f"{_between(server.nodes, _count)} × {what}{of}"


def per_million(server: ServerCost) -> str:
    """At the expected rate: with the replicas that it needs, or from the fewest to the most."""
    at_rate = server.per_million
    if at_rate is None:
        return NOT_KNOWN
    return _between(at_rate, rate) if at_rate.expected is None else rate(at_rate.expected)


def _full_use(server: ServerCost) -> str:
    return "" if server.full_use is None else rate(server.full_use)


def _between(figures: Figures, write: Callable[[Decimal], str]) -> str:
    low, high = write(figures.least), write(figures.most)
    return low if low == high else f"{low}–{high}"


def _count(number: Decimal) -> str:
    """Whole nodes as they are, shares of them with two places."""
    return f"{number:.2f}".rstrip("0").rstrip(".") if number else "0"


def basis(cost: StackCost) -> str:
    """What the figures are made of, and what they leave out."""
    parts = [f"{HOURS} hours a month"]
    if cost.day:
        parts.append(f"AWS' on-demand prices in {cost.region} as of {cost.day}, where the stack has none of its own")
    if cost.spot_discount:
        parts.append(f"spot assumed {cost.spot_discount} % under them")
    return f"{'; '.join(parts)}. Not in it: {LEFT_OUT}."


def shortened(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The first of many rows, how many there are more, and the last, which is the sum."""
    every = list(rows)
    if len(every) <= MOST_ROWS + 2:
        return every
    more = (f"… {len(every) - MOST_ROWS - 1} more", *[""] * (len(every[0]) - 1))
    return [*every[:MOST_ROWS], more, every[-1]]


def change_rows(change: CostChange) -> Iterator[tuple[str, ...]]:
    """As ``rows``, of what changes: before → after, and by how much; what adds or saves the most first."""
    for each in sorted(change.servers, key=lambda each: (-max(map(abs, each.increase.known)), each.name)):
        yield _changed(each)
    before, after = change.before, change.after
    if len(after.servers) > 1 and (before.known or after.known):
        yield (_all(after), "", *_months(before.monthly, after.monthly), "", "")


def _changed(each: ServerChange) -> tuple[str, ...]:
    before, after = each.before, each.after
    if not each.is_comparable:
        said = [f"{UNKNOWN}: {side.unknown}" if side.unknown else nodes(side) for side in (before, after) if side]
        known = after is not None and not after.unknown
        cells = _row(after)[2:] if after and known else ("",) * 5
        return (each.name, " → ".join(dict.fromkeys(said)), *cells)
    sides = [side for side in (before, after) if side]
    return (
        each.name,
        _from_to([nodes(side) for side in sides]) if after else "none any more",
        *_months(before.monthly if before else NOTHING, after.monthly if after else NOTHING),
        _from_to([per_million(side) for side in sides]) if after else "",
        _from_to([_full_use(side) for side in sides]) if after else "",
    )


def _months(before: Figures, after: Figures) -> tuple[str, str, str]:
    pairs = ((before.least, after.least), (before.expected, after.expected), (before.most, after.most))
    least, expected, most = (_moved(*pair) for pair in pairs)
    return least, expected, most


def _moved(before: Decimal | None, after: Decimal | None) -> str:
    if before is None or after is None:
        # Against nothing, what is not known is no more known.
        return _from_to([NOT_KNOWN if each is None else money(each) for each in (before, after) if each != 0])
    if before == after:
        return money(after)
    return f"{money(before)} → {money(after)} ({after - before:+,.2f})"


def _from_to(sides: Sequence[str]) -> str:
    """What both say once, and what one does not say not at all."""
    return " → ".join(dict.fromkeys(side for side in sides if side))


def change_sentences(change: CostChange) -> Iterator[tuple[str, str]]:
    """For the screen: each server's name, and what happens to it; then the sum."""
    titles = ("", *heading("")[2:])
    for name, *cells in shortened(change_rows(change)):
        said = [
            f"{title} {cell}".strip() for title, cell in zip(titles, cells, strict=True) if cell not in ("", NOT_KNOWN)
        ]
        yield name, "; ".join(said)

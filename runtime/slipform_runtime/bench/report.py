"""The figures as a table for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Any

from slipform_runtime.bench.figures import PERCENTILES, Figures, Objective
from slipform_runtime.bench.load import Closed

_HEAD = ("wire", "load", "items/s", *(f"p{p:g}" for p in PERCENTILES), "slowest", "batch", "cached", "failed")

_CACHED = 0.05


def table(measured: Sequence[Figures], objectives: Sequence[Objective]) -> str:
    """A row a cell, then the verdict on each objective and what the reader must know."""
    rows = [_HEAD, *(_row(each) for each in measured)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines += [_failed(each) for each in measured if each.failures]
    if any(each.executed and each.executed.cached > _CACHED for each in measured):
        lines.append(
            "the response cache answered many of these, so they are not the model's own figures: "
            "serve it without a cache, or send real requests with --data FILE"
        )
    lines += [_late(each) for each in measured if each.client_bound]
    lines += [line for objective in objectives for line in _verdict(objective, measured)]
    return "\n".join(lines) + "\n"


def as_json(measured: Sequence[Figures], objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    """Seconds, items and counts under the names of the table."""
    return [
        {
            "wire": each.wire,
            "loop": "closed" if isinstance(each.load, Closed) else "open",
            **({"concurrency": each.load.concurrency} if isinstance(each.load, Closed) else {"rate": each.load.rate}),
            "items_per_request": each.items,
            "requests_answered": each.answered,
            "requests_failed": each.failures,
            "items_per_second": each.per_second,
            "latency_seconds": {f"p{p:g}": seconds for p, seconds in each.latency.items()} | {"max": each.slowest},
            "mean_batch": each.executed.batch if each.executed else None,
            "share_from_cache": each.executed.cached if each.executed else None,
            "client_late_seconds": each.late,
            "client_bound": each.client_bound,
            "objectives": {objective.text: objective.met(each) for objective in objectives},
        }
        for each in measured
    ]


def _row(each: Figures) -> tuple[str, ...]:
    percentiles = (_time(each.latency[p]) if each.latency else "-" for p in PERCENTILES)
    batch = f"{each.executed.batch:.1f}" if each.executed and each.executed.batch else "-"
    cached = f"{each.executed.cached:.0%}" if each.executed else "-"
    slowest = _time(each.slowest) if each.latency else "-"
    failed = str(sum(each.failures.values()))
    return (each.wire, str(each.load), f"{each.per_second:,.0f}", *percentiles, slowest, batch, cached, failed)


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1e3:.3g} ms"
        if seconds >= 1e-3
        else f"{seconds * 1e6:.0f} us"
    )


def _failed(each: Figures) -> str:
    what = ", ".join(f"{count} × {reason}" for reason, count in each.failures.items())
    return f"{each.wire}, {each.load}: failed: {what}"


def _late(each: Figures) -> str:
    return (
        f"{each.wire}, {each.load}: this client sent its requests up to {_time(each.late)} late (p95): "
        "the figures are its own; a lower --rate, or more clients on other machines"
    )


def _verdict(objective: Objective, measured: Sequence[Figures]) -> list[str]:
    """A line for an objective that is met everywhere, else one for each measurement that misses it."""
    missed = [each for each in measured if not objective.met(each)]
    if not missed:
        return [f"met     {objective.text}"]
    return [f"MISSED  {objective.text}  {each.wire}, {each.load}: {_measured(objective, each)}" for each in missed]


def _measured(objective: Objective, each: Figures) -> str:
    value = objective.measured(each)
    if value is None:
        return "nothing was answered"
    return f"{value:.4g} %" if objective.percentile is None else _time(value)

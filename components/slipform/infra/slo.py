"""Error budgets: how fast one may be spent before somebody is told.

Multi-window, multi-burn-rate alerts, as chapter 5 of Google's Site Reliability Workbook derives them: a burn rate of 1
spends the budget of the objective's window exactly; each alert watches a long window, so that a blip does not wake
anybody, and a short one of a twelfth, so that it ends soon after the cause. Nothing here knows of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ..engines.mesh import UNMEASURED_REMEDY
from ..engines.metrics import Metrics, NoHistogram
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from ..spec.traffic import Slo
from ..spec.units import Duration

Severity = Literal["page", "ticket"]

PERIOD = Duration.parse("30d")
"""The window for which the workbook's table is written; for another one its windows are scaled, which keeps the share
of the budget that each alert lets go: 2 % and 5 % before a page, 10 % before a ticket."""

WORKBOOK: tuple[tuple[Severity, float, Duration], ...] = (
    ("page", 14.4, Duration.parse("1h")),
    ("page", 6, Duration.parse("6h")),
    ("ticket", 3, Duration.parse("1d")),
    ("ticket", 1, Duration.parse("3d")),
)
SHORT = 12
"""The short window's share of the long one."""
SCRAPES = 4
"""A rate needs two scrapes; twice as many, so that a lost one does no harm."""


@dataclass(frozen=True)
class BurnRate:
    """One alert: the budget is spent ``factor`` times as fast as it may be, over both windows."""

    severity: Severity
    factor: float
    long: Duration
    short: Duration


@dataclass(frozen=True)
class Objective:
    """A share of the requests (``target``, 0 to 1) that is promised to be good, and the alerts that guard it."""

    name: str
    """As the spec names it: availability, p95, …"""
    target: float
    bound: Duration | None
    """The latency within which a request is good; None: one that is answered without a server's error is good."""
    alerts: tuple[BurnRate, ...]
    window: Duration

    @property
    def budget(self) -> float:
        """The share of the requests that may be bad."""
        return _exact(1 - Decimal(str(self.target)))

    def threshold(self, burn: BurnRate) -> float:
        """The share of bad requests above which the alert fires."""
        return _exact(Decimal(str(burn.factor)) * (1 - Decimal(str(self.target))))


def burn_rates(window: Duration, scrape_interval: int) -> tuple[BurnRate, ...]:
    """The alerts of an objective over ``window``, none with a window too short for scrapes every so many seconds."""
    least = Duration(scrape_interval * SCRAPES * 1_000_000)
    rates = []
    for severity, factor, span in WORKBOOK:
        long = _scaled(span, window)
        short = max(Duration.parse(f"{long.whole_seconds() // SHORT}s"), least)
        rates.append(BurnRate(severity, factor, long, short))
    return tuple(rates)


def objectives(slo: Slo, metrics: Metrics, scrape_interval: int) -> tuple[tuple[Objective, ...], tuple[Finding, ...]]:
    """The objectives that rules can be made of, and for each other one an error that says why not.

    A burn rate that no share of bad requests can reach is left out with a warning.
    """
    rates = burn_rates(slo.window, scrape_interval)
    made: list[Objective] = []
    findings: list[Finding] = []
    for path, target, bound in _promised(slo):
        objective = Objective(path[-1], target, bound, rates, slo.window)
        reachable = tuple(burn for burn in rates if objective.threshold(burn) < 1)
        problem = _unmeasurable(path, target, bound, metrics) or _never_pages(path, objective, reachable)
        if problem:
            findings.append(problem)
            continue
        findings += _left_out(path, objective, reachable)
        made.append(Objective(path[-1], target, bound, reachable, slo.window))
    return tuple(made), tuple(findings)


def problems(spec: ModelSpec, stack: StackConfig, metrics: Metrics) -> Iterator[Finding]:
    """What is wrong with a spec's objectives in a stack; none can be measured without Prometheus' operator."""
    if spec.slo is None:
        return
    if stack.lacks("prometheus-operator"):
        yield Finding(
            "the stack has no prometheus-operator, so nothing measures the objective and nobody is told",
            ("slo",),
            severity="warning",
            remedy="add prometheus-operator to the stack's `has` when the cluster has it",
        )
        return
    yield from objectives(spec.slo, metrics, stack.prometheus.scrape_interval)[1]


def _promised(slo: Slo) -> Iterator[tuple[tuple[str, ...], float, Duration | None]]:
    if slo.availability is not None:
        yield ("slo", "availability"), _exact(Decimal(str(slo.availability)) / 100), None
    for name, bound in (slo.latency.chosen if slo.latency else {}).items():
        yield ("slo", "latency", name), _exact(Decimal(name[1:]) / 100), bound


def _unmeasurable(path: tuple[str, ...], target: float, bound: Duration | None, metrics: Metrics) -> Finding | None:
    latency = metrics.latency
    if bound is None:
        return None if metrics.errors is not None else _uncounted(path, target)
    if isinstance(latency, NoHistogram):
        return Finding(
            f"a latency objective can't be measured: {latency.reason}",
            path,
            given=str(bound),
            remedy=latency.remedy or "leave the latency objective out",
        )
    if latency.le(bound) is None:
        buckets = ", ".join(f"{bucket:g}{latency.unit}" for bucket in latency.buckets)
        return Finding(
            f"{latency.metric} has no bucket at {bound}, so the share within it is not known",
            path,
            given=str(bound),
            allowed=buckets,
            remedy=f"write {latency.nearest(bound)}, the nearest",
        )
    return None


def _uncounted(path: tuple[str, ...], target: float) -> Finding:
    return Finding(
        "the engine does not count the requests that fail, and the stack has no mesh that would",
        path,
        given=f"{target * 100:.12g}",
        remedy=f"{UNMEASURED_REMEDY}, or leave the objective out",
    )


def _never_pages(path: tuple[str, ...], objective: Objective, reachable: tuple[BurnRate, ...]) -> Finding | None:
    if any(burn.severity == "page" for burn in reachable):
        return None
    slowest = min(factor for severity, factor, _ in WORKBOOK if severity == "page")
    return Finding(
        f"no page can fire: {slowest:g} × (1 − {objective.target:g}) = {slowest * objective.budget:.3g} "
        "is no share of requests that can be bad",
        path,
        allowed=f"an objective over {100 * (1 - 1 / slowest):.2f} % of the requests",
        remedy="promise it for more of the requests (p95, p99), or leave it out",
    )


def _left_out(path: tuple[str, ...], objective: Objective, reachable: tuple[BurnRate, ...]) -> Iterator[Finding]:
    for burn in objective.alerts:
        if burn not in reachable:
            yield Finding(
                f"the {burn.severity} at {burn.factor:g} times the budget's pace is left out: {burn.factor:g} × "
                f"(1 − {objective.target:g}) = {objective.threshold(burn):.3g} is no share of requests that can be bad",
                path,
                severity="warning",
                remedy="the slower alerts remain; promise it for more of the requests (p95, p99) to have this one",
            )


def _scaled(span: Duration, window: Duration) -> Duration:
    return Duration.parse(f"{span.microseconds * window.microseconds // PERIOD.microseconds // 1_000_000}s")


def _exact(number: Decimal) -> float:
    """A float that prints as it was meant: 0.001, not 0.0010000000000000009."""
    return float(number)

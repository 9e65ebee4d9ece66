"""Alerts on how fast the error budget of an objective is spent."""

from __future__ import annotations

from ...engines.metrics import NoHistogram, required
from ...spec.units import Duration
from ..queries import joined
from ..slo import BurnRate, Objective, Severity
from .kinds import Alert, Case, Checked, Fired, rising, series
from .recording import Subject, bad_count, bad_share
from .samples import selectors, traffic

HOLD: dict[Severity, Duration] = {"page": Duration.parse("2m"), "ticket": Duration.parse("15m")}
"""So long the pace must hold: the first failure of a model that nobody has called before is 100 %."""
FEWEST = 5
"""So many bad requests the long window must hold: of three requests an hour, one failure is no pace.

A model with so few is still watched: one that fails them all is seen by the longer windows.
"""
RATE = 10.0
"""Requests per second in the cases, or so many that a minute holds the fewest bad ones."""
RARE = 3 / 3600
"""Requests per second of a model with three an hour."""


def burn_alerts(subject: Subject, objective: Objective) -> Checked:
    """The alerts of one objective, by falling pace; they share a name, and the windows are labels."""
    alerts = tuple(_alert(subject, objective, burn) for burn in objective.alerts)
    cases = tuple(
        _case(
            subject, objective, alerts, pace * burn.factor, f"at {pace:.0%} of {burn.factor:g} times the budget's pace"
        )
        for burn in objective.alerts
        for pace in (1.25, 0.8)
    )
    return Checked(alerts, (*cases, _rare_case(subject, objective, alerts)))


def _alert(subject: Subject, objective: Objective, burn: BurnRate) -> Alert:
    threshold = f"{objective.threshold(burn):.12g}"
    long, short = (bad_share(subject, objective, window) for window in (burn.long, burn.short))
    count = bad_count(subject, objective, burn.long)
    model, allowed = subject.spec.name, f"{objective.budget * 100:.4g}%"
    pace = "faster than" if burn.factor == 1 else f"over {burn.factor:g} times as fast as"
    if objective.bound is None:
        bad, remedy = (
            "failed",
            ("Look at the server's log for the errors; if a version went out lately, roll back to the one before."),
        )
    else:
        bad, remedy = (
            f"took longer than {objective.bound}",
            (
                "Look whether requests wait (slipform:queue_length:max) or executions are slow: more replicas help the "
                "first, smaller batches or the version before the second."
            ),
        )
    return Alert(
        name="SlipformErrorBudgetBurn" if objective.bound is None else "SlipformLatencyBudgetBurn",
        expr=f"{long} > {threshold} and {short} > {threshold} and {count} >= {FEWEST}",
        hold=HOLD[burn.severity],
        severity=burn.severity,
        labels={
            **subject.alert_labels,
            "objective": objective.name,
            "long_window": str(burn.long),
            "short_window": str(burn.short),
        },
        summary=f"{model} spends its budget for {objective.name} {pace} it may",
        description=(
            f"VALUE of the requests to {model} {bad} within {burn.long}, and still within {burn.short}; "
            f"{allowed} may within {objective.window}."
        ),
        remedy=remedy,
        unit="percent",
    )


def _case(subject: Subject, objective: Objective, alerts: tuple[Alert, ...], pace: float, title: str) -> Case:
    """Requests of which an even share is bad; every alert for a slower pace fires."""
    share = min(1.0, pace * objective.budget)
    lasting = Duration.parse("20m")
    return Case(
        title=f"{subject.spec.name} spends its budget for {objective.name} {title}",
        alert_name=alerts[0].name,
        series=_requests(subject, objective, share, lasting, max(RATE, FEWEST / (share * 60))),
        at=lasting,
        fires=tuple(
            Fired(alert, share)
            for alert, burn in zip(alerts, objective.alerts, strict=True)
            if share > objective.threshold(burn)
        ),
    )


def _rare_case(subject: Subject, objective: Objective, alerts: tuple[Alert, ...]) -> Case:
    lasting = Duration.parse("20m")
    return Case(
        title=f"{subject.spec.name} has three requests an hour, and one of them is bad for {objective.name}",
        alert_name=alerts[0].name,
        series=_requests(subject, objective, 1.0, lasting, RARE),
        at=lasting,
    )


def _requests(subject: Subject, objective: Objective, bad: float, lasting: Duration, rate: float) -> dict[str, str]:
    pod = {"pod": subject.pod}
    histogram = subject.metrics.latency
    if objective.bound is None or isinstance(histogram, NoHistogram):
        measures = (subject.metrics.requests, subject.metrics.errors)
        requests, errors = (subject.query(required(each)) for each in measures)
        return traffic(requests, errors, pod, lasting, rate=rate, failing=bad)
    matchers = joined(subject.matchers(histogram), histogram.extra_matchers)
    labels = {**selectors(f"{histogram.metric}{{{matchers}}}")[0].sample, **pod}
    bucket = {**labels, "le": f"{histogram.bucket(objective.bound):.15g}"}
    return {
        series(f"{histogram.metric}_count", labels): rising(rate, lasting),
        series(f"{histogram.metric}_bucket", bucket): rising(rate * (1 - bad), lasting),
        series(f"{histogram.metric}_bucket", {**labels, "le": "+Inf"}): rising(rate, lasting),
    }

"""Rules as plain data, each alert beside the series that make it fire and keep it quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...spec.units import Duration
from ..slo import Severity


@dataclass(frozen=True)
class Recording:
    """A recording rule; ``record`` is named level:metric:operation."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def rule(self) -> dict[str, Any]:
        return {"record": self.record, "expr": self.expr, "labels": dict(self.labels)}

    @property
    def selector(self) -> str:
        """The series that it records, as a query has them."""
        return series(self.record, self.labels)


@dataclass(frozen=True)
class Alert:
    """An alerting rule. ``description`` may hold one ``VALUE``, which is written as ``unit`` says."""

    name: str
    expr: str
    hold: Duration
    """How long it must be so before it fires."""
    severity: Severity
    labels: Mapping[str, str]
    summary: str
    description: str
    remedy: str
    unit: Literal["number", "percent"] = "number"

    @property
    def rule(self) -> dict[str, Any]:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": str(self.hold),
            "labels": self.all_labels,
            "annotations": self.annotations(_TEMPLATES[self.unit]),
        }

    @property
    def all_labels(self) -> dict[str, str]:
        return {"severity": self.severity, **self.labels}

    def annotations(self, value: str) -> dict[str, str]:
        """What the person on call reads, with ``value`` filled in."""
        return {
            "summary": self.summary,
            "description": self.description.replace("VALUE", value),
            "remedy": self.remedy,
        }

    def said(self, value: float) -> dict[str, str]:
        """The annotations as Prometheus writes them for a value."""
        return self.annotations(f"{value * 100:.4g}%" if self.unit == "percent" else f"{value:.4g}")


_TEMPLATES = {"number": '{{ printf "%.4g" $value }}', "percent": "{{ $value | humanizePercentage }}"}


@dataclass(frozen=True)
class Fired:
    """An alert that fires, with the value that its query then has and the labels that the query brings."""

    alert: Alert
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What is scraped, and which of the alerts of one name fire at ``at``."""

    title: str
    alert_name: str
    series: Mapping[str, str]
    """From a series to its values, in promtool's notation, one each ``PERIOD``."""
    at: Duration
    fires: tuple[Fired, ...] = ()


PERIOD = Duration.parse("30s")
"""Between two values of a case's series."""


@dataclass(frozen=True)
class Checked:
    """Alerts, and for each at least one case in which it fires and one in which it does not."""

    alerts: tuple[Alert, ...] = ()
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Group:
    """Rules that Prometheus evaluates together and in this order, so that alerts see what was just recorded."""

    name: str
    interval: Duration
    recordings: tuple[Recording, ...]
    checked: tuple[Checked, ...]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(alert for checked in self.checked for alert in checked.alerts)

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(case for checked in self.checked for case in checked.cases)

    @property
    def rules(self) -> dict[str, Any]:
        rules: tuple[Recording | Alert, ...] = (*self.recordings, *self.alerts)
        return {"name": self.name, "interval": str(self.interval), "rules": [rule.rule for rule in rules]}


def series(name: str, labels: Mapping[str, str]) -> str:
    """A series with exactly these labels, or the selector that finds it."""
    inner = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inner}}}" if inner else name


def steady(value: float, lasting: Duration) -> str:
    """A gauge that keeps its value, in promtool's notation."""
    return f"{value:.12g}+0x{_steps(lasting)}"


def rising(per_second: float, lasting: Duration) -> str:
    """A counter that rises evenly from 0, in promtool's notation."""
    return f"0+{per_second * PERIOD.seconds:.12g}x{_steps(lasting)}"


def _steps(lasting: Duration) -> int:
    return -(-lasting.microseconds // PERIOD.microseconds)


def two_cases(
    alert: Alert,
    value: float,
    firing: dict[str, str],
    quiet: dict[str, str],
    at: Duration,
    labels: dict[str, str] | None = None,
) -> Checked:
    title = f"{alert.name} of {alert.labels.get('model') or alert.labels['server']}"
    return Checked(
        (alert,),
        (
            Case(f"{title} fires", alert.name, firing, at, (Fired(alert, value, labels or {}),)),
            Case(f"{title} is quiet", alert.name, quiet, at),
        ),
    )

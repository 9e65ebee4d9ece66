"""The arithmetic of error budgets."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.infra.slo import WORKBOOK, BurnRate, Objective, burn_rates, objectives, problems
from slipform.spec.findings import Finding
from slipform.spec.traffic import Slo
from slipform.spec.units import Duration

from ..builders import STACK, model_spec, stack_config
from .measured import NO_HISTOGRAM, toy_metrics


def promised(slo: dict[str, Any], **measured: Any) -> tuple[tuple[Objective, ...], tuple[Finding, ...]]:
    return objectives(Slo.model_validate(slo), toy_metrics(**measured), 15)


def windows(rates: tuple[BurnRate, ...]) -> list[tuple[str, float, str, str]]:
    return [(burn.severity, burn.factor, str(burn.long), str(burn.short)) for burn in rates]


def test_thirty_days_have_the_workbooks_table() -> None:
    assert windows(burn_rates(Duration.parse("30d"), 15)) == [
        ("page", 14.4, "1h", "5m"),
        ("page", 6, "6h", "30m"),
        ("ticket", 3, "1d", "2h"),
        ("ticket", 1, "3d", "6h"),
    ]


@pytest.mark.parametrize(
    ("window", "longs", "shorts"),
    [
        ("7d", ["14m", "1h24m", "5h36m", "16h48m"], ["1m10s", "7m", "28m", "1h24m"]),
        ("28d", ["56m", "5h36m", "22h24m", "2d19h12m"], ["4m40s", "28m", "1h52m", "5h36m"]),
        ("90d", ["3h", "18h", "3d", "9d"], ["15m", "1h30m", "6h", "18h"]),
    ],
)
def test_another_window_scales_them_all(window: str, longs: list[str], shorts: list[str]) -> None:
    rates = burn_rates(Duration.parse(window), 15)
    assert [str(burn.long) for burn in rates] == longs
    assert [str(burn.short) for burn in rates] == shorts


@given(st.integers(min_value=7, max_value=90), st.integers(min_value=1, max_value=120))
def test_each_alert_lets_the_same_share_of_the_budget_go_whatever_the_window(days: int, scrape_interval: int) -> None:
    window = Duration.parse(f"{days}d")
    shares = [burn.factor * burn.long.seconds / window.seconds for burn in burn_rates(window, scrape_interval)]
    assert shares == [pytest.approx(share, rel=1e-3) for share in (0.02, 0.05, 0.1, 0.1)]


@given(st.integers(min_value=7, max_value=90), st.integers(min_value=1, max_value=120))
def test_no_window_is_too_short_for_its_scrapes_or_longer_than_its_long_one(days: int, scrape_interval: int) -> None:
    for burn in burn_rates(Duration.parse(f"{days}d"), scrape_interval):
        assert burn.short.seconds >= 4 * scrape_interval
        assert burn.short < burn.long


def test_thresholds_are_shares_of_bad_requests() -> None:
    (availability, latency), findings = promised({"availability": 99.9, "latency": {"p95": "100ms"}})
    assert findings == ()
    assert (availability.name, availability.target, availability.bound) == ("availability", 0.999, None)
    assert [availability.threshold(burn) for burn in availability.alerts] == [0.0144, 0.006, 0.003, 0.001]
    assert (latency.name, latency.target, latency.bound) == ("p95", 0.95, Duration.parse("100ms"))
    assert [latency.threshold(burn) for burn in latency.alerts] == [0.72, 0.3, 0.15, 0.05]


def test_a_pace_that_no_share_can_reach_is_left_out_and_said() -> None:
    (p90,), findings = promised({"latency": {"p90": "50ms"}})
    assert [burn.factor for burn in p90.alerts] == [6, 3, 1]
    assert [(f.severity, f.path) for f in findings] == [("warning", ("slo", "latency", "p90"))]
    assert "14.4 × (1 − 0.9) = 1.44" in findings[0].message


@pytest.mark.parametrize("slo", [{"latency": {"p50": "50ms"}}, {"availability": 83.0}])
def test_an_objective_that_never_pages_is_refused(slo: dict[str, Any]) -> None:
    made, (finding,) = promised(slo)
    assert made == ()
    assert (finding.severity, finding.allowed) == ("error", "an objective over 83.33 % of the requests")


@given(st.floats(min_value=1, max_value=99.999))
def test_every_alert_that_is_made_can_fire(availability: float) -> None:
    made, findings = promised({"availability": availability})
    assert bool(made) is not any(finding.severity == "error" for finding in findings)
    for objective in made:
        assert any(burn.severity == "page" for burn in objective.alerts)
        left_out = len(WORKBOOK) - len(objective.alerts)
        assert left_out == sum(finding.severity == "warning" for finding in findings)
        for burn in objective.alerts:
            assert 0 < objective.threshold(burn) < 1
            assert math.isclose(objective.threshold(burn), burn.factor * (1 - objective.target), abs_tol=1e-9)


def test_a_bound_that_is_no_bucket_is_refused_with_the_nearest() -> None:
    made, (finding,) = promised({"latency": {"p95": "90ms"}})
    assert made == ()
    assert (finding.severity, finding.given, finding.remedy) == ("error", "90ms", "write 100ms, the nearest")
    assert finding.allowed == "5ms, 10ms, 50ms, 100ms, 250ms, 500ms"


def test_a_latency_that_nobody_measures_is_refused_with_the_reason_and_leaves_availability() -> None:
    made, (finding,) = promised({"availability": 99.9, "latency": {"p95": "100ms"}}, latency=NO_HISTOGRAM)
    assert [objective.name for objective in made] == ["availability"]
    assert finding.path == ("slo", "latency", "p95")
    assert "the toy engine counts no latencies" in finding.message
    assert finding.remedy == "give it a histogram"


def test_failures_that_nobody_counts_are_no_objective_and_leave_a_latency() -> None:
    made, (finding,) = promised({"availability": 99.9, "latency": {"p95": "100ms"}}, errors=None)
    assert [objective.name for objective in made] == ["p95"]
    assert (finding.severity, finding.path, finding.given) == ("error", ("slo", "availability"), "99.9")
    assert "add istio" in (finding.remedy or "")


def test_objectives_without_prometheus_operator_are_a_warning() -> None:
    spec = model_spec(slo={"latency": {"p95": "90ms"}})
    bare = stack_config(has=[capability for capability in STACK["has"] if capability != "prometheus-operator"])
    (finding,) = problems(spec, bare, toy_metrics())
    assert (finding.severity, finding.path) == ("warning", ("slo",))
    assert [f.severity for f in problems(spec, stack_config(), toy_metrics())] == ["error"]
    assert list(problems(model_spec(), bare, toy_metrics())) == []

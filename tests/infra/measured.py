"""Metrics of an engine that nobody ships, so that tests of scaling and rules hold for any engine."""

from __future__ import annotations

from typing import Any

from slipform.engines.metrics import Histogram, Measure, Metrics, NoHistogram

LATENCY = Histogram("toy_latency_ms", "ms", (5.0, 10.0, 50.0, 100.0, 250.0, 500.0))
NO_HISTOGRAM = NoHistogram("the toy engine counts no latencies", remedy="give it a histogram")


def toy_metrics(**changes: Any) -> Metrics:
    """What the toy engine measures, changed where a test says so."""
    measured: dict[str, Any] = {
        "model_label": "model_name",
        "version_label": "version",
        "requests": Measure("toy_requests_total", "sum by (@by) (rate(toy_requests_total{@matchers}[@window]))"),
        "errors": Measure(
            "toy_requests_total", 'sum by (@by) (rate(toy_requests_total{code=~"5..",@matchers}[@window]))'
        ),
        "queue_length": Measure("toy_waiting", "sum by (@by) (toy_waiting{@matchers})"),
        "utilization": Measure(
            "toy_busy_seconds_total",
            "sum by (@by) (rate(toy_busy_seconds_total{@matchers}[@window])) / @instances",
        ),
        "latency": LATENCY,
    }
    return Metrics(**(measured | changes))

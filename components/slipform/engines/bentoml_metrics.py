"""BentoML's metrics as the quantities that rules and autoscalers are written against.

Its series name the bento, not the spec: a server has one model, so the job, which is the server's name, is the model's.
"""

from __future__ import annotations

from .metrics import Histogram, Measure, Metrics

NAMESPACE = "bentoml_service"
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The bounds that ``bentoml_service_request_duration_seconds`` has by itself: those of Prometheus' client."""

_CALLED = 'endpoint!~"/(livez|readyz|healthz)"'
"""Probes are requests like any other to it."""


def metrics() -> Metrics:
    """What BentoML measures."""
    return Metrics(
        model_label="job",
        version_label="service_version",
        requests=_requests(""),
        # What a client did wrong (4xx) is not the server's fault, but for 429: too many at once.
        errors=_requests('http_response_code=~"5..|429",'),
        # Those that wait and those that are executed: it does not tell them apart.
        queue_length=Measure(
            f"{NAMESPACE}_request_in_progress",
            f"sum by (@by) ({NAMESPACE}_request_in_progress{{{_CALLED},@matchers}})",
        ),
        utilization=None,
        latency=Histogram(
            f"{NAMESPACE}_request_duration_seconds", "s", LATENCY_BUCKETS, extensible=True, extra_matchers=_CALLED
        ),
        rejected=_requests('http_response_code="429",'),
    )


def _requests(codes: str) -> Measure:
    series = f"{NAMESPACE}_request_total"
    return Measure(series, f"sum by (@by) (rate({series}{{{codes}{_CALLED},@matchers}}[@window]))")

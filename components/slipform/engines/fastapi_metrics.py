"""The bundled runtime's metrics as the quantities that rules and autoscalers are written against."""

from __future__ import annotations

from .metrics import Histogram, Measure, Metrics

LATENCY_BUCKETS_MS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
"""The bounds that ``inference_latency_ms`` has by itself."""


def metrics() -> Metrics:
    """What the bundled runtime measures."""
    return Metrics(
        model_label="model",
        version_label="version",
        requests=Measure("inference_requests_total", _requests("")),
        # What a client did wrong (invalid) or gave up (cancelled) is not the server's fault.
        errors=Measure("inference_requests_total", _requests('status=~"failed|rejected|timeout",')),
        queue_length=Measure("inference_queue_length", "sum by (@by) (inference_queue_length{@matchers})"),
        utilization=Measure(
            "model_busy_seconds_total",
            "sum by (@by) (rate(model_busy_seconds_total{@matchers}[@window]))"
            " / (@instances * count by (@by) (group by (pod, @by) (model_busy_seconds_total{@matchers})))",
        ),
        latency=Histogram("inference_latency_ms", "ms", LATENCY_BUCKETS_MS, extensible=True),
        rejected=Measure("inference_requests_total", _requests('status="rejected",')),
        extra=(
            (
                "cache_hit_ratio",
                Measure(
                    "cache_hits_total",
                    f"{_rate('cache_hits_total')} / ({_rate('cache_hits_total')} + {_rate('cache_misses_total')})",
                ),
            ),
            ("load_failures", _lately("model_load_failures_total")),
            ("rollbacks", _lately("model_rollbacks_total")),
        ),
    )


def _requests(status: str) -> str:
    return _rate("inference_requests_total", status)


def _lately(metric: str) -> Measure:
    return Measure(metric, f"sum by (@by) (increase({metric}{{@matchers}}[@window]))")


def _rate(metric: str, matchers: str = "") -> str:
    return f"sum by (@by) (rate({metric}{{{matchers}@matchers}}[@window]))"

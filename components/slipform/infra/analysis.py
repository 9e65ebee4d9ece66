"""How a new version is judged: Argo Rollouts' analyses, from an engine's metrics, as plain data.

Each query is restricted to the new version's pods and has three answers: a number where they had requests, 0 where
they are scraped but had none, and nothing at all where Prometheus does not know them. The last is an error, of which
two in a row end the rollout: a version that nobody can see is not promoted.
"""

from __future__ import annotations

from typing import Any

from ..engines.metrics import Histogram, Metrics, required
from ..spec.rollout import Analysis, Step
from ..spec.units import Duration
from .queries import latency_ms

Spec = dict[str, Any]
HASH, COUNT = "hash", "count"
"""Arguments of the template: the new pods' template hash, and how many times it is judged."""


def analysis_template(
    analysis: Analysis, metrics: Metrics, *, namespace: str, rollout: str, address: str, scrape_interval: int
) -> Spec:
    """One metric for each bound of the spec; ``address`` is Prometheus', ``scrape_interval`` in seconds."""
    pods = f'namespace="{namespace}",pod=~"{rollout}-{{{{args.{HASH}}}}}-.*"'
    window = prometheus_duration(analysis.window)
    bounds: list[tuple[str, str, str]] = []
    if analysis.max_error_rate is not None:
        bounds.append(("error-rate", error_rate(metrics, pods, window), number(analysis.max_error_rate)))
    if analysis.max_p95_latency is not None and isinstance(metrics.latency, Histogram):
        query = p95_latency_ms(metrics, metrics.latency, pods, analysis.window, scrape_interval)
        bounds.append(("p95-latency", query, number(analysis.max_p95_latency.milliseconds)))
    return {
        # Each use says its own count; without one here, the controller takes the template for one that never ends.
        "args": [{"name": HASH}, {"name": COUNT, "value": str(switch_judgements(analysis))}],
        "metrics": [
            {
                "name": name,
                # The pods' first scrapes: before them every answer would be an error.
                "initialDelay": f"{first_look(scrape_interval)}s",
                "interval": f"{analysis.interval.whole_seconds()}s",
                "count": f"{{{{args.{COUNT}}}}}",
                "failureLimit": analysis.failure_limit,
                # The default forgives four, and a Prometheus that is down would then promote anything.
                "consecutiveErrorLimit": 1,
                "successCondition": f"result[0] <= {limit}",
                "provider": {"prometheus": {"address": address, "query": query}},
            }
            for name, query, limit in bounds
        ],
    }


def error_rate(metrics: Metrics, pods: str, window: str) -> str:
    """Share (0 to 1) of the requests that failed."""
    errors, requests = (required(each).promql(pods, window=window) for each in (metrics.errors, metrics.requests))
    return f"(({errors}) / (({requests}) > 0)) or {_scraped(pods)}"


def p95_latency_ms(metrics: Metrics, latency: Histogram, pods: str, window: Duration, scrape_interval: int) -> str:
    """The 95th percentile in milliseconds; without requests it is NaN, which >= drops.

    Pods that had requests for a whole window and still have no percentile are not measured: that is no 0, but nothing.
    """
    over, looks = prometheus_duration(window), int(window.seconds // scrape_interval)
    requests = required(metrics.requests).promql(pods, window=over)
    unmeasured = f"count_over_time((({requests}) > 0)[{over}:{scrape_interval}s]) >= {looks}"
    percentile = latency_ms(latency, 0.95, pods, over)
    return f"({percentile} >= 0) or ({_scraped(pods)} unless ({unmeasured}))"


def arguments(count: int) -> list[Spec]:
    """Arguments of one use of the template."""
    latest = {"name": HASH, "valueFrom": {"podTemplateHashValue": "Latest"}}
    return [latest, {"name": COUNT, "value": str(count)}]


def steps(template: str, written: tuple[Step, ...], analysis: Analysis, scrape_interval: int) -> list[Spec]:
    """A canary's steps: a weight, and then judgements for as long as it holds."""
    return [
        part
        for step in written
        for part in (
            {"setWeight": step.weight},
            {
                "analysis": {
                    "templates": [{"templateName": template}],
                    "args": arguments(judgements(step.hold, analysis, scrape_interval)),
                    # The controller adds it; declared, it is no difference at every preview.
                    "analysisRunMetadata": {},
                }
            },
        )
    ]


def judgements(hold: Duration, analysis: Analysis, scrape_interval: int) -> int:
    """How many judgements fill a step: the first after the pods' first scrapes, the last when the hold is over."""
    judged = hold.whole_seconds() - first_look(scrape_interval)
    return max(0, -(-judged // analysis.interval.whole_seconds())) + 1


def switch_judgements(analysis: Analysis) -> int:
    """How many judgements a blue-green switch takes: one window of requests, and enough to be refused."""
    interval = analysis.interval.whole_seconds()
    return max(-(-analysis.window.whole_seconds() // interval), analysis.failure_limit) + 1


def first_look(scrape_interval: int) -> int:
    """Seconds until a new pod has the two samples that a rate needs."""
    return 2 * scrape_interval


def prometheus_duration(duration: Duration) -> str:
    """Whole milliseconds or seconds: Prometheus knows no microseconds and no fractions."""
    milliseconds = max(1, duration.microseconds // 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def number(value: float) -> str:
    """A bound as it was written, without a float's exponent or a needless fraction."""
    return str(int(value)) if value == int(value) else f"{value:.15f}".rstrip("0")


def _scraped(pods: str) -> str:
    return f"(0 * max(up{{{pods}}} == 1))"

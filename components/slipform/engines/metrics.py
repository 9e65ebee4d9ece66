"""What an engine measures, as PromQL that rules, autoscalers, dashboards and analyses fill in.

A query is a template with three holes: ``@matchers`` (label matchers without braces), ``@window`` (a range such as
``5m``) and ``@by`` (labels to group by). The same text so serves an alert, a HorizontalPodAutoscaler through
prometheus-adapter (whose own holes are ``<<.LabelMatchers>>`` and ``<<.GroupBy>>``) and a canary's analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..spec.units import Duration


@dataclass(frozen=True)
class Measure:
    """One quantity. ``series`` is a metric that exists wherever the quantity does; ``query`` the PromQL template."""

    series: str
    query: str

    def promql(self, matchers: str, *, window: str = "5m", by: str = "") -> str:
        """The query for some labels; ``by`` empty means one number for all of them together."""
        return self.query.replace("@matchers", matchers).replace("@window", window).replace("@by", by)


@dataclass(frozen=True)
class Histogram:
    """Latency as a Prometheus histogram: ``<metric>_bucket`` with ``le`` in ``unit``."""

    metric: str
    unit: Literal["us", "ms", "s"]
    buckets: tuple[float, ...]
    """Upper bounds in ``unit``, without +Inf."""
    extensible: bool = False
    """True where the server is given further bounds, so that each of the spec's is a bucket."""
    extra_matchers: str = ""
    """Further label matchers, such as reporter="destination"."""

    def bound(self, latency: Duration) -> float:
        """A latency in the histogram's unit."""
        return latency.microseconds / {"us": 1, "ms": 1_000, "s": 1_000_000}[self.unit]

    def le(self, latency: Duration) -> str | None:
        """The ``le`` label's text for a bound that is a bucket, else None."""
        bound = self.bound(latency)
        return f"{bound:g}" if self.extensible or bound in self.buckets else None

    def nearest(self, latency: Duration) -> float:
        """The bucket's bound that is nearest to a latency."""
        return min(self.buckets, key=lambda bucket: abs(bucket - self.bound(latency)))


@dataclass(frozen=True)
class NoHistogram:
    """Why an engine's latency is not known as a histogram, and so no rule can be made of it."""

    reason: str


@dataclass(frozen=True)
class Metrics:
    """The quantities that autoscaling, rules and analyses are written against.

    ``requests`` and ``errors`` are per second; ``errors`` counts what is the server's fault. ``queue_length`` is the
    number of requests that wait; ``utilization`` the share (0 to 1) of time in which the instances execute.
    """

    model_label: str
    version_label: str
    requests: Measure
    errors: Measure
    queue_length: Measure
    utilization: Measure
    latency: Histogram | NoHistogram
    rejected: Measure | None = None
    """Requests per second that a full queue refused."""
    extra: tuple[tuple[str, Measure], ...] = ()
    """Further quantities by name (cache_hit_ratio, load_failures, rollbacks, gpu_memory_ratio), where the engine has them."""

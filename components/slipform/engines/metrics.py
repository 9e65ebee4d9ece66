"""What an engine measures, as PromQL that rules, autoscalers, dashboards and analyses fill in.

A query is a template with four holes: ``@matchers`` (label matchers without braces), ``@window`` (a range such as
``5m``), ``@by`` (labels to group by) and ``@instances`` (copies of the model that one replica executes). The same text
so serves an alert, a HorizontalPodAutoscaler through prometheus-adapter (whose own holes are ``<<.LabelMatchers>>`` and
``<<.GroupBy>>``) and a canary's analysis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..spec.units import Duration


@dataclass(frozen=True)
class Measure:
    """One quantity. ``series`` is a metric that exists wherever the quantity does; ``query`` the PromQL template."""

    series: str
    query: str
    of_replica: bool = False
    """True where the series carry no model's label, so that matchers can only choose pods."""
    workload_label: str | None = None
    """As a Histogram's: the label that names the Deployment, where the mesh measures what the engine does not."""
    model_label: str | None = None
    """The label that names the model, where it is another than that of the engine's other series."""

    def promql(self, matchers: str, *, window: str = "5m", by: str = "", instances: int = 1) -> str:
        """The query for some labels; ``by`` empty means one number for all of them together."""
        holes = {"@matchers": matchers, "@window": window, "@by": by, "@instances": str(instances)}
        query = self.query
        for hole, text in holes.items():
            query = query.replace(hole, text)
        return query


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
    workload_label: str | None = None
    """The label that names the Deployment, where the series carry no model's label but only that (a mesh's)."""
    model_label: str | None = None
    """As a Measure's."""

    @property
    def seconds_per_unit(self) -> float:
        return {"us": 1e-6, "ms": 1e-3, "s": 1.0}[self.unit]

    def bound(self, latency: Duration) -> float:
        """A latency in the histogram's unit."""
        return latency.microseconds / {"us": 1, "ms": 1_000, "s": 1_000_000}[self.unit]

    def bucket(self, latency: Duration) -> float | None:
        """The bound of a latency's bucket, or None where there is none.

        A spec's durations are whole microseconds, and a server's bounds may lie between two of them.
        """
        bound, half = self.bound(latency), 0.5e-6 / self.seconds_per_unit
        return bound if self.extensible else next((one for one in self.buckets if abs(one - bound) <= half), None)

    def le(self, latency: Duration) -> str | None:
        r"""The matcher that picks the bucket of a latency, such as ``le=~"100|100\\.0"``; None where there is none.

        Prometheus 3 writes whole bounds with ``.0``, Prometheus 2 as the server wrote them, and large ones with an
        exponent.
        """
        bound = self.bucket(latency)
        if bound is None:
            return None
        if bound != int(bound):
            return f'le="{bound}"'
        spellings = [f"{bound:.0f}", f"{bound:.0f}.0"]
        if bound >= 1e6:
            mantissa, exponent = f"{bound:e}".split("e")
            spellings.append(f"{mantissa.rstrip('0').rstrip('.')}e+{int(exponent):02d}")
        return f'le=~"{"|".join(re.escape(text) for text in spellings)}"'.replace("\\", "\\\\")

    def nearest(self, latency: Duration) -> Duration:
        """The bucket's bound that is nearest to a latency, as a spec can have it."""
        nearest = min(self.buckets, key=lambda bucket: abs(bucket - self.bound(latency)))
        return Duration(round(nearest * self.seconds_per_unit * 1e6))


@dataclass(frozen=True)
class NoHistogram:
    """Why an engine's latency is not known as a histogram, and so no rule can be made of it."""

    reason: str
    remedy: str | None = None


@dataclass(frozen=True)
class Metrics:
    """The quantities that autoscaling, rules and analyses are written against.

    ``requests`` and ``errors`` are per second; ``errors`` counts what is the server's fault. ``queue_length`` is the
    number of requests that wait; ``utilization`` the share (0 to 1) of time in which the instances execute. What nobody
    measures, neither the engine nor the stack's mesh, is None.

    The share needs to know how many instances a replica has (``sizes.instances_per_replica``). A query that serves many
    models, as prometheus-adapter's does, leaves it at 1 and so counts the busy instances of a replica: its target is
    the spec's share times the instances.
    """

    model_label: str
    version_label: str
    requests: Measure | None
    errors: Measure | None
    queue_length: Measure | None
    utilization: Measure | None
    latency: Histogram | NoHistogram
    rejected: Measure | None = None
    """Requests per second that a full queue refused."""
    extra: tuple[tuple[str, Measure], ...] = ()
    """Further quantities by name, where the engine has them: cache_hit_ratio, load_failures, rollbacks,
    gpu_memory_ratio.
    """
    path: str | None = "/metrics"
    """Where the engine itself answers Prometheus; None where it does not."""


def required(measure: Measure | None) -> Measure:
    """The measure, where review has seen that somebody takes it. Raises ValueError where nobody does."""
    if measure is None:
        raise ValueError("nobody measures it, so nothing follows it")
    return measure

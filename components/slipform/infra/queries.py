"""PromQL about one model, made of its engine's measures: shared by rules, the autoscaler and the adapter's config."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..engines.metrics import Histogram, Measure
from ..spec.units import Duration
from .platform import CANDIDATE, TRACK_LABEL

TRACK = re.sub(r"[^a-zA-Z0-9_]", "_", TRACK_LABEL)
"""The pods' track as Prometheus' label; ServiceMonitors bring it by podTargetLabels."""


def matchers(
    measured: Measure | Histogram,
    model_label: str,
    *,
    namespace: str,
    model: str,
    workloads: Sequence[str],
    track: str | None = None,
) -> str:
    """Label matchers that find one model's series, of all its pods or of one track's.

    A mesh does not know the model: its series are found by the workloads, which stand for a track as well.
    """
    if label := measured.workload_label:
        return joined(f'{label}_namespace="{namespace}"', f'{label}=~"{"|".join(workloads)}"')
    named = measured.model_label or model_label
    return joined(f'namespace="{namespace}"', f'{named}="{model}"', track and f'{TRACK}="{track}"')


def without_candidate(selected: str) -> str:
    """The same without a shadow's pods, whose answers nobody gets."""
    return joined(selected, f'{TRACK}!="{CANDIDATE}"')


def joined(*parts: str | None) -> str:
    return ",".join(part for part in parts if part)


def latency_ms(histogram: Histogram, quantile: float, selected: str, window: str, by: str = "") -> str:
    """A quantile of the latency in milliseconds."""
    return _latency(histogram, quantile, selected, window, by, histogram.seconds_per_unit * 1000)


def latency_seconds(histogram: Histogram, quantile: float, selected: str, window: str, by: str = "") -> str:
    """A quantile of the latency in seconds."""
    return _latency(histogram, quantile, selected, window, by, histogram.seconds_per_unit)


def _latency(histogram: Histogram, quantile: float, selected: str, window: str, by: str, factor: float) -> str:
    selected = joined(selected, histogram.extra_matchers)
    by = joined("le", by)
    query = f"histogram_quantile({quantile:g}, sum by ({by}) (rate({histogram.metric}_bucket{{{selected}}}[{window}])))"
    return query if factor == 1 else f"{query} * {factor:g}"


def slower(histogram: Histogram, bound: Duration, selected: str, window: str) -> str:
    """Requests per second that take longer than a bound, which is a bucket."""
    selected = joined(selected, histogram.extra_matchers)
    within = joined(selected, histogram.le(bound))
    return (
        f"clamp_min(sum(rate({histogram.metric}_count{{{selected}}}[{window}]))"
        f" - sum(rate({histogram.metric}_bucket{{{within}}}[{window}])), 0)"
    )

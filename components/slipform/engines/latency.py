"""Bounds on latency that a spec names, so that a server's histogram has them as buckets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..spec.findings import FieldPath
from ..spec.modelspec import ModelSpec
from ..spec.rollout import BlueGreen, Canary
from ..spec.units import Duration


def bounds(spec: ModelSpec) -> Iterator[tuple[FieldPath, Duration]]:
    """Each bound with its place: objectives, the autoscaler's target, the bound of a rollout's analysis."""
    if spec.slo and spec.slo.latency:
        for name, bound in spec.slo.latency.chosen.items():
            yield ("slo", "latency", name), bound
    if spec.scaling.metrics.p95_latency is not None:
        yield ("scaling", "metrics", "p95_latency"), spec.scaling.metrics.p95_latency
    rollout = spec.rollout
    if isinstance(rollout, Canary | BlueGreen) and rollout.analysis and rollout.analysis.max_p95_latency is not None:
        yield ("rollout", "analysis", "max_p95_latency"), rollout.analysis.max_p95_latency


def milliseconds(specs: Iterable[ModelSpec]) -> tuple[float, ...]:
    """All bounds of the specs, rising, each once."""
    return tuple(sorted({bound.milliseconds for spec in specs for _, bound in bounds(spec)}))

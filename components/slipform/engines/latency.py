"""Bounds on latency that a spec names, so that a server's histogram has them as buckets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..spec.modelspec import ModelSpec
from ..spec.rollout import BlueGreen, Canary
from ..spec.units import Duration


def milliseconds(specs: Iterable[ModelSpec]) -> tuple[float, ...]:
    """All bounds of the specs, rising, each once."""
    return tuple(sorted({bound.milliseconds for spec in specs for bound in _bounds(spec)}))


def _bounds(spec: ModelSpec) -> Iterator[Duration]:
    """Objectives, the autoscaler's target, the bound of a rollout's analysis."""
    if spec.slo and spec.slo.latency:
        yield from spec.slo.latency.chosen.values()
    if spec.scaling.metrics.p95_latency is not None:
        yield spec.scaling.metrics.p95_latency
    rollout = spec.rollout
    if isinstance(rollout, Canary | BlueGreen) and rollout.analysis and rollout.analysis.max_p95_latency is not None:
        yield rollout.analysis.max_p95_latency

"""Latency as the mesh measures it, for engines that have no histogram of their own."""

from __future__ import annotations

from .metrics import Histogram

ISTIO_LATENCY = Histogram(
    metric="istio_request_duration_milliseconds",
    unit="ms",
    # Envoy's own bounds.
    buckets=(
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
    ),
    extra_matchers='reporter="destination"',
    workload_label="destination_workload",
)  # fmt: skip

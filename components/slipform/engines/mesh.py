"""What the mesh measures, for engines that don't: requests, errors and latency of a Deployment."""

from __future__ import annotations

from .metrics import Histogram, Measure

WORKLOAD = "destination_workload"
"""The label that names the Deployment; the namespace is in ``destination_workload_namespace``."""

UNMEASURED_REMEDY = "add istio to the stack's `has` when the cluster has it"
"""What to do where neither the engine nor a mesh measures something."""

_SERVED = 'reporter="destination"'


def _rate(matchers: str) -> str:
    return f"rate(istio_requests_total{{{matchers},@matchers}}[@window])"


ISTIO_REQUESTS = Measure("istio_requests_total", f"sum by (@by) ({_rate(_SERVED)})", workload_label=WORKLOAD)

_GRPC_ERRORS = 'grpc_response_status=~"4|8|13|14"'
"""Deadline, full queue, internal, unavailable; HTTP's code of these is 200."""


def istio_errors(codes: str) -> Measure:
    """Requests whose HTTP code is one of ``codes``, a pattern, or whose gRPC status is the server's fault."""
    http, grpc = _rate(f'{_SERVED},response_code=~"{codes}"'), _rate(f"{_SERVED},{_GRPC_ERRORS}")
    return Measure("istio_requests_total", f"sum by (@by) ({http} or {grpc})", workload_label=WORKLOAD)


ISTIO_ERRORS = istio_errors("5..|429")

ISTIO_LATENCY = Histogram(
    metric="istio_request_duration_milliseconds",
    unit="ms",
    # Envoy's own bounds.
    buckets=(
        0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
    ),
    extra_matchers=_SERVED,
    workload_label=WORKLOAD,
)  # fmt: skip

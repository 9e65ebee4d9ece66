"""TensorFlow Serving's metrics as the quantities that rules and autoscalers are written against.

Names and labels are those of servables/tensorflow/util.cc and batching/batching_session.cc.
"""

from __future__ import annotations

from ..spec.stack import StackConfig
from .mesh import ISTIO_LATENCY
from .metrics import Histogram, Measure, Metrics

REQUESTS, LATENCY = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"
WAITING = ":tensorflow:serving:batching_session:queuing_latency"

LATENCY_BUCKETS_US = tuple(float(f"{10 * 1.8**power:g}") for power in range(33))
"""Its bounds, each 1.8 times the last, as it prints them: six digits."""

FAILURES = "UNKNOWN|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED|INTERNAL|UNAVAILABLE|DATA_LOSS"
"""What is the server's fault; a wrong tensor is INVALID_ARGUMENT, an unknown version NOT_FOUND."""
FULL = "UNAVAILABLE"
"""What a request is told for which the batches' queue has no place."""


def metrics(stack: StackConfig) -> Metrics:
    """What TensorFlow Serving measures; latency by the mesh where there is one, whose bounds people can name."""
    return Metrics(
        model_label="model_name",
        version_label="",
        requests=Measure(REQUESTS, _rate(REQUESTS)),
        errors=Measure(REQUESTS, _rate(REQUESTS, f'status=~"{FAILURES}",')),
        # The rate at which requests gather waiting time is, by Little's law, how many of them wait.
        queue_length=Measure(f"{WAITING}_sum", f"{_rate(f'{WAITING}_sum')} / 1e6", model_label="thread_pool_name"),
        # Its time in the model has the wait for a batch in it, and counts for each request of a batch.
        utilization=None,
        latency=Histogram(LATENCY, "us", LATENCY_BUCKETS_US) if stack.lacks("istio") else ISTIO_LATENCY,
        rejected=Measure(REQUESTS, _rate(REQUESTS, f'status="{FULL}",')),
    )


def _rate(metric: str, matchers: str = "") -> str:
    return f"sum by (@by) (rate({metric}{{{matchers}@matchers}}[@window]))"

"""MLflow measures nothing: what is known of its requests is the mesh's."""

from __future__ import annotations

from ..spec.stack import StackConfig
from .mesh import ISTIO_LATENCY, ISTIO_REQUESTS, UNMEASURED_REMEDY, WORKLOAD, istio_errors
from .metrics import Metrics, NoHistogram

ERRORS = istio_errors("5..|400|429")
"""With 400, since that is what MLflow answers where the model raises: it does not tell it from a request that it could
not read, and a version that fails at everything must not look sound."""


def metrics(stack: StackConfig) -> Metrics:
    """What the stack's mesh, if it has one, measures of MLflow."""
    mesh = not stack.lacks("istio")
    return Metrics(
        model_label=WORKLOAD,
        version_label=WORKLOAD,
        requests=ISTIO_REQUESTS if mesh else None,
        errors=ERRORS if mesh else None,
        queue_length=None,
        utilization=None,
        latency=ISTIO_LATENCY if mesh else NoHistogram("MLflow times no requests", remedy=UNMEASURED_REMEDY),
        path=None,
    )

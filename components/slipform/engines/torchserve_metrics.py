"""TorchServe's metrics, as ``metrics.yaml`` has it write them, as the quantities that autoscalers and rules follow."""

from __future__ import annotations

from ..spec.stack import StackConfig
from .mesh import ISTIO_ERRORS, ISTIO_LATENCY, ISTIO_REQUESTS, UNMEASURED_REMEDY
from .metrics import Measure, Metrics, NoHistogram


def metrics(stack: StackConfig) -> Metrics:
    """What TorchServe measures, with the mesh for what it does not.

    Its count of failures knows no model, leaves gRPC out and takes health checks in; its times are sums without
    buckets. Where the mesh counts failures it counts requests too, since the two are divided.
    """
    meshed = not stack.lacks("istio")
    return Metrics(
        model_label="model_name",
        version_label="model_version",
        requests=ISTIO_REQUESTS if meshed else _counted("ts_inference_requests_total"),
        errors=ISTIO_ERRORS if meshed else None,
        # The rate at which requests gather waiting time is, by Little's law, how many of them wait.
        queue_length=_counted("ts_queue_latency_microseconds", " / 1e6"),
        utilization=Measure(
            "PredictionTime",
            "sum by (@by) (rate(PredictionTime{@matchers}[@window])) / 1e3"
            " / (@instances * count by (@by) (group by (pod, @by) (PredictionTime{@matchers})))",
            model_label="ModelName",
        ),
        latency=ISTIO_LATENCY
        if meshed
        else NoHistogram(
            "TorchServe has no latency histogram, and the stack has no mesh that measures it",
            remedy=UNMEASURED_REMEDY,
        ),
    )


def _counted(metric: str, unit: str = "") -> Measure:
    return Measure(metric, f"sum by (@by) (rate({metric}{{@matchers}}[@window])){unit}")

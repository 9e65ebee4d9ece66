"""Triton's metrics (core: metrics.cc) as the quantities that rules and autoscalers are written against."""

from __future__ import annotations

from ..spec.stack import StackConfig
from . import triton_releases
from .config_pbtxt import HISTOGRAM
from .mesh import ISTIO_LATENCY
from .metrics import Histogram, Measure, Metrics, NoHistogram

LATENCY_BUCKETS_MS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0)
"""Bounds of the histogram beside the spec's; Triton's own begin at 100 ms."""


def metrics(stack: StackConfig) -> Metrics:
    """What Triton measures in the stack's release."""
    return Metrics(
        model_label="model",
        version_label="version",
        requests=Measure(
            "nv_inference_request_success",
            f"{_rate('nv_inference_request_success')} + {_rate('nv_inference_request_failure')}",
        ),
        # A request that its client gave up (CANCELED) is nobody's error.
        errors=_failures('reason=~"REJECTED|BACKEND|OTHER"'),
        queue_length=Measure(
            "nv_inference_pending_request_count", "sum by (@by) (nv_inference_pending_request_count{@matchers})"
        ),
        utilization=Measure("nv_inference_exec_count", _utilization()),
        latency=latency(stack),
        rejected=_failures('reason="REJECTED"'),
        extra=(
            (
                "cache_hit_ratio",
                Measure(
                    "nv_cache_num_hits_per_model",
                    f"{_rate('nv_cache_num_hits_per_model')} / ({_rate('nv_cache_num_hits_per_model')}"
                    f" + {_rate('nv_cache_num_misses_per_model')})",
                ),
            ),
            (
                "gpu_memory_ratio",
                Measure(
                    "nv_gpu_memory_used_bytes",
                    "max by (@by) (nv_gpu_memory_used_bytes{@matchers} / nv_gpu_memory_total_bytes{@matchers})",
                    of_replica=True,
                ),
            ),
        ),
    )


def latency(stack: StackConfig) -> Histogram | NoHistogram:
    """Triton's histogram, from the release on that has it; before, the mesh's."""
    release = stack.images.triton_release
    if triton_releases.since(release, triton_releases.HISTOGRAM):
        return Histogram(HISTOGRAM, "ms", LATENCY_BUCKETS_MS, extensible=True)
    if not stack.lacks("istio"):
        return ISTIO_LATENCY
    return NoHistogram(
        f"Triton {release} has no latency histogram, and the stack has no mesh that measures it",
        remedy=f"run Triton {triton_releases.HISTOGRAM} or later (slipform:images.triton and triton_release), "
        "or add istio to slipform:has",
    )


def _rate(metric: str, matchers: str = "") -> str:
    further = f"{matchers}," if matchers else ""
    return f"sum by (@by) (rate({metric}{{{further}@matchers}}[@window]))"


def _failures(reason: str) -> Measure:
    return Measure("nv_inference_request_failure", _rate("nv_inference_request_failure", reason))


def _utilization() -> str:
    """The share of time in which the instances execute, from counters.

    Each request of a batch adds the batch's whole run time to ``nv_inference_compute_*_duration_us``. So the rate of
    that sum is, by Little's law, the number of requests that are being executed; over the requests in a batch it is the
    number of instances that execute; over the instances that there are, the share.

    It is exact where a batch takes as long as any other; where larger batches take longer, it is a little too high, for
    they weigh by their requests. It leaves out executions that failed, whose times Triton does not count, and what
    instances spend loading and warming up. Requests that were answered from the cache are no part of any batch and are
    taken off.
    """
    each = "pod, model, version, @by"

    def rate(metric: str) -> str:
        return f"sum by ({each}) (rate({metric}{{@matchers}}[@window]))"

    seconds = " + ".join(rate(f"nv_inference_compute_{part}_duration_us") for part in ("input", "infer", "output"))
    success, executions = rate("nv_inference_request_success"), rate("nv_inference_exec_count")
    hits = f"({rate('nv_cache_num_hits_per_model')} or 0 * {success})"
    # Without requests it is 0 / a little, so 0 and not "no data".
    busy = f"({seconds}) / 1e6 * {executions} / clamp_min({success} - {hits}, 1e-9)"
    replicas = "count by (@by) (group by (pod, @by) (nv_inference_exec_count{@matchers}))"
    return f"sum by (@by) ({busy}) / (@instances * {replicas})"

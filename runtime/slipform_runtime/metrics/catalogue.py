"""Every metric: its name, its labels, and how it is read off a version's counters.

Names and labels are a contract: alerts, autoscaling and dashboards are written against them. Names that begin with
`nv_` are Triton's, so that what was made for Triton works.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from slipform_runtime.errors import Outcome
from slipform_runtime.metrics.statistics import Duration, Histogram
from slipform_runtime.repository.repository import Model
from slipform_runtime.repository.served import ServedVersion

Sample = tuple[str, dict[str, str], float]  # suffix of the name, further labels, value


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it means, and how it is read off a version."""

    name: str
    kind: str
    help: str
    read: Callable[[ServedVersion, float], Iterable[Sample]]
    labels: tuple[str, str] = ("model", "version")


def _one(read: Callable[[ServedVersion], float]) -> Callable[[ServedVersion, float], Iterable[Sample]]:
    return lambda served, now: [("", {}, read(served))]


def _outcomes(served: ServedVersion, now: float) -> Iterator[Sample]:
    for outcome, count in served.statistics.outcomes.items():
        yield "", {"status": outcome.value}, count


def _errors(served: ServedVersion, now: float) -> Iterator[Sample]:
    for kind, count in sorted(served.statistics.errors.items()):
        yield "", {"error": kind}, count


def _busy(served: ServedVersion, now: float) -> Iterator[Sample]:
    for index in range(served.instance_count):
        yield "", {"instance": str(index)}, served.statistics.busy_ns.get(index, 0) / 1e9


def _batch_sizes(served: ServedVersion, now: float) -> Iterator[Sample]:
    batches = served.statistics.batches
    total = 0
    for size in _powers(max(1, served.max_batch_size)):
        below = sum(batch.count for rows, batch in batches.items() if rows <= size)
        yield "_bucket", {"le": str(size)}, below
    total = sum(batch.count for batch in batches.values())
    yield "_bucket", {"le": "+Inf"}, total
    yield "_sum", {}, sum(rows * batch.count for rows, batch in batches.items())
    yield "_count", {}, total


def _powers(limit: int) -> list[int]:
    sizes = [1]
    while sizes[-1] < limit:
        sizes.append(min(limit, 2 * sizes[-1]))
    return sizes


def _histogram(histogram: Histogram, unit: float = 1.0) -> Iterator[Sample]:
    below = 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        below += count
        yield "_bucket", {"le": _bound(bound * unit)}, below
    yield "_bucket", {"le": "+Inf"}, histogram.count
    yield "_sum", {}, histogram.total * unit
    yield "_count", {}, histogram.count


def _bound(value: float) -> str:
    return f"{value:.10g}"


_TRITONS_REASONS = {
    "REJECTED": (Outcome.REJECTED, Outcome.TIMEOUT),
    "CANCELED": (Outcome.CANCELLED,),
    "BACKEND": (Outcome.FAILED,),
    "OTHER": (Outcome.INVALID,),
}


def _failed(served: ServedVersion, now: float) -> Iterator[Sample]:
    for reason, outcomes in _TRITONS_REASONS.items():
        yield "", {"reason": reason}, sum(served.statistics.failures[outcome] for outcome in outcomes)


def _microseconds(name: str) -> Callable[[ServedVersion, float], Iterable[Sample]]:
    return _one(lambda served: getattr(served.statistics, name).ns // 1000)


def _whole_request_us(served: ServedVersion) -> float:
    return (served.statistics.success.ns + served.statistics.fail.ns) // 1000


def _count(name: str) -> Callable[[ServedVersion, float], Iterable[Sample]]:
    def read(served: ServedVersion) -> float:
        duration: Duration = getattr(served.statistics, name)
        return duration.count

    return _one(read)


def _hit_rate(served: ServedVersion) -> float:
    hits, misses = served.statistics.cache_hit.count, served.statistics.cache_miss.count
    return hits / (hits + misses) if hits + misses else 0.0


_M, _MV = ("model", "version"), ("model_name", "model_version")

METRICS = [
    Metric("inference_requests_total", "counter", "Requests that ended, by how.", _outcomes),
    Metric(
        "inference_latency_ms",
        "histogram",
        "Milliseconds from a request's first byte to its answer, of those that succeeded.",
        lambda served, now: _histogram(served.statistics.latency_ms),
    ),
    Metric(
        "inference_requests_per_second",
        "gauge",
        "Requests that ended, a second, over the last 10 seconds.",
        lambda served, now: [("", {}, served.statistics.requests_per_second(now))],
    ),
    Metric("inference_queue_length", "gauge", "Requests that wait.", _one(lambda served: served.queued)),
    Metric("model_busy_seconds_total", "counter", "Time for which an instance was executing.", _busy),
    Metric("model_instances", "gauge", "Copies of the model that execute.", _one(lambda served: served.instance_count)),
    Metric(
        "p95_latency_ms",
        "gauge",
        "The 95th percentile of inference_latency_ms since the version was loaded.",
        _one(lambda served: served.statistics.latency_quantile_ms(0.95)),
    ),
    Metric("model_batch_size", "histogram", "Rows of the batches that ran.", _batch_sizes),
    Metric(
        "model_active_requests", "gauge", "Requests that wait or run.", _one(lambda served: served.statistics.active)
    ),
    Metric(
        "model_load_time_seconds",
        "gauge",
        "From the files to the first answer.",
        _one(lambda served: served.statistics.load_seconds),
    ),
    Metric("prediction_errors_total", "counter", "Executions that failed, by kind.", _errors),
    Metric("model_inference_total", "counter", "Requests that ended, by how.", _outcomes, _MV),
    Metric(
        "model_inference_duration_seconds",
        "histogram",
        "Seconds from a request's first byte to its answer, of those that succeeded.",
        lambda served, now: _histogram(served.statistics.latency_ms, 1e-3),
        _MV,
    ),
    Metric(
        "nv_inference_request_success",
        "counter",
        "Number of successful inference requests.",
        _one(lambda served: served.statistics.success.count),
        _M,
    ),
    Metric("nv_inference_request_failure", "counter", "Number of failed inference requests.", _failed, _M),
    Metric(
        "nv_inference_count",
        "counter",
        "Number of inferences performed, cached ones left out.",
        _one(lambda served: served.statistics.inference_count),
        _M,
    ),
    Metric(
        "nv_inference_exec_count",
        "counter",
        "Number of model executions, cached ones left out.",
        _one(lambda served: served.statistics.execution_count),
        _M,
    ),
    Metric(
        "nv_inference_request_duration_us",
        "counter",
        "Cumulative request duration in microseconds.",
        _one(_whole_request_us),
    ),
    Metric("nv_inference_queue_duration_us", "counter", "Cumulative queuing duration.", _microseconds("queue")),
    Metric(
        "nv_inference_compute_input_duration_us",
        "counter",
        "Cumulative input duration.",
        _one(lambda served: served.statistics.computed.input_ns // 1000),
    ),
    Metric(
        "nv_inference_compute_infer_duration_us",
        "counter",
        "Cumulative compute duration.",
        _one(lambda served: served.statistics.computed.infer_ns // 1000),
    ),
    Metric(
        "nv_inference_compute_output_duration_us",
        "counter",
        "Cumulative output duration.",
        _one(lambda served: served.statistics.computed.output_ns // 1000),
    ),
    Metric("cache_hits_total", "counter", "Requests answered from the cache.", _count("cache_hit")),
    Metric("cache_misses_total", "counter", "Requests that the cache could not answer.", _count("cache_miss")),
    Metric("cache_hit_rate", "gauge", "Hits of all lookups since the version was loaded.", _one(_hit_rate)),
    Metric("nv_cache_num_hits_per_model", "counter", "Number of cache hits.", _count("cache_hit")),
    Metric("nv_cache_num_misses_per_model", "counter", "Number of cache misses.", _count("cache_miss")),
    Metric(
        "nv_model_load_duration_secs",
        "gauge",
        "Model load time in seconds.",
        _one(lambda served: served.statistics.load_seconds),
    ),
    Metric(
        "nv_inference_pending_request_count",
        "gauge",
        "Number of requests that await execution.",
        _one(lambda served: served.queued),
    ),
]

# Of a model as a whole: what may happen though no version of it serves.
MODEL_METRICS: dict[str, tuple[str, Callable[[Model], int]]] = {
    "model_load_failures_total": ("Versions that could not be loaded.", lambda model: model.load_failures),
    "model_rollbacks_total": (
        "Versions whose failures brought the last good one back.",
        lambda model: model.rollbacks,
    ),
}

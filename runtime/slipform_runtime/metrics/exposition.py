"""Prometheus' text format: every metric is a view of the same counters, made when it is asked for.

Names and labels are a contract: alerts, autoscaling and dashboards are written against them. Models are taken
from the repository, so no name that a client invents becomes a label.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from slipform_runtime.errors import Outcome
from slipform_runtime.metrics.statistics import Histogram
from slipform_runtime.repository.version import ModelVersion

if TYPE_CHECKING:
    from slipform_runtime.dataplane import DataPlane

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, dict[str, str], float]  # suffix of the name, further labels, value


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it means, and how it is read off a version."""

    name: str
    kind: str
    help: str
    read: Callable[[ModelVersion, float], Iterable[Sample]]
    labels: tuple[str, str] = ("model", "version")


def expose(plane: "DataPlane") -> str:
    """The metrics of every version that serves."""
    versions = plane.repository.all_versions()
    now = monotonic()
    lines: list[str] = []
    for metric in METRICS:
        lines.append(f"# HELP {metric.name} {metric.help}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        for served in versions:
            own = dict(zip(metric.labels, (served.name, served.version), strict=True))
            lines += [
                f"{metric.name}{suffix}{_labels({**own, **labels})} {_number(value)}"
                for suffix, labels, value in metric.read(served, now)
            ]
    lines += _server_lines(plane, versions, now)
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    escaped = (
        f'{name}="{value}"' if value.isalnum() else f'{name}="{_escape(value)}"' for name, value in labels.items()
    )
    return "{" + ",".join(escaped) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _one(read: Callable[[ModelVersion], float]) -> Callable[[ModelVersion, float], Iterable[Sample]]:
    return lambda served, now: [("", {}, read(served))]


def _outcomes(served: ModelVersion, now: float) -> Iterator[Sample]:
    for outcome, count in served.statistics.outcomes.items():
        yield "", {"status": outcome.value}, count


def _errors(served: ModelVersion, now: float) -> Iterator[Sample]:
    for kind, count in sorted(served.statistics.errors.items()):
        yield "", {"error": kind}, count


def _busy(served: ModelVersion, now: float) -> Iterator[Sample]:
    for instance in served.instances:
        yield "", {"instance": str(instance.index)}, served.statistics.busy_ns.get(instance.index, 0) / 1e9


def _batch_sizes(served: ModelVersion, now: float) -> Iterator[Sample]:
    batches = served.statistics.batches
    total = 0
    for size in _powers(max(1, served.batching.max_batch_size)):
        below = sum(batch.compute_infer.count for rows, batch in batches.items() if rows <= size)
        yield "_bucket", {"le": str(size)}, below
    total = sum(batch.compute_infer.count for batch in batches.values())
    yield "_bucket", {"le": "+Inf"}, total
    yield "_sum", {}, sum(rows * batch.compute_infer.count for rows, batch in batches.items())
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


def _failed(served: ModelVersion) -> int:
    return sum(n for outcome, n in served.statistics.outcomes.items() if outcome is not Outcome.SUCCESS)


def _microseconds(name: str) -> Callable[[ModelVersion, float], Iterable[Sample]]:
    return _one(lambda served: getattr(served.statistics, name).ns // 1000)


def _whole_request_us(served: ModelVersion) -> float:
    return (served.statistics.success.ns + served.statistics.fail.ns) // 1000


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
    Metric("inference_queue_length", "gauge", "Requests that wait.", _one(lambda served: served.scheduler.queued)),
    Metric("model_busy_seconds_total", "counter", "Time for which an instance was executing.", _busy),
    Metric("model_instances", "gauge", "Copies of the model that execute.", _one(lambda served: len(served.instances))),
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
    Metric("nv_inference_request_failure", "counter", "Number of failed inference requests.", _one(_failed), _M),
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
        _microseconds("compute_input"),
    ),
    Metric(
        "nv_inference_compute_infer_duration_us",
        "counter",
        "Cumulative compute duration.",
        _microseconds("compute_infer"),
    ),
    Metric(
        "nv_inference_compute_output_duration_us",
        "counter",
        "Cumulative output duration.",
        _microseconds("compute_output"),
    ),
    Metric(
        "nv_inference_pending_request_count",
        "gauge",
        "Number of requests that await execution.",
        _one(lambda served: served.scheduler.queued),
    ),
]


def _server_lines(plane: "DataPlane", versions: list[ModelVersion], now: float) -> list[str]:
    rate = sum(served.statistics.requests_per_second(now) for served in versions)
    return [
        "# HELP requests_per_second Requests of all models that ended, a second, over the last 10 seconds.",
        "# TYPE requests_per_second gauge",
        f"requests_per_second {_number(rate)}",
    ]

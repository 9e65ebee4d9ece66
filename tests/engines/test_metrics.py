"""The queries of the engines: valid PromQL in both of their uses, and right about load that is made up here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipform.engines import fastapi_metrics
from slipform.engines.mesh import ISTIO_LATENCY
from slipform.engines.metrics import Histogram, Measure, Metrics, NoHistogram, required
from slipform.engines.registry import engine
from slipform.spec.units import Duration
from slipform_runtime.errors import Outcome
from slipform_runtime.metrics.catalogue import METRICS, MODEL_METRICS
from slipform_runtime.metrics.statistics import DEFAULT_LATENCY_BUCKETS_MS

from ..builders import stack_config
from .promql import MATCHERS, Load, assert_valid, assert_value, series, uses

TRITON, FASTAPI = engine("triton").metrics(stack_config()), engine("fastapi").metrics(stack_config())
NO_MESH = stack_config(has=["prometheus-operator"])
TFSERVING, TORCHSERVE = engine("tfserving").metrics(NO_MESH), engine("torchserve").metrics(NO_MESH)
ENGINES = {"triton": TRITON, "fastapi": FASTAPI, "tfserving": TFSERVING, "torchserve": TORCHSERVE}


def utilization(metrics: Metrics) -> Measure:
    assert metrics.utilization is not None
    return metrics.utilization


def measures(metrics: Metrics) -> Iterator[tuple[str, Measure]]:
    yield from (
        (name, measure)
        for name in ("requests", "errors", "queue_length", "utilization", "rejected")
        if (measure := getattr(metrics, name)) is not None
    )
    yield from metrics.extra


@pytest.mark.parametrize("name", ENGINES)
def test_every_query_is_valid_in_every_use(name: str, promtool: Path, tmp_path: Path) -> None:
    queries = [query for _, measure in measures(ENGINES[name]) for query in uses(measure)]
    assert_valid(promtool, tmp_path, queries)


@pytest.mark.parametrize("name", ENGINES)
def test_no_hole_is_left_open(name: str) -> None:
    for _, measure in measures(ENGINES[name]):
        assert "@" not in measure.promql(MATCHERS)
        assert measure.series in measure.query


def test_torchserves_utilisation_is_the_share_of_time_in_which_workers_predict(promtool: Path, tmp_path: Path) -> None:
    """Two workers: those of one pod predict 1.5 seconds a second together, those of the other not at all."""
    loads = [
        series("PredictionTime", f"0+{rate}x40", pod, ModelName="resnet50") for rate, pod in ((22500, "a"), (0, "b"))
    ]
    query = utilization(TORCHSERVE).promql('namespace="models",ModelName="resnet50"', instances=2)
    assert_value(promtool, tmp_path, query, loads, 1.5 / 4)


@pytest.mark.parametrize(
    ("metrics", "metric", "labels"),
    [
        (TORCHSERVE, "ts_queue_latency_microseconds", {"model_name": "resnet50"}),
        (TFSERVING, ":tensorflow:serving:batching_session:queuing_latency_sum", {"thread_pool_name": "resnet50"}),
    ],
)
def test_requests_that_each_wait_for_a_fifth_of_a_second_are_as_many_as_come_in_it(
    metrics: Metrics, metric: str, labels: dict[str, str], promtool: Path, tmp_path: Path
) -> None:
    """Thirty come each second, and each waits 0.2 s: six wait at any time."""
    loads = [series(metric, f"0+{30 * 200_000 * 15}x40", **labels)]
    ((label, value),) = labels.items()
    assert_value(promtool, tmp_path, required(metrics.queue_length).promql(f'{label}="{value}"'), loads, 6)


def triton_pod(pod: str, batch: int, batches: int, batch_us: int, hits: int | None = None) -> list[Load]:
    """Counters of a pod that runs, every second, some batches of so many requests and microseconds each."""
    requests = batch * batches
    shares = {"input": batch_us // 10, "infer": batch_us * 8 // 10, "output": batch_us // 10}
    rates = {f"nv_inference_compute_{part}_duration_us": requests * us for part, us in shares.items()}
    rates["nv_inference_exec_count"] = batches
    rates["nv_inference_request_success"] = requests + (hits or 0)
    if hits is not None:
        rates["nv_cache_num_hits_per_model"] = hits
    return [series(metric, f"0+{rate * 15}x40", pod) for metric, rate in rates.items()]


@pytest.mark.parametrize(
    ("loads", "instances", "share"),
    [
        # One instance, ten batches a second of 50 ms: half of the time, however many requests a batch has.
        (triton_pod("a", batch=1, batches=10, batch_us=50_000), 1, 0.5),
        (triton_pod("a", batch=16, batches=10, batch_us=50_000), 1, 0.5),
        # Two instances share the same work; of two pods one does nothing.
        (triton_pod("a", batch=16, batches=10, batch_us=50_000), 2, 0.25),
        (triton_pod("a", batch=16, batches=10, batch_us=50_000) + triton_pod("b", 1, 0, 0), 1, 0.25),
        # Pods with batches of different sizes: the mean of 0.8 and 0.2.
        (triton_pod("a", batch=32, batches=8, batch_us=100_000) + triton_pod("b", 1, 20, 10_000), 1, 0.5),
        # Nine of ten answers come from the cache and cost nothing.
        (triton_pod("a", batch=4, batches=10, batch_us=50_000, hits=360), 1, 0.5),
        (triton_pod("a", batch=1, batches=0, batch_us=0), 1, 0.0),
    ],
)
def test_tritons_utilisation_is_the_share_of_time_in_which_instances_execute(
    loads: list[Load], instances: int, share: float, promtool: Path, tmp_path: Path
) -> None:
    query = utilization(TRITON).promql(MATCHERS, instances=instances)
    assert_value(promtool, tmp_path, query, loads, share)


def test_an_adapters_query_counts_the_busy_instances_of_a_pod(promtool: Path, tmp_path: Path) -> None:
    loads = triton_pod("a", batch=8, batches=30, batch_us=50_000) + triton_pod(
        "b", batch=1, batches=10, batch_us=50_000
    )
    by_pod = utilization(TRITON).promql('namespace="models"', by="pod")
    assert_value(promtool, tmp_path, f"sum({by_pod})", loads, 1.5 + 0.5)


def test_the_runtimes_utilisation_is_the_share_of_time_in_which_instances_execute(
    promtool: Path, tmp_path: Path
) -> None:
    loads = [
        series("model_busy_seconds_total", "0+7.5x40", instance="0"),
        series("model_busy_seconds_total", "0+15x40", instance="1"),
        series("model_busy_seconds_total", "0+0x40", pod="b", instance="0"),
        series("model_busy_seconds_total", "0+7.5x40", pod="b", instance="1"),
    ]
    assert_value(promtool, tmp_path, utilization(FASTAPI).promql(MATCHERS, instances=2), loads, 0.5)


@pytest.mark.parametrize(
    ("metrics", "metric", "label", "kinds"),
    [
        (
            TRITON,
            "nv_inference_request_failure",
            "reason",
            {"REJECTED": True, "BACKEND": True, "OTHER": True, "CANCELED": False},
        ),
        (
            FASTAPI,
            "inference_requests_total",
            "status",
            {
                "failed": True, "rejected": True, "timeout": True,
                "success": False, "invalid": False, "cancelled": False,
            },
        ),
        (
            TFSERVING,
            ":tensorflow:serving:request_count",
            "status",
            {
                "INTERNAL": True, "UNAVAILABLE": True, "DEADLINE_EXCEEDED": True, "RESOURCE_EXHAUSTED": True,
                "OK": False, "INVALID_ARGUMENT": False, "NOT_FOUND": False, "CANCELLED": False,
            },
        ),
    ],
)  # fmt: skip
def test_errors_are_what_is_the_servers_fault(
    metrics: Metrics, metric: str, label: str, kinds: dict[str, bool], promtool: Path, tmp_path: Path
) -> None:
    loads = [series(metric, "0+15x40", **{label: kind}) for kind in kinds]
    assert_value(promtool, tmp_path, required(metrics.errors).promql(MATCHERS), loads, sum(kinds.values()))


def test_all_of_tritons_requests_are_counted(promtool: Path, tmp_path: Path) -> None:
    loads = [
        series("nv_inference_request_success", "0+150x40"),
        *(series("nv_inference_request_failure", "0+15x40", reason=reason) for reason in ("REJECTED", "CANCELED")),
    ]
    assert_value(promtool, tmp_path, required(TRITON.requests).promql(MATCHERS), loads, 12)


def test_the_outcomes_of_requests_are_the_runtimes_own() -> None:
    named = required(FASTAPI.errors).query.split('status=~"')[1].split('"')[0].split("|")

    assert set(named) < {outcome.value for outcome in Outcome}


def test_the_runtime_has_every_metric_that_is_asked_of_it() -> None:
    exposed = {metric.name for metric in METRICS} | MODEL_METRICS.keys()

    assert {measure.series for _, measure in measures(FASTAPI)} <= exposed
    assert isinstance(FASTAPI.latency, Histogram)
    assert FASTAPI.latency.metric in exposed
    assert fastapi_metrics.LATENCY_BUCKETS_MS == DEFAULT_LATENCY_BUCKETS_MS


@pytest.mark.parametrize(
    ("release", "istio", "metric"),
    [
        ("26.08", True, "nv_inference_first_response_histogram_ms"),
        ("26.01", False, "nv_inference_first_response_histogram_ms"),
        ("25.12", True, "istio_request_duration_milliseconds"),
        ("25.12", False, None),
    ],
)
def test_triton_has_a_histogram_from_26_01_and_the_mesh_before(release: str, istio: bool, metric: str | None) -> None:
    stack = stack_config(images={"triton_release": release}, has=["istio"] if istio else [])
    latency = engine("triton").metrics(stack).latency

    if metric is None:
        assert isinstance(latency, NoHistogram)
        assert "25.12" in latency.reason
        assert "26.01" in (latency.remedy or "")
    else:
        assert isinstance(latency, Histogram)
        assert latency.metric == metric
        assert (latency.workload_label is None) == (latency.metric != ISTIO_LATENCY.metric)


@pytest.mark.parametrize(
    ("bound", "spellings", "others"),
    [
        ("100ms", ["100", "100.0"], ["1000", "10", "100x0"]),
        ("2500us", ["2.5"], ["25", "2x5"]),
        ("20m", ["1200000", "1200000.0", "1.2e+06"], ["1.2e+07"]),
    ],
)
def test_a_bound_is_found_however_prometheus_spells_it(
    bound: str, spellings: list[str], others: list[str], promtool: Path, tmp_path: Path
) -> None:
    assert isinstance(TRITON.latency, Histogram)
    matcher = TRITON.latency.le(Duration.parse(bound))
    loads = [series("requests_bucket", "1x40", le=le) for le in (*spellings, *others)]
    assert_value(promtool, tmp_path, f"sum(requests_bucket{{{matcher}}})", loads, len(spellings))


def test_a_bound_that_is_no_bucket_has_a_nearest_one() -> None:
    assert ISTIO_LATENCY.le(Duration.parse("80ms")) is None
    assert ISTIO_LATENCY.nearest(Duration.parse("80ms")) == Duration.parse("100ms")
    assert ISTIO_LATENCY.le(Duration.parse("100ms")) is not None

"""The numbers that an autoscaler follows, computed by Prometheus from what the engines really expose.

The adapter answers one number per pod, of which the HorizontalPodAutoscaler takes the average; KEDA asks for one total.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from slipform.engines import fastapi_metrics, triton_metrics
from slipform.engines.metrics import Metrics
from slipform.infra.adapter import adapter_rules
from slipform.infra.keda import scaled_object
from slipform.infra.scaling import scaling_plan

from ..builders import model_spec, stack_config
from .promtool import assert_values, needs_promtool

pytestmark = needs_promtool

STACK = stack_config()
ALL = {"utilization": 70, "queue_length": 10, "requests_per_second": 100, "p95_latency": "80ms"}
A, B = (f'namespace="models",model="resnet50",pod="resnet50-{pod}"' for pod in "ab")


def per_pod(engine: str, metrics: Metrics, pod: str) -> dict[str, str]:
    """From a metric to the query that the adapter makes for one pod."""
    matchers = f'model="resnet50",namespace="models",pod="resnet50-{pod}"'
    return {
        rule["name"]["as"].removeprefix(f"slipform_{engine}_"): rule["metricsQuery"]
        .replace("<<.LabelMatchers>>", matchers)
        .replace("<<.GroupBy>>", "pod")
        for rule in adapter_rules(engine, metrics, 15)["rules"]
    }


def totals(metrics: Metrics, **serving: int) -> dict[str, str]:
    """From a metric to KEDA's query."""
    spec = model_spec(scaling={"controller": "keda", "metrics": ALL}, serving=serving)
    plan = scaling_plan([spec], STACK, metrics)
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "resnet50"}
    made = scaled_object(plan, reference, metrics, STACK.prometheus, "models", hpa_name="resnet50")
    return {name: trigger["metadata"]["query"] for name, trigger in zip(ALL, made["triggers"], strict=True)}


RUNTIME = {
    f'inference_requests_total{{{A},status="ok"}}': "0+300x20",  # 10 per second
    f'inference_requests_total{{{B},status="ok"}}': "0+600x20",
    f"inference_queue_length{{{A}}}": "4+0x20",
    f"inference_queue_length{{{B}}}": "8+0x20",
    f"model_busy_seconds_total{{{A}}}": "0+15x20",  # half of the time
    f"model_busy_seconds_total{{{B}}}": "0+24x20",
    f'inference_latency_ms_bucket{{{A},le="50"}}': "0+300x20",
    f'inference_latency_ms_bucket{{{A},le="100"}}': "0+300x20",
    f'inference_latency_ms_bucket{{{A},le="+Inf"}}': "0+300x20",
    f'inference_latency_ms_bucket{{{B},le="50"}}': "0+0x20",
    f'inference_latency_ms_bucket{{{B},le="100"}}': "0+600x20",
    f'inference_latency_ms_bucket{{{B},le="+Inf"}}': "0+600x20",
}
# Batches of four, each of 20 ms, fill 80 % of the time of one instance: every request counts its whole batch's time.
TRITON = {
    f"nv_inference_request_success{{{A}}}": "0+4800x20",
    f"nv_inference_request_failure{{{A}}}": "0+0x20",
    f"nv_inference_exec_count{{{A}}}": "0+1200x20",
    f"nv_inference_compute_input_duration_us{{{A}}}": "0+9600000x20",
    f"nv_inference_compute_infer_duration_us{{{A}}}": "0+76800000x20",
    f"nv_inference_compute_output_duration_us{{{A}}}": "0+9600000x20",
}


def rounded(query: str) -> str:
    return f"sum(round({query}, 0.001))"


@pytest.mark.parametrize(
    ("metric", "of_a", "of_b"),
    [
        ("requests_per_second", 10, 20),
        ("queue_length", 4, 8),
        ("utilization", 0.5, 0.8),
        ("p95_latency_milliseconds", 47.5, 97.5),
    ],
)
def test_the_adapter_answers_each_pods_own_number(metric: str, of_a: float, of_b: float, tmp_path: Path) -> None:
    metrics = fastapi_metrics.metrics()
    values: dict[tuple[str, str], float | None] = {
        (rounded(per_pod("fastapi", metrics, "a")[metric]), "5m"): of_a,
        (rounded(per_pod("fastapi", metrics, "b")[metric]), "5m"): of_b,
    }
    assert_values(RUNTIME, values, tmp_path, rule_files=[])


@pytest.mark.parametrize(("metric", "total"), [("requests_per_second", 30), ("queue_length", 12), ("utilization", 1.3)])
def test_keda_asks_for_the_total_of_the_pods(metric: str, total: float, tmp_path: Path) -> None:
    query = totals(fastapi_metrics.metrics())[metric]
    assert_values(RUNTIME, {(rounded(query), "5m"): total}, tmp_path, rule_files=[])


def test_the_latency_that_keda_sees_is_that_of_all_requests_together(tmp_path: Path) -> None:
    """A third is within 50 ms, the rest between 50 and 100: the 95th percentile is at 92.5 % of the second bucket."""
    query = totals(fastapi_metrics.metrics())["p95_latency"]
    assert_values(RUNTIME, {(rounded(query), "5m"): 96.25}, tmp_path, rule_files=[])


def test_a_latency_without_requests_is_0_and_without_series_no_answer(tmp_path: Path) -> None:
    query = totals(fastapi_metrics.metrics())["p95_latency"]
    idle = dict.fromkeys(RUNTIME, "5+0x20")
    assert_values(idle, {(query, "5m"): 0.0}, tmp_path, rule_files=[])
    assert_values({"other": "1x20"}, {(query, "5m"): None}, tmp_path, rule_files=[])


def test_tritons_utilization_counts_a_batch_once(tmp_path: Path) -> None:
    metrics = triton_metrics.metrics(STACK)
    values: dict[tuple[str, str], float | None] = {
        (rounded(per_pod("triton", metrics, "a")["utilization"]), "5m"): 0.8,
        (rounded(totals(metrics)["utilization"]), "5m"): 0.8,
    }
    assert_values(TRITON, values, tmp_path, rule_files=[])


def test_with_more_instances_the_number_stays_and_the_target_grows() -> None:
    metrics = fastapi_metrics.metrics()
    assert totals(metrics, instances=2)["utilization"] == totals(metrics)["utilization"]
    spec = model_spec(serving={"instances": 2})
    assert scaling_plan([spec], STACK, metrics).targets[0].value == 2 * 0.7

"""The HorizontalPodAutoscaler, or KEDA's ScaledObject, that is made of a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.engines.mesh import ISTIO_LATENCY
from slipform.engines.metrics import Metrics
from slipform.infra.autoscaler import Autoscaler, AutoscalerArgs, ScaleTarget, quantity
from slipform.infra.platform import Platform
from slipform.infra.scaling import scaling_plan

from ..builders import model_spec
from .measured import toy_metrics
from .recorder import Recorded, record

ALL = {"utilization": 70, "queue_length": 10, "requests_per_second": 0.5, "p95_latency": "80ms", "cpu": 60}


def autoscaled(
    scaling: dict[str, Any], target: ScaleTarget | None = None, metrics: Metrics | None = None, track: str | None = None
) -> Recorded:
    spec, measured = model_spec(scaling=scaling), metrics or toy_metrics()

    def program(platform: Platform) -> None:
        Autoscaler(
            "resnet50",
            AutoscalerArgs(
                platform=platform,
                server="resnet50",
                spec=spec,
                target=target or ScaleTarget("resnet50"),
                plan=scaling_plan([spec], platform.stack, measured),
                engine="toy-engine",
                metrics=measured,
                track=track,
            ),
        )

    return record(program)


def hpa(scaling: dict[str, Any], **changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = autoscaled(scaling, **changes).one(":HorizontalPodAutoscaler").inputs["spec"]
    return spec


def scaled_object(scaling: dict[str, Any], **changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = autoscaled({**scaling, "controller": "keda"}, **changes).one(":ScaledObject").inputs["spec"]
    return spec


def test_custom_metrics_are_averages_per_pod_of_one_model() -> None:
    metrics = hpa({"metrics": ALL})["metrics"]
    assert [
        (m["pods"]["metric"]["name"], m["pods"]["target"]["type"], m["pods"]["target"]["averageValue"])
        for m in metrics
        if m["type"] == "Pods"
    ] == [
        ("slipform_toy_engine_utilization", "AverageValue", "700m"),
        ("slipform_toy_engine_queue_length", "AverageValue", "10"),
        ("slipform_toy_engine_requests_per_second", "AverageValue", "500m"),
        ("slipform_toy_engine_p95_latency_milliseconds", "AverageValue", "80"),
    ]
    selectors = {str(m["pods"]["metric"]["selector"]) for m in metrics if m["type"] == "Pods"}
    assert selectors == {str({"matchLabels": {"model_name": "resnet50"}})}


def test_cpu_is_a_share_of_the_request() -> None:
    assert hpa({"metrics": {"cpu": 60}})["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    ]


def test_a_meshs_latency_is_selected_by_its_pods_alone() -> None:
    metrics = hpa({"metrics": {"utilization": 70, "p95_latency": "80ms"}}, metrics=toy_metrics(latency=ISTIO_LATENCY))
    latency = metrics["metrics"][1]["pods"]["metric"]
    assert latency == {"name": "slipform_toy_engine_p95_latency_milliseconds"}


def test_behavior_is_fast_up_and_slow_down() -> None:
    assert hpa({})["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 60,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 30},
                {"type": "Pods", "value": 2, "periodSeconds": 30},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
        },
    }


def test_an_autoscaler_is_made_also_where_the_number_is_fixed() -> None:
    spec = hpa({"min_replicas": 3, "max_replicas": 3})
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 3)


@pytest.mark.parametrize(("kind", "api_version"), [("Deployment", "apps/v1"), ("Rollout", "argoproj.io/v1alpha1")])
def test_the_target_is_a_deployment_or_a_rollout(kind: Any, api_version: str) -> None:
    reference = {"apiVersion": api_version, "kind": kind, "name": "resnet50"}
    assert hpa({}, target=ScaleTarget("resnet50", kind))["scaleTargetRef"] == reference
    assert scaled_object({}, target=ScaleTarget("resnet50", kind))["scaleTargetRef"] == reference


@pytest.mark.parametrize(
    ("controller", "made", "absent"),
    [
        ("hpa", ":HorizontalPodAutoscaler", ":ScaledObject"),
        ("keda", ":ScaledObject", ":HorizontalPodAutoscaler"),
    ],
)
def test_one_workload_has_one_autoscaler(controller: str, made: str, absent: str) -> None:
    recorded = autoscaled({"controller": controller})
    assert len(recorded.all(made)) == 1
    assert recorded.all(absent) == []


def test_keda_asks_for_totals_and_for_the_value_of_a_latency() -> None:
    triggers = scaled_object({"metrics": ALL})["triggers"]
    found = {"namespace": "models", "model_name": "resnet50"}
    matchers = ",".join(f'{label}="{value}"' for label, value in found.items())
    assert [(t["type"], t["metricType"], t["metadata"].get("threshold")) for t in triggers] == [
        ("prometheus", "AverageValue", "0.7"),
        ("prometheus", "AverageValue", "10"),
        ("prometheus", "AverageValue", "0.5"),
        ("prometheus", "Value", "80"),
        ("cpu", "Utilization", None),
    ]
    assert triggers[1]["metadata"]["query"] == f"sum(sum by (pod) (toy_waiting{{{matchers}}}))"
    assert triggers[4]["metadata"] == {"value": "60"}


def test_a_latency_without_requests_is_0_and_without_series_an_error() -> None:
    query = scaled_object({"metrics": {"utilization": 70, "p95_latency": "80ms"}})["triggers"][1]["metadata"]["query"]
    assert ">= 0 or 0 * (sum by () (rate(toy_requests_total" in query


def test_a_lost_prometheus_keeps_the_replicas() -> None:
    spec = scaled_object({"min_replicas": 3})
    assert spec["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 3, "behavior": "currentReplicasIfHigher"}


@pytest.mark.parametrize("metrics", [{"cpu": 70}, {"cpu": 70, "p95_latency": "80ms"}])
def test_a_fallback_that_kedas_webhook_would_refuse_is_left_out(metrics: dict[str, Any]) -> None:
    assert "fallback" not in scaled_object({"metrics": metrics})


def test_keda_takes_the_autoscaler_over_that_was_there() -> None:
    made = autoscaled({"controller": "keda"}).one(":ScaledObject").inputs
    assert made["metadata"]["annotations"] == {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
    config = made["spec"]["advanced"]["horizontalPodAutoscalerConfig"]
    assert config["name"] == autoscaled({}).one(":HorizontalPodAutoscaler").inputs["metadata"]["name"]
    assert config["behavior"] == hpa({})["behavior"]


def test_with_two_tracks_keda_counts_only_its_own_pods() -> None:
    query = scaled_object({}, track="candidate")["triggers"][0]["metadata"]["query"]
    assert 'slipform_dev_track="candidate"' in query
    assert "slipform_dev_track" not in scaled_object({})["triggers"][0]["metadata"]["query"]


@pytest.mark.parametrize(
    ("value", "text"), [(10, "10"), (0.7, "700m"), (2.1, "2100m"), (1000, "1000"), (0.0025, "2500u"), (1e-9, "1u")]
)
def test_quantities_are_spelled_as_the_api_server_spells_them(value: float, text: str) -> None:
    assert quantity(value) == text


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_a_quantity_keeps_its_value(value: float) -> None:
    text = quantity(value)
    number, unit = (text[:-1], text[-1]) if text[-1] in "mu" else (text, "")
    parsed = Decimal(number) * Decimal({"": "1", "m": "0.001", "u": "0.000001"}[unit])
    assert float(parsed) == pytest.approx(value, abs=1e-6)

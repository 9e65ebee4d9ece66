"""What the autoscaler follows, and what is said where it can't."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.infra.scaling import ScalingPlan, Target, measure_of, scaling_plan
from slipform.spec.findings import Finding

from ..builders import STACK, model_spec, stack_config
from .measured import NO_HISTOGRAM, toy_metrics


def without(*capabilities: str) -> dict[str, Any]:
    return {"has": [capability for capability in STACK["has"] if capability not in capabilities]}


def plan(scaling: dict[str, Any] | None = None, stack: dict[str, Any] | None = None, **changes: Any) -> ScalingPlan:
    spec = model_spec(**({"scaling": scaling} if scaling else {}), **changes)
    return scaling_plan([spec], stack_config(**(stack or {})), toy_metrics())


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_the_default_follows_utilization_without_a_word() -> None:
    assert plan() == ScalingPlan(
        "hpa", 2, 10, model_spec().scaling.behavior, (Target("utilization", 0.7, "resnet50"),), ()
    )


def test_targets_have_the_units_of_what_is_measured() -> None:
    metrics = {
        "utilization": 70, "queue_length": 10, "requests_per_second": 100, "p95_latency": "80ms", "cpu": 60,
    }  # fmt: skip
    assert plan({"metrics": metrics}).targets == (
        Target("utilization", 0.7, "resnet50"),
        Target("queue_length", 10, "resnet50"),
        Target("requests_per_second", 100, "resnet50"),
        Target("p95_latency", 80, "resnet50"),
        Target("cpu", 60),
    )


def test_utilization_counts_busy_instances_of_a_replica() -> None:
    assert plan(serving={"instances": 2}).targets == (Target("utilization", 1.4, "resnet50"),)


@pytest.mark.parametrize(
    ("written", "lacking", "controller"),
    [
        (None, (), "hpa"),
        (None, ("prometheus-adapter",), "keda"),
        (None, ("keda",), "hpa"),
        (None, ("keda", "prometheus-adapter"), "hpa"),
        ("keda", (), "keda"),
        ("hpa", ("keda",), "hpa"),
    ],
)
def test_keda_scales_where_it_is_asked_for_or_alone_can(
    written: str | None, lacking: tuple[str, ...], controller: str
) -> None:
    assert plan({"controller": written}, without(*lacking)).controller == controller


def test_cpu_alone_needs_no_keda() -> None:
    assert plan({"metrics": {"cpu": 70}}, without("prometheus-adapter")).controller == "hpa"


def test_the_default_falls_back_to_cpu_with_a_warning_where_nobody_reads_custom_metrics() -> None:
    result = plan(stack=without("prometheus-adapter", "keda"))
    assert result.targets == (Target("cpu", 70),)
    warning = only(result.findings)
    assert (warning.severity, warning.path) == ("warning", ("scaling", "metrics"))
    assert "cpu 70 instead of utilization" in warning.message


def test_the_fallback_says_when_even_cpu_can_not_be_read() -> None:
    warning = only(plan(stack=without("prometheus-adapter", "keda", "metrics-server")).findings)
    assert "their number stays at min_replicas" in warning.message


@pytest.mark.parametrize(
    ("metrics", "lacking", "path", "words"),
    [
        ({"utilization": 70, "queue_length": 10}, ("prometheus-adapter", "keda"), "queue_length", "adapter or keda"),
        ({"cpu": 70}, ("metrics-server",), "cpu", "metrics-server"),
    ],
)
def test_a_metric_that_is_asked_for_and_has_no_controller_is_an_error(
    metrics: dict[str, Any], lacking: tuple[str, ...], path: str, words: str
) -> None:
    errors = [f for f in plan({"metrics": metrics}, without(*lacking)).findings if f.severity == "error"]
    found = {finding.path: finding for finding in errors}[("scaling", "metrics", path)]
    assert words in found.message
    assert "`has`" in (found.remedy or "")


def test_the_adapter_of_a_chosen_hpa_is_not_replaced_by_keda_but_keda_is_named() -> None:
    result = plan({"controller": "hpa", "metrics": {"utilization": 70}}, without("prometheus-adapter"))
    finding = only(result.findings)
    assert finding.path == ("scaling", "metrics", "utilization")
    assert finding.message == "utilization needs prometheus-adapter, which the stack does not have"
    assert (finding.remedy or "").endswith("or leave controller out, since the stack has keda")
    assert result.targets == ()


def test_keda_that_the_stack_lacks_is_an_error() -> None:
    finding = only(plan({"controller": "keda"}, without("keda")).findings)
    assert (finding.severity, finding.path) == ("error", ("scaling", "controller"))


@pytest.mark.parametrize(
    ("metrics", "oscillates"),
    [
        ({"queue_length": 10}, True),
        ({"p95_latency": "50ms"}, True),
        ({"queue_length": 10, "memory": 80}, True),
        ({"queue_length": 10, "utilization": 70}, False),
        ({"queue_length": 10, "requests_per_second": 100}, False),
        ({"queue_length": 10, "cpu": 70}, False),
        ({"cpu": 70}, False),
    ],
)
def test_what_is_zero_with_capacity_enough_must_not_scale_alone(metrics: dict[str, Any], oscillates: bool) -> None:
    findings = plan({"metrics": metrics}).findings
    assert any("oscillates" in finding.message for finding in findings) is oscillates


@pytest.mark.parametrize(
    ("window", "interval", "metrics", "swings"),
    [
        ("30s", 15, {"utilization": 70}, True),
        ("60s", 15, {"utilization": 70}, False),
        ("30s", 5, {"utilization": 70}, False),
        ("5m", 120, {"requests_per_second": 100}, True),
        ("30s", 15, {"cpu": 70}, False),
    ],
)
def test_a_window_down_that_is_shorter_than_the_rates_swings(
    window: str, interval: int, metrics: dict[str, Any], swings: bool
) -> None:
    scaling = {"metrics": metrics, "behavior": {"scale_down": {"window": window}}}
    findings = plan(scaling, {"prometheus": {"scrape_interval": interval}}).findings
    assert [finding.path[-1] for finding in findings] == ["window"] * swings
    assert all(finding.severity == "warning" for finding in findings)


def test_memory_gets_a_warning() -> None:
    finding = only(plan({"metrics": {"utilization": 70, "memory": 80}}).findings)
    assert (finding.severity, finding.path) == ("warning", ("scaling", "metrics", "memory"))


@pytest.mark.parametrize(
    ("target", "objective", "late"),
    [
        ("80ms", {"p95": "100ms"}, False),
        ("100ms", {"p95": "100ms"}, True),
        ("120ms", {"p95": "100ms"}, True),
        ("100ms", {"p99": "100ms"}, True),
        ("100ms", {"p90": "80ms"}, False),
    ],
)
def test_scaling_on_a_latency_at_the_objective_is_too_late(target: str, objective: dict[str, str], late: bool) -> None:
    spec = model_spec(scaling={"metrics": {"utilization": 70, "p95_latency": target}}, slo={"latency": objective})
    findings = scaling_plan([spec], stack_config(), toy_metrics()).findings
    assert [f.path for f in findings] == ([("scaling", "metrics", "p95_latency")] if late else [])


def test_a_latency_that_nobody_measures_is_an_error_with_the_reason() -> None:
    spec = model_spec(scaling={"metrics": {"utilization": 70, "p95_latency": "80ms"}})
    result = scaling_plan([spec], stack_config(), toy_metrics(latency=NO_HISTOGRAM))
    finding = only(result.findings)
    assert finding.message == "p95_latency can't be measured: the toy engine counts no latencies"
    assert finding.remedy == "give it a histogram"
    assert [target.metric for target in result.targets] == ["utilization"]


def test_a_latency_over_the_highest_bucket_is_an_error() -> None:
    finding = only(plan({"metrics": {"utilization": 70, "p95_latency": "500ms"}}).findings)
    assert (finding.severity, finding.allowed) == ("error", "under 500ms")


def test_an_engine_without_utilization_scales_on_cpu_by_default_and_refuses_it_when_asked() -> None:
    metrics = toy_metrics(utilization=None)
    by_default = scaling_plan([model_spec()], stack_config(), metrics)
    assert by_default.targets == (Target("cpu", 70),)
    assert only(by_default.findings).severity == "warning"
    asked = scaling_plan([model_spec(scaling={"metrics": {"utilization": 70}})], stack_config(), metrics)
    assert only(asked.findings).severity == "error"


def test_requests_that_nobody_counts_are_followed_by_no_replicas() -> None:
    spec = model_spec(scaling={"metrics": {"requests_per_second": 20, "cpu": 70}})
    result = scaling_plan([spec], stack_config(), toy_metrics(requests=None))
    finding = only(result.findings)
    assert (finding.severity, finding.path) == ("error", ("scaling", "metrics", "requests_per_second"))
    assert "add istio" in (finding.remedy or "")
    assert [target.metric for target in result.targets] == ["cpu"]


@pytest.mark.parametrize(
    ("holds_requests", "controller", "words"),
    [(False, "keda", "nothing holds requests"), (True, "hpa", "does not scale to zero"), (True, "keda", None)],
)
def test_zero_replicas_need_something_that_holds_requests_and_keda(
    holds_requests: bool, controller: str, words: str | None
) -> None:
    spec = model_spec(scaling={"min_replicas": 0, "controller": controller})
    findings = scaling_plan([spec], stack_config(), toy_metrics(), holds_requests=holds_requests).findings
    if words is None:
        assert findings == ()
    else:
        finding = only(findings)
        assert words in finding.message
        assert (finding.path, finding.given) == (("scaling", "min_replicas"), "0")


def test_models_that_share_a_server_each_bring_their_metrics() -> None:
    one = model_spec(name="one", scaling={"metrics": {"utilization": 70, "cpu": 70}})
    two = model_spec(name="two", scaling={"metrics": {"queue_length": 5, "cpu": 50}})
    assert scaling_plan([one, two], stack_config(), toy_metrics()).targets == (
        Target("utilization", 0.7, "one"),
        Target("cpu", 50),
        Target("queue_length", 5, "two"),
    )


def test_what_is_not_measured_has_no_query() -> None:
    with pytest.raises(ValueError, match="p95_latency is not measured"):
        measure_of("p95_latency", toy_metrics(latency=NO_HISTOGRAM))

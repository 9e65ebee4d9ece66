"""prometheus-adapter's rules: one set per engine, and names that do not collide."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from slipform.engines import fastapi_metrics, tfserving_metrics, torchserve_metrics, triton_metrics
from slipform.engines.metrics import Histogram, Metrics
from slipform.infra.adapter import AdapterRules, AdapterRulesArgs, adapter_config, adapter_rules
from slipform.infra.autoscaler import hpa_metrics
from slipform.infra.platform import Platform
from slipform.infra.scaling import Target, autoscaling_window

from ..builders import stack_config
from .measured import NO_HISTOGRAM, toy_metrics
from .promtool import assert_passes, needs_promtool
from .recorder import record

NO_MESH = stack_config(has=["prometheus-operator"])
OLD_TRITON = stack_config(images={"triton_release": "25.08"})
ENGINES = {
    "toy": toy_metrics(),
    "fastapi": fastapi_metrics.metrics(),
    "triton": triton_metrics.metrics(stack_config()),
    "triton-behind-a-mesh": triton_metrics.metrics(OLD_TRITON),
    "tfserving": tfserving_metrics.metrics(NO_MESH),
    "torchserve": torchserve_metrics.metrics(NO_MESH),
    "torchserve-behind-a-mesh": torchserve_metrics.metrics(stack_config()),
}


def as_the_adapter_asks(query: str) -> str:
    """What the adapter makes of a rule's template for two pods (its pkg/naming/metrics_query.go)."""
    matchers = 'model="resnet50",namespace="models",pod=~"resnet50-a|resnet50-b"'
    return query.replace("<<.LabelMatchers>>", matchers).replace("<<.GroupBy>>", "pod")


def test_a_rule_finds_its_series_and_names_them_for_pods() -> None:
    rule = adapter_rules("toy", toy_metrics(), 15)["rules"][1]
    assert rule == {
        "seriesQuery": 'toy_waiting{namespace!="",pod!="",model_name!=""}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "name": {"as": "slipform_toy_queue_length"},
        "metricsQuery": "sum by (<<.GroupBy>>) (toy_waiting{<<.LabelMatchers>>})",
    }


def test_the_latency_is_each_pods_own_in_milliseconds() -> None:
    rule = adapter_rules("toy", toy_metrics(), 15)["rules"][-1]
    assert rule["name"] == {"as": "slipform_toy_p95_latency_milliseconds"}
    assert rule["metricsQuery"] == (
        "histogram_quantile(0.95, sum by (le,<<.GroupBy>>) (rate(toy_latency_ms_bucket{<<.LabelMatchers>>}[60s])))"
    )


@pytest.mark.parametrize(("scrape_interval", "window"), [(1, "20s"), (5, "20s"), (15, "60s"), (30, "120s")])
def test_a_rates_window_holds_four_scrapes_or_more(scrape_interval: int, window: str) -> None:
    assert autoscaling_window(scrape_interval) == window
    assert f"[{window}]" in adapter_config("toy", toy_metrics(), scrape_interval)


def test_what_an_engine_does_not_measure_has_no_rule() -> None:
    rules = adapter_rules("toy", toy_metrics(latency=NO_HISTOGRAM, utilization=None, queue_length=None), 15)["rules"]
    assert [rule["name"]["as"] for rule in rules] == ["slipform_toy_requests_per_second"]


def test_two_engines_never_share_a_name_since_the_adapter_would_keep_one_of_them() -> None:
    names = [
        rule["name"]["as"]
        for engine, metrics in ENGINES.items()
        for rule in adapter_rules(engine, metrics, 15)["rules"]
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_autoscaler_asks_for_what_the_rules_name(engine: str) -> None:
    metrics = ENGINES[engine]
    measured = {
        "utilization": metrics.utilization,
        "queue_length": metrics.queue_length,
        "requests_per_second": metrics.requests,
        "p95_latency": metrics.latency if isinstance(metrics.latency, Histogram) else None,
    }
    targets = [Target(name, 1, "m") for name, measure in measured.items() if measure]  # type: ignore[arg-type]
    asked = {spec.pods.metric.name for spec in hpa_metrics(targets, engine, metrics)}  # type: ignore[union-attr]
    assert asked == {rule["name"]["as"] for rule in adapter_rules(engine, metrics, 15)["rules"]}


@needs_promtool
@pytest.mark.parametrize("metrics", ENGINES.values(), ids=ENGINES)
def test_prometheus_understands_every_query(metrics: Metrics, tmp_path: Path) -> None:
    rules = [
        {"record": rule["name"]["as"], "expr": expr}
        for rule in adapter_rules("engine", metrics, 15)["rules"]
        for expr in (as_the_adapter_asks(rule["metricsQuery"]), rule["seriesQuery"])
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "adapter", "rules": rules}]}))
    assert_passes("check", "rules", "--lint=none", "rules.yaml", cwd=tmp_path)


def test_the_rules_are_a_config_map_for_the_platform_team() -> None:
    def program(platform: Platform) -> None:
        AdapterRules("adapter-rules-toy", AdapterRulesArgs(platform, "toy", toy_metrics()))

    made = record(program).one(":ConfigMap").inputs
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("slipform-adapter-rules-toy", "models")
    assert yaml.safe_load(made["data"]["rules.yaml"]) == adapter_rules("toy", toy_metrics(), 15)

"""Rules as data: what is recorded, which alerts there are, and the resources that carry them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from slipform.engines import registry, triton_metrics
from slipform.engines.mesh import ISTIO_LATENCY
from slipform.engines.metrics import Measure, Metrics
from slipform.infra.platform import Platform
from slipform.infra.rules.component import ServiceLevelRules, ServiceLevelRulesArgs
from slipform.infra.rules.groups import rule_groups
from slipform.infra.rules.kinds import Alert, Group
from slipform.infra.rules.server import Server
from slipform.infra.scaling import ScaleTarget
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config
from .measured import NO_HISTOGRAM, toy_metrics
from .recorder import record

SLO = {"availability": 99.9, "latency": {"p95": "100ms"}}
CPU_ONLY = {"resources": {"cpu": 2, "memory": "1Gi", "accelerator": None}}


def groups_of(
    *specs: ModelSpec,
    metrics: Metrics | None = None,
    workloads: tuple[ScaleTarget, ...] = (ScaleTarget("resnet50"),),
    hpas: tuple[str, ...] = ("resnet50",),
    **stack: Any,
) -> tuple[Group, ...]:
    server = Server("resnet50", specs or (model_spec(slo=SLO),), workloads, hpas, stack_config(**stack))
    return rule_groups(server, metrics or toy_metrics())


def alerts(groups: tuple[Group, ...]) -> dict[str, Alert]:
    """By name; of a name that several share, the last."""
    return {alert.name: alert for group in groups for alert in group.alerts}


def recorded(groups: tuple[Group, ...]) -> dict[str, str]:
    return {rule.record: rule.expr for group in groups for rule in group.recordings}


def test_a_burn_alert_watches_two_recorded_windows() -> None:
    fastest = groups_of()[0].alerts[0]
    found = '{namespace="models",model="resnet50"}'
    assert fastest.expr == (
        f"slipform:errors:ratio_rate1h{found} > 0.0144 and slipform:errors:ratio_rate5m{found} > 0.0144"
        f" and slipform:errors:count1h{found} >= 5"
    )
    assert fastest.all_labels == {
        "severity": "page", "namespace": "models", "model": "resnet50", "server": "resnet50", "team": "vision",
        "objective": "availability", "long_window": "1h", "short_window": "5m",
    }  # fmt: skip


def test_alerts_read_only_what_is_recorded_or_scraped_of_the_cluster() -> None:
    """An alert on a raw series of the engine would be computed twice, and differ from the dashboard."""
    groups = groups_of(metrics=triton_metrics.metrics(stack_config()))
    names = set(recorded(groups))
    for alert in (alert for group in groups for alert in group.alerts):
        for metric in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{", alert.expr):
            assert metric in names or metric.startswith(("kube_", "DCGM_", "rollout_")) or metric == "up", alert.expr


def test_recording_rules_come_before_what_reads_them() -> None:
    for group in groups_of():
        seen: set[str] = set()
        for rule in group.recordings:
            assert set(re.findall(r"slipform:[a-z_]+:[a-z0-9_]+", rule.expr)) <= seen, rule
            seen.add(rule.record)


CONTAINERS = ("fastapi", "tfserving", "torchserve", "triton")


@pytest.mark.parametrize(
    "metrics",
    [toy_metrics(), *(registry.engine(name).metrics(stack_config()) for name in CONTAINERS)],
    ids=["toy", *CONTAINERS],
)
def test_names_are_level_metric_operation(metrics: Metrics) -> None:
    assert all(re.fullmatch(r"slipform:[a-z_]+:[a-z0-9_]+", name) for name in recorded(groups_of(metrics=metrics)))


@pytest.mark.parametrize("metrics", [toy_metrics(), triton_metrics.metrics(stack_config())], ids=["toy", "triton"])
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(metrics: Metrics) -> None:
    spec = model_spec(slo=SLO, serving={"cache": {"size": "1Gi"}})
    for group in groups_of(spec, metrics=metrics):
        for alert in group.alerts:
            cases = [case for case in group.cases if case.alert_name == alert.name]
            fires = [any(fired.alert == alert for fired in case.fires) for case in cases]
            assert True in fires, alert.name
            assert False in fires, alert.name


def test_what_nobody_measures_has_no_rules() -> None:
    nothing = toy_metrics(requests=None, errors=None, queue_length=None, utilization=None, latency=NO_HISTOGRAM)
    groups = groups_of(metrics=nothing)
    assert [group.name for group in groups] == ["slipform-server-resnet50"], "a group without rules is left out"
    assert set(recorded(groups)) == {"slipform:gpu_memory:ratio"}


def test_a_server_that_answers_no_prometheus_is_not_missed_by_it() -> None:
    assert "SlipformTargetDown" in alerts(groups_of())
    assert "SlipformTargetDown" not in alerts(groups_of(metrics=toy_metrics(path=None)))


def test_every_alert_says_what_to_do() -> None:
    for alert in alerts(groups_of()).values():
        assert alert.summary
        assert alert.description.endswith(".")
        assert alert.remedy.endswith(".")


def test_a_server_without_objectives_still_has_its_health_alerts() -> None:
    assert set(alerts(groups_of(model_spec()))) == {
        "SlipformQueueFull", "SlipformTargetDown", "SlipformNoReadyReplica", "SlipformReplicasAtMaximum",
        "SlipformAutoscalerBlind", "SlipformGpuMemoryNearLimit", "SlipformGpuXid",
    }  # fmt: skip


EXTRA = (
    ("load_failures", Measure("toy_load_failures_total", "sum(increase(toy_load_failures_total{@matchers}[@window]))")),
    ("rollbacks", Measure("toy_rollbacks_total", "sum(increase(toy_rollbacks_total{@matchers}[@window]))")),
    ("cache_hit_ratio", Measure("toy_hits_total", "sum(rate(toy_hits_total{@matchers}[@window]))")),
)
CANARY = {"strategy": "canary", "steps": [{"weight": 10, "hold": "5m"}], "analysis": {"max_error_rate": 0.01}}


@pytest.mark.parametrize(
    ("alert", "spec", "options", "made"),
    [
        ("SlipformErrorBudgetBurn", {"slo": SLO}, {}, True),
        ("SlipformLatencyBudgetBurn", {"slo": SLO}, {}, True),
        ("SlipformLatencyBudgetBurn", {"slo": SLO}, {"metrics": toy_metrics(latency=NO_HISTOGRAM)}, False),
        ("SlipformQueueFull", {}, {"metrics": toy_metrics(queue_length=None)}, False),
        ("SlipformModelLoadFailed", {}, {}, False),
        ("SlipformModelLoadFailed", {}, {"metrics": toy_metrics(extra=EXTRA)}, True),
        ("SlipformVersionRolledBack", {}, {"metrics": toy_metrics(extra=EXTRA)}, True),
        ("SlipformVersionRolledBack", {"rollout": CANARY}, {}, True),
        ("SlipformVersionRolledBack", {"rollout": CANARY}, {"has": ["prometheus-operator"]}, False),
        ("SlipformColdCache", {"serving": {"cache": {"size": "1Gi"}}}, {"metrics": toy_metrics(extra=EXTRA)}, True),
        ("SlipformColdCache", {"serving": {"cache": {"size": "1Gi"}}}, {}, False),
        ("SlipformColdCache", {}, {"metrics": toy_metrics(extra=EXTRA)}, False),
        ("SlipformReplicasAtMaximum", {"scaling": {"min_replicas": 3, "max_replicas": 3}}, {}, False),
        ("SlipformReplicasAtMaximum", {}, {"hpas": ()}, False),
        ("SlipformNoReadyReplica", {"scaling": {"min_replicas": 0}}, {}, False),
        ("SlipformGpuXid", {"serving": CPU_ONLY, "nodes": ...}, {}, False),
        ("SlipformGpuXid", {}, {}, True),
        ("SlipformGpuXid", {}, {"has": ["prometheus-operator"]}, False),
        ("SlipformGpuMemoryNearLimit", {}, {"has": ["prometheus-operator"]}, False),
        ("SlipformGpuMemoryNearLimit", {"serving": CPU_ONLY, "nodes": ...}, {}, False),
    ],
)
def test_an_alert_is_made_where_its_metrics_exist(
    alert: str, spec: dict[str, Any], options: dict[str, Any], made: bool
) -> None:
    assert (alert in alerts(groups_of(model_spec(**spec), **options))) is made


def test_bad_requests_are_counted_from_what_was_recorded() -> None:
    rules = recorded(groups_of(prometheus={"scrape_interval": 60}))
    found = '{namespace="models",model="resnet50"}'
    assert rules["slipform:errors:count1h"] == f"sum_over_time(slipform:errors:rate5m{found}[1h]) * 60"


def test_a_queue_without_a_count_of_refusals_is_watched_by_its_length() -> None:
    spec = model_spec(serving={"batching": {"max_queue_size": 200}})
    assert alerts(groups_of(spec))["SlipformQueueFull"].expr.endswith("} > 180")
    counted = toy_metrics(rejected=Measure("toy_refused_total", "sum(rate(toy_refused_total{@matchers}[@window]))"))
    assert alerts(groups_of(spec, metrics=counted))["SlipformQueueFull"].expr.startswith("slipform:rejected:rate5m{")


SHADOW = {"strategy": "shadow", "candidate": {"version": 4}}
BOTH = (ScaleTarget("resnet50"), ScaleTarget("resnet50-candidate"))


def test_a_shadow_spends_no_budget() -> None:
    rules = recorded(groups_of(model_spec(slo=SLO, rollout=SHADOW), workloads=BOTH))
    assert 'slipform_dev_track!="candidate"' in rules["slipform:errors:rate5m"]
    assert 'slipform_dev_track!="candidate"' in rules["slipform:slow:rate5m"]


def test_a_mesh_knows_a_shadow_by_its_workload() -> None:
    metrics = toy_metrics(latency=ISTIO_LATENCY)
    shadowed = recorded(groups_of(model_spec(slo=SLO, rollout=SHADOW), workloads=BOTH, metrics=metrics))
    both = recorded(groups_of(model_spec(slo=SLO), workloads=BOTH, metrics=metrics))
    assert 'destination_workload=~"resnet50"' in shadowed["slipform:slow:rate5m"]
    assert 'destination_workload=~"resnet50|resnet50-candidate"' in both["slipform:slow:rate5m"]
    assert "model_name" not in both["slipform:slow:rate5m"]


def test_a_rollouts_replicas_are_counted_by_argo() -> None:
    rollout = (ScaleTarget("resnet50", "Rollout"),)
    expr = alerts(groups_of(model_spec(rollout=CANARY), workloads=rollout))["SlipformNoReadyReplica"].expr
    assert expr == 'max(rollout_info_replicas_available{namespace="models",name="resnet50"}) < 1'


def blue_green(active: int) -> dict[str, Any]:
    return {"strategy": "blue-green", "candidate": {"version": 4}, "active": active}


@pytest.mark.parametrize(
    ("rollout", "watched"),
    [
        (None, ["resnet50", "resnet50-candidate"]),
        ({"strategy": "canary", "candidate": {"version": 4}, "weight": 10}, ["resnet50", "resnet50-candidate"]),
        ({"strategy": "canary", "candidate": {"version": 4}, "weight": 0}, ["resnet50"]),
        (SHADOW, ["resnet50"]),
        (blue_green(active=3), ["resnet50"]),
        (blue_green(active=4), ["resnet50-candidate"]),
    ],
)
def test_a_page_for_want_of_replicas_is_about_those_that_users_call(
    rollout: dict[str, Any] | None, watched: list[str]
) -> None:
    groups = groups_of(model_spec(rollout=rollout), workloads=BOTH)
    found = [alert for group in groups for alert in group.alerts if alert.name == "SlipformNoReadyReplica"]
    assert [alert.labels["workload"] for alert in found] == watched


def test_pods_of_a_server_whose_name_begins_alike_are_not_its_own() -> None:
    pods = Server("resnet50", (model_spec(),), BOTH, (), stack_config()).pods
    assert re.fullmatch(pods, "resnet50-6f5d8c7b9-abcde")
    assert re.fullmatch(pods, "resnet50-candidate-6f5d8c7b9-abcde")
    assert not re.fullmatch(pods, "resnet50-v2-6f5d8c7b9-abcde")


def test_rare_scrapes_widen_every_window() -> None:
    rules = recorded(groups_of(prometheus={"scrape_interval": 120}))
    assert "slipform:requests:rate8m" in rules
    assert not any(name.endswith("5m") for name in rules)


def test_models_of_one_server_have_a_group_each_and_share_the_servers() -> None:
    groups = groups_of(model_spec(name="one", slo=SLO), model_spec(name="two"))
    assert [group.name for group in groups] == ["slipform-model-one", "slipform-model-two", "slipform-server-resnet50"]
    assert "model" not in alerts(groups)["SlipformTargetDown"].labels


def registered(metrics: Metrics | None = None, **stack: Any) -> Any:
    def program(platform: Platform) -> None:
        ServiceLevelRules(
            "resnet50",
            ServiceLevelRulesArgs(
                platform=platform,
                server=Server(
                    "resnet50", (model_spec(slo=SLO),), (ScaleTarget("resnet50"),), ("resnet50",), platform.stack
                ),
                metrics=metrics or toy_metrics(),
            ),
        )

    return record(program, stack_config(**stack))


def test_prometheus_finds_monitor_and_rules_by_its_own_labels() -> None:
    made = registered(prometheus={"labels": {"release": "kube-prometheus-stack"}})
    for kind in (":ServiceMonitor", ":PrometheusRule"):
        metadata = made.one(kind).inputs["metadata"]
        assert metadata["labels"]["release"] == "kube-prometheus-stack"
        assert (metadata["name"], metadata["namespace"]) == ("resnet50", "models")


def test_each_pod_is_scraped_once_with_its_track_and_version() -> None:
    spec = registered(prometheus={"scrape_interval": 5}).one(":ServiceMonitor").inputs["spec"]
    assert spec["podTargetLabels"] == ["slipform.dev/track", "slipform.dev/version"]
    assert spec["selector"] == {"matchLabels": {"app.kubernetes.io/name": "resnet50"}}
    assert spec["jobLabel"] == "app.kubernetes.io/name"
    (endpoint,) = spec["endpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("metrics", "5s", "5s")
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "service|endpoint"}]


def test_the_engine_says_where_it_answers_prometheus_or_that_it_does_not() -> None:
    found = registered(toy_metrics(path="/monitoring/prometheus"))
    assert found.one(":ServiceMonitor").inputs["spec"]["endpoints"][0]["path"] == "/monitoring/prometheus"
    unscraped = registered(toy_metrics(path=None))
    assert unscraped.all(":ServiceMonitor") == []
    assert unscraped.one(":PrometheusRule").inputs["spec"]["groups"]


def test_the_rules_resource_has_the_groups() -> None:
    spec = registered().one(":PrometheusRule").inputs["spec"]
    assert spec == {"groups": [group.rules for group in groups_of()]}

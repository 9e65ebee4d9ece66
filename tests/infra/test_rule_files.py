"""Rule files and their tests, judged by Prometheus: ``promtool check rules`` and ``promtool test rules``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipform.engines import (
    bentoml_metrics,
    fastapi_metrics,
    mlflow_metrics,
    registry,
    tfserving_metrics,
    torchserve_metrics,
    triton_metrics,
)
from slipform.engines.metrics import Measure, Metrics
from slipform.infra.rules.groups import rule_groups
from slipform.infra.rules.kinds import Group
from slipform.infra.rules.promtool import promtool_tests, rule_file
from slipform.infra.rules.server import Server
from slipform.infra.scaling import ScaleTarget
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import model_spec, stack_config
from .measured import toy_metrics
from .promtool import assert_passes, assert_values, needs_promtool, promtool

pytestmark = needs_promtool

SHADOW = {"strategy": "shadow", "candidate": {"version": 4}}
STABLE, CANDIDATE = ScaleTarget("resnet50"), ScaleTarget("resnet50-candidate")
MESH = triton_metrics.metrics(stack_config(images={"triton_release": "25.08"}))


def increase(metric: str) -> Measure:
    return Measure(metric, f"sum(increase({metric}{{@matchers}}[@window]))")


TOY = toy_metrics(
    extra=tuple((name, increase(f"toy_{name}_total")) for name in ("load_failures", "rollbacks", "cache_hit_ratio"))
)
SERVERS: dict[str, tuple[ModelSpec, tuple[ScaleTarget, ...], Metrics, dict[str, Any]]] = {
    "a shadow, another window": (
        model_spec(slo={"availability": 99.95, "window": "7d"}, rollout=SHADOW, serving={"engine": "fastapi"}),
        (STABLE, CANDIDATE),
        fastapi_metrics.metrics(),
        {},
    ),
    "a mesh's latency, rare scrapes": (
        model_spec(slo={"latency": {"p90": "100ms"}}),
        (STABLE,),
        MESH,
        {"prometheus": {"scrape_interval": 60}},
    ),
    "a bound between two microseconds": (
        model_spec(slo={"availability": 99.9, "latency": {"p95": "37481us"}}, serving={"engine": "tfserving"}),
        (STABLE,),
        tfserving_metrics.metrics(stack_config(has=["prometheus-operator"])),
        {},
    ),
    "errors and latency of the mesh alone": (
        model_spec(slo={"availability": 99.9, "latency": {"p95": "100ms"}}, serving={"engine": "torchserve"}),
        (STABLE,),
        torchserve_metrics.metrics(stack_config()),
        {},
    ),
    "BentoML, two versions": (
        model_spec(slo={"availability": 99.9, "latency": {"p95": "80ms"}}, rollout=SHADOW),
        (STABLE, CANDIDATE),
        bentoml_metrics.metrics(),
        {},
    ),
    "MLflow in a mesh": (
        model_spec(slo={"availability": 99.9, "latency": {"p95": "100ms"}}, serving={"resources": {"cpu": 1}}),
        (STABLE,),
        mlflow_metrics.metrics(stack_config()),
        {},
    ),
    "MLflow, which nobody measures": (
        model_spec(serving={"resources": {"cpu": 1, "accelerator": None}}, nodes=None),
        (STABLE,),
        mlflow_metrics.metrics(stack_config(has=["prometheus-operator"])),
        {"has": ["prometheus-operator"]},
    ),
    "an engine that counts everything": (
        model_spec(serving={"cache": {"size": "1Gi"}}),
        (STABLE,),
        TOY,
        {},
    ),
}
ROOT = Path(__file__).parents[2]
MODEL_SPECS = sorted((ROOT / "model_specs").glob("*.yaml"))


def groups_of(name: str) -> tuple[Group, ...]:
    spec, workloads, metrics, stack = SERVERS[name]
    hpas = tuple(workload.name for workload in workloads)
    return rule_groups(Server("resnet50", (spec,), workloads, hpas, stack_config(**stack)), metrics)


def groups_of_file(file: Path) -> tuple[Group, ...]:
    """The rules of one of the model specs, with what the production stack has."""
    config = yaml.safe_load((ROOT / "stacks" / "Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]
    stack = StackConfig.model_validate({key.removeprefix("slipform:"): value for key, value in config.items()})
    spec = ModelSpec.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    declared = spec.rollout is not None and spec.rollout.candidate is not None
    workloads = tuple(
        ScaleTarget(name, "Rollout" if spec.progressive else "Deployment")
        for name in (spec.name, *([f"{spec.name}-candidate"] if declared else []))
    )
    hpas = tuple(workload.name for workload in workloads)
    metrics = registry.engine(spec.serving.engine).metrics(stack)
    return rule_groups(Server(spec.name, (spec,), workloads, hpas, stack), metrics)


def write(groups: tuple[Group, ...], folder: Path) -> None:
    (folder / "resnet50.rules.yaml").write_text(rule_file(groups), encoding="utf-8")
    (folder / "resnet50.tests.yaml").write_text(promtool_tests(groups, "resnet50.rules.yaml"), encoding="utf-8")


@pytest.mark.parametrize("groups", [groups_of(name) for name in SERVERS], ids=SERVERS)
def test_every_alert_fires_when_it_should_and_is_quiet_when_not(groups: tuple[Group, ...], tmp_path: Path) -> None:
    assert_right(groups, tmp_path)


@pytest.mark.parametrize("file", MODEL_SPECS, ids=lambda file: file.stem)
def test_the_rules_of_every_model_spec_are_right(file: Path, tmp_path: Path) -> None:
    assert_right(groups_of_file(file), tmp_path)


def assert_right(groups: tuple[Group, ...], tmp_path: Path) -> None:
    write(groups, tmp_path)
    assert_passes("check", "rules", "--lint=all", "--lint-fatal", "resnet50.rules.yaml", cwd=tmp_path)
    assert_passes("test", "rules", "resnet50.tests.yaml", cwd=tmp_path)


@pytest.mark.parametrize(
    ("alert", "right", "wrong"),
    [
        ("SlipformErrorBudgetBurn", "> 0.0072", "> 0.0095"),  # the page at 14.4 times the pace, a third higher
        ("SlipformErrorBudgetBurn", "> 0.0072", "> 0.0055"),  # and a quarter lower
        ("SlipformErrorBudgetBurn", 'status=~"failed|rejected|timeout"', 'status=~"timeouts"'),
        ("SlipformErrorBudgetBurn", "for: 15m", "for: 45m"),
        ("SlipformErrorBudgetBurn", "team: vision", "team: fraud"),
        ("SlipformReplicasAtMaximum", 'horizontalpodautoscaler="resnet50"', 'horizontalpodautoscaler="resnet"'),
        ("SlipformReplicasAtMaximum", "SlipformReplicasAtMaximum", "SlipformReplicasAtTheMaximum"),
        ("SlipformReplicasAtMaximum", " >= max(", " <= max("),
        ("SlipformGpuMemoryNearLimit", "exported_pod=~", "exported_pod!~"),
    ],
)
def test_a_wrong_rule_fails_its_tests(alert: str, right: str, wrong: str, tmp_path: Path) -> None:
    groups = groups_of("a shadow, another window")
    write(groups, tmp_path)
    tests = yaml.safe_load(promtool_tests(groups, "resnet50.rules.yaml"))
    tests["tests"] = [test for test in tests["tests"] if test["alert_rule_test"][0]["alertname"] == alert]
    (tmp_path / "resnet50.tests.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    rules = rule_file(groups)
    assert right in rules
    (tmp_path / "resnet50.rules.yaml").write_text(rules.replace(right, wrong), encoding="utf-8")
    assert promtool("test", "rules", "resnet50.tests.yaml", cwd=tmp_path).returncode == 1


# What follows feeds the engines' series by hand, so that it holds whatever the generated tests hold.

RUNTIME = (
    'inference_requests_total{namespace="models",model="resnet50",pod="a",status="ok",slipform_dev_track="stable"}'
)
FAILED = RUNTIME.replace('"ok"', '"failed"')
FOREVER = "x1200"


def firing(window: str) -> str:
    alert = 'alertname="SlipformErrorBudgetBurn",alertstate="firing"'
    return f'count(ALERTS{{{alert},long_window="{window}"}}) or vector(0)'


def assert_recorded(
    spec: ModelSpec,
    series: Mapping[str, str],
    values: Mapping[tuple[str, str], float | None],
    folder: Path,
    *,
    metrics: Metrics | None = None,
) -> None:
    """What the rules of a server with two tracks make of its series."""
    server = Server("resnet50", (spec,), (STABLE, CANDIDATE), (), stack_config())
    groups = rule_groups(server, metrics or fastapi_metrics.metrics())
    (folder / "rules.yaml").write_text(rule_file(groups), encoding="utf-8")
    assert_values(series, values, folder, rule_files=["rules.yaml"])


def test_an_outage_pages_within_minutes_and_the_page_ends_soon_after_it(tmp_path: Path) -> None:
    """Two quiet hours, five minutes in which every request fails, and then none."""
    series = {
        RUNTIME: f"0+300x240 72000+0x10 72300+300{FOREVER}",
        FAILED: f"0+0x240 300+300x9 3000+0{FOREVER}",
    }
    values = {
        (firing("1h"), "2h"): 0.0,
        (firing("1h"), "2h4m"): 1.0,
        (firing("1h"), "2h11m"): 0.0,
        (firing("6h"), "2h11m"): 1.0,  # its short window is half an hour
        (firing("6h"), "2h36m"): 0.0,
    }
    assert_recorded(model_spec(slo={"availability": 99.9}), series, values, tmp_path)


def test_a_burst_that_the_long_window_forgives_does_not_page(tmp_path: Path) -> None:
    """Twenty minutes at twice the threshold: the short window is over it, an hour's average is not."""
    share = 2 * 14.4 * 0.001
    series = {
        RUNTIME: f"0+300x240 {72000 + 300 * (1 - share)}+{300 * (1 - share)}x40",
        FAILED: f"0+0x240 {300 * share}+{300 * share}x40",
    }
    short = 'sum(slipform:errors:ratio_rate5m{model="resnet50"} > bool 0.0144)'
    values = {(short, "2h20m"): 1.0, (firing("1h"), "2h20m"): 0.0}
    assert_recorded(model_spec(slo={"availability": 99.9}), series, values, tmp_path)


def test_without_requests_there_is_no_share_and_without_failures_it_is_0(tmp_path: Path) -> None:
    ratio = 'slipform:errors:ratio_rate5m{model="resnet50"}'
    counted = {(f"count({ratio}) or vector(0)", "30m"): 0.0, (firing("1h"), "30m"): 0.0}
    spec = model_spec(slo={"availability": 99.9})
    assert_recorded(spec, {RUNTIME: "7+0x100"}, counted, tmp_path)
    assert_recorded(spec, {RUNTIME: "0+300x100"}, {(f"sum({ratio})", "30m"): 0.0}, tmp_path)


@pytest.mark.parametrize(("rollout", "fires"), [(SHADOW, 0.0), (None, 1.0)], ids=["shadow", "users"])
def test_a_shadow_that_fails_pages_nobody(rollout: dict[str, Any] | None, fires: float, tmp_path: Path) -> None:
    candidate = FAILED.replace('pod="a"', 'pod="b"').replace('"stable"', '"candidate"')
    spec = model_spec(slo={"availability": 99.9}, rollout=rollout)
    series = {RUNTIME: "0+300x100", candidate: "0+300x100"}
    assert_recorded(spec, series, {(firing("1h"), "30m"): fires}, tmp_path)


def test_another_models_failures_are_not_this_ones(tmp_path: Path) -> None:
    series = {RUNTIME: "0+300x100", FAILED.replace("resnet50", "other"): "0+300x100"}
    spec = model_spec(slo={"availability": 99.9})
    assert_recorded(spec, series, {(firing("1h"), "30m"): 0.0}, tmp_path)


@pytest.mark.parametrize("le", ["100", "100.0"])
def test_a_bucket_is_found_as_each_prometheus_spells_it(le: str, tmp_path: Path) -> None:
    """A fifth of the requests take longer than the bound."""
    found = 'namespace="models",model="resnet50",pod="a"'
    series = {
        f"inference_latency_ms_count{{{found}}}": "0+300x100",
        f'inference_latency_ms_bucket{{{found},le="{le}"}}': "0+240x100",
        f'inference_latency_ms_bucket{{{found},le="+Inf"}}': "0+300x100",
    }
    spec = model_spec(slo={"latency": {"p95": "100ms"}})
    values = {('sum(round(slipform:slow:ratio_rate1h{objective="p95"}, 0.001))', "30m"): 0.2}
    assert_recorded(spec, series, values, tmp_path)


def test_tritons_failures_count_without_those_that_clients_gave_up(tmp_path: Path) -> None:
    found = 'namespace="models",model="resnet50",pod="a"'
    series = {
        f"nv_inference_request_success{{{found}}}": "0+270x100",
        f'nv_inference_request_failure{{{found},reason="BACKEND"}}': "0+15x100",
        f'nv_inference_request_failure{{{found},reason="CANCELED"}}': "0+15x100",
    }
    spec, metrics = model_spec(slo={"availability": 99.9}), triton_metrics.metrics(stack_config())
    values = {("sum(round(slipform:errors:ratio_rate5m, 0.001))", "30m"): 0.05}
    assert_recorded(spec, series, values, tmp_path, metrics=metrics)

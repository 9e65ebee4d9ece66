"""Progressive delivery: what Argo Rollouts is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from slipform.infra import analysis
from slipform.infra.progressive import ProgressiveRollout, ProgressiveRolloutArgs
from slipform.infra.traffic import TrafficRoute, TrafficRouteArgs
from slipform.spec.rollout import Analysis
from slipform.spec.units import Duration

from ..builders import merged, model_spec
from . import crd_schemas
from .promtool import assert_passes, needs_promtool
from .recorder import Recorded, record
from .served import BLUE_GREEN, METRICS, PORTS, PROGRESSIVE, exposing_stack, server


def rolled_out(rollout: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """A server's route and its rollout, as the program makes them."""
    config = exposing_stack()
    made = server(model_spec(rollout=rollout or PROGRESSIVE, **changes), config)

    def program(platform: Any) -> None:
        TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS))
        ProgressiveRollout("resnet50", ProgressiveRolloutArgs(platform, made, PORTS, METRICS))

    return record(program, config)


def rollout_of(found: Recorded) -> dict[str, Any]:
    spec: dict[str, Any] = found.one("v1alpha1:Rollout").inputs["spec"]
    return spec


def canary(found: Recorded) -> dict[str, Any]:
    part: dict[str, Any] = rollout_of(found)["strategy"]["canary"]
    return part


def metric(found: Recorded, name: str) -> dict[str, Any]:
    metrics = found.one(":AnalysisTemplate").inputs["spec"]["metrics"]
    return next(each for each in metrics if each["name"] == name)


def test_the_rollout_takes_its_pods_from_the_deployment_and_its_number_from_the_autoscaler() -> None:
    spec = rollout_of(rolled_out(serving={"startup_timeout": "5m"}))
    assert spec["workloadRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "resnet50",
        "scaleDown": "onsuccess",
    }
    assert "replicas" not in spec
    assert spec["progressDeadlineAbort"] is True
    assert spec["progressDeadlineSeconds"] == 300 + 600
    assert spec["revisionHistoryLimit"] == 2


def test_the_rollout_names_objects_that_the_route_makes() -> None:
    found = rolled_out()
    istio = canary(found)["trafficRouting"]["istio"]
    made = {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in found.all(":VirtualService")}
    for named in istio["virtualServices"]:
        assert named["routes"] == [route["name"] for route in made[named["name"]]["http"]]
    rule = found.one(":DestinationRule").inputs
    assert istio["destinationRule"]["name"] == rule["metadata"]["name"]
    subsets = [each["name"] for each in rule["spec"]["subsets"]]
    assert [istio["destinationRule"][of] for of in ("stableSubsetName", "canarySubsetName")] == subsets


def test_each_weight_is_judged_for_as_long_as_it_holds() -> None:
    steps = canary(rolled_out())["steps"]
    assert [step["setWeight"] for step in steps[::2]] == [10, 50]
    for step in steps[1::2]:
        assert step["analysis"] == {
            "templates": [{"templateName": "resnet50"}],
            "args": [
                {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
                {"name": "count", "value": "10"},  # after 30 s, then every 30 s up to 300 s
            ],
            "analysisRunMetadata": {},
        }


@pytest.mark.parametrize(
    ("hold", "interval", "expected"),
    [("5m", "30s", 10), ("5m", "1m", 6), ("31s", "30s", 2), ("30s", "30s", 1), ("1s", "30s", 1)],
)
def test_judgements_fill_the_hold(hold: str, interval: str, expected: int) -> None:
    judged = Analysis(max_error_rate=0.01, interval=Duration.parse(interval))
    assert analysis.judgements(Duration.parse(hold), judged, scrape_interval=15) == expected


@pytest.mark.parametrize(("window", "interval", "forgiven", "expected"), [("1m", "30s", 1, 3), ("1m", "30s", 5, 6)])
def test_a_switch_is_judged_often_enough_to_be_refused(
    window: str, interval: str, forgiven: int, expected: int
) -> None:
    judged = Analysis(
        max_error_rate=0.01,
        window=Duration.parse(window),
        interval=Duration.parse(interval),
        failure_limit=forgiven,
    )
    assert analysis.switch_judgements(judged) == expected


def test_an_analysis_that_cannot_see_the_new_version_ends_the_rollout() -> None:
    found = rolled_out()
    for name in ("error-rate", "p95-latency"):
        judged = metric(found, name)
        assert (judged["failureLimit"], judged["consecutiveErrorLimit"]) == (1, 1)
        assert (judged["interval"], judged["initialDelay"], judged["count"]) == ("30s", "30s", "{{args.count}}")
        assert judged["provider"]["prometheus"]["address"] == "http://prometheus-operated.monitoring.svc:9090"


def test_the_template_counts_by_itself_too() -> None:
    """Argo Rollouts checks it without a step's arguments, and refuses the Rollout of an analysis without an end."""
    args = {each["name"]: each for each in rolled_out().one(":AnalysisTemplate").inputs["spec"]["args"]}
    assert int(args["count"]["value"]) > 0
    assert "value" not in args["hash"]


def test_bounds_are_in_the_queries_unit() -> None:
    found = rolled_out()
    assert metric(found, "error-rate")["successCondition"] == "result[0] <= 0.01"
    assert metric(found, "p95-latency")["successCondition"] == "result[0] <= 120"


@pytest.mark.parametrize(
    ("bound", "text"), [(0.01, "0.01"), (0.0, "0"), (120.0, "120"), (0.00001, "0.00001"), (1500000.0, "1500000")]
)
def test_a_bound_is_written_without_an_exponent(bound: float, text: str) -> None:
    assert analysis.number(bound) == text


def test_only_the_bounds_of_the_spec_are_judged() -> None:
    found = rolled_out(merged(PROGRESSIVE, {"analysis": {"max_p95_latency": ...}}))
    assert [each["name"] for each in found.one(":AnalysisTemplate").inputs["spec"]["metrics"]] == ["error-rate"]


def test_blue_green_switches_the_servers_service_and_judges_before_and_after() -> None:
    found = rolled_out(BLUE_GREEN)
    strategy = rollout_of(found)["strategy"]["blueGreen"]
    assert (strategy["activeService"], strategy["previewService"]) == ("resnet50", "resnet50-preview")
    assert strategy["prePromotionAnalysis"] == strategy["postPromotionAnalysis"]
    assert strategy["prePromotionAnalysis"]["args"][1] == {"name": "count", "value": "3"}
    assert "scaleDownDelaySeconds" not in strategy, "a delay would not wait for the second judgement"
    service = found.one("v1:Service").inputs
    assert service["metadata"]["name"] == "resnet50-preview"
    assert service["spec"]["selector"] == {"app.kubernetes.io/name": "resnet50"}
    assert [(each["name"], each["port"]) for each in service["spec"]["ports"]] == [("http", 8000), ("grpc", 8001)]


def test_the_old_version_is_kept_as_long_as_the_spec_says() -> None:
    found = rolled_out({**BLUE_GREEN, "keep_for": "30m"})
    assert rollout_of(found)["strategy"]["blueGreen"]["scaleDownDelaySeconds"] == 1800


@pytest.mark.parametrize("rollout", [PROGRESSIVE, BLUE_GREEN, {**BLUE_GREEN, "keep_for": "30m"}])
def test_argo_rollouts_takes_what_is_made(rollout: dict[str, Any]) -> None:
    found = [each for each in rolled_out(rollout).resources if "argoproj.io" in each.type]
    assert len(found) == 2
    for resource in found:
        crd_schemas.is_valid(resource)


NEW, OLD = 'namespace="models",pod="resnet50-abc12-x"', 'namespace="models",pod="resnet50-old99-y"'


def histogram(pod: str, fast: str, all_of_them: str) -> list[dict[str, str]]:
    counts = {"50000": fast, "120000": all_of_them, "500000": all_of_them, "+Inf": all_of_them}
    return [{"series": f'latency_us_bucket{{{pod},le="{le}"}}', "values": values} for le, values in counts.items()]


UP = {"series": f"up{{{NEW}}}", "values": "1x20"}
CASES: dict[str, tuple[list[dict[str, str]], float | None, float | None]] = {
    # The series that Prometheus has, every 15 s; the error rate and the p95 in ms that are seen after 4 minutes.
    "one in four fails": (
        [
            UP,
            {"series": f"requests_total{{{NEW}}}", "values": "0+128x20"},
            {"series": f"errors_total{{{NEW}}}", "values": "0+32x20"},
            *histogram(NEW, "0+100x20", "0+100x20"),
        ],
        0.25,
        47.5,
    ),
    "no errors were ever counted": (
        [UP, {"series": f"requests_total{{{NEW}}}", "values": "0+100x20"}, *histogram(NEW, "0+100x20", "0+100x20")],
        0,
        47.5,
    ),
    "its latency is not measured": ([UP, {"series": f"requests_total{{{NEW}}}", "values": "0+100x20"}], 0, None),
    "its first requests came just now": (
        [UP, {"series": f"requests_total{{{NEW}}}", "values": "0x14 0+100x5"}],
        0,
        0,
    ),
    "no traffic": (
        [UP, {"series": f"requests_total{{{NEW}}}", "values": "0x20"}, *histogram(NEW, "0x20", "0x20")],
        0,
        0,
    ),
    "only the old version fails": (
        [
            UP,
            {"series": f"requests_total{{{NEW}}}", "values": "0+100x20"},
            {"series": f"errors_total{{{NEW}}}", "values": "0x20"},
            *histogram(NEW, "0+100x20", "0+100x20"),
            {"series": f"requests_total{{{OLD}}}", "values": "0+100x20"},
            *histogram(OLD, "0x20", "0+100x20"),
            {"series": f"errors_total{{{OLD}}}", "values": "0+100x20"},
        ],
        0,
        47.5,
    ),
    "not scraped": ([{"series": f"up{{{OLD}}}", "values": "1x20"}], None, None),
    "its scrape fails": ([{"series": f"up{{{NEW}}}", "values": "0x20"}], None, None),
}


@needs_promtool
@pytest.mark.parametrize("case", CASES)
def test_prometheus_answers_a_number_without_traffic_and_nothing_for_pods_that_it_does_not_know(
    case: str, tmp_path: Path
) -> None:
    series, error_rate, p95 = CASES[case]
    found = rolled_out()
    expected = {"error-rate": error_rate, "p95-latency": p95}
    asked = [
        {
            "expr": metric(found, name)["provider"]["prometheus"]["query"].replace("{{args.hash}}", "abc12"),
            "eval_time": "4m",
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for name, value in expected.items()
    ]
    tests = {
        "rule_files": [],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": asked}],
    }
    file = tmp_path / "analysis.yaml"
    file.write_text(yaml.safe_dump(tests))
    assert_passes("test", "rules", str(file), cwd=tmp_path)

"""Dashboards: each query is one that Prometheus answers, each panel is about what the engine measures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipform.engines import fastapi_metrics, triton_metrics
from slipform.engines.metrics import Metrics
from slipform.infra.dashboard.board import board, rows
from slipform.infra.dashboard.component import Dashboard, DashboardArgs
from slipform.infra.dashboard.panels import Panel
from slipform.infra.platform import Platform
from slipform.infra.rules.groups import rule_groups
from slipform.infra.rules.kinds import series
from slipform.infra.rules.promtool import rule_file
from slipform.infra.rules.samples import selectors
from slipform.infra.rules.server import Server
from slipform.infra.scaling import ScaleTarget
from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec, stack_config
from .measured import NO_HISTOGRAM, toy_metrics
from .promtool import assert_values, needs_promtool
from .recorder import record

SLO = {"availability": 99.9, "latency": {"p95": "100ms"}}
STABLE, CANDIDATE = ScaleTarget("resnet50"), ScaleTarget("resnet50-candidate")
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
STEPS = {"strategy": "canary", "steps": [{"weight": 10, "hold": "5m"}], "analysis": {"max_error_rate": 0.01}}
MESH = triton_metrics.metrics(stack_config(images={"triton_release": "25.08"}))
BLIND = toy_metrics(queue_length=None, utilization=None, latency=NO_HISTOGRAM)


def server(*specs: ModelSpec, workloads: tuple[ScaleTarget, ...] = (STABLE,), **stack: Any) -> Server:
    specs = specs or (model_spec(slo=SLO),)
    return Server("resnet50", specs, workloads, tuple(each.name for each in workloads), stack_config(**stack))


def panels(server: Server, metrics: Metrics) -> dict[str, Panel]:
    return {panel.title: panel for row in rows(server, metrics) for panel in row.panels}


WATCHED = {
    "the runtime, a cache": (server(model_spec(slo=SLO, serving={"cache": {"size": "1Gi"}})),
                             fastapi_metrics.metrics()),
    "Triton, a candidate": (server(model_spec(slo=SLO, rollout=CANARY), workloads=(STABLE, CANDIDATE)),
                            triton_metrics.metrics(stack_config())),
    "a mesh's latency": (server(), MESH),
    "a progressive rollout": (server(model_spec(rollout=STEPS), workloads=(ScaleTarget("resnet50", "Rollout"),)),
                              fastapi_metrics.metrics()),
    "an engine that measures little": (server(), BLIND),
}  # fmt: skip


@needs_promtool
@pytest.mark.parametrize("name", WATCHED)
def test_each_query_has_an_answer_once_its_series_are_there(name: str, tmp_path: Path) -> None:
    """Series are made of the queries' own matchers, and of those of the rules that record what the queries read."""
    watched, metrics = WATCHED[name]
    groups = rule_groups(watched, metrics)
    recorded = {rule.record for group in groups for rule in group.recordings}
    queries = [query.expr for panel in panels(watched, metrics).values() for query in panel.queries]
    rules = [rule.expr for group in groups for rule in group.recordings]
    # No text is known for a pattern of names, so the one pod is named.
    text = " ".join([*queries, *rules]).replace(f'=~"{watched.pods}"', f'="{watched.pod}"')
    found = [(one.metric, one.sample | {"pod": watched.pod}) for one in selectors(text) if one.metric not in recorded]
    found += [(metric, labels | {"le": "+Inf"}) for metric, labels in found if metric.endswith("_bucket")]
    scraped = {series(metric, labels): "0+300x100" for metric, labels in found}
    (tmp_path / "rules.yaml").write_text(rule_file(groups), encoding="utf-8")
    values: dict[tuple[str, str], float | None] = {(f"count({query}) > bool 0", "45m"): 1.0 for query in queries}
    assert_values(scraped, values, tmp_path, rule_files=["rules.yaml"])


def test_a_panel_is_only_there_where_the_engine_measures_it() -> None:
    whole, less = panels(server(), toy_metrics()), panels(server(), BLIND)
    assert set(whole) - set(less) == {
        "Queue", "Utilization", "Latency", "Latency by version", "Error budget left: p95"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("title", "spec", "bound"),
    [
        ("Latency", {"slo": SLO}, 0.1),
        ("Latency", {}, None),
        ("Share of errors", {"slo": SLO}, 0.001),
        ("Requests", {"traffic": {"expected_rps": 200, "peak_rps": 2000}}, 2000),
        ("Queue", {"serving": {"batching": {"max_queue_size": 64}}}, 64),
        ("Utilization", {"scaling": {"metrics": {"utilization": 60}}}, 0.6),
        ("Replicas", {"scaling": {"max_replicas": 7}}, 7),
        ("Processors", {"serving": {"resources": {"cpu": "1500m"}}}, 1.5),
        ("Memory", {"serving": {"resources": {"memory": "4Gi"}}}, 4 * 2**30),
    ],
)
def test_the_line_is_what_the_spec_says(title: str, spec: dict[str, Any], bound: float | None) -> None:
    assert panels(server(model_spec(**spec)), toy_metrics())[title].bound == bound


def test_models_that_share_a_server_have_a_row_each() -> None:
    both = server(model_spec(name="one", slo=SLO), model_spec(name="two"))
    assert [row.title for row in rows(both, toy_metrics())] == [
        "resnet50: alerts", "one: requests", "two: requests", "resnet50: replicas",
    ]  # fmt: skip


def test_gpus_are_drawn_where_somebody_measures_them() -> None:
    assert "GPUs" in panels(server(), toy_metrics())
    assert "GPUs" not in panels(server(has=["prometheus-operator"]), toy_metrics())


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    """By the types that Grafana publishes; and panels neither leave the grid nor lie on each other."""
    from grafana_foundation_sdk.models.dashboard import Dashboard as Schema

    made = json.loads(board(server(), toy_metrics()))
    read = Schema.from_json(made)
    assert (read.title, read.tags) == ("models / resnet50", ["slipform", "models", "vision"])
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", read.uid or "")
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
            letters = [target["refId"] for target in panel["targets"]]
            assert sorted(set(letters)) == letters != [""], "Grafana keeps one query of a letter"


def test_the_next_version_takes_the_place_of_the_last_and_no_other_servers() -> None:
    one, same, other = (
        json.loads(board(watched, toy_metrics()))["uid"]
        for watched in (server(), server(model_spec(scaling={"max_replicas": 7})), replace(server(), name="other"))
    )
    assert one == same != other


def test_the_sidecar_finds_it_by_its_labels() -> None:
    def program(platform: Platform) -> None:
        Dashboard("resnet50", DashboardArgs(platform, server(), toy_metrics()))

    (config,) = record(program, stack_config(grafana={"annotations": {"grafana_folder": "Models"}})).all(":ConfigMap")
    assert config.inputs["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config.inputs["metadata"]["annotations"] == {"grafana_folder": "Models"}
    assert list(config.inputs["data"]) == ["slipform-models-resnet50.json"]

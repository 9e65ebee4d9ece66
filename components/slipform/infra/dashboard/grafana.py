"""Rows of panels as a Grafana dashboard, through Grafana's own types."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as look
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from .panels import Panel, Row

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Whoever looks chooses the Prometheus, once for all panels."""
WIDTH, HEIGHT = 24, 8
"""Of the grid, and of each panel."""
THIRD = WIDTH // 3
"""Three stand beside each other: the library breaks only lines that are filled."""
GOOD, WARN, BAD = "green", "orange", "red"


def to_json(title: str, key: str, tags: Iterable[str], rows: Iterable[Row]) -> str:
    """The dashboard's JSON. ``key`` says which one it is, whatever its title: the next version takes its place."""
    board = (
        grafana.Dashboard(title)
        .uid(_uid(key))
        .tags(list(tags))
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(grafana.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            grafana.DashboardLink("Other models")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["slipform"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    for row in rows:
        board.with_row(grafana.Row(row.title))
        for panel in row.panels:
            board.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


def _uid(key: str) -> str:
    """At most 40 characters, as Grafana wants it."""
    return f"slipform-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel | statetimeline.Panel:
    match panel.kind:
        case "curves":
            built: timeseries.Panel | stat.Panel | statetimeline.Panel = _curves(panel)
        case "left":
            built = _left(panel)
        case "states":
            built = _states(panel)
    built.title(panel.title).description(panel.description).datasource(SOURCE).height(HEIGHT)
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).datasource(SOURCE)
        built.with_target(target.ref_id(letter))
    return built


def _curves(panel: Panel) -> timeseries.Panel:
    built = timeseries.Panel().span(THIRD).unit(panel.unit).min(0)
    built.fill_opacity(8).show_points(VisibilityMode.NEVER)
    if panel.bound is not None:
        built.thresholds(_steps((None, GOOD), (panel.bound, BAD)))
        built.thresholds_style(look.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return built


def _left(panel: Panel) -> stat.Panel:
    built = stat.Panel().span(THIRD).unit(panel.unit).decimals(1).max(1)
    return built.thresholds(_steps((None, BAD), (0, WARN), (0.25, GOOD)))


def _states(panel: Panel) -> statetimeline.Panel:
    firing = ValueMappingResult(text="firing", color=BAD)
    built = statetimeline.Panel().span(WIDTH).mappings([ValueMap({"1": firing})])
    return built.show_value(VisibilityMode.NEVER).no_value("none")


def _steps(*steps: tuple[float | None, str]) -> grafana.ThresholdsConfig:
    found = [Threshold(value, color) for value, color in steps]
    return grafana.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)

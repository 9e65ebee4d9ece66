"""Where a graph's costs show: in every view of a plan and of a change, or nowhere where nobody knows them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from slipform import plan
from slipform.cost.figures import Figures, ServerCost, StackCost

MONTH = Figures(Decimal("730.50"), Decimal(1461), Decimal(2922))
IRIS = ServerCost(
    "iris", machines={"g6.xlarge": Decimal("1.0007")}, nodes=MONTH, monthly=MONTH, full_use=Decimal("0.25")
)
COST = StackCost("USD", (IRIS, ServerCost("<b>wine</b>", unknown="it names no nodes")), max_monthly=Decimal(2000))
GRAPH = plan.Graph("shop", "prod", (), cost=COST)
FREE = replace(GRAPH, cost=None)


def screen(graph: plan.Graph, width: int = 120) -> str:
    out = io.StringIO()
    plan.tree(graph, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("view", [screen, plan.to_markdown, plan.to_html])
def test_each_view_of_a_plan_shows_costs_their_basis_what_is_not_known_and_what_is_too_much(view: object) -> None:
    assert callable(view)
    text = view(GRAPH).replace("&#39;", "'")
    for part in ("730.50", "1,461.00", "2,922.00", "730 hours a month", "it names no nodes", "over budget: all models"):
        assert part in text


@pytest.mark.parametrize("view", [screen, plan.to_markdown, plan.to_html, plan.to_json])
def test_a_plan_of_a_program_that_knows_no_costs_says_nothing_of_them(view: object) -> None:
    assert callable(view)
    assert "cost" not in view(FREE)


def test_on_screen_costs_are_in_columns_without_blanks_at_the_ends_of_lines() -> None:
    lines = screen(replace(GRAPH, cost=replace(COST, servers=(IRIS, replace(IRIS, name="a"))))).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("cost a month"))
    assert lines[start : start + 4] == [
        "cost a month, USD  nodes                   at least  expected   at most  per 1M predictions  at full use",
        "iris               730.5–2922 × g6.xlarge    730.50  1,461.00  2,922.00                   –         0.25",
        "a                  730.5–2922 × g6.xlarge    730.50  1,461.00  2,922.00                   –         0.25",
        "all                                        1,461.00  2,922.00  5,844.00",
    ]


@pytest.mark.parametrize("width", [50, 80, 100])
def test_on_a_narrow_screen_costs_fit(width: int) -> None:
    assert max(len(line) for line in screen(GRAPH, width).splitlines()) <= width


def test_nothing_in_a_name_becomes_markup() -> None:
    assert "<b>wine" not in plan.to_markdown(GRAPH)
    assert "<b>wine" not in plan.to_html(GRAPH)


def test_a_plans_json_can_be_read_back_with_its_costs() -> None:
    assert plan.from_json(plan.to_json(GRAPH)).cost == COST


def test_a_markdown_table_has_as_many_cells_in_each_row() -> None:
    rows = [line for line in plan.to_markdown(GRAPH).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {8}
    assert rows[1] == "| --- | --- | ---: | ---: | ---: | ---: | ---: |"


DEARER = replace(GRAPH, cost=replace(COST, servers=(replace(IRIS, monthly=Figures(*(Decimal(9),) * 3)),)))


def test_each_view_of_a_change_shows_what_it_does_to_costs() -> None:
    change = plan.diff(GRAPH, DEARER)
    out = io.StringIO()
    plan.print_diff(change, Console(file=out, width=200))
    for text in (out.getvalue(), plan.diff_to_markdown(change)):
        assert "730.50 → 9.00 (-721.50)" in text
    cost = json.loads(plan.diff_to_json(change))["cost"]
    assert cost["increase"] == {"least": -721.5, "expected": -1452, "most": -2913}
    assert not change, "a price is no change of the stack"


def test_a_change_from_or_to_a_side_that_knows_no_costs_says_nothing_of_them() -> None:
    resource = plan.Resource("urn:pulumi:prod::shop::a:b:C::c", "a:b:C", "c", custom=True)
    unknown = replace(FREE, resources=(resource,))
    assert plan.diff(unknown, GRAPH).cost is None
    assert plan.diff(GRAPH, unknown).cost is None
    assert plan.diff(unknown, unknown).cost is None


def test_against_a_side_that_is_not_there_everything_is_added() -> None:
    change = plan.diff(FREE, GRAPH).cost
    assert change is not None
    assert change.increase == MONTH

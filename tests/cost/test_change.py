"""What a change does to costs, when it is over budget, and how both are worded."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.cost import budget, wording
from slipform.cost.change import compare
from slipform.cost.figures import Figures, ServerCost, StackCost, from_document, to_document


def figures(least: float, most: float, expected: float | None = None) -> Figures:
    known = None if expected is None else Decimal(str(expected))
    return Figures(Decimal(str(least)), known, Decimal(str(most)))


def server(name: str, least: float, most: float, expected: float | None = None) -> ServerCost:
    nodes = figures(least / 730, most / 730)
    return ServerCost(name, machines={"g6.xlarge": Decimal(1)}, nodes=nodes, monthly=figures(least, most, expected))


def stack(*servers: ServerCost, **settings: Any) -> StackCost:
    return StackCost("USD", tuple(sorted(servers, key=lambda each: each.name)), **settings)


IRIS, FRAUD = server("iris", 730, 1460, 730), server("fraud", 1460, 2920)
UNKNOWN = ServerCost("iris", unknown="it names no nodes")

names = st.sampled_from(["a", "b", "c", "d"])
amounts = st.integers(0, 10_000)
servers = st.builds(
    lambda name, least, more, known: server(name, least, least + more, least if known else None),
    names, amounts, amounts, st.booleans(),
)  # fmt: skip
stacks = st.lists(servers, unique_by=lambda each: each.name).map(lambda each: stack(*each))


@given(cost=stacks)
def test_a_change_of_nothing_changes_no_cost(cost: StackCost) -> None:
    assert not compare(cost, cost)


@given(before=stacks, after=stacks)
def test_what_is_added_is_the_difference_of_the_sums(before: StackCost, after: StackCost) -> None:
    increase = compare(before, after).increase
    assert increase.least == after.monthly.least - before.monthly.least
    assert increase.most == after.monthly.most - before.monthly.most


@given(cost=stacks)
def test_the_json_form_says_all(cost: StackCost) -> None:
    assert from_document(to_document(cost)) == cost


def test_another_form_of_json_is_not_guessed_at() -> None:
    assert from_document({**to_document(stack(IRIS)), "format": "slipform.cost/v2"}) is None
    assert from_document(None) is None


def test_only_what_differs_is_a_change_sorted_by_name() -> None:
    change = compare(stack(IRIS, FRAUD), stack(IRIS, server("fraud", 1460, 3650), server("a", 0, 730)))
    assert [each.name for each in change.servers] == ["a", "fraud"]
    assert change.increase == figures(0, 1460)


def test_what_was_not_known_before_is_no_increase() -> None:
    change = compare(stack(UNKNOWN, FRAUD), stack(IRIS, FRAUD, max_increase=Decimal(1)))
    assert [each.name for each in change.servers] == ["iris"]
    assert change.increase == figures(0, 0, 0)
    assert budget.problems_of_change(change) == []


def test_costs_in_another_currency_are_not_compared() -> None:
    assert not compare(stack(IRIS), replace(stack(FRAUD), currency="EUR"))


def test_of_amounts_those_count_that_are_known() -> None:
    assert list(map(int, figures(730, 1460).known)) == [730, 1460]
    assert list(map(int, figures(730, 1460, 0).known)) == [730, 0, 1460]


def test_what_adds_or_saves_the_most_stands_first_and_of_many_the_rest_is_counted() -> None:
    before = stack(*(server(f"s{index:02}", 0, 1000) for index in range(40)))
    after = stack(*(server(f"s{index:02}", 0, 1000 + (-1) ** index * index) for index in range(1, 40)))
    names = [name for name, _ in wording.change_sentences(compare(before, after))]
    assert names[:4] == ["s00", "s39", "s38", "s37"]
    assert names[-3:] == ["s16", "… 15 more", "all"]
    assert len(wording.shortened(wording.rows(before))) == 27
    assert len(wording.shortened(wording.rows(stack(*before.servers[:26])))) == 27


@pytest.mark.parametrize(("most", "said"), [(4380, False), (4379.99, True), (None, False)])
def test_the_budget_of_a_stack_bounds_what_its_models_cost_at_most(most: float | None, said: bool) -> None:
    cost = stack(IRIS, FRAUD, max_monthly=None if most is None else Decimal(str(most)))
    assert bool(budget.problems(cost)) is said


def test_a_stack_over_its_budget_says_by_how_much() -> None:
    (said,) = budget.problems(stack(IRIS, FRAUD, max_monthly=Decimal(4000)))
    assert said == (
        "over budget: all models together may cost 4,380.00 USD a month, 380.00 more than slipform:cost.max_monthly, "
        "4,000.00"
    )


@pytest.mark.parametrize(
    ("after", "allowed", "said"),
    [
        (server("iris", 730, 2190, 730), 730, None),
        (server("iris", 730, 2190.01, 730), 730, "adds up to 730.01 USD a month, 0.01 more"),
        (server("iris", 1460, 1460, 1460), 700, "adds up to 730.00 USD a month, 30.00 more"),
        (server("iris", 730, 1460, 1430.5), 700, "adds up to 700.50 USD a month, 0.50 more"),
        (server("iris", 0, 0, 0), 1, None),
    ],
    ids=["as much as allowed", "a cent more", "at least", "expected", "less"],
)
def test_a_change_may_add_only_so_much_at_least_expected_or_at_most(
    after: ServerCost, allowed: float, said: str | None
) -> None:
    found = budget.problems_of_change(compare(stack(IRIS), stack(after, max_increase=Decimal(allowed))))
    assert len(found) == (said is not None)
    assert all(said is not None and said in each for each in found)


def test_the_budget_is_the_one_after_the_change() -> None:
    raised = compare(stack(IRIS, max_monthly=Decimal(1)), stack(IRIS, FRAUD, max_monthly=Decimal(5000)))
    assert budget.problems_of_change(raised) == []
    assert budget.problems_of_change(None) == []


def test_a_stack_that_was_over_its_budget_already_stops_only_what_adds_to_it() -> None:
    over = stack(IRIS, FRAUD, max_monthly=Decimal(1000))
    cheaper = stack(IRIS, server("fraud", 1460, 2190), max_monthly=Decimal(1000))
    dearer = stack(IRIS, server("fraud", 1460, 3650), max_monthly=Decimal(1000))
    assert budget.problems_of_change(compare(over, over)) == []
    assert budget.problems_of_change(compare(over, cheaper)) == []
    assert len(budget.problems_of_change(compare(over, dearer))) == 1
    assert len(budget.problems_of_change(compare(stack(IRIS, FRAUD), over))) == 1, "a budget that is new and too low"


def test_a_table_ends_with_the_sum_of_what_is_known() -> None:
    per_million = replace(FRAUD, per_million=figures(0.0123, 1.5), full_use=Decimal(7))
    assert list(wording.rows(stack(IRIS, per_million, replace(UNKNOWN, name="wine")))) == [
        ("fraud", "2–4 × g6.xlarge", "1,460.00", "–", "2,920.00", "0.0123–1.50", "7.00"),
        ("iris", "1–2 × g6.xlarge", "730.00", "730.00", "1,460.00", "–", ""),
        ("2 of 3", "", "2,190.00", "–", "4,380.00", "", ""),
    ]


def test_what_is_not_known_is_one_line_for_each_reason() -> None:
    cost = stack(*(replace(UNKNOWN, name=name) for name in "abcde"), replace(UNKNOWN, name="f", unknown="no price"))
    assert list(wording.unknowns(cost)) == [
        "cost of a, b, c and 2 more: not known: it names no nodes",
        "cost of f: not known: no price",
    ]


CHANGES = {
    "more": (
        [IRIS], [server("iris", 730, 2190, 1460)],
        "1–2 × g6.xlarge → 1–3 × g6.xlarge; at least 730.00; expected 730.00 → 1,460.00 (+730.00); "
        "at most 1,460.00 → 2,190.00 (+730.00)",
    ),
    "new": ([], [IRIS], "1–2 × g6.xlarge; at least 0.00 → 730.00 (+730.00); expected 0.00 → 730.00 (+730.00); "
            "at most 0.00 → 1,460.00 (+1,460.00)"),
    "gone": ([FRAUD], [], "none any more; at least 1,460.00 → 0.00 (-1,460.00); at most 2,920.00 → 0.00 (-2,920.00)"),
    "known now": ([UNKNOWN], [IRIS], "not known: it names no nodes → 1–2 × g6.xlarge; at least 730.00; "
                  "expected 730.00; at most 1,460.00"),
    "not known any more": ([IRIS], [UNKNOWN], "1–2 × g6.xlarge → not known: it names no nodes"),
    "new and not known": ([], [UNKNOWN], "not known: it names no nodes"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_one_sentence_a_server(before: list[ServerCost], after: list[ServerCost], said: str) -> None:
    assert [sentence for _, sentence in wording.change_sentences(compare(stack(*before), stack(*after)))] == [said]


def test_a_change_ends_with_what_all_cost() -> None:
    sentences = list(wording.change_sentences(compare(stack(IRIS), stack(IRIS, FRAUD))))
    assert sentences[-1] == (
        "all",
        "at least 730.00 → 2,190.00 (+1,460.00); expected 730.00 → –; at most 1,460.00 → 4,380.00 (+2,920.00)",
    )


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (stack(IRIS), "730 hours a month. Not in it: disks"),
        (stack(IRIS, day="2026-07-20", region="us-east-1"), "AWS' on-demand prices in us-east-1 as of 2026-07-20"),
        (stack(IRIS, spot_discount=60), "spot assumed 60 % under them"),
    ],
)
def test_the_figures_say_what_they_are_made_of(cost: StackCost, said: str) -> None:
    assert said in wording.basis(cost)

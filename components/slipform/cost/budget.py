"""Whether what models may cost is within the stack's budget."""

from __future__ import annotations

from .change import CostChange
from .figures import StackCost
from .wording import money

OVER_BUDGET = 3
"""The exit code of commands that found it so."""


def problems(cost: StackCost | None) -> list[str]:
    """What is over the budget of a stack as a whole."""
    if cost is None or cost.max_monthly is None or cost.monthly.most <= cost.max_monthly:
        return []
    over = cost.monthly.most - cost.max_monthly
    return [
        f"over budget: all models together may cost {money(cost.monthly.most)} {cost.currency} a month, "
        f"{money(over)} more than slipform:cost.max_monthly, {money(cost.max_monthly)}"
    ]


def problems_of_change(change: CostChange | None) -> list[str]:
    """What goes over the budget by a change; the budget is the one that is there afterwards.

    A stack that was over it before, and costs no more now, is no reason to stop a change.
    """
    if change is None:
        return []
    before, after = change.before, change.after
    found = problems(after) if after.monthly.most > before.monthly.most or not problems(before) else []
    allowed, more = after.max_increase, max(change.increase.known)
    if allowed is not None and more > allowed:
        found.append(
            f"over budget: the change adds up to {money(more)} {after.currency} a month, "
            f"{money(more - allowed)} more than slipform:cost.max_increase, {money(allowed)}"
        )
    return found

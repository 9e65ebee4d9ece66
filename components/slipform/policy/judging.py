"""A spec held against its stack's policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..spec.findings import Finding, did_you_mean
from ..spec.modelspec import ModelSpec
from ..spec.policy import Level
from ..spec.stack import StackConfig
from . import own
from .rules import RULES, Rule, limits


def problems(spec: ModelSpec, stack: StackConfig | None, root: Path) -> Iterator[Finding]:
    """What breaks a rule that the stack has switched on, and that the spec is not let off."""
    if stack is None:
        return
    rules = _rules(stack, root)
    for name, (level, rule) in rules.items():
        if name not in spec.exempt:
            for finding in rule(spec):
                yield _named(finding, name, level)
    known = {*rules, *RULES}
    for name in spec.exempt:
        if name not in known:
            yield Finding(
                "the stack has no such rule",
                path=("exempt", name),
                given=name,
                allowed=", ".join(sorted(known)),
                remedy=did_you_mean(name, known, "remove it"),
            )


def _rules(stack: StackConfig, root: Path) -> dict[str, tuple[Level | None, Rule]]:
    """By name; None where the rule says itself how bad it is."""
    policy = stack.policy
    switched = {name: level for name in RULES if (level := getattr(policy, name)) is not None}
    mine = own.checks(policy.checks, root)
    return {
        **{name: (level, RULES[name]) for name, level in switched.items()},
        **{name: ("error", rule) for name, rule in limits(policy).items()},
        **{name: (None, partial(own.findings, name, mine[name], stack=stack)) for name in mine},
    }


def _named(finding: Finding, name: str, level: Level | None) -> Finding:
    """Says which rule it is, and the way out that leaves a reason in the file."""
    way_out = f"if it has to be so, write exempt: {{{name}: WHY}}"
    return replace(
        finding,
        message=f"policy {name}: {finding.message}",
        severity=level or finding.severity,
        remedy=f"{finding.remedy}; or, {way_out}" if finding.remedy else way_out,
    )

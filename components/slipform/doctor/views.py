"""A report for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console

from ..infra.capabilities import how_to_get
from .capabilities import Verdict
from .judging import Report

_MARKS = {"has": ("✓", "green"), "lacks": ("✗", "red"), "unknown": ("?", "yellow")}

_NAMED = 5


def as_text(report: Report, console: Console) -> None:
    """What is there, what is missing and what that costs, and the list to paste."""

    def say(text: str = "", style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say(f"{report.stack_name}: Kubernetes {report.version}", "bold")
    for verdict in report.verdicts:
        mark, colour = _MARKS[verdict.state]
        is_missed = verdict in report.needed
        say(f"{mark} {verdict.capability:<20}{verdict.why}", colour if verdict.state != "lacks" or is_missed else "dim")
        if verdict.state != "has":
            for line in _costs(report, verdict):
                say(f"    {line}")
    for problem in report.problems:
        say(f"✗ {problem.message}", "red")
        say(f"    {problem.remedy}")
    say()
    if set(report.has) == set(report.claimed):
        say("slipform:has is what the cluster has")
    else:
        say(f"  slipform:has: [{', '.join(report.has)}]", "bold")
        for word, these, others in (("gone", report.claimed, report.has), ("new", report.has, report.claimed)):
            if names := [each for each in these if each not in others]:
                say(f"    {word}: {', '.join(names)}")


def as_json(report: Report) -> str:
    """The same; its fields are described in docs/operating.md."""
    capabilities = {
        each.capability: {
            "state": each.state,
            "why": each.why,
            "needed_by": [
                {"file": str(need.file), "field": need.field, "message": need.message, "severity": need.severity}
                for need in report.needs.get(each.capability, ())
            ],
            "how_to_get": how_to_get(each.capability),
        }
        for each in report.verdicts
    }
    document = {
        "stack": report.stack_name,
        "kubernetes": report.version,
        "fine": report.is_fine,
        "has": report.has,
        "claimed": report.claimed,
        "capabilities": capabilities,
        "problems": [{"message": each.message, "remedy": each.remedy} for each in report.problems],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _costs(report: Report, verdict: Verdict) -> Iterator[str]:
    """A line for each thing that is lost, with the specs that lose it, then how to have it."""
    found = report.needs.get(verdict.capability, ())
    losers: dict[str, list[str]] = {}
    for need in found:
        word = "refused" if need.severity == "error" else "left out"
        losers.setdefault(f"{word}: {need.message}", []).append(need.file.stem.removeprefix("Pulumi."))
    for what, names in losers.items():
        several = list(dict.fromkeys(names))
        more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
        yield f"{', '.join(several[:_NAMED])}{more}: {what}"
    if found or verdict.capability in report.claimed:
        yield how_to_get(verdict.capability)

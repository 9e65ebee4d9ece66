"""The change as markdown, for a pull request: what a reviewer must not miss first, each model's fields folded."""

from __future__ import annotations

from collections.abc import Iterator

from ...cost.budget import problems_of_change
from ...cost.wording import change_rows
from ...cost.wording import heading as cost_heading
from ..change.diff import Action, Change, Diff, FieldChange, Model
from .markdown import LIMIT, cost_table, escape, html
from .wording import (
    SIGNS,
    before_and_after,
    brief,
    explanations,
    folded,
    followed,
    groups,
    heading,
    lines_of,
    remark,
    remarks,
    replaces,
    shown,
    subject,
    totals,
)

_FENCE_SIGNS = {Action.CREATE: "+", Action.UPDATE: "!", Action.REPLACE: "!", Action.DELETE: "-"}


def diff_to_markdown(diff: Diff, limit: int = LIMIT) -> str:
    """Headline, warnings, then one folded block per model. Where it would be too long, the last blocks go."""
    blocks = [f"### {html(totals(diff)).capitalize()} in `{diff.head.project}`, stack `{diff.head.stack}`"]
    blocks += list(_must_see(diff))
    if diff.cost:
        blocks.append(cost_table(cost_heading(diff.cost.after.currency), change_rows(diff.cost)))
    folded = [_model(model) for model in diff.models]
    if diff.outputs:
        folded.append(
            _fenced("outputs", [line for each in diff.outputs for line in _field(FieldChange(brief(each)), each.where)])
        )
    room = limit - sum(len(block) + 2 for block in blocks) - 200
    shown = 0
    for block in folded:
        room -= len(block) + 2
        if room < 0:
            break
        shown += 1
    blocks += folded[:shown]
    if shown < len(folded):
        blocks.append(f"… and {len(folded) - shown} more, which do not fit here: run `slipform diff`")
    return "\n\n".join(blocks) + "\n"


def _must_see(diff: Diff) -> Iterator[str]:
    for problem in problems_of_change(diff.cost):
        yield f"> 🛑 **{escape(problem)}**"
    for model in diff.models:
        if model.action is Action.DELETE:
            yield f"> 🛑 **{escape(heading(model))}**"
    for model in diff.models:
        for sentence in remarks(model):
            yield f"> {escape(f'{heading(model)}: {sentence}' if model.component else sentence)}"
    for change in diff.changes:
        name = escape(subject((change,)))
        for obstacle in change.obstacles:
            yield f"> 🛑 **{name} will fail**: {escape(obstacle)}"
        if change.action is Action.REPLACE and not change.renewed_from:
            yield f"> ⚠️ **{name} is replaced**: {escape('; '.join(change.reasons))}. {escape(_felt(change))}"
    for message in diff.new_messages:
        yield f"> ⚠️ new {message.severity}: {escape(message.text)}"


def _felt(change: Change) -> str:
    return f"{change.consequence[:1].upper()}{change.consequence[1:]}."


def _model(model: Model) -> str:
    lines: list[str] = []
    for group in groups(model):
        lines += _group(group)
    return _fenced(f"{SIGNS[model.action]} {heading(model)}", lines)


def _group(group: tuple[Change, ...]) -> Iterator[str]:
    change = group[0]
    rest = f"  {remark(change)}" if remark(change) else ""
    yield f"{_FENCE_SIGNS[change.action]} {subject(group)}{rest}"
    for _, sentence in explanations(change):
        yield f"#   {sentence}"
    for each, place in folded(shown(change)):
        lines = _field(each, place) if each is not None else [f" {place}"]
        yield from (f"{line[:1]}   {line[1:]}" for line in lines)


def _field(change: FieldChange, place: str) -> Iterator[str]:
    """Lines whose first letter says what they are to a `diff` block: removed, added, or neither."""
    field = change.field
    if followed(change):
        yield f" {place}: {followed(change)}"
        return
    mark = f"  ({replaces(change)})" if replaces(change) else ""
    if field.lines:
        yield f" {place}{mark}"
        for line in lines_of(field):
            yield f"{line[:1]}  {line[1:]}" if line[:1] in "+-" else f"   {line}"
        return
    before, after = before_and_after(field)
    if field.is_secret:
        yield f"!{place}: {after}{mark}"
        return
    if field.reordered:
        yield f" {place}: reordered{mark}"
        mark = ""
    if before:
        yield f"-{place}: {before}{mark}"
    if after:
        yield f"+{place}: {after}{mark}"


def _fenced(summary: str, lines: list[str]) -> str:
    text = "\n".join(line.rstrip() for line in lines)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"<details><summary>{html(summary)}</summary>\n\n{fence}diff\n{text}\n{fence}\n\n</details>"


def _longest_run(text: str) -> int:
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest

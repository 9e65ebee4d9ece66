"""How changes are worded; the same on screen and in a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from ..change.consequence import WORKLOADS
from ..change.diff import Action, Change, Diff, FieldChange, Model
from ..change.fields import ABSENT, Field
from .facts import facts, title

SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-"}
_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.REPLACE: "replaced", Action.DELETE: "deleted"}

LONGEST_VALUE = 100
CONTEXT = 24
MOST_LINES = 30
MOST_PLACES = 3


def totals(diff: Diff) -> str:
    """`2 created, 1 replaced`; what did not happen is not mentioned."""
    counted = [
        f"{diff.count(action)} {_PAST[action]}"
        for action in (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
        if diff.count(action)
    ]
    if not diff:
        return "no changes"
    return ", ".join(counted) or "only stack outputs change"


def heading(model: Model) -> str:
    if model.component is None:
        return "shared"
    name = f"{model.component.kind} {model.component.name}"
    count = len(model.changes)
    noun = "resource" if count == 1 else "resources"
    if model.action is Action.DELETE:
        loss = ": it stops answering" if any(change.resource.kind in WORKLOADS for change in model.changes) else ""
        return f"{name} is deleted with {count} {noun}{loss}"
    if model.action is Action.CREATE:
        return f"{name} is new: {count} {noun}"
    return name


def groups(model: Model) -> list[tuple[Change, ...]]:
    """Changes that say the same of several resources, together. A new team's name is one line, not forty."""
    keyed = [(_sameness(change), change) for change in model.changes]
    order = {key: index for index, (key, _) in reversed(list(enumerate(keyed)))}
    keyed.sort(key=lambda each: order[each[0]])
    return [tuple(change for _, change in group) for _, group in groupby(keyed, key=lambda each: order[each[0]])]


def _sameness(change: Change) -> str:
    if change.action in (Action.CREATE, Action.DELETE) or not change.fields:
        return change.resource.urn
    said = [
        (each.field.where, repr(each.field.before), repr(each.field.after), each.field.lines) for each in change.fields
    ]
    return repr((change.action, said, change.reasons, change.consequence, change.obstacles))


def subject(changes: tuple[Change, ...]) -> str:
    """Whom a group of changes is about: `Deployment fraud`, `Service a, Service b and 11 more`."""
    names = [_name(change) for change in changes]
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:2])} and {len(names) - 2} more"


def _name(change: Change) -> str:
    name = f"{change.resource.kind} {title(change.resource)}"
    if change.renamed_from and change.renamed_from != change.resource.name:
        return f"{name} (was {change.renamed_from} in the program)"
    return name


def remark(change: Change) -> str:
    """What follows the name in the same line: the facts of what is new, the loss of what goes."""
    if change.action is Action.CREATE:
        return " · ".join(facts(change.resource))
    if change.action is Action.DELETE:
        return change.consequence
    return "replaced" if change.action is Action.REPLACE else ""


def explanations(change: Change) -> Iterable[tuple[str, str]]:
    """(style, sentence): why it is replaced, what that means, what stands in the way."""
    if change.action is Action.REPLACE:
        yield from (("why", reason) for reason in change.reasons)
    if change.consequence and change.action is not Action.DELETE:
        yield "consequence", change.consequence
    yield from (("obstacle", f"will fail: {obstacle}") for obstacle in change.obstacles)


def before_and_after(field: Field) -> tuple[str, str]:
    """The two values as texts, empty for a side that is absent; only for fields without lines."""
    if field.is_secret:
        return "", {(True, False): "secret added", (False, True): "secret removed"}.get(
            (field.before is ABSENT, field.after is ABSENT), "secret changed"
        )
    before, after = _in_one_line(field.before), _in_one_line(field.after)
    if before and after and max(len(before), len(after)) > LONGEST_VALUE:
        before, after = _where_they_differ(before, after)
    return _cut(before), _cut(after)


def _in_one_line(value: Any) -> str:
    if value is ABSENT:
        return ""
    text = (
        value if isinstance(value, str) and value.strip() == value and value else json.dumps(value, ensure_ascii=False)
    )
    return text.replace("\n", "⏎")


def _where_they_differ(before: str, after: str) -> tuple[str, str]:
    """Of two long texts, what differs, with some of what is around it."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    first = max(0, start - CONTEXT)

    def part(text: str) -> str:
        last = min(len(text), len(text) - end + CONTEXT)
        return f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}"

    return part(before), part(after)


def _common(one: str, other: str) -> int:
    """How many letters two texts have in common at their beginning."""
    differing = (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1])
    return next(differing, min(len(one), len(other)))


def _cut(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[: LONGEST_VALUE - 1]}… ({len(text):,} characters)"


def folded(fields: Iterable[FieldChange]) -> list[tuple[FieldChange, str]]:
    """Fields with their places: the same change in many items of a list is one, `rules[*].labels.team (17 times)`."""
    found: dict[str, list[FieldChange]] = {}
    for change in fields:
        field = change.field
        path = tuple("[*]" if step.startswith("[") else step for step in field.path)
        key = repr((path, field.before, field.after, field.lines, change.verdict))
        found.setdefault(key, []).append(change)
    places = []
    for changes in found.values():
        if len(changes) <= MOST_PLACES:
            places += [(change, change.field.where) for change in changes]
        else:
            starred = Field(
                tuple("[*]" if step.startswith("[") else step for step in changes[0].field.path), None, None
            )
            places.append((changes[0], f"{starred.where} ({len(changes)} times)"))
    return places


def lines_of(field: Field) -> list[str]:
    """The text's own diff, cut where it is long."""
    lines = list(field.lines)
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f" … {len(lines) - MOST_LINES} more lines"]


def replaces(change: FieldChange) -> str:
    return {"replace": "replaces", "refuse": "refused"}.get(change.verdict.effect.value, "")

"""How changes are worded; the same on screen and in a pull request."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from ..change.demand import KINDS, Demand, Span
from ..change.diff import Action, Change, Diff, FieldChange, Model
from ..change.fields import ABSENT, Field, Path
from ..change.workloads import WORKLOADS
from .facts import facts, metric, title

SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-"}
_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.REPLACE: "replaced", Action.DELETE: "deleted"}

LONGEST_VALUE = 100
CONTEXT = 24
MOST_LINES = 30
READABLE = 500
"""Lines of a text beyond which it was made by a program for a program, as a dashboard: nobody reads its diff."""
MOST_PLACES = 3
MOST_ALIKE = 3
MOST_WORDS = 1000
_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]{52}\b")
_WORDS = re.compile(r"[\w.]+|\W")


def totals(diff: Diff) -> str:
    """`2 created, 1 replaced`; what did not happen is not mentioned."""
    counted = [
        f"{diff.count(action)} {_PAST[action]}"
        for action in (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
        if diff.count(action)
    ]
    if not diff:
        return "no changes"
    failing = sum(bool(change.obstacles) for change in diff.changes)
    return (", ".join(counted) or "only stack outputs change") + (f"; {failing} will fail" if failing else "")


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


def remarks(model: Model) -> list[str]:
    """What there is to say of a model as a whole: what it costs, and what it may have been called."""
    lines = []
    if model.likely_from:
        lines.append(
            f"most of {model.likely_from}, which is deleted, comes again here. If this is its new name: "
            f"keep {model.likely_from} until its callers have moved"
        )
    if model.asked != model.asks:
        lines.append(_cost(model.asked, model.asks))
    return lines


def _cost(asked: Demand, asks: Demand) -> str:
    """`needs 2–8 → 2–12 pods, CPU 1–4 → 1–6`: what stays as it is not mentioned."""
    verb = "needs" if asks else "frees"
    parts = []
    for kind in KINDS:
        before, after = (_span(kind, side[kind]) if kind in side else "" for side in (asked, asks))
        amount = after or before if not (asked and asks) else f"{before or 'none'} → {after or 'none'}"
        if amount and before != after:
            noun = kind.removesuffix("s") if amount == "1" else kind
            parts.append(f"{amount} {noun}" if kind in ("pods", "nodes") else f"{kind} {amount}")
    return f"{verb} {', '.join(parts)}"


def _span(kind: str, span: Span) -> str:
    low, high = (_amount(kind, each) for each in (span.low, span.high))
    return low if low == high else f"{low}–{high}"


def _amount(kind: str, amount: Decimal) -> str:
    if kind != "memory":
        return f"{amount.normalize():f}"
    unit, size = next(((unit, size) for unit, size in _UNITS if amount >= size), _UNITS[-1])
    return f"{round(amount / size, 1).normalize():f}{unit}"


_UNITS = tuple((unit, Decimal(1024) ** power) for power, unit in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")))


def groups(model: Model) -> list[tuple[Change, ...]]:
    """Changes that say the same of several resources, together. A new team's name is one line, not forty."""
    keyed = [(_sameness(change), change) for change in model.changes]
    order = {key: index for index, (key, _) in reversed(list(enumerate(keyed)))}
    keyed.sort(key=lambda each: order[each[0]])
    return [tuple(change for _, change in group) for _, group in groupby(keyed, key=lambda each: order[each[0]])]


def _sameness(change: Change) -> str:
    if change.action is Action.CREATE and facts(change.resource):
        return change.resource.urn
    said = [
        (each.field.where, each.field.lines or (repr(each.field.before), repr(each.field.after)))
        if not each.follows
        else (each.field.where, each.follows.partition(" ")[0])
        for each in shown(change)
    ]
    if change.action is Action.UPDATE and not said:
        return change.resource.urn
    return repr((change.action, said, change.reasons, change.consequence, change.obstacles))


def shown(change: Change) -> tuple[FieldChange, ...]:
    """Its fields, without a new name that stands in the heading already."""
    if change.renewed_from is None:
        return change.fields
    return tuple(each for each in change.fields if each.field.path != ("metadata", "name"))


def subject(changes: tuple[Change, ...]) -> str:
    """Whom a group of changes is about: `Deployment fraud`; of many that come or go only how many of which kind."""
    names = [_name(change) for change in changes]
    if len(names) <= 3:
        return ", ".join(names)
    if changes[0].action in (Action.CREATE, Action.DELETE):
        counted = Counter(change.resource.kind for change in changes)
        return ", ".join(f"{kind} ×{count}" if count > 1 else kind for kind, count in sorted(counted.items()))
    return f"{', '.join(names[:2])} and {len(names) - 2} more"


def _name(change: Change) -> str:
    name = f"{change.resource.kind} {change.renewed_from or title(change.resource)}"
    if change.renewed_from:
        return f"{name} → {title(change.resource).rpartition('-')[2]}"
    if change.renamed_from and change.renamed_from != change.resource.name:
        return f"{name} (was {change.renamed_from} in the program)"
    return name


def remark(change: Change) -> str:
    """What follows the name in the same line: the facts of what is new, the loss of what goes."""
    if change.action is Action.CREATE:
        return " · ".join(facts(change.resource))
    if change.action is Action.DELETE:
        return change.consequence
    if change.renewed_from:
        return "new content, so a new name; what uses it follows"
    return "replaced" if change.action is Action.REPLACE else ""


def explanations(change: Change) -> Iterable[tuple[str, str]]:
    """(style, sentence): why it is replaced, what that means, what stands in the way."""
    if change.action is Action.REPLACE and not change.renewed_from:
        yield from (("why", reason) for reason in change.reasons)
    if change.consequence and change.action is not Action.DELETE and not change.renewed_from:
        yield "consequence", change.consequence
    yield from (("obstacle", f"will fail: {obstacle}") for obstacle in change.obstacles)


def before_and_after(field: Field) -> tuple[str, str]:
    """The two values as texts, empty for a side that is absent; only for fields without lines."""
    if field.is_secret:
        return "", {(True, False): "secret added", (False, True): "secret removed"}.get(
            (field.before is ABSENT, field.after is ABSENT), "secret changed"
        )
    before, after = (_in_one_line(value, field.path) for value in (field.before, field.after))
    if before and after and max(len(before), len(after)) > LONGEST_VALUE:
        before, after = _where_they_differ(before, after)
    return _cut(before), _cut(after)


def _in_one_line(value: Any, path: Path) -> str:
    if value is ABSENT:
        return ""
    if path[-2:-1] == ("metrics",):
        return metric(value)
    if isinstance(value, (Mapping, list)):
        return _flow(value)
    if not isinstance(value, str) or value.strip() != value or not value:
        lines = value.count("\n") if isinstance(value, str) else 0
        return f"{lines} lines" if lines > 1 else json.dumps(value, ensure_ascii=False).replace("\\n", "⏎")
    return _DIGEST.sub(r"\1", value) if path[-1:] == ("image",) else value.replace("\n", "⏎")


def _flow(value: Any) -> str:
    """Without the quotes that JSON would have: `{pods: {metric: {name: queue_length}}}`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _where_they_differ(before: str, after: str) -> tuple[str, str]:
    """Of two long texts, what differs, with some of what is around it; what is exchanged several times, once."""
    old_words, new_words = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old_words), len(new_words)) < MOST_WORDS:
        codes = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False).get_opcodes()
        exchanged = {("".join(old_words[a:b]), "".join(new_words[c:d])) for tag, a, b, c, d in codes if tag != "equal"}
        times = sum(tag != "equal" for tag, *_ in codes)
        if len(exchanged) == 1 and times > 1:
            first = codes[0][2] if codes[0][0] == "equal" else 0
            around = "".join(old_words[:first])
            old, new = exchanged.pop()
            context = f"{'…' if len(around) > CONTEXT else ''}{around[-CONTEXT:]}"
            return f"{context}{old}…", f"{context}{new}… ({times} times)"
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    # Whole words, or half a number would look like another one.
    while start and before[start - 1].isalnum() and len(before) - end - start < LONGEST_VALUE:
        start -= 1
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


def folded(fields: Iterable[FieldChange]) -> list[tuple[FieldChange | None, str]]:
    """Fields with their places: the same change in many items of a list is one, `rules[*].labels.team (17 times)`.

    Of many different changes of one field of a list's items, the first are shown; then a line without a field says how
    many there are more.
    """
    same: dict[str, list[FieldChange]] = {}
    for change in fields:
        field = change.field
        key = repr((_starred(field), field.before, field.after, field.lines, change.verdict))
        same.setdefault(key, []).append(change)
    alike: dict[str, list[list[FieldChange]]] = {}
    for changes in same.values():
        field = changes[0].field
        key = repr((_starred(field), field.before is ABSENT, field.after is ABSENT))
        alike.setdefault(key, []).append(changes)
    places: list[tuple[FieldChange | None, str]] = []
    for each in alike.values():
        cut = MOST_ALIKE if sum(map(len, each)) > MOST_ALIKE + 1 and len(each) > 1 else len(each)
        for changes in each[:cut]:
            if len(changes) <= MOST_PLACES:
                places += [(change, change.field.where) for change in changes]
            else:
                places.append((changes[0], f"{_starred(changes[0].field)} ({len(changes)} times)"))
        if rest := sum(map(len, each[cut:])):
            places.append((None, f"… {rest} more of {_starred(each[0][0].field)}"))
    return places


def _starred(field: Field) -> str:
    return Field(tuple("[*]" if step.startswith("[") else step for step in field.path), None, None).where


def followed(change: FieldChange) -> str:
    """For a field that only refers to what is renewed: that it does."""
    if change.follows == "checksum":
        return "follows the content that it is made from"
    return f"follows the new {change.follows.partition(' ')[0]}" if change.follows else ""


def brief(output: Field) -> Field:
    """An output of a model that comes or goes: which facts there are. What they say stands with the model."""
    sides = [sorted(side) if isinstance(side, Mapping) else side for side in (output.before, output.after)]
    return replace(output, before=sides[0], after=sides[1]) if ABSENT in sides else output


def lines_of(field: Field) -> list[str]:
    """The text's own diff, cut where it is long; of a text that is itself very long, how much of it differs."""
    lines = list(field.lines)
    if len(lines) > 1 and (whole := str(field.after).count("\n")) > READABLE:
        gone, come = (sum(line.startswith(sign) for line in lines) for sign in "-+")
        return [f" {max(gone, come)} of {whole:,} lines differ; --format json has them"]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f" … {len(lines) - MOST_LINES} more lines"]


def replaces(change: FieldChange) -> str:
    return {"replace": "replaces", "refuse": "refused"}.get(change.verdict.effect.value, "")

"""The change on screen: deleted models first, what replaces with its reason, each field before and after."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ...cost.budget import problems_of_change
from ...cost.change import CostChange
from ...cost.wording import change_sentences
from ..change.diff import Action, Change, Diff, FieldChange, Model
from ..change.fields import Field
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

_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.REPLACE: "bold magenta", Action.DELETE: "red"}
_SENTENCES = {"why": "magenta", "consequence": "italic", "obstacle": "bold red"}


def print_diff(diff: Diff, console: Console) -> None:
    """Prints the change. Colour, width and NO_COLOR are the console's affair."""
    for model in diff.models:
        _model(model, console)
    if diff.outputs:
        console.print(Text("outputs", "bold"))
        for field in diff.outputs:
            _field(FieldChange(brief(field)), field.where, console, indent=2)
        console.print()
    if diff.cost:
        _cost(diff.cost, console)
    for message in diff.new_messages:
        _print(console, Text.assemble((f"new {message.severity}: ", "yellow"), message.text))
    for problem in problems_of_change(diff.cost):
        _print(console, Text(problem, "bold red"))
    console.print(Text(totals(diff), "bold"))


def _cost(change: CostChange, console: Console) -> None:
    _print(console, Text(f"cost a month, {change.after.currency}", "bold"))
    for name, sentence in change_sentences(change):
        _print(console, Text.assemble((f"{name}  ", "cyan"), sentence), indent=2)
    console.print()


def _model(model: Model, console: Console) -> None:
    style = "bold" if model.component is None or model.action is Action.UPDATE else f"bold {_STYLES[model.action]}"
    sign = "" if model.component is None else f"{SIGNS[model.action]} "
    _print(console, Text(f"{sign}{heading(model)}", style))
    for sentence in remarks(model):
        _print(console, Text(sentence, "italic"), indent=4)
    for group in groups(model):
        _group(group, console)
    console.print()


def _group(group: tuple[Change, ...], console: Console) -> None:
    change = group[0]
    line = Text(f"{SIGNS[change.action]} {subject(group)}", _STYLES[change.action])
    if remark(change):
        line.append(f"  {remark(change)}", "dim" if change.action is not Action.REPLACE else _STYLES[change.action])
    _print(console, line, indent=2)
    for kind, sentence in explanations(change):
        _print(console, Text(sentence, _SENTENCES[kind]), indent=6)
    for each, place in folded(shown(change)):
        if each is None:
            _print(console, Text(place, "dim"), indent=6)
        else:
            _field(each, place, console, indent=6)


def _field(change: FieldChange, place: str, console: Console, indent: int) -> None:
    line = Text(place, "cyan")
    if followed(change):
        line.append(f"  {followed(change)}", "dim")
        _print(console, line, indent)
        return
    line.append(_values(change.field))
    if replaces(change):
        line.append(f"  {replaces(change)}", "magenta")
    _print(console, line, indent)
    for text in lines_of(change.field):
        _print(console, Text(text, {"+": "green", "-": "red"}.get(text[:1], "dim")), indent + 2)


def _print(console: Console, text: Text, indent: int = 0) -> None:
    """Wrapped with the indent kept, and no blanks at the ends of lines, which a log would keep."""
    for number, line in enumerate(text.wrap(console, max(console.width - indent - 2, 20), no_wrap=False)):
        line.rstrip()
        console.print(Text(" " * (indent + (2 if number else 0))) + line, soft_wrap=True)


def _values(field: Field) -> Text:
    if field.lines:
        return Text()
    before, after = before_and_after(field)
    if field.is_secret:
        return Text(f"  {after}", "yellow")
    if field.reordered:
        return Text.assemble("  reordered: ", (before, "red"), " → ", (after, "green"))
    if before and after:
        return Text.assemble("  ", (before, "red"), " → ", (after, "green"))
    return Text(f"  + {after}", "green") if after else Text(f"  - {before}", "red")

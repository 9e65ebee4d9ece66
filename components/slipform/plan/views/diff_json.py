"""The change as JSON: the same facts as on screen, for a program. Secrets are `[secret]`, absent values left out."""

from __future__ import annotations

import json
from typing import Any

from ...cost.budget import problems_of_change
from ...cost.change import CostChange
from ...cost.figures import figures_document, server_document
from ..change.demand import Demand
from ..change.diff import Change, Diff, FieldChange, Model
from ..change.fields import ABSENT, Field

FORMAT = "slipform.diff/v1"


def diff_to_json(diff: Diff) -> str:
    document = {
        "format": FORMAT,
        "project": diff.head.project,
        "stack": diff.head.stack,
        "changed": bool(diff),
        "models": [_model(model) for model in diff.models],
        "outputs": [_field(FieldChange(field)) for field in diff.outputs],
        "new_messages": [{"severity": each.severity, "text": each.text} for each in diff.new_messages],
        **({"cost": _cost(diff.cost)} if diff.cost or problems_of_change(diff.cost) else {}),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _cost(change: CostChange | None) -> dict[str, Any]:
    if change is None:
        return {}
    document = {
        "currency": change.after.currency,
        "before": figures_document(change.before.monthly),
        "after": figures_document(change.after.monthly),
        "increase": figures_document(change.increase),
        "servers": [
            {
                "name": each.name,
                **({"before": server_document(each.before)} if each.before else {}),
                **({"after": server_document(each.after)} if each.after else {}),
            }
            for each in change.servers
        ],
    }
    problems = problems_of_change(change)
    return {**document, "over_budget": problems} if problems else document


def _model(model: Model) -> dict[str, Any]:
    top = model.component
    return {
        "name": top.name if top else None,
        "type": top.type if top else None,
        "action": model.action.value,
        **({"likely_from": model.likely_from} if model.likely_from else {}),
        **(
            {"demand": {"before": _demand(model.asked), "after": _demand(model.asks)}}
            if model.asked != model.asks
            else {}
        ),
        "changes": [_change(change) for change in model.changes],
    }


def _demand(demand: Demand) -> dict[str, list[float]]:
    """Fewest and most."""
    return {kind: [float(span.low), float(span.high)] for kind, span in demand.items()}


def _change(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {
        "action": change.action.value,
        "urn": change.resource.urn,
        "type": change.resource.type,
        "name": change.resource.name,
        "renamed_from": change.renamed_from,
        "reasons": list(change.reasons),
        "consequence": change.consequence,
        "obstacles": list(change.obstacles),
        "fields": [_field(each) for each in change.fields],
    }
    return {key: value for key, value in document.items() if value}


def _field(change: FieldChange) -> dict[str, Any]:
    field = change.field
    document: dict[str, Any] = {"path": field.where, "effect": change.verdict.effect.value}
    if change.follows:
        document["follows"] = change.follows
    if field.is_secret:
        return {**document, "secret": True, **_sides(field, "[secret]")}
    if field.reordered:
        document["reordered"] = True
    return {**document, **_sides(field)}


def _sides(field: Field, hidden: str | None = None) -> dict[str, Any]:
    sides = (("before", field.before), ("after", field.after))
    return {name: hidden or value for name, value in sides if value is not ABSENT}

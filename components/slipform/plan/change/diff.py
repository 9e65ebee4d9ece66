"""The change from one graph to another, as one immutable value that the views are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ...cost.change import CostChange
from ...cost.change import compare as compare_costs
from ...cost.figures import StackCost
from ..graph import Graph, Message, Resource
from ..kubernetes import effective_inputs, metadata
from . import consequence, demand, renewal
from .aliases import match
from .demand import Demand
from .fields import ABSENT, Field, compare
from .old_names import likely_old_name
from .replacement import UPDATES, Effect, Verdict, is_ignored, judge
from .versions import new_versions


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class FieldChange:
    """One field, and what its change does: `verdict.effect` is update, replace or refuse.

    `follows` names what it only refers to: an object that has a new name because its content changed.
    """

    field: Field
    verdict: Verdict = UPDATES
    follows: str = ""


@dataclass(frozen=True)
class Told:
    """What the engine says of one resource: `replacing` are the paths for which it replaces it."""

    action: Action
    replacing: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Change:
    """What happens to one resource. `before` is None for a created one, `after` for a deleted one.

    `reasons` say why it is replaced; `consequence` what that means for traffic; `obstacles` why it will not go through.
    """

    action: Action
    before: Resource | None
    after: Resource | None
    fields: tuple[FieldChange, ...] = ()
    reasons: tuple[str, ...] = ()
    consequence: str = ""
    obstacles: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        if self.after is not None:
            return self.after
        if self.before is not None:
            return self.before
        raise ValueError("a change of nothing")

    @property
    def renamed_from(self) -> str | None:
        """The old name in the program, where an alias keeps the resource."""
        if self.before is None or self.after is None or self.before.urn == self.after.urn:
            return None
        return self.before.name

    @property
    def renewed_from(self) -> str | None:
        """The old name of an object whose name carries a hash of its content, where that is why it is replaced."""
        if self.before is None or self.after is None or renewal.new_name(self.before, self.after) is None:
            return None
        return str(metadata(self.before)["name"])


@dataclass(frozen=True)
class Model:
    """What lies directly under the stack and holds changed resources; `component` is None for what belongs to none.

    `asked` and `asks` are what its pods ask of the cluster before and after. `likely_from` is a model that is deleted
    in the same change and of which most comes again in this new one.
    """

    component: Resource | None
    action: Action
    changes: tuple[Change, ...]
    asked: Demand = field(default_factory=dict)
    asks: Demand = field(default_factory=dict)
    likely_from: str = ""


@dataclass(frozen=True)
class Diff:
    """Deleted models first, then created ones, then the others by name.

    `cost` is None where a side does not say what it costs. It may change though nothing else does: with a price.
    """

    base: Graph
    head: Graph
    models: tuple[Model, ...]
    outputs: tuple[Field, ...]
    new_messages: tuple[Message, ...]
    cost: CostChange | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for model in self.models for change in model.changes)

    def __bool__(self) -> bool:
        """Whether anything differs that somebody would notice in the cluster, the account or the stack's outputs."""
        return bool(self.models or self.outputs)

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)


def diff(base: Graph, head: Graph, told: Mapping[str, Told] | None = None) -> Diff:
    """Compares two graphs whose secrets were fingerprinted with one key.

    `told` is the engine's word by URN, where there is one: it decides what is updated and what replaced.
    """
    matched = match(base, head)
    changes: dict[str, list[Change]] = {}
    tops: dict[str, tuple[Resource, Action]] = {}
    base_of = {old: new for new, old in matched.items()}
    replaced_providers = _replaced_providers(base, head, matched)

    for resource in head.resources:
        old = matched.get(resource.urn)
        before = base.by_urn[old] if old else None
        change = _change(base, head, before, resource, matched, replaced_providers)
        if told is not None and before is not None and change is not None:
            change = _as_told(head, change, before, resource, told.get(resource.urn))
        top = head.top(resource)
        _note(changes, tops, top, Action.UPDATE if top.urn in matched else Action.CREATE, change)
    for resource in base.resources:
        if resource.urn in base_of or resource.read:
            continue
        top = base.top(resource)
        kept = base_of.get(top.urn)
        _note(
            changes,
            tops,
            head.by_urn[kept] if kept else top,
            Action.UPDATE if kept else Action.DELETE,
            _deletion(resource, with_its_model=kept is None and not top.custom),
        )
    following = _Following(changes)
    models = _models({urn: list(map(following.marked, each)) for urn, each in changes.items()}, tops)
    return Diff(
        base=base,
        head=head,
        models=tuple(_completed(model, models, base, head, matched) for model in models),
        outputs=tuple(compare(dict(base.outputs), dict(head.outputs))),
        new_messages=tuple(message for message in head.messages if _is_new(message, base)),
        cost=_costs(base, head),
    )


def _costs(base: Graph, head: Graph) -> CostChange | None:
    """A side that is not there costs nothing."""
    one = base.cost or head.cost
    if one is None:
        return None
    before, after = (graph.cost or (None if graph.resources else StackCost(one.currency)) for graph in (base, head))
    return compare_costs(before, after) if before and after else None


def _note(
    changes: dict[str, list[Change]],
    tops: dict[str, tuple[Resource, Action]],
    top: Resource,
    action: Action,
    change: Change | None,
) -> None:
    """Files a change under its model. Components are nothing outside the state: only whole models come and go."""
    tops[top.urn] = (top, action)
    if change is not None and (change.resource.custom or change.obstacles):
        changes.setdefault(top.urn, []).append(change)


def _models(changes: dict[str, list[Change]], tops: dict[str, tuple[Resource, Action]]) -> tuple[Model, ...]:
    models: list[Model] = []
    loose: list[Change] = []
    for urn, (top, action) in tops.items():
        if top.custom:
            loose += changes.get(urn, [])
        elif urn in changes or action is not Action.UPDATE:
            models.append(Model(top, action, _ordered(changes.get(urn, []))))
    order = (Action.DELETE, Action.CREATE, Action.UPDATE)
    models.sort(key=lambda model: (order.index(model.action), model.component.name if model.component else ""))
    if loose:
        models.append(Model(None, Action.UPDATE, _ordered(loose)))
    return tuple(models)


def _completed(model: Model, models: tuple[Model, ...], base: Graph, head: Graph, matched: Mapping[str, str]) -> Model:
    """With what it asks of the cluster, and what it may be another name of."""
    top = model.component
    if top is None:
        return model
    old = top.urn if model.action is Action.DELETE else matched.get(top.urn)
    asked = demand.of(base.descendants(base.by_urn[old])) if old else {}
    asks = demand.of(head.descendants(top)) if model.action is not Action.DELETE else {}
    gone = [each.component for each in models if each.component is not None and each.action is Action.DELETE]
    from_ = likely_old_name(top, gone, base, head) if model.action is Action.CREATE else ""
    return replace(model, asked=asked, asks=asks, likely_from=from_)


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What hurts first."""
    return tuple(
        sorted(changes, key=lambda each: (_weight(each), each.resource.kind, each.resource.name, each.resource.urn))
    )


def _weight(change: Change) -> int:
    """What fails, is replaced, is lost, is felt by callers; then the rest of what is there; then what comes."""
    if change.obstacles:
        return 0
    if change.action is Action.CREATE:
        return 7
    if change.action is Action.REPLACE:
        return 5 if change.renewed_from else 1
    if change.action is Action.DELETE:
        return 2 if change.consequence else 6
    return 3 if change.consequence else 4


class _Following:
    """Marks the fields that only follow an object's new name."""

    def __init__(self, changes: Mapping[str, Iterable[Change]]) -> None:
        pairs = [
            (change.before, change.after)
            for each in changes.values()
            for change in each
            if change.before is not None and change.after is not None
        ]
        self._names = renewal.names(pairs)

    def marked(self, change: Change) -> Change:
        if change.action is not Action.UPDATE:
            return change
        return replace(
            change, fields=tuple(replace(each, follows=self._followed(each.field)) for each in change.fields)
        )

    def _followed(self, field: Field) -> str:
        if isinstance(field.before, str) and isinstance(field.after, str):
            if field.path[-1].startswith("checksum/"):
                return "checksum"
            new, kind = self._names.get(field.before, ("", ""))
            if new == field.after:
                return f"{kind} {new}"
        return ""


def _change(
    base: Graph,
    head: Graph,
    before: Resource | None,
    after: Resource,
    matched: Mapping[str, str],
    replaced_providers: Mapping[str, str],
) -> Change | None:
    if after.read:
        return None
    if before is None:
        return Change(Action.CREATE, None, after)
    fields = tuple(
        FieldChange(field, judge(field, base, before, after))
        for field in (
            *compare(effective_inputs(base, before), effective_inputs(head, after)),
            *new_versions(base, head, after, matched),
        )
        if not is_ignored(field, after) and not _is_default_namespace(field)
    )
    fields = _without_what_a_new_name_makes_moot(fields)
    renewed = renewal.new_name(before, after)
    reasons = [change.verdict.reason for change in fields if change.verdict.effect is Effect.REPLACE]
    if renewed:
        reasons = ["its name carries a hash of its content"]
    if before.options.replacement_trigger != after.options.replacement_trigger:
        reasons.append("its replacement trigger changed")
    if replaced := replaced_providers.get(after.provider or ""):
        reasons.append(replaced)
    options = tuple(FieldChange(field) for field in _options(before, after))
    if not fields and not reasons and not options:
        return None
    action = Action.REPLACE if reasons else Action.UPDATE
    inputs = tuple(change.field for change in fields)
    felt = consequence.of_replacement(head, before, after) if reasons else consequence.of_update(head, after, inputs)
    return Change(
        action=action,
        before=before,
        after=after,
        fields=(*fields, *options),
        reasons=tuple(dict.fromkeys(reasons)),
        consequence=felt,
        obstacles=_obstacles(before, bool(reasons), fields),
    )


def _without_what_a_new_name_makes_moot(fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    """An object with another name is another object: that its data could not be changed either is no news."""
    identity = (("metadata", "name"), ("metadata", "namespace"))
    if not any(change.field.path in identity and change.verdict.effect is Effect.REPLACE for change in fields):
        return fields
    return tuple(change if change.field.path in identity else FieldChange(change.field) for change in fields)


def _as_told(head: Graph, change: Change, before: Resource, after: Resource, told: Told | None) -> Change | None:
    """The change as the engine sees it: it knows the provider's mind, and the state."""
    if told is None:
        return None
    if told.action is not Action.REPLACE:
        fields = tuple(FieldChange(each.field) for each in change.fields)
        felt = consequence.of_update(head, after, tuple(each.field for each in fields))
        return replace(change, action=told.action, fields=fields, reasons=(), consequence=felt)
    reasons = change.reasons or tuple(f"the engine replaces it for {'.'.join(path)}" for path in told.replacing)
    return replace(
        change,
        action=Action.REPLACE,
        reasons=reasons or ("the engine replaces it",),
        consequence=consequence.of_replacement(head, before, after),
        obstacles=_obstacles(before, True, ()),
    )


def _is_default_namespace(field: Field) -> bool:
    """No namespace and `default` are one, as they are for the provider."""
    return field.path == ("metadata", "namespace") and {field.before, field.after} == {ABSENT, "default"}


def _obstacles(before: Resource, replaced: bool, fields: tuple[FieldChange, ...]) -> tuple[str, ...]:
    refused = [change.verdict.reason for change in fields if change.verdict.effect is Effect.REFUSE]
    if refused and not replaced:
        return tuple(refused)
    if replaced and before.options.protect:
        return (f"it is protected, so the engine refuses to replace it: {_UNPROTECT}",)
    return ()


def _deletion(resource: Resource, *, with_its_model: bool) -> Change:
    protected = (
        (f"it is protected, so the engine refuses to delete it: {_UNPROTECT}",) if resource.options.protect else ()
    )
    return Change(
        Action.DELETE,
        resource,
        None,
        consequence=consequence.of_deletion(resource, with_its_model=with_its_model),
        obstacles=protected,
    )


_UNPROTECT = "apply a change without the protection first, or `pulumi state unprotect`"


def _options(before: Resource, after: Resource) -> Iterable[Field]:
    """Those options whose change somebody has to know of. They say nothing about the object itself."""
    for name in ("protect", "retain_on_delete", "ignore_changes", "custom_timeouts", "deleted_with", "import_id"):
        old, new = (_plain(getattr(resource.options, name)) for resource in (before, after))
        if old != new:
            yield Field(("options", name), old if old else ABSENT, new if new else ABSENT)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _replaced_providers(base: Graph, head: Graph, matched: dict[str, str]) -> dict[str, str]:
    """Providers that are replaced, with the reason why what they made is replaced too."""
    replaced: dict[str, str] = {}
    for resource in head.resources:
        old = matched.get(resource.urn)
        if not resource.is_provider or old is None:
            continue
        change = _change(base, head, base.by_urn[old], resource, matched, {})
        if change is not None and change.action is Action.REPLACE:
            replaced[resource.urn] = f"its provider {resource.name} is replaced: {change.reasons[0]}"
    return replaced


def _is_new(message: Message, base: Graph) -> bool:
    return message.severity != "info" and message not in base.messages

"""Compares two values field by field: lists by their items' keys, quantities by amount, long texts line by line."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values import Secret, Value, contains
from . import quantity

Path = tuple[str, ...]  # map keys; a list's item in brackets: ("spec", "containers", "[server]", "image")


class _Absent:
    """A field that is not there, which is something else than one that is empty."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


@dataclass(frozen=True)
class Field:
    """One field that differs. `before` or `after` is ABSENT where it was added or removed.

    `lines` is a unified diff where the field is a long text or holds JSON; `reordered` says that a list holds the same
    items in another order, and then `before` and `after` are their keys.
    """

    path: Path
    before: Any
    after: Any
    lines: tuple[str, ...] = ()
    reordered: bool = False

    @property
    def is_secret(self) -> bool:
        return contains(self.before, Secret) or contains(self.after, Secret)

    @property
    def where(self) -> str:
        """`spec.template.spec.containers[server].image`, `data["config.pbtxt"]`."""
        text = ""
        for step in self.path:
            if step.startswith("["):
                text += step
            elif not step or set(step) & set('."[]/ '):
                text += f'["{step}"]'
            else:
                text += f".{step}" if text else step
        return text


def compare(before: Value, after: Value, path: Path = ()) -> Iterator[Field]:
    """All differences, in the order of the keys. None and absence are the same, as they are for Pulumi."""
    before = ABSENT if before is None else before
    after = ABSENT if after is None else after
    if _same(before, after) or quantity.is_same(path, before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from compare(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif lines := _lines(before, after):
        yield Field(path, before, after, lines)
    else:
        yield Field(path, before, after)


def _same(before: Any, after: Any) -> bool:
    """Whether two leaves are one value; `True == 1` in Python, so containers are always looked into."""
    return type(before) is type(after) and not isinstance(before, (Mapping, list)) and bool(before == after)


# -- lists ---------------------------------------------------------------------------------------

# What tells a list's items apart, by the list's name: the keys by which Kubernetes merges them
# (https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy), and those of the custom resources
# that serving uses. Several keys make one together; of several tuples, the first that all items have.
_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "hostAliases": (("ip",),),
    "ports": (("name",), ("containerPort", "protocol"), ("port", "protocol"), ("containerPort",), ("port",)),
    "tolerations": (("key", "operator", "effect"), ("key", "effect"), ("key", "operator"), ("key",)),
    "taints": (("key", "effect"), ("key",)),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "requirements": (("key",),),
    "matchExpressions": (("key", "operator"),),
    "subjects": (("kind", "name"),),
    "rules": (("alert",), ("record",), ("host",), ("name",)),
    "endpoints": (("port", "path"), ("port",)),
    "triggers": (("name",), ("type",)),
    "ownerReferences": (("uid",),),
}
_USUAL = (("name",),)
# Lists of texts whose order says nothing: sets to the provider, https://github.com/hashicorp/terraform-provider-aws.
_SETS = frozenset({"subnetIds"})


def _lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Field]:
    keyed = _keyed(path[-1] if path else "", before, after)
    if keyed is not None:
        yield from _keyed_lists(*keyed, path)
    elif all(isinstance(item, (Mapping, list)) for item in (*before, *after)):
        yield from _positional_lists(before, after, path)
    elif path and path[-1] in _SETS and Counter(before) == Counter(after):
        return
    elif len(before) != len(after) or any(_differ(*pair, path) for pair in zip(before, after, strict=True)):
        yield Field(path, before, after)


def _differ(before: Any, after: Any, path: Path) -> bool:
    return next(compare(before, after, path), None) is not None


def _keyed(name: str, before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both lists as mappings from their items' keys, where every item has one of its own."""
    for keys in _KEYS.get(name, _USUAL):
        sides = [_by_key(items, keys) for items in (before, after)]
        if sides[0] is not None and sides[1] is not None:
            return sides[0], sides[1]
    if name == "metrics":
        return _by_metric(before, after)
    if name == "rules":
        return _by_rule(before, after)
    return None


def _by_key(items: list[Any], keys: Sequence[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, Mapping) or not all(isinstance(item.get(key), (str, int)) for key in keys):
            return None
        label = "/".join(str(item[key]) for key in keys)
        if label in found:
            return None
        found[label] = item
    return found


def _by_metric(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """An autoscaler's metrics: the name lies one level deeper, in the source that the type names."""
    sides: list[dict[str, Any]] = []
    for items in (before, after):
        named: dict[str, Any] = {}
        for item in items:
            source = (
                next((each for each in item.values() if isinstance(each, Mapping)), {})
                if isinstance(item, Mapping)
                else {}
            )
            metric = source.get("metric")
            label = (metric if isinstance(metric, Mapping) else source).get("name")
            if not isinstance(label, str) or label in named:
                return None
            named[label] = item
        sides.append(named)
    return sides[0], sides[1]


def _by_rule(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Prometheus' rules, alerts among records; of several with one name, the second is `name/2`."""
    sides: list[dict[str, Any]] = []
    for items in (before, after):
        named: dict[str, Any] = {}
        seen: Counter[str] = Counter()
        for item in items:
            label = item.get("alert") or item.get("record") if isinstance(item, Mapping) else None
            if not isinstance(label, str):
                return None
            seen[label] += 1
            named[label if seen[label] == 1 else f"{label}/{seen[label]}"] = item
        sides.append(named)
    return sides[0], sides[1]


def _keyed_lists(before: dict[str, Any], after: dict[str, Any], path: Path) -> Iterator[Field]:
    common_before = [key for key in before if key in after]
    common_after = [key for key in after if key in before]
    if common_before != common_after:
        yield Field(path, common_before, common_after, reordered=True)
    for key in [*after, *(key for key in before if key not in after)]:
        yield from compare(before.get(key), after.get(key), (*path, f"[{key}]"))


def _positional_lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Field]:
    """Aligned by equal items; in a stretch of as many old as new ones, each is compared with its counterpart."""
    texts = [[json.dumps(item, sort_keys=True, default=str) for item in items] for items in (before, after)]
    if texts[0] != texts[1] and Counter(texts[0]) == Counter(texts[1]):
        order = {text: str(index) for index, text in enumerate(texts[0])}
        yield Field(path, [order[text] for text in texts[0]], [order[text] for text in texts[1]], reordered=True)
        return
    matcher = difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        paired = min(end - start, new_end - new_start)
        for offset in range(paired):
            item = f"[{new_start + offset}]"
            yield from compare(before[start + offset], after[new_start + offset], (*path, item))
        for index in range(start + paired, end):
            yield Field((*path, f"[{index}]"), before[index], ABSENT)
        for index in range(new_start + paired, new_end):
            yield Field((*path, f"[{index}]"), ABSENT, after[index])


# -- texts ------------------------------------------------------------------------------------


def _lines(before: Any, after: Any) -> tuple[str, ...]:
    """A unified diff of two texts of which one has several lines or holds JSON; empty for others."""
    if (
        not isinstance(before, str)
        or not isinstance(after, str)
        or isinstance(before, Secret)
        or isinstance(after, Secret)
    ):
        return ()
    documents = [_json(before), _json(after)]
    if None not in documents:
        texts = [json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) for document in documents]
        if texts[0] == texts[1]:
            return (" the same JSON, written differently",)
    elif "\n" in before or "\n" in after:
        texts = [before, after]
    else:
        return ()
    lines = list(difflib.unified_diff(texts[0].splitlines(), texts[1].splitlines(), lineterm="", n=2))[2:]
    return tuple(lines) or (" only the line end at the end of the text",)


def _json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None

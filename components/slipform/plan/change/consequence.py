"""What a change means for whoever calls the model: in a sentence, or nothing where nothing is felt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graph import Graph, Resource
from ..kubernetes import is_object, metadata
from .fields import Field
from .versions import FOLLOWS
from .workloads import WORKLOADS, beside, makes_pods_anew, runner_of

_GONE_MEANWHILE: Mapping[str, str] = {
    **dict.fromkeys(WORKLOADS, "all its pods stop, and nothing answers until new ones are ready"),
    "Service": "its name does not resolve in between, and it may come back with another address",
    "VirtualService": "in between, traffic goes wherever the plain Service sends it",
    "DestinationRule": "in between, routes to its subsets fail",
    "Gateway": "nothing gets in from outside in between",
    "HorizontalPodAutoscaler": "nothing scales in between; the number of replicas stays",
    "ScaledObject": "nothing scales in between; the number of replicas stays",
    "ConfigMap": "pods that start in between wait for it; running ones keep what they have mounted",
    "Secret": "pods that start in between wait for it; running ones keep what they have mounted",
    "ServiceAccount": "running pods lose their identity until they restart",
    "PersistentVolumeClaim": "what is stored on it is lost",
    "Namespace": "everything in it is deleted",
    "Job": "what it is doing is stopped, and it runs again",
    "NodeGroup": "its nodes go before new ones come: the pods on them wait",
    "NodePool": "its nodes are drained before new ones come: the pods on them wait",
    "Role": "pods that use it are refused in between",
    "PodDisruptionBudget": "nothing protects the pods from eviction in between",
}
_SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
_LENT = "the Rollout that runs its pods keeps those that it has, and starts no others in between"
_BESIDE: Mapping[str, str] = {
    **dict.fromkeys(WORKLOADS, "a second one starts beside it; then the old one and its pods are deleted"),
    "Service": "clients that use the old name fail when it is deleted",
    "PersistentVolumeClaim": "what is stored stays on the old one, and is deleted with it",
    "Job": "it runs again",
    "ConfigMap": "pods that mount the old one keep what they read, and go over when they are made anew",
    "Secret": "pods that mount the old one keep what they read, and go over when they are made anew",
    "NodeGroup": "new nodes come first, then the old ones are drained: each pod moves once",
    "Role": "what refers to the old one follows to the new",
}
_DELETED: Mapping[str, str] = {
    **dict.fromkeys(WORKLOADS, "its pods stop"),
    "Service": "clients that use its name fail",
    "PersistentVolumeClaim": "what is stored on it is lost",
    "Namespace": "everything in it is deleted",
    "NodeGroup": "its nodes are drained and go",
    "NodePool": "its nodes are drained and go",
    "HorizontalPodAutoscaler": "the number of replicas stays where it is",
    "ScaledObject": "the number of replicas stays where it is",
}


def of_replacement(head: Graph, before: Resource, after: Resource) -> str:
    if deletes_first(before, after):
        if after.kind in WORKLOADS and runner_of(after, beside(head, after)) is not None:
            return _sentence("deleted first, then made anew", _LENT)
        return _sentence("deleted first, then made anew", _GONE_MEANWHILE.get(after.kind, ""))
    return _sentence("made anew first, then the old one is deleted", _BESIDE.get(after.kind, ""))


def of_deletion(resource: Resource, *, with_its_model: bool = False) -> str:
    """An autoscaler that goes together with its pods leaves nothing behind that would not scale."""
    if with_its_model and resource.kind in _SCALERS:
        return ""
    if resource.options.retain_on_delete:
        return "only forgotten: it stays where it is (retain_on_delete)"
    return _DELETED.get(resource.kind, "")


def of_update(head: Graph, after: Resource, fields: tuple[Field, ...]) -> str:
    """Pods are made anew when their template changes, and only then; nodes when theirs has a new version."""
    if any(field.path == FOLLOWS for field in fields):
        return "its nodes are replaced, one after another: each pod moves once"
    if not any(makes_pods_anew(after, field.path) for field in fields):
        return ""
    runner = after if after.kind == "Rollout" else runner_of(after, beside(head, after))
    strategy = _at((runner or after).inputs, "spec", "strategy")
    if runner is not None:
        return _sentence("starts a rollout", _way(strategy))
    if _at(strategy, "type") == "Recreate":
        return "all its pods stop before new ones start"
    return "its pods are replaced, a few at a time"


def deletes_first(before: Resource, after: Resource) -> bool:
    """Whether the old one goes before the new one comes, as engine and provider decide it.

    The program's word counts first. Else it is so where both would have one name, which the user chose:
    pulumi-kubernetes' `Diff`, and `nameRequiresDeleteBeforeReplace` of the bridge that pulumi-aws is built on.
    """
    if after.options.delete_before_replace is not None:
        return after.options.delete_before_replace
    if is_object(after):
        new, old = metadata(after), metadata(before)
        return "name" in new and new.get("name") == old.get("name") and new.get("namespace") == old.get("namespace")
    return any(key in after.inputs and after.inputs[key] == before.inputs.get(key) for key in ("name", "nodeGroupName"))


def _way(strategy: Any) -> str:
    """How a Rollout brings a new version in: `10 % → 50 % → 100 %, taken back if it does worse`."""
    if isinstance(_at(strategy, "blueGreen"), Mapping):
        way = "a second set of pods beside the first, then all traffic at once"
        judged = any(_at(strategy, "blueGreen", key) for key in ("prePromotionAnalysis", "postPromotionAnalysis"))
    else:
        steps = [step for step in _at(strategy, "canary", "steps") or [] if isinstance(step, Mapping)]
        weights = [step["setWeight"] for step in steps if "setWeight" in step]
        way = " → ".join(f"{weight} %" for weight in dict.fromkeys((*weights, 100))) if weights else ""
        judged = any("analysis" in step for step in steps) or bool(_at(strategy, "canary", "analysis"))
    return f"{way}, taken back if it does worse" if way and judged else way


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _sentence(order: str, effect: str) -> str:
    return f"{order}: {effect}" if effect else order

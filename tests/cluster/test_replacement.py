"""What the diff foretells of a changed field, against the API server's own answer to that change.

Every field of every object that Slipform makes is changed, in a dry run of a server-side apply; and for kinds that only
a program of one's own makes, what the table names.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from tests.cluster.api import Api, DynamicApiError, Object
from tests.cluster.manifests import STACKS, preconditions, render
from tests.cluster.plane import Plane

from slipform import plan
from slipform.plan.change.replacement import REFUSED_KUBERNETES, REPLACED_KUBERNETES

# The provider replaces these though the server would update them:
# https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go
REPLACED_BY_THE_PROVIDER_ALONE = {
    ("ConfigMap", "data"), ("ConfigMap", "binaryData"), ("Secret", "data"), ("Secret", "stringData"),
    ("StatefulSet", "spec.revisionHistoryLimit"),
    ("Job", "spec.parallelism"),
    ("Pod", "spec.containers.[*].image"), ("Pod", "spec.initContainers.[*].image"),
}  # fmt: skip


Path = tuple[str | int, ...]


class Answer(StrEnum):
    TAKEN = "taken"
    SAME = "the same, by default"
    IMMUTABLE = "immutable"
    INVALID = "invalid"


_IMMUTABLE = re.compile(
    r"immutable|may not change|cannot change|can not change|updates to |may not be changed|cannot be changed|"
    r"may not be (?:set|unset|removed) once|must not be changed",
    re.IGNORECASE,
)


def live(api: Api, manifest: Object) -> Object:
    metadata = manifest["metadata"]
    return api.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))


def answer(api: Api, before: Object, changed: Object) -> tuple[Answer, str]:
    """What the server says of a change of the object that is there."""
    try:
        after = api.apply(changed, dry_run=True, force=True)
    except DynamicApiError as error:
        message = str(json.loads(error.body or "{}").get("message", error.body))
        return (Answer.IMMUTABLE if _IMMUTABLE.search(message) else Answer.INVALID), message
    return Answer.SAME if _declared(after) == _declared(before) else Answer.TAKEN, ""


def _declared(found: Object) -> Object:
    """Without what the server and the controllers keep there."""
    kept = ("managedFields", "resourceVersion", "generation")
    metadata = {key: value for key, value in found["metadata"].items() if key not in kept}
    return {**found, "metadata": metadata, "status": None}


@dataclass(frozen=True)
class Foretold:
    replaced: bool
    refused: bool
    reasons: tuple[str, ...]


def foretold(before: Object, after: Object) -> Foretold:
    changes = plan.diff(_graph(before), _graph(after)).changes
    return Foretold(
        any(each.action is plan.Action.REPLACE for each in changes),
        any(each.obstacles for each in changes),
        tuple(reason for each in changes for reason in (*each.reasons, *each.obstacles)),
    )


def _graph(manifest: Object) -> plan.Graph:
    type_ = f"kubernetes:{manifest['apiVersion']}:{manifest['kind']}"
    resource = plan.Resource(urn=f"urn:pulumi:s::p::{type_}::r", type=type_, name="r", custom=True, inputs=manifest)
    return plan.Graph("p", "s", (resource,))


# -- every field of what Slipform makes -------------------------------------------------------------------


def made(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """One object of each kind and shape that is rendered for this repository's stacks."""
    found: dict[tuple[str, frozenset[str]], Object] = {}
    for stack in STACKS:
        for manifest in render(stack, tmp_path_factory.mktemp(stack) / "manifests").objects:
            shape = frozenset(re.sub(r"\d+", "", ".".join(map(str, path))) for path, _ in leaves(manifest))
            found.setdefault((manifest["kind"], shape), manifest)
    return list(found.values())


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def changed_values(value: Any) -> list[Any]:
    """Other values of the same sort, of which the server takes some; `...` removes the field."""
    if isinstance(value, bool):
        return [not value, ...]
    if isinstance(value, int):
        return [value + 1, value - 1, value * 2, ...]
    if isinstance(value, str):
        texts = [f"{value}x", "other", "2", *(value.replace(digit, "7") for digit in "12345" if digit in value)]
        return [*texts, ...]
    return [...]


def with_value(manifest: Object, path: Path, value: Any) -> Object:
    changed = copy.deepcopy(manifest)
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return changed


NAMESPACE = "replacement"


@pytest.fixture(scope="module")
def namespace(plane: Plane) -> Iterator[str]:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield NAMESPACE
    plane.api.delete("v1", "Namespace", NAMESPACE)


@pytest.fixture(scope="module")
def there(plane: Plane, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Object]]:
    """All that is made, in the cluster; each under a name of its own, since the stacks have models in common."""
    objects = [_renamed(manifest, f"made-{number}") for number, manifest in enumerate(made(tmp_path_factory))]
    for manifest in (*preconditions(objects), *objects):
        plane.api.apply(manifest, force=True)
    yield objects
    for manifest in objects:
        plane.api.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"], NAMESPACE)


def _renamed(manifest: Object, name: str) -> Object:
    place = {"namespace": NAMESPACE} if "namespace" in manifest["metadata"] else {}
    return {**manifest, "metadata": {**manifest["metadata"], "name": name, **place}}


def test_of_every_field_the_table_says_what_the_server_does(plane: Plane, there: list[Object]) -> None:
    wrong, seen = [], Counter[Answer]()
    for manifest, path, value in fields(there):
        before = live(plane.api, manifest)
        for other in changed_values(value):
            changed = with_value(manifest, path, other)
            said, message = answer(plane.api, before, changed)
            seen[said] += 1
            told = foretold(manifest, changed)
            if contradicts(manifest["kind"], said, told):
                place = ".".join(map(str, path))
                wrong.append(f"{manifest['kind']} {place} = {other!r}: {said} {message[:200]}, but {told}")
    assert "\n".join(wrong) == ""
    assert seen[Answer.TAKEN] > 100
    assert seen[Answer.IMMUTABLE] > 20


def fields(objects: list[Object]) -> Iterator[tuple[Object, Path, Any]]:
    """Each field of each kind once, whichever item of a list it is in. Not the name: another one is another object."""
    seen = set()
    for manifest in objects:
        for path, value in leaves(manifest):
            place = (manifest["kind"], *("*" if isinstance(step, int) else step for step in path))
            identity = path[0] in ("apiVersion", "kind") or path in (("metadata", "name"), ("metadata", "namespace"))
            if place not in seen and not identity:
                seen.add(place)
                yield manifest, path, value


def contradicts(kind: str, said: Answer, told: Foretold) -> bool:
    if said is Answer.IMMUTABLE:
        return not (told.replaced or told.refused)
    if said is Answer.TAKEN:
        return told.refused or (told.replaced and not _by_the_provider_alone(kind, told))
    return False


def _by_the_provider_alone(kind: str, told: Foretold) -> bool:
    return all(
        any(each == kind and f"the {path} of a {kind} " in reason for each, path in REPLACED_BY_THE_PROVIDER_ALONE)
        for reason in told.reasons
    )


# -- what the table names of other kinds --------------------------------------------------------------------

POD: Object = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "example.com/c:1"}]}}
JOB_POD = {"spec": {**POD["spec"], "restartPolicy": "Never"}}
EXIT_CODES = {"operator": "In", "values": [1]}
SELECTOR = {"matchLabels": {"a": "b"}}
CLAIM: Object = {
    "metadata": {"name": "v"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def kind(kind: str, version: str = "v1", **fields: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": kind.lower(), "namespace": NAMESPACE}, **fields}


# An object, and for each path of the tables another value; `...` removes it.
OTHER_KINDS: list[tuple[Object, dict[str, Any]]] = [
    (
        kind("StatefulSet", "apps/v1", spec={
            "selector": SELECTOR, "template": POD, "serviceName": "s", "replicas": 0, "revisionHistoryLimit": 2,
            "podManagementPolicy": "Parallel", "volumeClaimTemplates": [CLAIM],
        }),
        {
            "spec.podManagementPolicy": "OrderedReady", "spec.revisionHistoryLimit": 3, "spec.serviceName": "t",
            "spec.selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "spec.volumeClaimTemplates": [{**CLAIM, "metadata": {"name": "w"}}],
        },
    ),
    (
        kind("DaemonSet", "apps/v1", spec={"selector": SELECTOR, "template": POD}),
        {"spec.selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
    ),
    (
        kind("Job", "batch/v1", spec={"template": JOB_POD, "completions": 2, "parallelism": 1, "suspend": True}),
        {
            "spec.completions": 3, "spec.parallelism": 2, "spec.completionMode": "Indexed",
            "spec.podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": EXIT_CODES}]},
        },
    ),
    (
        kind("PersistentVolumeClaim", spec={**CLAIM["spec"], "storageClassName": "a", "volumeName": "v",
             "selector": SELECTOR, "volumeMode": "Filesystem"}),
        {
            "spec.accessModes": ["ReadOnlyMany"], "spec.selector": {"matchLabels": {"a": "c"}},
            "spec.storageClassName": "b", "spec.volumeName": "w", "spec.volumeMode": "Block",
            "spec.dataSource": {"kind": "PersistentVolumeClaim", "name": "x"},
            "spec.dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "x"},
        },
    ),
    (
        kind("PersistentVolume", spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
             "hostPath": {"path": "/a"}}),
        {"spec.hostPath": {"path": "/b"}},
    ),
    (
        kind("Pod", spec={**POD["spec"], "nodeName": "nowhere", "hostNetwork": False, "dnsPolicy": "Default"}),
        {
            "spec.nodeName": "elsewhere", "spec.dnsPolicy": "ClusterFirst", "spec.hostname": "h",
            "spec.serviceAccountName": "other", "spec.terminationGracePeriodSeconds": 7, "spec.restartPolicy": "Never",
            "spec.containers": [{"name": "c", "image": "example.com/c:1", "args": ["x"]}],
        },
    ),
    (
        kind("ResourceQuota", spec={"hard": {"pods": "5"}, "scopes": ["BestEffort"]}),
        {"spec.scopes": ["Terminating"]},
    ),
    (kind("Secret", type="Opaque", stringData={"a": "b"}), {"type": "example.com/other"}),
    (
        kind("Service", spec={"type": "LoadBalancer", "loadBalancerClass": "example.com/a", "ports": [{"port": 80}],
             "selector": {"a": "b"}}),
        {"spec.clusterIP": "10.0.0.77", "spec.loadBalancerClass": "example.com/b"},
    ),
    (
        kind("RoleBinding", "rbac.authorization.k8s.io/v1", subjects=[],
             roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}),
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "b"}},
    ),
    (
        kind("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", subjects=[],
             roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}),
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "b"}},
    ),
    (
        kind("StorageClass", "storage.k8s.io/v1", provisioner="example.com/a", parameters={"a": "b"},
             reclaimPolicy="Delete", volumeBindingMode="Immediate"),
        {
            "provisioner": "example.com/b", "parameters": {"a": "c"}, "reclaimPolicy": "Retain",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    ),
    (
        kind("PriorityClass", "scheduling.k8s.io/v1", value=1, preemptionPolicy="Never"),
        {"value": 2, "preemptionPolicy": "PreemptLowerPriority"},
    ),
    (
        kind("IngressClass", "networking.k8s.io/v1", spec={"controller": "example.com/a"}),
        {"spec.controller": "example.com/b"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "others"), OTHER_KINDS, ids=[each["kind"] for each, _ in OTHER_KINDS])
def test_the_server_refuses_what_the_table_names(
    plane: Plane, namespace: str, manifest: Object, others: dict[str, Any]
) -> None:
    if not plane.api.is_namespaced(manifest["apiVersion"], manifest["kind"]):
        manifest = {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}
    plane.api.apply(manifest)
    wrong = []
    try:
        for path, other in others.items():
            changed = with_value(manifest, tuple(path.split(".")), other)
            said, message = answer(plane.api, live(plane.api, manifest), changed)
            told = foretold(manifest, changed)
            if (
                said is Answer.INVALID
                or not (told.replaced or told.refused)
                or contradicts(manifest["kind"], said, told)
            ):
                wrong.append(f"{path} = {other!r}: {said} {message[:300]}, but {told}")
    finally:
        plane.api.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"], NAMESPACE)
    assert "\n".join(wrong) == ""


def test_every_kind_of_the_tables_is_asked_about(there: list[Object]) -> None:
    asked = {_key(manifest) for manifest in (*there, *(manifest for manifest, _ in OTHER_KINDS))}
    assert {*REPLACED_KUBERNETES, *REFUSED_KUBERNETES} - asked == set()


def _key(manifest: Object) -> tuple[str, str]:
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]

"""The fields whose change makes pulumi-kubernetes replace an object.

After `forceNewProperties` in the plugin's provider/pkg/provider/diff.go (v4, at 9497796), on purpose apart from what
Slipform itself knows of this: the tests hold the two against each other.
"""

import re
from typing import Any

from tests.cluster.standin.wire import Data, Difference

SELECTOR = (".spec.selector",)
FORCE_NEW: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps/v1", "DaemonSet"): SELECTOR,
    ("apps/v1", "Deployment"): SELECTOR,
    ("apps/v1", "StatefulSet"): (
        *SELECTOR, ".spec.podManagementPolicy", ".spec.revisionHistoryLimit", ".spec.serviceName",
        ".spec.volumeClaimTemplates",
    ),
    ("batch/v1", "Job"): (*SELECTOR, ".spec.completions", ".spec.parallelism", ".spec.template"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): (".roleRef",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): (".roleRef",),
    ("storage.k8s.io/v1", "StorageClass"): (".parameters", ".provisioner"),
    ("v1", "PersistentVolumeClaim"): (
        *SELECTOR, ".spec.accessModes", ".spec.storageClassName", ".spec.volumeName",
    ),
    ("v1", "ResourceQuota"): (".spec.scopes",),
    ("v1", "Secret"): (".type",),
    ("v1", "Service"): (".spec.clusterIP",),
}  # fmt: skip
METADATA = (".metadata.name", ".metadata.namespace")
IMMUTABLE_SECRET = (".type", ".stringData", ".data")
IMMUTABLE_CONFIG_MAP = (".binaryData", ".data")


def replaces(found: Difference, new: Data, *, mutable_data: dict[str, bool]) -> bool:
    """Whether a change of an object replaces it; `mutable_data` says of which kinds the provider may change data."""
    paths = [each.split(".")[1:] for each in (*METADATA, *_fields(new, mutable_data))]
    steps = [quoted or plain for quoted, plain in re.findall(r'\["([^"]+)"\]|([^.\[\]]+)', found.path)]
    return any(_holds(found.new, path[len(steps) :]) for path in paths if _is_on_the_way(steps, path))


def _fields(new: Data, mutable_data: dict[str, bool]) -> tuple[str, ...]:
    version, kind = new["apiVersion"], new["kind"]
    fixed = version == "v1" and kind in mutable_data and (new.get("immutable") or not mutable_data[kind])
    if fixed:
        return IMMUTABLE_SECRET if kind == "Secret" else IMMUTABLE_CONFIG_MAP
    return FORCE_NEW.get((version, kind), ())


def _is_on_the_way(steps: list[str], path: list[str]) -> bool:
    return all(step == wanted for step, wanted in zip(steps, path, strict=False))


def _holds(value: Any, rest: list[str]) -> bool:
    """Whether what is written has the field; a deleted parent has none, as in the plugin."""
    for key in rest:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True

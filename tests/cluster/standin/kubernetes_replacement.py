"""The fields whose change makes pulumi-kubernetes replace an object.

Transcribed from the plugin's provider/pkg/provider/diff.go (v4), on purpose apart from what Slipform itself knows of
this: the tests hold the two against each other.
"""

import re

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
    ("v1", "Service"): (".spec.clusterIP",),
}  # fmt: skip
METADATA = (".metadata.name", ".metadata.namespace")
IMMUTABLE_SECRET = (".type", ".stringData", ".data")
IMMUTABLE_CONFIG_MAP = (".binaryData", ".data")


def replaces(api_version: str, kind: str, path: str, *, mutable_data: dict[str, bool], immutable: bool) -> bool:
    """Whether a change at `path` replaces; `mutable_data` says for which kinds the provider may change data."""
    fields = METADATA + FORCE_NEW.get((api_version, kind), ())
    if api_version == "v1" and kind in mutable_data:
        if immutable or not mutable_data[kind]:
            fields += IMMUTABLE_SECRET if kind == "Secret" else IMMUTABLE_CONFIG_MAP
        elif kind == "Secret":
            fields += (".type",)
    return any(re.match(re.escape(field) + r"($|[.\[])", f".{path}") for field in fields)

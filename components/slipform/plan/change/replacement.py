"""Which fields cannot be updated: a change of them replaces the resource, or is refused by the API server.

Kubernetes, replaced: the provider's own list,
https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go (read at 9497796, July 2026).
Kubernetes, refused: fields that the API server lets nobody change and that are not on that list; from the validation in
https://github.com/kubernetes/kubernetes/tree/v1.35.4/pkg/apis and https://github.com/aws/karpenter-provider-aws.
AWS: `ForceNew` and `RequiresReplace` in https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service,
whose schemas pulumi-aws 7 is made from. Only the types that Slipform makes, and their next of kin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..graph import Graph, Resource
from .fields import ABSENT, Field, Path
from .paths import parse


class Effect(StrEnum):
    """What a changed field does to its resource."""

    UPDATE = "update"
    REPLACE = "replace"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Verdict:
    effect: Effect
    reason: str = ""


UPDATES = Verdict(Effect.UPDATE)


def _paths(*dotted: str) -> tuple[Path, ...]:
    return tuple(tuple(path.replace("[*]", ".[*]").split(".")) for path in dotted)


_SELECTOR = _paths("spec.selector")
_STATEFUL_SET = _paths(
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.selector",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
)
_CONTAINER = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext "
    "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)
_POD = (
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork "
    "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName "
    "readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName "
    "shareProcessNamespace subdomain terminationGracePeriodSeconds volumes"
)
_VOLUME_SOURCES = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs "
    "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)

# By API group and kind. The provider's list knows versions too; those that are still served all read alike.
REPLACED_KUBERNETES: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _paths("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("", "PersistentVolumeClaim"): _paths(
        "spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"
    ),
    ("", "PersistentVolume"): _paths(*(f"spec.{source}" for source in _VOLUME_SOURCES.split())),
    ("", "Pod"): _paths(
        *(f"spec.{field}" for field in _POD.split()),
        *(f"spec.{list_}[*].{field}" for list_ in ("containers", "initContainers") for field in _CONTAINER.split()),
    ),
    ("", "ResourceQuota"): _paths("spec.scopes"),
    ("", "Secret"): _paths("type"),
    ("", "Service"): _paths("spec.clusterIP"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _paths("roleRef"),
    ("rbac.authorization.k8s.io", "RoleBinding"): _paths("roleRef"),
    ("storage.k8s.io", "StorageClass"): _paths("parameters", "provisioner"),
}
_IDENTITY = _paths("metadata.name", "metadata.namespace")
_FREEZABLE = frozenset({("", "ConfigMap"), ("", "Secret")})
_SECRET_DATA = _paths("data", "stringData")
_CONFIG_DATA = _paths("data", "binaryData")

REFUSED_KUBERNETES: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("batch", "Job"): _paths("spec.completionMode", "spec.podFailurePolicy", "spec.backoffLimitPerIndex"),
    ("", "PersistentVolumeClaim"): _paths("spec.volumeMode", "spec.dataSource", "spec.dataSourceRef"),
    ("", "Service"): _paths("spec.loadBalancerClass"),
    ("storage.k8s.io", "StorageClass"): _paths("reclaimPolicy", "volumeBindingMode"),
    ("scheduling.k8s.io", "PriorityClass"): _paths("value", "preemptionPolicy"),
    ("networking.k8s.io", "IngressClass"): _paths("spec.controller"),
    ("karpenter.sh", "NodePool"): _paths(
        "spec.template.spec.nodeClassRef.group", "spec.template.spec.nodeClassRef.kind"
    ),
}

# By pulumi-aws' type. `region` is every regional type's since version 7.
REPLACED_AWS: Mapping[str, tuple[Path, ...]] = {
    "aws:eks/nodeGroup:NodeGroup": _paths(
        "amiType",
        "capacityType",
        "clusterName",
        "diskSize",
        "instanceTypes",
        "launchTemplate.id",
        "launchTemplate.name",
        "nodeGroupName",
        "nodeGroupNamePrefix",
        "nodeRoleArn",
        "remoteAccess",
        "subnetIds",
        "region",
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _paths(
        "clusterName", "namespace", "serviceAccount", "region"
    ),
    "aws:eks/addon:Addon": _paths("addonName", "clusterName", "region"),
    "aws:ec2/launchTemplate:LaunchTemplate": _paths("name", "namePrefix", "region"),
    "aws:iam/role:Role": _paths("name", "namePrefix", "path"),
    "aws:iam/rolePolicy:RolePolicy": _paths("name", "namePrefix", "role"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _paths("policyArn", "role"),
    "aws:iam/policy:Policy": _paths("description", "name", "namePrefix", "path"),
    "aws:iam/instanceProfile:InstanceProfile": _paths("name", "namePrefix", "path"),
}

# What says which cluster a Kubernetes provider means: `DiffConfig` in the provider's provider.go, as above.
_IDENTIFIER = "clusterIdentifier"
_CLUSTER = frozenset({"kubeconfig", "context", "cluster"})


def judge(field: Field, base: Graph, before: Resource, after: Resource) -> Verdict:
    """What the change of one input does to its resource."""
    if pattern := _touched(field, map(parse, after.options.replace_on_changes)):
        return Verdict(Effect.REPLACE, f"the program asks for it (replace_on_changes: {'.'.join(pattern)})")
    if after.type == "pulumi:providers:kubernetes":
        return _judge_cluster(field, before, after)
    if after.type.startswith("kubernetes:"):
        return _judge_object(field, base, before, after)
    if pattern := _touched(field, REPLACED_AWS.get(after.type, ())):
        return Verdict(Effect.REPLACE, f"AWS cannot change the {'.'.join(pattern)} of a {after.kind}")
    return UPDATES


def _judge_cluster(field: Field, before: Resource, after: Resource) -> Verdict:
    """Another cluster replaces all that the provider made: another identifier, or else another kubeconfig of its own.

    In a kubeconfig that only the environment names, the provider sees no other cluster.
    """
    key = field.path[0]
    old, new = (resource.inputs.get(_IDENTIFIER) for resource in (before, after))
    if new and old == new:
        return UPDATES
    if key == _IDENTIFIER and old and new:
        return Verdict(Effect.REPLACE, "another identifier is another cluster")
    own = all(resource.inputs.get("kubeconfig") for resource in (before, after))
    if key == "renderYamlToDirectory" or (key in _CLUSTER and own):
        return Verdict(Effect.REPLACE, f"another {key} may be another cluster")
    return UPDATES


def _judge_object(field: Field, base: Graph, before: Resource, after: Resource) -> Verdict:
    group = str(after.inputs.get("apiVersion", "")).rpartition("/")[0]
    kind = str(after.inputs.get("kind", after.kind))
    if pattern := _touched(field, _IDENTITY):
        return Verdict(Effect.REPLACE, f"a {kind} with another {pattern[-1]} is another object")
    if pattern := _touched(
        field, (*REPLACED_KUBERNETES.get((group, kind), ()), *_frozen_data((group, kind), base, before, after))
    ):
        return Verdict(Effect.REPLACE, f"the {'.'.join(pattern)} of a {kind} cannot be changed in place")
    if (group, kind) in _FREEZABLE and field.path == ("immutable",) and field.before is True:
        return Verdict(Effect.REFUSE, f"the API server refuses to make an immutable {kind} mutable again")
    if pattern := _touched(field, REFUSED_KUBERNETES.get((group, kind), ())):
        return Verdict(Effect.REFUSE, f"the API server refuses to change the {'.'.join(pattern)} of a {kind}")
    return UPDATES


def _frozen_data(key: tuple[str, str], base: Graph, before: Resource, after: Resource) -> tuple[Path, ...]:
    """The data of ConfigMaps and Secrets replaces them, unless the provider was told that they are mutable."""
    option = {("", "ConfigMap"): "enableConfigMapMutable", ("", "Secret"): "enableSecretMutable"}.get(key)
    if option is None:
        return ()
    provider = base.by_urn.get(before.provider or "")
    mutable = provider is not None and str(provider.inputs.get(option)).lower() == "true"
    if mutable and not after.inputs.get("immutable"):
        return ()
    return _CONFIG_DATA if key[1] == "ConfigMap" else _SECRET_DATA


def _touched(field: Field, patterns: Iterable[Path]) -> Path | None:
    return next((pattern for pattern in patterns if _touches(field, pattern)), None)


def _touches(field: Field, pattern: Path) -> bool:
    """Whether the changed field lies at or below the pattern, or holds what the pattern names."""
    if not all(_fits(step, wanted) for step, wanted in zip(field.path, pattern, strict=False)):
        return False
    rest = pattern[len(field.path) :]
    return not rest or any(_holds(value, rest) for value in (field.before, field.after))


def _fits(step: str, wanted: str) -> bool:
    return wanted in (step, "*") or (wanted == "[*]" and step.startswith("["))


def _holds(value: Any, path: Path) -> bool:
    if not path:
        return value is not ABSENT
    if isinstance(value, Mapping):
        return path[0] in value and _holds(value[path[0]], path[1:])
    return isinstance(value, list) and path[0] == "[*]" and any(_holds(item, path[1:]) for item in value)


def is_ignored(field: Field, after: Resource) -> bool:
    """Whether the program tells the engine to ignore changes there."""
    return any(_lies_below(field.path, parse(path)) for path in after.options.ignore_changes)


def _lies_below(path: Path, pattern: Path) -> bool:
    return len(path) >= len(pattern) and all(map(_fits, path, pattern))

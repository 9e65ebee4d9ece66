"""Is a pool of machines one that its provisioner can make, and one whose nodes can run a model?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..infra.capabilities import how_to_get
from ..spec import instances
from ..spec.findings import FieldPath, Finding, did_you_mean
from ..spec.instances import Instance
from ..spec.machines import ami_type, architecture, architecture_of, has_gpus, is_bottlerocket, machines
from ..spec.modelspec import ModelSpec
from ..spec.nodes import NodePool
from ..spec.stack import StackConfig
from ..spec.units import Memory

SMALLEST_DISK = Memory.parse("20Gi")
"""The volume in Amazon Linux's image: a smaller one can't be made of it."""
LARGEST_DISK = Memory.parse("16Ti")
"""Of EBS' gp3 volumes."""
MAX_EKS_KEY = 63

# What a kubelet may say of its own node (kubernetes/kubernetes, pkg/apis/core: IsKubeletLabel).
_OWN_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
_PROVISIONER_DOMAINS = {"karpenter": ("karpenter.sh", "karpenter.k8s.aws"), "eks": ("eks.amazonaws.com",)}


def stack_problems(stack: StackConfig) -> Iterator[Finding]:
    """What is wrong with the pools that a stack shares; the paths are the stack config's."""
    for name, pool in stack.node_pools.items():
        yield from _below(("node_pools", name), problems(pool, stack))


def spec_problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """What is wrong with a model's own machines; the paths are the spec's."""
    if not isinstance(spec.nodes, NodePool):
        return
    yield from _below(("nodes",), problems(spec.nodes, stack))
    if stack is not None and spec.nodes.provisioner != "existing" and spec.server in stack.node_pools:
        yield Finding(
            f"the stack has a pool {spec.server!r} as well: the model's own would have the same name",
            path=("nodes",),
            remedy=f"use it (nodes: {{pool: {spec.server}}}), or rename one",
        )


def problems(pool: NodePool, stack: StackConfig | None) -> Iterator[Finding]:
    """What is wrong with one pool, in its stack where that is known; the paths are the pool's."""
    yield from _names(pool)
    if pool.provisioner == "existing":
        return
    yield from _one_kind(machines(pool))
    yield from _image(pool)
    yield from _disk(pool)
    yield from _labels(pool)
    if pool.provisioner == "eks":
        yield from _node_group(pool)
    if stack is not None:
        yield from _stack(pool, stack)


def _below(path: FieldPath, findings: Iterator[Finding]) -> Iterator[Finding]:
    return (replace(finding, path=(*path, *finding.path)) for finding in findings)


def _names(pool: NodePool) -> Iterator[Finding]:
    for index, name in enumerate(pool.instance_types):
        if name in pool.instance_types[:index]:
            yield Finding(f"{name} is named twice", path=("instance_types", index), remedy="remove one")
        elif name not in instances.names():
            yield Finding(
                f"EC2 has no instance type {name!r}",
                path=("instance_types", index),
                given=name,
                remedy=did_you_mean(name, instances.names(), "`aws ec2 describe-instance-types` lists them"),
            )
        elif instances.capacity(name) is None and pool.ami_type is None and pool.provisioner != "existing":
            yield Finding(
                f"what {name} has is not known here: whether a model fits it is not checked",
                path=("instance_types", index),
                severity="warning",
                given=name,
                remedy="write its ami_type, which says its architecture and whether it has a GPU",
            )


def _one_kind(known: tuple[Instance, ...]) -> Iterator[Finding]:
    """Pods can't choose within a pool: its machines run the same images, on the same accelerator."""
    for what, kinds in (
        ("processors", {machine.name: machine.architecture for machine in known}),
        ("accelerators", {machine.name: machine.accelerator or "none" for machine in known}),
    ):
        if len(set(kinds.values())) > 1:
            yield Finding(
                f"the machines have different {what}",
                path=("instance_types",),
                given=", ".join(f"{name} ({kind})" for name, kind in kinds.items()),
                allowed="one kind in a pool",
                remedy="make a pool of each kind",
            )


def _image(pool: NodePool) -> Iterator[Finding]:
    if pool.ami_type is None or not machines(pool):
        return
    default = ami_type(pool.model_copy(update={"ami_type": None}))
    if architecture_of(pool.ami_type) != architecture(pool):
        yield Finding(
            f"{pool.ami_type} is not for {architecture(pool)}, which {pool.instance_types[0]} is",
            path=("ami_type",),
            given=pool.ami_type,
            remedy=f"write {default}, or remove it",
        )
    elif pool.provisioner == "eks" and pool.ami_type.endswith("_NVIDIA") != has_gpus(pool):
        # Karpenter takes the variant that fits each machine by itself.
        has, lacks = ("no NVIDIA GPU", "needs one") if not has_gpus(pool) else ("a GPU", "has no driver for it")
        yield Finding(
            f"{pool.instance_types[0]} has {has}, and {pool.ami_type} {lacks}",
            path=("ami_type",),
            given=pool.ami_type,
            remedy=f"write {default}, or remove it",
        )


def _disk(pool: NodePool) -> Iterator[Finding]:
    smallest = Memory.parse("1Gi") if is_bottlerocket(pool) else SMALLEST_DISK
    if not smallest <= pool.disk <= LARGEST_DISK:
        yield Finding(
            f"a disk of {pool.disk} can't be made", path=("disk",), given=str(pool.disk),
            allowed=f"{smallest} to {LARGEST_DISK}",
        )  # fmt: skip


def _labels(pool: NodePool) -> Iterator[Finding]:
    for key in pool.labels:
        domain = key.rpartition("/")[0]
        kubernetes = _within(domain, ("kubernetes.io", "k8s.io")) and not _within(domain, _OWN_PREFIXES)
        if kubernetes or _within(domain, _PROVISIONER_DOMAINS[pool.provisioner]):
            owner = "Kubernetes" if kubernetes else "the provisioner"
            yield Finding(
                f"labels of {domain} are given by {owner} alone",
                path=("labels", key),
                given=key,
                remedy="use a prefix of your own, such as example.com/",
            )


def _within(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _node_group(pool: NodePool) -> Iterator[Finding]:
    if pool.zones:
        yield Finding(
            "a managed node group is where its subnets are",
            path=("zones",),
            remedy="remove zones and name those zones' subnets in slipform:cluster.aws.subnets, or use karpenter",
        )
    # EKS' own bounds (labelKey, labelValue and taintKey of CreateNodegroup), which are narrower than Kubernetes'.
    for key, value in pool.labels.items():
        if len(key) > MAX_EKS_KEY or not value:
            yield Finding(
                "EKS takes no such label", path=("labels", key), given=f"{key}: {value!r}",
                allowed=f"a key of at most {MAX_EKS_KEY} characters, prefix included, and a value",
            )  # fmt: skip
    for index, taint in enumerate(pool.taints):
        if len(taint.key) > MAX_EKS_KEY:
            yield Finding(
                "EKS takes no such taint", path=("taints", index, "key"), given=taint.key,
                allowed=f"at most {MAX_EKS_KEY} characters, prefix included",
            )  # fmt: skip
    if pool.min_nodes and pool.capacity == "spot":
        yield Finding(
            "spot machines may be taken away, so min_nodes is not promised",
            path=("min_nodes",),
            severity="warning",
            given=str(pool.min_nodes),
            remedy="use capacity: on-demand for machines that are always there",
        )


def _stack(pool: NodePool, stack: StackConfig) -> Iterator[Finding]:
    aws = stack.cluster.aws
    if aws is None:
        yield Finding(
            "the stack names no EKS cluster to make machines for",
            path=("provisioner",),
            given=pool.provisioner,
            remedy="add slipform:cluster.aws to the stack's config, or use provisioner: existing",
        )
    elif pool.provisioner == "eks" and not aws.subnets:
        yield Finding(
            "a managed node group needs subnets",
            path=("provisioner",),
            given="eks",
            remedy="add slipform:cluster.aws.subnets to the stack's config",
        )
    if pool.provisioner == "karpenter" and stack.lacks("karpenter"):
        yield Finding(
            "the stack's cluster has no Karpenter",
            path=("provisioner",),
            given="karpenter",
            remedy="add karpenter to slipform:has once it is installed, or use provisioner: eks",
        )
    if pool.provisioner == "eks" and pool.max_nodes > pool.min_nodes and stack.lacks("cluster-autoscaler"):
        yield Finding(
            f"a managed node group does not grow by itself: it stays at {pool.min_nodes} of {pool.max_nodes} nodes",
            path=("max_nodes",) if "max_nodes" in pool.model_fields_set else ("provisioner",),
            severity="warning" if pool.min_nodes else "error",
            given=str(pool.max_nodes),
            remedy=f"{how_to_get('cluster-autoscaler')}; or write min_nodes: {pool.max_nodes}",
        )
    if has_gpus(pool) and not is_bottlerocket(pool) and stack.lacks("gpu-device-plugin"):
        yield Finding(
            "Amazon Linux brings NVIDIA's driver and not its device plugin: no pod would get a GPU",
            path=("ami_type",),
            given=pool.ami_type,
            remedy="install it and add gpu-device-plugin to slipform:has, or remove ami_type: Bottlerocket brings it",
        )

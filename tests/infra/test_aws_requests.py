"""What the node groups, launch templates and roles ask of AWS is what EKS, EC2 and IAM take."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.infra.identity import WorkloadIdentity, WorkloadIdentityArgs
from slipform.infra.nodes import GpuNodePool, GpuNodePoolArgs
from slipform.infra.platform import Platform
from slipform.spec.nodes import NodePool

from ..builders import stack_config
from .aws_requests import launch_template, node_group, refused, role, role_policy
from .recorder import Recorded, record

LONGEST = "n" * 39 + "e"
BOUNDARY = {"cluster": {"aws": {"permissions_boundary": "arn:aws:iam::123456789012:policy/boundary"}}}

POOLS: list[dict[str, Any]] = [
    {},
    {"instance_types": ["m7g.large"], "capacity": "spot", "min_nodes": 2, "max_nodes": 9},
    {"ami_type": "AL2023_x86_64_NVIDIA", "ami_version": "1.34.0-20261101", "disk": "300Gi"},
    {"labels": {"a.example.com/b": "c"}, "taints": [{"key": "team"}, {"key": "x", "effect": "NoExecute"}]},
]


def group(fields: dict[str, Any]) -> Recorded:
    of = NodePool.model_validate({"provisioner": "eks", "instance_types": ["g6.xlarge"], **fields})

    def program(platform: Platform) -> None:
        GpuNodePool(LONGEST, GpuNodePoolArgs(platform, LONGEST, of, {"slipform.dev/team": "vision"}))

    return record(program, stack_config(**BOUNDARY))


@pytest.mark.parametrize("fields", POOLS)
def test_eks_takes_the_node_group(fields: dict[str, Any]) -> None:
    inputs = group(fields).one(":NodeGroup").inputs
    name = inputs["nodeGroupNamePrefix"] + "2" * 26  # what pulumi-aws appends to the prefix
    assert len(name) <= 63
    request = node_group(inputs, name=name, role="arn:aws:iam::123456789012:role/known-after-apply")
    assert refused("eks", "CreateNodegroup", **request) == []


@pytest.mark.parametrize("fields", POOLS)
def test_ec2_takes_the_launch_template(fields: dict[str, Any]) -> None:
    request = launch_template(group(fields).one(":LaunchTemplate").inputs, name=f"{LONGEST}-1a2b3c4")
    assert refused("ec2", "CreateLaunchTemplate", **request) == []


@pytest.mark.parametrize("fields", POOLS)
def test_iam_takes_the_nodes_role(fields: dict[str, Any]) -> None:
    found = group(fields)
    # Pulumi appends a dash and seven characters to the name of a resource that has none.
    name = f"{found.one(':Role').name}-1a2b3c4"
    assert refused("iam", "CreateRole", **role(found.one(":Role").inputs, name=name)) == []
    for attached in found.all(":RolePolicyAttachment"):
        arn = attached.inputs["policyArn"]
        assert refused("iam", "AttachRolePolicy", RoleName="a", PolicyArn=arn) == []


def test_iam_takes_the_pods_role_and_its_policy() -> None:
    def program(platform: Platform) -> None:
        args = WorkloadIdentityArgs(platform, LONGEST, {"team": ""}, ("s3://models/a b/é*",), ("s3://engines",))
        WorkloadIdentity(LONGEST, args)

    found = record(program, stack_config(**BOUNDARY))
    inputs, policy = found.one(":Role").inputs, found.one(":RolePolicy").inputs
    assert refused("iam", "CreateRole", **role(inputs, name=inputs["name"])) == []
    assert refused("iam", "PutRolePolicy", **role_policy(policy, of=inputs["name"])) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"amiType": "AL2023_GPU"},
        {"capacityType": "spot"},
        {"taints": [{"key": "a", "effect": "NoSchedule"}]},
        {"scalingConfig": {"minSize": -1}},
        {"diskSizes": 3},
    ],
)
def test_a_wrong_request_would_be_seen(wrong: dict[str, Any]) -> None:
    right = {"clusterName": "c", "nodegroupName": "n", "subnets": ["s"], "nodeRole": "r"}
    assert refused("eks", "CreateNodegroup", **right) == []
    assert len(refused("eks", "CreateNodegroup", **right, **wrong)) == 1

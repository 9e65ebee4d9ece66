"""What the node groups, launch templates and roles ask of AWS is what EKS, EC2 and IAM take."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.infra.identity import WorkloadIdentity, WorkloadIdentityArgs
from slipform.infra.nodes import GpuNodePool, GpuNodePoolArgs
from slipform.infra.platform import Platform
from slipform.spec.nodes import NodePool

from ..builders import stack_config
from .aws_requests import refused
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
    inputs = dict(group(fields).one(":NodeGroup").inputs)
    # pulumi-aws names these two otherwise, and appends 26 characters to the prefix.
    inputs["subnets"] = inputs.pop("subnetIds")
    inputs["nodegroupName"] = inputs.pop("nodeGroupNamePrefix") + "2" * 26
    inputs["nodeRole"] = "arn:aws:iam::123456789012:role/known-after-apply"
    assert refused("eks", "CreateNodegroup", **inputs) == []
    assert len(inputs["nodegroupName"]) <= 63


@pytest.mark.parametrize("fields", POOLS)
def test_ec2_takes_the_launch_template(fields: dict[str, Any]) -> None:
    inputs = group(fields).one(":LaunchTemplate").inputs
    disks = [
        {"DeviceName": disk["deviceName"], "Ebs": {_ec2(key): _bool(value) for key, value in disk["ebs"].items()}}
        for disk in inputs["blockDeviceMappings"]
    ]
    data = {
        "BlockDeviceMappings": disks,
        "MetadataOptions": {_ec2(key): value for key, value in inputs["metadataOptions"].items()},
        "TagSpecifications": [
            {"ResourceType": each["resourceType"], "Tags": _tags(each["tags"])} for each in inputs["tagSpecifications"]
        ],
    }
    assert (
        refused("ec2", "CreateLaunchTemplate", LaunchTemplateName=f"{LONGEST}-1a2b3c4", LaunchTemplateData=data) == []
    )


@pytest.mark.parametrize("fields", POOLS)
def test_iam_takes_the_nodes_role(fields: dict[str, Any]) -> None:
    found = group(fields)
    # Pulumi appends a dash and seven characters to the name of a resource that has none.
    assert _role_refused(found, f"{found.one(':Role').name}-1a2b3c4") == []
    for attached in found.all(":RolePolicyAttachment"):
        arn = attached.inputs["policyArn"]
        assert refused("iam", "AttachRolePolicy", RoleName="a", PolicyArn=arn) == []


def test_iam_takes_the_pods_role_and_its_policy() -> None:
    def program(platform: Platform) -> None:
        args = WorkloadIdentityArgs(platform, LONGEST, {"team": ""}, ("s3://models/a b/é*",), ("s3://engines",))
        WorkloadIdentity(LONGEST, args)

    found = record(program, stack_config(**BOUNDARY))
    role, policy = found.one(":Role").inputs, found.one(":RolePolicy").inputs
    assert _role_refused(found, role["name"]) == []
    request = {"RoleName": role["name"], "PolicyName": policy["name"], "PolicyDocument": policy["policy"]}
    assert refused("iam", "PutRolePolicy", **request) == []


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


def _role_refused(found: Recorded, name: str) -> list[str]:
    inputs = found.one(":Role").inputs
    return refused(
        "iam",
        "CreateRole",
        RoleName=name,
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        Description=inputs["description"],
        PermissionsBoundary=inputs["permissionsBoundary"],
        Tags=_tags(inputs["tags"]),
    )


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _ec2(key: str) -> str:
    return key[0].upper() + key[1:]


def _bool(value: Any) -> Any:
    """pulumi-aws writes a launch template's booleans as texts."""
    return {"true": True, "false": False}.get(value, value)

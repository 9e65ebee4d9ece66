"""Inputs of AWS resources as the requests that a provider makes of them, held against the service models of botocore.

botocore itself checks types and required members; the patterns, enumerations and lengths, which only the service would
check, are in the same models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.loaders
import botocore.model


def node_group(inputs: Mapping[str, Any], *, name: str, role: str) -> dict[str, Any]:
    """CreateNodegroup; pulumi-aws names two of its members otherwise, and makes the name up from a prefix."""
    others = {"subnetIds", "nodeGroupNamePrefix", "nodeRoleArn"}
    request = {key: value for key, value in inputs.items() if key not in others}
    return request | {"nodegroupName": name, "nodeRole": role, "subnets": inputs["subnetIds"]}


def launch_template(inputs: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """CreateLaunchTemplate; EC2 begins its members with capitals, and pulumi-aws writes booleans as texts."""
    disks = [
        {"DeviceName": disk["deviceName"], "Ebs": {_ec2(key): _bool(value) for key, value in disk["ebs"].items()}}
        for disk in inputs["blockDeviceMappings"]
    ]
    tagged = [
        {"ResourceType": each["resourceType"], "Tags": tags(each["tags"])} for each in inputs["tagSpecifications"]
    ]
    data = {
        "BlockDeviceMappings": disks,
        "MetadataOptions": {_ec2(key): value for key, value in inputs["metadataOptions"].items()},
        "TagSpecifications": tagged,
    }
    return {"LaunchTemplateName": name, "LaunchTemplateData": data}


def role(inputs: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """CreateRole."""
    boundary = inputs.get("permissionsBoundary")
    return {
        "RoleName": name,
        "AssumeRolePolicyDocument": inputs["assumeRolePolicy"],
        "Description": inputs["description"],
        "Tags": tags(inputs["tags"]),
        **({"PermissionsBoundary": boundary} if boundary else {}),
    }


def role_policy(inputs: Mapping[str, Any], *, of: str) -> dict[str, Any]:
    """PutRolePolicy."""
    return {"RoleName": of, "PolicyName": inputs["name"], "PolicyDocument": inputs["policy"]}


def tags(of: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in of.items()]


def _ec2(key: str) -> str:
    return key[0].upper() + key[1:]


def _bool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value)


def refused(service: str, operation: str, **request: Any) -> list[str]:
    """Why the service would refuse the request; nothing where it would take it."""
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)
    return list(_problems(model.operation_model(operation).input_shape, request, operation))


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, botocore.model.StructureShape):
        yield from (f"{path} has no {name}" for name in value if name not in shape.members)
        yield from (f"{path} needs {name}" for name in shape.required_members if name not in value)
        for name in value.keys() & shape.members.keys():
            yield from _problems(shape.members[name], value[name], f"{path}.{name}")
    elif isinstance(shape, botocore.model.ListShape):
        yield from _in_bounds(shape, len(value), path)
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, botocore.model.MapShape):
        yield from _in_bounds(shape, len(value), path)
        for key, item in value.items():
            yield from _problems(shape.key, key, f"{path} key")
            yield from _problems(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, botocore.model.StringShape):
        yield from _in_bounds(shape, len(value), path)
        pattern = shape.metadata.get("pattern")
        if shape.enum and value not in shape.enum:
            yield f"{path} is {value}, which is none of {', '.join(shape.enum)}"
        # Letters, spaces and numbers of every language, in Java's words and in Python's.
        if pattern and not re.fullmatch(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s"), value):
            yield f"{path} is {value}, which does not match {pattern}"
    elif shape.type_name in ("integer", "long"):
        yield from _in_bounds(shape, value, path)
    elif shape.type_name == "boolean" and not isinstance(value, bool):
        yield f"{path} is {value!r}, which is no boolean"


def _in_bounds(shape: Any, size: int, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield f"{path} is of {size}, not of {low} to {high}"

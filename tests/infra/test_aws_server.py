"""Node groups, roles and policies made on moto's server, with the requests that a provider makes of our inputs.

moto keeps what it is sent, reads IAM's grammar, knows AWS' own policies and enforces actions on resources. It does not
look at conditions as AWS does, nor start a machine: that is for AWS to say.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from slipform.infra import iam
from slipform.infra.identity import WorkloadIdentity, WorkloadIdentityArgs
from slipform.infra.platform import Platform

from ..builders import STACK, stack_config
from .aws_requests import launch_template, node_group, role, role_policy
from .recorder import Recorded, record
from .test_aws_requests import BOUNDARY, POOLS, group

if not (os.environ.get("CI") or find_spec("moto")):
    pytest.skip("needs moto[server] and boto3, which the group dev has", allow_module_level=True)
boto3, moto_server = import_module("boto3"), import_module("moto.server")

AWS = STACK["cluster"]["aws"]
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        made = moto_server.ThreadedMotoServer(port=0, verbose=False)
        made.start()
        host, port = made.get_host_and_port()
        yield f"http://{host}:{port}"
        made.stop()


@pytest.fixture(scope="module")
def client(server: str) -> Client:
    """Makes clients of the account itself, or of other credentials."""

    @cache
    def make(service: str, key: str = "test", secret: str = "test", token: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=server,
            region_name=AWS["region"],
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    return make


def _ask(server: str, what: str, data: str = "") -> None:
    request = urllib.request.Request(
        f"{server}/moto-api/{what}", data=data.encode(), headers={"Content-Type": "text/plain"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("number", range(len(POOLS)))
def test_a_managed_node_group_is_made_from_its_role_template_and_policies(client: Client, number: int) -> None:
    found, eks, ec2, roles, name = group(POOLS[number]), client("eks"), client("ec2"), client("iam"), f"pool-{number}"
    arn = roles.create_role(**role(found.one(":Role").inputs, name=name))["Role"]["Arn"]
    for attached in found.all(":RolePolicyAttachment"):
        roles.attach_role_policy(RoleName=name, PolicyArn=attached.inputs["policyArn"])
    template = ec2.create_launch_template(**launch_template(found.one(":LaunchTemplate").inputs, name=name))
    made = {"id": template["LaunchTemplate"]["LaunchTemplateId"], "version": "1"}
    inputs = {**found.one(":NodeGroup").inputs, "clusterName": name, "launchTemplate": made}
    eks.create_cluster(name=name, roleArn=arn, resourcesVpcConfig={"subnetIds": AWS["subnets"]})

    request = node_group(inputs, name="pool", role=arn)
    eks.create_nodegroup(**request)
    there = eks.describe_nodegroup(clusterName=name, nodegroupName="pool")["nodegroup"]
    # moto keeps no updateConfig, and gives a template its name beside its id.
    kept = request.keys() - {"updateConfig", "launchTemplate"}
    assert {key: there[key] for key in kept} == {key: request[key] for key in kept}
    assert made.items() <= there["launchTemplate"].items()


def test_ec2_gives_the_nodes_their_disks_and_keeps_pods_from_their_credentials(client: Client) -> None:
    ec2, inputs = client("ec2"), group(POOLS[2]).one(":LaunchTemplate").inputs
    request = launch_template(inputs, name="disks")
    made = ec2.create_launch_template(**request)["LaunchTemplate"]["LaunchTemplateId"]
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=made)["LaunchTemplateVersions"]
    wanted = request["LaunchTemplateData"]
    assert {key: version["LaunchTemplateData"][key] for key in wanted} == wanted
    assert wanted["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


READS, WRITES = ("s3://models/resnet50",), ("s3://engines/prod/resnet50",)


def identity() -> Recorded:
    def program(platform: Platform) -> None:
        WorkloadIdentity("resnet50", WorkloadIdentityArgs(platform, "resnet50", {"team": "vision"}, READS, WRITES))

    return record(program, stack_config(**BOUNDARY))


def test_the_pods_role_trusts_the_clusters_own_issuer(client: Client) -> None:
    roles, inputs = client("iam"), identity().one(":Role").inputs
    issuer = roles.create_open_id_connect_provider(
        Url=f"https://{AWS['oidc_provider']}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    roles.create_role(**role(inputs, name=inputs["name"]))
    [trust] = roles.get_role(RoleName=inputs["name"])["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Federated": issuer["OpenIDConnectProviderArn"]}
    arn = roles.get_role(RoleName=inputs["name"])["Role"]["Arn"]
    assert arn == iam.role_arn(stack_config().cluster.aws, inputs["name"])  # type: ignore[arg-type]
    session = client("sts").assume_role_with_web_identity(
        RoleArn=arn,
        RoleSessionName="pod",
        WebIdentityToken="token",
    )
    assert session["AssumedRoleUser"]["Arn"].startswith(
        arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    )


def test_a_policy_against_the_grammar_would_be_seen(client: Client) -> None:
    roles, found = client("iam"), identity()
    roles.create_role(**role(found.one(":Role").inputs, name="grammar"))
    request = role_policy(found.one(":RolePolicy").inputs, of="grammar")
    roles.put_role_policy(**request)
    wrong = request["PolicyDocument"].replace('"s3:GetObject"', '"GetObject"')
    with pytest.raises(Exception, match="MalformedPolicyDocument"):
        roles.put_role_policy(**request | {"PolicyDocument": wrong})


@pytest.fixture(scope="class")
def pod(client: Client, server: str) -> Iterator[Any]:
    """S3 as the pod's role sees it, in an account that asks for permissions; not all in the buckets is its own."""
    roles, found, account = client("iam"), identity(), client("s3")
    for bucket in ("models", "engines"):
        account.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": AWS["region"]})
    for bucket, key in (
        ("models", "resnet50/3/model.onnx"), ("models", "resnet50-v2/model.onnx"), ("models", "fraud/1/model.onnx"),
        ("engines", "prod/resnet50/a"), ("engines", "prod/resnet50/a.claim"), ("engines", "prod/fraud/a"),
    ):  # fmt: skip
        account.put_object(Bucket=bucket, Key=key, Body=b"x")
    inputs, policy = found.one(":Role").inputs, found.one(":RolePolicy").inputs
    # moto judges a request by the policies alone, so that the trust and its conditions must not be in the way here.
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    made = roles.create_role(**role(inputs, name="pod") | {"AssumeRolePolicyDocument": json.dumps(trust)})
    roles.put_role_policy(**role_policy(policy, of="pod"))
    session = client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="pod")["Credentials"]
    _ask(server, "reset-auth", "0")
    yield client("s3", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    _ask(server, "reset-auth", "inf")


class TestThePodsRole:
    @pytest.mark.parametrize(
        ("operation", "bucket", "key", "allowed"),
        [
            ("get_object", "models", "resnet50/3/model.onnx", True),
            ("get_object", "models", "resnet50-v2/model.onnx", False),
            ("get_object", "models", "fraud/1/model.onnx", False),
            ("get_object", "engines", "prod/resnet50/a", True),
            ("get_object", "engines", "prod/fraud/a", False),
            ("put_object", "engines", "prod/resnet50/b", True),
            ("put_object", "engines", "prod/fraud/b", False),
            ("put_object", "models", "resnet50/4/model.onnx", False),
            ("delete_object", "engines", "prod/resnet50/a.claim", True),
            ("delete_object", "engines", "prod/resnet50/a", False),
            ("delete_object", "models", "resnet50/3/model.onnx", False),
        ],
    )
    def test_reads_its_model_writes_its_results_and_nothing_else(
        self, pod: Any, operation: str, bucket: str, key: str, allowed: bool
    ) -> None:
        if allowed:
            getattr(pod, operation)(Bucket=bucket, Key=key)
        else:
            with pytest.raises(Exception, match=r"AccessDenied|Access Denied|403"):
                getattr(pod, operation)(Bucket=bucket, Key=key)

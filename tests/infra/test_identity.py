"""Who a pod is: IAM documents judged by IAM's own rules, and the ServiceAccount that carries the role."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.infra import iam
from slipform.infra.identity import (
    WorkloadIdentity,
    WorkloadIdentityArgs,
    built_uris,
    existing_account,
    served_uris,
    written_uris,
)
from slipform.infra.platform import Platform
from slipform.spec.stack import Aws

from ..builders import model_spec, stack_config
from .options import options
from .recorder import Recorded, record

OIDC = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
AWS = Aws(account="123456789012", region="eu-west-1", cluster_name="models-prod", oidc_provider=OIDC)
BUILD = {"target": "onnx", "precision": "int8-dynamic"}


def allows(document: dict[str, Any] | None, action: str, resource: str, **context: str) -> bool:
    """Whether IAM would allow it: a statement with the action, the resource and every condition."""
    return any(
        statement["Effect"] == "Allow"
        and action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and all(_holds(operator, wanted, context) for operator, wanted in statement.get("Condition", {}).items())
        for statement in (document or {}).get("Statement", [])
    )


def _holds(operator: str, wanted: dict[str, list[str]], context: dict[str, str]) -> bool:
    given = {key: context.get(key.replace(":", "_")) for key in wanted}
    return all(
        operator == "StringLikeIfExists" if value is None else any(fnmatchcase(value, p) for p in wanted[key])
        for key, value in given.items()
    )


class TestBucketAccess:
    document = iam.bucket_access(AWS, ["s3://models/resnet50"], ["s3://engines/prod/resnet50"])

    @pytest.mark.parametrize(
        "key", ["models/resnet50/3/model.onnx", "models/resnet50", "engines/prod/resnet50/k/3/model.plan"]
    )
    def test_what_is_below_its_prefixes_may_be_read(self, key: str) -> None:
        assert allows(self.document, "s3:GetObject", f"arn:aws:s3:::{key}")

    @pytest.mark.parametrize(
        "key",
        ["models/resnet500/3/model.onnx", "models/fraud/1/model.onnx", "engines/prod/fraud/x", "other/resnet50/x"],
    )
    def test_another_models_files_may_not_be_read(self, key: str) -> None:
        assert not allows(self.document, "s3:GetObject", f"arn:aws:s3:::{key}")

    def test_only_the_place_of_the_result_may_be_written(self) -> None:
        assert allows(self.document, "s3:PutObject", "arn:aws:s3:::engines/prod/resnet50/k/3/model.plan")
        assert not allows(self.document, "s3:PutObject", "arn:aws:s3:::models/resnet50/3/model.onnx")

    def test_nothing_may_be_deleted_but_the_claim_of_two_builds_that_end_together(self) -> None:
        below = "arn:aws:s3:::engines/prod/resnet50/k"
        assert allows(self.document, "s3:DeleteObject", f"{below}/.3.claim")
        assert not allows(self.document, "s3:DeleteObject", f"{below}/3/model.plan")
        assert not allows(self.document, "s3:DeleteObject", "arn:aws:s3:::models/resnet50/.3.claim")

    def test_a_build_is_told_that_its_result_is_not_there_yet(self) -> None:
        """S3 answers 404 for a missing object to whoever may list its bucket, and 403 to others."""
        assert allows(self.document, "s3:ListBucket", "arn:aws:s3:::engines")
        assert not allows(self.document, "s3:ListBucket", "arn:aws:s3:::engines", s3_prefix="prod/fraud/")

    def test_a_server_writes_nothing(self) -> None:
        document = iam.bucket_access(AWS, ["s3://models/resnet50"])
        actions = {action for statement in (document or {})["Statement"] for action in statement["Action"]}
        assert actions == {"s3:GetObject", "s3:ListBucket"}

    def test_a_bucket_is_listed_below_its_prefix_only(self) -> None:
        bucket = "arn:aws:s3:::models"
        assert allows(self.document, "s3:ListBucket", bucket, s3_prefix="resnet50/3/")
        assert not allows(self.document, "s3:ListBucket", bucket, s3_prefix="fraud/")
        assert not allows(self.document, "s3:ListBucket", bucket)

    def test_a_whole_bucket_is_listed_and_read_whole(self) -> None:
        document = iam.bucket_access(AWS, ["s3://models"])
        assert allows(document, "s3:ListBucket", "arn:aws:s3:::models")
        assert allows(document, "s3:GetObject", "arn:aws:s3:::models/anything")
        assert not allows(document, "s3:GetObject", "arn:aws:s3:::models-of-others/anything")

    @pytest.mark.parametrize(
        "uri", ["gs://models/a", "hf://org/model", "https://example.com/m.onnx", "file:models/iris"]
    )
    def test_other_stores_need_no_role(self, uri: str) -> None:
        assert iam.bucket_access(AWS, [uri]) is None

    def test_a_star_in_a_uri_is_a_star_and_no_pattern(self) -> None:
        document = iam.bucket_access(AWS, ["s3://models/a*b"])
        assert "arn:aws:s3:::models/a${*}b/*" in (document or {})["Statement"][0]["Resource"]

    def test_the_order_of_the_uris_makes_no_difference(self) -> None:
        uris = ["s3://b/x", "s3://a/y", "s3://a/x", "s3://a/x"]
        assert iam.as_json(iam.bucket_access(AWS, uris) or {}) == iam.as_json(iam.bucket_access(AWS, uris[::-1]) or {})

    @given(
        st.lists(st.from_regex(r"s3://[a-z]{3,8}(/[a-z0-9*?_.-]{1,8}){0,3}", fullmatch=True), min_size=1, max_size=5)
    )
    def test_every_document_has_the_shape_that_iam_takes(self, uris: list[str]) -> None:
        document = iam.bucket_access(AWS, uris, uris[:1])
        assert document is not None
        assert document["Version"] == "2012-10-17"
        for statement in document["Statement"]:
            assert statement.keys() <= {"Effect", "Action", "Resource", "Condition"}
            assert all(re.fullmatch(r"s3:[A-Z][A-Za-z]+", action) for action in statement["Action"])
            assert all(arn.startswith("arn:aws:s3:::") for arn in statement["Resource"])
        # An inline policy of a role: 10,240 characters in all.
        assert len(iam.as_json(document)) < 10_240


class TestTrust:
    def test_only_the_pods_of_one_service_account_take_on_the_role(self) -> None:
        (statement,) = iam.trust_of_pods(AWS, "models", "resnet50")["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{OIDC}"}
        assert statement["Condition"] == {
            "StringEquals": {
                f"{OIDC}:aud": "sts.amazonaws.com",
                f"{OIDC}:sub": "system:serviceaccount:models:resnet50",
            }
        }

    def test_every_region_is_in_the_partition_that_botocore_says(self) -> None:
        for partition in botocore.loaders.Loader().load_data("partitions")["partitions"]:
            regions = [region for region in partition["regions"] if not region.endswith("-global")]
            assert {iam.partition(region) for region in regions} <= {partition["id"]}, partition["id"]

    def test_china_has_ec2_by_another_name(self) -> None:
        china = AWS.model_copy(update={"region": "cn-north-1"})
        (statement,) = iam.trust_of_machines(china)["Statement"]
        assert statement["Principal"] == {"Service": "ec2.amazonaws.com.cn"}
        assert iam.managed_policy_arn(china, "X") == "arn:aws-cn:iam::aws:policy/X"


class TestRoleName:
    def test_it_says_cluster_namespace_and_service_account(self) -> None:
        assert iam.role_name(AWS, "models", "resnet50") == "models-prod-models-resnet50"

    @given(st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
    def test_it_is_one_that_iam_takes(self, account: str) -> None:
        assert re.fullmatch(r"[\w+=,.@-]{1,64}", iam.role_name(AWS, "n" * 63, account))

    def test_long_names_stay_different(self) -> None:
        assert iam.role_name(AWS, "n" * 63, "a") != iam.role_name(AWS, "n" * 63, "b")


def made(stack: dict[str, Any] | None = None, **args: Any) -> Recorded:
    def program(platform: Platform) -> None:
        args.setdefault("reads", ("s3://models/resnet50",))
        WorkloadIdentity("resnet50", WorkloadIdentityArgs(platform, "resnet50", {"a": "b"}, **args))

    return record(program, stack_config(**(stack or {})))


class TestWorkloadIdentity:
    def test_the_service_account_carries_the_roles_arn(self) -> None:
        found = made()
        account, role = found.one(":ServiceAccount").inputs, found.one(":Role").inputs
        assert role["name"] == "models-prod-models-resnet50"
        assert account["metadata"]["annotations"] == {
            "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/models-prod-models-resnet50"
        }
        assert json.loads(found.one(":RolePolicy").inputs["policy"]) == iam.bucket_access(AWS, ["s3://models/resnet50"])

    def test_it_gets_no_token_for_kubernetes(self) -> None:
        assert made().one(":ServiceAccount").inputs["automountServiceAccountToken"] is False

    def test_the_role_has_the_stacks_boundary(self) -> None:
        boundary = "arn:aws:iam::123456789012:policy/boundary"
        found = made({"cluster": {"aws": {"permissions_boundary": boundary}}})
        assert found.one(":Role").inputs["permissionsBoundary"] == boundary

    @pytest.mark.parametrize(
        ("stack", "reads"),
        [
            ({}, ("gs://models/a", "file:models/iris")),
            ({}, ()),
            ({"cluster": {"aws": {"oidc_provider": ...}}}, ("s3://models/a",)),
            ({"cluster": {"aws": ...}}, ("s3://models/a",)),
        ],
    )
    def test_without_s3_or_oidc_there_is_an_account_and_no_role(
        self, stack: dict[str, Any], reads: tuple[str, ...]
    ) -> None:
        found = made(stack, reads=reads)
        assert "annotations" not in found.one(":ServiceAccount").inputs["metadata"]
        assert not [r for r in found.resources if "aws" in r.type]

    def test_an_account_that_is_there_is_used_and_nothing_made(self) -> None:
        names: list[str] = []

        def program(platform: Platform) -> None:
            args = WorkloadIdentityArgs(platform, "resnet50", {}, ("s3://models/a",), existing="vision-models")
            WorkloadIdentity("resnet50", args).service_account_name.apply(names.append)

        found = record(program)
        assert names == ["vision-models"]
        assert not found.all(":ServiceAccount")
        assert not found.all(":Role")

    def test_pods_wait_for_the_permissions(self) -> None:
        def program(platform: Platform) -> None:
            WorkloadIdentity("a", WorkloadIdentityArgs(platform, "a", {}, ("s3://models/a",)))

        before = options(program)["ServiceAccount", "a"].depends_on
        assert [type(resource).__name__ for resource in before] == ["RolePolicy"]  # type: ignore[union-attr]


class TestUris:
    def test_a_server_reads_all_versions_of_its_models(self) -> None:
        spec = model_spec(rollout={"strategy": "shadow", "candidate": {"version": 4, "uri": "s3://new/resnet50"}})
        assert served_uris([spec], stack_config()) == ("s3://models/resnet50", "s3://new/resnet50")

    def test_a_server_of_a_built_model_reads_what_was_built_alone(self) -> None:
        assert served_uris([model_spec(build=BUILD)], stack_config()) == ("s3://models-engines/prod/resnet50",)

    def test_a_build_reads_the_model_its_calibration_and_its_samples(self) -> None:
        calibration = {"uri": "s3://models/calibration.npz"}
        build = {"target": "onnx", "precision": "int8-static", "calibration": calibration, "samples": "s3://m/s.npz"}
        read = ("s3://m/s.npz", "s3://models/calibration.npz", "s3://models/resnet50")
        assert built_uris(model_spec(build=build)) == read

    def test_a_build_writes_below_its_own_name(self) -> None:
        assert written_uris(model_spec(build=BUILD), stack_config()) == ("s3://models-engines/prod/resnet50",)

    def test_where_a_secret_gives_access_no_role_does(self) -> None:
        spec = model_spec(model={"credentials": {"secret": "store"}})
        assert served_uris([spec], stack_config()) == ()

    @pytest.mark.parametrize(
        ("credentials", "expected"),
        [({"service_account": "mine"}, "mine"), ({"secret": "store"}, None), (None, None)],
    )
    def test_the_account_is_the_one_that_a_spec_names(
        self, credentials: dict[str, str] | None, expected: str | None
    ) -> None:
        assert existing_account([model_spec(), model_spec(model={"credentials": credentials})]) == expected

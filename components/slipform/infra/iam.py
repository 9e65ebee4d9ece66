"""IAM documents as plain data: who may take on a role, and the prefixes of buckets that it may read and write."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from ..spec.stack import Aws

MAX_ROLE_NAME = 64
"""IAM's limit (RoleName of CreateRole)."""


_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def partition(region: str) -> str:
    """The part of AWS that a region is in, as ARNs name it."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


def role_name(aws: Aws, namespace: str, service_account: str) -> str:
    """One name for one ServiceAccount of one cluster; a name over IAM's limit ends in a hash of the whole."""
    name = f"{aws.cluster_name}-{namespace}-{service_account}"
    if len(name) <= MAX_ROLE_NAME:
        return name
    short = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_ROLE_NAME - len(short) - 1]}-{short}"


def role_arn(aws: Aws, name: str) -> str:
    """A role's ARN, known before the role is there."""
    return f"arn:{partition(aws.region)}:iam::{aws.account}:role/{name}"


def managed_policy_arn(aws: Aws, name: str) -> str:
    """The ARN of a policy that AWS keeps."""
    return f"arn:{partition(aws.region)}:iam::aws:policy/{name}"


def trust_of_machines(aws: Aws) -> dict[str, Any]:
    """EC2 instances may take on the role."""
    suffix = ".cn" if partition(aws.region) == "aws-cn" else ""
    principal = {"Service": f"ec2.amazonaws.com{suffix}"}
    return _document([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}])


def trust_of_pods(aws: Aws, namespace: str, service_account: str) -> dict[str, Any]:
    """The pods of one ServiceAccount may take on the role, and no others of the cluster."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:{partition(aws.region)}:iam::{aws.account}:oidc-provider/{aws.oidc_provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{aws.oidc_provider}:aud": "sts.amazonaws.com",
                f"{aws.oidc_provider}:sub": f"system:serviceaccount:{namespace}:{service_account}",
            }
        },
    }
    return _document([statement])


def bucket_access(aws: Aws, reads: Iterable[str], writes: Iterable[str] = ()) -> dict[str, Any] | None:
    """What may be done below these ``s3:`` URIs; what is written may be read as well. None where none is of S3."""
    written, read = _places(aws, writes), _places(aws, reads)
    if not (written or read):
        return None
    statements = [
        _statement(["s3:GetObject"], _objects(sorted({*read, *written}))),
        *(_listing(bucket, [prefix for b, prefix in read if b == bucket]) for bucket in _buckets(read)),
    ]
    for bucket in _buckets(written):
        prefixes = [prefix for b, prefix in written if b == bucket]
        statements += [
            # To read what is not there is forbidden, and not just in vain, to whoever may not list: a build looks for
            # its result first. That look names no prefix. Parts of large files that a killed build has left are found
            # by a list of their own.
            _listing(bucket, prefixes, "s3:ListBucketMultipartUploads", operator="StringLikeIfExists"),
            _statement(["s3:PutObject", "s3:AbortMultipartUpload"], _objects((bucket, prefix) for prefix in prefixes)),
            # Builds that end together agree by a claim on who sends, and take it away; nothing else goes.
            _statement(["s3:DeleteObject"], [_below(bucket, prefix, "*.claim") for prefix in prefixes]),
        ]
    return _document(statements)


def as_json(document: dict[str, Any]) -> str:
    """The same text for the same document."""
    return json.dumps(document, separators=(",", ":"))


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _places(aws: Aws, uris: Iterable[str]) -> list[tuple[str, str]]:
    """The bucket's ARN and the prefix of each URI that is of S3, sorted, each once."""
    parts = [uri.removeprefix("s3://").partition("/") for uri in uris if uri.startswith("s3://")]
    start = f"arn:{partition(aws.region)}:s3:::"
    return sorted({(start + _literal(bucket), _literal(prefix.strip("/"))) for bucket, _, prefix in parts})


def _literal(text: str) -> str:
    """What IAM would read as a pattern or a variable, as itself."""
    return re.sub(r"[*?$]", r"${\g<0>}", text)


def _buckets(places: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({bucket for bucket, _ in places})


def _objects(places: Iterable[tuple[str, str]]) -> list[str]:
    """A URI names a file or a folder: the object itself, and all below it."""
    return [
        arn
        for bucket, prefix in places
        for arn in ((f"{bucket}/{prefix}",) if prefix else ()) + (_below(bucket, prefix, "*"),)
    ]


def _below(bucket: str, prefix: str, pattern: str) -> str:
    return f"{bucket}/{prefix}/{pattern}" if prefix else f"{bucket}/{pattern}"


def _listing(bucket: str, prefixes: list[str], *more: str, operator: str = "StringLike") -> dict[str, Any]:
    statement = _statement(["s3:ListBucket", *more], [bucket])
    if "" not in prefixes:
        below = [pattern for prefix in prefixes for pattern in (prefix, f"{prefix}/*")]
        statement["Condition"] = {operator: {"s3:prefix": below}}
    return statement


def _statement(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}

"""Can the pods reach the model, and the builds the place for their result?"""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig

WRITABLE = ("s3", "gs")
"""Stores that a pod can write to and other pods read."""


def stack_problems(stack: StackConfig) -> Iterator[Finding]:
    """Where built engines go; the paths are the stack config's."""
    scheme = stack.artifacts.uri.partition(":")[0] if stack.artifacts else None
    if scheme is not None and scheme not in WRITABLE:
        yield Finding(
            f"a build in the cluster can't put its result under {scheme}:",
            path=("artifacts", "uri"),
            given=stack.artifacts.uri if stack.artifacts else None,
            allowed=", ".join(f"{name}://BUCKET/PREFIX" for name in WRITABLE),
        )


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """Stores that nobody has been let into; that a bucket is public, or a node's role enough, can't be known here."""
    if stack is None:
        return
    if spec.build is not None and spec.model.scheme == "file":
        yield Finding(
            "a build in the cluster has no files of this project",
            path=("model", "uri"),
            given=spec.model.uri,
            remedy="upload the model and name the bucket, for this stack alone: stacks: {NAME: {model: {uri: s3://…}}}",
        )
    if spec.model.credentials is not None:
        return
    aws = stack.cluster.aws
    schemes = {spec.model.scheme} | (
        {stack.artifacts.uri.partition(":")[0]} if spec.build and stack.artifacts else set()
    )
    if "s3" in schemes and (aws is None or aws.oidc_provider is None):
        yield Finding(
            "nothing lets the pods into S3: the stack's cluster names no OIDC provider",
            path=("model", "credentials"),
            severity="warning",
            remedy="add slipform:cluster.aws.oidc_provider for a role that Slipform makes, or model.credentials",
        )
    if "gs" in schemes:
        yield Finding(
            "nothing lets the pods into Cloud Storage",
            path=("model", "credentials"),
            severity="warning",
            remedy="add model.credentials: {service_account: NAME}, one that is bound to a Google service account",
        )

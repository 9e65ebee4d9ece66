"""What is said of stores that nobody has been let into."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.review.access import problems, stack_problems

from ..builders import model_spec, stack_config

NO_OIDC = {"cluster": {"aws": {"oidc_provider": ...}}}
BUILD = {"target": "onnx", "precision": "int8-dynamic"}


@pytest.mark.parametrize(
    ("spec", "stack"),
    [
        ({}, {}),
        ({"model": {"uri": "https://example.com/m.onnx"}}, NO_OIDC),
        ({"model": {"uri": "file:models/m"}}, NO_OIDC),
        ({"model": {"credentials": {"service_account": "a"}}}, NO_OIDC),
        ({"model": {"uri": "gs://models/m", "credentials": {"secret": "a"}}}, {}),
    ],
)
def test_nothing_is_said_where_somebody_has_access(spec: dict[str, Any], stack: dict[str, Any]) -> None:
    assert list(problems(model_spec(**spec), stack_config(**stack))) == []


@pytest.mark.parametrize(
    ("spec", "stack", "severity", "message"),
    [
        ({}, NO_OIDC, "warning", "into S3"),
        ({}, {"cluster": {"aws": ...}}, "warning", "into S3"),
        ({"model": {"uri": "https://example.com/m.onnx"}, "build": BUILD}, NO_OIDC, "warning", "into S3"),
        ({"model": {"uri": "gs://models/m"}}, {}, "warning", "into Cloud Storage"),
        ({"model": {"uri": "file:models/m"}, "build": BUILD}, {}, "error", "no files of this project"),
    ],
)
def test_a_store_that_nobody_may_enter_is_named(
    spec: dict[str, Any], stack: dict[str, Any], severity: str, message: str
) -> None:
    (finding,) = problems(model_spec(**spec), stack_config(**stack))
    assert finding.severity == severity
    assert message in finding.message


def test_without_a_stack_nothing_is_known() -> None:
    assert list(problems(model_spec(model={"uri": "file:models/m"}, build=BUILD), None)) == []


@pytest.mark.parametrize(
    ("uri", "fine"),
    [("s3://engines/prod", True), ("gs://engines", True), ("file:engines", False), ("https://example.com/e", False)],
)
def test_a_builds_result_goes_to_an_object_store(uri: str, fine: bool) -> None:
    assert [finding.path for finding in stack_problems(stack_config(artifacts={"uri": uri}))] == (
        [] if fine else [("artifacts", "uri")]
    )


def test_a_stack_without_builds_needs_no_artifacts() -> None:
    assert list(stack_problems(stack_config(artifacts=...))) == []

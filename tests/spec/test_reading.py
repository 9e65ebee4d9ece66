"""Every mistake in one go: what is wrong is taken out, and the rest still says what it sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform.spec.document import read
from slipform.spec.findings import InvalidSpec
from slipform.spec.modelspec import ModelSpec
from slipform.spec.reading import typed

from ..builders import SPEC, merged


def messages(tmp_path: Path, **changes: Any) -> list[tuple[str, str]]:
    file = tmp_path / "spec.yaml"
    file.write_text(json.dumps(merged(SPEC, changes)), encoding="utf-8")
    _, findings, _ = typed(ModelSpec, read(file))
    return [(finding.field, finding.message) for finding in findings]


def test_a_right_spec_has_no_findings(tmp_path: Path) -> None:
    assert messages(tmp_path) == []


def test_a_mistake_within_a_part_does_not_hide_the_parts_own(tmp_path: Path) -> None:
    found = messages(tmp_path, scaling={"min_replicas": 5, "max_replicas": 2, "typo": 1})
    assert found == [("scaling.typo", "unknown field 'typo'"), ("scaling", "min_replicas 5 is over max_replicas 2")]


def test_what_was_taken_out_is_not_reported_as_missing(tmp_path: Path) -> None:
    found = messages(tmp_path, model={"uri": "nowhere", "format": "onx"})
    assert [field for field, _ in found] == ["model.format", "model.uri"]


def test_what_is_there_under_a_misspelt_name_is_not_missing(tmp_path: Path) -> None:
    spec = {("modle" if key == "model" else key): value for key, value in SPEC.items()}
    (tmp_path / "spec.yaml").write_text(json.dumps(spec), encoding="utf-8")
    _, findings, wrong = typed(ModelSpec, read(tmp_path / "spec.yaml"))
    assert [(each.message, each.remedy) for each in findings] == [("unknown field 'modle'", "did you mean 'model'?")]
    assert wrong == [("model",)]


@pytest.mark.parametrize("written", ["70%", "70 %"])
def test_a_number_with_a_percent_sign_is_shown_without(tmp_path: Path, written: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(json.dumps(merged(SPEC, {"scaling": {"metrics": {"utilization": written}}})), encoding="utf-8")
    _, (found,), _ = typed(ModelSpec, read(file))
    assert (found.message, found.remedy) == ("not a whole number", "write 70")


def test_an_availability_that_is_a_share_is_refused_with_the_percentage(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(json.dumps(merged(SPEC, {"slo": {"availability": 0.999}})), encoding="utf-8")
    _, (found,), _ = typed(ModelSpec, read(file))
    assert (found.field, found.remedy) == ("slo.availability", "write 99.9")


def test_mistakes_of_several_parts_come_together(tmp_path: Path) -> None:
    found = messages(tmp_path, name="A_b", team=3, slo={"latency": {"p95": 100}}, traffic={"timeout": "soon"})
    assert {field for field, _ in found} == {"name", "team", "slo.latency.p95", "traffic.timeout"}


def test_a_version_may_be_quoted(tmp_path: Path) -> None:
    assert messages(tmp_path, model={"version": "3"}) == []


@pytest.mark.parametrize("version", ["01", "0", "-1", "abc", 0, -1, 1.5, True, str(2**63), 2**63])
def test_what_is_no_version_folder_is_refused(tmp_path: Path, version: object) -> None:
    assert [field for field, _ in messages(tmp_path, model={"version": version})] == ["model.version"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "5ms", "8Gi", "nvidia-l4", "canary"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([*ModelSpec.model_fields, "candidate", "weight", "version"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*ModelSpec.model_fields, "unknown"]), ANYTHING, max_size=5))
def test_any_mapping_is_a_spec_or_has_findings_with_a_place(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(json.dumps({**SPEC, **changes}), encoding="utf-8")
    try:
        spec, findings, _ = typed(ModelSpec, read(file))
    except InvalidSpec as invalid:
        spec, findings = None, list(invalid.findings)
    assert (spec is not None and not findings) or findings
    assert all(finding.location is not None and finding.location.line for finding in findings)

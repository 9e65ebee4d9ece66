"""What a stack's specs lose without a capability: as its own load would say it, and read only once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipform import project as loading
from slipform.doctor import needs, with_everything
from slipform.doctor.needs import CAPABILITIES
from slipform.project import load
from slipform.spec.findings import Finding, InvalidSpec
from slipform.spec.stack import Capability

ROOT = Path(__file__).parents[2]


def said(has: tuple[Capability, ...]) -> tuple[Finding, ...]:
    try:
        return load(ROOT, "prod", values={"slipform:has": json.dumps(has)}).warnings
    except InvalidSpec as invalid:
        return invalid.findings


def test_what_is_missed_is_what_the_stack_itself_would_be_told() -> None:
    everything = {(each.path, each.message) for each in said(CAPABILITIES)}
    found = needs(with_everything(ROOT, "prod"), has=CAPABILITIES)
    for missing in CAPABILITIES:
        told = [
            (each.location and each.location.file, each.field, each.message, each.severity)
            for each in said(tuple(each for each in CAPABILITIES if each != missing))
            if (each.path, each.message) not in everything
        ]
        assert [(each.file, each.field, each.message, each.severity) for each in found[missing]] == told
    assert any(found.values())


def test_no_file_is_read_again_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    project = with_everything(ROOT, "prod")
    monkeypatch.setattr(loading, "read", lambda *_: pytest.fail("a file was read"))
    assert set(needs(project, has=())) == set(CAPABILITIES)


@pytest.mark.parametrize(("capability", "spec"), [("cluster-autoscaler", "fraud"), ("dcgm-exporter", "ticket-router")])
def test_a_capability_that_a_spec_needs_is_named_with_it(capability: Capability, spec: str) -> None:
    found = needs(with_everything(ROOT, "prod"), has=CAPABILITIES)
    assert spec in {need.file.stem for need in found[capability]}

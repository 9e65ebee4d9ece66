"""GPUs whose failures nobody would be told of, and dashboards of what nobody records."""

from __future__ import annotations

import pytest

from slipform.review.monitoring import problems, stack_problems

from ..builders import STACK, model_spec, stack_config

CPU_ONLY = {"resources": {"cpu": 2, "memory": "1Gi", "accelerator": None}}


def test_gpus_without_a_dcgm_exporter_are_doubted() -> None:
    has = [each for each in STACK["has"] if each != "dcgm-exporter"]
    (finding,) = problems(model_spec(), stack_config(has=has))
    assert (finding.severity, finding.path) == ("warning", ("serving", "resources", "accelerator"))
    assert "add dcgm-exporter to slipform:has" in (finding.remedy or "")


@pytest.mark.parametrize(
    ("serving", "has"),
    [({}, STACK["has"]), ({}, ["metrics-server"]), (CPU_ONLY, ["prometheus-operator"])],
    ids=["it is there", "nothing is measured", "no GPU"],
)
def test_nothing_is_said_where_nothing_is_missed(serving: dict[str, object], has: list[str]) -> None:
    assert list(problems(model_spec(serving=serving), stack_config(has=has))) == []


@pytest.mark.parametrize(
    ("has", "doubts"),
    [(["grafana"], 1), (["grafana", "prometheus-operator"], 0), ([], 0)],
    ids=["nothing is recorded", "all is there", "none is wanted"],
)
def test_a_dashboard_of_what_nobody_records_is_doubted(has: list[str], doubts: int) -> None:
    found = list(stack_problems(stack_config(has=has)))
    assert [(finding.severity, finding.path) for finding in found] == [("warning", ("has",))] * doubts

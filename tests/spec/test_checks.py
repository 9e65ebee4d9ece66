"""Checks across the fields of a spec, where their arithmetic could go wrong."""

from __future__ import annotations

import pytest

from slipform.spec import checks

from ..builders import model_spec


@pytest.mark.parametrize(
    ("each", "peak", "replicas"), [(100, 2000, 20), (0.5, 20, 40), (1.5, 100, 67), (400, 4001, 11)]
)
def test_the_replicas_that_carry_the_peak_are_named(each: float, peak: float, replicas: int) -> None:
    spec = model_spec(scaling={"metrics": {"requests_per_second": each}}, traffic={"peak_rps": peak})
    (finding,) = checks.the_replicas_can_carry_the_peak(spec)
    assert finding.remedy == f"raise it to {replicas}"


@pytest.mark.parametrize(("axis", "batching", "doubts"), [("batch", 8, 1), ("N", 8, 1), ("seq", 8, 0), ("batch", 0, 0)])
def test_a_batch_axis_that_is_written_out_is_doubted(axis: str, batching: int, doubts: int) -> None:
    spec = model_spec(
        model={"inputs": [{"name": "x", "dtype": "FP32", "shape": [axis, 4]}]},
        serving={"batching": {"max_batch_size": batching}},
    )
    found = [*checks.the_batch_axis_is_implied(spec)]
    assert [each.severity for each in found] == ["warning"] * doubts

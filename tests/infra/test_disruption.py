"""What a drained node may take away."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.infra.disruption import MAX_UNAVAILABLE, PodDisruptionBudget, PodDisruptionBudgetArgs

from .recorder import record
from .served import server


def test_one_budget_covers_all_tracks_and_lets_failing_pods_go() -> None:
    found = record(lambda platform: PodDisruptionBudget("resnet50", PodDisruptionBudgetArgs(platform, server())))
    budget = found.one("policy/v1:PodDisruptionBudget").inputs
    assert budget["metadata"]["name"] == "resnet50"
    assert budget["spec"] == {
        "maxUnavailable": "10%",
        "selector": {"matchLabels": {"app.kubernetes.io/name": "resnet50"}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


@given(st.integers(1, 1000))
def test_a_node_can_always_be_drained_and_most_replicas_stay(replicas: int) -> None:
    """Kubernetes rounds a percentage of maxUnavailable up."""
    allowed = math.ceil(replicas * int(MAX_UNAVAILABLE.removesuffix("%")) / 100)
    assert 1 <= allowed <= max(1, replicas // 2)


@pytest.mark.parametrize(("replicas", "allowed"), [(1, 1), (2, 1), (10, 1), (11, 2), (20, 2)])
def test_a_tenth_may_go_at_once(replicas: int, allowed: int) -> None:
    assert math.ceil(replicas * int(MAX_UNAVAILABLE.removesuffix("%")) / 100) == allowed

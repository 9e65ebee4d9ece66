"""Routes and rollouts before a real API server, whose CustomResourceDefinitions have rules that no schema tells."""

from typing import Any

import pytest
from tests.builders import model_spec
from tests.cluster.api import Object
from tests.cluster.plane import Plane
from tests.infra.recorder import record
from tests.infra.served import BLUE_GREEN, CANARY, GATEWAY, METRICS, PORTS, PROGRESSIVE, exposing_stack, server

from slipform.infra.disruption import PodDisruptionBudget, PodDisruptionBudgetArgs
from slipform.infra.network_policy import NetworkPolicy, NetworkPolicyArgs
from slipform.infra.platform import Platform
from slipform.infra.progressive import ProgressiveRollout, ProgressiveRolloutArgs
from slipform.infra.traffic import TrafficRoute, TrafficRouteArgs

EXPOSE = {"host": "resnet50.models.example.com", "auth": "jwt"}
CANDIDATE = {"candidate": {"version": 4}}
ROLLOUTS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "canary": CANARY,
    "blue-green": {"strategy": "blue-green", **CANDIDATE, "active": 4},
    "shadow": {"strategy": "shadow", **CANDIDATE, "percent": 5},
    "header": {"strategy": "ab", **CANDIDATE, "header": "x-cohort", "match": "beta"},
    "cookie": {"strategy": "ab", **CANDIDATE, "cookie": "cohort", "match": "be.ta"},
    "progressive canary": PROGRESSIVE,
    "progressive blue-green": {**BLUE_GREEN, "keep_for": "30m"},
}


def manifests(namespace: str, **changes: Any) -> list[Object]:
    """What the components of traffic make for a server in a namespace, its gateway included."""
    stack = exposing_stack(cluster={"namespace": namespace}, gateway={**GATEWAY, "namespace": namespace})
    made = server(model_spec(**changes), stack)

    def program(platform: Platform) -> None:
        TrafficRoute("resnet50", TrafficRouteArgs(platform, made, PORTS))
        PodDisruptionBudget("resnet50", PodDisruptionBudgetArgs(platform, made))
        NetworkPolicy("resnet50", NetworkPolicyArgs(platform, made, PORTS))
        if made.spec.progressive:
            ProgressiveRollout("resnet50", ProgressiveRolloutArgs(platform, made, PORTS, METRICS))

    return [each.inputs for each in record(program, stack).resources if each.type.startswith("kubernetes:")]


@pytest.mark.parametrize("auth", ["jwt", "mtls", "none"])
@pytest.mark.parametrize("rollout", ROLLOUTS)
def test_the_server_takes_every_kind_of_rollout_and_address(
    plane: Plane, namespace: str, rollout: str, auth: str
) -> None:
    made = manifests(
        namespace, rollout=ROLLOUTS[rollout], expose={**EXPOSE, "auth": auth}, traffic={"clients": ["web"]}
    )
    for manifest in made:
        plane.api.apply(manifest, dry_run=True)
    assert {"VirtualService", "DestinationRule", "Gateway", "PodDisruptionBudget", "NetworkPolicy"} <= {
        manifest["kind"] for manifest in made
    }

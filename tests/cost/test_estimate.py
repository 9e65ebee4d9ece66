"""What servers cost, by arithmetic that can be followed: replicas, nodes, a month of 730 hours."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.cost import wording
from slipform.cost.estimate import estimate, server_cost
from slipform.cost.figures import Figures, ServerCost, StackCost, to_document, total
from slipform.project import Service

from ..builders import model_spec, stack_config

# Whole dollars an hour, so that a month of one node is 730 dollars.
PRICES = {"g6.xlarge": 1, "g6.2xlarge": 2, "g6.12xlarge": 5, "c7i.2xlarge": 1, "c7i.4xlarge": 2, "m7i.xlarge": 1}
CPU = {"resources": {"cpu": 2, "memory": "1Gi", "accelerator": None}}
OWN = {"pool": ..., "provisioner": "karpenter", "instance_types": ["g6.xlarge"], "max_nodes": 50}
GROUP = {"pool": ..., "provisioner": "eks", "instance_types": ["c7i.2xlarge"], "min_nodes": 2, "max_nodes": 12}


def cost_of(spec: dict[str, Any] | None = None, stack: dict[str, Any] | None = None, **cost: Any) -> ServerCost:
    config = stack_config(**(stack or {}), cost={"prices": PRICES, "spot_discount": 50, **cost})
    return server_cost("resnet50", [model_spec(**(spec or {}))], config)


def figures(least: str, most: str, expected: str | None = None) -> Figures:
    return Figures(Decimal(least), None if expected is None else Decimal(expected), Decimal(most))


CASES = {
    # One L4 a replica, one L4 a g6.xlarge: 2 to 6 nodes, 365 to 1,095 at half price.
    "a whole GPU each, spot": (
        {"nodes": {**OWN, "capacity": "spot"}, "scaling": {"min_replicas": 2, "max_replicas": 6}},
        figures("2", "6"),
        figures("730", "2190"),
    ),
    "on demand": (
        {"nodes": OWN, "scaling": {"min_replicas": 2, "max_replicas": 6}},
        figures("2", "6"),
        figures("1460", "4380"),
    ),
    # No more nodes than the pool may have: the other replicas wait.
    "a pool that is full": (
        {"nodes": {**OWN, "max_nodes": 4}, "scaling": {"min_replicas": 2, "max_replicas": 6}},
        figures("2", "4"),
        figures("1460", "2920"),
    ),
    # Scaled to none, Karpenter keeps no machine.
    "from zero": (
        {"nodes": OWN, "scaling": {"min_replicas": 0, "max_replicas": 1}},
        figures("0", "1"),
        figures("0", "730"),
    ),
    # A c7i.2xlarge leaves 7,910m: three replicas of 2 processors; 4 need 2 nodes, 16 need 6.
    "three replicas on a node": (
        {"serving": CPU, "nodes": GROUP, "scaling": {"min_replicas": 4, "max_replicas": 16}},
        figures("2", "6"),
        figures("1460", "4380"),
    ),
    # One replica would do with one node; the group keeps two.
    "a group's own minimum": (
        {"serving": CPU, "nodes": GROUP, "scaling": {"min_replicas": 1, "max_replicas": 9}},
        figures("2", "3"),
        figures("1460", "2190"),
    ),
    # A shadow of all traffic has replicas of its own: 3 + 3 to 16 + 16, on 2 to 11 nodes.
    "a shadow": (
        {
            "serving": CPU,
            "nodes": GROUP,
            "scaling": {"min_replicas": 3, "max_replicas": 16},
            "rollout": {"strategy": "shadow", "candidate": {"version": 4}, "percent": 100},
        },
        figures("2", "11"),
        figures("1460", "8030"),
    ),
    # The idle version of a blue-green pair waits with the 4 that it keeps: 2 + 4 to 4 + 4.
    "a blue-green pair": (
        {
            "nodes": OWN,
            "scaling": {"min_replicas": 2, "max_replicas": 4},
            "rollout": {"strategy": "blue-green", "candidate": {"version": 4}, "active": 3},
        },
        figures("6", "8"),
        figures("4380", "5840"),
    ),
    # A tenth of the traffic: 1 of 2 replicas at least, as many as the other at most.
    "a canary": (
        {
            "nodes": OWN,
            "scaling": {"min_replicas": 2, "max_replicas": 4},
            "rollout": {"strategy": "canary", "candidate": {"version": 4}, "weight": 10},
        },
        figures("3", "8"),
        figures("2190", "5840"),
    ),
}


@pytest.mark.parametrize(("spec", "nodes", "monthly"), CASES.values(), ids=CASES)
def test_nodes_and_what_they_cost_follow_from_the_replicas(
    spec: dict[str, Any], nodes: Figures, monthly: Figures
) -> None:
    cost = cost_of(spec)
    assert (cost.unknown, cost.nodes, cost.monthly) == ("", nodes, monthly)


def test_of_a_shared_pool_a_replica_pays_the_part_that_it_takes_most_of() -> None:
    """1 of 7.91 processors and 1 of 14.6 GiB: 2 × 1000 ÷ 7910 of a node at a dollar an hour are 184.58 a month."""
    pool = {
        "gpu-l4": {"provisioner": "eks", "instance_types": ["c7i.2xlarge"], "capacity": "on-demand", "min_nodes": 1}
    }
    resources = {"cpu": 1, "memory": "1Gi", "accelerator": None}
    cost = cost_of({"serving": {"resources": resources}, "scaling": {"max_replicas": 4}}, {"node_pools": pool})
    assert cost.pool == "gpu-l4"
    assert cost.monthly == figures("184.58", "369.15")
    assert cost.nodes == figures("0.2528", "0.5057")


def test_of_a_shared_pool_of_gpus_a_replica_pays_for_its_gpus() -> None:
    """A quarter of a g6.12xlarge, which has four L4: 5 ÷ 4 × 730."""
    pool = {"gpu-l4": {"instance_types": ["g6.12xlarge"], "capacity": "on-demand"}}
    cost = cost_of({"scaling": {"min_replicas": 1, "max_replicas": 4}}, {"node_pools": pool})
    assert (cost.nodes, cost.monthly) == (figures("0.25", "1"), figures("912.50", "3650"))


def test_karpenter_takes_the_cheapest_that_does_for_each_number_of_replicas() -> None:
    """One L4: a g6.xlarge for 1. Eight: eight of them for 8, two g6.12xlarge for 10; at 2 an hour each, the latter."""
    nodes = {**OWN, "instance_types": ["g6.xlarge", "g6.12xlarge"]}
    spec = {"nodes": nodes, "scaling": {"min_replicas": 1, "max_replicas": 8}}
    assert cost_of(spec).machines == {"g6.xlarge": 1}
    dear = cost_of(spec, prices={**PRICES, "g6.xlarge": 2})
    assert dear.machines == {"g6.xlarge": 2, "g6.12xlarge": 5}
    assert (dear.nodes, dear.monthly) == (figures("1", "2"), figures("1460", "7300"))


def test_a_managed_node_group_is_of_its_first_type() -> None:
    nodes = {**GROUP, "instance_types": ["c7i.4xlarge", "c7i.2xlarge"]}
    assert cost_of({"serving": CPU, "nodes": nodes}).machines == {"c7i.4xlarge": 2}


def test_a_group_that_nothing_makes_grow_stays_as_it_is() -> None:
    stack = {"has": ["metrics-server", "prometheus-adapter"]}
    cost = cost_of({"serving": CPU, "nodes": GROUP, "scaling": {"max_replicas": 40}}, stack)
    assert cost.nodes == figures("2", "2")


def test_spot_is_assumed_to_cost_less_by_the_stacks_word() -> None:
    spec = {"nodes": {**OWN, "capacity": "spot"}, "scaling": {"min_replicas": 1, "max_replicas": 1}}
    assert cost_of(spec, spot_discount=0).monthly.least == 730
    assert cost_of(spec, spot_discount=60).monthly.least == 292
    assert cost_of(spec).spot


RATE = {"metrics": {"utilization": 70, "requests_per_second": 100}}


@pytest.mark.parametrize(
    ("rps", "bounds", "replicas"),
    [(450, (2, 10), 5), (400, (2, 10), 4), (401, (2, 10), 5), (10, (2, 10), 2), (5000, (2, 10), 10)],
)
def test_the_expected_load_needs_what_the_autoscalers_target_makes_of_it(
    rps: float, bounds: tuple[int, int], replicas: int
) -> None:
    low, high = bounds
    spec = {
        "nodes": OWN,
        "scaling": {"min_replicas": low, "max_replicas": high, **RATE},
        "traffic": {"expected_rps": rps},
    }
    cost = cost_of(spec)
    assert cost.replicas.expected == replicas
    assert cost.monthly.expected == 730 * replicas


def test_the_expected_load_is_shared_between_the_tracks() -> None:
    """1,000 requests a second at 100 each: 9 replicas for 90 % of them and 1 for the canary's 10 %."""
    rollout = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
    scaling = {"min_replicas": 1, "max_replicas": 20, **RATE}
    spec = {"nodes": OWN, "scaling": scaling, "traffic": {"expected_rps": 1000}, "rollout": rollout}
    assert cost_of(spec).replicas.expected == 10
    shadow = {"strategy": "shadow", "candidate": {"version": 4}, "percent": 50}
    assert cost_of({**spec, "rollout": shadow}).replicas.expected == 15


def test_without_a_target_or_a_load_nothing_is_expected_unless_the_number_is_fixed() -> None:
    load = {"traffic": {"expected_rps": 100}}
    assert cost_of({"nodes": OWN, **load}).monthly.expected is None
    assert cost_of({"nodes": OWN, "scaling": RATE}).monthly.expected is None
    fixed = {"min_replicas": 3, "max_replicas": 3}
    assert cost_of({"nodes": OWN, "scaling": fixed}).monthly == figures("2190", "2190", "2190")


def test_a_million_predictions_cost_what_a_month_does_by_their_number() -> None:
    """100 a second are 262.8 million a month; two nodes cost 1,460, four 2,920."""
    spec = {"nodes": OWN, "scaling": {"min_replicas": 2, "max_replicas": 4}, "traffic": {"expected_rps": 100}}
    assert cost_of(spec).per_million == figures("5.5556", "11.1111")
    known = cost_of({**spec, "scaling": {"min_replicas": 2, "max_replicas": 4, **RATE}})
    assert known.per_million == figures("5.5556", "11.1111", "5.5556")


def test_at_full_use_each_replica_does_what_its_autoscaler_aims_at() -> None:
    """A node at a dollar an hour does 100 × 3,600 requests in it: 2.7778 a million, however many nodes there are."""
    spec = {"nodes": OWN, "scaling": {"min_replicas": 2, "max_replicas": 7, **RATE}}
    assert cost_of(spec).full_use == Decimal("2.7778")
    shadow = {"strategy": "shadow", "candidate": {"version": 4}, "percent": 100}
    assert cost_of({**spec, "rollout": shadow}).full_use == Decimal("5.5556"), "a shadow's answers reach nobody"


def test_models_that_share_a_server_are_one_bill() -> None:
    spec = model_spec(nodes=OWN, scaling=RATE, serving={"server": "vision"}, traffic={"expected_rps": 250})
    other = model_spec(name="vgg", nodes=OWN, scaling=RATE, serving={"server": "vision"}, traffic={"expected_rps": 550})
    stack = stack_config(cost={"prices": PRICES})
    cost = server_cost("vision", [other, spec], stack)
    assert cost.replicas == figures("2", "10", "6")
    # 4,380 for 800 requests a second, 2,102.4 million a month.
    assert cost.per_million == figures("0.6944", "3.4722", "2.0833")


def test_a_build_may_take_two_hours_of_a_node_for_each_version() -> None:
    build = {"build": {"target": "tensorrt"}, "nodes": OWN}
    assert cost_of(build).builds == 2
    candidate = {"strategy": "shadow", "candidate": {"version": 4}, "percent": 100}
    assert cost_of({**build, "rollout": candidate}).builds == 4
    assert cost_of({"nodes": OWN}).builds is None


@pytest.mark.parametrize("rps", [1e-300, 1e-9, 1e300])
@pytest.mark.parametrize("replicas", [1, 10**40])
def test_numbers_that_nobody_means_are_reckoned_with_too(rps: float, replicas: int) -> None:
    spec = {"scaling": {"min_replicas": 1, "max_replicas": replicas, **RATE}, "traffic": {"expected_rps": rps}}
    cost = cost_of(spec)
    assert cost.monthly.most == 365 * replicas
    document = to_document(StackCost("USD", (cost,)))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert list(wording.rows(StackCost("USD", (cost,))))


# -- nodes that are there, and prices of one's own


EXISTING = {
    "gpu-l4": {
        "provisioner": "existing",
        "labels": {"rack": "7"},
        "instance_types": [],
        "capacity": ...,
        "max_nodes": 9,
    }
}
RACK = {"price": 1.25, "cpu": 31, "memory": "240Gi", "accelerators": 4}


def test_nodes_without_aws_cost_what_the_stack_says() -> None:
    """A quarter of a node at 1.25: 228.125 a month, in the stack's own currency."""
    stack = {"node_pools": EXISTING, "cluster": {"aws": ...}}
    cost = cost_of({"scaling": {"min_replicas": 1, "max_replicas": 8}}, stack, currency="EUR", nodes={"gpu-l4": RACK})
    assert (cost.nodes, cost.monthly) == (figures("0.25", "2"), figures("228.13", "1825"))


def test_a_price_for_a_pool_is_what_is_paid_there_spot_or_not() -> None:
    cost = cost_of({"scaling": {"min_replicas": 1, "max_replicas": 1}}, nodes={"gpu-l4": {"price": 0.33}})
    assert (cost.machines, cost.spot) == ({"g6.xlarge": Decimal("0.33")}, False)


def test_models_that_name_no_nodes_pay_their_part_of_the_stacks_default() -> None:
    resources = {"cpu": 1, "memory": "1Gi", "accelerator": None}
    cost = cost_of(
        {"nodes": ..., "serving": {"resources": resources}, "scaling": {"min_replicas": 1, "max_replicas": 3}},
        default_node={"price": 2, "cpu": 4, "memory": "16Gi"},
    )
    assert (cost.nodes, cost.monthly) == (figures("0.25", "0.75"), figures("365", "1095"))


UNPRICED = "no public price of g6.xlarge in eu-west-1 as of 2025-05-28: write slipform:cost.prices: {g6.xlarge: …}"
METAL = {"node_pools": {"gpu-l4": {"instance_types": ["p3.metal"]}}}
UNKNOWN: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"nodes": ...}, {}, {}, "it names no nodes: write slipform:cost.default_node"),
    ({}, {"node_pools": EXISTING}, {}, "write slipform:cost.nodes.gpu-l4: its price, cpu, memory"),
    (
        {},
        {"node_pools": EXISTING},
        {"nodes": {"gpu-l4": {"price": 1}}},
        "add cpu and memory to slipform:cost.nodes.gpu-",
    ),
    ({}, {}, {"prices": {}}, UNPRICED),
    ({}, {}, {"prices": {}, "currency": "EUR"}, "no price of g6.xlarge in EUR: write slipform:cost.prices"),
    ({}, {"cluster": {"aws": ...}}, {"prices": {}}, "since the stack names no AWS region"),
    ({}, {}, {"nodes": {"gpu-l4": {"price": 1, "cpu": 2, "memory": "4Gi"}}}, "a replica does not fit g6.xlarge"),
    ({}, METAL, {"prices": {"p3.metal": 1}}, "what p3.metal has is not known"),
]


@pytest.mark.parametrize(("spec", "stack", "cost", "said"), UNKNOWN)
def test_what_is_not_known_says_why_and_what_to_write(
    spec: dict[str, Any], stack: dict[str, Any], cost: dict[str, Any], said: str
) -> None:
    found = server_cost("resnet50", [model_spec(**spec)], stack_config(**stack, cost=cost))
    assert said in found.unknown
    assert found.monthly == figures("0", "0", "0")


def test_one_type_with_a_price_is_enough_for_karpenter() -> None:
    nodes = {**OWN, "instance_types": ["g6.4xlarge", "g6.xlarge"]}
    assert cost_of({"nodes": nodes}).machines == {"g6.xlarge": 1}


# -- what holds of all


sizes = st.fixed_dictionaries(
    {
        "cpu": st.integers(1, 7),
        "memory": st.sampled_from(["1Gi", "3Gi", "7Gi"]),
        "least": st.integers(0, 20),
        "more": st.integers(0, 20),
        "rps": st.none() | st.integers(1, 5000),
        "shared": st.booleans(),
    }
)


def sized(size: dict[str, Any], replicas: int = 0) -> ServerCost:
    resources = {"cpu": size["cpu"], "memory": size["memory"], "accelerator": None}
    low, high = size["least"], max(size["least"] + size["more"] + replicas, 1)
    pool = {"provisioner": "karpenter", "instance_types": ["c7i.2xlarge", "c7i.4xlarge"], "max_nodes": 100}
    return cost_of(
        {
            "serving": {"resources": resources},
            "nodes": {"pool": "gpu-l4"} if size["shared"] else {"pool": ..., **pool},
            "scaling": {"min_replicas": low, "max_replicas": high, **RATE},
            "traffic": {"expected_rps": size["rps"]} if size["rps"] else {},
        },
        {"node_pools": {"gpu-l4": {**pool, "capacity": "on-demand"}}},
    )


@given(size=sizes, replicas=st.integers(1, 30))
def test_more_replicas_never_cost_less(size: dict[str, Any], replicas: int) -> None:
    fewer, more = sized(size), sized(size, replicas)
    assert fewer.monthly.least == more.monthly.least
    assert fewer.monthly.most <= more.monthly.most


@given(size=sizes)
def test_the_least_the_expected_and_the_most_are_in_order(size: dict[str, Any]) -> None:
    month = sized(size).monthly
    assert month.least <= (month.most if month.expected is None else month.expected) <= month.most


@given(size=sizes)
def test_a_share_is_never_more_than_the_whole_nodes_that_would_do(size: dict[str, Any]) -> None:
    shared, own = sized({**size, "shared": True}), sized({**size, "shared": False})
    assert shared.monthly.most <= own.monthly.most
    assert shared.nodes.most <= shared.replicas.most


def test_a_stack_costs_what_its_servers_do() -> None:
    services = [Service(name, (model_spec(name=name),)) for name in ("a", "b")] + [
        Service("c", (model_spec(nodes=...),))
    ]
    cost = estimate(services, stack_config(cost={"prices": PRICES, "max_monthly": 100}))
    assert cost.monthly == total(server.monthly for server in cost.servers)
    assert [server.name for server in cost.known] == ["a", "b"]
    assert (cost.max_monthly, cost.max_increase, cost.spot_discount) == (Decimal(100), None, 60)

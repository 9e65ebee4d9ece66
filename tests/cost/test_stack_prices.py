"""``cost`` in a stack's config: what is refused, and with which advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipform.review import review_stack
from slipform.spec.document import parse
from slipform.spec.findings import describe
from slipform.spec.reading import typed
from slipform.spec.stack import StackConfig

from ..builders import stack_config

WRONG = [
    ("prices: {g6.xlarge: 0}", "cost.prices.g6.xlarge"),
    ("prices: {g6.xlarge: -1}", "cost.prices.g6.xlarge"),
    ("prices: {g6.xlarge: cheap}", "cost.prices.g6.xlarge"),
    ("prices: {g6.xlarge: .inf}", "cost.prices.g6.xlarge"),
    ("prices: {g6: 1}", "cost.prices"),
    ("spot_discount: 96", "cost.spot_discount"),
    ("spot_discount: 0.6", "cost.spot_discount"),
    ("currency: euro", "cost.currency"),
    ("max_monthly: 0", "cost.max_monthly"),
    ("max_increase: lots", "cost.max_increase"),
    ("max_month: 10", "did you mean 'max_monthly'?"),
    ("nodes: {rack: {cpu: 3, memory: 8Gi}}", "write price: 1.10 (per node and hour), or instance_type: m7i.xlarge"),
    ("nodes: {rack: {price: 1, cpu: 3}}", "cpu and memory together, or neither"),
    ("default_node: {price: 1, accelerators: 4}", "write cpu and memory as well"),
]


@pytest.mark.parametrize(("cost", "said"), WRONG)
def test_what_is_no_price_is_refused_at_its_place(cost: str, said: str) -> None:
    text = f"cluster: {{context: kind, namespace: models}}\ncost:\n  {cost}\n"
    _, findings, _ = typed(StackConfig, parse(text, Path("Pulumi.prod.yaml")))
    (found,) = findings
    assert said in describe(found)
    assert found.location is not None
    assert found.location.line == 3


@pytest.mark.parametrize(
    ("cost", "field"),
    [
        ({"prices": {"g6.xlrge": 1}}, "cost.prices.g6.xlrge"),
        ({"nodes": {"rack": {"instance_type": "g6.xlrge"}}}, "cost.nodes.rack.instance_type"),
        ({"default_node": {"instance_type": "g6.xlrge"}}, "cost.default_node.instance_type"),
    ],
)
def test_a_type_that_ec2_does_not_have_is_suggested_the_nearest(cost: dict[str, Any], field: str) -> None:
    (found,) = review_stack(stack_config(cost=cost))
    assert (found.field, found.severity, found.remedy) == (field, "error", "did you mean 'g6.xlarge'?")


def test_prices_of_what_there_is_are_right() -> None:
    cost = {"prices": {"g6.xlarge": 1}, "nodes": {"a": {"price": 0.4}}, "default_node": {"instance_type": "m7i.xlarge"}}
    assert [*review_stack(stack_config(cost=cost))] == []

"""The table of public prices: what it says, and how it is made of its sources."""

from __future__ import annotations

import json
import runpy
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from slipform.cost import prices
from slipform.spec import instances

TOOL = Path(__file__).parents[2] / "tools/prices.py"
TABLE = files("slipform.cost") / "on_demand.csv"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


@pytest.mark.parametrize(
    ("instance_type", "region", "price"),
    [
        # As AWS publishes them: https://aws.amazon.com/ec2/pricing/on-demand/
        ("g6.xlarge", "us-east-1", "0.8048"),
        ("g6.xlarge", "eu-central-1", "1.0064"),
        ("g4dn.xlarge", "us-east-1", "0.526"),
        ("c7i.2xlarge", "us-east-1", "0.357"),
        ("c7i.2xlarge", "eu-central-1", "0.4074"),
        ("m7i.xlarge", "eu-west-1", "0.2247"),
        ("p5.48xlarge", "us-east-1", "55.04"),
        ("m5.large", "us-gov-west-1", "0.121"),
    ],
)
def test_a_price_is_the_published_one(instance_type: str, region: str, price: str) -> None:
    assert prices.on_demand(instance_type, region) == Decimal(price)


@pytest.mark.parametrize(
    ("instance_type", "region"),
    [("g6.xlarge", "eu-west-1"), ("g6.xlarge", "cn-north-1"), ("g6.xlarg", "us-east-1"), ("as of", "mars-1"), ("", "")],
)
def test_what_is_not_offered_or_not_known_has_no_price(instance_type: str, region: str) -> None:
    assert prices.on_demand(instance_type, region) is None


def test_an_older_price_of_a_type_that_was_repriced_since_is_left_out() -> None:
    """AWS took 44 % off the p5 in June 2025: what was known of other regions before is not true any more."""
    assert prices.on_demand("p5.48xlarge", "us-west-2") is None


def test_each_region_says_of_which_day_its_prices_are() -> None:
    assert prices.day("us-east-1") == "2026-07-20"
    assert prices.day("eu-central-1") == "2025-05-28"
    assert prices.day("mars-1") is None


def test_the_table_is_in_order(tool: dict[str, Any]) -> None:
    assert list(tool["problems"](TABLE.read_text(encoding="utf-8"))) == []
    assert tool["main"](["--check"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\na1.2xlarge,", "\na9.2xlarge,", "a9.2xlarge is no instance type"),
        (",us-west-2\n", ",us_west\n", "its columns are not"),
        ("as of,2", "as of,x", "its second row does not say"),
        ("\nas of,", "\nday,", "its second row does not say"),
        (",0.2568,", ",-0.2568,", "the row of a1.2xlarge is no row of prices"),
        (",0.2568,", ",much,", "the row of a1.2xlarge is no row of prices"),
        (",0.2568,", ",", "the row of a1.2xlarge is no row of prices"),
    ],
)
def test_a_table_that_is_not_in_order_is_refused_with_the_reason(
    tool: dict[str, Any], old: str, new: str, said: str
) -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    assert any(said in problem for problem in tool["problems"](text.replace(old, new, 1)))


KARPENTER = """
// generated at 2026-07-20T13:44:30Z for us-east-1
var InitialOnDemandPricesAWS = map[string]map[ec2types.InstanceType]float64{
\t// us-east-1
\t"us-east-1": {
\t\t// g6 family
\t\t"g6.2xlarge": 0.977600, "g6.xlarge": 0.804800,
\t},
\t"us-east-2": {
\t\t"g6.xlarge": 0.900000,
\t},
}
"""


def test_karpenters_tables_are_read_by_region(tool: dict[str, Any]) -> None:
    assert tool["of_karpenter"](KARPENTER) == {
        "g6.2xlarge": {"us-east-1": Decimal("0.9776")},
        "g6.xlarge": {"us-east-1": Decimal("0.8048"), "us-east-2": Decimal("0.9")},
    }
    with pytest.raises(ValueError, match="not in dollars"):
        tool["of_karpenter"](KARPENTER.replace("PricesAWS", "PricesCN"))


def test_of_ec2instances_info_only_whole_regions_and_linux_are_read(tool: dict[str, Any]) -> None:
    linux, windows = {"linux": {"ondemand": "1.5"}}, {"mswin": {"ondemand": "2.5"}}
    pricing = {"eu-west-1": linux, "us-east-1-dfw-1": linux, "us-west-2": windows}
    text = json.dumps([{"instance_type": "m5.large", "pricing": pricing}])
    assert tool["of_ec2instances"](text) == {"m5.large": {"eu-west-1": Decimal("1.5")}}


def test_a_newer_source_adds_replaces_and_makes_repriced_types_unknown_elsewhere(tool: dict[str, Any]) -> None:
    one, two = Decimal(1), Decimal(2)
    old = {"a": {"east": one, "west": one}, "b": {"east": one, "west": one}, "c": {"west": one}}
    new = {"a": {"east": one}, "b": {"east": two}, "d": {"east": one}}
    assert tool["newer"](old, new) == {
        "a": {"east": one, "west": one},
        "b": {"east": two},
        "c": {"west": one},
        "d": {"east": one},
    }


def test_what_is_written_is_in_order_and_says_the_same(tool: dict[str, Any]) -> None:
    known = {"m5.large": {"eu-west-1": Decimal("0.10700")}, "a1.large": {"us-east-1": Decimal("0.051")}}
    text = tool["written"](
        {**known, "zz.large": {"us-east-1": Decimal(1)}}, {"eu-west-1": "2026-01-02", "us-east-1": "2026-03-04"}
    )
    assert list(tool["problems"](text)) == []
    assert text.splitlines()[2:] == [
        "type,eu-west-1,us-east-1",
        "as of,2026-01-02,2026-03-04",
        "a1.large,,0.051",
        "m5.large,0.107,",
    ]


def test_nearly_every_type_that_can_be_bought_has_a_price_somewhere() -> None:
    priced = {line.partition(",")[0] for line in TABLE.read_text(encoding="utf-8").splitlines()}
    assert len(priced & set(instances.names())) > 0.9 * len(instances.names())

"""How two values are compared, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform.plan import Secret
from slipform.plan.change import quantity
from slipform.plan.change.fields import ABSENT, compare

from .test_graph import values


def found(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    return [(field.where, field.before, field.after) for field in compare(before, after)]


@given(values)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert found(value, value) == []


@given(st.dictionaries(st.text(), values, max_size=5))
def test_the_order_of_keys_is_no_difference(value: dict[str, Any]) -> None:
    assert found(value, dict(reversed(value.items()))) == []


PLAIN = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["", "a", "b\nc", "[secret]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(PLAIN, PLAIN)
def test_two_values_without_differing_fields_are_equal_but_for_nothingness(before: Any, after: Any) -> None:
    def without_none(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_none(item) for key, item in value.items() if item is not None}
        if isinstance(value, list):
            return [without_none(item) for item in value]
        return value

    if not found(before, after):
        assert without_none(before) == without_none(after)


def test_a_field_says_where_it_is() -> None:
    before = {"spec": {"containers": [{"name": "server", "image": "a"}]}, "data": {"a.b": "1"}}
    after = {"spec": {"containers": [{"name": "server", "image": "b"}]}, "data": {"a.b": "2"}}
    assert found(before, after) == [('data["a.b"]', "1", "2"), ("spec.containers[server].image", "a", "b")]


def test_what_is_added_or_removed_has_one_side() -> None:
    assert found({"a": 1}, {"b": {"c": 2}}) == [("a", 1, ABSENT), ("b", ABSENT, {"c": 2})]


def test_null_and_absence_are_one() -> None:
    assert found({"a": None}, {}) == []


def test_true_and_one_are_two() -> None:
    assert found({"a": True}, {"a": 1}) == [("a", True, 1)]


@pytest.mark.parametrize(
    ("name", "before", "after", "wanted"),
    [
        (
            "env",
            [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
            [("env[B].value", "2", "3"), ("env[C]", ABSENT, {"name": "C", "value": "4"})],
        ),
        (
            "ports",
            [{"name": "http", "port": 80, "targetPort": 8000}],
            [{"name": "http", "port": 80, "targetPort": 8080}],
            [("ports[http].targetPort", 8000, 8080)],
        ),
        (
            "ports",
            [{"containerPort": 8000, "protocol": "TCP"}],
            [{"containerPort": 8001, "protocol": "TCP"}],
            [
                ("ports[8001/TCP]", ABSENT, {"containerPort": 8001, "protocol": "TCP"}),
                ("ports[8000/TCP]", {"containerPort": 8000, "protocol": "TCP"}, ABSENT),
            ],
        ),
        (
            "volumeMounts",
            [{"name": "a", "mountPath": "/x"}, {"name": "a", "mountPath": "/y"}],
            [{"name": "a", "mountPath": "/x"}, {"name": "b", "mountPath": "/y"}],
            [("volumeMounts[/y].name", "a", "b")],
        ),
        (
            "metrics",
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}],
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
            [("metrics[cpu].resource.target.averageUtilization", 70, 80)],
        ),
        (
            "rules",
            [{"alert": "A", "expr": "x > 1"}, {"alert": "B", "expr": "y"}],
            [{"alert": "A", "expr": "x > 2"}, {"alert": "B", "expr": "y"}],
            [("rules[A].expr", "x > 1", "x > 2")],
        ),
        (
            "requirements",
            [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}],
            [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}],
            [("requirements[karpenter.sh/capacity-type].values", ["spot"], ["on-demand"])],
        ),
        ("args", ["--a", "--b"], ["--a", "--c"], [("args", ["--a", "--b"], ["--a", "--c"])]),
        (
            "http",
            [{"route": [{"weight": 90}, {"weight": 10}]}],
            [{"route": [{"weight": 50}, {"weight": 50}]}],
            [("http[0].route[0].weight", 90, 50), ("http[0].route[1].weight", 10, 50)],
        ),
        (
            "steps",
            [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}],
            [{"setWeight": 10}, {"setWeight": 50}],
            [("steps[1]", {"pause": {}}, ABSENT)],
        ),
    ],
)
def test_lists_are_compared_by_their_items_keys(
    name: str, before: list[Any], after: list[Any], wanted: list[Any]
) -> None:
    assert found({name: before}, {name: after}) == wanted


def test_the_order_of_subnets_says_nothing_and_that_of_instance_types_does() -> None:
    assert list(compare({"subnetIds": ["a", "b"]}, {"subnetIds": ["b", "a"]})) == []
    assert len(list(compare({"subnetIds": ["a", "b"]}, {"subnetIds": ["b", "c"]}))) == 1
    assert len(list(compare({"instanceTypes": ["a", "b"]}, {"instanceTypes": ["b", "a"]}))) == 1


def test_items_in_another_order_are_said_to_be_reordered_and_no_more() -> None:
    items = [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}, {"name": "c", "value": "3"}]
    (field,) = compare({"env": items}, {"env": items[::-1]})
    assert (field.reordered, field.before, field.after) == (True, ["a", "b", "c"], ["c", "b", "a"])


def test_two_items_with_one_key_are_compared_by_place() -> None:
    before = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    after = [{"name": "a", "value": "1"}, {"name": "a", "value": "3"}]
    assert found({"env": before}, {"env": after}) == [("env[1].value", "2", "3")]


# -- quantities --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("1Gi", "1024Mi"), ("500m", "0.5"), (1, "1"), ("1e3", "1k"), ("1000m", 1), ("0.1", "100m"), ("1Ki", 1024)],
)
def test_one_amount_spelled_in_two_ways_is_no_difference(one: Any, other: Any) -> None:
    assert found({"requests": {"x": one}}, {"requests": {"x": other}}) == []


@pytest.mark.parametrize(("one", "other"), [("1Gi", "1G"), ("1", "1m"), ("1Gi", "2Gi"), ("a", "b")])
def test_two_amounts_are_a_difference(one: Any, other: Any) -> None:
    assert len(found({"limits": {"x": one}}, {"limits": {"x": other}})) == 1


def test_a_text_elsewhere_is_no_quantity() -> None:
    assert found({"version": "1.0"}, {"version": "1"}) == [("version", "1.0", "1")]


@given(st.integers(1, 10**6), st.sampled_from(["Ki", "Mi", "Gi"]))
def test_binary_suffixes_are_powers_of_1024(number: int, suffix: str) -> None:
    power = {"Ki": 1, "Mi": 2, "Gi": 3}[suffix]
    assert quantity.parse(f"{number}{suffix}") == number * 1024**power


# -- texts ---------------------------------------------------------------------------------------------


def test_a_long_text_is_compared_by_lines() -> None:
    before = {"config.pbtxt": 'name: "m"\nmax_batch_size: 32\ninput {}\n'}
    (field,) = compare(before, {"config.pbtxt": 'name: "m"\nmax_batch_size: 64\ninput {}\n'})
    assert field.lines == ("@@ -1,3 +1,3 @@", ' name: "m"', "-max_batch_size: 32", "+max_batch_size: 64", " input {}")


def test_json_within_a_text_is_compared_as_json() -> None:
    (field,) = compare({"policy": '{"b":1,"a":[1,2]}'}, {"policy": '{"a":[1,3],"b":1}'})
    assert [line for line in field.lines if line[0] in "+-"] == ["-    2", "+    3"]


def test_the_same_json_written_differently_is_said_to_be_that() -> None:
    (field,) = compare({"policy": '{"a": 1}'}, {"policy": '{"a":1}'})
    assert field.lines == (" the same JSON, written differently",)


def test_a_line_end_more_or_less_is_said_to_be_that() -> None:
    (field,) = compare({"a": "x\ny"}, {"a": "x\ny\n"})
    assert field.lines == (" only the line end at the end of the text",)


def test_a_secret_is_never_compared_by_lines() -> None:
    (field,) = compare({"a": Secret("1")}, {"a": "x\ny"})
    assert field.is_secret
    assert field.lines == ()

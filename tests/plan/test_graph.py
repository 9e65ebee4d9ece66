"""The graph as JSON and back, and how it answers."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform import plan
from slipform.plan.graph import from_document, to_document
from slipform.plan.values import KNOWN_AFTER_APPLY, Secret, contains, decode, encode

# A text that reads as a hidden secret does is taken for one, and hypothesis knows our constants.
texts = st.text().filter(lambda text: not text.startswith("[secret"))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.just(KNOWN_AFTER_APPLY)
    | st.from_regex(r"[0-9a-f]{16}", fullmatch=True).map(Secret)
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(values)
def test_a_value_survives_the_way_to_another_process(value: object) -> None:
    assert decode(json.loads(json.dumps(encode(value)))) == value


@given(st.dictionaries(st.text(), values, max_size=4))
def test_a_graph_survives_the_way_to_another_process(inputs: dict[str, object]) -> None:
    resource = plan.Resource(urn="urn:pulumi:d::p::a:b:C::c", type="a:b:C", name="c", custom=True, inputs=inputs)
    graph = plan.Graph("p", "d", (resource,))
    assert from_document(json.loads(json.dumps(to_document(graph, fingerprints=True)))) == graph


def test_a_real_graph_survives_its_json_except_for_fingerprints(models_dev: plan.Graph) -> None:
    again = plan.from_json(plan.to_json(models_dev))
    assert plan.to_json(again) == plan.to_json(models_dev)
    assert again.resources[0] == models_dev.resources[0]
    assert again.messages == models_dev.messages
    assert "secret:" not in plan.to_json(models_dev)


def test_secrets_compare_by_fingerprint_and_print_alike() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert str(Secret("a")) == f"{Secret('b')}" == json.loads(json.dumps(Secret("c"))) == "[secret]"
    assert repr(Secret("a")) == "'[secret]'"
    assert contains({"a": [1, {"b": Secret("x")}]}, Secret)
    assert not contains({"a": ["[secret]"]}, Secret)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no plan that can be read"),
        ("[]", "its format is 'list'"),
        ('{"format": "slipform.plan/v9"}', "its format is 'slipform.plan/v9', wanted is 'slipform.plan/v1'"),
        ('{"format": "slipform.plan/v1"}', "damaged: KeyError"),
        (
            '{"format": "slipform.plan/v1", "project": "p", "stack": "s", "outputs": {}, "messages": [], '
            '"resources": [{"urn": "u", "colour": "red"}]}',
            "damaged: TypeError",
        ),
    ],
)
def test_a_document_that_is_no_graph_is_refused(text: str, said: str) -> None:
    with pytest.raises(plan.GraphFormatError, match=said):
        plan.from_json(text)


def test_a_graph_cannot_be_changed(models_dev: plan.Graph) -> None:
    with pytest.raises(FrozenInstanceError):
        models_dev.stack = "prod"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        models_dev.resources[0].name = "other"  # type: ignore[misc]


def test_children_descendants_and_the_top_of_a_resource(models_dev: plan.Graph) -> None:
    tops = [(top.kind, top.name) for top in models_dev.children(None)]
    assert tops == [("Model", "fraud"), ("Model", "resnet50"), ("Namespace", "serving"), ("kubernetes", "cluster")]
    fraud = models_dev.children(None)[0]
    assert [child.kind for child in models_dev.children(fraud)] == ["Rollout", "Serving"]
    below = list(models_dev.descendants(fraud))
    assert len(below) == 7
    assert {models_dev.top(resource).urn for resource in below} == {fraud.urn}


def test_two_stacks_differ_by_their_config_alone() -> None:
    from .conftest import PROJECTS

    def replicas(stack: str) -> set[object]:
        graph = plan.run(PROJECTS / "models", stack)
        return {r.inputs["spec"]["replicas"] for r in graph.resources if r.kind == "Deployment"}

    assert replicas("dev") == {2}
    assert replicas("prod") == {6}

"""What the recorder keeps of each registration, and the traps of Pulumi's stock monitor that it avoids."""

from __future__ import annotations

import json

import pytest

from slipform import plan

from .conftest import Plan

COMPONENT = """
import pulumi

class Part(pulumi.ComponentResource):
    def __init__(self, kind, name, props=None, opts=None):
        super().__init__(f"shop:parts:{kind}", name, props, opts)

class Thing(pulumi.CustomResource):
    size: pulumi.Output[object]

    def __init__(self, name, opts=None, **props):
        super().__init__("cloud:things:Thing", name, props, opts)
"""


def only(graph: plan.Graph, name: str) -> plan.Resource:
    (found,) = (resource for resource in graph.resources if resource.name == name)
    return found


def test_a_urn_holds_the_stack_and_every_ancestors_type(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
a = Part("A", "a")
b = Part("B", "b", opts=pulumi.ResourceOptions(parent=a))
c = Part("C", "c", opts=pulumi.ResourceOptions(parent=b))
Thing("thing", opts=pulumi.ResourceOptions(parent=c))
Thing("alone")
"""
    )
    assert [resource.urn for resource in graph.resources] == [
        "urn:pulumi:dev::shop::cloud:things:Thing::alone",
        "urn:pulumi:dev::shop::shop:parts:A$shop:parts:B$shop:parts:C$cloud:things:Thing::thing",
        "urn:pulumi:dev::shop::shop:parts:A$shop:parts:B$shop:parts:C::c",
        "urn:pulumi:dev::shop::shop:parts:A$shop:parts:B::b",
        "urn:pulumi:dev::shop::shop:parts:A::a",
    ]
    assert only(graph, "alone").parent is None
    assert only(graph, "c").parent == only(graph, "b").urn


def test_two_resources_with_one_urn_are_refused_with_both_places(planned: Plan) -> None:
    program = COMPONENT + 'Thing("twin")\n\nThing("twin")\n'
    first = program.splitlines().index('Thing("twin")') + 1
    with pytest.raises(plan.DuplicateUrnError) as refused:
        planned(program)
    assert "urn:pulumi:dev::shop::cloud:things:Thing::twin" in str(refused.value)
    assert f"__main__.py:{first} and __main__.py:{first + 2}" in str(refused.value)


def test_one_name_under_two_types_of_parent_is_no_duplicate(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
for kind in ("A", "B"):
    Thing("thing", opts=pulumi.ResourceOptions(parent=Part(kind, kind.lower())))
"""
    )
    assert len(graph.resources) == 4


def test_whole_numbers_are_integers_again_and_fractions_stay(planned: Plan) -> None:
    graph = planned(COMPONENT + 'Thing("thing", whole=3, fraction=0.5, big=2**40, zero=0, nested=[{"port": 8000}])')
    inputs = only(graph, "thing").inputs
    assert inputs == {"whole": 3, "fraction": 0.5, "big": 2**40, "zero": 0, "nested": [{"port": 8000}]}
    assert json.dumps(inputs["whole"]) == "3"


def test_an_id_is_known_after_apply_and_what_is_made_of_it_too(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
first = Thing("first", size=1)
Thing("second", of=first.id, text=pulumi.Output.concat("arn/", first.id), size=first.size)
pulumi.export("id", first.id)
"""
    )
    second = only(graph, "second")
    assert second.inputs == {"of": plan.KNOWN_AFTER_APPLY, "text": plan.KNOWN_AFTER_APPLY, "size": 1}
    assert graph.outputs == {"id": plan.KNOWN_AFTER_APPLY}


def test_an_output_that_was_no_input_is_unknown_and_its_apply_does_not_run(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
class Bucket(pulumi.CustomResource):
    arn: pulumi.Output[str]
    def __init__(self, name):
        super().__init__("cloud:things:Bucket", name, {"arn": None})

def never(arn):
    raise AssertionError("ran with " + repr(arn))

Thing("user", arn=Bucket("bucket").arn.apply(never))
"""
    )
    assert only(graph, "user").inputs == {"arn": plan.KNOWN_AFTER_APPLY}


def test_outputs_used_as_inputs_are_dependencies_per_property(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
first = Thing("first", size=1)
other = Thing("other")
Thing("second", of=first.size, opts=pulumi.ResourceOptions(depends_on=[other]))
"""
    )
    second, first, other = only(graph, "second"), only(graph, "first").urn, only(graph, "other").urn
    assert second.dependencies == (first, other)
    assert second.options.property_dependencies == {"of": [first]}


def test_a_provider_is_named_by_its_urn_without_the_id_that_nobody_knows(models_dev: plan.Graph) -> None:
    (provider,) = (resource for resource in models_dev.resources if resource.is_provider)
    assert provider.urn == "urn:pulumi:dev::models::pulumi:providers:kubernetes::cluster"
    users = [resource for resource in models_dev.resources if resource.type.startswith("kubernetes:")]
    assert {resource.provider for resource in users} == {provider.urn}


def test_the_name_that_the_kubernetes_provider_makes_up_is_unknown(models_dev: plan.Graph) -> None:
    assert models_dev.outputs["fraud-url"] == plan.KNOWN_AFTER_APPLY
    assert only(models_dev, "fraud-service").inputs["metadata"] == {"labels": {"app": "fraud"}}


def test_options_are_kept(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
old = Thing("old")
Thing("thing", opts=pulumi.ResourceOptions(
    protect=True,
    ignore_changes=["b", "a"],
    replace_on_changes=["c"],
    delete_before_replace=False,
    retain_on_delete=True,
    deleted_with=old,
    import_="thing-7",
    custom_timeouts=pulumi.CustomTimeouts(create="30m"),
    aliases=[pulumi.Alias(name="earlier", parent=pulumi.ROOT_STACK_RESOURCE), "urn:pulumi:dev::shop::x:y:Z::older"],
))
"""
    )
    options = only(graph, "thing").options
    assert options == plan.Options(
        protect=True,
        ignore_changes=("a", "b"),
        replace_on_changes=("c",),
        delete_before_replace=False,
        retain_on_delete=True,
        deleted_with=only(graph, "old").urn,
        import_id="thing-7",
        custom_timeouts={"create": "30m"},
        aliases=({"name": "earlier", "no_parent": True}, {"urn": "urn:pulumi:dev::shop::x:y:Z::older"}),
    )


def test_delete_before_replace_is_unset_unless_the_program_sets_it(planned: Plan) -> None:
    assert only(planned(COMPONENT + 'Thing("thing")'), "thing").options.delete_before_replace is None


def test_a_components_outputs_and_the_stacks_are_kept(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
part = Part("A", "a")
part.register_outputs({"url": "http://a", "replicas": 3})
pulumi.export("url", "http://a")
pulumi.export("nested", {"b": [1, 2], "a": True})
"""
    )
    assert only(graph, "a").outputs == {"url": "http://a", "replicas": 3}
    assert graph.outputs == {"nested": {"a": True, "b": [1, 2]}, "url": "http://a"}


def test_a_resource_that_is_only_read_says_so_and_knows_its_id(planned: Plan) -> None:
    graph = planned(
        """
import pulumi, pulumi_kubernetes as k8s
service = k8s.core.v1.Service.get("found", "serving/found")
pulumi.export("id", service.id)
"""
    )
    assert only(graph, "found").read == "serving/found"
    assert graph.outputs["id"] == "serving/found"


def test_another_stacks_outputs_are_known_after_apply(planned: Plan) -> None:
    graph = planned(
        """
import pulumi
network = pulumi.StackReference("organization/network/dev")
pulumi.export("vpc", network.get_output("vpc"))
"""
    )
    assert graph.outputs["vpc"] == plan.KNOWN_AFTER_APPLY


def test_a_question_to_a_provider_is_unanswered_and_said_once(planned: Plan) -> None:
    graph = planned(
        """
import pulumi
for _ in range(3):
    answer = pulumi.runtime.invoke_output("aws:index/getRegion:getRegion", {})
pulumi.export("region", answer)
"""
    )
    assert graph.outputs["region"] == plan.KNOWN_AFTER_APPLY
    (message,) = graph.messages
    assert message.severity == "warning"
    assert "aws:index/getRegion:getRegion" in message.text


def test_a_component_that_its_provider_builds_is_one_resource_and_a_warning(planned: Plan) -> None:
    graph = planned(
        """
import pulumi

class Remote(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("awsx:ec2:Vpc", name, {"cidr": "10.0.0.0/16", "key": pulumi.Output.secret("k")}, remote=True)

Remote("vpc")
"""
    )
    (vpc,) = graph.resources
    assert vpc.inputs["cidr"] == "10.0.0.0/16"
    assert isinstance(vpc.inputs["key"], plan.Secret)
    assert [(message.severity, message.urn) for message in graph.messages] == [("warning", vpc.urn)]


def test_messages_are_kept_with_their_severity_and_resource(planned: Plan) -> None:
    graph = planned(
        COMPONENT
        + """
pulumi.log.info("fine")
pulumi.log.warn("careful", Thing("thing"))
pulumi.log.debug("nobody wants to read this")
"""
    )
    assert graph.messages == (
        plan.Message("warning", "careful", only(graph, "thing").urn),
        plan.Message("info", "fine"),
    )


def test_the_place_of_a_resource_is_the_users_line_relative_to_the_project(planned: Plan) -> None:
    graph = planned(
        "import parts\nparts.make()\n",
        parts="import pulumi_kubernetes as k8s\n\ndef make():\n    k8s.Provider('cluster')\n",
    )
    assert only(graph, "cluster").source == "parts.py:4"


def test_the_same_program_gives_the_same_bytes(models_dev: plan.Graph) -> None:
    from .conftest import PROJECTS

    again = plan.run(PROJECTS / "models", "dev")
    assert plan.to_json(again) == plan.to_json(models_dev)
    assert plan.to_markdown(again) == plan.to_markdown(models_dev)
    assert plan.to_html(again) == plan.to_html(models_dev)


def test_a_resource_passed_as_an_input_is_its_urn(planned: Plan) -> None:
    graph = planned(COMPONENT + 'first = Thing("first")\nThing("second", of=first)\n')
    assert only(graph, "second").inputs == {"of": only(graph, "first").urn}


def test_assets_keep_what_they_are_made_of(planned: Plan) -> None:
    graph = planned(
        COMPONENT + 'Thing("thing", text=pulumi.StringAsset("hi"), folder=pulumi.FileArchive("./handlers"))'
    )
    assert only(graph, "thing").inputs == {"folder": {"path": "./handlers"}, "text": {"text": "hi"}}

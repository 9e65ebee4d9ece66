"""The change between two programs: what is created, updated, replaced, deleted, and what a reviewer is told of it."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from slipform import plan
from slipform.plan.change.aliases import match
from slipform.plan.views.wording import groups

from .test_recording import COMPONENT

KEY = b"both sides"


@pytest.fixture
def change(tmp_path: Path, write_project: Callable[..., Path]) -> Callable[..., plan.Diff]:
    """The diff of two programs."""

    def run(before: str, after: str, config_before: str = "", config_after: str = "") -> plan.Diff:
        base = plan.run(write_project(before, config=config_before), "dev", fingerprint_key=KEY)
        head = plan.run(write_project(after, config=config_after), "dev", fingerprint_key=KEY)
        return plan.diff(base, head)

    return run


Changed = Callable[..., plan.Diff]


def screen(diff: plan.Diff, width: int = 100) -> str:
    out = io.StringIO()
    plan.print_diff(diff, Console(file=out, width=width))
    return out.getvalue()


def the_change(diff: plan.Diff) -> plan.Change:
    (only,) = diff.changes
    return only


def resource(type_: str, name: str = "r", **inputs: Any) -> plan.Resource:
    return plan.Resource(urn=f"urn:pulumi:dev::p::{type_}::{name}", type=type_, name=name, custom=True, inputs=inputs)


def graph(*resources: plan.Resource, **others: Any) -> plan.Graph:
    return plan.Graph("p", "dev", tuple(sorted(resources, key=lambda each: each.urn)), **others)


def kubernetes(kind: str, api_version: str = "v1", name: str = "r", **inputs: Any) -> plan.Resource:
    inputs.setdefault("metadata", {"name": name})
    return resource(f"kubernetes:any:{kind}", apiVersion=api_version, kind=kind, **inputs)


# -- what happens to a resource ---------------------------------------------------------------------


def test_a_graph_does_not_differ_from_itself(models_dev: plan.Graph) -> None:
    diff = plan.diff(models_dev, models_dev)
    assert not diff
    assert screen(diff) == "no changes\n"


def test_comments_order_and_places_in_the_program_are_no_change(change: Changed) -> None:
    before = COMPONENT + 'Thing("a", size=1, x={"k": 1, "l": 2})\nThing("b")\n'
    after = COMPONENT + '\n\n# a comment\nThing("b")\nThing("a", x={"l": 2, "k": 1}, size=1)\n'
    assert not change(before, after)


def test_created_updated_and_deleted(change: Changed) -> None:
    diff = change(
        COMPONENT + 'Thing("kept", size=1)\nThing("gone")\nThing("same", size=1)\n',
        COMPONENT + 'Thing("kept", size=2)\nThing("new")\nThing("same", size=1)\n',
    )
    assert {(each.resource.name, each.action.value) for each in diff.changes} == {
        ("kept", "update"),
        ("new", "create"),
        ("gone", "delete"),
    }


REPLACED = [
    (kubernetes("ConfigMap", data={"a": "1"}), kubernetes("ConfigMap", data={"a": "2"}), "the data of a ConfigMap"),
    (
        kubernetes("Deployment", "apps/v1", spec={"selector": {"matchLabels": {"app": "a"}}}),
        kubernetes("Deployment", "apps/v1", spec={"selector": {"matchLabels": {"app": "b"}}}),
        "the spec.selector of a Deployment",
    ),
    (
        kubernetes("Job", "batch/v1", spec={"template": {"spec": {"containers": [{"name": "c", "image": "a"}]}}}),
        kubernetes("Job", "batch/v1", spec={"template": {"spec": {"containers": [{"name": "c", "image": "b"}]}}}),
        "the spec.template of a Job",
    ),
    (kubernetes("Service", name="a"), kubernetes("Service", name="b"), "a Service with another name"),
    (
        kubernetes("Service", metadata={"name": "a", "namespace": "x"}),
        kubernetes("Service", metadata={"name": "a", "namespace": "y"}),
        "a Service with another namespace",
    ),
    (
        kubernetes("PersistentVolumeClaim", spec={"storageClassName": "gp2"}),
        kubernetes("PersistentVolumeClaim", spec={"storageClassName": "gp3"}),
        "the spec.storageClassName of a PersistentVolumeClaim",
    ),
    (
        kubernetes("Pod", spec={"containers": [{"name": "c", "image": "a"}]}),
        kubernetes("Pod", spec={"containers": [{"name": "c", "image": "b"}]}),
        "the spec.containers.[*].image of a Pod",
    ),
    (
        kubernetes("Deployment", "apps/v1"),
        kubernetes("Deployment", "apps/v1", spec={"selector": {"matchLabels": {}}}),
        "the spec.selector of a Deployment",
    ),
    (
        resource("aws:eks/nodeGroup:NodeGroup", instanceTypes=["g6.xlarge"]),
        resource("aws:eks/nodeGroup:NodeGroup", instanceTypes=["g6.2xlarge"]),
        "AWS cannot change the instanceTypes of a NodeGroup",
    ),
    (
        resource("aws:eks/nodeGroup:NodeGroup", launchTemplate={"id": "a", "version": "1"}),
        resource("aws:eks/nodeGroup:NodeGroup", launchTemplate={"id": "b", "version": "1"}),
        "AWS cannot change the launchTemplate.id of a NodeGroup",
    ),
    (
        resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policyArn="a"),
        resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policyArn="b"),
        "AWS cannot change the policyArn",
    ),
]


@pytest.mark.parametrize(("before", "after", "reason"), REPLACED, ids=[reason for *_, reason in REPLACED])
def test_a_field_that_cannot_be_updated_replaces_its_resource(
    before: plan.Resource, after: plan.Resource, reason: str
) -> None:
    changed = the_change(plan.diff(graph(before), graph(after)))
    assert changed.action is plan.Action.REPLACE
    assert reason in changed.reasons[0]
    assert changed.consequence


UPDATED = [
    (
        kubernetes("Deployment", "apps/v1", spec={"template": {"spec": {"containers": [{"name": "c", "image": "a"}]}}}),
        kubernetes("Deployment", "apps/v1", spec={"template": {"spec": {"containers": [{"name": "c", "image": "b"}]}}}),
        "its pods are replaced, a few at a time",
    ),
    (
        kubernetes("Deployment", "apps/v1", spec={"strategy": {"type": "Recreate"}, "template": {"a": 1}}),
        kubernetes("Deployment", "apps/v1", spec={"strategy": {"type": "Recreate"}, "template": {"a": 2}}),
        "all its pods stop before new ones start",
    ),
    (
        kubernetes(
            "Rollout",
            "argoproj.io/v1alpha1",
            spec={"template": 1, "strategy": {"canary": {"steps": [{"setWeight": 10}]}}},
        ),
        kubernetes(
            "Rollout",
            "argoproj.io/v1alpha1",
            spec={"template": 2, "strategy": {"canary": {"steps": [{"setWeight": 10}]}}},
        ),
        "starts a rollout: 10 % → 100 %",
    ),
    (
        kubernetes("Deployment", "apps/v1", spec={"replicas": 1}),
        kubernetes("Deployment", "apps/v1", spec={"replicas": 2}),
        "",
    ),
    (
        kubernetes("Job", "batch/v1", spec={"backoffLimit": 1}),
        kubernetes("Job", "batch/v1", spec={"backoffLimit": 2}),
        "",
    ),
    (
        kubernetes("ConfigMap", metadata={"name": "a"}),
        kubernetes("ConfigMap", metadata={"name": "a", "labels": {"x": "y"}}),
        "",
    ),
    (
        resource("aws:eks/nodeGroup:NodeGroup", scalingConfig={"maxSize": 1}),
        resource("aws:eks/nodeGroup:NodeGroup", scalingConfig={"maxSize": 2}),
        "",
    ),
    (
        resource("aws:eks/nodeGroup:NodeGroup", launchTemplate={"id": "a", "version": "1"}),
        resource("aws:eks/nodeGroup:NodeGroup", launchTemplate={"id": "a", "version": "2"}),
        "its nodes are replaced, one after another: each pod moves once",
    ),
    (
        kubernetes("VirtualService", "networking.istio.io/v1", spec={"hosts": ["a"]}),
        kubernetes("VirtualService", "networking.istio.io/v1", spec={"hosts": ["b"]}),
        "",
    ),
]


@pytest.mark.parametrize(("before", "after", "consequence"), UPDATED)
def test_other_fields_update_in_place(before: plan.Resource, after: plan.Resource, consequence: str) -> None:
    changed = the_change(plan.diff(graph(before), graph(after)))
    assert changed.action is plan.Action.UPDATE
    assert changed.consequence == consequence
    assert changed.obstacles == ()


def test_what_the_api_server_refuses_is_an_obstacle_not_a_replacement() -> None:
    before = kubernetes("PriorityClass", "scheduling.k8s.io/v1", value=1)
    after = kubernetes("PriorityClass", "scheduling.k8s.io/v1", value=2)
    changed = the_change(plan.diff(graph(before), graph(after)))
    assert changed.action is plan.Action.UPDATE
    assert changed.obstacles == ("the API server refuses to change the value of a PriorityClass",)
    assert "will fail: the API server refuses" in screen(plan.diff(graph(before), graph(after)))


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("after", [{"immutable": False}, {}])
def test_what_was_made_immutable_cannot_be_made_mutable_again(kind: str, after: dict[str, Any]) -> None:
    frozen, thawed = kubernetes(kind, immutable=True), kubernetes(kind, **after)
    assert "refuses to make an immutable" in the_change(plan.diff(graph(frozen), graph(thawed))).obstacles[0]
    assert the_change(plan.diff(graph(thawed), graph(frozen))).obstacles == ()


def provided(inputs: dict[str, Any], *objects: plan.Resource) -> plan.Graph:
    provider = resource("pulumi:providers:kubernetes", "cluster", **inputs)
    return graph(provider, *(_with(each, provider=provider.urn) for each in objects))


def _with(each: plan.Resource, **changes: Any) -> plan.Resource:
    from dataclasses import replace

    return replace(each, **changes)


@pytest.mark.parametrize(
    ("kind", "option", "field"),
    [("ConfigMap", "enableConfigMapMutable", "data"), ("Secret", "enableSecretMutable", "stringData")],
)
def test_data_is_updated_in_place_where_the_provider_says_that_it_is_mutable(
    kind: str, option: str, field: str
) -> None:
    before, after = (_with(kubernetes(kind), inputs={**kubernetes(kind).inputs, field: {"a": v}}) for v in "12")
    (changed,) = plan.diff(provided({option: "true"}, before), provided({option: "true"}, after)).changes
    assert changed.action is plan.Action.UPDATE
    frozen = [_with(each, inputs={**each.inputs, "immutable": True}) for each in (before, after)]
    (changed,) = plan.diff(provided({option: "true"}, frozen[0]), provided({option: "true"}, frozen[1])).changes
    assert changed.action is plan.Action.REPLACE


def test_a_provider_for_another_cluster_replaces_all_that_it_made() -> None:
    service, old, new = kubernetes("Service"), {"clusterIdentifier": "old"}, {"clusterIdentifier": "new"}
    diff = plan.diff(provided(old, service), provided(new, service))
    assert [(each.resource.kind, each.action.value) for each in diff.changes] == [
        ("Service", "replace"),
        ("kubernetes", "replace"),
    ]
    assert diff.changes[0].reasons == ("its provider cluster is replaced: another identifier is another cluster",)


OWN = {"kubeconfig": "~/.kube/models"}


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ({**OWN, "context": "old"}, {**OWN, "context": "new"}, "replace"),
        ({**OWN}, {"kubeconfig": "~/.kube/others"}, "replace"),
        ({"context": "old"}, {"context": "new"}, "update"),
        ({"context": "a"}, {"context": "a", "clusterIdentifier": "c1"}, "update"),
        ({**OWN, "clusterIdentifier": "c1", "context": "old"}, {"clusterIdentifier": "c1", "context": "new"}, "update"),
    ],
    ids=["context", "kubeconfig", "no kubeconfig of its own", "an identifier from now on", "one identifier"],
)
def test_the_provider_knows_a_cluster_by_its_identifier_or_its_own_kubeconfig(
    before: dict[str, str], after: dict[str, str], action: str
) -> None:
    assert the_change(plan.diff(provided(before), provided(after))).action.value == action


def test_another_namespace_of_the_provider_moves_what_has_none_of_its_own() -> None:
    diff = plan.diff(
        provided({"namespace": "a"}, kubernetes("Service"), kubernetes("Namespace")),
        provided({"namespace": "b"}, kubernetes("Service"), kubernetes("Namespace")),
    )
    assert {each.resource.kind: each.action.value for each in diff.changes} == {
        "Service": "replace",
        "kubernetes": "update",
    }


def test_no_namespace_and_default_are_one() -> None:
    before = kubernetes("Service", metadata={"name": "a"})
    after = kubernetes("Service", metadata={"name": "a", "namespace": "default"})
    assert not plan.diff(graph(before), graph(after))


def test_an_object_with_a_fixed_name_is_deleted_before_it_is_made_anew() -> None:
    before, after, _ = REPLACED[1]
    consequence = the_change(plan.diff(graph(before), graph(after))).consequence
    assert consequence.startswith("deleted first, then made anew: all its pods stop")


def test_a_node_group_with_a_prefix_is_made_anew_first() -> None:
    def group(instance_type: str, **name: str) -> plan.Graph:
        return graph(resource("aws:eks/nodeGroup:NodeGroup", instanceTypes=[instance_type], **name))

    prefixed = the_change(plan.diff(group("a", nodeGroupNamePrefix="gpu-"), group("b", nodeGroupNamePrefix="gpu-")))
    assert prefixed.consequence.startswith("made anew first, then the old one is deleted: new nodes come first")
    fixed = the_change(plan.diff(group("a", nodeGroupName="gpu"), group("b", nodeGroupName="gpu")))
    assert fixed.consequence.startswith("deleted first, then made anew: its nodes go before new ones come")


def options(each: plan.Resource, **changes: Any) -> plan.Resource:
    return _with(each, options=plan.Options(**changes))


def test_the_programs_word_on_the_order_of_a_replacement_counts() -> None:
    before, after, _ = REPLACED[1]
    kept = options(after, delete_before_replace=False)
    assert the_change(plan.diff(graph(before), graph(kept))).consequence.startswith("made anew first")


def test_replace_on_changes_and_a_replacement_trigger_replace() -> None:
    before = resource("a:b:C", spec={"list": [{"x": 1}]})
    after = resource("a:b:C", spec={"list": [{"x": 2}]})
    changed = the_change(plan.diff(graph(before), graph(options(after, replace_on_changes=("spec.list[*].x",)))))
    assert changed.action is plan.Action.REPLACE
    triggered = plan.diff(graph(options(before, replacement_trigger=1)), graph(options(before, replacement_trigger=2)))
    assert the_change(triggered).reasons == ("its replacement trigger changed",)


@pytest.mark.parametrize(
    ("ignored", "seen"),
    [
        ("spec.replicas", False),
        ("spec", False),
        ('metadata.annotations["a/b"]', True),
        ("spec.replicasX", True),
        ("*", False),
    ],
)
def test_a_change_that_the_program_ignores_is_none(ignored: str, seen: bool) -> None:
    before = options(kubernetes("Deployment", "apps/v1", spec={"replicas": 1}), ignore_changes=(ignored,))
    after = options(kubernetes("Deployment", "apps/v1", spec={"replicas": 2}), ignore_changes=(ignored,))
    assert bool(plan.diff(graph(before), graph(after))) is seen


def test_an_ignored_key_with_dots_is_found() -> None:
    def annotated(value: str) -> plan.Graph:
        metadata = {"name": "r", "annotations": {"a.b/c": value}}
        return graph(
            options(kubernetes("Service", metadata=metadata), ignore_changes=('metadata.annotations["a.b/c"]',))
        )

    assert not plan.diff(annotated("1"), annotated("2"))


def test_a_protected_resource_cannot_be_deleted_or_replaced() -> None:
    before, after, _ = REPLACED[0]
    deleted = the_change(plan.diff(graph(options(before, protect=True)), graph()))
    assert deleted.obstacles[0].startswith(
        "it is protected, so the engine refuses to delete it: apply a change without"
    )
    replaced = the_change(plan.diff(graph(options(before, protect=True)), graph(options(after, protect=True))))
    assert replaced.obstacles[0].startswith("it is protected, so the engine refuses to replace it: apply a change")


def test_protection_that_is_lifted_is_shown() -> None:
    before = kubernetes("Service")
    diff = plan.diff(graph(options(before, protect=True)), graph(before))
    assert "options.protect  - true" in screen(diff)


def test_a_resource_that_is_only_read_is_no_change() -> None:
    read = _with(kubernetes("Service"), read="default/r")
    assert not plan.diff(graph(), graph(read))
    assert not plan.diff(graph(read), graph())


def test_a_provider_plugin_of_another_version_is_no_change() -> None:
    assert not plan.diff(
        graph(options(kubernetes("Service"), version="4.30.0")), graph(options(kubernetes("Service"), version="4.34.2"))
    )


@pytest.mark.parametrize(
    ("changed", "follows"),
    [({"tags": {"team": "vision"}}, True), ({"description": "another"}, False), ({}, False)],
    ids=["a new version", "no new version", "no change"],
)
def test_a_node_group_follows_the_version_that_its_launch_template_will_have(
    changed: dict[str, Any], follows: bool
) -> None:
    template = resource("aws:ec2/launchTemplate:LaunchTemplate", ebsOptimized="true")
    group = dataclasses.replace(
        resource("aws:eks/nodeGroup:NodeGroup", launchTemplate={"version": plan.KNOWN_AFTER_APPLY}),
        options=plan.Options(property_dependencies={"launchTemplate": [template.urn]}),
    )
    after = dataclasses.replace(template, inputs={**template.inputs, **changed})
    said = {each.resource.kind: each for each in plan.diff(graph(template, group), graph(after, group)).changes}
    assert ("NodeGroup" in said) is follows
    if follows:
        assert said["NodeGroup"].action is plan.Action.UPDATE
        assert said["NodeGroup"].consequence == "its nodes are replaced, one after another: each pod moves once"


# -- renames --------------------------------------------------------------------------------------------

FAMILY = """
import pulumi

class Part(pulumi.ComponentResource):
    def __init__(self, kind, name, opts=None):
        super().__init__(f"shop:parts:{kind}", name, None, opts)

class Thing(pulumi.CustomResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("cloud:things:Thing", name, props, opts)

def family(kind, name, aliases=None):
    top = Part(kind, name, pulumi.ResourceOptions(aliases=aliases))
    inner = Part("Inner", f"{name}-inner", pulumi.ResourceOptions(parent=top))
    Thing(f"{name}-inner-thing", pulumi.ResourceOptions(parent=inner), size=1)
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('family("Model", "old")', 'family("Model", "new", [pulumi.Alias(name="old")])'),
        ('family("Old", "m")', 'family("New", "m", [pulumi.Alias(type_="shop:parts:Old")])'),
        ('family("Old", "old")', 'family("New", "new", [pulumi.Alias(name="old", type_="shop:parts:Old")])'),
        (
            'family("Model", "old")',
            'family("Model", "new", ["urn:pulumi:dev::shop::shop:parts:Model::old"])',
        ),
        (
            'Thing("thing", size=1)',
            'Thing("thing", pulumi.ResourceOptions(parent=Part("Model", "m"), '
            "aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]), size=1)",
        ),
    ],
)
def test_what_an_alias_keeps_is_neither_deleted_nor_created(change: Changed, before: str, after: str) -> None:
    diff = change(FAMILY + before, FAMILY + after)
    assert diff.changes == ()


def test_a_renamed_resource_that_changed_says_what_it_was_called(change: Changed) -> None:
    diff = change(
        FAMILY + 'Thing("old", size=1)',
        FAMILY + 'Thing("new", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")]), size=2)',
    )
    assert the_change(diff).renamed_from == "old"
    assert "Thing new (was old in the program)" in screen(diff)


def test_without_an_alias_a_rename_is_a_deletion_and_a_creation(change: Changed) -> None:
    diff = change(FAMILY + 'family("Model", "old")', FAMILY + 'family("Model", "new")')
    assert [(model.component.name if model.component else "", model.action.value) for model in diff.models] == [
        ("old", "delete"),
        ("new", "create"),
    ]


def test_one_old_resource_is_claimed_once(change: Changed) -> None:
    diff = change(
        FAMILY + 'Thing("a", size=1)',
        FAMILY + 'Thing("a", size=1)\nThing("b", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="a")]), size=1)',
    )
    assert [(each.resource.name, each.action.value) for each in diff.changes] == [("b", "create")]


def test_every_resource_of_a_graph_matches_itself(models_dev: plan.Graph) -> None:
    assert match(models_dev, models_dev) == {resource.urn: resource.urn for resource in models_dev.resources}


# -- what the reviewer reads ---------------------------------------------------------------------------------

MODELS = """
import pulumi, pulumi_kubernetes as k8s

class Model(pulumi.ComponentResource):
    def __init__(self, name, image="server:1", team="vision"):
        super().__init__("shop:index:Model", name, None)
        child = pulumi.ResourceOptions(parent=self)
        labels = {"team": team}
        k8s.apps.v1.Deployment(name, metadata={"name": name, "labels": labels}, spec={
            "selector": {"match_labels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
                {"name": "server", "image": image}]}},
        }, opts=child)
        k8s.core.v1.Service(name, metadata={"name": name, "labels": labels}, spec={"ports": [{"port": 80}]}, opts=child)
        k8s.core.v1.ServiceAccount(name, metadata={"name": name, "labels": labels}, opts=child)
"""


def test_deleted_models_stand_first_then_new_ones(change: Changed) -> None:
    diff = change(
        MODELS + 'Model("a")\nModel("z")\nModel("m")', MODELS + 'Model("a", image="server:2")\nModel("b")\nModel("m")'
    )
    headings = [line for line in screen(diff).splitlines() if line and not line.startswith(" ")]
    assert headings == [
        "- Model z is deleted with 3 resources: it stops answering",
        "+ Model b is new: 3 resources",
        "~ Model a",
        "3 created, 1 updated, 3 deleted",
    ]
    markdown = plan.diff_to_markdown(diff)
    assert markdown.index("🛑 **Model z is deleted") < markdown.index("Model b is new")


def test_one_label_on_many_resources_is_one_line(change: Changed) -> None:
    diff = change(MODELS + 'Model("a")', MODELS + 'Model("a", team="risk")')
    (model,) = diff.models
    assert [len(group) for group in groups(model)] == [3]
    assert "~ Deployment a, Service a, ServiceAccount a\n      metadata.labels.team  vision → risk" in screen(diff)


def test_a_changed_secret_is_said_and_neither_value_shown(change: Changed) -> None:
    program = """
import pulumi, pulumi_kubernetes as k8s
k8s.core.v1.Secret("s", metadata={"name": "s"}, string_data={"token": pulumi.Output.secret("SECRET")})
pulumi.export("password", pulumi.Config().require_secret("password"))
"""
    diff = change(
        program.replace("SECRET", "hunter2"),
        program.replace("SECRET", "hunter3"),
        "config: {password: {secure: v1:aaa}}",
        "config: {password: {secure: v1:bbb}}",
    )
    for text in (screen(diff), plan.diff_to_markdown(diff), plan.diff_to_json(diff)):
        assert "hunter" not in text
        assert "secret:" not in text
    assert "stringData  secret changed" in screen(diff)
    assert "password  secret changed" in screen(diff)
    assert not change(program, program, *["config: {password: {secure: v1:aaa}}"] * 2)


def test_new_warnings_are_shown_and_old_ones_are_not(change: Changed) -> None:
    diff = change(
        "import pulumi\npulumi.log.warn('old')", "import pulumi\npulumi.log.warn('old')\npulumi.log.warn('20 on 10')"
    )
    assert [message.text for message in diff.new_messages] == ["20 on 10"]
    assert "new warning: 20 on 10" in screen(diff)


def test_a_long_value_is_cut_and_its_length_said() -> None:
    diff = plan.diff(graph(resource("a:b:C", x="a")), graph(resource("a:b:C", x="b" * 5000)))
    assert "(5,000 characters)" in screen(diff, width=400)
    assert len(screen(diff, width=400)) < 400


def test_of_two_long_texts_what_differs_is_shown() -> None:
    before, after = (
        "sum(rate(requests_total[5m])) " * 9 + f'le="{bound}"' + " unless on() x" * 9 for bound in (20, 50)
    )
    diff = plan.diff(graph(resource("a:b:C", x=before)), graph(resource("a:b:C", x=after)))
    shown = screen(diff, width=200)
    assert 'le="20"' in shown
    assert 'le="50"' in shown
    assert len(shown) < 300


def test_one_change_in_many_items_of_a_list_is_one_line() -> None:
    def rules(team: str) -> plan.Graph:
        return graph(resource("a:b:C", spec={"steps": [{"n": n, "labels": {"team": team}} for n in range(9)]}))

    assert "spec.steps[*].labels.team (9 times)  vision → risk" in screen(plan.diff(rules("vision"), rules("risk")))


def test_an_object_with_another_name_has_that_one_reason() -> None:
    before, after = (kubernetes("ConfigMap", name=name, data={"k": name}) for name in ("config-1", "config-2"))
    changed = the_change(plan.diff(graph(before), graph(after)))
    assert changed.reasons == ("a ConfigMap with another name is another object",)
    assert changed.consequence.startswith("made anew first, then the old one is deleted")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_change_fits_its_width_and_leaves_no_blanks_at_the_ends(change: Changed, width: int) -> None:
    diff = change(MODELS + 'Model("a")', MODELS + 'Model("a", image="registry.example.com/a/long/name/of/an/image:2")')
    lines = screen(diff, width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_a_long_text_is_cut_to_its_first_lines() -> None:
    before, after = ("".join(f"{prefix}{line}\n" for line in range(500)) for prefix in "ab")
    diff = plan.diff(graph(resource("a:b:C", x=before)), graph(resource("a:b:C", x=after)))
    assert "… 971 more lines" in screen(diff)


def test_of_a_text_that_nobody_reads_it_says_how_much_differs() -> None:
    """A dashboard's JSON: what it follows is said elsewhere, and its lines would bury that."""
    before = "".join(f"{line}\n" for line in range(600))
    diff = plan.diff(graph(resource("a:b:C", x=before)), graph(resource("a:b:C", x=before.replace("7\n", "x\n", 2))))
    assert "2 of 600 lines differ; --format json has them" in screen(diff)


def test_the_json_holds_everything_for_a_program(change: Changed) -> None:
    diff = change(MODELS + 'Model("a")\nModel("z")', MODELS + 'Model("a", image="server:2")')
    document = json.loads(plan.diff_to_json(diff))
    assert document["format"] == "slipform.diff/v1"
    assert document["changed"] is True
    assert [(model["name"], model["action"]) for model in document["models"]] == [("z", "delete"), ("a", "update")]
    (deployment,) = document["models"][1]["changes"]
    assert deployment["fields"] == [
        {
            "path": "spec.template.spec.containers[server].image",
            "effect": "update",
            "before": "server:1",
            "after": "server:2",
        }
    ]
    assert deployment["consequence"] == "its pods are replaced, a few at a time"


def test_markdown_names_what_is_replaced_before_anything_is_folded(change: Changed) -> None:
    program = (
        'import pulumi_kubernetes as k8s\nk8s.core.v1.ConfigMap("m", metadata={"name": "m"}, data={"k": "VALUE"})\n'
    )
    markdown = plan.diff_to_markdown(change(program, program.replace("VALUE", r"```\n</details>\n# no")))
    warning = markdown.index("> ⚠️ **ConfigMap m is replaced**: the data of a ConfigMap cannot be changed in place")
    assert warning < markdown.index("<details>")
    fence = markdown.split("\n\n")[-2]
    assert "````diff" in markdown
    assert fence.endswith("````")


def test_markdown_stays_below_the_limit() -> None:
    before = [resource("a:b:C", f"r{number}", x=1) for number in range(500)]
    after = [_with(each, inputs={"x": f"{index} " * 40}) for index, each in enumerate(before)]
    markdown = plan.diff_to_markdown(plan.diff(graph(*before), graph(*after)), limit=5000)
    assert len(markdown) <= 5000
    assert "which do not fit here" in markdown

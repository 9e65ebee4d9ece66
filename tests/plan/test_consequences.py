"""What a reviewer is told besides the fields: what it means for traffic, what it costs, what only follows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from slipform import plan
from slipform.plan.change import demand

from .test_diff import graph, kubernetes, resource, screen

CONTAINER = {"name": "server", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
SIZE = {"minSize": 0, "maxSize": 3}
GPU = {"name": "server", "resources": {"limits": {"cpu": 3, "nvidia.com/gpu": "2"}, "requests": {"cpu": "1"}}}


def deployment(container: dict[str, Any] = CONTAINER, **spec: Any) -> plan.Resource:
    return kubernetes("Deployment", "apps/v1", spec={**spec, "template": {"spec": {"containers": [container]}}})


def scaler(kind: str = "Deployment", low: int = 2, high: int = 8, name: str = "r") -> plan.Resource:
    target = {"scaleTargetRef": {"kind": kind, "name": name}, "minReplicas": low, "maxReplicas": high}
    return kubernetes("HorizontalPodAutoscaler", "autoscaling/v2", spec=target)


def rollout(**strategy: Any) -> plan.Resource:
    spec = {"workloadRef": {"kind": "Deployment", "name": "r"}, "strategy": strategy}
    return kubernetes("Rollout", "argoproj.io/v1alpha1", spec=spec)


def inference_service() -> plan.Resource:
    return kubernetes("InferenceService", "serving.kserve.io/v1beta1", spec={"predictor": {"containers": [CONTAINER]}})


def component(*children: plan.Resource, name: str = "m") -> list[plan.Resource]:
    top = plan.Resource(urn=f"urn:pulumi:dev::p::a:b:Model::{name}", type="a:b:Model", name=name, custom=False)
    return [top, *(replace(each, parent=top.urn, urn=f"{each.urn}-{name}") for each in children)]


DEMANDS = [
    ([deployment()], "1 pod, CPU 0.5, memory 1Gi"),
    ([deployment(replicas=3)], "3 pods, CPU 1.5, memory 3Gi"),
    ([deployment(), scaler()], "2–8 pods, CPU 1–4, memory 2Gi–8Gi"),
    ([deployment(replicas=0), rollout(), scaler("Rollout")], "2–8 pods, CPU 1–4, memory 2Gi–8Gi"),
    ([inference_service()], "1 pod, CPU 0.5, memory 1Gi"),
    ([inference_service(), scaler(name="r-predictor")], "2–8 pods, CPU 1–4, memory 2Gi–8Gi"),
    ([deployment(GPU), scaler(low=1, high=2)], "1–2 pods, GPU 2–4, CPU 1–2"),
    (
        [resource("aws:eks/nodeGroup:NodeGroup", instanceTypes=["g6.xlarge"], scalingConfig=SIZE)],
        "0–3 nodes, nodes' CPU 0–12, nodes' GPU 0–3",
    ),
    (
        [resource("aws:eks/nodeGroup:NodeGroup", instanceTypes=["a", "b"], scalingConfig=SIZE)],
        "0–3 nodes",
    ),
    ([kubernetes("Job", "batch/v1", spec={"template": {"spec": {"containers": [CONTAINER]}}})], ""),
]  # fmt: skip


@pytest.mark.parametrize(("resources", "expected"), DEMANDS, ids=[text or "a job" for _, text in DEMANDS])
def test_what_a_new_model_needs_is_said(resources: list[plan.Resource], expected: str) -> None:
    shown = screen(plan.diff(graph(), graph(*component(*resources))))
    assert f"    needs {expected}\n" in shown if expected else "needs" not in shown


def test_of_a_change_only_what_it_changes_is_counted() -> None:
    diff = plan.diff(
        graph(*component(deployment(), scaler(high=8))), graph(*component(deployment(), scaler(low=2, high=12)))
    )
    assert "needs 2–8 → 2–12 pods, CPU 1–4 → 1–6, memory 2Gi–8Gi → 2Gi–12Gi" in screen(diff)
    assert "needs 2–8 → 2–12 pods" in plan.diff_to_markdown(diff)
    (model,) = json.loads(plan.diff_to_json(diff))["models"]
    assert model["demand"]["before"]["pods"] == [2, 8]
    assert model["demand"]["after"]["memory"] == [2 * 2**30, 12 * 2**30]


def test_what_a_deleted_model_leaves_is_said() -> None:
    assert "frees 2–8 pods" in screen(plan.diff(graph(*component(deployment(), scaler())), graph()))


def test_every_kind_of_demand_has_its_place() -> None:
    found = demand.of(each for resources, _ in DEMANDS for each in component(*resources))
    assert set(found) <= set(demand.KINDS)


ROLLOUTS = [
    ({"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}, "starts a rollout: 10 % → 100 %"),
    (
        {"canary": {"steps": [{"setWeight": 10}, {"analysis": {}}, {"setWeight": 50}]}},
        "starts a rollout: 10 % → 50 % → 100 %, taken back if it does worse",
    ),
    ({"canary": {}}, "starts a rollout"),
    ({"blueGreen": {}}, "starts a rollout: a second set of pods beside the first, then all traffic at once"),
]


@pytest.mark.parametrize(("strategy", "consequence"), ROLLOUTS)
def test_pods_that_a_rollout_runs_for_a_deployment_go_its_way(strategy: dict[str, Any], consequence: str) -> None:
    before, after = (component(deployment(size), rollout(**strategy)) for size in (CONTAINER, GPU))
    (changed,) = plan.diff(graph(*before), graph(*after)).changes
    assert changed.consequence == consequence


def test_a_deployment_whose_pods_a_rollout_runs_stops_none_when_it_is_replaced() -> None:
    before, after = (component(deployment(selector={"a": value}), rollout(canary={})) for value in "12")
    (changed,) = plan.diff(graph(*before), graph(*after)).changes
    assert changed.action is plan.Action.REPLACE
    assert "the Rollout that runs its pods keeps those that it has" in changed.consequence


# -- content in the name --------------------------------------------------------------------------------


def config(content: str, digest: str, kind: str = "ConfigMap") -> list[plan.Resource]:
    mounted = {"name": "server", "volumes": [{"name": "config", "configMap": {"name": f"r-{digest}"}}]}
    return component(kubernetes(kind, name=f"r-{digest}", data={"a": content}), deployment(mounted))


def test_an_object_with_a_hash_in_its_name_is_renewed_and_what_mounts_it_follows() -> None:
    diff = plan.diff(graph(*config("1", "0123456789")), graph(*config("2", "abcdef0123")))
    shown = screen(diff, width=200)
    assert "± ConfigMap r-0123456789 → abcdef0123  new content, so a new name; what uses it follows" in shown
    assert "volumes[config].configMap.name  follows the new ConfigMap" in shown
    assert shown.count("abcdef0123") == 1
    assert "is another object" not in shown
    assert "⚠️" not in plan.diff_to_markdown(diff)
    changes = json.loads(plan.diff_to_json(diff))["models"][0]["changes"]
    followed = [field for change in changes for field in change["fields"] if field.get("follows")]
    assert [field["follows"] for field in followed] == ["ConfigMap r-abcdef0123"]


@pytest.mark.parametrize(("old", "new"), [("r-one", "r-two"), ("a-0123456789", "b-0123456789"), ("r", "r-0123456789")])
def test_another_name_is_another_object_unless_only_a_hash_differs(old: str, new: str) -> None:
    before, after = (kubernetes("ConfigMap", name=name) for name in (old, new))
    assert "a ConfigMap with another name is another object" in screen(plan.diff(graph(before), graph(after)))


def test_a_checksum_of_content_follows_it() -> None:
    before, after = (
        kubernetes("DaemonSet", "apps/v1", spec={"template": {"metadata": {"annotations": {"checksum/config": value}}}})
        for value in ("a" * 64, "b" * 64)
    )
    assert 'annotations["checksum/config"]  follows the content' in screen(plan.diff(graph(before), graph(after)))


# -- names ------------------------------------------------------------------------------------------------


def wide(name: str, bound: int = 1) -> list[plan.Resource]:
    values = {f"k{number}": f"{name}-{number}" for number in range(20)}
    return component(resource("a:b:C", name, spec=values, bound=bound), name=name)


def test_a_model_that_seems_renamed_is_said_to_be_so_even_if_it_changed_too() -> None:
    diff = plan.diff(graph(*wide("old")), graph(*wide("new", bound=2)))
    assert "most of old, which is deleted, comes again here" in screen(diff)
    assert json.loads(plan.diff_to_json(diff))["models"][1]["likely_from"] == "old"


def test_a_new_model_that_is_another_one_is_not() -> None:
    diff = plan.diff(graph(*wide("old")), graph(*component(deployment(), name="new")))
    assert "comes again" not in screen(diff)


# -- many of one sort ---------------------------------------------------------------------------------


def test_rules_are_told_apart_by_their_names() -> None:
    def rules(bound: str) -> plan.Graph:
        alerts = [{"alert": "Slow", "expr": f"a > {bound}"}, {"alert": "Slow", "expr": "b"}]
        records = [{"record": "rate", "expr": "c"}]
        return graph(kubernetes("PrometheusRule", spec={"groups": [{"name": "g", "rules": records + alerts}]}))

    shown = screen(plan.diff(rules("1"), rules("2")))
    assert "spec.groups[g].rules[Slow].expr  a > 1 → a > 2" in shown


def test_of_many_changes_that_are_alike_the_first_are_shown() -> None:
    def rules(factor: int) -> plan.Graph:
        return graph(resource("a:b:C", rules=[{"name": f"r{n}", "expr": f"x > {n * factor}"} for n in range(1, 30)]))

    shown = screen(plan.diff(rules(1), rules(100)))
    assert "rules[r3].expr" in shown
    assert "rules[r4].expr" not in shown
    assert "… 26 more of rules[*].expr" in shown


def test_what_a_long_text_exchanges_several_times_is_shown_once() -> None:
    before, after = (" and ".join(f"rate{n}(requests) > {bound}" for n in range(9)) for bound in ("0.01", "0.02"))
    shown = screen(plan.diff(graph(resource("a:b:C", x=before)), graph(resource("a:b:C", x=after))), width=200)
    assert "> 0.01… → rate0(requests) > 0.02… (9 times)" in shown


def test_an_image_keeps_its_registry_and_the_start_of_its_digest() -> None:
    before, after = (
        kubernetes("Pod", spec={"containers": [{"name": "c", "image": f"{host}/a/b@sha256:{letter * 64}"}]})
        for host, letter in (("one.example.com", "a"), ("two.example.com", "b"))
    )
    shown = screen(plan.diff(graph(before), graph(after)), width=200)
    assert "one.example.com/a/b@sha256:aaaaaaaaaaaa → two.example.com/a/b@sha256:bbbbbbbbbbbb" in shown


def test_how_many_will_fail_is_counted() -> None:
    protected = replace(kubernetes("Service"), options=plan.Options(protect=True))
    assert "1 deleted; 1 will fail" in screen(plan.diff(graph(protected), graph()))

"""The stand-in for pulumi-kubernetes sees a change where the real plugin's source says so."""

from typing import Any

import pytest
from tests.cluster.standin.kubernetes_diff import another_cluster, changes
from tests.cluster.standin.kubernetes_replacement import replaces
from tests.cluster.standin.wire import differences

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}},
    },
}  # fmt: skip

MIB, GIB = {"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1Gi"}}


def with_container(**fields: Any) -> dict[str, Any]:
    container = DEPLOYMENT["spec"]["template"]["spec"]["containers"][0] | fields
    return DEPLOYMENT | {"spec": {**DEPLOYMENT["spec"], "template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("old", "live", "new", "found"),
    [
        (DEPLOYMENT, with_container(imagePullPolicy="Always"), DEPLOYMENT, []),
        (DEPLOYMENT, with_container(env=[{"name": "A", "value": "2"}]), DEPLOYMENT, ["env[0].value"]),
        (with_container(env=[{"name": "A", "value": ""}]), with_container(env=[{"name": "A"}]),
         with_container(env=[{"name": "A", "value": ""}]), []),
        (with_container(resources=MIB), with_container(resources=GIB), with_container(resources=MIB), []),
        (with_container(env=[{"name": "A", "value": "01"}]), with_container(env=[{"name": "A", "value": "01"}]),
         with_container(env=[{"name": "A", "value": "1"}]), ["env[0].value"]),
        (DEPLOYMENT, DEPLOYMENT, with_container(args=[""]), ["args"]),
    ],
    ids=["defaults", "a change by hand", "an empty value", "a spelling", "another text", "a new list"],
)  # fmt: skip
def test_the_live_object_in_the_shape_of_the_inputs_is_what_is_compared(
    old: dict[str, Any], live: dict[str, Any], new: dict[str, Any], found: list[str]
) -> None:
    place = "spec.template.spec.containers[0]."
    assert [each.path.removeprefix(place) for each in changes(old, live, new, namespaced=True)] == found


def test_a_label_that_becomes_empty_is_a_change() -> None:
    labelled = DEPLOYMENT | {"metadata": {**DEPLOYMENT["metadata"], "labels": {"team": ""}}}
    unlabelled = DEPLOYMENT | {"metadata": {**DEPLOYMENT["metadata"], "labels": {}}}
    assert [each.path for each in changes(unlabelled, unlabelled, labelled, namespaced=True)] == [
        "metadata.labels.team"
    ]


@pytest.mark.parametrize("mutable", [True, False])
def test_data_replaces_a_config_map_unless_the_provider_may_change_it(mutable: bool) -> None:
    old: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a.b": "1"}}
    [found] = differences(old, old | {"data": {"a.b": "2"}})
    assert replaces(found, old, mutable_data={"ConfigMap": mutable, "Secret": False}) is not mutable


KUBECONFIG = """
clusters: [{name: one, cluster: {server: https://one}}, {name: two, cluster: {server: https://two}}]
contexts: [{name: first, context: {cluster: one}}, {name: again, context: {cluster: one}},
           {name: second, context: {cluster: two}}]
"""


@pytest.mark.parametrize(
    ("old", "new", "replacing"),
    [
        ({"kubeconfig": KUBECONFIG, "context": "first"}, {"kubeconfig": KUBECONFIG, "context": "second"}, ["context"]),
        ({"kubeconfig": KUBECONFIG, "context": "first"}, {"kubeconfig": KUBECONFIG, "context": "again"}, []),
        ({"context": "first"}, {"context": "second"}, []),
        ({"context": "first", "clusterIdentifier": "a"}, {"context": "second", "clusterIdentifier": "b"},
         ["clusterIdentifier"]),
        ({"kubeconfig": KUBECONFIG, "context": "first", "clusterIdentifier": "a"},
         {"kubeconfig": KUBECONFIG, "context": "second", "clusterIdentifier": "a"}, []),
    ],
    ids=["another cluster", "another name of one", "in no kubeconfig of its own", "identified", "identified as one"],
)  # fmt: skip
def test_another_cluster_is_known_by_the_kubeconfig_or_its_identifier(
    old: dict[str, Any], new: dict[str, Any], replacing: list[str]
) -> None:
    assert another_cluster(old, new) == replacing

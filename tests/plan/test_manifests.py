"""Rendered manifests: complete, in order, the same bytes, and careful with other people's files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slipform import plan
from slipform.plan.kubernetes import apply_order, manifest
from slipform.plan.views.folder import LEDGER
from slipform.plan.views.manifests import Per, _Dumper, _ordered

from .conftest import PROJECTS, Plan


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_model_is_a_file_and_the_rest_is_shared(models_dev: plan.Graph, tmp_path: Path) -> None:
    rendered = plan.render(models_dev, tmp_path / "out")
    assert rendered.written.files == ("0-namespaces.yaml", "fraud.yaml", "resnet50.yaml")
    kinds = [document["kind"] for document in documents(tmp_path / "out" / "fraud.yaml")]
    assert kinds == ["ConfigMap", "Service", "Deployment", "VirtualService"]


def test_each_resource_is_a_file_on_request(models_dev: plan.Graph, tmp_path: Path) -> None:
    rendered = plan.render(models_dev, tmp_path / "out", per="resource")
    assert "fraud/deployment-fraud.yaml" in rendered.written.files
    assert "0-namespaces/serving.yaml" in rendered.written.files
    assert len(rendered.written.files) == 11


def test_the_ledger_is_no_file_that_kubectl_takes_from_a_folder(models_dev: plan.Graph, tmp_path: Path) -> None:
    plan.render(models_dev, tmp_path)
    taken = {path.name for path in tmp_path.iterdir() if path.suffix in (".json", ".yaml", ".yml")}
    assert taken == {"0-namespaces.yaml", "fraud.yaml", "resnet50.yaml"}


def test_a_folder_with_the_ledgers_former_name_is_known_and_gets_the_new_one(
    models_dev: plan.Graph, tmp_path: Path
) -> None:
    plan.render(models_dev, tmp_path)
    (tmp_path / LEDGER).rename(tmp_path / f"{LEDGER}.json")
    plan.render(models_dev, tmp_path)
    assert not (tmp_path / f"{LEDGER}.json").exists()
    assert (tmp_path / LEDGER).exists()


@pytest.mark.parametrize("per", ["model", "resource"])
def test_files_by_name_begin_with_the_namespaces_as_kubectl_applies_a_folder(
    models_dev: plan.Graph, tmp_path: Path, per: Per
) -> None:
    plan.render(models_dev, tmp_path, per=per)
    kinds = [found["kind"] for file in sorted(tmp_path.rglob("*.yaml")) for found in documents(file)]
    assert kinds[0] == "Namespace"
    assert kinds.count("Namespace") == 1


def test_a_manifest_is_the_registered_input_and_nothing_else(models_dev: plan.Graph, tmp_path: Path) -> None:
    plan.render(models_dev, tmp_path / "out", per="resource")
    (deployment,) = (r for r in models_dev.resources if r.name == "fraud-server")
    (document,) = documents(tmp_path / "out" / "fraud" / "deployment-fraud.yaml")
    assert document == manifest(models_dev, deployment)
    assert document["spec"] == deployment.inputs["spec"]


def test_a_namespace_of_the_provider_is_written_out_for_namespaced_kinds_only(
    models_dev: plan.Graph, tmp_path: Path
) -> None:
    plan.render(models_dev, tmp_path / "out")
    (shared,) = documents(tmp_path / "out" / "0-namespaces.yaml")
    assert shared["metadata"] == {"name": "serving"}
    namespaces = {each["metadata"]["namespace"] for each in documents(tmp_path / "out" / "fraud.yaml")}
    assert namespaces == {"serving"}


def test_an_object_whose_name_is_made_up_later_is_said_to_be_unfinished(models_dev: plan.Graph, tmp_path: Path) -> None:
    rendered = plan.render(models_dev, tmp_path / "out")
    assert [resource.name for resource in rendered.unfinished] == ["fraud-service", "resnet50-service"]
    services = [each for each in documents(tmp_path / "out" / "fraud.yaml") if each["kind"] == "Service"]
    assert services[0]["metadata"]["generateName"] == "fraud-service-"


def test_the_same_graph_gives_the_same_bytes(models_dev: plan.Graph, tmp_path: Path) -> None:
    plan.render(models_dev, tmp_path / "one")
    plan.render(plan.run(PROJECTS / "models", "dev"), tmp_path / "two")
    plan.render(models_dev, tmp_path / "one")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_what_is_no_object_of_the_cluster_is_left_out_and_said(planned: Plan, tmp_path: Path) -> None:
    graph = planned(
        """
import pulumi, pulumi_kubernetes as k8s
class Role(pulumi.CustomResource):
    def __init__(self, name):
        super().__init__("aws:iam/role:Role", name, {})
Role("role")
k8s.core.v1.ConfigMap.get("theirs", "default/theirs")
k8s.core.v1.ConfigMapPatch("patch", metadata={"name": "patched"}, data={"a": "b"})
k8s.core.v1.ConfigMap("ours", metadata={"name": "ours"}, data={})
"""
    )
    rendered = plan.render(graph, tmp_path / "out")
    assert {resource.name: reason for resource, reason in rendered.left_out} == {
        "role": "is no Kubernetes object (aws:iam/role:Role)",
        "theirs": "is only read: somebody else made it",
        "patch": "patches an object that somebody else made",
    }
    assert [document["metadata"]["name"] for document in documents(tmp_path / "out" / "shared.yaml")] == ["ours"]


def test_dependencies_come_before_their_dependents_whatever_their_kind(planned: Plan) -> None:
    graph = planned(
        """
import pulumi, pulumi_kubernetes as k8s
def config(name, *after):
    return k8s.core.v1.ConfigMap(name, metadata={"name": name}, data={},
                                 opts=pulumi.ResourceOptions(depends_on=list(after)))
job = k8s.batch.v1.Job("job", metadata={"name": "job"}, spec={"template": {}})
config("b", config("c", job))
config("a")
"""
    )
    assert [resource.name for resource in apply_order(graph.resources)] == ["a", "job", "c", "b"]


# -- scalars that two YAML parsers would read differently -----------------------------------------


@pytest.mark.parametrize("text", ["1e3", "08", "0o14", "y", "N", "1_000", "0x1f", "1.20", "12e5", ".5", "no", "~", ""])
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert yaml.dump({"a": text}, Dumper=_Dumper) in (f"a: '{text}'\n", f'a: "{text}"\n')


@pytest.mark.parametrize("text", ["8Gi", "500m", "v1.2.3", "http", "5ms"])
def test_a_plain_text_stays_plain(text: str) -> None:
    assert yaml.dump({"a": text}, Dumper=_Dumper) == f"a: {text}\n"


@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda v: st.dictionaries(st.text(), v, max_size=3)))
def test_what_is_dumped_is_read_back_equal(value: object) -> None:
    assert yaml.safe_load(yaml.dump(_ordered(value), Dumper=_Dumper, sort_keys=False, width=10_000)) == value


def test_the_manifests_are_what_kubectl_reads(models_dev: plan.Graph, tmp_path: Path) -> None:
    """kubectl's own parser, which is Kubernetes'; it needs no cluster to read."""
    import shutil

    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not here")
    plan.render(models_dev, tmp_path / "out")
    (tmp_path / "out" / "kustomization.yaml").write_text("resources: [0-namespaces.yaml, resnet50.yaml]\n")
    text = (tmp_path / "out" / "resnet50.yaml").read_text().replace("generateName: ", "name: ")
    (tmp_path / "out" / "resnet50.yaml").write_text(text)
    built = subprocess.run(["kubectl", "kustomize", str(tmp_path / "out")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    read = {document["kind"]: document for document in yaml.safe_load_all(built.stdout)}
    (deployment,) = (r for r in models_dev.resources if r.name == "resnet50-server")
    assert read["Deployment"] == manifest(models_dev, deployment)


# -- the folder ------------------------------------------------------------------------------------------

ONE_MAP = 'import pulumi_kubernetes as k8s\nk8s.core.v1.ConfigMap("a", metadata={"name": "a"}, data={"k": "1"})\n'
MODELS = """
import pulumi, pulumi_kubernetes as k8s
class Model(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("shop:parts:Model", name, None)
        k8s.core.v1.ConfigMap(name, metadata={"name": name}, data={}, opts=pulumi.ResourceOptions(parent=self))
for name in NAMES:
    Model(name)
"""


def models(planned: Plan, *names: str) -> plan.Graph:
    return planned(MODELS.replace("NAMES", repr(names)))


def test_a_model_that_is_gone_takes_its_file_along_and_nothing_else(planned: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan.render(models(planned, "a", "b"), out)
    (out / "notes.txt").write_text("mine")
    (out / "c.yaml").write_text("mine too")
    written = plan.render(models(planned, "a"), out).written
    assert written.removed == ("b.yaml",)
    assert sorted(path.name for path in out.iterdir()) == [LEDGER, "a.yaml", "c.yaml", "notes.txt"]


def test_a_stale_file_that_was_changed_by_hand_is_kept_and_said(planned: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan.render(models(planned, "a", "b"), out)
    (out / "b.yaml").write_text("changed by hand")
    written = plan.render(models(planned, "a"), out).written
    assert (written.removed, written.kept) == ((), ("b.yaml",))
    assert (out / "b.yaml").read_text() == "changed by hand"


def test_somebody_elses_file_is_never_overwritten(planned: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.yaml").write_text("mine")
    with pytest.raises(plan.RenderError, match=r"a\.yaml exists and was not written by a render"):
        plan.render(models(planned, "a"), out)
    assert bytes_of(out) == {"a.yaml": b"mine"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_folders_of_a_layout_that_is_no_longer_wanted_go_with_their_files(planned: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    graph = models(planned, "a")
    plan.render(graph, out, per="resource")
    plan.render(graph, out, per="model")
    assert sorted(path.name for path in out.iterdir()) == [LEDGER, "a.yaml"]


def test_a_ledger_cannot_talk_us_into_removing_files_elsewhere(planned: Plan, tmp_path: Path) -> None:
    import hashlib

    out = tmp_path / "out"
    plan.render(models(planned, "a"), out)
    (tmp_path / "precious").write_text("x")
    ledger = json.loads((out / LEDGER).read_text())
    ledger["files"]["../precious"] = hashlib.sha256(b"x").hexdigest()
    (out / LEDGER).write_text(json.dumps(ledger))
    plan.render(models(planned, "a"), out)
    assert (tmp_path / "precious").read_text() == "x"


def test_a_render_that_fails_leaves_no_half_written_folder(
    planned: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = models(planned, "a", "b")
    write_bytes = Path.write_bytes

    def full_disk(self: Path, data: bytes) -> int:
        if self.name == "b.yaml":
            raise OSError(28, "No space left on device", str(self))
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(plan.RenderError, match="No space left on device"):
        plan.render(graph, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if path.name != "project"] == []


@pytest.mark.parametrize("ledger", ["", "{}", "[]", '{"format": "slipform.rendered/v9", "files": {}}'])
def test_a_ledger_that_cannot_be_read_proves_nothing(planned: Plan, tmp_path: Path, ledger: str) -> None:
    out = tmp_path / "out"
    graph = models(planned, "a")
    plan.render(graph, out)
    (out / LEDGER).write_text(ledger)
    with pytest.raises(plan.RenderError, match="was not written by a render"):
        plan.render(graph, out)


def test_a_file_where_the_folder_should_be_is_refused(planned: Plan, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(plan.RenderError, match="out is a file"):
        plan.render(planned(ONE_MAP), tmp_path / "out")


def test_two_components_of_one_name_get_files_of_their_own(planned: Plan, tmp_path: Path) -> None:
    graph = planned(
        MODELS.replace("NAMES", "('a', 'shared')")
        + """
class Other(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("shop:parts:Other", name, None)
        k8s.core.v1.ConfigMap(name + "2", metadata={"name": "a"}, data={}, opts=pulumi.ResourceOptions(parent=self))
Other("a")
k8s.core.v1.ConfigMap("loose", metadata={"name": "loose"}, data={})
"""
    )
    rendered = plan.render(graph, tmp_path / "out")
    assert rendered.written.files == ("a-model.yaml", "a-other.yaml", "shared-model.yaml", "shared.yaml")

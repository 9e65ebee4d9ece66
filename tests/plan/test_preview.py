"""The same views from what the real engine said: the fixtures are its own (`previews/make.py`)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from slipform import plan
from slipform.plan import preview

from .conftest import PROJECTS
from .previews.make import change
from .test_diff import screen

PREVIEWS = Path(__file__).parent / "previews"


def previewed(name: str) -> preview.Preview:
    return preview.read((PREVIEWS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def planned_change(tmp_path_factory: pytest.TempPathFactory) -> plan.Diff:
    """The change of `change.json`, without an engine."""
    project = tmp_path_factory.mktemp("changed") / "models"
    shutil.copytree(PROJECTS / "models", project)
    base = plan.run(project, "dev", fingerprint_key=b"k")
    change(project / "program")
    config = project / "program" / "Pulumi.dev.yaml"
    config.write_text(config.read_text().replace("v1:4UoX", "v1:5UoX"))
    return plan.diff(base, plan.run(project, "dev", fingerprint_key=b"k"))


def test_a_plan_foretells_the_engines_urns_and_inputs(models_dev: plan.Graph) -> None:
    engine = previewed("create").head
    assert [resource.urn for resource in engine.resources] == [resource.urn for resource in models_dev.resources]
    for ours, theirs in zip(models_dev.resources, engine.resources, strict=True):
        assert (ours.parent, ours.provider, ours.custom) == (theirs.parent, theirs.provider, theirs.custom)
        assert ours.options.protect == theirs.options.protect
        assert theirs.source in (ours.source, None)
        if ours.kind not in ("Secret", "kubernetes"):  # the engine hides a secret's values, and the plan all of it
            assert ours.inputs == theirs.inputs


@pytest.mark.parametrize("name", ["change", "change-with-sames"])
def test_a_diff_foretells_what_the_engine_does(planned_change: plan.Diff, name: str) -> None:
    def said(diff: plan.Diff) -> dict[str, tuple[object, ...]]:
        return {
            each.resource.urn: (
                each.action,
                [(field.field.where, field.field.lines) for field in each.fields if each.resource.kind != "Secret"],
                each.consequence,
            )
            for each in diff.changes
        }

    assert said(previewed(name).diff()) == said(planned_change)


def test_with_the_resources_that_stay_the_screen_is_the_same(planned_change: plan.Diff) -> None:
    def shown(diff: plan.Diff) -> list[str]:
        """But for outputs, which a preview does not have."""
        lines = screen(diff).split("\noutputs\n")[0].splitlines()
        return [line for line in lines if line and not line.startswith("5 created")]

    assert shown(previewed("change-with-sames").diff()) == shown(planned_change)


def test_a_changed_secret_is_said_though_both_sides_read_alike() -> None:
    text = screen(previewed("change").diff())
    assert "stringData  secret changed" in text
    assert "hunter" not in (PREVIEWS / "change.json").read_text()


def test_the_engines_word_is_taken_over_our_table() -> None:
    document = json.loads((PREVIEWS / "change.json").read_text())
    for step in document["steps"]:
        if step["op"] == "replace":
            step["op"] = "update"
            del step["replaceReasons"]
    diff = preview.read(json.dumps(document)).diff()
    assert diff.count(plan.Action.REPLACE) == 0
    assert diff.count(plan.Action.UPDATE) == 4


def test_a_replacement_that_only_the_engine_knows_of_is_shown_with_its_reason() -> None:
    document = json.loads((PREVIEWS / "change.json").read_text())
    (step,) = (step for step in document["steps"] if step["op"] == "update")
    step.update(op="replace", replaceReasons=["spec.selector.tier"])
    diff = preview.read(json.dumps(document)).diff()
    (service,) = (change for change in diff.changes if change.resource.name == "resnet50-service")
    assert service.action is plan.Action.REPLACE
    assert service.reasons == ("the engine replaces it for spec.selector.tier",)


def test_what_the_engine_leaves_alone_is_no_change() -> None:
    document = json.loads((PREVIEWS / "change.json").read_text())
    document["steps"] = [{**step, "op": "same"} for step in document["steps"] if step["op"] in ("same", "update")]
    assert preview.read(json.dumps(document)).diff().changes == ()


def test_warnings_of_the_program_are_messages() -> None:
    messages = previewed("create").head.messages
    assert plan.Message("warning", "20 replicas of one GPU on 10 one-GPU nodes") in messages
    assert plan.Message("info", "printed by the program") in messages


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "no preview"),
        ('{"steps": 3}', "no preview"),
        ('{"steps": [{"op": "create"}]}', "cannot be read: KeyError"),
        ('{"sequence": 0}\n{"sequence": 1}', "no JSON"),
    ],
)
def test_a_file_that_is_no_preview_is_refused_with_the_command_that_makes_one(text: str, said: str) -> None:
    with pytest.raises(plan.GraphFormatError, match=said):
        preview.read(text)


def test_a_preview_of_nothing_is_no_change() -> None:
    assert not preview.read('{"steps": []}').diff()

"""A stack's config reaches the program exactly as the engine would hand it over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slipform import plan
from slipform.plan import project, stack_config

Write = Callable[..., Path]


def values(root: Path) -> dict[str, str]:
    return dict(stack_config.read(project.find(root), "dev").values)


@pytest.mark.parametrize(
    ("written", "passed"),
    [
        ("text", "text"),
        ("3", "3"),
        ("'3'", "3"),
        ("true", "true"),
        ("0.5", "0.5"),
        ("2.50", "2.5"),
        ("null", "null"),
        ("on", "on"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("0x10", "16"),
        ("0o14", "12"),
        ("1e3", "1000"),
        ("0.00001", "0.00001"),
        ("[1e3, 2.0]", "[1000,2]"),
        ("[b, a, 1]", '["b","a",1]'),
        ("{b: 1, a: {d: true, c: null}}", '{"a":{"c":null,"d":true},"b":1}'),
        ('{u: "a&b<c>"}', r'{"u":"a\u0026b\u003cc\u003e"}'),
        ("{ü: ß}", '{"ü":"ß"}'),
        ("{2: a, true: b}", '{"2":"a","true":"b"}'),
        ("5ms", "5ms"),
    ],
)
def test_a_value_becomes_the_text_that_the_engine_makes_of_it(write_project: Write, written: str, passed: str) -> None:
    assert values(write_project("", config=f"config:\n  shop:key: {written}\n")) == {"shop:key": passed}


def test_a_key_without_namespace_belongs_to_the_project(write_project: Write) -> None:
    root = write_project("", config="config: {key: 1, 'aws:region': eu-central-1}\n")
    assert values(root) == {"aws:region": "eu-central-1", "shop:key": "1"}


def test_a_secure_value_and_one_within_a_structure_are_secret_keys(write_project: Write) -> None:
    root = write_project(
        "", config="config:\n  a: {secure: v1:x}\n  b: {c: [1, {secure: v1:y}]}\n  d: {secure: v1:z, more: 1}\n"
    )
    assert stack_config.read(project.find(root), "dev").secret_keys == ("shop:a", "shop:b")


def test_the_program_reads_types_from_it(planned: Callable[..., plan.Graph]) -> None:
    graph = planned(
        """
import pulumi
config = pulumi.Config()
pulumi.export("all", [
    config.require_int("int"), config.require_bool("bool"), config.require_float("float"),
    config.require_object("object"), pulumi.Config("aws").require("region"), config.get("absent"),
])
""",
        config="""
        config:
          int: 3
          bool: true
          float: 0.5
          object: {zones: [a, b]}
          aws:region: eu-central-1
        """,
    )
    assert graph.outputs["all"] == [3, True, 0.5, {"zones": ["a", "b"]}, "eu-central-1", None]


PROJECT_CONFIG = """
name: shop
runtime: python
config:
  replicas: {type: integer, default: 2}
  zones: {type: array, items: {type: string}, default: [a, b]}
  aws:region: {value: eu-central-1}
  team: platform
"""


def test_the_projects_defaults_fill_what_the_stack_does_not_set(write_project: Write) -> None:
    root = write_project("", config="config: {team: vision}", pulumi_yaml=PROJECT_CONFIG)
    assert values(root) == {
        "aws:region": "eu-central-1",
        "shop:replicas": "2",
        "shop:team": "vision",
        "shop:zones": '["a","b"]',
    }


def test_config_that_the_project_asks_for_and_the_stack_lacks_is_an_error(write_project: Write) -> None:
    yaml = "name: shop\nruntime: python\nconfig:\n  token: {type: string}\n  url: {type: string}\n"
    with pytest.raises(plan.ProjectError, match="lacks: token, url"):
        values(write_project("", pulumi_yaml=yaml))


def test_an_unknown_stack_is_an_error_that_names_the_known_ones(write_project: Write) -> None:
    root = write_project("")
    (root / "Pulumi.prod.yaml").write_text("")
    with pytest.raises(plan.ProjectError, match=r"no stack 'prdo'.*the stacks here: dev, prod"):
        plan.run(root, "prdo")


def test_a_project_without_any_stack_file_has_any_stack(write_project: Write) -> None:
    root = write_project("import pulumi\npulumi.export('stack', pulumi.get_stack())\n")
    (root / "Pulumi.dev.yaml").unlink()
    assert plan.run(root, "scratch").outputs == {"stack": "scratch"}


def test_imported_environments_are_said_to_be_missing(write_project: Write) -> None:
    root = write_project("", config="environment: [cloud/dev]\n")
    (remark,) = stack_config.read(project.find(root), "dev").remarks
    assert "ESC" in remark


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"config: [", r"Pulumi\.dev\.yaml:2:1: this is not YAML"),
        (b"config: 3", "`config` must be a mapping"),
        (b"- a\n- b\n", "must hold a mapping, not list"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[" * 3000, "Pulumi.dev.yaml"),
    ],
)
def test_a_broken_stack_file_is_one_clear_error(write_project: Write, content: bytes, said: str) -> None:
    root = write_project("")
    (root / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(plan.ProjectError, match=said):
        plan.run(root, "dev")


def test_an_organization_may_stand_before_the_stack(write_project: Write) -> None:
    root = write_project("import pulumi\npulumi.export('who', [pulumi.get_organization(), pulumi.get_stack()])\n")
    assert plan.run(root, "acme/dev").outputs == {"who": ["acme", "dev"]}


def test_nothing_of_the_config_is_executed(write_project: Write) -> None:
    root = write_project("", config="config:\n  a: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(plan.ProjectError, match="not YAML"):
        values(root)

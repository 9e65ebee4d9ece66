"""The changes that are drawn at random reach every field, and each of them is right somewhere."""

import copy
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from tests.cluster import edits
from tests.cluster.edit_values import SPEC, STACK, UNCHANGED
from tests.cluster.manifests import REPOSITORY

from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

KEYED_BY_NAME = ("node_pools", "build.profiles")
"""Below these come names of pools and of axes."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "Pulumi.yaml", tmp_path)
    for name in ("stacks", "model_specs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(("part", "values"), [(ModelSpec, SPEC), (StackConfig, STACK)], ids=["spec", "stack"])
def test_every_field_is_changed_or_it_is_said_why_not(
    part: type[BaseModel], values: dict[str, tuple[Any, ...]]
) -> None:
    changed = {_unnamed(path) for key, given in values.items() for value in given for path in paths(value, key)}
    excused = tuple(f"{field}." for field in UNCHANGED)
    assert {field for field in fields(part) if not f"{field}.".startswith(excused)} - changed == set()


def fields(part: type[BaseModel], above: str = "") -> Iterator[str]:
    """The fields that hold no other part, by their paths."""
    for name, field in part.model_fields.items():
        below = list(parts(field.annotation))
        for each in below:
            yield from fields(each, f"{above}{name}.")
        if not below:
            yield f"{above}{name}"


def parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


def paths(value: Any, above: str) -> Iterator[str]:
    """The paths of a value's own fields; a list's items share its path."""
    if isinstance(value, list):
        for item in value:
            yield from paths(item, above)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, f"{above}.{key}")
    yield above


def _unnamed(path: str) -> str:
    for above in KEYED_BY_NAME:
        path = re.sub(rf"^{re.escape(above)}\.[^.]+", above, path)
    return path


BESIDE: dict[str, dict[str, Any]] = {
    "a-canary": {"rollout": {"strategy": "canary", "candidate": {"version": 40}, "weight": 10}},
    "a-switch": {"rollout": {"strategy": "blue-green", "candidate": {"version": 40}, "active": 40, "keep": 2}},
}
"""Specs like fraud beside those of the repository: some fields go with these alone."""


def test_each_field_takes_one_of_its_values_somewhere(project: Path) -> None:
    """A field that no project would ever take is a hole in the property that the changes are for."""
    before = edits.read(project, "prod")
    before["fraud"].pop("expose")  # by client certificates: that and a gateway of the platform's exclude each other
    there = before | {name: {**before["fraud"], "name": name, **BESIDE[name]} for name in BESIDE}
    assert edits.is_right(project, "prod", before, there)
    edits.write(project, "prod", before, there)
    untaken = [
        path for paths, where in ((SPEC, sorted(there.keys() - {"stack"})), (STACK, ["stack"]))
        for path, values in paths.items()
        if not any(_takes(project, there, name, path, value) for value in values for name in where)
    ]  # fmt: skip
    assert untaken == []


def _takes(project: Path, there: edits.Document, name: str, path: str, value: Any) -> bool:
    changed = copy.deepcopy(there)
    return (
        edits.put(changed[name], path, value) and changed != there and edits.is_right(project, "prod", there, changed)
    )


@pytest.mark.parametrize("kind", sorted(edits.KINDS))
def test_each_kind_of_change_can_be_made(project: Path, kind: str) -> None:
    [said] = edits.edit(project, "prod", random.Random(0), 1, kinds=[kind])
    assert said.startswith(f"{kind}: ")

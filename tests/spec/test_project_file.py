"""Pulumi.yaml, as specs and plans find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipform.plan.project import find as planned
from slipform.project import find_root, stack_files

SETTINGS = "name: models\nruntime: python\n"


@pytest.mark.parametrize(
    ("name", "settings", "folder"),
    [
        ("Pulumi.yaml", SETTINGS, "."),
        ("Pulumi.yaml", f"{SETTINGS}stackConfigDir: stacks/\n", "stacks"),
        ("Pulumi.yaml", f"{SETTINGS}config: stacks\n", "stacks"),
        ("Pulumi.yml", f"{SETTINGS}stackConfigDir: stacks\n", "stacks"),
    ],
    ids=["beside it", "in a folder", "in a folder, as it was said before", "with the other ending"],
)
def test_specs_and_plans_find_the_same_project_and_stacks(
    tmp_path: Path, name: str, settings: str, folder: str
) -> None:
    inner = tmp_path / "model_specs" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / name).write_text(settings, encoding="utf-8")
    (tmp_path / "__main__.py").touch()
    for stack in ("dev", "prod"):
        (tmp_path / folder / f"Pulumi.{stack}{Path(name).suffix}").touch()
    root, project = find_root(inner), planned(inner)
    assert root == project.root == tmp_path.resolve()
    assert list(stack_files(root)) == project.stacks() == ["dev", "prod"]
    assert stack_files(root)["dev"] == project.stack_file("dev") == project.stack_file("acme/models/dev")

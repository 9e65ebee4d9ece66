"""A project with many specs, and the control plane that takes it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from tests.cluster import crds
from tests.cluster.manifests import REPOSITORY
from tests.cluster.plane import Plane, local_plane
from tests.cluster.program import point_at

HERE = Path(__file__).parent
STACK = "prod"


def write_project(folder: Path, specs: int) -> Path:
    """This repository's program and stack, with copies of its specs in turn under names of their own."""
    root = folder / "project"
    shutil.copytree(REPOSITORY / "stacks", root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    _without_budget(root / "stacks" / f"Pulumi.{STACK}.yaml")
    shutil.copytree(REPOSITORY / "model_specs" / "models", root / "model_specs" / "models")
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    originals = [yaml.safe_load(file.read_text()) for file in sorted((REPOSITORY / "model_specs").glob("*.yaml"))]
    for number in range(specs):
        spec = dict(originals[number % len(originals)])
        spec["name"] = f"{spec['name']}-{number:04}"
        if "expose" in spec:
            spec["expose"] = {**spec["expose"], "host": f"{spec['name']}.models.example.com"}
        (root / "model_specs" / f"{spec['name']}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    return root


def _without_budget(stack: Path) -> None:
    """The stack's is one for four models."""
    document = yaml.safe_load(stack.read_text())
    document["config"].pop("slipform:cost", None)
    stack.write_text(yaml.safe_dump(document, sort_keys=False))


@contextmanager
def cluster(folder: Path, root: Path) -> Iterator[Plane]:
    """A control plane of its own, at which the project's stack is pointed."""
    logs = folder / "plane"
    logs.mkdir()
    with local_plane(logs) as plane:
        crds.install(plane.api)
        point_at(root / "stacks" / f"Pulumi.{STACK}.yaml", plane)
        yield plane

"""Twelve changes that a team makes, each with what a reviewer reads of it: the text in changes/, to the letter.

Each is made in a git repository of this project's own specs, program and stacks, in the stack prod. After a change that
is meant: SLIPFORM_WRITE=1 pytest tests/plan/test_changes.py, and read the difference as the reviewer would.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from slipform import plan
from slipform.plan import revisions

REPOSITORY = Path(__file__).parents[2]
CHANGES = Path(__file__).parent / "changes"
PAGE = REPOSITORY / "docs" / "changes.md"

TRANSFORM = '''

def with_cost_center(args):
    """Finance wants to see it everywhere."""
    if args.type_ == "kubernetes:apps/v1:Deployment":
        args.props["spec"]["selector"]["matchLabels"]["cost-center"] = "42"
        args.props["spec"]["template"]["metadata"]["labels"]["cost-center"] = "42"
        return pulumi.ResourceTransformResult(args.props, args.opts)
    return None


pulumi.runtime.register_resource_transform(with_cost_center)
'''


@dataclass(frozen=True)
class Edit:
    """One change: texts exchanged in a file, which may begin as a copy of another one; or a file removed."""

    name: str
    title: str
    file: str
    exchanged: tuple[tuple[str, str], ...] = ()
    copied_from: str = ""
    moved: bool = False
    removed: bool = False


EDITS = (
    Edit("bound", "More replicas at most", "model_specs/iris.yaml", (("max_replicas: 8\n", "max_replicas: 12\n"),)),
    Edit(
        "image",
        "Another image of the runtime, for all models",
        "stacks/Pulumi.prod.yaml",
        (
            (
                "runtime: registry.example.com/slipform-runtime@sha256:4f5",
                "runtime: registry.example.com/slipform-runtime@sha256:aa1",
            ),
        ),
    ),
    Edit(
        "version",
        "A new version of a model with a progressive canary",
        "model_specs/text-direction.yaml",
        (("version: 2\n", "version: 3\n"),),
    ),
    Edit(
        "name",
        "A new name, and another bound at once",
        "model_specs/payment-fraud.yaml",
        (("name: fraud\n", "name: payment-fraud\n"), ("max_replicas: 16", "max_replicas: 20")),
        copied_from="model_specs/fraud.yaml",
        moved=True,
    ),
    Edit(
        "engine",
        "From the bundled runtime to Triton",
        "model_specs/iris.yaml",
        (("engine: fastapi", "engine: triton"), ("cache: {size: 64Mi, ttl: 30m}", "cache: {size: 64Mi}")),
    ),
    Edit("instance-type", "Larger machines in a pool", "model_specs/fraud.yaml", (("c7i.2xlarge", "c7i.4xlarge"),)),
    Edit(
        "selector-label",
        "A label in every selector, by a transform in the program",
        "stacks/__main__.py",
        (("\nproject = load_project()\n", f"{TRANSFORM}\nproject = load_project()\n"),),
    ),
    Edit(
        "config",
        "A batch may wait longer: the data of two ConfigMaps",
        "model_specs/ticket-router.yaml",
        (("max_queue_delay: 3ms", "max_queue_delay: 6ms"),),
    ),
    Edit("team", "Another team", "model_specs/iris.yaml", (("team: botany", "team: plants"),)),
    Edit(
        "objective", "A stricter objective", "model_specs/iris.yaml", (("availability: 99.9,", "availability: 99.95,"),)
    ),
    Edit(
        "new-model",
        "A new model",
        "model_specs/wine.yaml",
        (("name: iris\n", "name: wine\n"),),
        copied_from="model_specs/iris.yaml",
    ),
    Edit("removed-model", "A removed model", "model_specs/ticket-router.yaml", removed=True),
)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.hooksPath=/dev/null")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own with a branch for each edit; `main` is checked out."""
    root = tmp_path_factory.mktemp("changes") / "models"
    for folder in ("model_specs", "stacks"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "train"))
    lines = (REPOSITORY / "Pulumi.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (root / "Pulumi.yaml").write_text("".join(line for line in lines if "options:" not in line and ".venv" not in line))
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "models")
    for edit in EDITS:
        git(root, "switch", "-q", "-c", edit.name, "main")
        _make(edit, root)
        git(root, "add", "-A")
        git(root, "commit", "-qm", edit.title)
    git(root, "switch", "-q", "main")
    return root


def _make(edit: Edit, root: Path) -> None:
    source = root / (edit.copied_from or edit.file)
    text = source.read_text(encoding="utf-8")
    if edit.removed or edit.moved:
        source.unlink()
    for old, new in edit.exchanged:
        assert text.count(old) == 1, f"{edit.name}: {old!r} is not there once"
        text = text.replace(old, new)
    if not edit.removed:
        (root / edit.file).write_text(text, encoding="utf-8")


def printed(diff: plan.Diff) -> str:
    out = io.StringIO()
    plan.print_diff(diff, Console(file=out, width=100))
    return out.getvalue()


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_what_a_reviewer_reads_of_a_change_is_what_was_reviewed(
    edit: Edit, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    expected = CHANGES / f"{edit.name}.txt"
    text = printed(plan.diff(*revisions.graphs(project, "main", edit.name, "prod")))
    if os.environ.get("SLIPFORM_WRITE"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


MARK = "<!-- From here on the page is made: SLIPFORM_WRITE=1 pytest tests/plan/test_changes.py -->\n"


def test_the_page_shows_these_changes(project: Path) -> None:
    kept = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    page = kept + MARK + "".join(_section(edit, project) for edit in EDITS)
    if os.environ.get("SLIPFORM_WRITE"):
        PAGE.write_text(page, encoding="utf-8")
    assert page == PAGE.read_text(encoding="utf-8")


def _section(edit: Edit, project: Path) -> str:
    made = git(project, "diff", "--no-color", "-U0", "-M", "-C", "--find-copies-harder", "main", edit.name)
    lines = [
        line for line in made.splitlines() if not line.startswith(("diff ", "index ", "similarity ", "@@", "deleted "))
    ]
    if edit.removed:
        lines = [f"--- {edit.file}"]
    text = (CHANGES / f"{edit.name}.txt").read_text(encoding="utf-8")
    return f"\n## {edit.title}\n\n```diff\n{chr(10).join(lines)}\n```\n\n```\n{text.rstrip()}\n```\n"

"""``slipform diff``: what a change changes, between git revisions and from the engine's own preview."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Run

Edit = Callable[[str, str], None]


@pytest.fixture
def repository(project: Path) -> Path:
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *command], cwd=project, check=True)
    return project


@pytest.fixture
def edit(repository: Path) -> Edit:
    def change(before: str, after: str) -> None:
        file = repository / "model_specs" / "iris.yaml"
        text = file.read_text(encoding="utf-8")
        assert before in text
        file.write_text(text.replace(before, after), encoding="utf-8")

    return change


def test_a_bound_is_shown_from_and_to(slipform: Run, edit: Edit) -> None:
    edit("max_replicas: 2,", "max_replicas: 3,")
    done = slipform("diff", "main", "-s", "dev", "--exit-code")
    assert done.returncode == 1
    assert "HorizontalPodAutoscaler iris" in done.stdout
    assert "spec.maxReplicas  2 → 3" in done.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Which iris is it?", "# Another comment."),
        ("memory: 512Mi", "memory: 524288Ki"),
        ("timeout: 2s", "timeout: 2000ms"),
        ("max_queue_size: 512}", "max_queue_size: 512, preferred_batch_sizes: []}"),
    ],
    ids=["comment", "memory", "duration", "default"],
)
def test_a_change_of_words_alone_is_no_change(slipform: Run, edit: Edit, before: str, after: str) -> None:
    edit(before, after)
    done = slipform("diff", "main", "-s", "dev", "--exit-code")
    assert (done.returncode, done.stdout) == (0, "no changes\n")


def test_a_removed_model_stands_first(slipform: Run, repository: Path) -> None:
    (repository / "model_specs" / "fraud.yaml").unlink()
    done = slipform("diff", "main", "-s", "prod", "--format", "json")
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)["models"][0]
    assert (first["name"], first["action"]) == ("fraud", "delete")


def test_nothing_is_left_in_the_checkout(slipform: Run, repository: Path, edit: Edit) -> None:
    edit("max_replicas: 2,", "max_replicas: 3,")
    before = sorted(path.name for path in repository.iterdir())
    slipform("diff", "main", "-s", "dev")
    assert sorted(path.name for path in repository.iterdir()) == before
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    assert len(worktrees.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diff", "nowhere", "-s", "dev"), "git does not know 'nowhere'"),
        (("diff",), "which revision?"),
        (("diff", "--preview", "none.json"), "none.json"),
        (("diff", "main", "-s", "dev", "--base-env", "stacks"), "no virtual environment"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(
    slipform: Run, repository: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = slipform(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr

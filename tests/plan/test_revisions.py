"""Two git revisions, each planned by its own program; nothing is left behind, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipform import plan
from slipform.plan import revisions

Repository = Callable[..., Path]


def git(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull},
    )
    return done.stdout.strip()


PROGRAM = """
import pulumi, pulumi_kubernetes as k8s, parts
k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={"value": parts.VALUE})
pulumi.export("token", pulumi.Config().require_secret("token"))
"""
CONFIG = "config:\n  shop:token: {secure: v1:abc:def}\n"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary files of each test in a folder of its own, which must be empty in the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits (first, second) and a working tree that says a third thing."""
    root = tmp_path / "repository"
    project = root / "infra"
    project.mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text(CONFIG)
    (project / "__main__.py").write_text(PROGRAM)
    for value in ("first", "second"):
        (project / "parts.py").write_text(f"VALUE = {value!r}\n")
        git(root, "add", ".")
        git(root, "commit", "-qm", value)
        git(root, "tag", value)
    (project / "parts.py").write_text("VALUE = 'edited'\n")
    return root


def values(graphs: tuple[plan.Graph, plan.Graph]) -> list[object]:
    return [
        resource.inputs["data"]["value"] for graph in graphs for resource in graph.resources if resource.name == "map"
    ]


def test_each_side_runs_its_own_program(repository: Path) -> None:
    assert values(revisions.graphs(repository / "infra", "first", "second", "dev")) == ["first", "second"]


def test_without_a_head_the_working_tree_is_compared(repository: Path) -> None:
    assert values(revisions.graphs(repository / "infra", "HEAD", None, "dev")) == ["second", "edited"]


def test_secrets_of_the_two_sides_compare(repository: Path) -> None:
    base, head = revisions.graphs(repository / "infra", "first", None, "dev")
    assert base.outputs == head.outputs
    (repository / "infra" / "Pulumi.dev.yaml").write_text(CONFIG.replace("abc", "xyz"))
    base, head = revisions.graphs(repository / "infra", "first", None, "dev")
    assert base.outputs != head.outputs


def test_the_repository_and_the_working_tree_stay_as_they_were(repository: Path) -> None:
    before = (
        git(repository, "status", "--porcelain"),
        git(repository, "worktree", "list"),
        git(repository, "stash", "list"),
    )
    index = (repository / ".git" / "index").read_bytes()
    revisions.graphs(repository / "infra", "first", "second", "dev")
    after = (
        git(repository, "status", "--porcelain"),
        git(repository, "worktree", "list"),
        git(repository, "stash", "list"),
    )
    assert after == before
    assert (repository / ".git" / "index").read_bytes() == index


@pytest.mark.parametrize("revision", ["nowhere", "-h", "--all", "HEAD~99", "first:infra", ""])
def test_a_revision_that_git_does_not_know_is_one_clear_error(repository: Path, revision: str) -> None:
    with pytest.raises(revisions.RevisionError, match="git does not know"):
        revisions.graphs(repository / "infra", revision, None, "dev")


def test_a_branch_that_only_the_remote_has_is_suggested(repository: Path, tmp_path: Path) -> None:
    git(repository, "branch", "release")
    git(tmp_path, "clone", "-q", str(repository), str(tmp_path / "clone"))
    with pytest.raises(revisions.RevisionError, match="there is origin/release"):
        revisions.graphs(tmp_path / "clone" / "infra", "release", None, "dev")


def test_in_a_shallow_clone_the_remedy_is_named(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), str(tmp_path / "clone"))
    with pytest.raises(revisions.RevisionError, match=r"this clone is shallow; `git fetch --unshallow origin`"):
        revisions.graphs(tmp_path / "clone" / "infra", "first", None, "dev")


def test_outside_a_repository_there_is_nothing_to_compare(write_project: Callable[..., Path]) -> None:
    with pytest.raises(revisions.RevisionError, match="is in no git repository"):
        revisions.graphs(write_project(""), "main", None, "dev")


def test_a_repository_without_a_commit_is_told_to_make_one(write_project: Callable[..., Path]) -> None:
    folder = write_project("")
    git(folder, "init", "-q")
    with pytest.raises(revisions.RevisionError, match=r"has no commit yet.*`git commit` what is there"):
        revisions.graphs(folder, "main", None, "dev")


def test_a_base_without_the_project_is_empty_and_said(repository: Path) -> None:
    git(repository, "checkout", "-q", "--orphan", "empty")
    git(repository, "rm", "-rqf", "--cached", ".")
    git(repository, "commit", "-qm", "empty", "--allow-empty")
    base, head = revisions.graphs(repository / "infra", "empty", "first", "dev")
    assert base.resources == ()
    assert "empty has no infra/Pulumi.yaml: compared with nothing" in base.messages[0].text
    assert len(head.resources) == 1


def test_a_base_without_the_stack_is_empty_and_said(repository: Path) -> None:
    (repository / "infra" / "Pulumi.prod.yaml").write_text(CONFIG)
    base, head = revisions.graphs(repository / "infra", "first", None, "prod")
    assert base.resources == ()
    assert "first has no stack prod: compared with nothing" in base.messages[0].text
    assert len(head.resources) == 1


@pytest.mark.parametrize(
    ("pulumi_yaml", "said"),
    [
        (
            "name: shop\nruntime: nodejs\n",
            "at other: other:infra/Pulumi.yaml: the runtime is nodejs; only Python programs",
        ),
        ("name: [", "at other: other:infra/Pulumi.yaml:2:1: this is not YAML"),
    ],
)
def test_a_base_with_a_project_of_another_kind_is_named_as_that_revisions(
    repository: Path, scratch: Path, pulumi_yaml: str, said: str
) -> None:
    project = repository / "infra" / "Pulumi.yaml"
    kept = project.read_text()
    project.write_text(pulumi_yaml)
    git(repository, "commit", "-qam", "other")
    git(repository, "tag", "other")
    project.write_text(kept)
    with pytest.raises(plan.ProjectError) as raised:
        revisions.graphs(repository / "infra", "other", None, "dev")
    assert str(raised.value).startswith(said)
    assert str(scratch) not in str(raised.value)


def test_in_a_hook_of_git_the_repository_is_still_the_projects_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = (repository / ".git" / "index").read_bytes()
    monkeypatch.chdir(repository)
    for name, value in (("GIT_DIR", ".git"), ("GIT_INDEX_FILE", ".git/index"), ("GIT_PREFIX", "infra/")):
        monkeypatch.setenv(name, value)
    assert values(revisions.graphs(repository / "infra", "first", None, "dev")) == ["first", "edited"]
    assert (repository / ".git" / "index").read_bytes() == index


def test_a_repository_that_git_does_not_trust_is_named_with_the_remedy(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(revisions.RevisionError, match=r"git config --global --add safe\.directory"):
        revisions.graphs(repository / "infra", "first", None, "dev")


def test_a_program_that_raises_at_a_revision_is_shown_as_that_revisions(repository: Path, scratch: Path) -> None:
    (repository / "infra" / "parts.py").write_text("raise ValueError('broken then')\n")
    git(repository, "commit", "-qam", "broken")
    git(repository, "tag", "broken")
    with pytest.raises(plan.ProgramError) as raised:
        revisions.graphs(repository / "infra", "broken", "first", "dev")
    assert str(raised.value).startswith("at broken: the program broken:infra raised ValueError: broken then")
    assert 'File "broken:infra/parts.py", line 1' in str(raised.value)
    assert str(scratch) not in str(raised.value)


def test_a_warning_that_names_a_file_reads_alike_on_both_sides(repository: Path) -> None:
    (repository / "infra" / "__main__.py").write_text("import pulumi\npulumi.log.warn(__file__ + ':3: doubtful')\n")
    git(repository, "commit", "-qam", "warn")
    base, head = revisions.graphs(repository / "infra", "HEAD", None, "dev")
    assert [message.text for message in base.messages] == ["infra/__main__.py:3: doubtful"]
    assert plan.diff(base, head).new_messages == ()


def test_another_lock_file_is_said(repository: Path) -> None:
    (repository / "requirements.txt").write_text("pulumi==3.1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "lock")
    (repository / "requirements.txt").write_text("pulumi==3.2\n")
    _, head = revisions.graphs(repository / "infra", "HEAD", None, "dev")
    (message,) = head.messages
    assert message.text.startswith("requirements.txt differs between the two sides, and both ran in one environment")
    _, head = revisions.graphs(repository / "infra", "HEAD", None, "dev", base_python=Path(sys.executable))
    assert head.messages == ()


def test_leftovers_of_a_killed_run_go_and_those_of_a_living_one_stay(repository: Path, scratch: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftover, living = scratch / f"slipform-diff-{dead.pid}-abc", scratch / f"slipform-diff-{os.getppid()}-abc"
    leftover.mkdir()
    living.mkdir()
    revisions.graphs(repository / "infra", "first", "second", "dev")
    assert not leftover.exists()
    assert living.exists()
    living.rmdir()


SLOW = "import os, pathlib, time\npathlib.Path(os.environ['STARTED'] + str(os.getpid())).touch()\ntime.sleep(600)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_neither_files_nor_processes(
    repository: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (repository / "infra" / "__main__.py").write_text(SLOW)
    git(repository, "commit", "-qam", "slow")
    marks = tmp_path / "marks"
    marks.mkdir()
    # A process that is started in the background ignores SIGINT, and so would all that it starts.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from slipform.plan import revisions; "
        f"revisions.graphs(Path({str(repository / 'infra')!r}), 'HEAD', None, 'dev')"
    )
    environment = {**os.environ, "STARTED": f"{marks}/"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    children = [int(path.name) for path in _wait_for_two(marks)]
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def _wait_for_two(marks: Path) -> list[Path]:
    """Both sides have started, and at the same time, since neither ends."""
    limit = time.monotonic() + 60
    pause = threading.Event()
    while time.monotonic() < limit:
        if len(found := list(marks.iterdir())) == 2:
            return found
        pause.wait(0.02)
    raise AssertionError("the two sides did not start together")

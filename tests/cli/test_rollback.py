"""``slipform rollback``: the version before, out of git's history, and nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Run

Commit = Callable[..., None]
FRAUD = "model_specs/fraud.yaml"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Jane Doe", "-c", "user.email=jane@example.com", "-c", "protocol.file.allow=always"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "First specs")
    return project


@pytest.fixture
def commit(repository: Path) -> Commit:
    """Replaces texts in a spec and commits it."""

    def change(*texts: tuple[str, str], file: str = FRAUD) -> None:
        path = repository / file
        text = path.read_text(encoding="utf-8")
        for before, after in texts:
            assert before in text
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
        git(repository, "commit", "-qam", f"{texts[0][1]}")

    return change


SHADOW = "rollout: {strategy: shadow, candidate: {version: 13}, percent: 100}\n"


def changed(repository: Path) -> list[str]:
    """The lines that differ from what is committed, without context."""
    lines = git(repository, "diff", "-U0").splitlines()
    return [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]


def test_the_version_before_comes_back_with_what_describes_its_files(
    slipform: Run, repository: Path, commit: Commit
) -> None:
    digest = "3b1f6a3c0f6f8a3ed8f2f6b1b4d3c2a1908f7e6d5c4b3a291807f6e5d4c3b2a1"
    commit(("version: 12", f"version: 14   # October\n  sha256: {digest}"), ("size: 24Mi", "size: 30Mi"), (SHADOW, ""),
           ("shape: [48]", "shape: [52]"), ("acme-models/fraud", "acme-models-eu/fraud"))  # fmt: skip
    commit(("max_replicas: 16", "max_replicas: 20"))
    done = slipform("rollback", FRAUD)
    assert done.returncode == 0, done.stderr
    assert changed(repository) == [
        "-  uri: s3://acme-models-eu/fraud",
        "-  version: 14   # October",
        f"-  sha256: {digest}",
        "-  size: 30Mi",
        "+  uri: s3://acme-models/fraud",
        "+  version: 12   # October",
        "+  size: 24Mi",
        "-  inputs: [{name: features, dtype: FP32, shape: [52]}]",
        "+  inputs: [{name: features, dtype: FP32, shape: [48]}]",
    ]
    assert "version 12 again, instead of version 14 (sha256 3b1f6a3c0f6f…)" in done.stderr
    assert "Jane Doe: First specs" in done.stderr
    assert "left as it is:\n  scaling.max_replicas: 16 → 20\n" in done.stderr
    assert git(repository, "log", "--oneline").count("\n") == 3  # nothing was committed


def test_what_it_prints_is_a_patch_and_a_dry_run_writes_nothing(
    slipform: Run, repository: Path, commit: Commit
) -> None:
    commit(("version: 12", "version: 14"), (SHADOW, ""))
    done = slipform("rollback", "fraud.yaml", "--dry-run", cwd=repository / "model_specs")
    assert git(repository, "status", "--porcelain") == ""
    subprocess.run(["git", "apply", "-"], cwd=repository, input=done.stdout, text=True, check=True)
    assert changed(repository) == ["-  version: 14", "+  version: 12"]


@pytest.mark.parametrize(
    ("rollout", "lines"),
    [
        ("rollout: {strategy: canary, candidate: {version: 13}, weight: 10}",
         ["-rollout: {strategy: canary, candidate: {version: 13}, weight: 10}"]),
        ("rollout: {strategy: ab, candidate: {version: 13}, header: x-cohort, match: beta}",
         ["-rollout: {strategy: ab, candidate: {version: 13}, header: x-cohort, match: beta}"]),
        ("rollout: {strategy: blue-green, candidate: {version: 13}, active: 13}",
         ["-rollout: {strategy: blue-green, candidate: {version: 13}, active: 13}",
          "+rollout: {strategy: blue-green, candidate: {version: 13}, active: 12}"]),
    ],
    ids=["canary", "ab", "blue-green"],
)  # fmt: skip
def test_a_candidate_with_traffic_loses_it(
    slipform: Run, repository: Path, commit: Commit, rollout: str, lines: list[str]
) -> None:
    commit((SHADOW, f"{rollout}\n"))
    done = slipform("rollback", FRAUD)
    assert (done.returncode, changed(repository)) == (0, lines), done.stderr
    assert "all traffic to version 12, none to 13" in done.stderr


@pytest.mark.parametrize(
    "rollout",
    [
        SHADOW,
        "rollout: {strategy: canary, candidate: {version: 13}, weight: 0}\n",
        "rollout: {strategy: blue-green, candidate: {version: 13}, active: 12}\n",
    ],
    ids=["shadow", "canary of 0", "blue-green"],
)
def test_where_the_candidate_has_no_traffic_what_answers_goes_back(
    slipform: Run, repository: Path, commit: Commit, rollout: str
) -> None:
    commit(("version: 12", "version: 11"))
    commit(("version: 11", "version: 12"), (SHADOW, rollout))
    done = slipform("rollback", FRAUD)
    assert changed(repository) == ["-  version: 12", "+  version: 11", f"-{rollout.strip()}"], done.stderr
    assert "rollout goes as well: its candidate is version 13" in done.stderr


def test_a_version_or_a_revision_can_be_named(slipform: Run, repository: Path, commit: Commit) -> None:
    for before, after in ((12, 14), (14, 15), (15, 16)):
        commit((f"  version: {before}\n", f"  version: {after}\n"))
    git(repository, "tag", "good", "main~1")
    for to, expected in (("14", 14), ("good", 15), ("main~3", 12)):
        assert slipform("rollback", FRAUD, "--to", to).returncode == 0
        assert f"+  version: {expected}" in changed(repository)
        git(repository, "checkout", "-q", FRAUD)
    known = slipform("rollback", FRAUD, "--to", "9")
    assert known.returncode == 2
    assert "no version 9 in its 4 commits on this branch (there: 16, 15, 14, 12)" in known.stderr
    assert "fraud.yaml: version 16 stays\nrollout goes as well" in slipform("rollback", FRAUD, "--to", "16").stderr
    git(repository, "commit", "-qam", "End the shadow")
    assert "nothing to do" in slipform("rollback", FRAUD, "--to", "16").stderr


def test_a_digest_that_was_filled_in_is_no_other_version(slipform: Run, repository: Path, commit: Commit) -> None:
    commit(("version: 12", f"version: 12\n  sha256: {'a' * 64}"))
    done = slipform("rollback", FRAUD)
    assert done.returncode == 2
    assert "no version before version 12" in done.stderr


def test_a_renamed_file_keeps_its_past(slipform: Run, repository: Path, commit: Commit) -> None:
    commit(("version: 12", "version: 14"))
    git(repository, "mv", FRAUD, "model_specs/scam [eu] detection.yaml")
    git(repository, "commit", "-qm", "Rename")
    for options in ((), ("--to", "12"), ("--to", "main~2")):
        done = slipform("rollback", "model_specs/scam [eu] detection.yaml", *options)
        assert done.returncode == 0, done.stderr
        assert changed(repository)[:2] == ["-  version: 14", "+  version: 12"]
        git(repository, "checkout", "-q", ".")


def test_a_merged_branch_counts_as_what_the_merge_made_of_it(slipform: Run, repository: Path, commit: Commit) -> None:
    git(repository, "checkout", "-qb", "retrain")
    commit(("version: 12", "version: 14"))
    commit(("version: 14", "version: 15"))
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "Merge retrain", "retrain")
    slipform("rollback", FRAUD)
    assert changed(repository)[:2] == ["-  version: 15", "+  version: 12"]


def test_a_stacks_own_version_goes_back_alone(slipform: Run, repository: Path, commit: Commit) -> None:
    commit(("slo: {avail", "stacks: {prod: {model: {version: 20}}}\nslo: {avail"))
    commit(("version: 20", "version: 21"))
    commit(("version: 12", "version: 14"))
    whole = slipform("rollback", FRAUD)
    assert changed(repository)[:2] == ["-  version: 14", "+  version: 12"]
    assert "stack prod has a version of its own, 21: -s prod takes that one back" in whole.stderr
    git(repository, "checkout", "-q", FRAUD)
    assert slipform("rollback", FRAUD, "-s", "prod").returncode == 0
    assert changed(repository) == [
        "-stacks: {prod: {model: {version: 21}}}",
        "+stacks: {prod: {model: {version: 20}}}",
    ]
    git(repository, "checkout", "-q", FRAUD)
    assert "gives stack dev no model.version of its own" in slipform("rollback", FRAUD, "-s", "dev").stderr


def test_a_shallow_clone_says_that_it_is_one(slipform: Run, repository: Path, commit: Commit, tmp_path: Path) -> None:
    commit(("version: 12", "version: 14"))
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    done = slipform("rollback", FRAUD, cwd=tmp_path / "shallow")
    assert done.returncode == 2
    assert "this clone is shallow, and `git fetch --unshallow` brings the rest" in done.stderr


def test_a_result_that_would_be_wrong_is_shown_and_not_written(slipform: Run, repository: Path, commit: Commit) -> None:
    models = repository / "model_specs/models/iris"
    (models / "1").rename(models / "2")
    git(repository, "add", "-A")
    commit(("version: 1\n", "version: 2\n"), file="model_specs/iris.yaml")
    done = slipform("rollback", "model_specs/iris.yaml")
    assert done.returncode == 2
    assert "+  version: 1\n" in done.stdout
    assert "not written, since model_specs/iris.yaml would be wrong:\nmodel_specs/iris.yaml:10:" in done.stderr
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.yaml",), "nowhere.yaml can't be read: No such file or directory"),
        (("model_specs",), "model_specs is a folder; each spec has versions of its own"),
        ((FRAUD, "model_specs/iris.yaml"), "unexpected extra argument"),
        ((FRAUD, "--to", "nowhere"), "--to nowhere: git knows no such revision"),
        ((FRAUD,), "has no version before version 12 in its 1 commit on this branch (there: 12)"),
        (("stacks/Pulumi.dev.yaml",), "stacks/Pulumi.dev.yaml has no model"),
        (("new.yaml",), "new.yaml is not in git yet"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(
    slipform: Run, repository: Path, arguments: tuple[str, ...], said: str
) -> None:
    (repository / "new.yaml").write_text("name: a\n", encoding="utf-8")
    done = slipform("rollback", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr


def test_a_file_with_changes_of_its_own_is_left_alone(slipform: Run, repository: Path, commit: Commit) -> None:
    commit(("version: 12", "version: 14"))
    file = repository / FRAUD
    text = file.read_text(encoding="utf-8").replace("version: 14", "version: 15")
    file.write_text(text, encoding="utf-8")
    done = slipform("rollback", FRAUD)
    assert done.returncode == 2
    assert "has changes that are not committed" in done.stderr
    assert file.read_text(encoding="utf-8") == text


def test_without_a_repository_or_git_it_says_so(slipform: Run, project: Path) -> None:
    limits = {"GIT_CEILING_DIRECTORIES": str(project.parent)}
    assert "is in no git repository" in slipform("rollback", FRAUD, **limits).stderr
    empty = project / "empty"
    empty.mkdir()
    done = slipform("rollback", FRAUD, PATH=str(empty))
    assert (done.returncode, done.stderr) == (2, "slipform: git is not installed, or not on PATH\n")
    assert os.environ["PATH"] != str(empty)

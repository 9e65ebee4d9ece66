"""Git: which commit a name means, what differs between two, and their files in folders of their own.

A commit's files are laid out in a temporary folder with an index of its own: nothing is registered in the user's
repository, so nothing can be left behind there, not even by a run that is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import PlanError

_PREFIX = "slipform-diff-"
# Git tells them to the hooks that it starts, and they would tell the git that we start where it is.
_OF_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


class RevisionError(PlanError):
    """A revision that git does not know, or a project that is in no repository."""


def top_of(folder: Path) -> Path:
    done = _run(folder, "rev-parse", "--show-toplevel")
    if "dubious ownership" in done.stderr:
        raise RevisionError(
            f"git does not trust {folder}, which belongs to somebody else, as in a container of a CI: "
            f"`git config --global --add safe.directory {folder}`"
        )
    if done.returncode != 0:
        raise RevisionError(f"{folder} is in no git repository, so there are no revisions to compare")
    return Path(done.stdout.strip()).resolve()


def resolve(top: Path, revision: str) -> str:
    commit = git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is not None:
        return commit
    if not git(top, "rev-list", "--all", "--max-count=1"):
        raise RevisionError(f"{top} has no commit yet, so there is nothing to compare with: `git commit` what is there")
    if git(top, "rev-parse", "--is-shallow-repository") == "true":
        raise RevisionError(
            f"git does not know {revision!r}: this clone is shallow; `git fetch --unshallow origin`, "
            "or `fetch-depth: 0` for actions/checkout"
        )
    if git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"origin/{revision}^{{commit}}"):
        raise RevisionError(f"git does not know {revision!r}; there is origin/{revision}")
    raise RevisionError(f"git does not know {revision!r}: give a branch, a tag or a commit of {top}")


def git(folder: Path, *arguments: str, **environment: str) -> str | None:
    """The answer, None where git says no."""
    done = _run(folder, *arguments, **environment)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key not in _OF_HOOKS}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**inherited, "LC_ALL": "C", **environment},
            check=False,
        )
    except FileNotFoundError as error:
        raise RevisionError("git is not installed, or not on PATH") from error


def differing(top: Path, base: str, head: str) -> frozenset[Path] | None:
    """The files that differ between two commits, or a commit and the working tree where `head` is empty.

    With those that git would track but does not yet. None where git does not answer.
    """
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as scratch:
        # Git writes what it learns of the files' times into the index: into a copy, then.
        index = top / (git(top, "rev-parse", "--git-path", "index") or "")
        own = {"GIT_INDEX_FILE": shutil.copy(index, scratch)} if index.is_file() else {}
        answers = [git(top, "diff", *options, *filter(None, (base, head)), "--", **own)]
        if not head:
            answers.append(git(top, "ls-files", "--others", "--exclude-standard", "-z", **own))
    if None in answers:
        return None
    return frozenset(Path(name) for answer in answers for name in (answer or "").split("\0") if name)


@contextlib.contextmanager
def laid_out(top: Path, commits: Sequence[str]) -> Iterator[list[Path]]:
    """A folder for each commit; the checkout itself where there is none. All are gone afterwards."""
    _remove_leftovers()
    scratch = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")).resolve()
    try:
        with _ended_by_sigterm_too():
            roots = []
            for index, commit in enumerate(commits):
                root = scratch / str(index)
                if commit:
                    _lay_out(top, commit, root, scratch / f"index-{index}")
                roots.append(root if commit else top)
            yield roots
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _lay_out(top: Path, commit: str, root: Path, index: Path) -> None:
    root.mkdir()
    own = {"GIT_INDEX_FILE": str(index)}
    if git(top, "read-tree", commit, **own) is None:
        raise RevisionError(f"git cannot read the files of {commit}; a partial clone may lack them: `git fetch`")
    if git(top, "checkout-index", "--all", "--force", f"--prefix={root}{os.sep}", **own) is None:
        raise RevisionError(f"git cannot write the files of {commit} to {root}; is the disk full?")


def _remove_leftovers() -> None:
    """What killed runs of ours left in the folder for temporary files."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _ended_by_sigterm_too() -> Iterator[None]:
    """CI cancels with SIGTERM, which would end us without a chance to clean up: it raises here, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

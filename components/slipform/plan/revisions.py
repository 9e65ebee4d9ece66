"""The graphs of two git revisions, or of a revision and the working tree, each planned by its own program.

A revision's files are laid out in a temporary folder with an index of its own: nothing is registered in the user's
repository, so nothing can be left behind there, not even by a run that is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import PlanError, ProgramError
from .graph import Graph, Message
from .project import Project, find, read
from .record import Running, start

_PREFIX = "slipform-diff-"
# What decides which packages an environment holds.
_LOCKS = ("uv.lock", "poetry.lock", "Pipfile.lock", "pylock.toml", "requirements.txt", "pyproject.toml")


class RevisionError(PlanError):
    """A revision that git does not know, or a project that is in no repository."""


@dataclass(frozen=True)
class Side:
    """One of the two: a revision, or the working tree where `commit` is empty."""

    name: str
    commit: str
    root: Path  # where its files are: the folder that stands for the repository's top


def graphs(
    project: Path,
    base: str,
    head: str | None,
    stack: str,
    *,
    base_python: Path | None = None,
    head_python: Path | None = None,
    only: tuple[Sequence[Path], Sequence[Path]] | None = None,
) -> tuple[Graph, Graph]:
    """Both sides' graphs, planned at the same time. `head` None is the working tree.

    Secrets compare between the two. A side that has no such project or stack is empty, and a message of its graph says
    so. `only` names each side's spec files, relative to the repository. Raises RevisionError, ProjectError and
    ProgramError.
    """
    here = find(project)
    top = _top(here.root)
    commits = [_resolve(top, base), _resolve(top, head) if head is not None else ""]
    key = secrets.token_bytes(16)
    with _laid_out(top, commits) as roots, contextlib.ExitStack() as stack_of_runs:
        sides = [
            Side(name, commit, root)
            for name, commit, root in zip((base, head or "working tree"), commits, roots, strict=True)
        ]
        runs: list[Running | str] = []
        for index, (side, python) in enumerate(zip(sides, (base_python, head_python), strict=True)):
            run = _start(side, here, top, stack, key, python, only[index] if only else None)
            runs.append(stack_of_runs.enter_context(run) if isinstance(run, Running) else run)
        found = [_finish(run, side, here, top, stack) for run, side in zip(runs, sides, strict=True)]
        if base_python is None and head_python is None:
            found[1] = _with_remarks(found[1], _other_locks(sides, here, top))
    return found[0], found[1]


def _start(
    side: Side, here: Project, top: Path, stack: str, key: bytes, python: Path | None, only: Sequence[Path] | None
) -> Running | str:
    """The side's run, or why there is none."""
    file = side.root / here.file.relative_to(top)
    if not file.is_file():
        return f"{side.name} has no {here.file.relative_to(top)}: compared with nothing"
    project = read(file)
    if not project.stack_file(stack).is_file() and here.stack_file(stack).is_file():
        return f"{side.name} has no stack {stack}: compared with nothing"
    if python is None and project.virtualenv is not None:
        # Environments are not in git: the revision's is the checkout's of the same name.
        project = replace(project, virtualenv=top / project.virtualenv.relative_to(side.root))
    moved = [(top, side.root)] if side.commit else []
    paths = [side.root / path for path in only] if only is not None else None
    return start(project, stack, only=paths, fingerprint_key=key, python=python, moved=moved)


def _finish(run: Running | str, side: Side, here: Project, top: Path, stack: str) -> Graph:
    if isinstance(run, str):
        return Graph(here.name, stack.rpartition("/")[2], (), messages=(Message("warning", run),))
    try:
        graph = run.finish()
        # A message that names a file must read alike on both sides, or every old one would seem new.
        messages = (replace(each, text=each.text.replace(f"{side.root}{os.sep}", "")) for each in graph.messages)
        return replace(graph, messages=tuple(messages))
    except ProgramError as error:
        if not side.commit:
            raise
        traceback = error.traceback.replace(f"{side.root}{os.sep}", f"{side.name}:")
        message = error.args[0].replace(f"{side.root}{os.sep}", f"{side.name}:").replace(str(side.root), side.name)
        raise ProgramError(f"at {side.name}: {message}", traceback=traceback, output=error.output) from error


def _with_remarks(graph: Graph, remarks: Sequence[str]) -> Graph:
    return replace(graph, messages=(*graph.messages, *(Message("warning", remark) for remark in remarks)))


def _other_locks(sides: Sequence[Side], here: Project, top: Path) -> list[str]:
    folders = {Path(), here.root.relative_to(top)}
    changed = []
    for folder in sorted(folders):
        for name in _LOCKS:
            contents = [_content(side.root / folder / name) for side in sides]
            if contents[0] != contents[1] and None not in contents:
                changed.append(str(folder / name))
    if not changed:
        return []
    return [
        f"{', '.join(changed)} differs between the two sides, and both ran in one environment; "
        "--base-env and --head-env give each its own"
    ]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


# -- git ---------------------------------------------------------------------------------------


def _top(folder: Path) -> Path:
    answer = _git(folder, "rev-parse", "--show-toplevel")
    if answer is None:
        raise RevisionError(f"{folder} is in no git repository, so there are no revisions to compare")
    return Path(answer).resolve()


def _resolve(top: Path, revision: str) -> str:
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is not None:
        return commit
    if _git(top, "rev-parse", "--is-shallow-repository") == "true":
        raise RevisionError(
            f"git does not know {revision!r}: this clone is shallow; `git fetch --unshallow origin`, "
            "or `fetch-depth: 0` for actions/checkout"
        )
    if _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"origin/{revision}^{{commit}}"):
        raise RevisionError(f"git does not know {revision!r}; there is origin/{revision}")
    raise RevisionError(f"git does not know {revision!r}: give a branch, a tag or a commit of {top}")


def _git(folder: Path, *arguments: str, **environment: str) -> str | None:
    """The answer, None where git says no."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
        )
    except FileNotFoundError as error:
        raise RevisionError("git is not installed, or not on PATH") from error
    return done.stdout.strip() if done.returncode == 0 else None


@contextlib.contextmanager
def _laid_out(top: Path, commits: Sequence[str]) -> Iterator[list[Path]]:
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
    if _git(top, "read-tree", commit, **own) is None:
        raise RevisionError(f"git cannot read the files of {commit}; a partial clone may lack them: `git fetch`")
    if _git(top, "checkout-index", "--all", "--force", f"--prefix={root}{os.sep}", **own) is None:
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

"""The graphs of two git revisions, or of a revision and the working tree, each planned by its own program."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import short_way
from .checkout import RevisionError, laid_out, resolve, top_of
from .errors import ProgramError, ProjectError
from .graph import Graph, Message
from .project import Project, find, read
from .record import Running, start

__all__ = ["RevisionError", "graphs"]

# What decides which packages an environment holds.
_LOCKS = ("uv.lock", "poetry.lock", "Pipfile.lock", "pylock.toml", "requirements.txt", "pyproject.toml")


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
    whole: bool = False,
) -> tuple[Graph, Graph]:
    """Both sides' graphs, planned at the same time. `head` None is the working tree.

    Secrets compare between the two. A side that has no such project or stack is empty, and a message of its graph says
    so. Where only spec files differ, the graphs hold what the stack has once and the servers whose specs differ, which
    shows the same change in a fraction of the time (`short_way`); not with `whole`. Raises RevisionError, ProjectError
    and ProgramError.
    """
    here = find(project)
    top = top_of(here.root)
    commits = [resolve(top, base), resolve(top, head) if head is not None else ""]
    key = secrets.token_bytes(16)
    with laid_out(top, commits) as roots, contextlib.ExitStack() as stack_of_runs:
        sides = [
            Side(name, commit, root)
            for name, commit, root in zip((base, head or "working tree"), commits, roots, strict=True)
        ]
        servers = None
        if not whole and base_python is None and head_python is None:
            servers = short_way.servers(top, (commits[0], commits[1]), (roots[0], roots[1]), here, stack)
        runs: list[Running | str] = []
        for side, python in zip(sides, (base_python, head_python), strict=True):
            try:
                run = _start(side, here, top, stack, key, python, servers)
            except ProjectError as error:
                raise _at(side, error) from error
            runs.append(stack_of_runs.enter_context(run) if isinstance(run, Running) else run)
        found = [_finish(run, side, here, top, stack) for run, side in zip(runs, sides, strict=True)]
        if base_python is None and head_python is None:
            found[1] = _with_remarks(found[1], _other_locks(sides, here, top))
    if servers is not None and not short_way.is_whole(found[0], found[1]):
        return graphs(project, base, head, stack, whole=True)
    return found[0], found[1]


def _start(
    side: Side, here: Project, top: Path, stack: str, key: bytes, python: Path | None, servers: frozenset[str] | None
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
    return start(project, stack, servers=servers, fingerprint_key=key, python=python, moved=moved)


def _finish(run: Running | str, side: Side, here: Project, top: Path, stack: str) -> Graph:
    if isinstance(run, str):
        return Graph(here.name, stack.rpartition("/")[2], (), messages=(Message("warning", run),))
    try:
        graph = run.finish()
        # A message that names a file must read alike on both sides, or every old one would seem new.
        messages = (replace(each, text=each.text.replace(f"{side.root}{os.sep}", "")) for each in graph.messages)
        return replace(graph, messages=tuple(messages))
    except ProgramError as error:
        raise _at(side, error) from error


def _at(side: Side, error: ProjectError | ProgramError) -> ProjectError | ProgramError:
    """The error as the revision's: nobody knows the folder in which its files lay."""
    if not side.commit:
        return error

    def named(text: str) -> str:
        return text.replace(f"{side.root}{os.sep}", f"{side.name}:").replace(str(side.root), side.name)

    message = f"at {side.name}: {named(error.args[0])}"
    if isinstance(error, ProgramError):
        return ProgramError(message, traceback=named(error.traceback), output=error.output)
    return ProjectError(message)


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

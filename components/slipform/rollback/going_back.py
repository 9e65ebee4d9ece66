"""Which version a spec goes back to, and the file's text with it.

What belongs to a version is what describes its files: those fields of ``model`` go back together. Replicas, bounds and
objectives stay, since they were changed for reasons of their own.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..editing import checked, put, read_text, remove, written
from ..spec.document import parse
from ..spec.findings import FieldPath, InvalidSpec, SlipformError
from .history import Commit, History
from .remarks import remarks
from .versions import OF_A_VERSION, answering_candidate, called, candidate, layer, same, version


@dataclass(frozen=True)
class Rollback:
    """What goes back: the file's texts before and after, in words what happened, and what was let be."""

    before: str
    after: str
    summary: str
    path: str  # the file's, from the repository's top
    remarks: tuple[str, ...] = ()


def roll_back(file: Path, to: str | None = None, stack: str | None = None) -> Rollback:
    """The spec with the model of the version before, or of ``to`` (a version, or a revision of git).

    Where a declared candidate gets traffic, the version before is the one beside it: the candidate goes.
    ``stack`` is one whose entry under ``stacks`` has a version of its own. Nothing is written. Raises SlipformError,
    and InvalidSpec where the file is no YAML.
    """
    text = read_text(file)
    history = History(file)
    prefix: FieldPath = ("stacks", stack) if stack else ()
    data = layer(parse(text.removeprefix("\ufeff"), file).data, prefix)
    if data is None or version(data, prefix) is None:
        raise SlipformError(
            f"{file} gives stack {stack} no model.version of its own: it has the spec's; roll back without -s"
            if stack
            else f"{file} has no model; `slipform validate {file}` says what is wrong"
        )
    change = _Change(file, text, prefix)
    if to is None and (newer := answering_candidate(data)) is not None:
        return _without_candidate(change, history, data, newer)
    commit, then = _find(history, data, prefix, to)
    for name in OF_A_VERSION:
        change.restore(("model", name), then)
    now, back = called(data, prefix), called(then.data, prefix)
    what = f"{back} again, instead of {now}; as in {commit}" if back != now else f"{now} stays"
    summary = f"{history.path}: {what}"
    if candidate(data) is not None:
        change.drop(("rollout",))
        summary += f"\nrollout goes as well: its candidate is version {candidate(data)}"
    return change.done(history, summary, tuple(remarks(data, then.data, prefix)))


@dataclass(frozen=True)
class _Then:
    """The file as a commit has it."""

    text: str
    data: dict[str, Any]
    prefix: FieldPath


class _Change:
    """The file's text while it is edited, and the data that it has to say in the end."""

    def __init__(self, file: Path, text: str, prefix: FieldPath) -> None:
        self._file, self._before, self._text, self._prefix = file, text, text, prefix
        self._wanted = copy.deepcopy(parse(text.removeprefix("\ufeff"), file).data)

    def restore(self, path: FieldPath, then: _Then) -> None:
        """One field as it was; nothing where it says the same, or is the version's default unsaid."""
        parent, old = layer(self._wanted, (*self._prefix, *path[:-1])), layer(then.data, path[:-1]) or {}
        name = str(path[-1])
        if parent is None or ((name in parent) == (name in old) and parent.get(name) == old.get(name)):
            return
        if name not in old:
            self.drop(path)
            return
        self.write(path, written(then.text, (*then.prefix, *path)) or "null", old[name])

    def write(self, path: FieldPath, text: str, value: Any) -> None:
        before = OF_A_VERSION[: OF_A_VERSION.index(path[-1])] if path[-1] in OF_A_VERSION else ()
        parent = layer(self._wanted, (*self._prefix, *path[:-1])) or {}
        after = next((name for name in reversed(before) if name in parent), None)
        self._text = put(self._text, (*self._prefix, *path), text, after=after)
        parent[str(path[-1])] = value

    def drop(self, path: FieldPath) -> None:
        self._text = remove(self._text, (*self._prefix, *path))
        (layer(self._wanted, (*self._prefix, *path[:-1])) or {}).pop(str(path[-1]), None)

    def done(self, history: History, summary: str, remarks: tuple[str, ...]) -> Rollback:
        return Rollback(self._before, checked(self._text, self._wanted, self._file), summary, history.path, remarks)


def _without_candidate(change: _Change, history: History, data: dict[str, Any], newer: Any) -> Rollback:
    rollout, serving = data["rollout"], version(data, ())
    if rollout.get("strategy") == "blue-green":
        change.write(("rollout", "active"), str(serving), serving)
        how = "the candidate keeps its replicas, without traffic"
    else:
        change.drop(("rollout",))
        how = "the candidate goes"
    return change.done(history, f"{history.path}: all traffic to version {serving}, none to {newer}; {how}", ())


def _find(history: History, now: dict[str, Any], prefix: FieldPath, to: str | None) -> tuple[Commit, _Then]:
    """The newest commit that has the version that is meant."""
    if to is not None and not to.isdecimal():
        commit = history.at(to)
        if (then := _read(history, commit, prefix)) is None:
            raise SlipformError(f"--to {to}: {commit.path} holds no model there")
        return commit, then
    seen: list[str] = []
    commits = list(history.commits())
    for commit in commits:
        then = _read(history, commit, prefix)
        if then is None:
            continue
        named = str(version(then.data, prefix))
        if named == to or (to is None and not same(now, then.data, prefix)):
            return commit, then
        if named not in seen:
            seen.append(named)
    if to is not None and (revision := _revision(history, to, prefix)) is not None:
        return revision
    wanted = f"no version {to}" if to else f"no version before {called(now, prefix)}"
    shallow = "; this clone is shallow, and `git fetch --unshallow` brings the rest" if history.is_shallow else ""
    raise SlipformError(
        f"{history.path} has {wanted} in its {len(commits)} commit{'s' * (len(commits) != 1)} on this branch"
        f" (there: {', '.join(seen)}){shallow}"
    )


def _revision(history: History, to: str, prefix: FieldPath) -> tuple[Commit, _Then] | None:
    """Digits that are no version may begin a commit's hash."""
    try:
        commit = history.at(to)
    except SlipformError:
        return None
    then = _read(history, commit, prefix)
    return (commit, then) if then else None


def _read(history: History, commit: Commit, prefix: FieldPath) -> _Then | None:
    text = history.text(commit)
    if text is None:
        return None
    try:
        data = layer(parse(text.removeprefix("\ufeff"), Path(commit.path)).data, prefix)
    except InvalidSpec:
        return None
    return _Then(text, data, prefix) if data and version(data, prefix) is not None else None

"""What a file was, commit by commit, as git knows it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..spec.findings import SlipformError

_SHAPE = "%x01%H%x00%cs%x00%an%x00%s%x00"


@dataclass(frozen=True)
class Commit:
    """One commit that changed the file; ``path`` is the file's name in it, from the repository's top."""

    hash: str
    date: str
    author: str
    subject: str
    path: str

    def __str__(self) -> str:
        return f"{self.hash[:10]} of {self.date}, {self.author}: {self.subject}"


class History:
    """One file's past on this branch, renames followed. Raises SlipformError where git holds none to go back to."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = file.resolve().parent
        top = _git(self._folder, "rev-parse", "--show-toplevel")
        if top is None:
            raise SlipformError(f"{file} is in no git repository, so there is no version before to go back to")
        self.top = Path(top.removesuffix("\n")).resolve()
        self.path = file.resolve().relative_to(self.top).as_posix()
        state = _git(self.top, "status", "--porcelain", "-z", "--", self.path) or ""
        if state.startswith("??"):
            raise SlipformError(f"{file} is not in git yet, so it has no version before")
        if state:
            raise SlipformError(
                f"{file} has changes that are not committed, and a rollback starts from what is: "
                f"commit them, or set them aside with `git stash push {file}`"
            )

    @property
    def is_shallow(self) -> bool:
        return (_git(self.top, "rev-parse", "--is-shallow-repository") or "").strip() == "true"

    def commits(self) -> Iterator[Commit]:
        """Newest first, along the branch itself: what a merged branch held in between never served."""
        options = ("--follow", "--first-parent", "--name-only", "-z", f"--format={_SHAPE}")
        log = _git(self.top, "log", *options, "HEAD", "--", self.path) or ""
        for entry in log.split("\x01")[1:]:
            hash, date, author, subject, _, path, *_ = entry.split("\x00")
            yield Commit(hash, date, author, subject, path.strip("\n"))

    def at(self, revision: str) -> Commit:
        """The file at a revision, by the name that it had there."""
        entry = _git(self.top, "log", "-1", f"--format={_SHAPE}", "--end-of-options", revision, "--")
        if not entry:
            shallow = "; this clone is shallow: `git fetch --unshallow`" if self.is_shallow else ""
            raise SlipformError(f"--to {revision}: git knows no such revision{shallow}")
        hash, date, author, subject, _ = entry.removeprefix("\x01").split("\x00")
        for path in dict.fromkeys(commit.path for commit in self.commits()):
            commit = Commit(hash, date, author, subject, path)
            if self.text(commit) is not None:
                return commit
        raise SlipformError(f"--to {revision}: {self.path} was not there then")

    def text(self, commit: Commit) -> str | None:
        """The file as it was; None where the commit removed it."""
        return _git(self.top, "cat-file", "blob", f"{commit.hash}:{commit.path}")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it says no."""
    try:
        done = subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(folder), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise SlipformError("git is not installed, or not on PATH") from None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

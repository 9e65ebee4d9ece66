"""Where a container finds its mounts: under a folder that stands for its root, for want of a file system of its own.

A mount namespace would need privileges that not every machine gives. So the mount paths are rewritten wherever the pod
names them: in the command, the environment, the working directory, and in the text of mounted files.
"""

import re
from collections.abc import Iterable
from pathlib import Path


class Paths:
    """The paths of one container that are not this machine's."""

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        self.root = root
        longest_first = sorted({path.rstrip("/") for path in paths}, key=len, reverse=True)
        names = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<![\w./-])({names})(?![\w.-])") if names else None

    def here(self, path: str) -> Path:
        """The place on this machine of an absolute path in the container."""
        return self.root / path.lstrip("/")

    def rewritten(self, text: str) -> str:
        """A text with every path of the container's own replaced by its place here."""
        return self._pattern.sub(lambda found: f"{self.root}{found[1]}", text) if self._pattern else text

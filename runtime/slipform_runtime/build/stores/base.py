"""The interface of a store: version folders that are there whole or not at all."""

from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Holds `<version>/…` below one folder."""

    where: str
    """The folder, as people read it."""

    def report(self, version: int) -> bytes | None:
        """The version's report.json; None where the version is not there, or not wholly."""
        ...

    def check(self) -> None:
        """Raise Unreachable or CannotWrite before the long work, where it would end in vain."""
        ...

    def put(self, folder: Path, version: int, *, replace: bool) -> bool:
        """Publish the folder as the version; False where it is there already and `replace` is not given.

        Raises Unreachable or CannotWrite; what was there before is then still there.
        """
        ...

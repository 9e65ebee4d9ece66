"""The terminal, or the file or pipe in its place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

UNBROKEN = 100_000
"""Columns of a log: its lines are searched and copied, and no reader is as narrow as a guess of 80."""


def screen() -> Console:
    """Where results go. Lines are wrapped where there is a terminal, or $COLUMNS says how wide one is."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = Screen()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNBROKEN
    return console


def working(on: str) -> Status:
    """A context in which the terminal says what is being done; nothing where there is none."""
    from rich.console import Console

    return Console(stderr=True).status(f"{on} …")

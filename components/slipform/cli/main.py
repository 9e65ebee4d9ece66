"""The entry point, and the one way to end where the user can put something right."""

from __future__ import annotations

import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""What a shell gives a program that Ctrl-C ended."""


class Interrupts:
    """Ctrl-C, remembered: an extension module that is being imported turns it into an error of its own."""

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGINT, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


def run() -> None:
    """An error that the user can put right is printed as it is, and ends with 2."""
    interrupts = Interrupts()
    try:
        _run()
    except BaseException:
        if interrupts.came:
            sys.exit(INTERRUPTED)
        raise


def _run() -> None:
    import typer

    from ..spec.findings import InvalidSpec, SlipformError
    from .app import app

    try:
        app()
    except InvalidSpec as invalid:
        from .report import print_findings

        print_findings(invalid.findings)
    except SlipformError as error:
        typer.echo(f"slipform: {error}", err=True)
    except OSError as error:
        # A full disk, a folder that is not ours: the file is named where the system names one.
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"slipform: {place}{error.strerror or error}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    run()

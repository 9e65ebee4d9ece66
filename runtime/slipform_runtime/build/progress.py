"""What the build is at: a line for each step where a person looks, a JSON object a line where a collector does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, TextIO

from slipform_runtime.logs import log


class Progress:
    """Tells of steps as they begin and end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._person = self._stream.isatty()
        colours = self._person and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._dim, self._plain = ("\x1b[2m", "\x1b[0m") if colours else ("", "")

    @contextmanager
    def step(self, name: str, **fields: Any) -> Iterator[None]:
        """Around a step that may take more than a moment."""
        began = monotonic()
        if self._person:
            self._stream.write(f"{name} {self._dim}{_words(fields)}…{self._plain}\n")
            self._stream.flush()
        else:
            log.info("build_step_started", step=name, **fields)
        yield
        seconds = round(monotonic() - began, 1)
        if not self._person:
            log.info("build_step_finished", step=name, seconds=seconds, **fields)
        elif seconds >= 1:
            self._stream.write(f"  {self._dim}{seconds} s{self._plain}\n")

    def say(self, event: str, text: str, **fields: Any) -> None:
        """A result: `text` for a person, the fields for a collector."""
        if self._person:
            self._stream.write(f"  {text}\n")
        else:
            log.info(event, **fields)


def _words(fields: dict[str, Any]) -> str:
    return "".join(f"{value} " for value in fields.values())

"""How far a transfer is: a bar where a person looks, a log line every ten seconds where a collector does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

from slipform_runtime.logs import log

_WIDTH = 24
_REDRAWN_SECONDS, _LOGGED_SECONDS = 0.1, 10.0
_SHOWN_AFTER_SECONDS = 0.5
"""What is done before is not worth a flicker."""


class Meter:
    """Counts bytes. `event` is the log line's name; `total` None where the other side does not say."""

    def __init__(self, event: str, name: str, total: int | None, done: int = 0, stream: TextIO | None = None) -> None:
        self._event, self._name, self._total = event, name, total
        self._done = self._before = done
        self._stream = stream or sys.stderr
        self._person = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._began = monotonic()
        self._next = self._began + (_SHOWN_AFTER_SECONDS if self._person else _LOGGED_SECONDS)
        self._drawn = False

    def add(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        now = monotonic()
        if now < self._next:
            return
        if self._person:
            self._next, self._drawn = now + _REDRAWN_SECONDS, True
            self._stream.write(f"\r\x1b[K{self._line(now)}")
            self._stream.flush()
        else:
            self._next = now + _LOGGED_SECONDS
            log.info(self._event, file=self._name, bytes=self._done, of_bytes=self._total)

    def close(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, now: float) -> str:
        speed = (self._done - self._before) / max(now - self._began, 1e-9)
        if not self._total:
            return f"  {self._name}  {in_bytes(self._done)}  {in_bytes(speed)}/s"
        share = min(1.0, self._done / self._total)
        full = round(share * _WIDTH)
        left = f"  {(self._total - self._done) / speed:.0f} s left" if speed else ""
        bar = f"[{'=' * full}{' ' * (_WIDTH - full)}]"
        return f"  {self._name}  {bar} {share:4.0%}  of {in_bytes(self._total)}  {in_bytes(speed)}/s{left}"


@contextmanager
def metered(event: str, name: str, total: int | None, done: int = 0) -> Iterator[Meter]:
    """A meter for the time of one transfer."""
    meter = Meter(event, name, total, done)
    try:
        yield meter
    finally:
        meter.close()


def in_bytes(count: float) -> str:
    """As people read it: `11.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"

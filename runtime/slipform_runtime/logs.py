"""Logs: one JSON object a line on standard output, so that every collector reads them without a parser."""

import contextlib
import sys
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, TextIO

import msgspec


class Level(IntEnum):
    """From which weight on an event is written."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Log:
    """Writes events. Fields are what `inference_error` and its like need: never tensors, never secrets."""

    def __init__(self, stream: TextIO | None = None, level: Level = Level.INFO) -> None:
        self.stream = stream
        self.level = level

    def debug(self, event: str, **fields: Any) -> None:
        """What only somebody who searches wants to see."""
        self._write(Level.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What an operator wants to see."""
        self._write(Level.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What an operator should look at."""
        self._write(Level.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What has gone wrong."""
        self._write(Level.ERROR, event, fields)

    def _write(self, level: Level, event: str, fields: dict[str, Any]) -> None:
        if level < self.level:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": level.name.lower(), "event": event, **fields}
        stream = self.stream or sys.stdout
        # Whoever read our output may be gone, or the disk under it full: a server does not end for that.
        with contextlib.suppress(OSError, ValueError):
            stream.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
            stream.flush()


log = Log()

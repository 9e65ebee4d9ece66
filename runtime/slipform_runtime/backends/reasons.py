"""What a library says went wrong, without where on this machine: clients read it."""

import re

_PATH = re.compile(r"(?<![\w.])/[^\s\"':,)]+")


def without_paths(text: str) -> str:
    """The text with every path replaced."""
    return _PATH.sub("…", text)


def first_line(text: str) -> str:
    """For libraries that begin with the reason."""
    lines = _lines(text)
    return without_paths(lines[0]) if lines else "unknown error"


def last_line(text: str) -> str:
    """For libraries that end with the reason, after where in their source it arose."""
    lines = _lines(text)
    return without_paths(lines[-1]) if lines else "unknown error"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]

"""What keeps a digest from being known."""

from __future__ import annotations


class Unresolved(Exception):
    """A digest that can't be had now: why, and what to do about it."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

"""Tells when a version fails too often to go on: a window over its executions, told the time."""

from collections import deque


class Breaker:
    """Trips where `failures` executions failed within `window_seconds`, and they were more than succeeded.

    The second half keeps one client's poisonous requests, which fail alone, from bringing a good version down.
    """

    def __init__(self, failures: int, window_seconds: float) -> None:
        self._limit = failures
        self._window = window_seconds
        self._failed_at: deque[float] = deque()
        self._succeeded: deque[tuple[float, int]] = deque()
        self._successes = 0

    def record(self, succeeded: int, failed: int, now: float) -> bool:
        """Count executions that ended at `now`; whether the breaker trips."""
        start = now - self._window
        if succeeded and self._failed_at:
            self._succeeded.append((now, succeeded))
            self._successes += succeeded
        self._failed_at.extend([now] * failed)
        while self._failed_at and self._failed_at[0] < start:
            self._failed_at.popleft()
        while self._succeeded and (self._succeeded[0][0] < start or not self._failed_at):
            self._successes -= self._succeeded.popleft()[1]
        return failed > 0 and len(self._failed_at) >= self._limit and len(self._failed_at) > self._successes

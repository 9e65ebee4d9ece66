"""The open connections of one port, whatever they speak: who is there, and how they all come to an end."""

import asyncio
from time import monotonic
from typing import Generic, Protocol, TypeVar


class Connection(Protocol):
    """What a port asks of each of its connections."""

    def close_if_idle(self) -> None:
        """From now on end as soon as nothing is in hand."""

    def close_if_stalled(self, now: float) -> None:
        """End if the client has begun something and does not go on with it."""


STALL_TIMEOUT_SECONDS = 30.0


class Unsent:
    """What waits for a client to take it."""

    def __init__(self) -> None:
        self._bytes = 0
        self._since = 0.0

    def stalled(self, unsent_bytes: int, now: float) -> bool:
        """Whether nothing of it has gone for long; to be asked every second or so."""
        if unsent_bytes == 0 or unsent_bytes != self._bytes:
            self._bytes, self._since = unsent_bytes, now
        return now - self._since > STALL_TIMEOUT_SECONDS


C = TypeVar("C", bound=Connection)


class OpenConnections(Generic[C]):
    """The connections of one port, and what they share."""

    def __init__(self, loop: asyncio.AbstractEventLoop, request_limit_bytes: int) -> None:
        self.loop = loop
        self.request_limit_bytes = request_limit_bytes
        self.open: set[C] = set()
        self.draining = False
        self._all_closed = asyncio.Event()

    def close_idle(self) -> None:
        """From now on each connection is closed as soon as it has nothing in hand."""
        self.draining = True
        for connection in list(self.open):
            connection.close_if_idle()
        if not self.open:
            self._all_closed.set()

    def closed(self, connection: C) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        if self.draining and not self.open:
            self._all_closed.set()

    async def wait_closed(self) -> None:
        """Return when, after `close_idle`, the last connection is gone."""
        await self._all_closed.wait()

    def close_stalled(self) -> None:
        """Close connections whose client does not go on with what it has begun. Called every second or so."""
        now = monotonic()
        for connection in list(self.open):
            connection.close_if_stalled(now)

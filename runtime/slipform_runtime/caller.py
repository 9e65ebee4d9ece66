"""Who waits for an answer: a request over HTTP/1, a call over gRPC, a part of a stream."""

from collections.abc import Callable

import msgspec


class Caller(msgspec.Struct, eq=False, kw_only=True):
    """`arrived_at` is in seconds of the monotonic clock; `on_disconnect` ends what is under way for the caller."""

    arrived_at: float
    on_disconnect: Callable[[], object] | None = None

    @property
    def traceparent(self) -> str:
        """The W3C trace that the request belongs to; empty for none."""
        return ""

    def disconnect(self) -> None:
        """The caller has gone: what is under way for it ends, once."""
        on_disconnect, self.on_disconnect = self.on_disconnect, None
        if on_disconnect is not None:
            on_disconnect()

"""Heads of requests that came before: what llhttp made of the very same bytes then.

A client sends the same head with every request, at most with another Content-Length. Bytes that llhttp has once read
as one whole head it reads so each time when it is between two requests; so a request that comes alone and in one piece
need not be parsed again. Everything else is: bodies in parts or chunks, pipelined requests, anything unusual in a head.
"""

from slipform_runtime.rest.exchange import Exchange

MAX_HEADS = 512
MAX_HEAD_BYTES = 1024
_END = b"\r\n\r\n"
_NOT_KEPT = (
    b"transfer-encoding",
    b"upgrade",
    b"expect",
    b"traceparent",
    b"x-request-id",
)  # the last are never the same


class Head:
    """What a head says."""

    __slots__ = ("headers", "keep_alive", "method", "request_bytes", "target")

    def __init__(self, exchange: Exchange, request_bytes: int) -> None:
        self.method = exchange.method
        self.target = exchange.target
        self.headers = exchange.headers
        self.keep_alive = exchange.keep_alive
        self.request_bytes = request_bytes  # of head and body


class KnownHeads:
    """The heads that one port's clients send."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes, end: int) -> Head | None:
        """The head of a request that `data` is, to the last byte; `end` is that of its head."""
        head = self._known.get(data[:end])
        return head if head is not None and head.request_bytes == len(data) else None

    def learn(self, data: bytes, exchange: Exchange) -> None:
        """Remember the head of `exchange`, which llhttp has read from `data` and nothing else."""
        end = end_of_head(data)
        declared = int(exchange.headers.get(b"content-length", b"0"))
        if not 0 < end <= MAX_HEAD_BYTES or not len(exchange.body) == declared == len(data) - end:
            return
        if any(name in exchange.headers for name in _NOT_KEPT):
            return
        if len(self._known) >= MAX_HEADS:
            self._known.clear()
        self._known[data[:end]] = Head(exchange, len(data))


def end_of_head(data: bytes) -> int:
    """Where the body begins; 0 where that is not near."""
    found = data.find(_END, 0, MAX_HEAD_BYTES)
    return found + len(_END) if found > 0 else 0

"""Heads of requests that came before: what llhttp made of the very same bytes then.

A client sends the same head with every request, at most with another Content-Length. Bytes that llhttp has once read
as one whole head it reads so each time when it is between two requests; so a request that comes alone and in one piece
need not be parsed again. Everything else is: bodies in parts or chunks, pipelined requests, anything unusual in a head.
"""

import msgspec

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


class Head(msgspec.Struct, frozen=True, eq=False):
    """What a head says."""

    text: bytes
    length: int
    request_bytes: int  # of head and body
    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool


class KnownHeads:
    """The heads that one port's clients send."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._last: Head | None = None

    def find(self, data: bytes) -> Head | None:
        """The head of a request that `data` is, to the last byte."""
        head = self._last  # mostly it is the same again
        if head is None or not data.startswith(head.text):
            head = self._known.get(data[: end_of_head(data)])
        if head is None or head.request_bytes != len(data):
            return None
        self._last = head
        return head

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
        text = data[:end]
        self._known[text] = Head(
            text, end, len(data), exchange.method, exchange.target, exchange.headers, exchange.keep_alive
        )


def end_of_head(data: bytes) -> int:
    """Where the body begins; 0 where that is not near."""
    found = data.find(_END, 0, MAX_HEAD_BYTES)
    return found + len(_END) if found > 0 else 0

"""One HTTP/1.1 connection: llhttp (in httptools) parses, this keeps order, limits and back-pressure.

A connection has one request in hand. Requests that a client pipelines behind it wait, parsed, and reading is
paused meanwhile; so what one client can make the server hold is one read's worth and one body.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

import httptools

from slipform_runtime.connections import OpenConnections, Unsent
from slipform_runtime.errors import InferenceError, InvalidRequest, RequestTooLarge
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.heads import KnownHeads

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
READ_BYTES = 256 * 1024  # the most that uvloop reads at once
HEAD_TIMEOUT_SECONDS = 10.0
BODY_TIMEOUT_SECONDS = 30.0
LINGER_SECONDS = 2.0
_HEAD_TOO_LARGE = f"the request's head is larger than {MAX_HEAD_BYTES} bytes"

# Given twice, these would let two readers of one request see two requests.
_SINGLE = frozenset((b"inference-header-content-length", b"content-encoding", b"content-type", b"host"))

Handler = Callable[[Exchange], None]
_NOBODYS = Exchange(lambda exchange, data: None, arrived_at=0.0)


class Connections(OpenConnections["HttpConnection"]):
    """The open connections of one port, and the limits that they share."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Handler, request_limit_bytes: int) -> None:
        super().__init__(loop, request_limit_bytes)
        self.handler = handler
        self.heads = KnownHeads()

    def __call__(self) -> "HttpConnection":
        return HttpConnection(self)


class HttpConnection(asyncio.Protocol):
    """Bytes of one client to exchanges, and answers back in order."""

    def __init__(self, shared: Connections) -> None:
        self._shared = shared
        self._loop = shared.loop
        self._transport: Any = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._reading = False  # a head or a body: that of `_exchange`
        self._exchange = Exchange(self._answered, arrived_at=0.0)
        self._current: Exchange | None = None  # whose answer is awaited
        self._waiting: deque[Exchange] = deque()
        self._head_bytes = 0
        self._unused_bytes = 0
        self._last_data_at = 0.0
        self._unsent = Unsent()
        self._read_paused = False
        self._write_paused = False
        self._closing = False
        self._aborted = False

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        """The client is there."""
        self._transport = transport
        if peer := transport.get_extra_info("socket"):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # finds the half-open ones
        self._shared.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: what it waits for is cancelled."""
        self._shared.closed(self)
        self._closing = True
        self._waiting.clear()
        if self._current is not None:
            self._current.disconnect()
        # These hold the connection, which holds them: bodies would stay until the collector comes by, which is seldom.
        self._current = self._parser = None
        self._exchange = _NOBODYS

    def data_received(self, data: bytes) -> None:
        """Parse; a syntax error is answered and ends the connection."""
        if self._closing:
            return
        now = self._last_data_at = monotonic()
        alone = not self._reading and self._current is None and not self._aborted
        if alone and (head := self._shared.heads.find(data)):
            body = data[head.length :]
            self._handle(
                Exchange(self._answered, head.method, head.target, head.headers, body, head.keep_alive, arrived_at=now)
            )
            return
        self._unused_bytes += len(data)
        before = self._exchange
        try:
            offered = self._feed(data)
            if alone and not offered and self._exchange is not before and not self._reading and not self._waiting:
                self._shared.heads.learn(data, self._exchange)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._abort(cause if isinstance(cause, InferenceError) else InvalidRequest("the request is malformed"))
        except httptools.HttpParserError as error:
            self._abort(InvalidRequest(f"this is not HTTP/1.1: {error}"))
        # llhttp keeps an unfinished header to itself: what brings neither a head nor a body is bounded here.
        if self._reading and self._unused_bytes > MAX_HEAD_BYTES + READ_BYTES:
            self._abort(InvalidRequest(f"a header or a chunk's extension is larger than {MAX_HEAD_BYTES} bytes"))

    def _feed(self, data: bytes) -> bool:
        """Parse; whether something else than HTTP/1.1 was offered, which is declined (RFC 9110, section 7.8).

        The parser takes what follows such a head for another protocol, so a new one reads the request as if nothing had
        been offered: Java's client sends `Upgrade: h2c` with its first request, whose body must not be lost.
        """
        rest, offered = memoryview(data), False
        while True:
            try:
                self._parser.feed_data(rest)
                return offered
            except httptools.HttpParserUpgrade as offer:
                rest, offered = rest[offer.args[0] :], True
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(self._exchange.head_without_offer())

    def eof_received(self) -> bool:
        """A client that ends its half has nothing more to ask and, as far as is known, nobody to listen."""
        return False

    def pause_writing(self) -> None:
        """The client does not read: take no more requests from it."""
        self._write_paused = True
        self._pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._write_paused = False
        self._resume_reading()

    # httptools

    def on_message_begin(self) -> None:
        """A request begins."""
        self._reading = True
        self._exchange = Exchange(self._answered, arrived_at=monotonic())
        self._head_bytes = 0
        self._unused_bytes = 0

    def on_url(self, url: bytes) -> None:
        """The target, maybe in parts."""
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise InvalidRequest(_HEAD_TOO_LARGE)
        self._exchange.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one of the trailers, which are ignored."""
        exchange = self._exchange
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise InvalidRequest(_HEAD_TOO_LARGE)
        if exchange.method:
            return
        name = name.lower()
        headers = exchange.headers
        if name in headers:
            if name in _SINGLE:
                raise InvalidRequest(f"the header {name.decode('latin-1')} is given twice")
            value = headers[name] + b", " + value
        elif len(headers) >= MAX_HEADERS:
            raise InvalidRequest(f"the request has more than {MAX_HEADERS} headers")
        headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        exchange = self._exchange
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise InvalidRequest("this server speaks HTTP/1.1")
        exchange.method = self._parser.get_method()
        if exchange.method == b"CONNECT":
            raise InvalidRequest("this server is no proxy")
        # A client of HTTP/1.0 would wait for a `Connection: keep-alive`, which this server does not answer.
        exchange.keep_alive = self._parser.should_keep_alive() and version == "1.1"
        length = exchange.headers.get(b"content-length")
        if length is not None and int(length) > self._shared.request_limit_bytes:
            raise self._too_large()
        # Not before the answer to an earlier request, for which it would be taken; nor is it known to HTTP/1.0.
        expected = exchange.headers.get(b"expect", b"").lower() == b"100-continue"
        if expected and version == "1.1" and self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        exchange = self._exchange
        self._unused_bytes = 0
        if not exchange.body:
            exchange.body = body
        else:
            if isinstance(exchange.body, bytes):
                exchange.body = bytearray(exchange.body)
            exchange.body += body
        if len(exchange.body) > self._shared.request_limit_bytes:
            raise self._too_large()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._reading = False
        exchange = self._exchange
        if self._closing or self._parser.should_upgrade():
            return
        if self._current is None:
            self._handle(exchange)
        else:
            self._waiting.append(exchange)
            self._pause_reading()

    # Answers

    def _handle(self, exchange: Exchange) -> None:
        self._current = exchange
        if self._shared.draining:
            exchange.keep_alive = False
        self._shared.handler(exchange)

    def _answered(self, exchange: Exchange, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        self._current = None
        if not exchange.keep_alive:
            self._linger() if self._aborted else self._close()
        elif self._waiting:
            # Not from here: a client that pipelines a thousand requests would nest a thousand calls.
            self._current = self._waiting.popleft()
            self._loop.call_soon(self._handle_next, self._current)
        else:
            if self._read_paused:
                self._resume_reading()
            if self._shared.draining and not self._reading:
                self._close()

    def _handle_next(self, exchange: Exchange) -> None:
        if not self._closing:
            self._handle(exchange)

    def _abort(self, error: InferenceError) -> None:
        """Answer a request that cannot be read, and close: where the next one would begin is not known."""
        if self._closing:
            return
        exchange = self._exchange if self._reading else Exchange(self._answered, arrived_at=monotonic())
        exchange.keep_alive = False
        self._reading = False
        self._aborted = True
        if self._current is None:
            self._current = exchange
            exchange.refuse(error)
        else:
            self._current.keep_alive = False
            self._waiting.clear()

    def close_if_idle(self) -> None:
        """Close unless a request is in hand."""
        if self._current is None and not self._reading:
            self._close()

    def close_if_stalled(self, now: float) -> None:
        """Close if a head takes too long as a whole, a body has paused too long, or an answer is not taken."""
        if self._unsent.stalled(self._transport.get_write_buffer_size(), now):
            self._transport.abort()
        if not self._reading or self._current is not None:
            return
        stalled = (
            now - self._last_data_at > BODY_TIMEOUT_SECONDS
            if self._exchange.method
            else now - self._exchange.arrived_at > HEAD_TIMEOUT_SECONDS
        )
        if stalled:
            self._close()

    def _linger(self) -> None:
        """Close when the client has had the time to read the answer: a close with unread data would discard it."""
        self._closing = True
        self._transport.write_eof()
        self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

    def _pause_reading(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._read_paused and not self._write_paused and not self._waiting:
            self._read_paused = False
            self._transport.resume_reading()

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"the request is larger than {self._shared.request_limit_bytes} bytes")

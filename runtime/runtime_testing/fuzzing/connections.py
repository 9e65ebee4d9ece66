"""Connections without sockets: what arrives on them, and what they answer."""

# ruff: noqa: S101  (a fuzzer's findings are assertions that fail)

import asyncio
from collections.abc import Callable
from typing import Any

from slipform_runtime.errors import InferenceError
from slipform_runtime.http2.connection import DataReceived, Http2Connection, RequestReceived
from slipform_runtime.http2.frames import Http2Error
from slipform_runtime.rest.connection import Connections
from slipform_runtime.rest.exchange import Exchange

LIMIT = 1 << 16
REFUSED = "refused"


def outcome(read: Callable[[], Any]) -> Any:
    """What was read, or that it was refused as the client's fault."""
    try:
        return read()
    except InferenceError as error:
        if not 400 <= error.http_status < 500:
            raise AssertionError(f"{error.http_status}: {error}") from error
        return REFUSED


def events_of(parts: list[bytes]) -> tuple[list[Any], bytes, bool]:
    """The events, what is sent back, and whether the connection had to end."""
    connection = Http2Connection()
    seen: list[Any] = []
    output = b""
    for part in parts:
        try:
            seen += connection.receive(part, 0.0)
        except Http2Error:
            output += connection.output()
            assert connection.ended
            break
        output += connection.output()
        assert len(connection._partial) <= 1 << 20
    shown: list[Any] = []
    for event in seen:
        if isinstance(event, RequestReceived):
            shown.append((event.stream_id, event.headers))
            if event.ended:  # a body that came with its headers
                shown.append(repr(DataReceived(event.stream_id, event.data, True)))
        else:
            shown.append(repr(event))
    return shown, output, connection.ended


class _Transport:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.closing = False
        self.written = b""

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def write_eof(self) -> None:
        """Nothing more is written."""

    pause_reading = resume_reading = write_eof


_LOOP = asyncio.new_event_loop()


def port_of() -> Connections:
    """A port whose connections answer at once."""
    return Connections(_LOOP, lambda exchange: None, LIMIT)


def exchanges_of(port: Connections, parts: list[bytes]) -> tuple[list[Any], bytes]:
    """The requests that arrive on a connection of their own, each answered by its number; and all that is answered."""
    seen: list[Any] = []
    waiting: list[Callable[[], object]] = []

    def handle(exchange: Exchange) -> None:
        content = outcome(lambda: bytes(exchange.content(LIMIT)))
        seen.append((exchange.method, exchange.target, dict(exchange.headers), content, exchange.keep_alive))
        exchange.respond(200, b"%d" % len(seen))

    port.handler = handle
    connection, transport = port(), _Transport()
    connection._loop = _Now(waiting)  # type: ignore[assignment]
    connection.connection_made(transport)
    for part in parts:
        if part and not transport.closing:
            connection.data_received(part)
        while waiting:
            waiting.pop(0)()
    connection.connection_lost(None)
    return seen, transport.written


class _Now:
    """An event loop without a clock: what is to be called soon is called by the target."""

    def __init__(self, calls: list[Callable[[], object]]) -> None:
        self._calls = calls

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        self._calls.append(lambda: function(*arguments))

    def call_later(self, delay: float, function: Callable[..., object], *arguments: object) -> None:
        """Nobody waits that long."""

"""One gRPC connection on the event loop: HTTP/2 events to calls, answers to one write per turn of the loop."""

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from slipform_runtime.connections import STALL_TIMEOUT_SECONDS, OpenConnections, Unsent
from slipform_runtime.errors import InferenceError, RequestTooLarge
from slipform_runtime.grpc import wire
from slipform_runtime.grpc.call import Call, Method
from slipform_runtime.http2.connection import DataReceived, Event, Http2Connection, RequestReceived
from slipform_runtime.http2.frames import ErrorCode, Http2Error
from slipform_runtime.http2.headers import block

LARGE_MESSAGE_BYTES = 256 * 1024
_NOT_GRPC = b"This port speaks gRPC (application/grpc); REST is on the HTTP port.\n"
_NOT_GRPC_HEAD = block((b":status", b"415"), (b"content-type", b"text/plain"))
_END = block((b"grpc-status", b"3"))


class GrpcConnections(OpenConnections["GrpcConnection"]):
    """The open connections of the port, and what they share."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, find_method: Callable[[bytes], Method], request_limit_bytes: int
    ) -> None:
        super().__init__(loop, request_limit_bytes)
        self.find_method = find_method

    def __call__(self) -> "GrpcConnection":
        return GrpcConnection(self)


class GrpcConnection(asyncio.Protocol):
    """Bytes of one client to calls, and answers back."""

    def __init__(self, shared: GrpcConnections) -> None:
        self._shared = shared
        self._http2 = Http2Connection()
        self._calls: dict[int, Call | _Refusal] = {}
        self._transport: Any = None
        self._flush_due = False
        self._last_data_at = 0.0
        self._unsent = Unsent()

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        """The client is there."""
        self._transport = transport
        if peer := transport.get_extra_info("socket"):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # finds the half-open ones
        self._shared.open.add(self)
        if self._shared.draining:
            self._http2.drain()
        self._last_data_at = monotonic()
        self._flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: what it waits for is cancelled."""
        self._shared.closed(self)
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()

    def data_received(self, data: bytes) -> None:
        """Handle what came."""
        now = self._last_data_at = monotonic()
        try:
            for event in self._http2.receive(data, now):
                self._handle(event, now)
        except Http2Error:
            self._transport.write(self._http2.output())
            self._transport.close()
            return
        if self._http2.has_output or self._shared.draining:
            self._flush_soon()

    def pause_writing(self) -> None:
        """The client does not read: take nothing more from it, so that its frames make no more answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    # Calls

    def _handle(self, event: Event, now: float) -> None:
        if isinstance(event, RequestReceived):
            self._begin(event, now)
        elif isinstance(event, DataReceived):
            call = self._calls.get(event.stream_id)
            if call is not None:
                call.receive(event.data, event.ended)
                if call.buffered > LARGE_MESSAGE_BYTES:
                    self._check_buffered(call)
        elif call := self._calls.pop(event.stream_id, None):
            call.cancel()

    def _check_buffered(self, call: "Call | _Refusal") -> None:
        """A message may be as long as the limit, but not that of every stream at once."""
        limit = 2 * self._shared.request_limit_bytes
        if sum(other.buffered for other in self._calls.values()) > limit:
            call.fail(RequestTooLarge(f"this connection has more than {limit} bytes of unfinished messages"))

    def _begin(self, event: RequestReceived, now: float) -> None:
        if not wire.is_grpc(event.headers):
            self._calls[event.stream_id] = refusal = _Refusal(event.stream_id, self)
            refusal.receive(event.data, event.ended)
            return
        method = self._shared.find_method(event.headers[b":path"])
        try:
            deadline = now + wire.timeout_seconds(event.headers)
        except InferenceError as error:
            self._http2.respond_head(event.stream_id, wire.error_trailers(*wire.status_of(error)), ends=True)
            return
        limit = self._shared.request_limit_bytes
        call = Call(event.stream_id, event.headers, method, self, deadline, limit, arrived_at=now)
        self._calls[event.stream_id] = call
        if event.ended:
            call.receive(event.data, True)

    # Answers: what the calls send.

    def respond(self, stream_id: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """A whole response."""
        self._calls.pop(stream_id, None)
        self._http2.respond(stream_id, head, body, trailers)
        self._flush_soon()

    def respond_head(self, stream_id: int, head: bytes, *, ends: bool = False) -> None:
        """The head of a response, or all of it."""
        if ends:
            self._calls.pop(stream_id, None)
        self._http2.respond_head(stream_id, head, ends=ends)
        self._flush_soon()

    def respond_data(self, stream_id: int, data: bytes) -> None:
        """A part of a response."""
        if self._http2.unsent_bytes > 2 * self._shared.request_limit_bytes:
            # The client asks for more and takes nothing.
            self._http2.reset(stream_id, ErrorCode.ENHANCE_YOUR_CALM)
            if call := self._calls.pop(stream_id, None):
                call.cancel()
        else:
            self._http2.respond_data(stream_id, data)
        self._flush_soon()

    def respond_end(self, stream_id: int, trailers: bytes) -> None:
        """The end of a response."""
        self._calls.pop(stream_id, None)
        self._http2.respond_end(stream_id, trailers)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._shared.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._transport.is_closing():
            return
        if data := self._http2.output():
            self._transport.write(data)
        if self._shared.draining and self._http2.drained:
            self._transport.close()

    # The end

    def close_if_idle(self) -> None:
        """Ask the client to go elsewhere; the connection is closed when its calls are answered."""
        self._http2.drain()
        self._flush_soon()

    def close_if_stalled(self, now: float) -> None:
        """Close if the client does not go on with a request for long, or takes nothing of what it asked for."""
        paused = self._http2.mid_request and self._last_data_at < now - STALL_TIMEOUT_SECONDS
        unsent_bytes = self._http2.unsent_bytes + self._transport.get_write_buffer_size()
        if self._unsent.stalled(unsent_bytes, now) or paused:
            self._transport.abort()


class _Refusal:
    """A request that is not one of gRPC: answered with HTTP's words when it is whole."""

    buffered = 0

    def __init__(self, stream_id: int, connection: GrpcConnection) -> None:
        self._stream_id = stream_id
        self._connection = connection

    def receive(self, data: bytes, ended: bool) -> None:
        """Wait for the end."""
        if ended:
            self._connection.respond(self._stream_id, _NOT_GRPC_HEAD, _NOT_GRPC, _END)

    def fail(self, error: InferenceError) -> None:
        """It buffers nothing that could be too much."""

    def cancel(self) -> None:
        """Nothing runs for it."""

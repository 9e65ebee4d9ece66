"""One call, as a method sees it: the messages come by `on_message`, and it answers when it likes."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from slipform_runtime.caller import Caller
from slipform_runtime.compression import LARGE_BYTES, WORTH_BYTES
from slipform_runtime.defects import told
from slipform_runtime.errors import GrpcStatus, InferenceError, InvalidRequest
from slipform_runtime.extensions import instead_of
from slipform_runtime.grpc import wire
from slipform_runtime.http2.headers import Headers


class Responder(Protocol):
    """What sends answers: the connection."""

    def respond(self, stream_id: int, head: bytes, body: bytes, trailers: bytes) -> None: ...
    def respond_head(self, stream_id: int, head: bytes, *, ends: bool = False) -> None: ...
    def respond_data(self, stream_id: int, data: bytes) -> None: ...
    def respond_end(self, stream_id: int, trailers: bytes) -> None: ...


class Call(Caller, eq=False):
    """A call that is not answered yet. `deadline` is in seconds of the monotonic clock."""

    stream_id: int
    headers: Headers
    method: "Method"
    responder: Responder
    deadline: float
    limit: int
    ended: bool = False
    _reader: wire.MessageReader | None = None
    _messages: int = 0
    _head_sent: bool = False

    @property
    def buffered(self) -> int:
        """Bytes of a message that is not whole yet."""
        return self._reader.buffered if self._reader is not None else 0

    @property
    def traceparent(self) -> str:
        """The W3C trace that the call belongs to; empty for none."""
        return self.headers.get(b"traceparent", b"").decode("latin-1")

    def receive(self, data: bytes, ended: bool) -> None:
        """Bytes of the request."""
        try:
            if ended and self._reader is None and wire.is_one_message(data, self.limit):
                self.method.on_message(self, data[wire.PREFIX_BYTES :])
                self.method.on_end(self)
                return
            if self._reader is None:
                self._reader = wire.MessageReader(self.headers, self.limit)
            for message in self._reader.feed(data) if data else ():
                self._messages += 1
                if self._messages > 1 and not self.method.streams:
                    raise InvalidRequest("a unary call has one message")
                self.method.on_message(self, message)
            if ended:
                if not self._reader.complete:
                    raise InvalidRequest("the request ends within a message")
                if not self._messages and not self.method.streams:
                    raise InvalidRequest("a unary call has one message, this has none")
                self.method.on_end(self)
        except Exception as error:
            self.fail(told(error))

    def answer(self, message: bytes) -> None:
        """The answer of a unary call."""
        if not self.ended:
            self.ended = True
            self.on_disconnect = None
            if len(message) >= WORTH_BYTES and b"grpc-encoding" in self.headers:
                self._answer_compressed(message)
                return
            self.responder.respond(self.stream_id, wire.RESPONSE_HEAD, wire.frame_message(message), wire.OK_TRAILERS)

    def _answer_compressed(self, message: bytes) -> None:
        """The same, as the caller's messages are; a large one is compressed in a thread."""
        encoding = wire.answer_encoding(self.headers)

        def respond(framed: bytes) -> None:
            self.responder.respond(self.stream_id, self._head(), framed, wire.OK_TRAILERS)

        if len(message) < LARGE_BYTES or not encoding:
            respond(self._framed(message))
        else:
            packing = asyncio.get_running_loop().run_in_executor(None, wire.frame_compressed, message, encoding)
            packing.add_done_callback(lambda done: None if done.cancelled() else respond(done.result()))

    def send(self, message: bytes) -> None:
        """One answer of a streaming call."""
        if not self.ended:
            if not self._head_sent:
                self._head_sent = True
                self.responder.respond_head(self.stream_id, self._head())
            self.responder.respond_data(self.stream_id, self._framed(message))

    def _head(self) -> bytes:
        return wire.COMPRESSED_RESPONSE_HEADS.get(wire.answer_encoding(self.headers), wire.RESPONSE_HEAD)

    def _framed(self, message: bytes) -> bytes:
        """The message on the wire; a large one as it is, for the loop must not wait for its compression."""
        if WORTH_BYTES <= len(message) < LARGE_BYTES and (encoding := wire.answer_encoding(self.headers)):
            return wire.frame_compressed(message, encoding)
        return wire.frame_message(message)

    def end(self) -> None:
        """The end of a streaming call."""
        if not self.ended:
            if not self._head_sent:
                self.responder.respond_head(self.stream_id, wire.RESPONSE_HEAD)
            self.ended = True
            self.responder.respond_end(self.stream_id, wire.OK_TRAILERS)

    def fail(self, error: InferenceError) -> None:
        """Answer with an error; what is still running for the call is cancelled."""
        if self.ended:
            return
        self.ended = True
        status, message = wire.status_of(error)
        if self._head_sent:
            self.responder.respond_end(self.stream_id, wire.end_trailers(status, message))
        else:
            self.responder.respond_head(self.stream_id, wire.error_trailers(status, message), ends=True)
        self.cancel()

    def cancel(self) -> None:
        """The caller has gone."""
        self.ended = True
        self.disconnect()


class Method:
    """A method of the service: `streams` is whether it takes and gives any number of messages."""

    streams = False

    def on_message(self, call: Call, message: bytes) -> None:
        """A whole request message. InferenceErrors that it raises end the call."""
        raise NotImplementedError

    def on_end(self, call: Call) -> None:
        """The caller sends no more."""


class Unary(Method):
    """A method that answers at once, by a function of the request's message."""

    def __init__(self, request: Any, answer: Callable[[Any], Any]) -> None:
        self._request = request
        self._answer = answer

    def on_message(self, call: Call, message: bytes) -> None:
        """Answer."""
        from slipform_runtime.protocol.v2_grpc import parse

        call.answer(self._answer(parse(self._request, message)).SerializeToString())


class UnknownMethod(Method):
    """What is not in the service."""

    streams = True

    def __init__(self, path: str) -> None:
        self._path = path

    def on_message(self, call: Call, message: bytes) -> None:
        """Refuse."""
        error = InferenceError(instead_of(self._path) or f"there is no method {self._path}")
        error.grpc_status = GrpcStatus.UNIMPLEMENTED
        raise error

    def on_end(self, call: Call) -> None:
        """Refuse a call without messages too."""
        if not call.ended:
            self.on_message(call, b"")

"""A server's HTTP/2 connection as a state machine: `receive` bytes for events, `respond`, and take `output`.

What a client can make it keep, and where that ends:

* A header block: MAX_BLOCK_BYTES and MAX_CONTINUATIONS on the wire, MAX_HEADER_LIST_BYTES decoded.
* Streams: `max_streams` at a time, refused beyond (section 5.1.2). Of those reset the last REMEMBERED_STREAMS.
* Bodies: the windows are opened again only as bytes arrive, and the caller resets a stream whose message is too long.
* Answers: what the client's windows do not let go is kept by stream and counted; the caller ends what is not taken.
* Frames that cost the client little and us more (resets, empty DATA, PING, SETTINGS, PRIORITY): an allowance by time
  and by answers. grpc-go, to measure the line, sends a PING with each answer that it gets.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from slipform_runtime.http2 import headers as fields
from slipform_runtime.http2.blocks import MAX_HEADER_LIST_BYTES, HeaderBlock, HeaderDecoder
from slipform_runtime.http2.frames import (
    ACK,
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FRAME_HEADER,
    HEADER_BYTES,
    LARGEST_FRAME_SIZE,
    LARGEST_STREAM_ID,
    LARGEST_WINDOW,
    PREFACE,
    PRIORITY_FLAG,
    ErrorCode,
    FrameType,
    Http2Error,
    Setting,
    StreamError,
    frame,
    goaway,
    response,
    rst_stream,
    settings,
    window_update,
    without_padding,
)
from slipform_runtime.http2.streams import REACTIONS, Reaction, State, Stream

MAX_STREAMS = 1000
MAX_BLOCK_BYTES = 32 * 1024
MAX_CONTINUATIONS = 16
REMEMBERED_STREAMS = 256
MAX_EMPTY_FRAMES = 16
STREAM_WINDOW = 1024 * 1024
CONNECTION_WINDOW = 16 * 1024 * 1024
FRAME_SIZE = DEFAULT_FRAME_SIZE
ALLOWANCE = 2000.0  # cheap frames at once …
ALLOWANCE_PER_SECOND = 1000.0  # … and for long

_PING_AT_DRAIN = b"draining"


class RequestReceived(msgspec.Struct):
    """A request's headers; `ended` where `data` is all of its body."""

    stream_id: int
    headers: fields.Headers
    ended: bool
    data: bytes = b""


class DataReceived(msgspec.Struct):
    """A part of a request's body; `ended` where it is the last one."""

    stream_id: int
    data: bytes
    ended: bool


class StreamReset(msgspec.Struct):
    """The client does not wait for this answer any more, or broke the protocol on this stream."""

    stream_id: int


Event = RequestReceived | DataReceived | StreamReset


class Http2Connection:
    """One connection. After Http2Error only `output` is of use: it ends with the GOAWAY."""

    def __init__(self, max_streams: int = MAX_STREAMS) -> None:
        self._max_streams = max_streams
        self._decoder = HeaderDecoder()
        self._streams: dict[int, Stream] = {}
        self._closed: OrderedDict[int, State] = OrderedDict()
        self._last_stream_id = 0
        self._partial = bytearray()  # of the preface or of a frame
        self._needed = 0  # bytes that `_partial` must have before looking at it is of use
        self._preface_seen = False
        self._settings_seen = False
        self._block: tuple[int, bool, bytearray, int] | None = None  # stream, END_STREAM, bytes, CONTINUATIONs
        self._send_window = DEFAULT_WINDOW
        self._initial_send_window = DEFAULT_WINDOW
        self._largest_frame = DEFAULT_FRAME_SIZE
        self._unacknowledged = 0
        self._receive_window = CONNECTION_WINDOW
        self._waiting: OrderedDict[int, Stream] = OrderedDict()  # with pending output
        self._allowance = ALLOWANCE
        self._allowance_at = 0.0
        self._draining = False
        self._refuse_after: int | None = None
        self._events: list[Event] = []
        self._readers: dict[int, Callable[[int, int, bytes], None]] = {
            FrameType.DATA: self._read_data,
            FrameType.HEADERS: self._read_headers,
            FrameType.PRIORITY: self._read_priority,
            FrameType.RST_STREAM: self._read_rst_stream,
            FrameType.SETTINGS: self._read_settings,
            FrameType.PUSH_PROMISE: self._read_push_promise,
            FrameType.PING: self._read_ping,
            FrameType.GOAWAY: self._read_goaway,
            FrameType.WINDOW_UPDATE: self._read_window_update,
            FrameType.CONTINUATION: self._read_continuation,
        }
        self._output: list[bytes] = [
            settings(
                {
                    Setting.MAX_CONCURRENT_STREAMS: max_streams,
                    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                    Setting.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST_BYTES,
                }
            ),
            window_update(0, CONNECTION_WINDOW - DEFAULT_WINDOW),
        ]
        self.ended = False

    # What the caller does.

    def receive(self, data: bytes, now: float) -> list[Event]:
        """The events in `data`, which came at `now` (seconds). Raises Http2Error where the connection must end."""
        self._allowance = min(ALLOWANCE, self._allowance + (now - self._allowance_at) * ALLOWANCE_PER_SECOND)
        self._allowance_at = now
        events: list[Event] = []
        self._events = events
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return events
            data = bytes(self._partial)
            self._partial.clear()
        try:
            self._read_frames(data if self._preface_seen else self._read_preface(data))
        except Http2Error as error:
            self.ended = True
            self._output.append(goaway(self._last_stream_id, error.code, str(error)))
            raise
        return events

    def output(self) -> bytes:
        """What must be sent now."""
        if not self._output:
            return b""
        data = self._output[0] if len(self._output) == 1 else b"".join(self._output)
        self._output.clear()
        return data

    def respond(self, stream_id: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """A whole response: header block, body, trailer block. Nothing happens where the stream is gone."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        size = len(body)
        if (
            size <= self._largest_frame
            and size <= stream.send_window
            and size <= self._send_window
            and stream.state is State.HALF_CLOSED_REMOTE
        ):
            self._send_window -= size
            self._allowance += 1
            self._output.append(response(stream_id, head, body, trailers))
            del self._streams[stream_id]
            return
        self._output.append(frame(FrameType.HEADERS, END_HEADERS, stream_id, head))
        self._queue(stream, body, trailers)

    def respond_head(self, stream_id: int, head: bytes, *, ends: bool = False) -> None:
        """A header block; with `ends` it is the whole response."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if ends:
            self._end(stream, head)
        else:
            self._output.append(frame(FrameType.HEADERS, END_HEADERS, stream_id, head))

    def respond_data(self, stream_id: int, data: bytes) -> None:
        """A part of a response's body."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._queue(stream, data, None)

    def respond_end(self, stream_id: int, trailers: bytes) -> None:
        """The end of a response, after its body."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._queue(stream, b"", trailers)

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End one stream from our side."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._output.append(rst_stream(stream_id, code))
            self._close(stream, State.RESET_BY_US)

    def drain(self) -> None:
        """Say that no new requests should come; those on their way are still answered (section 6.8)."""
        if not self._draining:
            self._draining = True
            self._output.append(goaway(LARGEST_WINDOW, ErrorCode.NO_ERROR))
            self._output.append(frame(FrameType.PING, 0, 0, _PING_AT_DRAIN))

    @property
    def has_output(self) -> bool:
        """Whether `output` has something."""
        return bool(self._output)

    @property
    def drained(self) -> bool:
        """Whether, after `drain`, every request is answered and none is on its way: the client knows that it ends."""
        return not self._streams and (self._refuse_after is not None or not self._settings_seen)

    @property
    def unsent_bytes(self) -> int:
        """What waits for the client's windows."""
        return sum(stream.pending_bytes for stream in self._waiting.values())

    @property
    def mid_request(self) -> bool:
        """Whether a request has begun to come and is not whole."""
        return self._block is not None or any(stream.state is State.OPEN for stream in self._streams.values())

    # Reading.

    def _read_preface(self, data: bytes) -> bytes:
        """What follows the preface; nothing before it is whole."""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "this port speaks HTTP/2 with prior knowledge (gRPC)")
        if len(data) < len(PREFACE):
            self._keep(data, len(PREFACE))
            return b""
        self._preface_seen = True
        return data[len(PREFACE) :]

    def _read_frames(self, data: bytes) -> None:
        position, end = 0, len(data)
        needed = HEADER_BYTES
        while end - position >= HEADER_BYTES:
            high, low, kind, flags, stream_id = FRAME_HEADER.unpack_from(data, position)
            stream_id &= LARGEST_STREAM_ID  # the other bit is reserved
            length = high << 16 | low
            if length > FRAME_SIZE:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, f"a frame is larger than {FRAME_SIZE} bytes")
            start = position + HEADER_BYTES
            if end - start < length:
                needed += length
                break
            position = start + length
            if kind == FrameType.HEADERS and flags == END_HEADERS and end - position >= HEADER_BYTES:
                try:
                    after = self._read_whole(stream_id, data[start:position], data, position)
                except StreamError as error:
                    self._stream_failed(error)
                    continue
                if after:
                    position = after
                    continue
            try:
                self._read_frame(kind, flags, stream_id, data[start:position])
            except StreamError as error:
                self._stream_failed(error)
        if position < end:
            self._keep(data[position:], needed)

    def _read_whole(self, stream_id: int, block: bytes, data: bytes, position: int) -> int:
        """Read a request of HEADERS and one DATA frame that came together, the usual one, in one step.

        Where to read on: after the DATA, or after the HEADERS where there is something to be said about them. 0 where
        this is not such a request: it is read frame by frame then.
        """
        high, low, kind, flags, data_stream_id = FRAME_HEADER.unpack_from(data, position)
        start = position + HEADER_BYTES
        size = high << 16 | low
        end: int = start + size
        if kind != FrameType.DATA or flags != END_STREAM or data_stream_id != stream_id or end > len(data):
            return 0
        if size > FRAME_SIZE or size > self._receive_window or not self._settings_seen or self._block is not None:
            return 0
        if stream_id <= self._last_stream_id or stream_id % 2 == 0 or self._refuse_after is not None:
            return 0
        given = self._decoder.decode(block)
        headers = given.as_request_or_none()
        if headers is None or b"content-length" in headers or len(self._streams) >= self._max_streams:
            self._open(stream_id, given, ended=False)
            return position
        self._last_stream_id = stream_id
        self._count_received(size)
        window = self._initial_send_window
        self._streams[stream_id] = Stream(stream_id, window, STREAM_WINDOW, State.HALF_CLOSED_REMOTE)
        self._events.append(RequestReceived(stream_id, headers, True, data[start:end]))
        return end

    def _count_received(self, size: int) -> None:
        """Take bytes of DATA off the connection's window, and open it again where half of it is used."""
        self._receive_window -= size
        self._unacknowledged += size
        if self._unacknowledged >= CONNECTION_WINDOW // 2:
            self._output.append(window_update(0, self._unacknowledged))
            self._receive_window += self._unacknowledged
            self._unacknowledged = 0

    def _keep(self, rest: bytes, needed: int) -> None:
        self._partial += rest
        self._needed = needed

    def _read_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self._settings_seen:
            if kind != FrameType.SETTINGS or flags & ACK:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS")
            self._settings_seen = True
        if self._block is not None and (kind != FrameType.CONTINUATION or stream_id != self._block[0]):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a header block is interrupted by another frame")
        reader = self._readers.get(kind)
        if reader is not None:  # unknown types are ignored (section 5.5)
            reader(flags, stream_id, payload)

    def _read_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id != 0, "DATA on stream 0")
        size = len(payload)  # padding counts (section 6.9.1)
        if size > self._receive_window:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        self._count_received(size)
        stream = self._accepts(FrameType.DATA, stream_id)
        if stream is None:
            return
        data = without_padding(payload, flags)
        if size > stream.receive_window:
            raise StreamError(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        ended = bool(flags & END_STREAM)
        stream.body_bytes += len(data)
        if not data and not ended:
            stream.empty_frames += 1
            if stream.empty_frames > MAX_EMPTY_FRAMES:
                raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many empty DATA frames")
        if not ended:
            stream.receive_window -= size
            stream.unacknowledged += size
            if stream.unacknowledged >= STREAM_WINDOW // 2:
                self._output.append(window_update(stream_id, stream.unacknowledged))
                stream.receive_window += stream.unacknowledged
                stream.unacknowledged = 0
        else:
            self._request_ended(stream)
        self._events.append(DataReceived(stream_id, data, ended))

    def _read_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id % 2 == 1, "a client's streams have odd numbers")
        payload = without_padding(payload, flags)
        if flags & PRIORITY_FLAG:
            if len(payload) < 5:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "HEADERS is too short for its priority")
            self._check_dependency(stream_id, payload)
            payload = payload[5:]
        ended = bool(flags & END_STREAM)
        if flags & END_HEADERS:
            self._block_complete(stream_id, ended, payload)
        else:
            self._block = (stream_id, ended, bytearray(payload), 0)

    def _read_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, ended, block, count = self._block
        block += payload
        if len(block) > MAX_BLOCK_BYTES or count >= MAX_CONTINUATIONS:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too large")
        self._block = (stream_id, ended, block, count + 1)
        if flags & END_HEADERS:
            self._block = None
            self._block_complete(stream_id, ended, bytes(block))

    def _block_complete(self, stream_id: int, ended: bool, block: bytes) -> None:
        if len(block) > MAX_BLOCK_BYTES:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too large")
        # Decoded whatever becomes of the stream: the table must stay that of the client.
        given = self._decoder.decode(block)
        if stream_id > self._last_stream_id:
            self._open(stream_id, given, ended)
            return
        stream = self._accepts(FrameType.HEADERS, stream_id)
        if stream is None:
            return
        if not ended:
            raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR, "trailers that do not end the stream")
        fields.check_trailers(stream_id, given.fields)
        self._request_ended(stream)
        self._events.append(DataReceived(stream_id, b"", True))

    def _open(self, stream_id: int, given: HeaderBlock, ended: bool) -> None:
        self._last_stream_id = stream_id
        if self._refuse_after is not None and stream_id > self._refuse_after:
            self._remember(stream_id, State.RESET_BY_US)  # the client knows that it was not served (section 6.8)
            return
        stream = Stream(stream_id, self._initial_send_window, STREAM_WINDOW)
        self._streams[stream_id] = stream
        if len(self._streams) > self._max_streams:
            self._spend()
            raise StreamError(stream_id, ErrorCode.REFUSED_STREAM, f"more than {self._max_streams} streams")
        headers = given.as_request(stream_id)
        stream.content_length = fields.content_length(stream_id, headers)
        if ended:
            self._request_ended(stream)
        self._events.append(RequestReceived(stream_id, headers, ended))

    def _request_ended(self, stream: Stream) -> None:
        if stream.content_length is not None and stream.content_length != stream.body_bytes:
            raise StreamError(stream.id, ErrorCode.PROTOCOL_ERROR, "content-length is not that of the body")
        stream.state = State.HALF_CLOSED_REMOTE

    def _read_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has 4 bytes")
        increment = int.from_bytes(payload) & 0x7FFFFFFF
        if stream_id == 0:
            if increment == 0:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
            self._send_window += increment
            if self._send_window > LARGEST_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is over 2^31-1")
        else:
            stream = self._accepts(FrameType.WINDOW_UPDATE, stream_id)
            if stream is None:
                return
            if increment == 0:
                raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
            stream.send_window += increment
            if stream.send_window > LARGEST_WINDOW:
                raise StreamError(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window is over 2^31-1")
        if self._waiting:
            self._send_pending()

    def _read_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id == 0, "SETTINGS is on stream 0")
        if flags & ACK:
            if payload:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS is empty")
            return
        if len(payload) % 6:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS is not a list of 6 bytes each")
        self._spend()
        for start in range(0, len(payload), 6):
            self._apply(int.from_bytes(payload[start : start + 2]), int.from_bytes(payload[start + 2 : start + 6]))
        self._output.append(frame(FrameType.SETTINGS, ACK, 0))
        self._send_pending()

    def _apply(self, name: int, value: int) -> None:
        match name:
            case Setting.ENABLE_PUSH:
                self._expect(value in (0, 1), "SETTINGS_ENABLE_PUSH is 0 or 1")
            case Setting.INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE is over 2^31-1")
                change = value - self._initial_send_window
                self._initial_send_window = value
                for stream in self._streams.values():
                    stream.send_window += change  # may become negative (section 6.9.2)
                    if stream.send_window > LARGEST_WINDOW:
                        raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is over 2^31-1")
            case Setting.MAX_FRAME_SIZE:
                self._expect(
                    DEFAULT_FRAME_SIZE <= value <= LARGEST_FRAME_SIZE, "SETTINGS_MAX_FRAME_SIZE is out of range"
                )
                self._largest_frame = value

    def _read_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id == 0, "PING is on stream 0")
        if len(payload) != 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "PING has 8 bytes")
        if not flags & ACK:
            self._spend()
            self._output.append(frame(FrameType.PING, ACK, 0, payload))
        elif payload == _PING_AT_DRAIN and self._draining and self._refuse_after is None:
            # The client has read the first GOAWAY: what it sent before that has come, so the last one is known.
            self._refuse_after = self._last_stream_id
            self._output.append(goaway(self._last_stream_id, ErrorCode.NO_ERROR))

    def _read_rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id != 0, "RST_STREAM on stream 0")
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has 4 bytes")
        stream = self._accepts(FrameType.RST_STREAM, stream_id)
        if stream is not None:
            self._spend()
            self._close(stream, State.RESET_BY_CLIENT)
            self._events.append(StreamReset(stream_id))

    def _read_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id == 0 and len(payload) >= 8, "GOAWAY is on stream 0 with 8 bytes or more")

    def _read_push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a client cannot push")

    def _read_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect(stream_id != 0, "PRIORITY on stream 0")
        if len(payload) != 5:
            raise StreamError(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has 5 bytes")
        self._check_dependency(stream_id, payload)
        self._spend()

    # The state machine.

    def _accepts(self, kind: FrameType, stream_id: int) -> Stream | None:
        """The stream, where the table lets it take this frame; None where the frame is to be ignored."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.state is State.OPEN:
            return stream  # the table's row OPEN accepts everything
        state = stream.state if stream is not None else self._state_of(stream_id)
        match REACTIONS[state][kind]:
            case Reaction.ACCEPT:
                return stream
            case Reaction.IGNORE:
                return None
            case Reaction.STREAM_CLOSED:
                raise StreamError(stream_id, ErrorCode.STREAM_CLOSED, f"{kind.name} on a stream that has ended")
            case Reaction.CONNECTION_CLOSED:
                raise Http2Error(ErrorCode.STREAM_CLOSED, f"{kind.name} on a closed stream")
            case _:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, f"{kind.name} on an idle stream")

    def _state_of(self, stream_id: int) -> State:
        if stream_id > self._last_stream_id or stream_id % 2 == 0:
            return State.IDLE
        return self._closed.get(stream_id, State.CLOSED)

    def _stream_failed(self, error: StreamError) -> None:
        self._spend()
        self._output.append(rst_stream(error.stream_id, error.code))
        stream = self._streams.get(error.stream_id)
        if stream is not None:
            self._close(stream, State.RESET_BY_US)
            self._events.append(StreamReset(error.stream_id))

    def _close(self, stream: Stream, state: State) -> None:
        stream.state = state
        self._streams.pop(stream.id, None)
        self._waiting.pop(stream.id, None)
        if state is not State.CLOSED:  # as which every stream counts that is not remembered
            self._remember(stream.id, state)

    def _remember(self, stream_id: int, state: State) -> None:
        self._closed[stream_id] = state
        if len(self._closed) > REMEMBERED_STREAMS:
            self._closed.popitem(last=False)

    def _spend(self) -> None:
        self._allowance -= 1
        if self._allowance < 0:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that ask for nothing")

    # Sending.

    def _queue(self, stream: Stream, data: bytes, trailers: bytes | None) -> None:
        if data:
            stream.pending.append(memoryview(data))
            stream.pending_bytes += len(data)
        stream.trailers = trailers
        self._waiting[stream.id] = stream
        self._send_stream(stream)

    def _send_pending(self) -> None:
        for stream in list(self._waiting.values()):
            self._send_stream(stream)

    def _send_stream(self, stream: Stream) -> None:
        while stream.pending:
            size = min(self._largest_frame, stream.send_window, self._send_window)
            if size <= 0:
                return
            chunk = stream.pending[0][:size]
            rest = stream.pending[0][size:]
            if len(rest):
                stream.pending[0] = rest
            else:
                stream.pending.pop(0)
            stream.pending_bytes -= len(chunk)
            stream.send_window -= len(chunk)
            self._send_window -= len(chunk)
            self._output.append(frame(FrameType.DATA, 0, stream.id, bytes(chunk)))
        self._waiting.pop(stream.id, None)
        if stream.trailers is not None:
            self._end(stream, stream.trailers)

    def _end(self, stream: Stream, block: bytes) -> None:
        self._allowance += 1
        self._output.append(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, stream.id, block))
        if stream.state is State.HALF_CLOSED_REMOTE:
            self._close(stream, State.CLOSED)
        else:
            # The rest of the request is not needed (section 8.1).
            self._output.append(rst_stream(stream.id, ErrorCode.NO_ERROR))
            self._close(stream, State.RESET_BY_US)

    @staticmethod
    def _expect(holds: bool, rule: str) -> None:
        if not holds:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, rule)

    @staticmethod
    def _check_dependency(stream_id: int, payload: bytes) -> None:
        if int.from_bytes(payload[:4]) & 0x7FFFFFFF == stream_id:
            raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

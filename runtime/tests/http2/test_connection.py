"""The HTTP/2 state machine against clients that break the rules (RFC 9113) or mean harm.

h2spec's 145 cases run besides, in `tests/grpc/test_h2spec.py`, where its binary is on the path.
"""

from contextlib import suppress
from typing import Any

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform_runtime.http2 import connection as http2
from slipform_runtime.http2.blocks import HeaderDecoder
from slipform_runtime.http2.connection import DataReceived, Http2Connection, RequestReceived, StreamReset
from slipform_runtime.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PADDED,
    PREFACE,
    PRIORITY_FLAG,
    ErrorCode,
    FrameType,
    Http2Error,
    Setting,
    frame,
    rst_stream,
    window_update,
)
from slipform_runtime.http2.frames import settings as settings_frame
from slipform_runtime.http2.headers import block

REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/service/Method"),
    (b":authority", b"host"),
    (b"te", b"trailers"),
)
HEAD = block(*REQUEST)


def headers(stream_id: int, flags: int = END_HEADERS, payload: bytes = HEAD) -> bytes:
    return frame(FrameType.HEADERS, flags, stream_id, payload)


def data(stream_id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return frame(FrameType.DATA, flags, stream_id, payload)


def opened(**options: Any) -> Http2Connection:
    """A connection after the preface, its first output taken."""
    connection = Http2Connection(**options)
    connection.receive(PREFACE + settings_frame({}), 0.0)
    connection.output()
    return connection


def frames(output: bytes) -> list[tuple[int, int, int, bytes]]:
    found = []
    while output:
        length = int.from_bytes(output[:3])
        found.append((output[3], output[4], int.from_bytes(output[5:9]), output[9 : 9 + length]))
        output = output[9 + length :]
    return found


def test_a_request_arrives_whole_however_it_is_cut() -> None:
    stream = PREFACE + settings_frame({}) + headers(1) + data(1, b"abc", END_STREAM)
    for size in (1, 2, 7, 1000):
        connection = Http2Connection()
        events: list[Any] = []
        for start in range(0, len(stream), size):
            events += connection.receive(stream[start : start + size], 0.0)
        assert [event.headers[b":path"] for event in events if isinstance(event, RequestReceived)] == [
            b"/service/Method"
        ]
        assert b"".join(event.data for event in events) == b"abc"
        assert [event.ended for event in events][-1]


def test_padding_and_priority_are_taken_off() -> None:
    connection = opened()
    padded = bytes((3,)) + (0).to_bytes(4) + b"\x10" + HEAD + b"\0\0\0"
    events = connection.receive(headers(1, END_HEADERS | PADDED | PRIORITY_FLAG, padded), 0.0)
    events += connection.receive(data(1, b"\x02ab\0\0", PADDED | END_STREAM), 0.0)
    assert events == [RequestReceived(1, dict(REQUEST), False), DataReceived(1, b"ab", True)]


def test_an_answer_waits_for_the_clients_window() -> None:
    connection = opened()
    connection.receive(settings_frame({Setting.INITIAL_WINDOW_SIZE: 4}) + headers(1, END_HEADERS | END_STREAM), 0.0)
    connection.output()
    connection.respond(1, b"\x88", b"abcdefghij", b"\x88")
    assert [payload for kind, _, _, payload in frames(connection.output()) if kind == FrameType.DATA] == [b"abcd"]
    connection.receive(window_update(1, 5), 0.0)
    assert [payload for *_, payload in frames(connection.output())] == [b"efghi"]
    assert connection.unsent_bytes
    connection.receive(settings_frame({Setting.INITIAL_WINDOW_SIZE: 5}), 0.0)
    kinds = [kind for kind, *_ in frames(connection.output())]
    assert kinds == [FrameType.SETTINGS, FrameType.DATA, FrameType.HEADERS]
    assert not connection._streams


def test_the_windows_are_opened_again_as_data_arrives() -> None:
    connection = opened()
    connection.receive(headers(1), 0.0)
    granted = 0
    for _ in range(100):
        connection.receive(data(1, bytes(16_384)), 0.0)
        granted += sum(int.from_bytes(payload) for _, _, stream, payload in frames(connection.output()) if stream == 1)
    assert granted >= 100 * 16_384 - http2.STREAM_WINDOW


def test_a_remembered_block_is_forgotten_when_the_table_changes() -> None:
    decoder, encoder = HeaderDecoder(), Encoder()
    first = encoder.encode([(b"a", b"1"), (b"b", b"2")])
    again = encoder.encode([(b"a", b"1"), (b"b", b"2")])  # indices into the dynamic table
    assert decoder.decode(first).fields == decoder.decode(again).fields == decoder.decode(again).fields
    decoder.decode(encoder.encode([(b"c", b"3")]))  # shifts the indices
    moved = encoder.encode([(b"a", b"1"), (b"b", b"2")])
    assert moved != again
    assert decoder.decode(moved).fields == [(b"a", b"1"), (b"b", b"2")]
    assert decoder.decode(again).fields != [(b"a", b"1"), (b"b", b"2")]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(FrameType.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR, id="SETTINGS on a stream"),
        pytest.param(frame(FrameType.SETTINGS, 0, 0, b"\0\1\0"), ErrorCode.FRAME_SIZE_ERROR, id="SETTINGS of 3 bytes"),
        pytest.param(frame(FrameType.SETTINGS, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR, id="ACK with payload"),
        pytest.param(
            settings_frame({Setting.INITIAL_WINDOW_SIZE: 2**31}),
            ErrorCode.FLOW_CONTROL_ERROR,
            id="too large a window",
        ),
        pytest.param(
            settings_frame({Setting.MAX_FRAME_SIZE: 100}), ErrorCode.PROTOCOL_ERROR, id="a frame size under 2^14"
        ),
        pytest.param(frame(FrameType.PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR, id="PING of 7 bytes"),
        pytest.param(window_update(0, 0), ErrorCode.PROTOCOL_ERROR, id="a window update by 0"),
        pytest.param(window_update(0, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR, id="a window update over 2^31-1"),
        pytest.param(window_update(5, 1), ErrorCode.PROTOCOL_ERROR, id="a window update on an idle stream"),
        pytest.param(data(1, b"x"), ErrorCode.PROTOCOL_ERROR, id="DATA on an idle stream"),
        pytest.param(data(0, b"x"), ErrorCode.PROTOCOL_ERROR, id="DATA on stream 0"),
        pytest.param(headers(2), ErrorCode.PROTOCOL_ERROR, id="a stream with an even number"),
        pytest.param(headers(1, 0) + data(1), ErrorCode.PROTOCOL_ERROR, id="DATA within a header block"),
        pytest.param(headers(1, 0) + headers(3), ErrorCode.PROTOCOL_ERROR, id="header blocks interleaved"),
        pytest.param(frame(FrameType.CONTINUATION, 4, 1, HEAD), ErrorCode.PROTOCOL_ERROR, id="CONTINUATION alone"),
        pytest.param(headers(1) + data(1, b"\x05abcd", PADDED), ErrorCode.PROTOCOL_ERROR, id="padding past the frame"),
        pytest.param(data(1, bytes(16_385)), ErrorCode.FRAME_SIZE_ERROR, id="a frame over the limit"),
        pytest.param(headers(1, payload=b"\xff\xff\xff"), ErrorCode.COMPRESSION_ERROR, id="no HPACK"),
        pytest.param(headers(1, payload=b"\x3f\xff\xff\x03"), ErrorCode.COMPRESSION_ERROR, id="a table over the limit"),
        pytest.param(
            headers(1, END_HEADERS | END_STREAM) + rst_stream(1, 8) + headers(3) + headers(1),
            None,
            id="HEADERS on a stream that the client reset",
        ),
        pytest.param(frame(FrameType.PUSH_PROMISE, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR, id="PUSH_PROMISE"),
        pytest.param(rst_stream(1, 0), ErrorCode.PROTOCOL_ERROR, id="RST_STREAM on an idle stream"),
    ],
)
def test_what_breaks_the_connections_rules_ends_it(sent: bytes, code: ErrorCode | None) -> None:
    connection = opened()
    if code is None:
        connection.receive(sent, 0.0)
        assert (FrameType.RST_STREAM, 0, 1, ErrorCode.STREAM_CLOSED.to_bytes(4)) in frames(connection.output())
        return
    with pytest.raises(Http2Error) as ended:
        connection.receive(sent, 0.0)
    assert ended.value.code == code
    last = frames(connection.output())[-1]
    assert last[0] == FrameType.GOAWAY
    assert int.from_bytes(last[3][4:8]) == code


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(REQUEST[1:], id="no :method"),
        pytest.param((*REQUEST, (b":path", b"/")), id="a pseudo-header after others"),
        pytest.param((REQUEST[0], *REQUEST), id="a pseudo-header twice"),
        pytest.param(((b":status", b"200"), *REQUEST), id="a response's pseudo-header"),
        pytest.param((*REQUEST, (b"Upper", b"x")), id="an upper-case name"),
        pytest.param((*REQUEST, (b"connection", b"close")), id="connection"),
        pytest.param((*REQUEST, (b"te", b"gzip")), id="te other than trailers"),
        pytest.param((*REQUEST, (b"a", b"x\r\ny: z")), id="a line break in a value"),
        pytest.param((*REQUEST, (b"a\0b", b"x")), id="NUL in a name"),
        pytest.param((*REQUEST, (b"content-length", b"-1")), id="content-length below 0"),
    ],
)
def test_a_malformed_request_is_reset_and_the_connection_goes_on(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    connection = opened()
    events = connection.receive(headers(1, payload=block(*fields)) + headers(3), 0.0)
    assert [event.stream_id for event in events if isinstance(event, RequestReceived)] == [3]
    assert (FrameType.RST_STREAM, 0, 1, ErrorCode.PROTOCOL_ERROR.to_bytes(4)) in frames(connection.output())


def test_a_body_that_is_not_as_long_as_declared_is_reset() -> None:
    connection = opened()
    request = headers(1, payload=block(*REQUEST, (b"content-length", b"4")))
    events = connection.receive(request + data(1, b"abc", END_STREAM), 0.0)
    assert events[-1] == StreamReset(1)


def test_streams_over_the_limit_are_refused() -> None:
    connection = opened(max_streams=2)
    events = connection.receive(headers(1) + headers(3) + headers(5), 0.0)
    assert [event.stream_id for event in events if isinstance(event, RequestReceived)] == [1, 3]
    assert (FrameType.RST_STREAM, 0, 5, ErrorCode.REFUSED_STREAM.to_bytes(4)) in frames(connection.output())


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(lambda n: headers(2 * n + 1) + rst_stream(2 * n + 1, 8), id="rapid reset"),
        pytest.param(lambda n: frame(FrameType.PING, 0, 0, bytes(8)), id="PING flood"),
        pytest.param(lambda n: settings_frame({Setting.INITIAL_WINDOW_SIZE: n}), id="SETTINGS flood"),
        pytest.param(lambda n: frame(FrameType.PRIORITY, 0, 1, bytes(5)), id="PRIORITY flood"),
        pytest.param(lambda n: headers(1) if n == 0 else data(1), id="empty DATA flood"),
        pytest.param(lambda n: headers(1, 0) if n == 0 else frame(9, 0, 1, b""), id="CONTINUATION flood"),
        pytest.param(lambda n: headers(2 * n + 1, payload=block(REQUEST[0])), id="malformed requests flood"),
    ],
)
def test_a_flood_of_cheap_frames_ends_the_connection(attack: Any) -> None:
    connection = opened()

    def flood() -> None:
        for number in range(int(http2.ALLOWANCE) + 2):
            connection.receive(attack(number), 0.0)
            connection.output()

    with pytest.raises(Http2Error) as ended:
        flood()
    assert ended.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_cancelling_at_a_usual_rate_is_no_attack() -> None:
    connection = opened()
    for number in range(5000):
        connection.receive(headers(2 * number + 1) + rst_stream(2 * number + 1, 8), number / 500)
        connection.output()
    assert not connection._streams


def test_a_header_list_that_unpacks_to_a_bomb_ends_the_connection() -> None:
    connection = opened()
    value = Encoder().encode([(b"bomb", b"x" * 4000)])
    block_ = HEAD + value + b"\xbe" * 200  # the one entry of the dynamic table, again and again
    with pytest.raises(Http2Error) as ended:
        connection.receive(headers(1, payload=block_), 0.0)
    assert ended.value.code == ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_that_ignores_the_windows_is_stopped() -> None:
    connection = opened()
    connection.receive(headers(1), 0.0)
    connection._receive_window = 100  # as if it had not been opened again
    with pytest.raises(Http2Error) as ended:
        connection.receive(data(1, bytes(101)), 0.0)
    assert ended.value.code == ErrorCode.FLOW_CONTROL_ERROR


def test_streams_that_were_reset_are_remembered_within_bounds() -> None:
    connection = opened()
    for number in range(1000):
        connection.receive(headers(2 * number + 1, END_HEADERS | END_STREAM), 0.0)
        connection.reset(2 * number + 1, ErrorCode.CANCEL)
        connection.output()
    assert len(connection._closed) == http2.REMEMBERED_STREAMS
    assert not connection._streams


def test_nothing_is_kept_of_answered_streams_on_which_nothing_may_follow() -> None:
    connection = opened()
    for number in range(1000):
        connection.receive(headers(2 * number + 1) + data(2 * number + 1, b"abc", END_STREAM), 0.0)
        connection.respond(2 * number + 1, b"\x88", b"", b"\x88")
        connection.output()
    assert (len(connection._closed), len(connection._streams)) == (0, 0)
    with pytest.raises(Http2Error) as ended:
        connection.receive(data(1, b"more"), 0.0)
    assert ended.value.code == ErrorCode.STREAM_CLOSED


def test_a_client_may_ping_with_each_answer() -> None:
    connection = opened()
    for number in range(2 * int(http2.ALLOWANCE)):
        stream_id = 2 * number + 1
        connection.receive(headers(stream_id) + data(stream_id, b"abc", END_STREAM), 0.0)
        connection.respond(stream_id, b"\x88", b"body", b"\x88")
        connection.receive(frame(FrameType.PING, 0, 0, bytes(8)), 0.0)
        assert len(frames(connection.output())) == 4


@pytest.mark.parametrize("parts", [1, 2])
def test_the_reserved_bit_of_a_streams_number_is_ignored(parts: int) -> None:
    connection, reserved = opened(), 1 << 31
    request = [headers(reserved | 1), data(reserved | 1, b"abc", END_STREAM)]
    sent = [b"".join(request)] if parts == 1 else request
    events = [event for part in sent for event in connection.receive(part, 0.0)]
    assert {event.stream_id for event in events} == {1}
    assert connection.receive(headers(3) + data(3, b"abc", END_STREAM), 0.0)


def test_draining_answers_what_was_sent_before_the_client_knew() -> None:
    connection = opened()
    connection.drain()
    first, ping = frames(connection.output())
    assert (first[0], int.from_bytes(first[3][:4])) == (FrameType.GOAWAY, 2**31 - 1)
    assert connection.receive(headers(1, END_HEADERS | END_STREAM), 0.0)
    connection.receive(frame(FrameType.PING, ACK, 0, ping[3]), 0.0)
    (last,) = frames(connection.output())
    assert int.from_bytes(last[3][:4]) == 1
    assert connection.receive(headers(3, END_HEADERS | END_STREAM), 0.0) == []
    assert not connection.drained
    connection.respond(1, b"\x88", b"", b"\x88")
    assert connection.drained


def test_a_connection_is_not_drained_before_the_client_has_read_that_it_ends() -> None:
    """Requests may be on their way, which the client takes for accepted."""
    silent, connection = Http2Connection(), opened()
    for each in (silent, connection):
        each.drain()
    _, ping = frames(connection.output())
    assert (silent.drained, connection.drained) == (True, False)
    connection.receive(frame(FrameType.PING, ACK, 0, ping[3]), 0.0)
    assert connection.drained


_KINDS = st.integers(0, 10)
_ODD = st.sampled_from([1, 3, 5, 7, 9, 11])
_BODIES = st.binary(min_size=1, max_size=20)
_FRAMES = st.builds(
    frame,
    _KINDS,
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D]),
    st.integers(0, 9),
    st.one_of(st.binary(max_size=40), st.just(HEAD), st.just(bytes(4)), st.just(bytes(8)), st.just(b"\0\0\0\1")),
)


@settings(max_examples=500)
@given(sent=st.lists(_FRAMES, max_size=12), cut=st.integers(1, 50))
def test_any_frames_are_events_or_an_error_of_the_clients(sent: list[bytes], cut: int) -> None:
    connection = opened()
    stream = b"".join(sent)
    with suppress(Http2Error):
        for start in range(0, len(stream), cut):
            for event in connection.receive(stream[start : start + cut], 0.0):
                if isinstance(event, RequestReceived):
                    connection.respond(event.stream_id, b"\x88", b"body", b"\x88")
    frames(connection.output())


_USUAL = st.builds(lambda stream_id, body: headers(stream_id) + data(stream_id, body, END_STREAM), _ODD, _BODIES)


def outcome(stream: bytes, cut: int) -> tuple[list[Any], list[tuple[int, int, int, bytes]], Any]:
    """What a connection makes of bytes that come so many at a time: events, what it sends, how it ends."""
    connection = opened(max_streams=3)
    seen: list[Any] = []
    error = None
    try:
        for start in range(0, len(stream), cut):
            for event in connection.receive(stream[start : start + cut], 0.0):
                if isinstance(event, RequestReceived) and event.data:
                    seen += [
                        RequestReceived(event.stream_id, event.headers, False),
                        DataReceived(event.stream_id, event.data, True),
                    ]
                else:
                    seen.append(event)
    except Http2Error as ended:
        error = (ended.code, str(ended))
    return seen, frames(connection.output()), error


@settings(max_examples=500)
@given(sent=st.lists(st.one_of(_FRAMES, _USUAL, _USUAL), max_size=12))
def test_a_request_read_in_one_step_is_what_it_is_frame_by_frame(sent: list[bytes]) -> None:
    stream = b"".join(sent)
    at_once, bit_by_bit = outcome(stream, len(stream) or 1), outcome(stream, 1)
    assert at_once[1:] == bit_by_bit[1:]
    # Those of a last read that ends in an error are not given out.
    assert at_once[0] == bit_by_bit[0] or at_once[2]


@settings(max_examples=300)
@given(stream=st.binary(max_size=300))
def test_any_bytes_are_events_or_an_error_of_the_clients(stream: bytes) -> None:
    with suppress(Http2Error):
        opened().receive(stream, 0.0)
    with suppress(Http2Error):
        Http2Connection().receive(stream, 0.0)


@settings(max_examples=300)
@given(payload=st.binary(max_size=60))
def test_any_header_block_is_fields_or_an_error(payload: bytes) -> None:
    with suppress(Http2Error):
        opened().receive(headers(1, payload=payload), 0.0)

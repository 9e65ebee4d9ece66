"""The gRPC port against clients that want too much of it, on a transport without sockets."""

import asyncio

import pytest

from runtime_testing.transports import Transport
from slipform_runtime.connections import STALL_TIMEOUT_SECONDS
from slipform_runtime.errors import GrpcStatus
from slipform_runtime.grpc.call import Call, Method, UnknownMethod
from slipform_runtime.grpc.connection import GrpcConnection, GrpcConnections
from slipform_runtime.http2.frames import (
    END_HEADERS,
    END_STREAM,
    PREFACE,
    FrameType,
    Setting,
    frame,
    settings,
    window_update,
)
from slipform_runtime.http2.headers import block

LIMIT = 1_000_000
HEAD = block((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/s/M"), (b"content-type", b"application/grpc"))


class Silent(Method):
    """Has its answers made by the test."""

    streams = True


async def connected(method: Method | None = None) -> tuple[GrpcConnection, Transport]:
    find = lambda path: method or UnknownMethod(path.decode())  # noqa: E731
    shared = GrpcConnections(asyncio.get_running_loop(), find, LIMIT)
    connection, transport = shared(), Transport()
    connection.connection_made(transport)
    connection.data_received(PREFACE + settings({}))
    return connection, transport


@pytest.mark.asyncio
async def test_unfinished_messages_of_one_connection_are_bounded() -> None:
    connection, transport = await connected()
    begun = b"\0" + LIMIT.to_bytes(4)
    for stream in (1, 3, 5):
        connection.data_received(frame(FrameType.HEADERS, END_HEADERS, stream, HEAD))
        connection.data_received(frame(FrameType.DATA, 0, stream, begun))
        for _ in range(55):  # 16 KiB each: 0.9 of the limit a stream
            connection.data_received(frame(FrameType.DATA, 0, stream, bytes(16_384)))
    await asyncio.sleep(0)
    assert not transport.closing
    assert b"grpc-status\x01%d" % GrpcStatus.RESOURCE_EXHAUSTED in transport.sent
    assert sum(call.buffered for call in connection._calls.values()) <= 2 * LIMIT


@pytest.mark.asyncio
async def test_what_is_no_http_2_is_told_so_and_closed() -> None:
    connection, transport = await connected()
    other = GrpcConnections(asyncio.get_running_loop(), lambda path: UnknownMethod(""), LIMIT)()
    other.connection_made(transport)
    other.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert transport.closing
    assert b"speaks HTTP/2" in transport.sent
    assert not connection._calls


@pytest.mark.asyncio
async def test_a_request_that_is_not_grpc_is_answered_by_http() -> None:
    connection, transport = await connected()
    head = block((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"))
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS | 1, 1, head))
    await asyncio.sleep(0)
    assert b"This port speaks gRPC" in transport.sent


@pytest.mark.asyncio
async def test_an_unknown_method_is_unimplemented() -> None:
    connection, transport = await connected()
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS, 1, HEAD))
    connection.data_received(frame(FrameType.DATA, 1, 1, b"\0\0\0\0\0"))
    await asyncio.sleep(0)
    assert b"grpc-status\x0212" in transport.sent


@pytest.mark.asyncio
async def test_a_call_on_its_way_when_the_server_ends_is_answered() -> None:
    connection, transport = await connected()
    connection._shared.close_idle()
    await asyncio.sleep(0)
    assert not transport.closing
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS, 1, HEAD))
    connection.data_received(frame(FrameType.DATA, 1, 1, b"\0\0\0\0\0"))
    await asyncio.sleep(0)
    assert b"grpc-status\x0212" in transport.sent
    assert not transport.closing
    connection.data_received(frame(FrameType.PING, 1, 0, b"draining"))
    await asyncio.sleep(0)
    assert transport.closing


@pytest.mark.asyncio
async def test_a_stream_whose_answers_are_not_taken_is_ended() -> None:
    connection, _ = await connected(Silent())
    connection.data_received(settings({Setting.INITIAL_WINDOW_SIZE: 0}))
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS, 1, HEAD))
    call, gone = connection._calls[1], []
    assert isinstance(call, Call)
    call.on_disconnect = lambda: gone.append(call)
    call.send(bytes(3 * LIMIT))  # one answer may be as large as it likes
    assert not gone
    call.send(b"")
    assert gone == [call]
    assert connection._http2.unsent_bytes == 0
    assert not connection._calls


@pytest.mark.asyncio
async def test_a_client_that_takes_nothing_for_long_is_closed_whatever_it_sends() -> None:
    connection, transport = await connected(Silent())
    connection.data_received(settings({Setting.INITIAL_WINDOW_SIZE: 0}))
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, HEAD))
    connection.respond(1, b"", bytes(1000), b"")
    for second in range(int(STALL_TIMEOUT_SECONDS) + 2):
        connection.data_received(frame(FrameType.PING, 0, 0, bytes(8)))
        connection.close_if_stalled(second)
        assert transport.closing == (second > STALL_TIMEOUT_SECONDS)


@pytest.mark.asyncio
async def test_a_client_that_takes_little_at_a_time_is_not_closed() -> None:
    connection, transport = await connected(Silent())
    connection.data_received(settings({Setting.INITIAL_WINDOW_SIZE: 0}))
    connection.data_received(frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, HEAD))
    connection.respond(1, b"", bytes(1000), b"")
    for turn in range(10):
        connection.close_if_stalled(turn * STALL_TIMEOUT_SECONDS)
        connection.data_received(window_update(1, 1))
    assert not transport.closing

"""The gRPC port against clients that want too much of it, on a transport without sockets."""

import asyncio

import pytest

from runtime_testing.transports import Transport
from slipform_runtime.errors import GrpcStatus
from slipform_runtime.grpc.call import UnknownMethod
from slipform_runtime.grpc.connection import GrpcConnection, GrpcConnections
from slipform_runtime.http2.frames import END_HEADERS, PREFACE, FrameType, frame, settings
from slipform_runtime.http2.headers import block

LIMIT = 1_000_000
HEAD = block((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/s/M"), (b"content-type", b"application/grpc"))


async def connected() -> tuple[GrpcConnection, Transport]:
    shared = GrpcConnections(asyncio.get_running_loop(), lambda path: UnknownMethod(path.decode()), LIMIT)
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

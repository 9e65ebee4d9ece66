"""A head that was read before means what it meant then, whatever follows it and whoever sends it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_testing.transports import Transport
from slipform_runtime.rest import heads
from slipform_runtime.rest.connection import Connections, HttpConnection
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.heads import KnownHeads

POST = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
REQUESTS = [
    POST,
    POST.replace(b"abcd", b"\r\n\r\n"),
    b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v2 HTTP/1.0\r\nHost: x\r\n\r\n",
    b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"\r\nGET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\nHost: x\nContent-Length: 8\n\nabcd\r\n\r\n",
    b"\n\r\n\r\n",
    b"\r\n",
]


class Forgetful(KnownHeads):
    """Knows nothing, ever."""

    def learn(self, data: bytes, exchange: Exchange) -> None:
        """Forget."""


def echo(exchange: Exchange) -> None:
    exchange.respond(200, repr((exchange.method, exchange.target, exchange.headers, bytes(exchange.body))).encode())


@pytest.fixture(scope="module")
def loop() -> Any:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def connect(shared: Connections) -> tuple[HttpConnection, Transport]:
    connection, transport = shared(), Transport()
    connection.connection_made(transport)
    return connection, transport


def talk(shared: Connections, *parts: bytes) -> tuple[bytes, bool]:
    """What a client gets who sends these bytes, read by read."""
    connection, transport = connect(shared)

    async def feed() -> None:
        for part in parts:
            connection.data_received(part)
            await asyncio.sleep(0)

    shared.loop.run_until_complete(feed())
    connection.connection_lost(None)
    return transport.sent, transport.closing


def ports(loop: asyncio.AbstractEventLoop) -> tuple[Connections, Connections]:
    """One that learns heads, and one that does not."""
    knowing, forgetful = Connections(loop, echo, 1000), Connections(loop, echo, 1000)
    forgetful.heads = Forgetful()
    return knowing, forgetful


@given(st.lists(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_known_heads_change_no_answer(
    loop: asyncio.AbstractEventLoop, clients: list[list[bytes]], data: st.DataObject
) -> None:
    knowing, forgetful = ports(loop)
    for requests in clients:
        parts = requests
        if data.draw(st.booleans(), label="cut at another place"):
            whole = b"".join(requests)
            cut = data.draw(st.integers(0, len(whole)))
            parts = [part for part in (whole[:cut], whole[cut:]) if part]
        assert talk(knowing, *parts) == talk(forgetful, *parts)


def test_a_head_is_learnt_by_one_client_for_all(loop: asyncio.AbstractEventLoop) -> None:
    shared, _ = ports(loop)
    talk(shared, POST)
    head = shared.heads.find(POST)
    assert head is not None
    assert head.target == b"/v2/models/m/infer"


@pytest.mark.parametrize("request_bytes", REQUESTS[7:])
def test_unusual_heads_are_not_kept(loop: asyncio.AbstractEventLoop, request_bytes: bytes) -> None:
    shared, _ = ports(loop)
    talk(shared, request_bytes)
    assert shared.heads.find(request_bytes) is None


def test_a_client_of_many_heads_makes_the_server_keep_few(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MAX_HEADS", 8)
    shared, _ = ports(loop)
    talk(shared, *(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(100)))
    assert 0 < len(shared.heads._known) <= 8

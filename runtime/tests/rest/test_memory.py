"""What a client leaves behind when it goes: nothing, and at once. The collector comes too seldom for bodies."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from runtime_testing.transports import Transport
from slipform_runtime.connections import STALL_TIMEOUT_SECONDS
from slipform_runtime.rest.connection import Connections
from slipform_runtime.rest.exchange import Exchange

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
BODY = b"x" * 1000


class Job:
    """What a handler starts for an exchange: each knows the other."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.on_disconnect = self.cancel

    def cancel(self) -> None:
        """Nobody waits for it any more."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.asyncio
async def test_a_client_that_takes_nothing_of_its_answer_for_long_is_closed() -> None:
    connection = Connections(asyncio.get_running_loop(), lambda exchange: exchange.respond(200, b"x"), 10_000)()
    transport = Transport()
    connection.connection_made(transport)
    connection.data_received(HEAD + BODY)
    transport.unsent_bytes = 100_000
    for second in range(100):  # it takes a little of it now and then
        transport.unsent_bytes -= second % 20 == 0
        connection.close_if_stalled(second)
    assert not transport.closing
    connection.close_if_stalled(80 + STALL_TIMEOUT_SECONDS + 1)
    assert transport.closing


@pytest.mark.parametrize(
    "parts",
    [(HEAD[:20],), (HEAD,), (HEAD, BODY[:500]), (HEAD, BODY), (HEAD + BODY,), (HEAD + BODY, HEAD + BODY)],
    ids=["half a head", "a head", "half a body", "a request", "one in one piece", "two"],
)
@pytest.mark.parametrize("answered", [True, False])
def test_a_connection_and_its_requests_end_with_their_client(parts: tuple[bytes, ...], answered: bool) -> None:
    jobs: list[weakref.ref[Job]] = []

    def handle(exchange: Exchange) -> None:
        if answered:
            exchange.respond(200, b"{}")
        else:
            jobs.append(weakref.ref(Job(exchange)))

    async def come_and_go() -> weakref.ref[Any]:
        connection = Connections(asyncio.get_running_loop(), handle, 10_000)()
        connection.connection_made(Transport())
        for part in parts:
            connection.data_received(part)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        return weakref.ref(connection)

    connection = asyncio.run(come_and_go())
    assert connection() is None
    assert [job() for job in jobs] == [None] * len(jobs)

"""The short form of `python -m bench.soak`."""

import asyncio

from bench.soak.soak import soak

SECONDS = 30


def test_no_request_is_lost_no_gauge_stays_up_and_memory_stays_flat() -> None:
    outcome = asyncio.run(soak(SECONDS))
    assert outcome.failures == []
    assert outcome.tally.of("REST, JSON")["200"] > 0
    assert outcome.tally.of("reload")["200"] > 1

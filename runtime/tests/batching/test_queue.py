"""The rules of dynamic batching, with a clock that the test moves."""

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform_runtime.batching.job import Job
from slipform_runtime.batching.policy import BatchingPolicy, QueuePolicy
from slipform_runtime.batching.queue import BatchQueue
from slipform_runtime.errors import QueueFull


def job(rows: int = 1, *, at: float = 0.0, **options: Any) -> Job:
    return Job({}, rows, lambda done: None, arrived_at=at, **options)


def queue(max_batch_size: int = 8, **options: Any) -> BatchQueue:
    return BatchQueue(BatchingPolicy(max_batch_size=max_batch_size, merge=True, **options))


def filled(target: BatchQueue, *jobs: Job) -> BatchQueue:
    for one in jobs:
        target.add(one)
    return target


def sizes(target: BatchQueue, now: float) -> list[int]:
    return [one.rows for one in target.take(now)[0]]


def test_without_a_delay_what_is_there_goes_at_once() -> None:
    assert sizes(filled(queue(), job(), job(), job()), 0) == [1, 1, 1]


def test_a_batch_holds_no_more_than_the_maximum() -> None:
    waiting = filled(queue(max_batch_size=4), job(3), job(1), job(2))
    assert sizes(waiting, 0) == [3, 1]
    assert sizes(waiting, 0) == [2]


def test_a_request_that_does_not_fit_ends_the_batch_and_keeps_its_place() -> None:
    waiting = filled(queue(max_batch_size=4), job(3), job(2), job(1))
    assert sizes(waiting, 0) == [3]
    assert sizes(waiting, 0) == [2, 1]


def test_with_a_delay_the_batch_waits_for_its_oldest_request() -> None:
    waiting = filled(queue(max_queue_delay_seconds=0.01), job(at=1.0), job(at=1.009))
    assert waiting.wake_at() == pytest.approx(1.01)
    assert sizes(waiting, 1.0099) == []
    assert sizes(waiting, 1.01) == [1, 1]


def test_a_full_batch_does_not_wait() -> None:
    assert sizes(filled(queue(max_batch_size=2, max_queue_delay_seconds=9), job(), job(), job()), 0) == [1, 1]


def test_another_shape_sends_what_is_before_it() -> None:
    waiting = filled(queue(max_queue_delay_seconds=9), job(shape_key=(4,)), job(shape_key=(4,)), job(shape_key=(5,)))
    assert len(sizes(waiting, 0)) == 2
    assert sizes(waiting, 0) == []


def test_the_largest_preferred_size_goes_at_once() -> None:
    waiting = filled(queue(preferred_batch_sizes=(2, 4), max_queue_delay_seconds=9), *(job() for _ in range(5)))
    assert len(sizes(waiting, 0)) == 4
    assert sizes(waiting, 0) == []


def test_after_the_delay_a_batch_of_no_preferred_size_goes() -> None:
    waiting = filled(queue(preferred_batch_sizes=(4,), max_queue_delay_seconds=1), job(), job(), job())
    assert sizes(waiting, 0.9) == []
    assert len(sizes(waiting, 1.0)) == 3


def test_a_higher_priority_leaves_first() -> None:
    policy = BatchingPolicy(max_batch_size=1, merge=True, priority_levels=2, default_priority_level=2)
    waiting = BatchQueue(policy)
    low, high = job(level=policy.level_of(0)), job(level=policy.level_of(1))
    filled(waiting, low, high)
    assert waiting.take(0)[0] == [high]
    assert waiting.take(0)[0] == [low]


def test_a_full_level_refuses() -> None:
    waiting = filled(queue(default_queue_policy=QueuePolicy(max_queue_size=2)), job(), job())
    with pytest.raises(QueueFull, match="2 requests"):
        waiting.add(job())
    assert len(waiting) == 2


def test_an_expired_request_is_dropped_when_the_batch_is_formed() -> None:
    late, fine = job(expires_at=1.0), job(expires_at=3.0)
    assert filled(queue(), late, fine).take(2.0) == ([fine], [late])


def test_under_delay_an_expired_request_is_served_last() -> None:
    late, fine = job(expires_at=1.0), job(expires_at=inf)
    waiting = filled(queue(max_batch_size=1, default_queue_policy=QueuePolicy(delay_expired=True)), late, fine)
    assert waiting.take(2.0) == ([fine], [])
    assert waiting.take(2.0) == ([late], [])


def test_a_discarded_request_is_in_no_batch() -> None:
    gone, stays = job(), job()
    waiting = filled(queue(), gone, stays)
    assert waiting.discard(gone)
    assert not waiting.discard(gone)
    assert waiting.take(0)[0] == [stays]


def test_without_merging_each_request_runs_alone() -> None:
    waiting = filled(BatchQueue(BatchingPolicy(max_batch_size=8)), job(4), job(4))
    assert sizes(waiting, 0) == [4]


def test_requests_for_other_outputs_are_not_joined() -> None:
    waiting = filled(queue(), job(wanted=("a",)), job(wanted=None))
    assert len(sizes(waiting, 0)) == 1


_JOBS = st.lists(
    st.tuples(
        st.integers(1, 8),  # rows
        st.floats(0, 1),  # gap to the one before
        st.sampled_from([(4,), (5,)]),
        st.integers(0, 2),  # level
        st.one_of(st.just(inf), st.floats(0, 3)),  # lifetime
    ),
    max_size=40,
)


@given(
    jobs=_JOBS,
    delay=st.sampled_from([0.0, 0.5]),
    preferred=st.sampled_from([(), (2,), (4, 8)]),
    late=st.booleans(),
)
def test_every_request_leaves_once_in_order_and_in_batches_that_fit(
    jobs: list[Any], delay: float, preferred: tuple[int, ...], late: bool
) -> None:
    waiting = BatchQueue(
        BatchingPolicy(
            max_batch_size=8,
            merge=True,
            preferred_batch_sizes=preferred,
            max_queue_delay_seconds=delay,
            priority_levels=3,
            default_priority_level=1,
            default_queue_policy=QueuePolicy(delay_expired=late),
        )
    )
    now, added, left = 0.0, [], []
    for rows, gap, shape, level, lifetime in jobs:
        now += gap
        one = job(rows, at=now, shape_key=shape, level=level, expires_at=now + lifetime)
        waiting.add(one)
        added.append(one)
        batch, expired = waiting.take(now)
        left += _checked(batch, now) + expired
    while len(waiting):
        now = max(now, waiting.wake_at())
        batch, expired = waiting.take(now)
        assert batch or expired, "a queue that waits for nothing"
        left += _checked(batch, now) + expired
    assert sorted(map(id, left)) == sorted(map(id, added))


def _checked(batch: list[Job], now: float) -> list[Job]:
    assert sum(one.rows for one in batch) <= 8
    assert len({one.shape_key for one in batch}) <= 1
    assert all(one.expires_at > now for one in batch)
    return batch

"""The queue of one model version: which requests run together, and when.

Triton's rules (its dynamic batcher, `DynamicBatchScheduler::GetDynamicBatch`):

* Requests leave by priority, then in their order of arrival.
* A batch holds requests of one shape, up to the maximum. It goes at once when it has reached the maximum or
  when the next request does not fit it; the largest preferred size that the queue can fill goes at once too.
* Otherwise it waits until its oldest request has waited `max_queue_delay_seconds`; a delay of 0 never waits.
* It keeps growing for as long as nobody takes it: `take` is called only when an instance is free.
* A request that was cancelled or has expired is dropped when a batch is formed. Under the action DELAY an
  expired one is served after those of its level that are in time.

No clock and no I/O: every method is told the time. The worst case of `take` is one pass over the batch it
forms and the requests it drops.
"""

from collections import OrderedDict
from collections.abc import Iterator
from math import inf

from slipform_runtime.batching.job import Job
from slipform_runtime.batching.policy import BatchingPolicy, QueuePolicy
from slipform_runtime.errors import QueueFull


class _Level:
    """The waiting requests of one priority."""

    __slots__ = ("late", "policy", "waiting")

    def __init__(self, policy: QueuePolicy) -> None:
        self.policy = policy
        self.waiting: OrderedDict[Job, None] = OrderedDict()
        self.late: OrderedDict[Job, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.waiting) + len(self.late)


class BatchQueue:
    """Requests in, batches out."""

    def __init__(self, policy: BatchingPolicy) -> None:
        self._policy = policy
        self._levels = [_Level(level) for level in policy.levels]
        self._delay = policy.max_queue_delay_seconds
        self._limit = policy.max_batch_size if policy.merge else 1
        self._preferred = frozenset(policy.preferred_batch_sizes)
        self._full = policy.preferred_batch_sizes[-1] if policy.preferred_batch_sizes else self._limit
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, job: Job) -> None:
        """Queue `job`; raises QueueFull where its level holds as many as its policy lets."""
        level = self._levels[job.level]
        limit = level.policy.max_queue_size
        if limit and len(level) >= limit:
            raise QueueFull(f"the queue holds {limit} requests, its maximum; try again")
        level.waiting[job] = None
        self._size += 1

    def discard(self, job: Job) -> bool:
        """Take `job` out, e.g. because its client has gone. False where it was no longer waiting."""
        level = self._levels[job.level]
        for jobs in (level.waiting, level.late):
            if job in jobs:
                del jobs[job]
                self._size -= 1
                return True
        return False

    def take(self, now: float) -> tuple[list[Job], list[Job]]:
        """The batch to run now (empty: none yet) and the requests that expired before they could run."""
        dropped: list[Job] = []
        while self._size:
            batch, expired = self._form(now)
            for job in batch:
                level = self._levels[job.level]
                del (level.waiting if job in level.waiting else level.late)[job]
            self._size -= len(batch)
            late = False
            for job in expired:
                self.discard(job)
                level = self._levels[job.level]
                if level.policy.delay_expired:
                    job.expires_at = inf
                    level.late[job] = None
                    self._size += 1
                    late = True
                else:
                    dropped.append(job)
            if batch or not late:
                return batch, dropped
        return [], dropped

    def clear(self) -> list[Job]:
        """Every waiting request, taken out."""
        jobs = list(self._in_order())
        for level in self._levels:
            level.waiting.clear()
            level.late.clear()
        self._size = 0
        return jobs

    def wake_at(self) -> float:
        """When `take` must be asked again though nothing has arrived; infinity where never."""
        oldest = min((job.arrived_at for job in self._heads()), default=inf)
        return oldest + self._delay

    def _heads(self) -> Iterator[Job]:
        for level in self._levels:
            for jobs in (level.waiting, level.late):
                if jobs:
                    yield next(iter(jobs))

    def _in_order(self) -> Iterator[Job]:
        for level in self._levels:
            yield from level.waiting
            yield from level.late

    def _form(self, now: float) -> tuple[list[Job], list[Job]]:
        """The batch to run now and the expired requests met on the way; nothing is taken out."""
        batch: list[Job] = []
        expired: list[Job] = []
        rows = 0
        preferred = 0  # how many of `batch` make the largest preferred size met so far
        complete = False
        for job in self._in_order():
            if job.expires_at <= now:
                expired.append(job)
                continue
            if batch and (
                rows + job.rows > self._limit or job.shape_key != batch[0].shape_key or job.wanted != batch[0].wanted
            ):
                complete = True
                break
            batch.append(job)
            rows += job.rows
            if rows in self._preferred:
                preferred = len(batch)
            if rows >= self._limit:
                complete = True
                break
        overdue = self._delay == 0 or now >= self.wake_at()
        if preferred and not overdue:
            return batch[:preferred], expired
        if complete or overdue or rows >= self._full:
            return batch, expired
        return [], expired

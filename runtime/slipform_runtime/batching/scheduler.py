"""Drives a queue on the event loop: takes a batch whenever an instance is free and the queue lets it go.

A small model runs on the loop itself: the hop to a thread would cost more than the run. A large one runs in a
thread per instance, so that the loop goes on reading while it computes.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from time import monotonic

from slipform_runtime.backends.base import BackendInstance
from slipform_runtime.batching.execution import Execution, execute
from slipform_runtime.batching.job import Job
from slipform_runtime.batching.queue import BatchQueue
from slipform_runtime.errors import DeadlineExceeded, Unavailable

Finished = Callable[["Instance", list[Job], Execution], None]


def _alive(job: Job) -> bool:
    return not job.cancelled


class Instance:
    """One copy of a model. With `threaded` it runs in a thread of its own."""

    def __init__(self, index: int, runnable: BackendInstance, *, threaded: bool, name: str = "model") -> None:
        self.index = index
        self.runnable = runnable
        self.threaded = threaded
        self._name = f"{name}-{index}"
        self._work: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Job], Finished] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop, batch: list[Job], finished: Finished) -> None:
        """Run `batch`; `finished` is called on the loop."""
        if not self.threaded:
            finished(self, batch, execute(self.runnable, batch))
            return
        if self._thread is None:
            self._thread = Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        self._work.put((loop, batch, finished))

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            loop, batch, finished = work
            execution = execute(self.runnable, batch, _alive)
            if not loop.is_closed():
                loop.call_soon_threadsafe(finished, self, batch, execution)


class Scheduler:
    """A queue, its instances, and who observes them. All methods belong to the loop's thread."""

    def __init__(
        self,
        queue: BatchQueue,
        instances: list[Instance],
        loop: asyncio.AbstractEventLoop,
        observe: Callable[[Instance, list[Job], Execution], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.instances = instances
        self.executing = 0
        self._queue = queue
        self._idle = list(reversed(instances))
        self._loop = loop
        self._observe = observe
        self._clock = clock  # uvloop's own counts whole milliseconds
        self._dispatch_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._drained = asyncio.Event()

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._queue)

    def submit(self, job: Job) -> None:
        """Queue `job`; raises QueueFull, or Unavailable after `close`."""
        if self._closed:
            raise Unavailable("the model is being unloaded")
        self._queue.add(job)
        if not self._dispatch_due:
            self._dispatch_soon()

    def cancel(self, job: Job) -> None:
        """Forget `job`: nobody waits for it any more."""
        job.cancelled = True
        self._queue.discard(job)

    def _dispatch_soon(self) -> None:
        # Once a turn of the loop: everything that the sockets brought in this turn can go into one batch.
        if self._idle and not self._dispatch_due:
            self._dispatch_due = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self, at_least: float = 0.0) -> None:
        self._dispatch_due = False
        while self._idle:
            now = max(self._clock(), at_least)
            batch, expired = self._queue.take(now)
            for job in expired:
                job.fail(DeadlineExceeded("the request's timeout passed while it was queued"), now)
            if not batch:
                break
            for job in batch:
                job.started_at = now
            instance = self._idle.pop()
            self.executing += len(batch)
            instance.start(self._loop, batch, self._finished)
            if not instance.threaded:
                return  # what still waits goes next turn: the loop reads its sockets before
        self._set_timer()
        self._check_drained()

    def _finished(self, instance: Instance, batch: list[Job], execution: Execution) -> None:
        self.executing -= len(batch)
        self._idle.append(instance)
        if instance.threaded and self._queue:
            self._dispatch()  # first: the answers can be written while it computes
        now = self._clock()
        for job in batch:
            job.ended_at = now
        self._observe(instance, batch, execution)
        for job in batch:
            if not job.cancelled:
                job.on_done(job)
        if self._queue:
            self._dispatch_soon()
        self._check_drained()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and self._idle:
            wake_at = self._queue.wake_at()
            # uvloop's timers count whole milliseconds and may come early: `wake_at` counts as reached then.
            delay = max(0.0, wake_at - self._clock())
            self._timer = self._loop.call_later(delay, self._dispatch, wake_at)

    def _check_drained(self) -> None:
        if self._closed and not self._queue and not self.executing:
            self._drained.set()

    async def close(self, timeout_seconds: float) -> None:
        """Refuse new requests, finish the queued ones, free the threads. What is left after the timeout fails."""
        self._closed = True
        self._dispatch_soon()
        self._check_drained()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._drained.wait()
        except TimeoutError:
            now = self._clock()
            for job in self._queue.clear():
                job.fail(Unavailable("the model was unloaded before the request could run"), now)
        if self._timer is not None:
            self._timer.cancel()
        for instance in self.instances:
            instance.close()
            if not self.executing:
                # Not left to the collector: what was there at the start is frozen, and it does not look there.
                instance.runnable.close()

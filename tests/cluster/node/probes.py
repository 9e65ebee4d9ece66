"""A container's probes, by a kubelet's rules: the startup probe first, then readiness and liveness side by side."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.cluster.api import Object
from tests.cluster.node.actions import ActionFailed

Attempt = Callable[[Object], Awaitable[None]]
"""Performs a probe's action once; raises ActionFailed where it fails."""


class Health:
    """What the probes of one run of a container say."""

    def __init__(self, container: Object, attempt: Attempt, changed: Callable[[], None]) -> None:
        self.started = False
        self.ready = False
        self.unhealthy = asyncio.Event()
        """Set when the startup or the liveness probe has failed so often that the container must end."""
        self._container, self._attempt, self._changed = container, attempt, changed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self) -> None:
        if "startupProbe" in self._container:
            self._follow("startupProbe", self._has_started)
        else:
            self._has_started(True)

    def ending(self) -> None:
        """The container is told to end: only readiness is still asked for."""
        for name in ("startupProbe", "livenessProbe"):
            self._cancel(name)

    def stop(self) -> None:
        for name in list(self._tasks):
            self._cancel(name)
        self.ready = False

    def _has_started(self, succeeded: bool) -> None:
        if not succeeded:
            self.unhealthy.set()
            return
        self._cancel("startupProbe")
        self.started = True
        if "readinessProbe" in self._container:
            self._follow("readinessProbe", self._is_ready)
        else:
            self.ready = True
        if "livenessProbe" in self._container:
            self._follow("livenessProbe", self._is_alive)
        self._changed()

    def _is_ready(self, succeeded: bool) -> None:
        if self.ready != succeeded:
            self.ready = succeeded
            self._changed()

    def _is_alive(self, succeeded: bool) -> None:
        if not succeeded:
            self.unhealthy.set()

    def _follow(self, name: str, tell: Callable[[bool], None]) -> None:
        self._tasks[name] = asyncio.create_task(self._ask(self._container[name], tell))

    def _cancel(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()

    async def _ask(self, probe: Object, tell: Callable[[bool], None]) -> None:
        """Asks for ever; tells each time a threshold is reached."""
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        thresholds = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
        last, times = True, 0
        while True:
            succeeded = await self._succeeds(probe)
            last, times = succeeded, times + 1 if succeeded == last else 1
            if times >= thresholds[succeeded]:
                tell(succeeded)
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _succeeds(self, probe: Object) -> bool:
        try:
            async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
                await self._attempt(probe)
        except (ActionFailed, TimeoutError):
            return False
        return True
